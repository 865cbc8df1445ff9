#!/bin/sh
# The daemon's own noise, beside a running real-time machine: nothing of it comes near the exclusive CPU, also while it
# works, and when there is nothing to do it sleeps (less than one wake-up a second) and writes nothing.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
. tests/integration/quiet_lib.sh
LAB_PAGES_2M=64 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
lab_up "quiet"
WINDOW_S=40 WINDOWS=3

runs() {
    probe_manifest quiet | rtvmd apply -f - && wait_for 60 phase_is quiet Running && rtvmd verify quiet
}
exclusive_cpus() {
    field /apis/rtvmd.io/v1alpha1/namespaces/default/placements/quiet '[.spec.vcpus[]] | join(",")'
}

# Something to look after while nothing happens.
watches() {
    curl -sSN --unix-socket "$folder/api.sock" "http://rtvmd$vmis?watch=true" >"$folder/watch" 2>&1 9>&- &
    echo $! >"$folder/watch.pid"
    wait_for 10 grep -q '"quiet"' "$folder/watch"
}

# Looks at the daemon and all it starts, over and over until told to stop.
look_for_strays() {
    : >"$folder/strays"
    : >"$folder/looks"
    while [ -e "$folder/working" ]; do
        # shellcheck disable=SC2046  # words
        strayed "$cpus" $(process_tree "$daemon") >>"$folder/strays"
        echo >>"$folder/looks"
    done
}
works_on_housekeeping_cpus() {
    : >"$folder/working"
    look_for_strays 9>&- &
    looking=$!
    for _ in 1 2 3; do
        probe_manifest other | sed 's/dedicatedCpuPlacement: true/dedicatedCpuPlacement: false/; /numa:/d; /realtime:/d' |
            rtvmd apply -f - && wait_for 60 phase_is other Running && rtvmd describe vm other && rtvmd delete vm other
    done
    wait_for 30 leaves_nothing other
    result=$?
    rm "$folder/working"
    wait "$looking"
    sort -u "$folder/strays"
    echo "$(wc -l <"$folder/looks") looks"
    [ "$result" -eq 0 ] && [ ! -s "$folder/strays" ] && [ "$(wc -l <"$folder/looks")" -ge 5 ]
}

# A thread that is put on the exclusive CPU is noticed by the very look that finds none.
strays_are_noticed() {
    set -- "/proc/$daemon/task/"*
    [ $# -ge 2 ] && [ -z "$(strayed "$cpus" "$daemon")" ] || return 1
    sleep 60 9>&- &
    taskset -pc "$cpus" $! && [ -n "$(strayed "$cpus" $!)" ]
    result=$?
    kill $!
    return "$result"
}

# One quiet window is enough: what else the machine does may be in the way of the others.
is_still() {
    for window in $(seq "$WINDOWS"); do
        sleep 2 # what the last request caused is over
        woken=$(wakeups "$daemon") written=$(bytes_written "$daemon")
        sleep "$WINDOW_S"
        woken=$(($(wakeups "$daemon") - woken)) written=$(($(bytes_written "$daemon") - written))
        echo "window $window: $woken wake-ups and $written bytes written in $WINDOW_S s"
        if [ "$woken" -lt "$WINDOW_S" ] && [ "$written" -eq 0 ]; then return 0; fi
    done
    return 1
}
is_as_it_was() {
    [ -z "$(strayed "$cpus" "$daemon")" ] && phase_is quiet Running && rtvmd verify quiet
}
clean_up_watch() {
    [ -s "$folder/watch.pid" ] && kill "$(cat "$folder/watch.pid")" 2>/dev/null
}

check "the daemon starts" daemon_start
daemon=$(cat "$folder/daemon.pid")
check "a real-time machine runs" runs
cpus=$(exclusive_cpus)
check "a thread on an exclusive CPU would be noticed" strays_are_noticed
check "nothing of the daemon comes near the exclusive CPU $cpus while it works" works_on_housekeeping_cpus
check "a client watches" watches
check "less than one wake-up a second and nothing written while there is nothing to do" is_still
check "the machine is as it was" is_as_it_was
clean_up_watch
finish
