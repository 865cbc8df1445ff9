#!/bin/sh
# Placement shapes that take more than one node, on two machines (shapes_driver.sh inside): two sockets whose cores have
# two threads, with 1 GiB pages on one node only; and one with a node without memory and one without CPUs, which Linux
# numbers 2 and 3 whatever QEMU calls them.
set -u
cd "$(dirname "$0")/../.." || exit 1
export EDGE_DRIVER=tests/edge/shapes_driver.sh EDGE_FILES=tests/edge/shapes_vms.sh

# As QEMU's AMD models tell Linux of threads only with features that it does not emulate.
EDGE_NAME=shapes EDGE_CPU="qemu64,vendor=GenuineIntel,svm=off,pdpe1gb=on,rdtscp=on" EDGE_SMP=8,sockets=2,cores=2,threads=2 \
    EDGE_PAGES="hugepagesz=1G hugepages=0:0,1:1 hugepagesz=2M hugepages=0:640,1:192" tests/edge/edge.sh

EDGE_NAME=shapes-odd EDGE_PAGES="hugepagesz=2M hugepages=0:64,1:128,3:64" EDGE_NODES="-m 5G \
    -object memory-backend-ram,id=node0,size=2G -object memory-backend-ram,id=node1,size=2G -object memory-backend-ram,id=node3,size=1G \
    -numa node,nodeid=0,cpus=0-3,memdev=node0 -numa node,nodeid=1,cpus=4-5,memdev=node1 -numa node,nodeid=2,cpus=6-7 \
    -numa node,nodeid=3,memdev=node3 -numa dist,src=0,dst=1,val=21 -numa dist,src=0,dst=2,val=22 -numa dist,src=0,dst=3,val=28 \
    -numa dist,src=1,dst=2,val=14 -numa dist,src=1,dst=3,val=24 -numa dist,src=2,dst=3,val=12" tests/edge/edge.sh
