#!/bin/sh
# What the daemon costs when it has nothing to do: the file, from start to listening, memory without and with ten running
# machines, and, beside a running real-time machine, wake-ups and bytes written. The static program, which is what gets
# installed, is measured beside the dynamic one when `make static` has made it; they take turns.
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
while read -r program first again wall cpu rss pss private; do
    echo "idle: $program: listening after $first ms (first start) and $again ms (later ones), without waiting for a CPU;" \
        "$wall ms with it; $cpu ms of CPU time; $rss KiB resident, $pss KiB its share, $private KiB private"
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
[ -z "$static" ] || budget "idle: size of the file, static" "$(stat -c %s "$static")" "<=" 9000000 bytes
[ -z "$static" ] || budget "idle: resident memory, static" "$(what 6)" "<" 15360 KiB
# Of the dynamic one, what it has to itself: two thirds of what is resident are pages of libraries that libvirtd has too.
if [ "$(id -u)" -eq 0 ]; then
    budget "idle: private memory, dynamic" "$(head -n 1 "$BENCH_DIR/start" | cut -d ' ' -f 8)" "<" 15360 KiB
fi

if [ "$(id -u)" -ne 0 ] || [ "$(nproc --all)" -lt 2 ]; then
    echo "idle: wake-ups beside a machine are not counted: needs root and two CPUs"
    exit 0
fi
LAB_PAGES_2M=64 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
lab_up idle

# ---- memory with ten machines: real ones of libvirt's, without anything to boot, so that they soon sleep
ten_manifest() {
    cat <<END
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: ten-$1}
spec:
  runStrategy: Always
  template:
    spec:
      terminationGracePeriodSeconds: 0
      domain:
        memory: {guest: 32Mi}
        devices: {autoattachGraphicsDevice: false, autoattachMemBalloon: false, autoattachPodInterface: false}
END
}
ten_run() {
    [ "$(api GET "$vmis" | jq '[.items[] | select(.status.phase == "Running")] | length')" -eq 10 ]
}
# The first daemon starts them; each later one takes them up.
measure_ten() {
    RTVMD_BINARY=$1
    daemon_start || return 1
    [ -e "$folder/ten" ] || for i in 0 1 2 3 4 5 6 7 8 9; do ten_manifest $i; echo ---; done | rtvmd apply -f - >"$folder/ten" || return 1
    wait_for 240 ten_run || return 1
    sleep 3
    echo "$1 $(python3 tests/bench/start_time.py --memory "$(cat "$folder/daemon.pid")")" >>"$folder/memory"
    daemon_stop
}
# ten COLUMN PROGRAM: the median
ten() {
    awk -v c="$1" -v p="$2" '$1 == p { print $c }' "$folder/memory" | median
}
for _ in 1 2 3; do
    for program in $BUILD/rtvmd $static; do
        measure_ten "$program" || { echo "idle: ten machines do not run" >&2; exit 1; }
    done
done
for program in $BUILD/rtvmd $static; do
    echo "idle: $program with 10 machines: $(ten 2 "$program") KiB resident, $(ten 3 "$program") KiB its share, $(ten 4 "$program") KiB private"
done
if [ -n "$static" ]; then
    awk -v r="$(ten 2 "$BUILD/rtvmd")" -v s="$(ten 2 "$static")" -v p="$(ten 4 "$BUILD/rtvmd")" -v q="$(ten 4 "$static")" 'BEGIN {
        printf "idle: dynamic / static with 10 machines: resident %.2f, private %.2f\n", r / s, p / q }'
    budget "idle: resident memory with 10 machines, static" "$(ten 2 "$static")" "<" 15360 KiB
fi
budget "idle: private memory with 10 machines, dynamic" "$(ten 4 "$BUILD/rtvmd")" "<" 15360 KiB
RTVMD_BINARY=$BUILD/rtvmd
daemon_start || exit 1
rtvmd delete vm ten-0 ten-1 ten-2 ten-3 ten-4 ten-5 ten-6 ten-7 ten-8 ten-9 --wait >/dev/null
daemon_stop

# ---- wake-ups and writing
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
