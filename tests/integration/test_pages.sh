#!/bin/sh
# A pool of huge pages that grows for a real VM and shrinks after it, on this machine's own pool: only when allowed, over
# a kill -9 of the daemon, and back to what it was.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
LAB_PAGES_2M=1
export LAB_PAGES_2M
lab_up "pages"
pool=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
before=$(cat "$pool")

# shellcheck disable=SC2317  # called through check
{
pool_is_as_found() {
    [ "$(cat "$pool")" -eq "$before" ]
}
is_refused_with_numbers() {
    probe_manifest grown | rtvmd apply -f - && wait_for 30 status_is grown ErrorUnschedulable &&
        rtvmd events | grep FailedScheduling | grep -i 'huge pages' && pool_is_as_found
}
grows() {
    printf 'host: {hugepages: {allocate: true}}\n' >"$folder/rtvmd.yaml"
    daemon_stop && DAEMON_ARGUMENTS="--config $folder/rtvmd.yaml" && daemon_start &&
        wait_for 60 phase_is grown Running && [ "$(cat "$pool")" -gt "$before" ] && rtvmd verify grown
}
is_shown() {
    rtvmd get hostchanges -o wide | grep hugepages-2048kB
}
is_taken_up() {
    grown=$(cat "$pool") pid=$(qemu_pid grown)
    daemon_kill && daemon_start && wait_for 30 phase_is grown Running && rtvmd verify grown &&
        [ "$(cat "$pool")" -eq "$grown" ] && [ "$(qemu_pid grown)" = "$pid" ]
}
is_given_back() {
    rtvmd delete vm grown && wait_for 30 leaves_nothing grown && wait_for 30 pool_is_as_found && ! is_shown
}
is_given_back_after_a_crash() {
    probe_manifest grown 0 Manual | rtvmd apply -f - && rtvmd start grown && wait_for 60 phase_is grown Running &&
        daemon_kill && lab_virsh destroy default_grown && ! pool_is_as_found && daemon_start && wait_for 30 pool_is_as_found
}
}

check "the daemon starts" daemon_start
check "without leave the pool stays, and the refusal has numbers" is_refused_with_numbers
DAEMON_ARGUMENTS="--config $folder/rtvmd.yaml"
check "with leave it grows, and the VM is proven in it" grows
check "the change is shown" is_shown
check "a killed daemon takes up pool and VM" is_taken_up
check "deleting the VM gives the pages back" is_given_back
check "so does a VM that ended while nobody looked" is_given_back_after_a_crash
finish
