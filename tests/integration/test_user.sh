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
# The same through the verb: a port that shows the screen to whoever connects first, and ends with that connection.
vnc_has_a_port() {
    "$RTVMD_BINARY" vnc user --proxy-only --socket "$folder/api.sock" >"$folder/vnc" &
    vnc=$!
    if ! wait_for 10 test -s "$folder/vnc"; then
        kill "$vnc"
        return 1
    fi
    timeout 2 socat -u "TCP:127.0.0.1:$(jq -r .port "$folder/vnc")" STDOUT </dev/null | head -c 7 | grep -aq 'RFB 003'
    talks=$?
    wait "$vnc"
    return "$talks"
}
top_counts() {
    rtvmd top && rtvmd top -A -o json | jq -e '.[] | select(.name == "user") |
        (.vcpus | length == 1) and .vcpus[0].onCpu == 1 and .hugepageBytes == 67108864 and .cpuPercent > 0 and .drift == 0'
}
# What was applied comes back, and is what any server accepts.
export_equals_what_was_applied() {
    rtvmd export vm user >"$folder/exported.yaml" && rtvmd check -f "$folder/exported.yaml" &&
        manifest | python3 -c 'import sys, yaml; print(yaml.safe_load(sys.stdin) == yaml.safe_load(open(sys.argv[1])))' "$folder/exported.yaml" |
        grep True
}
resets() {
    rtvmd reset user && phase_is user Running
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
check "vnc: a local port shows the screen" vnc_has_a_port
check "top: CPU, memory and drift of the machine" top_counts
check "export: equals what was applied" export_equals_what_was_applied
check "reset: runs on" resets
check "QEMU as libvirt-qemu: it owns no more than it needs" owns_no_more_than_it_needs
check "QEMU as libvirt-qemu: deleted without a trace" leaves
finish
