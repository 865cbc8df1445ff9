#!/bin/sh
# The built-in probe guest under real QEMU: boots from each kind of disk, starts every vCPU, reports numbers that add up,
# and goes when asked to. Needs no root and no libvirt.
set -u
build=${BUILD:-build}
work=$(mktemp -d)
qemu_pid=
trap '[ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null; rm -rf "$work"' EXIT
number=0
ok() {
    number=$((number + 1))
    echo "ok $number - $1"
}
not_ok() {
    number=$((number + 1))
    echo "not ok $number - $1"
    tail -n 20 "$work/serial" 2>/dev/null | cut -c1-160 | sed 's/^/# /'
}
skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

virtio="-device virtio-blk-pci,drive=disk"
sata="-device ich9-ahci,id=ahci -device ide-hd,drive=disk,bus=ahci.0"
scsi="-device virtio-scsi-pci,id=scsi -device scsi-hd,drive=disk"

# make_disk REPORTS [TIMER-REPORTS]: reports of 300 ms (parameters: see probe_format.h), at most 255
make_disk() {
    timer=$(printf %o "${2:-0}")
    cp "$build/obj/runtime/latency/guest/probe.img" "$work/disk" && chmod u+w "$work/disk" && truncate -s 1M "$work/disk" &&
        printf '\054\001\000\000' | dd of="$work/disk" bs=1 seek=$((0x1a4)) conv=notrunc status=none &&
        printf '%b' "\\0$(printf %o "$1")\\0000\\0000\\0000" | dd of="$work/disk" bs=1 seek=$((0x1a8)) conv=notrunc status=none &&
        printf '%b' "\\0$timer\\0000\\0000\\0000" | dd of="$work/disk" bs=1 seek=$((0x1b0)) conv=notrunc status=none
}

# start ARGUMENTS: QEMU in the background, monitor on a FIFO
start() {
    rm -f "$work/serial" "$work/monitor"
    mkfifo "$work/monitor"
    # shellcheck disable=SC2086  # arguments are words
    qemu-system-x86_64 -nodefaults -display none -no-reboot -m 64 -serial "file:$work/serial" -monitor stdio \
        -drive "file=$work/disk,format=raw,if=none,id=disk" $1 <"$work/monitor" >"$work/qemu.log" 2>&1 &
    qemu_pid=$!
    exec 3>"$work/monitor"
}

# ended SECONDS: waits for QEMU to exit; kills it when it does not
ended() {
    left=$(($1 * 10))
    while kill -0 "$qemu_pid" 2>/dev/null && [ $left -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    exec 3>&-
    if [ $left -eq 0 ]; then
        kill "$qemu_pid"
        wait "$qemu_pid" 2>/dev/null
        qemu_pid=
        return 1
    fi
    wait "$qemu_pid"
    status=$?
    qemu_pid=
    return $status
}

# adds_up REPORT VCPUS: in that report every vCPU was started and its histogram holds all its samples
adds_up() {
    tr -d '\r' <"$work/serial" | awk -v report="$1" -v vcpus="$2" '
        $2 == "begin" { inside = index($0, " report=" report " ") > 0; lines = 0 }
        inside && $1 == "@probe" && $2 != "end" { lines++ }
        inside && $2 == "cpu" { split($3, id, "="); split($7, n, "="); samples[id[2]] = n[2]; if ($5 != "started=1") bad = 1 }
        inside && $2 == "hist" { split($3, id, "="); for (i = 4; i <= NF; i++) { split($i, b, ":"); sum[id[2]] += b[2] } }
        inside && $2 == "end" { complete = $4 == "lines=" lines; inside = 0 }
        END { for (i = 0; i < vcpus; i++) if (!(samples[i] > 0) || samples[i] != sum[i]) bad = 1
              exit bad || !complete }'
}

# The first report is of the timer, the second of gaps; a timer that is far too early or late is no timer.
reports_and_leaves() {
    name=$1 vcpus=$2 arguments=$3
    if make_disk 2 1 && start "$arguments" && ended 120 && adds_up 1 "$vcpus" && adds_up 2 "$vcpus" &&
        grep -q 'report=1 .* timer=1' "$work/serial" && grep -q 'report=2 .* timer=0' "$work/serial" &&
        grep -q 'power off' "$work/serial"; then
        ok "$name"
    else
        not_ok "$name"
    fi
}

if ! command -v qemu-system-x86_64 >/dev/null; then
    skip "probe guest" "qemu-system-x86_64 is not installed"
    echo "1..1"
    exit 0
fi
reports_and_leaves "TCG, q35, virtio disk, 2 vCPUs" 2 "-accel tcg -M q35 -smp 2 $virtio"
reports_and_leaves "TCG, q35, SATA disk, 3 vCPUs of 8" 3 "-accel tcg -M q35 -smp 3,maxcpus=8,sockets=2,cores=4 $sata"
reports_and_leaves "TCG, pc, SCSI disk, 1 vCPU" 1 "-accel tcg -M pc -smp 1 $scsi"
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
    reports_and_leaves "KVM, q35, virtio disk, 2 vCPUs" 2 "-accel kvm -cpu qemu64 -M q35 -smp 2 $virtio"
else
    skip "KVM, q35, virtio disk, 2 vCPUs" "/dev/kvm is not usable"
fi

if make_disk 0 && start "-accel tcg -M q35 -smp 2 $virtio"; then
    waited=0
    until grep -q 'end report=2' "$work/serial" 2>/dev/null || [ $waited -gt 600 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    echo system_powerdown >&3
    if ended 30 && grep -q 'power off' "$work/serial"; then
        ok "runs until the power button"
    else
        not_ok "runs until the power button"
    fi
else
    not_ok "runs until the power button"
fi

echo "1..$number"
