#!/bin/sh
# Placement policies as real machines: every VM is applied, runs on real libvirt and QEMU, and is proven thread by thread
# and page by page. The last CPU alone is given away, as on the smallest machine, so policies that want more of them must
# be refused in words. What needs many nodes is at least defined: every golden domain of recorded hosts is one that this
# libvirt takes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
LAB_PAGES_2M=96 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
lab_up "shapes"
last=$(($(nproc --all) - 1))
DAEMON_ARGUMENTS="--reserved-cpus 0-$((last - 1))"

# shellcheck disable=SC2317  # called through check
# shape NAME ANNOTATIONS CPU DEVICES [FURTHER]: the built-in guest, 64 MiB in 2 MiB pages
shape() {
    cat <<END
apiVersion: kubevirt.io/v1
kind: VirtualMachineInstance
metadata: {name: $1, annotations: {$2}}
spec:
  terminationGracePeriodSeconds: 0
  domain:
    cpu: {$3}
    memory: {guest: ${MEMORY:-64Mi}, hugepages: {pageSize: ${PAGE:-2Mi}}}
    ${5:-}
    devices:
      autoattachGraphicsDevice: false
      autoattachMemBalloon: false
      autoattachPodInterface: false
      disks: [{name: probe, disk: {bus: virtio}}$4]
  volumes: [{name: probe, containerDisk: {image: rtvmd.io/latency-probe}}${VOLUMES:-}]
END
}
dedicated="model: host-passthrough, dedicatedCpuPlacement: true"
realtime="$dedicated, numa: {guestMappingPassthrough: {}}, realtime: {}"

# shellcheck disable=SC2317  # called through check
{
is_proven() { # NAME LINE…: runs as planned, and the proof has these lines
    name=$1
    shift
    wait_for 60 phase_is "$name" Running || { rtvmd events | tail -5 && return 1; }
    rtvmd verify "$name" >"$folder/proof" || { cat "$folder/proof" && return 1; }
    for line in "$@"; do
        grep -Eq "$line" "$folder/proof" || { echo "no $line" && cat "$folder/proof" && return 1; }
    done
}
is_gone() {
    rtvmd delete vmi "$1" && wait_for 30 is_missing "$vmis/$1" && [ "$(qemu_pid "$1")" -eq 0 ]
}
other_pages_when_the_wanted_are_missing() {
    PAGE=1Gi MEMORY=1Gi shape pages "" "$realtime" "" | rtvmd apply -f - && wait_for 30 is_refused pages &&
        rtvmd events | grep FailedScheduling | grep 'huge page' && is_gone pages &&
        MEMORY=128Mi PAGE=64Mi shape pages "rtvmd.io/page-sizes: 2Mi" "$realtime" "" | rtvmd apply -f - &&
        is_proven pages 'of 2 MiB on node 0 +128.0 MiB +128.0 MiB' &&
        lab_virsh dumpxml default_pages | grep "<page size='2048' unit='KiB' nodeset='0'/>" &&
        rtvmd get placements | grep '0:64x2Mi' && rtvmd host -o map | grep 'default/pages: 64 pages of 2 MiB on node 0' &&
        is_gone pages
}
some_vcpus_are_real_time() {
    shape mixed "rtvmd.io/shared-vcpus: '0'" \
        "cores: 2, $dedicated, numa: {guestMappingPassthrough: {}}, realtime: {mask: '1'}" "" | rtvmd apply -f - &&
        is_proven mixed "CPU 0/[A-Z]+ .*vcpu 0 +[0-9,-]+ .*OTHER" "CPU 1/[A-Z]+ .*vcpu 1 +$last .*FIFO 1" && is_gone mixed
}
io_threads_stay_off_the_vcpu() { # NAME POLICY DISKS FURTHER THREADS
    VOLUMES=', {name: a, emptyDisk: {capacity: 1Mi}}, {name: b, emptyDisk: {capacity: 1Mi}}'
    shape "$1" "" "$realtime" ", {name: a, $3disk: {bus: virtio}}, {name: b, disk: {bus: virtio}}" "$4" |
        rtvmd apply -f - && is_proven "$1" && [ "$(grep -c 'iothread [0-9]' "$folder/proof")" -eq "$5" ] &&
        ! grep -E "iothread [0-9]+ +$last " "$folder/proof" && is_gone "$1"
    io_status=$?
    VOLUMES=
    return "$io_status"
}
a_pool_of_io_threads_without_own_cpus() {
    shape pool "" "cores: 1" "" "ioThreadsPolicy: supplementalPool
    ioThreads: {supplementalPoolThreadCount: 2}" | rtvmd apply -f - && is_proven pool 'iothread 2' && is_gone pool
}
is_refused() {
    [ "$(field "$vmis/$1" '.status.conditions[]|select(.type=="PodScheduled")|.status')" = False ]
}
is_refused_in_words() { # NAME ANNOTATIONS CPU WORDS [FURTHER]
    shape "$1" "$2" "$3" "" "${5:-}" >"$folder/shape.yaml"
    rtvmd apply -f "$folder/shape.yaml" && wait_for 30 is_refused "$1" &&
        rtvmd events | grep FailedScheduling | grep "$1" | grep "$4" && is_gone "$1"
}
all_golden_domains_are_taken() {
    for xml in tests/golden/render/*.xml; do
        virsh -q -c test:///default define "$xml" >/dev/null || return 1
    done
}
}

check "the daemon starts" daemon_start
check "pages of another size when the wanted ones are missing" other_pages_when_the_wanted_are_missing
check "one vCPU real-time, the other shared" some_vcpus_are_real_time
check "IO threads: shared" io_threads_stay_off_the_vcpu shared "" "" "ioThreadsPolicy: shared" 1
check "IO threads: auto" io_threads_stay_off_the_vcpu auto "" "" "ioThreadsPolicy: auto" 2
check "IO threads: one disk has its own" io_threads_stay_off_the_vcpu own "" "dedicatedIOThread: true, " "" 2
check "IO threads: a pool beside floating vCPUs" a_pool_of_io_threads_without_own_cpus
check "IO threads: a pool wants CPUs of its own" is_refused_in_words io "" "$realtime" "1 IO" "ioThreadsPolicy: supplementalPool
    ioThreads: {supplementalPoolThreadCount: 1}"
check "emulator: dedicated wants a CPU" is_refused_in_words own "rtvmd.io/emulator-policy: dedicated" "$realtime" "1 emulator"
check "emulator: sibling wants a core of two threads" is_refused_in_words sib "rtvmd.io/emulator-policy: sibling" \
    "$realtime" "emulator"
check "libvirt takes every golden domain of recorded hosts" all_golden_domains_are_taken
finish
