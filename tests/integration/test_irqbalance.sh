#!/bin/sh
# The real irqbalance and host tuning: it is told to keep off the CPUs of a VM, told again by the daemon after it was
# restarted, and told back at the end. It runs where /proc/irq is empty, so that it moves nothing on this machine.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
LAB_PAGES_2M=128
export LAB_PAGES_2M
lab_up "irqbalance"
unshare --mount true 2>/dev/null || skip_all "irqbalance" "no mount namespace can be made here"
! pgrep -x irqbalance >/dev/null || skip_all "irqbalance" "one runs on this machine already"

# shellcheck disable=SC2317  # called through check
{
clean_up() {
    daemon_stop
    lab_virsh destroy default_tuned >/dev/null 2>&1
    lab_virsh undefine default_tuned >/dev/null 2>&1
    irqbalance_stop
    "$RTVMD_BINARY" tune undo --all --state-dir "$folder/state" >/dev/null 2>&1
}
# Installed, or fetched from where this machine's packages come from; it is not installed for the test, which would
# start it.
irqbalance_find() {
    irqbalance=$(command -v irqbalance) && return 0
    (cd "$folder" && apt-get -q -o APT::Sandbox::User=root download irqbalance && dpkg-deb -x irqbalance_*.deb irqbalance) >/dev/null 2>&1
    irqbalance=$folder/irqbalance/usr/sbin/irqbalance
    [ -x "$irqbalance" ] && ! ldd "$irqbalance" | grep -q 'not found'
}
irqbalance_start() {
    mkdir -p /run/irqbalance
    # As systemd starts it: without SIGPIPE.
    unshare --mount sh -c "trap '' PIPE; mount -t tmpfs none /proc/irq && exec '$irqbalance' --foreground" >"$folder/irqbalance.log" 2>&1 9>&- &
    echo $! >"$folder/irqbalance.pid"
    wait_for 10 test -S "/run/irqbalance/irqbalance$(cat "$folder/irqbalance.pid").sock" || { cat "$folder/irqbalance.log"; return 1; }
}
irqbalance_stop() {
    [ ! -s "$folder/irqbalance.pid" ] || kill "$(cat "$folder/irqbalance.pid")" 2>/dev/null
}
tuned_manifest() {
    probe_manifest tuned 0 Manual | sed 's/^  template:/&\n    metadata: {annotations: {rtvmd.io\/host-tuning: safe}}/'
}
# The present one, as the journal has it, and it says so itself.
keeps_off() {
    api GET /apis/rtvmd.io/v1alpha1/hostchanges | jq -e --arg target "irqbalance:$(cat "$folder/irqbalance.pid")" '
        [.items[] | select(.spec.knob == "irqbalance")] | length == 1 and .[0].spec.target == $target and
            .[0].status.state == "Applied" and .[0].status.found == "1"'
}
is_told() {
    irqbalance_start && tuned_manifest | rtvmd apply -f - && rtvmd start tuned && wait_for 60 phase_is tuned Running && wait_for 10 keeps_off && return 0
    rtvmd get hostchanges
    rtvmd events
    return 1
}
is_told_again() {
    irqbalance_stop
    sleep 1
    irqbalance_start && ! keeps_off && wait_for 40 keeps_off && grep 'irqbalance was restarted' "$folder/daemon.log"
}
bans_nothing() {
    "$RTVMD_BINARY" tune plan --cpus 1 -o json | jq -e 'any(.[]; .knob == "irqbalance" and .before == "" and .then == "1")'
}
is_told_back() {
    rtvmd stop tuned && wait_for 30 is_missing "$vmis/tuned" && wait_for 30 bans_nothing
}
}

irqbalance_find || skip_all "irqbalance" "it is not installed and cannot be fetched, or a library of its is missing"
echo 'host: {tuning: safe}' >"$folder/rtvmd.yaml"
# shellcheck disable=SC2034  # read by daemon_start
DAEMON_ARGUMENTS="--config $folder/rtvmd.yaml"
daemon_start || { not_ok "the daemon starts"; finish; }
check "irqbalance is told to keep off the CPUs of a VM" is_told
check "restarted, it is told again at the next slow look" is_told_again
check "when the VM stops it is told back" is_told_back
rtvmd delete vm tuned >/dev/null 2>&1
daemon_stop
finish
