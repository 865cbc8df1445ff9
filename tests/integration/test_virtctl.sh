#!/bin/sh
# The real virtctl against rtvmd, with real libvirt and QEMU. VIRTCTL names the program; without it, and without one in
# PATH, the test is skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
virtctl=${VIRTCTL:-$(command -v virtctl)}
[ -n "$virtctl" ] || skip_all "virtctl" "there is no virtctl: set VIRTCTL"
LAB_PAGES_2M=128 LAB_PAGES_1G=1
export LAB_PAGES_2M LAB_PAGES_1G
lab_up "virtctl"

# shellcheck disable=SC2317  # called through check
{
v() {
    timeout 30 "$virtctl" --server "$server" "$@" 9>&-
}
# says PATTERN COMMAND…: virtctl succeeds and says so; refuses: it fails and says so
says() {
    says_pattern=$1
    shift
    v "$@" >"$folder/out" 2>&1 || { cat "$folder/out"; return 1; }
    grep -q -- "$says_pattern" "$folder/out" || { cat "$folder/out"; return 1; }
}
refuses() {
    refuses_pattern=$1
    shift
    if v "$@" >"$folder/out" 2>&1; then
        cat "$folder/out"
        return 1
    fi
    grep -q -- "$refuses_pattern" "$folder/out" || { cat "$folder/out"; return 1; }
}
serves() {
    DAEMON_ARGUMENTS="--listen 127.0.0.1:0 --plain-http"
    daemon_start && wait_for 10 grep -q 'listening url=' "$folder/daemon.log" || return 1
    probe_manifest vm 0 Manual >"$folder/vm.yaml"
    sed -i 's/autoattachGraphicsDevice: false/autoattachGraphicsDevice: true/' "$folder/vm.yaml"
    rtvmd apply -f "$folder/vm.yaml"
}
starts() {
    says "VM vm was scheduled to start" start vm && wait_for 60 phase_is vm Running
}
stops() {
    says "VM vm was scheduled to stop" stop vm --force --grace-period 0 && wait_for 30 is_missing "$vmis/vm"
}
restarts() {
    before=$(field "$vmis/vm" .metadata.uid)
    says "VM vm was scheduled to restart" restart vm --force --grace-period 0 && wait_for 60 is_another "$before"
}
is_another() {
    [ "$(field "$vmis/vm" .metadata.uid)" != "$1" ] && phase_is vm Running
}
# script gives it the terminal it insists on; the guest prints its measurement, ctrl-] ends it
shows_the_console() {
    # shellcheck disable=SC2016
    (sleep 6; printf '\035'; sleep 1) | timeout 30 script -qec "$virtctl --server $server console vm" /dev/null \
        >"$folder/console" 2>&1 9>&-
    grep -q 'Successfully connected to vm console' "$folder/console" || { cat -v "$folder/console"; return 1; }
    grep -q '@probe' "$folder/console" || { cat -v "$folder/console"; return 1; }
}
# A claim is an object and a file; virtctl looks for the object.
plugs_a_volume() {
    mkdir -p "$folder/state/volumes/default" && truncate -s 8M "$folder/state/volumes/default/data.img" &&
        api POST /api/v1/namespaces/default/persistentvolumeclaims \
            '{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Mi}}}}' >/dev/null &&
        says "Successfully submitted add volume request to VM vm for volume data" addvolume vm --volume-name=data --persist &&
        wait_for 30 has_volume 1
}
has_volume() {
    [ "$(lab_virsh domblklist default_vm | grep -c data.img)" -eq "$1" ]
}
unplugs_it() {
    says "Successfully submitted remove volume request to VM vm for volume data" removevolume vm --volume-name=data --persist &&
        wait_for 30 has_volume 0
}
# What a screen says first, and what it answers to a version: bytes go both ways.
shows_the_screen() {
    v vnc vm --proxy-only --port 15901 >"$folder/vnc" 2>&1 &
    proxy=$!
    wait_for 10 grep -q 15901 "$folder/vnc"
    greeting=$( (printf 'RFB 003.008\n'; sleep 1) | timeout 10 socat - TCP:127.0.0.1:15901 | od -An -c | tr -d ' \n')
    kill "$proxy" 2>/dev/null
    wait "$proxy" 2>/dev/null
    case $greeting in
    'RFB003.008\n'?*) ;;
    *) echo "the screen said: $greeting"; cat "$folder/vnc"; return 1 ;;
    esac
}
}

check "serves on loopback" serves
server=$(sed -n 's/.*listening url=//p' "$folder/daemon.log")
check "version" says 'Server Version: version.Info{GitVersion:"v1' version
check "start" starts
check "start of what runs" refuses "VM is already running" start vm
check "pause vm" says "VMI vm was scheduled to pause" pause vm vm
check "pause again" refuses "already paused" pause vmi vm
check "unpause" says "VMI vm was scheduled to unpause" unpause vmi vm
check "console shows what the guest prints" shows_the_console
check "vnc --proxy-only" shows_the_screen
check "addvolume --persist" plugs_a_volume
check "addvolume of what is there" refuses "already exists" addvolume vm --volume-name=data
check "addvolume of no claim" refuses "is not a DataVolume or PersistentVolumeClaim" addvolume vm --volume-name=none
check "removevolume --persist" unplugs_it
check "removevolume of what began with it" refuses "not hotpluggable" removevolume vm --volume-name=probe
check "guestosinfo without an agent" refuses "Error getting guestosinfo" guestosinfo vm
check "soft-reboot" says "VMI vm was scheduled to soft-reboot" soft-reboot vm
check "restart --force" restarts
check "expand --vm" says "runStrategy: Manual" expand --vm vm
check "expand --file" says "kind: VirtualMachine" expand --file "$folder/vm.yaml"
check "stop --force" stops
check "stop of what does not run" refuses "VM is not running" stop vm
check "console of what does not run" refuses "not found" console vm --timeout 1
check "start of what is not there" refuses 'virtualmachine.kubevirt.io \\*"none\\*" not found' start none
check "migrate has nowhere to go" refuses "one host" migrate vm
clean_up
finish
