#!/bin/sh
# Host tuning on this very machine, for a real VM: what is changed is shown, a change of somebody else is left alone, and
# everything is as found after a stop, an undo by hand, and kill -9. The host is put back in any case.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
LAB_PAGES_2M=128
export LAB_PAGES_2M
lab_up "tuning"
changes=/apis/rtvmd.io/v1alpha1/hostchanges
interval=/proc/sys/vm/stat_interval

# shellcheck disable=SC2317  # called through check
{
# Whatever happened: nothing of ours stays on this machine.
clean_up() {
    daemon_stop
    lab_virsh destroy default_tuned >/dev/null 2>&1
    lab_virsh undefine default_tuned >/dev/null 2>&1
    "$RTVMD_BINARY" tune undo --all --state-dir "$folder/state" >/dev/null 2>&1
}
# Interrupts and threads of the kernel come and go on a machine in use; these are always there.
host_state() {
    grep -sH '' "$interval" /proc/irq/default_smp_affinity /proc/sys/kernel/sched_rt_runtime_us \
        /sys/devices/virtual/workqueue/cpumask /proc/sys/kernel/watchdog_cpumask
}
is_as_found() {
    host_state | diff "$folder/found" -
}
count_is() {
    [ "$(api GET "$changes" | jq '.items | length')" -eq "$1" ]
}
tuned_manifest() {
    probe_manifest tuned 0 Manual | sed 's/^  template:/&\n    metadata: {annotations: {rtvmd.io\/host-tuning: full}}/'
}
starts() {
    rtvmd start tuned && wait_for 60 phase_is tuned Running
}
ends() {
    wait_for 30 is_missing "$vmis/tuned" && wait_for 10 is_as_found
}
runs_tuned() {
    tuned_manifest | rtvmd apply -f - && starts && ! is_as_found && rtvmd events | grep TuningApplied &&
        [ "$(cat /sys/devices/virtual/workqueue/cpumask)" = 1 ] && rtvmd events | grep -E ' (Isolated|NotIsolated) '
}
shows_what_is_changed() {
    rtvmd get hostchanges && rtvmd tune show --state-dir "$folder/state" --socket "$folder/api.sock" &&
        api GET "$changes" | jq -e '.items | length > 2 and all(.[]; .spec.owner.name == "tuned") and
            any(.[]; .spec.knob == "workqueues" and .status.state == "Applied" and .status.found == "0")'
}
is_left_to_others() {
    echo 7 >"$interval"
    api GET "$changes" | jq -e 'any(.items[]; .spec.knob == "statistics" and .status.state == "Overridden" and .status.found == "7")'
    left=$?
    rtvmd stop tuned && wait_for 30 is_missing "$vmis/tuned" && wait_for 10 count_is 0 && [ "$(cat "$interval")" = 7 ] || left=1
    grep -F "$interval:" "$folder/found" | cut -d: -f2 >"$interval"
    [ "$left" -eq 0 ] && is_as_found
}
is_undone_by_hand() {
    starts && ! count_is 0 && rtvmd tune undo --all --state-dir "$folder/state" --socket "$folder/api.sock" && count_is 0 &&
        is_as_found && phase_is tuned Running && rtvmd stop tuned && ends
}
survives_kill() {
    starts || return 1
    api GET "$changes" | jq -r '.items[].metadata.name' | sort >"$folder/names"
    daemon_kill
    ! is_as_found && daemon_start && wait_for 30 phase_is tuned Running &&
        api GET "$changes" | jq -r '.items[].metadata.name' | sort | diff "$folder/names" - && ! is_as_found
}
# For the daemon alone one file is a pipe nobody talks through: who reads or writes it hangs, as behind a busy vCPU.
starts_where_a_change_hangs() {
    mkfifo "$folder/pipe" && printf '#!/bin/sh\nmount --bind %s %s && exec "$@"\n' "$folder/pipe" "$interval" >"$folder/hang" &&
        chmod 755 "$folder/hang" && daemon_stop
    DAEMON_PREFIX="unshare --mount $folder/hang"
    daemon_start
    DAEMON_PREFIX=""
    daemon_answers
}
# Its word is there when the change is planned, and not any more when it is made.
goes_on_without_what_hangs() {
    timeout 60 sh -c "echo 1 >'$folder/pipe'" &
    rtvmd start tuned && wait_for 20 is_being_tuned && is_prompt && ! phase_is tuned Running && wait_for 60 phase_is tuned Running &&
        rtvmd events | grep "TuningBlocked .*$interval" && ! is_as_found && is_prompt
}
is_being_tuned() {
    phase_is tuned Scheduled && pgrep -P "$(cat "$folder/daemon.pid")" -f tune-child
}
is_prompt() {
    timeout 3 curl -sS -f --unix-socket "$folder/api.sock" "http://rtvmd$vmis" >/dev/null
}
shows_what_it_cannot_read() {
    api GET "$changes" | jq -r '.items[] | "\(.spec.knob) \(.status.state)"' >"$folder/states" && cat "$folder/states" &&
        grep -x 'statistics Unknown' "$folder/states"
}
stops_while_it_hangs() {
    rtvmd stop tuned && wait_for 30 pgrep -P "$(cat "$folder/daemon.pid")" -f tune-child && is_prompt || return 1
    before=$(date +%s)
    daemon_stop
    took=$(($(date +%s) - before))
    echo "stopped in $took s"
    [ "$took" -le 3 ] && ! is_as_found && daemon_start && wait_for 30 is_missing "$vmis/tuned" && wait_for 30 is_as_found &&
        count_is 0
}
is_undone_by_the_next_start() {
    daemon_kill
    lab_virsh destroy default_tuned && ! is_as_found && daemon_start && wait_for 30 is_as_found && count_is 0
}
}

host_state >"$folder/found"
echo 'host: {tuning: full}' >"$folder/rtvmd.yaml"
DAEMON_ARGUMENTS="--config $folder/rtvmd.yaml"
daemon_start || { not_ok "the daemon starts"; finish; }
check "a VM that asks for it gets the host tuned" runs_tuned
check "what is changed is shown, with what is found now" shows_what_is_changed
check "what somebody else changed is reported and left alone, the rest undone" is_left_to_others
check "tune undo of the running daemon: as found, the VM runs on" is_undone_by_hand
check "kill -9 of the daemon: what its VM needs stays" survives_kill
check "kill -9, and the VM is gone: undone by the next start" is_undone_by_the_next_start
if unshare --mount true 2>/dev/null; then
    check "the daemon starts where one file hangs" starts_where_a_change_hangs
    check "a change that hangs holds up neither the daemon nor, for long, the VM, and is named" goes_on_without_what_hangs
    check "what cannot be read is shown as unknown" shows_what_it_cannot_read
    check "asked to stop while an undoing hangs it stops, and the next start undoes the rest" stops_while_it_hangs
else
    skip "a change that hangs" "no mount namespace can be made here"
fi
rtvmd delete vm tuned >/dev/null 2>&1
daemon_stop
finish
