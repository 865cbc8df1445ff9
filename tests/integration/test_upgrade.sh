#!/bin/sh
# The main job with the file a user gets, the static binary, on real libvirt and QEMU: applied, running, proven; then
# what an upgrade does: another file, a restart, and the virtual machine never notices. Without a static binary the
# ordinary one stands in for it.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
new=$BUILD/static/rtvmd
[ -x "$new" ] || new=$BUILD/rtvmd
LAB_PAGES_2M=64 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
lab_up "upgrade"
RTVMD_BINARY=$folder/rtvmd

# As a package manager does: the new file takes the name, what runs goes on with the old one.
puts_in() {
    install -m 0755 "$1" "$RTVMD_BINARY.new" && mv "$RTVMD_BINARY.new" "$RTVMD_BINARY"
}
runs() {
    probe_manifest life 0 Always | rtvmd apply -f - && wait_for 60 phase_is life Running && rtvmd verify life
}
# The daemon is gone; the machine is not: the same process, the same threads where they were.
goes_on() {
    [ ! -e "$folder/daemon.pid" ] && [ "$(qemu_pid life)" -eq "$machine" ] && [ "$(lab_virsh domstate default_life)" = running ] &&
        where >"$folder/after" && diff "$folder/before" "$folder/after"
}
where() {
    for thread in /proc/"$machine"/task/*; do
        case $(cat "$thread/comm") in
        CPU*) echo "vCPU $(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$thread/status") $(cut -d' ' -f40,41 "$thread/stat")" ;;
        esac
    done
}
stops() {
    where >"$folder/before" && [ -s "$folder/before" ] && daemon_stop && grep -q 'virtual machines go on' "$folder/daemon.log" && goes_on
}
is_taken_up() {
    daemon_start && wait_for 30 phase_is life Running && rtvmd verify life && [ "$(qemu_pid life)" -eq "$machine" ] &&
        where >"$folder/after" && diff "$folder/before" "$folder/after"
}
proves_by_itself() {
    wait_for 20 proof_is_fresh
}
proof_is_fresh() {
    [ "$(field "/apis/rtvmd.io/v1alpha1/namespaces/default/placements/life" .status.proof.ok)" = true ]
}
reloads() {
    kill -HUP "$(cat "$folder/daemon.pid")" && sleep 1 && daemon_answers && [ "$(qemu_pid life)" -eq "$machine" ]
}

# ---- what the daemon no longer has (rtvmd/isolate.h): every thread of it, read from outside
status_of() {
    for thread in /proc/"$(cat "$folder/daemon.pid")"/task/*; do
        sed -n "s/^$1:[[:space:]]*//p" "$thread/status"
    done | sort -u
}
has_few_capabilities() {
    # chown, dac_override, fowner, setgid, setuid, ipc_lock, sys_ptrace, sys_nice: without host tuning no more
    allowed=$((1 << 0 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 14 | 1 << 19 | 1 << 23))
    for set in CapEff CapPrm CapBnd; do
        found=$(status_of "$set")
        echo "$set $found"
        [ "$(echo "$found" | wc -l)" -eq 1 ] && [ $((0x$found & ~allowed)) -eq 0 ] || return 1
    done
    [ "$(status_of CapInh)" = 0000000000000000 ] && [ "$(status_of CapAmb)" = 0000000000000000 ]
}
gains_none() {
    [ "$(status_of NoNewPrivs)" = 1 ] && [ "$(status_of Seccomp)" = 2 ]
}
keeps_off_exclusive_cpus() {
    [ "$(status_of Cpus_allowed_list)" = 0 ]
}

puts_in "$BUILD/rtvmd"
daemon_start || { not_ok "the daemon starts"; finish; }
check "a real-time machine runs and is proven" runs
machine=$(qemu_pid life)
check "SIGTERM: the daemon ends, the machine goes on untouched" stops
puts_in "$new"
check "another file, started: the machine is taken up, the same process, proven" is_taken_up
check "another file: proven without being asked" proves_by_itself
check "SIGHUP leaves the machine alone" reloads
check "given up: all capabilities but the named ones, in every thread" has_few_capabilities
check "given up: new privileges and refused system calls, in every thread" gains_none
check "none of its threads may run on exclusive CPUs" keeps_off_exclusive_cpus
daemon_kill
check "killed as well" goes_on
check "and started again" is_taken_up
is_deleted() {
    rtvmd delete vm life && wait_for 30 leaves_nothing life
}
check "deleted without a trace" is_deleted
finish
