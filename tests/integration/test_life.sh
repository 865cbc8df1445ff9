#!/bin/sh
# Life of an installation without virtual machines: configuration, reload, log levels, backup and restore. On libvirt's
# test driver, so without root; with the static binary where it is built.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RTVMD_BINARY:-}" ] || [ ! -x "${BUILD:-build}/static/rtvmd" ] || RTVMD_BINARY=${BUILD:-build}/static/rtvmd
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
folder=$(mktemp -d /tmp/rtvmd-life-XXXXXX)
trap 'daemon_stop; rm -rf "$folder"' EXIT
LAB_URI=test:///default
DAEMON_ARGUMENTS="--config $folder/rtvmd.yaml --listen 127.0.0.1:0"
config_map=/api/v1/namespaces/default/configmaps

put() {
    api POST "$config_map" "{apiVersion: v1, kind: ConfigMap, metadata: {name: $1}, data: {a: b}}" >/dev/null
}
there() {
    api GET "$config_map/$1" >/dev/null
}
# says TEXT: a line the daemon has logged since the last configure
says() {
    tail -n "+$log_from" "$folder/daemon.log" | grep -qF -- "$1"
}
# configure TEXT: the file anew
configure() {
    log_from=$(($(wc -l <"$folder/daemon.log") + 1))
    printf '%s\n' "$1" >"$folder/rtvmd.yaml"
}
reload() {
    kill -HUP "$(cat "$folder/daemon.pid")"
}
# refused STATUS TEXT COMMAND…: fails with this status and says so
refused() {
    wanted=$1 sentence=$2
    shift 2
    "$@" >"$folder/out" 2>&1
    [ $? -eq "$wanted" ] && grep -qF -- "$sentence" "$folder/out" && return 0
    cat "$folder/out"
    return 1
}

# ---- the configuration
a_mistake_ends_the_start() {
    printf 'api: {sockt: /x}\n' >"$folder/bad.yaml"
    refused 2 "bad.yaml: unknown option api.sockt; did you mean api.socket? rtvmd.yaml(5) lists all" \
        "$RTVMD_BINARY" serve --config "$folder/bad.yaml" --state-dir "$folder/other" || return 1
    printf 'api: {listen: "127.0.0.1:0", tls: {certificate: /no.crt, key: /no.key}}\n' >"$folder/bad.yaml"
    refused 3 "rtvmd serve: api.tls.certificate: open /no.crt" "$RTVMD_BINARY" serve --config "$folder/bad.yaml" \
        --state-dir "$folder/other" --socket "$folder/other.sock" --libvirt test:///default
}
the_sample_is_accepted() {
    "$RTVMD_BINARY" manual sample >"$folder/rtvmd.yaml" && daemon_start
}
is_taken_over() {
    configure 'log: {level: debug}' && reload && wait_for 10 says 'reloaded log.level: "info" -> "debug"' &&
        wait_for 10 says 'certificates too' || return 1
    there none # a request, for the debug log
    wait_for 10 says 'request method=GET'
}
waits_for_a_restart() {
    configure 'host: {tuning: safe}' && reload && wait_for 10 says 'host.tuning: "none" -> "safe" waits for a restart' &&
        wait_for 10 says 'reloaded log.level: "debug" -> "info"'
}
changes_nothing() {
    configure "$1" && reload && wait_for 10 says "$2" && wait_for 10 says 'nothing reloaded' && put "after-$3" && ! says request
}
disk_folders_are_reloaded() {
    api POST "$vmis" "{apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, metadata: {name: disk}, spec: {domain: {devices:
        {autoattachPodInterface: false, disks: [{name: d, disk: {bus: virtio}}]}, memory: {guest: 64Mi}}, volumes: [{name: d,
        hostDisk: {path: $folder/disks/d.img, type: DiskOrCreate, capacity: 1Mi}}]}}" >/dev/null &&
        wait_for 20 event_says 'storage.hostDiskDirs' || return 1
    mkdir -p "$folder/disks"
    configure "storage: {hostDiskDirs: [$folder/disks]}"
    reload
    wait_for 10 says "reloaded storage.hostDiskDirs" && wait_for 60 phase_is disk Running
}
event_says() {
    api GET /api/v1/namespaces/default/events | grep -q "$1"
}
journal_gets_priorities() {
    log_from=1
    : >"$folder/daemon.log"
    JOURNAL_STREAM=1:2 daemon_start && wait_for 10 says '<6>listening' && configure 'x: y' && reload &&
        wait_for 10 says '<3>nothing reloaded'
}

# As a unit with StateDirectory= and RuntimeDirectory= gives them, whoever it runs as.
uses_the_managers_folders() {
    STATE_DIRECTORY=$folder/unit-state RUNTIME_DIRECTORY=$folder/unit-run "$RTVMD_BINARY" serve --libvirt test:///default \
        >"$folder/unit.log" 2>&1 &
    unit=$!
    wait_for 20 "$RTVMD_BINARY" get nodes --socket "$folder/unit-run/rtvmd.sock" && [ -s "$folder/unit-state/rtvmd.db" ]
    served=$?
    kill "$unit"
    wait "$unit"
    return "$served"
}

# ---- backup and restore
backs_up() {
    put kept && rtvmd backup "$folder/backup" && [ "$(stat -c %a "$folder/backup")" = 600 ] && put late &&
        rtvmd backup - | cmp -n 16 - "$folder/backup"
}
restores() {
    daemon_stop
    rtvmd restore "$folder/backup" --state-dir "$folder/state" && daemon_start && there kept && ! there late
}
older_versions_are_gone() {
    "$RTVMD_BINARY" restore "$folder/backup" --state-dir "$folder/fresh" && [ -s "$folder/fresh/rtvmd.db" ]
}

: >"$folder/daemon.log"
check "a mistake in the configuration ends the start and is named" a_mistake_ends_the_start
check "the sample configuration is accepted as it is" the_sample_is_accepted
check "the folders a service manager made are used" uses_the_managers_folders
check "SIGHUP: what can change is taken over, and said" is_taken_over
check "SIGHUP: what cannot is named, and waits" waits_for_a_restart
check "SIGHUP: a mistake changes nothing" changes_nothing 'log: {level: loud}' 'log.level: "loud" is none of' mistake
check "SIGHUP: broken YAML changes nothing" changes_nothing 'log: {level: debug' 'rtvmd.yaml' yaml
check "SIGHUP: a missing certificate changes nothing" changes_nothing \
    "{log: {level: debug}, api: {tls: {certificate: $folder/no.crt, key: $folder/no.key}}}" 'no.crt' certificate
check "SIGHUP: an unknown group changes nothing" changes_nothing '{log: {level: debug}, api: {socketGroup: no-such-group}}' \
    'no-such-group' group
check "SIGHUP: folders of host disks" disk_folders_are_reloaded
check "backup: of the running daemon, private" backs_up
check "restore: not under a running daemon" refused 4 "is in use by process $(cat "$folder/daemon.pid")" \
    rtvmd restore "$folder/backup" --state-dir "$folder/state"
check "restore: what was backed up is there, what came later is not" restores
check "restore: into a folder of its own" older_versions_are_gone
check "restore: not from a foreign file" refused 2 "is no backup of rtvmd" rtvmd restore Makefile --state-dir "$folder/fresh"
daemon_stop
check "under the journal, lines carry their priority" journal_gets_priorities
finish
