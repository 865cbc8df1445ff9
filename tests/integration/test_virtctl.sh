#!/bin/sh
# The real virtctl against rtvmd, with real libvirt and QEMU. VIRTCTL names the program; without it, and without one in
# PATH, the test is skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
virtctl=${VIRTCTL:-$(command -v virtctl)}
[ -n "$virtctl" ] || skip_all "virtctl" "there is no virtctl: set VIRTCTL"
LAB_PAGES_2M=300 LAB_PAGES_1G=0
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
only_tries() {
    says "Dry Run execution" start vm --dry-run && is_missing "$vmis/vm"
}
starts_paused() {
    says "VM vm was scheduled to start" start vm --paused && wait_for 60 status_is vm Paused &&
        says "VMI vm was scheduled to unpause" unpause vm vm && wait_for 10 status_is vm Running &&
        says "Dry Run execution" pause vmi vm --dry-run && status_is vm Running
}
takes_a_picture() {
    says '^$' vnc screenshot vm --file "$folder/shot" || [ -s "$folder/shot" ] || return 1
    [ "$(head -c 8 "$folder/shot" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || [ "$(head -c 2 "$folder/shot")" = P6 ]
}
# What there is only in a cluster: refused at once, with what to do instead.
refuses_what_is_no_host() {
    refuses 'virsh dump' memory-dump get vm --claim-name=dump &&
        refuses 'virsh dump' memory-dump remove vm &&
        refuses 'there are no migrations' migrate-cancel vm &&
        refuses 'files of this host' vmexport create e --vm=vm &&
        refuses 'rtvmd image import' image-upload pvc upload --size=1Gi --image-path=/etc/hostname &&
        refuses 'rtvmd image import' image-upload dv upload --size=1Gi --image-path=/etc/hostname &&
        refuses 'there is no KubeVirt object here' permitted-devices &&
        is_missing /api/v1/namespaces/default/persistentvolumeclaims/upload
}
has_no_port() {
    refuses 'no network interface of vm has an address' port-forward vmi/vm --stdio=true 22 &&
        refuses 'no network interface of vm has an address' ssh root@vmi/vm &&
        refuses '"none" not found' port-forward vmi/none --stdio=true 22
}
makes_manifests() {
    v create vm --name made --run-strategy Halted >"$folder/made.yaml" && rtvmd apply -f "$folder/made.yaml" && status_is made Stopped &&
        rtvmd delete vm made
}
has_agent() {
    [ "$(field "$vmis/linux" '.status.conditions[] | select(.type == "AgentConnected").status')" = True ]
}
linux_runs() {
    "$RTVMD_BINARY" image import rt-tools "$guest/disk.img" --state-dir "$folder/state" &&
        probe_manifest linux | sed "s|64Mi|512Mi|g; s|rtvmd.io/latency-probe|rt-tools|" >"$folder/linux.yaml" &&
        rtvmd apply -f "$folder/linux.yaml" && wait_for 60 phase_is linux Running && wait_for 120 has_agent
}
asks_the_guest() {
    says '"kernelRelease": "6' guestosinfo linux && says '"items"' userlist linux && says '"items"' fslist linux
}
# What is typed reaches the guest's shell, and its answer comes back.
types_into_the_console() {
    # shellcheck disable=SC2016
    (sleep 2; printf '\necho answer-$((6*7))\n'; sleep 4; printf '\035'; sleep 1) |
        timeout 30 script -qec "$virtctl --server $server console linux" /dev/null >"$folder/console" 2>&1 9>&-
    grep -q '^answer-42' "$folder/console" || { cat -v "$folder/console"; return 1; }
}
# As in KubeVirt: who comes later gets it.
hands_the_console_over() {
    (sleep 40; printf '\035') | timeout 60 script -qec "$virtctl --server $server console linux" /dev/null >"$folder/first" 2>&1 9>&- &
    first=$!
    wait_for 5 grep -q 'Successfully connected' "$folder/first" && types_into_the_console
    result=$?
    wait "$first"
    grep -q 'You were disconnected from the console' "$folder/first" || { cat -v "$folder/first"; return 1; }
    return "$result"
}
streams_misbehave() {
    rtvmd start vm && wait_for 30 phase_is vm Running &&
        python3 tests/integration/streams.py "$folder/api.sock" "$(cat "$folder/daemon.pid")" vm
}
ends_amid_streams() {
    rtvmd start vm && wait_for 30 phase_is vm Running || return 1
    (sleep 9; printf '\035') | timeout 30 script -qec "$virtctl --server $server console vm" /dev/null >"$folder/first" 2>&1 9>&- &
    first=$!
    wait_for 30 grep -q 'Successfully connected' "$folder/first" || { cat "$folder/first" && return 1; }
    daemon_stop
    wait "$first"
    { grep -q 'You were disconnected from the console' "$folder/first" || { cat "$folder/first" && false; }; } && daemon_start && wait_for 30 phase_is vm Running
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
check "start --dry-run" only_tries
check "start --paused, unpause vm, pause --dry-run" starts_paused
check "stop" stops
check "start" starts
check "start of what runs" refuses "VM is already running" start vm
check "pause vm" says "VMI vm was scheduled to pause" pause vm vm
check "pause again" refuses "already paused" pause vmi vm
check "unpause" says "VMI vm was scheduled to unpause" unpause vmi vm
check "console shows what the guest prints" shows_the_console
check "vnc --proxy-only" shows_the_screen
check "vnc screenshot" takes_a_picture
check "port-forward and ssh without an address" has_no_port
check "create vm" makes_manifests
check "addvolume --persist" plugs_a_volume
check "addvolume of what is there" refuses "already exists" addvolume vm --volume-name=data
check "addvolume of no claim" refuses "is not a DataVolume or PersistentVolumeClaim" addvolume vm --volume-name=none
check "removevolume --persist" unplugs_it
check "removevolume of what began with it" refuses "not hotpluggable" removevolume vm --volume-name=probe
check "guestosinfo without an agent" refuses "VMI does not have guest agent connected" guestosinfo vm
check "userlist without an agent" refuses "VMI does not have guest agent connected" userlist vm
check "fslist without an agent" refuses "VMI does not have guest agent connected" fslist vm
check "soft-reboot" says "VMI vm was scheduled to soft-reboot" soft-reboot vm
check "restart --force" restarts
check "expand --vm" says "runStrategy: Manual" expand --vm vm
check "expand --file" says "kind: VirtualMachine" expand --file "$folder/vm.yaml"
check "stop --force" stops
check "stop of what does not run" refuses "VM is not running" stop vm
check "console of what does not run" refuses "not found" console vm --timeout 1
check "start of what is not there" refuses 'virtualmachine.kubevirt.io \\*"none\\*" not found' start none
check "migrate has nowhere to go" refuses "one host" migrate vm
check "what only a cluster has" refuses_what_is_no_host
check "web sockets that misbehave" streams_misbehave
check "stop" stops
guest=$(tests/setup/rt_guest.sh --tools 2>"$folder/rt.log")
case $? in
0)
    check "a Linux guest with an agent runs" linux_runs
    check "guestosinfo, userlist, fslist of the agent" asks_the_guest
    check "console: bytes go both ways" types_into_the_console
    check "a second console ends the first one" hands_the_console_over
    rtvmd delete vm linux >/dev/null && wait_for 60 is_missing "$vmis/linux"
    ;;
77) skip "a Linux guest with an agent" "$(head -n 1 "$folder/rt.log")" ;;
*) not_ok "a Linux guest with an agent: $(head -n 1 "$folder/rt.log")" ;;
esac
check "the daemon ends amid a console" ends_amid_streams
clean_up
finish
