#!/bin/sh
# The edge host as one test program: makes or finds the image, packs what is under test, boots, and passes on the TAP of
# what runs inside. EDGE_TIMEOUT (1200) bounds the run in seconds. The logs stay in BUILD/edge: NAME-console.log and
# NAME-tap.log. Another part of the tests says by the environment what is different: EDGE_NAME, EDGE_DRIVER (the script
# that runs inside), EDGE_FILES (what it needs), EDGE_KERNEL (a folder with vmlinuz and initrd), EDGE_BOOT (options
# instead of those that isolate CPUs), EDGE_PAGES (options for the pools of huge pages), and of the machine, as QEMU's
# options, EDGE_CPU, EDGE_SMP and EDGE_NODES (memory and its nodes).
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
folder=$build/edge
name=${EDGE_NAME:-edge}
kernel=${EDGE_KERNEL:-$folder}
# Without svm there is no KVM to try inside: emulated, it stops the whole machine. With -cpu max QEMU 7.2 emulates
# something wrongly: paths come out of libmount as "xxx", and systemd finds none of its mounts.
cpu=${EDGE_CPU:-qemu64,svm=off,pdpe1gb=on,rdtscp=on}
nodes=${EDGE_NODES:--m 7G -object memory-backend-ram,id=node0,size=3584M -object memory-backend-ram,id=node1,size=3584M
    -numa node,nodeid=0,cpus=0-3,memdev=node0 -numa node,nodeid=1,cpus=4-7,memdev=node1 -numa dist,src=0,dst=1,val=21}

skip_all() {
    echo "ok 1 - the edge host # SKIP $*"
    echo "1..1"
    exit 0
}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ "$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 8 ] || skip_all "8 GiB of memory are not free"
why=$(tests/edge/image.sh "$folder" 2>&1)
case $? in
0) ;;
77) skip_all "$why" ;;
*)
    echo "not ok 1 - the image is made"
    echo "$why" | sed 's/^/# /'
    exit 1
    ;;
esac

payload=$(mktemp -d)
qemu=""
trap '[ -z "$qemu" ] || kill "$qemu" 2>/dev/null; rm -rf "$payload"' EXIT
trap 'exit 1' INT TERM
mkdir "$payload/deb" "$payload/edge"
# As a user gets it: the static program, which needs no library of the image.
if ! package=$(rtvmd/dist/deb.sh "$build/static/rtvmd" "$payload/deb" 2>"$payload/deb.log"); then
    echo "not ok 1 - the package is made"
    sed 's/^/# /' "$payload/deb.log"
    exit 1
fi
cp "$package" "$payload/edge/rtvmd.deb"
cp "${EDGE_DRIVER:-tests/edge/driver.sh}" "$payload/edge/driver.sh"
cp tests/edge/lib.sh "$payload/edge/"
# shellcheck disable=SC2086
cp ${EDGE_FILES:-tests/edge/second.yaml tests/edge/third.yaml examples/fedora-realtime.yaml} "$payload/edge/"
# Any disk that boots will do for the seed manifest's image; this one needs no download.
cp "$build/static/obj/runtime/latency/guest/probe.img" "$payload/edge/disk.img"
truncate -s 1M "$payload/edge/disk.img"
tar -C "$payload/edge" -cf "$payload/payload.tar" .

: >"$folder/$name-console.log"
: >"$folder/$name-tap.log" # there before tail looks
# shellcheck disable=SC2086 # words on purpose
timeout -k 5 "${EDGE_TIMEOUT:-1200}" qemu-system-x86_64 -nodefaults -display none -M q35 -accel tcg,thread=multi -cpu "$cpu" \
    -smp "${EDGE_SMP:-8,sockets=2,cores=4,threads=1}" $nodes \
    -drive "file=$folder/disk.img,format=raw,if=virtio,snapshot=on" \
    -drive "file=$payload/payload.tar,format=raw,if=virtio,readonly=on" \
    -kernel "$kernel/vmlinuz" -initrd "$kernel/initrd" -append "root=/dev/vda rw console=ttyS0 quiet loglevel=4 \
systemd.show_status=0 ${EDGE_PAGES:-hugepagesz=1G hugepages=0:1,1:2} mitigations=off ${EDGE_BOOT-isolcpus=managed_irq,domain,2-7 \
nohz_full=2-7 rcu_nocbs=2-7 irqaffinity=0-1 sysctl.kernel.sched_rt_runtime_us=-1}" \
    -serial "file:$folder/$name-console.log" -serial "file:$folder/$name-tap.log" 2>"$payload/qemu.log" &
qemu=$!
tail -n +1 -F --pid="$qemu" "$folder/$name-tap.log" 2>/dev/null
wait "$qemu"
status=$?
qemu=""
[ "$status" -eq 0 ] && grep -q '^1\.\.[0-9]' "$folder/$name-tap.log" && exit 0
echo "not ok - the edge host ran to its end (status $status; 124: longer than EDGE_TIMEOUT)"
sed 's/^/# /' "$payload/qemu.log"
tr -d '\r' <"$folder/$name-console.log" | tail -n 30 | sed 's/^/# /'
exit 1
