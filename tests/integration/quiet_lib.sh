# Sourced after daemon_lib.sh: what a process does to the machine, counted by the kernel.
# shellcheck shell=sh

# process_tree PID: it and everything it has started, one pid a line
process_tree() {
    ps -eo pid=,ppid= | awk -v root="$1" '
        { parent[$1] = $2 }
        END {
            for (pid in parent) {
                for (at = pid; at > 1 && at != root; at = parent[at]) continue
                if (at == root) print pid
            }
        }'
}

# wakeups PID: how often its threads have gone to sleep, which is how often something woke them
wakeups() {
    cat "/proc/$1/task/"*/status | awk '/^voluntary_ctxt_switches:/ { n += $2 } END { print n + 0 }'
}

# bytes_written PID: to disk, counted when a page becomes dirty
bytes_written() {
    sed -n 's/^write_bytes: //p' "/proc/$1/io"
}

# strayed CPUS PID…: the threads that may run, or last ran, on one of these CPUs (a list as the kernel writes it)
strayed() {
    unwanted=$1
    shift
    for traced in "$@"; do
        for thread in "/proc/$traced/task/"*; do
            # a thread may end while it is looked at: then there is nothing to say about it
            may=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$thread/status" 2>/dev/null)
            ran=$(sed 's/.*) //' "$thread/stat" 2>/dev/null | cut -d ' ' -f 37)
            [ -z "$may" ] || [ -z "$ran" ] || echo "$traced ${thread##*/} $may $ran"
        done
    done | awk -v unwanted="$unwanted" '
        function expand(list, set,    part, end, i, cpu) {
            split("", set)
            split(list, part, ",")
            for (i in part) {
                split(part[i], end, "-")
                for (cpu = end[1]; cpu <= (end[2] == "" ? end[1] : end[2]); cpu++) set[cpu]
            }
        }
        BEGIN { expand(unwanted, bad) }
        { expand($3, may); stray = $4 in bad; for (cpu in may) if (cpu in bad) stray = 1 }
        stray { print "pid " $1 ", thread " $2 " may run on " $3 " and last ran on " $4 }'
}
