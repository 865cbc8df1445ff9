#!/bin/sh
# Host tuning on an edge host that was booted without isolated CPUs: tune_driver.sh inside, once on a kernel with
# partitions below any control group (kernel.sh), and once, shortly, on the image's own, which has none.
set -u
cd "$(dirname "$0")/../.." || exit 1
folder=${BUILD:-build}/edge
# RCU's threads are above the vCPUs, as the doctor asks for: busy vCPUs would stop every grace period otherwise.
export EDGE_DRIVER=tests/edge/tune_driver.sh EDGE_FILES="tests/edge/tuned.yaml $folder/irqbalance.deb" EDGE_BOOT="no_timer_check rcutree.kthread_prio=4"

# Busy vCPUs under emulation: each VM takes minutes to come up beside another one.
export EDGE_TIMEOUT="${EDGE_TIMEOUT:-3600}"

mkdir -p "$folder"
if [ ! -s "$folder/irqbalance.deb" ]; then
    work=$(mktemp -d)
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download irqbalance >/dev/null 2>&1)
    mv "$work"/*.deb "$folder/irqbalance.deb" 2>/dev/null || : >"$folder/irqbalance.deb"
    rm -rf "$work"
fi
if why=$(tests/edge/kernel.sh "$folder/kernel" 2>&1); then
    EDGE_NAME=tune EDGE_KERNEL=$folder/kernel tests/edge/edge.sh
else
    echo "ok 1 - isolated partitions on a newer kernel # SKIP $why"
fi
EDGE_NAME=tune-old tests/edge/edge.sh
