#!/bin/sh
# What the daemon costs when it has nothing to do: from start to listening, memory, and, beside a running real-time
# machine, wake-ups and bytes written. The static program, which is what gets installed, is measured beside the dynamic
# one when `make static` has made it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/bench/bench_lib.sh
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
. tests/integration/quiet_lib.sh
rounds=${IDLE_ROUNDS:-9}
seconds=${IDLE_SECONDS:-60}

static=$BUILD/static/rtvmd
[ -x "$static" ] || static=""
# shellcheck disable=SC2086  # none or one
python3 tests/bench/start_time.py "$rounds" "$BUILD/rtvmd" $static >"$BENCH_DIR/start" || exit 1
while read -r program first again wall cpu rss anonymous; do
    echo "idle: $program: listening after $first ms (first start) and $again ms (later ones), without waiting for a CPU;" \
        "$wall ms with it; $cpu ms of CPU time; $rss KiB resident, $anonymous KiB of them its own"
done <"$BENCH_DIR/start"
# what COLUMN: of the program that gets installed
what() {
    tail -n 1 "$BENCH_DIR/start" | cut -d ' ' -f "$1"
}
name=dynamic
if [ -n "$static" ]; then
    name=static
    awk 'NR == 1 { start = $3; rss = $6 }
        NR == 2 { printf "idle: dynamic / static: start %.2f, memory %.2f\n", start / $3, rss / $6 }' "$BENCH_DIR/start"
else
    echo "idle: no static program to compare with: make static"
fi
budget "idle: start to listening, $name" "$(what 3)" "<" 50 ms
budget "idle: first start to listening, $name" "$(what 2)" "<" 50 ms
[ -z "$static" ] || budget "idle: resident memory, $name" "$(what 6)" "<" 15360 KiB
budget "idle: memory of its own, dynamic" "$(head -n 1 "$BENCH_DIR/start" | cut -d ' ' -f 7)" "<" 15360 KiB

if [ "$(id -u)" -ne 0 ] || [ "$(nproc --all)" -lt 2 ]; then
    echo "idle: wake-ups beside a machine are not counted: needs root and two CPUs"
    exit 0
fi
LAB_PAGES_2M=64 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
lab_up idle
if ! daemon_start || ! probe_manifest quiet | rtvmd apply -f - >/dev/null || ! wait_for 60 phase_is quiet Running; then
    echo "idle: no real-time machine" >&2
    exit 1
fi
sleep 5
daemon=$(cat "$folder/daemon.pid")
woken=$(wakeups "$daemon") written=$(bytes_written "$daemon")
sleep "$seconds"
woken=$(($(wakeups "$daemon") - woken)) written=$(($(bytes_written "$daemon") - written))
cpus=$(field /apis/rtvmd.io/v1alpha1/namespaces/default/placements/quiet '[.spec.vcpus[]] | join(",")')
budget "idle: wake-ups beside a real-time machine" "$(awk -v n="$woken" -v s="$seconds" 'BEGIN { printf "%.2f\n", n / s }')" "<" 1 /s
budget "idle: bytes written in $seconds s" "$written" "<=" 0
budget "idle: threads that come near the exclusive CPU $cpus" "$(strayed "$cpus" "$daemon" | wc -l)" "<=" 0
