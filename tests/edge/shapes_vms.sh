# shellcheck shell=sh
# The VMs of the placement shapes, by name: read by the driver inside of the edge host and by the golden test of where
# they go on its recorded machines. Small ones of the built-in guest.

# shape NAME ANNOTATIONS CPU MEMORY [FURTHER]
shape() {
    cat <<END_OF_SHAPE
apiVersion: kubevirt.io/v1
kind: VirtualMachineInstance
metadata: {name: $1, namespace: poc, annotations: {$2}}
spec:
  terminationGracePeriodSeconds: 0
  domain:
    cpu: {$3}
    memory: {$4}
    ${5:-}
    devices:
      autoattachGraphicsDevice: false
      autoattachMemBalloon: false
      autoattachPodInterface: false
      disks: [{name: probe, disk: {bus: virtio}}]
  volumes: [{name: probe, containerDisk: {image: rtvmd.io/latency-probe}}]
END_OF_SHAPE
}

# vm NAME
vm() {
    realtime="model: host-passthrough, dedicatedCpuPlacement: true, numa: {guestMappingPassthrough: {}}, realtime: {}"
    pool="ioThreadsPolicy: supplementalPool
    ioThreads: {supplementalPoolThreadCount: 1}"
    little="guest: 64Mi, hugepages: {pageSize: 2Mi}"
    case $1 in
    # two nodes, two sockets, cores of two threads
    mixed) shape mixed "rtvmd.io/numa-policy: spread, rtvmd.io/page-sizes: 2Mi, rtvmd.io/fifo-priority: '0:5,1:3'" \
        "cores: 2, $realtime" "guest: 2Gi, hugepages: {pageSize: 1Gi}" ;;
    uneven) shape uneven "rtvmd.io/numa-policy: prefer, rtvmd.io/cpus: '3-6'" "cores: 4, $realtime" "$little" ;;
    whole) shape whole "rtvmd.io/smt-policy: require, rtvmd.io/emulator-policy: dedicated" \
        "cores: 1, threads: 2, $realtime" "$little" "$pool" ;;
    alone) shape alone "rtvmd.io/smt-policy: isolate" "cores: 1, $realtime" "$little" ;;
    beside) shape beside "rtvmd.io/emulator-policy: sibling" "cores: 2, $realtime" "$little" "$pool" ;;
    floating) shape floating "" "cores: 1" "guest: 1Gi, hugepages: {pageSize: 1Gi}" ;;
    # a node without memory (CPUs 6-7), nearest to one without CPUs
    bare) shape bare "rtvmd.io/cpus: '6-7'" "cores: 2, $realtime" "$little" ;;
    growing) shape growing "rtvmd.io/cpus: '4-5', rtvmd.io/fifo-priority: '7'" "cores: 2, $realtime" \
        "guest: 288Mi, hugepages: {pageSize: 2Mi}" ;;
    esac
}
