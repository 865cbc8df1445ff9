#!/bin/sh
# Volumes that are added to a real-time VM while it runs, and taken away: real libvirt and QEMU, a daemon that is killed
# in between, and the threads still where the placement says.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
# shellcheck source=tests/integration/daemon_lib.sh
. tests/integration/daemon_lib.sh
LAB_PAGES_2M=64
export LAB_PAGES_2M
lab_up "volumes of running VMs"
sub=/apis/subresources.kubevirt.io/v1/namespaces/default

# plug KIND NAME VERB BODY: the status, then the answer
plug() {
    curl -sS -m 30 --unix-socket "$folder/api.sock" -X PUT -H 'Content-Type: application/json' --data-binary "$4" \
        -w '\n%{http_code}\n' "http://rtvmd$sub/$1/$2/$3" >"$folder/answer"
    tail -n 1 "$folder/answer"
}
claim() {
    echo "{\"name\":\"$1\",\"disk\":{\"disk\":{\"bus\":\"scsi\"},\"serial\":\"$1\"},\"volumeSource\":{\"persistentVolumeClaim\":{\"claimName\":\"$1\"}}}"
}
disks() {
    lab_virsh domblklist default_vm | awk 'NF == 2 { print $1 " " $2 }'
}
volume() {
    field "$vmis/vm" ".status.volumeStatus[] | select(.name == \"$1\") | .$2"
}
volume_is() {
    [ "$(volume "$1" "$2")" = "$3" ]
}
begins() {
    daemon_start && mkdir -p "$folder/state/volumes/default" &&
        truncate -s 8M "$folder/state/volumes/default/data.img" "$folder/state/volumes/default/more.img" &&
        probe_manifest vm | rtvmd apply -f - && wait_for 60 phase_is vm Running && wait_for 30 is_proven
}
is_proven() {
    [ "$(field "$vmis/vm" '.status.conditions[] | select(.type == "RealtimeProven").status')" = True ]
}
comes() {
    [ "$(plug virtualmachineinstances vm addvolume "$(claim data)")" = 202 ] && wait_for 30 volume_is data phase Ready &&
        [ "$(volume data target)" = sda ] && disks | grep -q "^sda $folder/state/volumes/default/data.img\$" &&
        lab_virsh dumpxml default_vm | grep -q '<serial>data</serial>' &&
        rtvmd events | grep -q 'Successfully attach hotplugged volume data to VM'
}
moves_no_thread() {
    rtvmd verify vm && is_proven && [ "$(lab_virsh dumpxml default_vm | grep -c '<iothread')" -eq 0 ]
}
refuses_twice() {
    [ "$(plug virtualmachineinstances vm addvolume "$(claim data)")" = 409 ] &&
        grep -q 'Unable to add volume \[data\] because volume with that name already exists' "$folder/answer"
}
# A wish that is stored is done by the next daemon; what is there is not attached again.
outlives_the_daemon() {
    [ "$(plug virtualmachines vm addvolume "$(claim more)")" = 202 ] || return 1
    daemon_kill
    daemon_start && wait_for 30 volume_is more phase Ready && [ "$(disks | grep -c '^sd')" -eq 2 ] &&
        [ "$(disks | grep -c data.img)" -eq 1 ] &&
        [ "$(field "$vms/vm" '.spec.template.spec.volumes[1].persistentVolumeClaim.hotpluggable')" = true ]
}
says_what_is_missing() {
    [ "$(plug virtualmachineinstances vm addvolume "$(claim nothing)")" = 202 ] &&
        wait_for 20 volume_is nothing reason VolumeNotReady && volume nothing message | grep -q 'nothing' &&
        [ "$(plug virtualmachineinstances vm removevolume '{"name":"nothing"}')" = 202 ] &&
        wait_for 30 is_unknown nothing
}
is_unknown() {
    [ -z "$(volume "$1" name)" ] && ! disks | grep -q "/$1.img"
}
goes() {
    [ "$(plug virtualmachineinstances vm removevolume '{"name":"data"}')" = 202 ] && wait_for 30 is_unknown data &&
        [ -f "$folder/state/volumes/default/data.img" ] && [ "$(disks | grep -c '^sd')" -eq 1 ]
}
keeps_what_began_with_it() {
    [ "$(plug virtualmachineinstances vm removevolume '{"name":"probe"}')" = 409 ] &&
        grep -q 'because it is not hotpluggable' "$folder/answer"
}
# The VM's own volume is there again after a restart, and can still be taken away.
survives_a_restart() {
    before=$(field "$vmis/vm" .metadata.uid)
    rtvmd restart vm && wait_for 60 is_another "$before" && disks | grep -q more.img &&
        [ "$(plug virtualmachines vm removevolume '{"name":"more"}')" = 202 ] && wait_for 30 is_unknown more &&
        [ "$(field "$vms/vm" '.spec.template.spec.volumes | length')" -eq 1 ]
}
is_another() {
    [ "$(field "$vmis/vm" .metadata.uid)" != "$1" ] && phase_is vm Running
}

check "a real-time VM runs" begins
check "a volume comes" comes
check "every thread is where it was" moves_no_thread
check "the same volume twice" refuses_twice
check "added while the daemon is killed" outlives_the_daemon
check "a claim without a file: told, and taken back" says_what_is_missing
check "a volume goes" goes
check "what the VM began with stays" keeps_what_began_with_it
check "a volume of the VM survives its restart" survives_a_restart
finish
