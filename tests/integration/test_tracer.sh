#!/bin/sh
# The kernel's osnoise tracer, for real: a newer PREEMPT_RT kernel (tests/edge/kernel.sh) in an emulated machine of two
# CPUs, where rtvmd latency host --trace says who took a CPU, and puts everything back, also after kill -9.
# Needs no libvirt, and no lock: nothing of this machine is used.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
RTVMD_BINARY=${RTVMD_BINARY:-$BUILD/rtvmd}
folder=$(mktemp -d /tmp/rtvmd-test-XXXXXX)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

skip_all() {
    echo "ok 1 - osnoise tracer # SKIP $1"
    echo "1..1"
    exit 0
}
for program in qemu-system-x86_64 busybox cpio; do
    command -v "$program" >/dev/null || skip_all "$program is not installed"
done
why=$(timeout 300 tests/edge/kernel.sh "$BUILD/edge/kernel" 2>&1) || skip_all "${why:-the kernel cannot be made here}"

# ---- what runs inside, and prints TAP
mkdir -p "$folder/root/bin" "$folder/root/proc" "$folder/root/sys" "$folder/root/dev" "$folder/root/state" "$folder/root/tmp"
cp "$(command -v busybox)" "$RTVMD_BINARY" "$folder/root/bin/"
for library in $(ldd "$RTVMD_BINARY" 2>/dev/null | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p'); do
    mkdir -p "$folder/root$(dirname "$library")"
    cp -L "$library" "$folder/root$library"
done
cat >"$folder/root/init" <<'END_OF_INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing
n=0
check() {
    name=$1
    shift
    n=$((n + 1))
    if "$@" >/tmp/out 2>&1; then echo "ok $n - $name"; else echo "not ok $n - $name"; fi
    sed 's/^/# /' /tmp/out
}
measure() {
    rtvmd latency host --cpus 1 --duration 2s --trace --state-dir /state "$@"
}
is_as_found() {
    cat osnoise/options
    ls instances
    [ "$(cat osnoise/options)" = "$found" ] && [ -z "$(ls instances)" ] && [ "$(cat current_tracer)" = nop ]
}
attributes() {
    measure && measure -o json >/tmp/run && grep -A 12 '"noise"' /tmp/run && grep -q '"kind": "irq"' /tmp/run &&
        grep -q '"name": "local_timer"' /tmp/run && is_as_found
}
# Its own measuring threads are not noise; one that is put there is.
names_a_thread() {
    taskset 2 sh -c 'while :; do sleep 0.05; done' &
    there=$!
    measure >/tmp/with
    kill "$there"
    cat /tmp/with
    grep -q 'thread *\(sh\|sleep\|busybox\):' /tmp/with && ! grep -q 'thread *rtvmd:' /tmp/with
}
is_tracing() {
    for _ in $(seq 60); do
        if ls instances | grep rtvmd-noise && grep osnoise instances/*/current_tracer; then return 0; fi
        sleep 0.5
    done
    return 1
}
is_put_back_after_a_kill() {
    rtvmd latency host --cpus 1 --duration 100s --trace --state-dir /state &
    killed=$!
    is_tracing && grep NO_OSNOISE_WORKLOAD osnoise/options
    seen=$?
    kill -9 "$killed"
    [ "$seen" -eq 0 ] || return 1
    sleep 1
    ! is_as_found && measure >/dev/null && is_as_found
}
is_put_back_after_an_interrupt() {
    rtvmd latency host --cpus 1 --duration 100s --trace --state-dir /state &
    ended=$!
    is_tracing || return 1
    kill -INT "$ended"
    wait "$ended"
    is_as_found
}
runs_no_threads() {
    rtvmd latency host --cpus 1 --duration 6s --trace --state-dir /state >/dev/null &
    is_tracing
    ps | grep '\[osnoise/' | grep -v grep
    ! ps | grep -q '\[osnoise/[0-9]'
    none=$?
    wait
    return "$none"
}
echo "# $(uname -r): $(cat available_tracers)"
found=$(cat osnoise/options)
check "latency host --trace says who took the CPU" attributes
check "a thread beside is named" names_a_thread
check "the tracer's own threads do not run" runs_no_threads
check "kill -9: the next measurement puts it back" is_put_back_after_a_kill
check "an interrupt ends in order" is_put_back_after_an_interrupt
echo "1..$n"
poweroff -f
END_OF_INIT
chmod 755 "$folder/root/init"
(cd "$folder/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$folder/initrd"

timeout 500 qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 768M -nodefaults -nographic -no-reboot \
    -kernel "$BUILD/edge/kernel/vmlinuz" -initrd "$folder/initrd" -serial stdio \
    -append "console=ttyS0 quiet panic=1 no_timer_check mitigations=off sysctl.kernel.sched_rt_runtime_us=-1" </dev/null |
    tr -d '\r' >"$folder/log"
grep -E '^(ok|not ok|# |1\.\.)' "$folder/log"
if ! grep -q '^1\.\.' "$folder/log"; then
    echo "not ok 1 - the machine runs to its end"
    tail -n 20 "$folder/log" | sed 's/^/# /'
fi
! grep -q '^not ok' "$folder/log" && grep -q '^1\.\.' "$folder/log"
