#!/bin/sh
# QEMU as Debian's own libvirtd runs it: as an unprivileged user who owns nothing of ours. Every kind of file and socket
# a machine has must be reachable for it, and nothing more.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
id libvirt-qemu >/dev/null 2>&1 || skip_all "QEMU as libvirt-qemu" "there is no such user"
LAB_PAGES_2M=64 LAB_PAGES_1G=0 LAB_QEMU_USER=libvirt-qemu
export LAB_PAGES_2M LAB_PAGES_1G LAB_QEMU_USER
lab_up "QEMU as libvirt-qemu"

manifest() {
    cat <<END
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: user}
spec:
  runStrategy: Always
  template:
    spec:
      terminationGracePeriodSeconds: 0
      domain:
        cpu: {cores: 1, dedicatedCpuPlacement: true, numa: {guestMappingPassthrough: {}}}
        memory: {guest: 64Mi, hugepages: {pageSize: 2Mi}}
        resources: {requests: {memory: 64Mi}, limits: {memory: 64Mi}}
        devices:
          autoattachPodInterface: false
          rng: {}
          disks:
            - {name: probe, disk: {bus: virtio}}
            - {name: empty, disk: {bus: sata}}
            - {name: seed, cdrom: {bus: sata}}
      volumes:
        - {name: probe, containerDisk: {image: rtvmd.io/latency-probe}}
        - {name: empty, emptyDisk: {capacity: 16Mi}}
        - {name: seed, cloudInitNoCloud: {userData: "#cloud-config"}}
END
}
starts() {
    if manifest | rtvmd apply -f - && wait_for 30 phase_is user Running; then return 0; fi
    rtvmd events
    return 1
}
runs_as_user() {
    [ "$(stat -c %U "/proc/$(qemu_pid user)")" = libvirt-qemu ]
}
is_proven() {
    rtvmd verify user
}
console_talks() {
    (sleep 10) | timeout 20 "$RTVMD_BINARY" console user --socket "$folder/api.sock" | grep -q 'rtvmd latency probe'
}
# The first words of the VNC protocol come through the web socket.
screen_talks() {
    {
        printf 'GET %s/user/vnc HTTP/1.1\r\nHost: x\r\n' "/apis/subresources.kubevirt.io/v1${vmis#/apis/kubevirt.io/v1}"
        printf 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
        printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
        sleep 2
    } | socat - "UNIX-CONNECT:$folder/api.sock" | grep -aq 'RFB 003'
}
# What belongs to QEMU's user: its disks and its console, no folder, so that it can put nothing in their place.
owns_no_more_than_it_needs() {
    owned=$(find "$folder/state" "$folder/run" -user libvirt-qemu | sort)
    echo "$owned"
    ! echo "$owned" | grep -Ev '/vms/default_user/(run/)?[a-z]+\.(qcow2|base|iso|img|raw)$|/run/default_user/virt-serial0$' | grep .
}
leaves() {
    rtvmd delete vm user && wait_for 30 leaves_nothing user
}

daemon_start || { not_ok "the daemon starts"; finish; }
check "QEMU as libvirt-qemu: a machine with disks, seed, display and console starts" starts
check "QEMU as libvirt-qemu: it is that user" runs_as_user
check "QEMU as libvirt-qemu: proven" is_proven
check "QEMU as libvirt-qemu: the console talks" console_talks
check "QEMU as libvirt-qemu: the screen talks" screen_talks
check "QEMU as libvirt-qemu: it owns no more than it needs" owns_no_more_than_it_needs
check "QEMU as libvirt-qemu: deleted without a trace" leaves
finish
