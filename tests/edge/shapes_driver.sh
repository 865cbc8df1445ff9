#!/bin/sh
# Runs inside the edge host and prints TAP: VMs of the shapes that take two nodes, SMT siblings or odd nodes, each proven
# by rtvmd and again by looking at /proc alone. Which of them depends on the machine: one of two nodes whose cores have
# two threads, or one with a node without memory and one without CPUs. CPUs 2-7 are isolated on both.
# shellcheck disable=SC2317  # results are made by check
set -u
cd /edge || exit 1
# shellcheck source=tests/edge/lib.sh
. ./lib.sh
# shellcheck source=tests/edge/shapes_vms.sh
. ./shapes_vms.sh

give_up() {
    { rtvmd events -n poc; journalctl --no-pager -b -u rtvmd -u libvirtd -n 60; tail -n 5 /var/log/libvirt/qemu/*.log; } 2>&1 | note
    end
}

is() { # WHAT FOUND WANTED
    [ "$2" = "$3" ] && return 0
    echo "$1: found $2, wanted $3"
    return 1
}

installs() {
    dpkg -i /edge/rtvmd.deb &&
        printf 'libvirt:\n  emulation: on\nhost:\n  hugepages:\n    allocate: true\n' >/etc/rtvmd/rtvmd.yaml &&
        systemctl restart rtvmd && systemctl is-active rtvmd && rtvmd create namespace poc
}

qemu_pid() {
    pgrep -f "qemu-system-.* guest=poc_$1,"
}

is_on_the_command_line() { # NAME TEXT
    tr '\0' '\n' <"/proc/$(qemu_pid "$1")/cmdline" | grep -F -e "$2" && return 0
    echo "no $2"
    return 1
}

starts() {
    vm "$1" | rtvmd apply -f - && rtvmd wait vmi "$1" -n poc --for condition=Ready --timeout 600s && return 0
    rtvmd describe vmi "$1" -n poc
    tail -n 5 "/var/log/libvirt/qemu/poc_$1.log"
    return 1
}

is_gone() {
    rtvmd delete vmi "$1" -n poc && rtvmd wait vmi "$1" -n poc --for delete --timeout 300s
}

# The threads of a QEMU as /proc has them, sorted: "vcpu 0=2:5" and "io 1=7:0" (number, CPUs, real-time priority), and of
# all others only the different "other 0-1:0". What is gone after it was found says nothing: QEMU's workers come and go.
list_threads() { # PID
    grep -sH -e '^Name:' -e '^Cpus_allowed_list:' -e ') ' /proc/"$1"/task/*/status /proc/"$1"/task/*/stat | awk '
        { split($0, path, "/"); tid = path[5] }
        /\/status:Name:/ { name[tid] = substr($0, index($0, "\t") + 1) }
        /\/status:Cpus_allowed_list:/ { cpus[tid] = substr($0, index($0, "\t") + 1) }
        /\/stat:/ { sub(/.*\) /, ""); split($0, field, " "); priority[tid] = field[38] }
        END {
            for (tid in name)
                if (name[tid] ~ /^IO iothread/)
                    of_io[cpus[tid] ":" priority[tid]] = 1
            for (tid in name) {
                if (!(tid in cpus) || !(tid in priority))
                    continue
                if (name[tid] == "worker" && (cpus[tid] ":" priority[tid]) in of_io)
                    continue # an IO thread made it
                kind = "other "
                if (sub(/^CPU /, "", name[tid]))
                    kind = "vcpu "
                else if (sub(/^IO iothread/, "", name[tid]))
                    kind = "io "
                sub(/\/.*/, "", name[tid])
                print kind (kind == "other " ? "" : name[tid] "=") cpus[tid] ":" priority[tid]
            }
        }' | sort -u
}

threads_of() { # vcpu|io|other
    sed -n "s/^$1 //p" "$state/threads" | tr '\n' ' '
}

# Huge pages of a process by node and size in KiB: "0:2048=512 1:1048576=1 "
pages_of() { # PID
    awk '/ huge / {
            size = $0
            sub(/.*kernelpagesize_kB=/, "", size)
            for (i = 2; i <= NF; i++)
                if ($i ~ /^N[0-9]+=/) {
                    split(substr($i, 2), part, "=")
                    pages[part[1] ":" size + 0] += part[2]
                }
        }
        END { for (where in pages) print where "=" pages[where] }' "/proc/$1/numa_maps" | sort | tr '\n' ' '
}

# NAME VCPUS IO OTHERS PAGES CLAIMED: rtvmd proves it, /proc says the same, and no more is promised than that.
is_true() {
    rtvmd verify "$1" -n poc || return 1
    pid=$(qemu_pid "$1") || return 1
    claimed=$(rtvmd get placements "$1" -n poc -o json | jq -r '.status.claimed | "\(.cpus // "") \([.pages[] | select(.pageBytes != 4096) | "\(.node):\(.pageBytes / 1024)=\(.pages)"] | sort | join(" ")) "')
    list_threads "$pid" >"$state/threads"
    cat "$state/threads"
    is vCPUs "$(threads_of vcpu)" "$2 " && is "IO threads" "$(threads_of io)" "$3" && is "other threads" "$(threads_of other)" "$4 " && is pages "$(pages_of "$pid")" "$5 " &&
        is claimed "$claimed" "$6 $5 "
}

check_shape() { # TITLE NAME VCPUS IO OTHERS PAGES CLAIMED
    title=$1
    shift
    check "$title: runs" starts "$1" && check "$title: proven, and /proc says the same" is_true "$@"
}

# ---- two nodes, cores of two threads

has_two_nodes_and_siblings() {
    rtvmd host
    rtvmd host -o json | jq -e '(.nodes | length) == 2 and .cpus[6].siblings == [6, 7] and .nodes[0].distances == [10, 21]'
}

# The guest is told of two nodes as far from each other as the host's.
mirrors_the_distance() {
    virsh dumpxml poc_mixed | grep -F -e "<sibling id='1' value='21'/>" && is_on_the_command_line mixed dist,src=0,dst=1,val=21
}

mirrors_uneven_cells() {
    is_on_the_command_line uneven node,nodeid=0,cpus=0,memdev && is_on_the_command_line uneven node,nodeid=1,cpus=1-3,memdev &&
        is_on_the_command_line uneven sockets=1,dies=1,cores=4,threads=1
}

# Claimed; no thread of any QEMU may run there, and no other but the kernel's own, which have no memory, was last seen
# there: systemd and its children may run everywhere, and the scheduler takes none of them to isolated CPUs.
is_idle_beside() { # NAME CPU
    is parked "$(rtvmd get placements "$1" -n poc -o json | jq -c .spec.parked)" "[$2]" || return 1
    grep -sH -e '^Name:' -e '^VmSize:' -e '^Cpus_allowed_list:' -e ') ' /proc/[0-9]*/task/*/status /proc/[0-9]*/task/*/stat |
        awk -v cpu="$2" '
        { split($0, path, "/"); pid = path[3]; tid = path[5] }
        /\/status:Name:/ && /qemu-system/ { qemu[pid] }
        /\/status:VmSize:/ { process[tid] = pid }
        /\/status:Cpus_allowed_list:/ { cpus[tid] = $2 }
        /\/stat:/ { sub(/.*\) /, ""); split($0, field, " "); last[tid] = field[37] }
        function may_run(list, parts, ends, i, count) {
            count = split(list, parts, ",")
            for (i = 1; i <= count; i++) {
                split(parts[i] "-" parts[i], ends, "-")
                if (ends[1] <= cpu + 0 && cpu + 0 <= ends[2])
                    return 1
            }
            return 0
        }
        END {
            for (tid in process) {
                of_qemu = process[tid] in qemu
                threads[of_qemu]++
                if (last[tid] == cpu || (of_qemu && may_run(cpus[tid]))) {
                    print "thread " tid " may run on " cpus[tid] ", was on " last[tid]
                    bad = 1
                }
            }
            print threads[1] + 0 " threads of QEMU and " threads[0] + 0 " others looked at"
            exit bad || !threads[1] || !threads[0]
        }'
}

siblings_and_spread() {
    check "two nodes, cores of two threads" has_two_nodes_and_siblings || give_up
    check_shape "spread, pages of two sizes" mixed "0=2:5 1=4:3" "" 0-1:0 "0:2048=512 1:1048576=1" 2,4 &&
        check "the guest's nodes are as far as the host's" mirrors_the_distance
    check "gone" is_gone mixed
    check_shape "given CPUs of two nodes, 1 + 3 vCPUs" uneven "0=3:1 1=6:1 2=4:1 3=5:1" "" 0-1:0 "0:2048=8 1:2048=24" 3-6 &&
        check "uneven guest cells in one socket" mirrors_uneven_cells
    check "gone" is_gone uneven
    check_shape "smt-policy require, emulator and IO thread with CPUs of their own" whole "0=4:1 1=5:1" "1=7:0 " 6:0 "1:2048=32" 4-7
    check_shape "smt-policy isolate" alone "0=2:1" "" 0-1:0 "0:2048=32" 2-3 &&
        check "nothing runs on the sibling" is_idle_beside alone 3
    check "gone" is_gone whole
    check_shape "emulator-policy sibling, the IO thread too" beside "0=4:1 1=6:1" "1=7:0 " 5:0 "1:2048=32" 4-7
    check "gone" is_gone beside
    check_shape "huge pages of another node than the housekeeping CPUs" floating "0=0-1:0" "" 0-1:0 "1:1048576=1" ""
}

# ---- a node without memory, a node without CPUs

has_odd_nodes() {
    rtvmd host
    rtvmd host -o json | jq -c '.nodes[] | [.id, .cpus, .memoryBytes, .distances]'
    rtvmd host -o json | jq -e '(.nodes | length) == 4 and .nodes[2].memoryBytes == 0 and .nodes[2].cpus == [6, 7] and
        .nodes[3].memoryBytes > 0 and .nodes[3].cpus == [] and ([.cpus[] | select(.online)] | length) == 8'
}

pool_is() { # NODE PAGES
    is "pool of node $1" "$(cat "/sys/devices/system/node/node$1/hugepages/hugepages-2048kB/nr_hugepages")" "$2"
}

grew_and_is_back() {
    is_gone growing && within 60 pool_is 1 128 && rtvmd get hostchanges
}

holds() { # WHAT WANTED: "False CPUOffline", or "" when it does
    is "PlacementHolds of $1" "$(rtvmd get vmi "$1" -n poc -o json |
        jq -r '.status.conditions[] | select(.type == "PlacementHolds") | "\(.status) \(.reason)"')" "$2" >"$state/holds"
}

switch() { # CPU 0|1
    echo "$2" >"/sys/devices/system/cpu/cpu$1/online"
}

is_told_when_a_cpu_goes() {
    switch 7 0 && within 150 holds bare "False CPUOffline" && rtvmd events -n poc | grep PlacementBroken && rtvmd host | grep online
    held=$?
    cat "$state/holds"
    return "$held"
}

is_told_when_it_is_back() {
    switch 7 1 && within 150 holds bare "" && within 150 rtvmd verify bare -n poc >"$state/verified"
    held=$?
    cat "$state/holds"
    [ "$held" -eq 0 ] || cat "$state/verified"
    return "$held"
}

odd_nodes() {
    check "a node without memory and one without CPUs" has_odd_nodes || give_up
    check_shape "CPUs of the node without memory" bare "0=6:1 1=7:1" "" 0-1:0 "1:2048=32" 6-7
    check_shape "a pool grows for a VM" growing "0=4:7 1=5:7" "" 0-1:0 "1:2048=144" 4-5 &&
        check "by what was missing" pool_is 1 176
    check "a CPU goes offline under a VM: its owner is told" is_told_when_a_cpu_goes
    check "the CPU comes back: the VM is as planned again" is_told_when_it_is_back &&
        check "and /proc says the same" is_true bare "0=6:1 1=7:1" "" 0-1:0 "1:2048=32" 6-7
    check "the pool shrinks again" grew_and_is_back
    check "nothing was taken from the node without CPUs" pool_is 3 64
}

check "the package installs and the daemon runs" installs || give_up
if [ -d /sys/devices/system/node/node2 ]; then odd_nodes; else siblings_and_spread; fi
rtvmd events -n poc 2>&1 | grep Warning | grep -v Adjusted | note
end
