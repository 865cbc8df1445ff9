#!/bin/sh
# make demo: the main job, from nothing. Installs what is missing, builds, brings up libvirt if none runs, starts the
# daemon, applies a real-time KubeVirt manifest, and shows the running VM, the proof of every thread, and what the guest
# itself measured. Everything it changed on the machine is undone at the end. Under three minutes once the packages are
# there.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "make demo: root or sudo is needed (huge pages, real-time scheduling, libvirt)" >&2; exit 1; }
    exec sudo -E env BUILD="$build" sh tests/setup/demo.sh
fi

step() {
    printf '\n\033[1m== %s\033[0m\n' "$*"
}
show() {
    printf '\033[2m$ %s\033[0m\n' "$*"
    "$@"
}

step "Packages and build"
sh tests/setup/deps.sh
make --no-print-directory -j"$(nproc)" BUILD="$build" all | tail -n 3

rtvmd=$build/rtvmd
manifest=${1:-examples/latency-probe.yaml}
name=latency-probe
state=$(mktemp -d /run/rtvmd-demo.XXXXXX)
chmod 0711 "$state"
export RTVMD_SOCKET="$state/rtvmd.sock"
daemon=""
clean_up() {
    status=$?
    trap - EXIT INT TERM
    step "Cleaning up"
    if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
        "$rtvmd" delete vm "$name" >/dev/null 2>&1 || true
        "$rtvmd" wait vmi "$name" --for delete --timeout 30 >/dev/null 2>&1 || true
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [ "$status" -eq 0 ] || tail -n 20 "$state/log" 2>/dev/null || true
    sh tests/setup/lab.sh down
    rm -rf "$state"
    [ "$status" -eq 0 ] && echo "done: the machine is as it was"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step "A place to run: libvirt, huge pages, real-time limits (undone at the end)"
sh tests/setup/lab.sh up
eval "$(sh tests/setup/lab.sh env)"

step "This host, and where the VM would run on it"
show "$rtvmd" host
show "$rtvmd" plan -f "$manifest"

step "The daemon, and the manifest"
"$rtvmd" serve --state-dir "$state" --run-dir "$state/run" --socket "$RTVMD_SOCKET" --libvirt "$LAB_URI" --emulation auto 2>"$state/log" &
daemon=$!
for _ in $(seq 100); do
    [ -S "$RTVMD_SOCKET" ] && break
    sleep 0.1
done
show "$rtvmd" apply -f "$manifest"
show "$rtvmd" wait vmi "$name" --for condition=Ready --timeout 90
show "$rtvmd" get vm,vmi

step "Proof: every thread of the VM against the plan"
show "$rtvmd" verify "$name"

step "What the guest itself measured: the longest times its vCPU was kept from running"
echo "(on emulated or nested hosts this is no verdict about real hardware)"
sleep "${DEMO_SECONDS:-12}"
(sleep 8) | timeout 20 "$rtvmd" console "$name" 2>/dev/null | tr -d '\r' | grep -v '^@' | tail -n 40 || true

step "Events"
show "$rtvmd" events
