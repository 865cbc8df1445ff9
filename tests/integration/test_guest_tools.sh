#!/bin/sh
# rtvmd latency guest: cyclictest and oslat of Debian inside a real-time Linux guest, run through QEMU's real guest agent.
# Emulated here: what is shown is that it works, not how fast.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
LAB_PAGES_2M=300 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
# shellcheck source=tests/integration/daemon_lib.sh
. tests/integration/daemon_lib.sh
lab_up "latency guest"
guest=$(tests/setup/rt_guest.sh --tools 2>"$folder/rt.log")
case $? in
0) ;;
77) skip_all "latency guest" "$(head -n 1 "$folder/rt.log")" ;;
*)
    sed 's/^/# /' "$folder/rt.log"
    not_ok "the guest with tools is made"
    finish
    ;;
esac

has_agent() {
    [ "$(field "$vmis/$1" '.status.conditions[] | select(.type == "AgentConnected").status')" = True ]
}

linux_with_agent_runs() {
    "$RTVMD_BINARY" image import rt-tools "$guest/disk.img" --state-dir "$folder/state" &&
        probe_manifest linux | sed "s|64Mi|512Mi|g; s|rtvmd.io/latency-probe|rt-tools|" >"$folder/linux.yaml" &&
        rtvmd apply -f "$folder/linux.yaml" && wait_for 60 phase_is linux Running && wait_for 90 has_agent linux
}

# fails_with TEXT COMMAND…
fails_with() {
    text=$1
    shift
    if "$@" >"$folder/out" 2>&1; then return 1; fi
    cat "$folder/out"
    grep -q "$text" "$folder/out"
}

refuses() {
    fails_with 'does not run: start it first' rtvmd latency guest nobody &&
        fails_with 'want rtvmd latency vm\|say which' rtvmd latency guest &&
        probe_manifest probed 0 Halted | rtvmd apply -f - &&
        fails_with 'does not run: start it first' rtvmd latency guest probed
}

both_tools_measure() {
    rtvmd latency guest linux --duration 4s --name inside -o json >"$folder/run.json" || return 1
    jq -c '{target, kind, scheduling, cpus, verdict, m: [.measurements[] | {kind, cpu, measuredNs, n: .histogram.count, max: .histogram.maxNs}]}' "$folder/run.json"
    jq -e '.target == "default/linux" and .kind == "both" and .verdict.because == "not real hardware" and .cpus == "1" and
        .scheduling == "SCHED_FIFO 1 on vCPUs 0; in the guest cyclictest as SCHED_FIFO, oslat as SCHED_OTHER" and
        ([.measurements[].kind] == ["timer", "gaps"]) and
        all(.measurements[]; .cpu == 0 and .measuredNs > 1e9 and .histogram.count > 10 and .histogram.maxNs > 0)' "$folder/run.json" &&
        rtvmd latency list --state-dir "$folder/state" | grep '^inside ' && rtvmd latency show inside --state-dir "$folder/state"
}

one_tool_as_an_object() {
    api POST /apis/rtvmd.io/v1alpha1/namespaces/default/latencytests \
        '{"metadata": {"name": "timer"}, "spec": {"virtualMachine": "linux", "insideGuest": true, "kind": "timer", "duration": "3s"}}' &&
        wait_for 60 test_succeeded && rtvmd get latencytests && phase_is linux Running &&
        rtvmd latency watch linux --duration 300ms | grep 'Counters only\|osnoise'
}
test_succeeded() {
    [ "$(field /apis/rtvmd.io/v1alpha1/namespaces/default/latencytests/timer .status.phase)" = Succeeded ]
}

agent_goes_away() {
    rtvmd stop linux && wait_for 60 status_is linux Stopped
    rtvmd delete vm linux && probe_manifest probed 0 Always | rtvmd apply -f - && wait_for 60 phase_is probed Running &&
        fails_with 'has no guest agent connected: install' rtvmd latency guest probed
}

check "the daemon starts" daemon_start
check "what cannot be is refused in words" refuses
check "a real-time Linux with QEMU's guest agent runs" linux_with_agent_runs
check "latency guest: cyclictest and oslat, stored as a run" both_tools_measure
check "a LatencyTest inside of a guest, which goes on running" one_tool_as_an_object
check "a guest without agent is refused" agent_goes_away
finish
