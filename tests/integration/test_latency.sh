#!/bin/sh
# rtvmd latency with a real daemon and real guests: the probe in place of a VM, LatencyTest objects.
# shellcheck disable=SC2317,SC2154  # functions are called by name; folder and the paths come from the libraries
set -u
export LAB_PAGES_2M=64
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
# shellcheck source=tests/integration/daemon_lib.sh
. tests/integration/daemon_lib.sh
tests=/apis/rtvmd.io/v1alpha1/namespaces/default/latencytests
placements=/apis/rtvmd.io/v1alpha1/placements

test_phase_is() {
    [ "$(field "$tests/$1" .status.phase)" = "$2" ]
}

# run_is FILE JQ: something about a run; shows its outline when it is not so
run_is() {
    jq -e "$2" "$1" >/dev/null && return 0
    jq -c 'del(.measurements[]?.histogram.buckets, .measurements[]?.blocks, .host, .knobs, .vm)' "$1"
    return 1
}

# No object, no claim, no domain.
nothing_is_left() {
    [ "$(api GET "$tests" | jq '.items | length')" -eq 0 ] && [ "$(api GET "$vmis" | jq '.items | length')" -eq 0 ] &&
        [ "$(api GET "$placements" | jq '.items | length')" -eq 0 ] && ! lab_virsh list --all --name | grep -q probe
}

probes_a_manifest() {
    probe_manifest probed 0 Halted >"$folder/vm.yaml"
    rtvmd latency vm -f "$folder/vm.yaml" --duration 1s --name from-file -o json >"$folder/from-file.json" &&
        run_is "$folder/from-file.json" '.name == "from-file" and (.verdict.because == "not real hardware") and
            ([.measurements[].kind] | sort) == ["gaps", "timer"] and all(.measurements[]; .cpu == 0 and .measuredNs > 2e8
            and .histogram.count > 0 and (.blocks | length) == 25) and .vm.placement.vcpus["0"] == 1 and .cpus == "1" and
            .scheduling == "SCHED_FIFO 1 on vCPUs 0" and (.knobs | length) > 20' &&
        wait_for 30 nothing_is_left
}

probes_a_vm() {
    rtvmd apply -f "$folder/vm.yaml" && rtvmd latency vm probed --duration 1s --kind gaps --load --name by-name \
        >"$folder/by-name.txt" && cat "$folder/by-name.txt" && grep -q 'Target: *default/probed, CPUs 1, gaps' "$folder/by-name.txt" &&
        grep -q 'Load: *on CPUs 0' "$folder/by-name.txt" && rtvmd latency list --state-dir "$folder/state" | grep -q '^by-name ' &&
        wait_for 30 nothing_is_left
}

# host_test NAME SPEC
host_test() {
    api POST "$tests" "{\"metadata\": {\"name\": \"$1\"}, \"spec\": $2}"
}

measures_the_host() {
    host_test host '{"duration": "1s", "load": true}' && wait_for 30 test_phase_is host Succeeded &&
        api GET "$tests/host/run" >"$folder/host.json" &&
        run_is "$folder/host.json" '.target == "host" and .cpus == "1" and .loadCpus == "0" and .scheduling == "SCHED_FIFO"
            and (.measurements | length) == 2' &&
        api GET "$tests/host" | jq -e '.status.progress == 100 and .status.result.grade == "none" and
            (.status.result.cpus | length) == 2 and (.status.startTime | length) > 0' &&
        rtvmd get latencytests | grep -q '^host *Succeeded *100 *none' && rtvmd get lt host -o name
}

waits_for_cpus_of_a_vm() {
    rtvmd start probed && wait_for 60 phase_is probed Running && host_test waits '{"duration": "500ms", "cpus": "1"}' || return 1
    sleep 1 # it must not run
    [ "$(field "$tests/waits" .status.phase)" = Pending ] && field "$tests/waits" .status.message | grep 'belong to a virtual' &&
        rtvmd stop probed && wait_for 60 test_phase_is waits Succeeded
}

refuses() {
    ! host_test wrong '{"cpus": "1", "virtualMachine": "x", "kind": "all"}' && is_missing "$tests/wrong" &&
        host_test shared '{"cpus": "0"}' && wait_for 10 test_phase_is shared Failed &&
        field "$tests/shared" .status.message | grep -q 'not for VMs here' &&
        host_test nobody '{"virtualMachine": "nobody"}' && wait_for 10 test_phase_is nobody Failed
}

watches() {
    rtvmd start probed && wait_for 60 phase_is probed Running && rtvmd latency watch probed --duration 1s -o json \
        >"$folder/watch.json" && run_is "$folder/watch.json" '.cpus == "1" and (.disturbance.interrupts | length) > 0 and
            all(.disturbance.interrupts[]; .cpu == 1)' && rtvmd latency watch probed --duration 200ms | grep -q 'times LOC' &&
        rtvmd stop probed && wait_for 60 is_missing "$vmis/probed" && ! rtvmd latency watch probed --duration 1s
}

# A VM that wants the CPU meanwhile waits; the test that is deleted lets go of it.
is_called_off() {
    host_test long '{"duration": "1h", "cpus": "1"}' && wait_for 10 test_phase_is long Running && rtvmd start probed &&
        wait_for 20 status_is probed ErrorUnschedulable && api DELETE "$tests/long" && wait_for 60 phase_is probed Running &&
        rtvmd stop probed
}

nobody_measures() {
    ! pgrep -f '^rtvmd latency-measure'
}
fails_with_the_daemon() {
    wait_for 60 is_missing "$vmis/probed" && host_test cut '{"duration": "1h"}' && wait_for 10 test_phase_is cut Running &&
        daemon_kill && daemon_start && wait_for 10 test_phase_is cut Failed && wait_for 10 nobody_measures &&
        [ "$(api GET /api/v1/nodes | jq -r '.items[0].metadata.annotations["rtvmd.io/exclusive-cpus-free"]')" = 1 ]
}

gated() {
    probe_manifest gated | sed 's|^    spec:|    metadata: {annotations: {rtvmd.io/latency-gate: 40us, rtvmd.io/latency-gate-duration: 400ms}}\n&|' \
        >"$folder/gated.yaml"
    rtvmd apply -f "$folder/gated.yaml" && wait_for 60 phase_is gated Running &&
        field "$vmis/gated" '.status.conditions[] | select(.type == "LatencyGate")' >"$folder/gate.json" &&
        run_is "$folder/gate.json" '.status == "Unknown" and .reason == "NoVerdict" and
            (.message | startswith("no verdict: not real hardware; worst ")) and (.message | contains("run gated-gate-"))' &&
        rtvmd latency list --state-dir "$folder/state" | grep '^gated-gate-' && rtvmd delete vm gated
}

lab_up "latency"
check "the daemon starts" daemon_start
check "latency vm -f: the probe under a manifest, both measures, and nothing is left" probes_a_manifest
check "latency vm NAME: in place of a VM, loaded" probes_a_vm
check "LatencyTest of the host: progress, result, the stored run" measures_the_host
check "LatencyTest: wrong ones are refused or fail" refuses
check "LatencyTest: waits for the CPUs of a running VM" waits_for_cpus_of_a_vm
check "latency watch: who disturbs the CPUs of a running VM" watches
check "LatencyTest: a VM waits for its CPUs; deleting it gives them back" is_called_off
check "LatencyTest: a daemon that was killed leaves no claim" fails_with_the_daemon
check "the gate measures before the VM starts; here it has no verdict and lets it in" gated
finish
