# Sourced after lab_lib.sh: a daemon of the tree under test, its API by curl, and manifests for small machines.
# shellcheck shell=sh disable=SC2154  # folder, LAB_URI: lab_lib.sh
vmis=/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances
vms=/apis/kubevirt.io/v1/namespaces/default/virtualmachines

# rtvmd VERB…: the client, talking to our daemon
rtvmd() {
    RTVMD_SOCKET=$folder/api.sock "$RTVMD_BINARY" "$@"
}

# api METHOD PATH [BODY]: the answer's body; fails on status 400 and above
api() {
    set -- "$1" "$2" "${3:-}"
    curl -sS --fail-with-body -m 30 --unix-socket "$folder/api.sock" -X "$1" -H 'Content-Type: application/yaml' \
        ${3:+--data-binary "$3"} "http://rtvmd$2"
}

daemon_answers() {
    api GET /readyz >/dev/null 2>&1
}

# DAEMON_ARGUMENTS: further ones; DAEMON_PREFIX: a command that runs it. The pid is in a file: results are made in subshells.
daemon_start() {
    # shellcheck disable=SC2086  # words
    ${DAEMON_PREFIX:-} "$RTVMD_BINARY" serve --state-dir "$folder/state" --run-dir "$folder/run" --socket "$folder/api.sock" \
        --libvirt "$LAB_URI" ${DAEMON_ARGUMENTS:-} >>"$folder/daemon.log" 2>&1 </dev/null 9>&- &
    echo $! >"$folder/daemon.pid"
    wait_for 60 daemon_answers || { tail -n 20 "$folder/daemon.log"; return 1; }
}

# daemon_end SIGNAL
daemon_end() {
    [ -s "$folder/daemon.pid" ] || return 0
    ended=$(cat "$folder/daemon.pid")
    kill "-$1" "$ended" 2>/dev/null
    while [ -e "/proc/$ended" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$ended/status" 2>/dev/null; do
        sleep 0.05
    done
    rm -f "$folder/daemon.pid"
}

# As a power cut would: no handler runs.
daemon_kill() {
    daemon_end KILL
}

daemon_stop() {
    daemon_end TERM
}

lab_libvirtd() {
    tests/setup/lab.sh "$1" 9>&-
}

lab_virsh() {
    virsh -q -c "$LAB_URI" "$@" 9>&-
}

# field PATH JQ: one value of an object
field() {
    api GET "$1" | jq -r "$2"
}

phase_is() {
    [ "$(field "$vmis/$1" .status.phase)" = "$2" ]
}

status_is() {
    [ "$(field "$vms/$1" .status.printableStatus)" = "$2" ]
}

is_missing() {
    ! api GET "$1" >/dev/null 2>&1
}

# qemu_pid NAME: of the machine default/NAME, 0 when there is none
qemu_pid() {
    for process in /proc/[0-9]*; do
        case $({ tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null) in
        */qemu-system-*" guest=default_$1,"*) echo "${process#/proc/}" && return 0 ;;
        esac
    done
    echo 0
}

domain_count() {
    lab_virsh list --all --name | grep -c "^default_$1\$"
}

# probe_manifest NAME [GRACE-SECONDS]: the built-in guest, one real-time vCPU, 64 MiB in 2 MiB pages
probe_manifest() {
    cat <<END
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: $1}
spec:
  runStrategy: ${3:-Always}
  template:
    spec:
      terminationGracePeriodSeconds: ${2:-0}
      domain:
        cpu:
          cores: 1
          model: host-passthrough
          dedicatedCpuPlacement: true
          numa: {guestMappingPassthrough: {}}
          realtime: {}
          ${4:-}
        memory: {guest: 64Mi, hugepages: {pageSize: 2Mi}}
        resources: {requests: {memory: 64Mi}, limits: {memory: 64Mi}}
        devices:
          autoattachGraphicsDevice: false
          autoattachMemBalloon: false
          autoattachPodInterface: false
          disks: [{name: probe, disk: {bus: virtio}}]
      volumes: [{name: probe, containerDisk: {image: rtvmd.io/latency-probe}}]
END
}

# What a machine leaves behind when it is gone for good: nothing.
leaves_nothing() {
    is_missing "$vms/$1" && is_missing "$vmis/$1" && [ "$(domain_count "$1")" -eq 0 ] && [ "$(qemu_pid "$1")" -eq 0 ] &&
        [ ! -e "$folder/run/default_$1" ] && [ ! -e "$folder/state/vms/default_$1" ]
}

clean_up() {
    daemon_stop
    for domain in $(lab_virsh list --all --name | grep '^default_'); do
        lab_virsh destroy "$domain" >/dev/null 2>&1
        lab_virsh undefine "$domain" >/dev/null 2>&1
    done
}
