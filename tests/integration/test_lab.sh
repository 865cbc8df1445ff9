#!/bin/sh
# The hypervisor and prove rooms with real libvirt and QEMU, without the daemon: a real-time Linux guest under emulation,
# a firmware-only guest under KVM, and the built-in probe as `rtvmd render` writes it, under both; each with one FIFO
# vCPU on CPU 1 and locked memory in a 1 GiB page.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
lab_up "lab guests"

make --no-print-directory BUILD="$BUILD" all "$BUILD/tests/integration/lab_guest" >"$folder/make.log" 2>&1 ||
    { sed 's/^/# /' "$folder/make.log"; not_ok "lab_guest builds"; finish; }

# domain NAME TYPE CPU-ELEMENT OS-ELEMENT DEVICES
domain() {
    cat <<END
<domain type='$2'>
  <name>lab_$1</name>
  <metadata><rtvmd:vm xmlns:rtvmd='https://rtvmd.io/domain/1' namespace='lab' name='$1' uid='u' generation='1'/></metadata>
  <memory unit='MiB'>1024</memory>
  <memoryBacking>
    <hugepages><page size='1' unit='GiB' nodeset='0'/></hugepages>
    <nosharepages/><locked/><allocation mode='immediate'/>
  </memoryBacking>
  <vcpu placement='static'>1</vcpu>
  <cputune>
    <vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='0'/><vcpusched vcpus='0' scheduler='fifo' priority='1'/>
  </cputune>
  <numatune><memory mode='strict' nodeset='0'/><memnode cellid='0' mode='strict' nodeset='0'/></numatune>
  $4
  <features><acpi/><apic/><pmu state='off'/></features>
  $3
  <on_crash>destroy</on_crash>
  <devices>$5<memballoon model='none'/></devices>
</domain>
END
}

numa="<numa><cell id='0' cpus='0' memory='1024' unit='MiB'/></numa>"
export LAB_GUEST_MIB=1024 LAB_GUEST_PAGE_KIB=1048576 LAB_GUEST_LOCKED=1

# run_guest LABEL XML [RESTART]: the program's own results, under one label
run_guest() {
    label=$1
    shift
    "$BUILD/tests/integration/lab_guest" "$LAB_URI" "$@" 9>&- >"$folder/guest.tap" 2>"$folder/guest.err"
    status=$?
    sed 's/^/# /' "$folder/guest.err"
    while read -r line; do
        case $line in
        "ok "*) ok "$label ${line#* - }" ;;
        "not ok "*) not_ok "$label ${line#* - }" ;;
        1..*) status=0 ;; # ran to its end; failures are counted above
        *) echo "$line" ;;
        esac
    done <"$folder/guest.tap"
    [ "$status" -eq 0 ] || not_ok "$label: exit status $status"
}

restart="tests/setup/lab.sh stop-libvirtd && tests/setup/lab.sh start-libvirtd"
[ "$LAB_LIBVIRTD_PID" -ne 0 ] || restart=""

guest=$(tests/setup/rt_guest.sh 2>"$folder/rt.log")
case $? in
0)
    domain rt qemu "<cpu mode='maximum'>$numa</cpu>" \
        "<os><type machine='q35'>hvm</type><kernel>$guest/vmlinuz</kernel><initrd>$guest/initrd</initrd><cmdline>$(cat "$guest/arguments")</cmdline></os>" \
        "<serial type='file'><source path='$folder/serial.log'/></serial>" >"$folder/rt.xml"
    LAB_GUEST_ACPI=1 LAB_GUEST_LOG=$folder/serial.log run_guest "emulated real-time Linux" "$folder/rt.xml" ${restart:+"$restart"}
    ;;
77) skip "emulated real-time Linux" "$(head -n 1 "$folder/rt.log")" ;;
*)
    sed 's/^/# /' "$folder/rt.log"
    not_ok "the real-time guest is made"
    ;;
esac

# rendered_probe EMULATION: the domain of examples/latency-probe.yaml on this host, and its disk. Whether KVM is good for
# 64-bit guests is not asked: the probe is a 32-bit program.
rendered_probe() {
    disk=$folder/state/vms/default_latency-probe/run/probe
    mkdir -p "${disk%/*}" "$folder/run/default_latency-probe"
    rm -f "$folder/run/default_latency-probe/"*
    "$RTVMD_BINARY" host -o json | jq '.kvm.works = "yes"' >"$folder/host.json" || return 1
    sed 's/^\( *\)model: host-passthrough/&\n\1features: [{name: arch-capabilities, policy: disable}]/' \
        examples/latency-probe.yaml >"$folder/probe.yaml"
    "$RTVMD_BINARY" render -f "$folder/probe.yaml" --host "$folder/host.json" --emulation "$1" \
        --state-dir "$folder/state" --run-dir "$folder/run" 2>"$folder/render.log" >"$folder/probe.xml" ||
        { cat "$folder/render.log"; return 1; }
    cp "$BUILD/obj/runtime/latency/guest/probe.img" "$disk.base"
    truncate -s 1M "$disk.base"
    qemu-img create -q -f qcow2 -b "$disk.base" -F raw "$disk.qcow2"
}
run_probe() {
    check "rendered probe, emulation $1: the domain is written" rendered_probe "$1"
    LAB_GUEST_SAYS="@probe end" LAB_GUEST_LOG=$folder/run/default_latency-probe/virt-serial0-log \
        run_guest "rendered probe, emulation $1" "$folder/probe.xml"
}
run_probe on

if [ -w /dev/kvm ]; then
    run_probe off
    # Some hypervisors refuse this model-specific register; where they do not, disabling it does no harm here.
    domain fw kvm "<cpu mode='host-passthrough'><feature policy='disable' name='arch-capabilities'/>$numa</cpu>" \
        "<os><type machine='q35'>hvm</type></os>" "" >"$folder/fw.xml"
    run_guest "firmware under KVM" "$folder/fw.xml"
else
    skip "firmware under KVM" "no /dev/kvm here"
fi
finish
