#!/bin/sh
# The daemon with real libvirt and QEMU: from a manifest to a proven machine, and every way the world can change behind
# the daemon's back. One exclusive CPU (1) and one housekeeping CPU (0) are enough.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
LAB_PAGES_2M=128 LAB_PAGES_1G=1
export LAB_PAGES_2M LAB_PAGES_1G
lab_up "daemon"

# shellcheck disable=SC2317  # called through check
{
# ---- a probe guest, from manifest to proof
applies_the_example() {
    rtvmd apply -f examples/latency-probe.yaml && wait_for 60 phase_is latency-probe Running
}
is_proven() {
    rtvmd verify latency-probe && rtvmd verify latency-probe -o json | jq -e .ok
}
# libvirt tries out its emulators before it says
node_knows_cpus() {
    wait_for 30 node_has_cpu_labels
}
node_has_cpu_labels() {
    api GET /api/v1/nodes | jq -r '.items[0].metadata.labels | keys[] | split("/")[0]' | sort -u >"$folder/labels"
    for prefix in cpu-model cpu-feature host-model-cpu cpu-vendor; do
        grep -qx "$prefix.node.kubevirt.io" "$folder/labels" || return 1
    done
}
# Without anybody asking: also the kernel's helpers that come up only once the guest runs.
proof_is_a_condition() {
    wait_for 15 proof_is_ok latency-probe
}
proof_is_ok() {
    [ "$(field "/apis/rtvmd.io/v1alpha1/namespaces/default/placements/$1" .status.proof.ok)" = true ]
}
guest_measures() {
    wait_for 30 grep -q '@probe end' "$folder/run/default_$1/virt-serial0-log"
}
helper_threads_are_quiet() {
    # the machine's vCPU is the only FIFO thread, and nothing else of it may use CPU 1
    pid=$(qemu_pid latency-probe)
    [ "$pid" -gt 0 ] || return 1
    for thread in /proc/"$pid"/task/*; do
        case $(cat "$thread/comm") in
        CPU*) grep -q '^Cpus_allowed_list:[[:space:]]*1$' "$thread/status" || return 1 ;;
        *)
            grep -q '^Cpus_allowed_list:[[:space:]]*0$' "$thread/status" || { cat "$thread/comm"; return 1; }
            [ "$(cut -d' ' -f41 "$thread/stat" | tr -d '\n')" -eq 0 ] || { cat "$thread/comm"; return 1; }
            ;;
        esac
    done
}
# drift_is_seen_and_repaired COMMAND…: what somebody does to the vCPU's thread, whose id comes last
drift_is_seen_and_repaired() {
    pid=$(qemu_pid latency-probe)
    for thread in /proc/"$pid"/task/*; do
        case $(cat "$thread/comm") in CPU*) "$@" "${thread##*/}" ;; esac
    done
    if rtvmd verify latency-probe; then
        echo "drift was not seen"
        return 1
    fi
    rtvmd verify latency-probe --repair
    rtvmd verify latency-probe
}
drift_is_an_event() {
    api GET "/api/v1/namespaces/default/events" | jq -e '.items | any(.involvedObject.name == "latency-probe" and .reason == "Drift")'
}
is_deleted() {
    rtvmd delete vm "$1" && wait_for 30 leaves_nothing "$1"
}

# ---- a real operating system
guest_line() {
    grep -q "$2" "$folder/run/default_$1/virt-serial0-log"
}
boots_real_time_linux() {
    rtvmd image import rt-guest "$guest/disk.img" --state-dir "$folder/state" &&
        sed 's/@GRACE@/60/' >"$folder/rt.yaml" <<END
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: rt}
spec:
  runStrategy: Manual
  template:
    spec:
      terminationGracePeriodSeconds: @GRACE@
      domain:
        cpu:
          cores: 1
          model: host-passthrough
          dedicatedCpuPlacement: true
          numa: {guestMappingPassthrough: {}}
          realtime: {}
        memory: {guest: 1Gi, hugepages: {pageSize: 1Gi}}
        resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}
        devices:
          autoattachGraphicsDevice: false
          autoattachMemBalloon: false
          autoattachPodInterface: false
          disks: [{name: root, disk: {bus: virtio}}, {name: seed, disk: {bus: virtio}}]
      volumes:
        - {name: root, containerDisk: {image: rt-guest}}
        - {name: seed, cloudInitNoCloud: {userData: "#cloud-config\nhostname: proven\n"}}
END
    rtvmd apply -f "$folder/rt.yaml" && status_is rt Stopped && rtvmd start rt &&
        wait_for 30 phase_is rt Running && wait_for 60 guest_line rt "guest: ready"
}
guest_is_real_time() {
    guest_line rt "guest: realtime=1"
}
guest_sees_cloud_init() {
    guest_line rt "guest: user-data hostname: proven"
}
guest_is_proven() {
    wait_for 15 proof_is_ok rt && rtvmd verify rt
}
shuts_down_cleanly() {
    rtvmd stop rt && wait_for 30 status_is rt Stopped && wait_for 10 is_missing "$vmis/rt"
    api GET "/api/v1/namespaces/default/events" | jq -e '.items | any(.involvedObject.name == "rt" and .reason == "ShuttingDown")'
}

# ---- two machines, one CPU
second_one_waits() {
    probe_manifest first | rtvmd apply -f - && wait_for 30 phase_is first Running &&
        probe_manifest second | rtvmd apply -f - && wait_for 15 status_is second ErrorUnschedulable &&
        api GET "$vmis/second" | jq -e '.status.conditions[] | select(.type == "PodScheduled" and .status == "False") | .message'
}
second_one_gets_the_cpu() {
    rtvmd delete vm first && wait_for 60 phase_is second Running && [ "$(domain_count first)" -eq 0 ]
}

# ---- behind our back
destroyed_by_virsh_comes_back() {
    before=$(qemu_pid second)
    lab_virsh destroy default_second && wait_for 60 runs_anew second "$before"
}
runs_anew() {
    now=$(qemu_pid "$1")
    [ "$now" -gt 0 ] && [ "$now" -ne "$2" ] && phase_is "$1" Running
}
killed_qemu_comes_back() {
    before=$(qemu_pid second)
    kill -9 "$before" && wait_for 60 runs_anew second "$before"
}
# strategy_after_a_kill STRATEGY COMMAND…: what has become of a machine whose QEMU was killed
strategy_after_a_kill() {
    probe_manifest strategy 0 "$1" | rtvmd apply -f - || return 1
    [ "$1" != Manual ] || rtvmd start strategy || return 1
    shift
    wait_for 30 phase_is strategy Running && before=$(qemu_pid strategy) && kill -9 "$before" && wait_for 30 "$@" &&
        rtvmd delete vm strategy && wait_for 30 leaves_nothing strategy
}
comes_back() {
    runs_anew strategy "$before"
}
stays_down() {
    [ "$(qemu_pid strategy)" -eq 0 ] && phase_is strategy Failed
}
undefined_by_virsh_is_left_running() {
    before=$(qemu_pid second)
    lab_virsh undefine default_second && sleep 2 && [ "$(qemu_pid second)" -eq "$before" ] && phase_is second Running
}
survives_libvirtd() {
    before=$(qemu_pid second)
    lab_libvirtd stop-libvirtd && lab_libvirtd start-libvirtd && wait_for 60 is_seen_again && [ "$(qemu_pid second)" -eq "$before" ]
}
is_seen_again() {
    rtvmd verify second
}
sees_events_again() {
    before=$(qemu_pid second)
    kill -9 "$before" && wait_for 60 runs_anew second "$before"
}
is_paused() {
    api GET "$vmis/$1" | jq -e '.status.conditions[] | select(.type == "Paused" and .status == "True")'
}
is_not_paused() {
    phase_is "$1" Running && ! is_paused "$1"
}
suspended_by_virsh_is_said() {
    lab_virsh suspend default_second && wait_for 10 is_paused second &&
        lab_virsh resume default_second && wait_for 10 is_not_paused second
}
pauses_and_goes_on() {
    rtvmd pause second && wait_for 10 is_paused second && [ "$(lab_virsh domstate default_second)" = paused ] &&
        rtvmd unpause second && wait_for 10 is_not_paused second && [ "$(lab_virsh domstate default_second)" = running ]
}
waits_for_libvirtd() {
    before=$(qemu_pid second)
    lab_libvirtd stop-libvirtd && daemon_kill && daemon_start && sleep 3 && phase_is second Running &&
        lab_libvirtd start-libvirtd && wait_for 40 is_seen_again && [ "$(qemu_pid second)" -eq "$before" ]
}
starts_when_libvirtd_comes() {
    rtvmd delete vm second && wait_for 30 leaves_nothing second && lab_libvirtd stop-libvirtd &&
        probe_manifest second | rtvmd apply -f - && sleep 2 && ! phase_is second Running &&
        lab_libvirtd start-libvirtd && wait_for 60 phase_is second Running
}
# All that ran is gone, what was wanted is not: it runs again, on the CPU it had.
survives_a_power_cut() {
    uid=$(uid_of second)
    before=$(qemu_pid second)
    daemon_kill
    lab_libvirtd power-cut && [ "$(qemu_pid second)" -eq 0 ] && rm -rf "$folder/run" && lab_libvirtd start-libvirtd && daemon_start &&
        wait_for 60 runs_anew second "$before" && runs_once second && [ "$(uid_of second)" = "$uid" ] && holds_the_cpu second && wait_for 15 proof_is_ok second
}
foreign_machine_is_left_alone() {
    sed 's/NAME/default_foreign/' >"$folder/foreign.xml" <<'END'
<domain type='qemu'><name>NAME</name><memory unit='MiB'>32</memory><os><type machine='q35'>hvm</type></os></domain>
END
    lab_virsh create "$folder/foreign.xml" && sleep 2 && [ "$(qemu_pid foreign)" -gt 0 ] &&
        is_missing "$vms/foreign" && is_missing "$vmis/foreign" && lab_virsh destroy default_foreign
}

# ---- kill -9 of the daemon
uid_of() {
    field "$vms/$1" .metadata.uid
}
runs_once() {
    phase_is "$1" Running && [ "$(qemu_pid "$1")" -gt 0 ] && [ "$(domain_count "$1")" -eq 1 ]
}
# The claim table has CPU 1 once: the database refuses anything else; here: it is this machine's.
holds_the_cpu() {
    api GET /apis/rtvmd.io/v1alpha1/placements | jq -e --arg name "$1" '[.items[] | select(.spec.vcpus["0"] == 1) | .metadata.name] == [$name]'
}
killed_while_starting() {
    probe_manifest crash | rtvmd apply -f - || return 1
    uid=$(uid_of crash)
    sleep "$1"
    daemon_kill
    daemon_start && wait_for 60 runs_once crash && [ "$(uid_of crash)" = "$uid" ] && holds_the_cpu crash &&
        wait_for 15 proof_is_ok crash
}
killed_while_running() {
    before=$(qemu_pid crash)
    sleep "$1"
    daemon_kill
    daemon_start && wait_for 30 runs_once crash && holds_the_cpu crash && sleep 1 && [ "$(qemu_pid crash)" -eq "$before" ]
}
killed_while_stopping() {
    rtvmd stop crash || return 1
    sleep "$1"
    daemon_kill
    daemon_start && wait_for 60 status_is crash Stopped && wait_for 30 is_missing "$vmis/crash" &&
        [ "$(qemu_pid crash)" -eq 0 ] && rtvmd start crash && wait_for 60 runs_once crash
}
killed_while_deleting() {
    rtvmd delete vm crash || return 1
    sleep "$1"
    daemon_kill
    daemon_start && wait_for 60 leaves_nothing crash
}
}

daemon_start || { not_ok "the daemon starts"; finish; }
check "probe guest: the example runs" applies_the_example
check "the Node says which CPUs guests can have" node_knows_cpus
check "probe guest: every thread and all memory proven" is_proven
check "probe guest: the daemon proved it by itself" proof_is_a_condition
check "probe guest: nothing else on the vCPU's CPU" helper_threads_are_quiet
check "probe guest: prints its histogram" guest_measures latency-probe
check "probe guest: moved by taskset, seen and put back" drift_is_seen_and_repaired taskset -pc 0-1
check "probe guest: made ordinary by chrt, seen and put back" drift_is_seen_and_repaired chrt -o -p 0
check "probe guest: drift is an event" drift_is_an_event
check "probe guest: deleted without a trace" is_deleted latency-probe

guest=$(tests/setup/rt_guest.sh 2>"$folder/rt.log")
case $? in
0)
    check "real-time Linux: boots from an imported image" boots_real_time_linux
    check "real-time Linux: says it is real-time" guest_is_real_time
    check "real-time Linux: sees its cloud-init disk" guest_sees_cloud_init
    check "real-time Linux: proven" guest_is_proven
    check "real-time Linux: shuts down cleanly" shuts_down_cleanly
    check "real-time Linux: deleted without a trace" is_deleted rt
    ;;
77) skip "real-time Linux" "$(head -n 1 "$folder/rt.log")" ;;
*) not_ok "real-time Linux: the guest is made" ;;
esac

check "two machines, one CPU: the second one waits and says why" second_one_waits
check "two machines, one CPU: the second one runs when the first is deleted" second_one_gets_the_cpu
check "behind our back: destroyed by virsh, it comes back" destroyed_by_virsh_comes_back
check "behind our back: QEMU killed, it comes back" killed_qemu_comes_back
check "behind our back: suspended by virsh, the machine says it is paused" suspended_by_virsh_is_said
check "pause and unpause" pauses_and_goes_on
if [ "$LAB_LIBVIRTD_PID" -gt 0 ]; then
    check "behind our back: libvirtd restarted, nothing happens to the machine" survives_libvirtd
    check "behind our back: events arrive after that too" sees_events_again
    check "behind our back: the daemon starts without libvirtd, and finds the machine when it comes" waits_for_libvirtd
    check "behind our back: a machine asked for without libvirtd runs when it comes" starts_when_libvirtd_comes
    check "behind our back: a power cut" survives_a_power_cut
fi
check "behind our back: undefined by virsh, it keeps running" undefined_by_virsh_is_left_running
check "behind our back: a machine of somebody else is left alone" foreign_machine_is_left_alone
check "behind our back: deleted without a trace" is_deleted second
check "QEMU killed, RerunOnFailure: it comes back" strategy_after_a_kill RerunOnFailure comes_back
check "QEMU killed, Manual: it stays down" strategy_after_a_kill Manual stays_down
check "QEMU killed, Once: it stays down" strategy_after_a_kill Once stays_down

# Twenty points of a machine's life: two lives, each cut in five starts and stops, …
for after in 0 0.05 0.1 0.2 0.4 0.8 1.5; do
    check "kill -9 of the daemon $after s after create" killed_while_starting "$after"
    check "kill -9 of the daemon $after s after delete" killed_while_deleting "$after"
done
check "kill -9 of the daemon while it starts, once more" killed_while_starting 0.3
for after in 0 1; do
    check "kill -9 of the daemon $after s into running" killed_while_running "$after"
done
for after in 0 0.1 0.3; do
    check "kill -9 of the daemon $after s after stop" killed_while_stopping "$after"
done
check "kill -9 of the daemon: deleted without a trace" is_deleted crash

daemon_stop
check "the log tells of no internal error" sh -c "! grep -E '^error |ERROR: AddressSanitizer|runtime error' '$folder/daemon.log'"
finish
