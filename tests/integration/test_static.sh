#!/bin/sh
# The static binary needs nothing of the host: no library, no loader, no user database, no environment, not this
# Debian. It is copied alone into empty and foreign roots and run there on libvirt's own test driver.
set -u
cd "$(dirname "$0")/../.." || exit 1
program=$(pwd)/${BUILD:-build}/static/rtvmd
# shellcheck source=tests/integration/alone_lib.sh
. tests/integration/alone_lib.sh

if [ ! -x "$program" ]; then
    skip "the static binary" "not built: make static"
    echo "1..$n"
    exit 0
fi

[ "$(ldd "$program" 2>&1 | grep -c 'not a dynamic executable\|statically linked')" -eq 1 ]
result $? "ldd finds nothing to load"
[ "$(stat -c %s "$program")" -le 9000000 ]
result $? "the file is at most 9 MB ($(stat -c %s "$program") bytes)"
unknown=$(nm -u "$program" 2>/dev/null | grep -c ' gnutls_')
[ "$unknown" -eq 0 ]
result $? "no gnutls symbol is left open"
"$program" version -o json | jq -e '.libraries[] | select(.name == "libvirt") | .version' >/dev/null
result $? "it says which libvirt is in it"

# serve_in ROOT [OPTION_OF_CHROOT]: starts the daemon inside ROOT, creates a VM, asks for it, ends it
manifest='{"apiVersion":"kubevirt.io/v1","kind":"VirtualMachine","metadata":{"name":"a"},"spec":{"runStrategy":"Always",
"template":{"spec":{"domain":{"devices":{},"memory":{"guest":"64Mi"}}}}}}'
serve_in() {
    root=$1
    mkdir -p "$root/proc" "$root/tmp" "$root/dev" "$root/sys"
    chmod 1777 "$root/tmp"
    cp "$program" "$root/rtvmd"
    echo "$manifest" >"$root/tmp/vm.json"
    chmod 644 "$root/tmp/vm.json"
    rm -rf "$root/tmp/state" "$root/tmp/s"
    # shellcheck disable=SC2016  # expanded inside
    unshare -m sh -c '
        root=$1
        shift
        mount -t proc proc "$root/proc" && mount --bind /sys "$root/sys" && mount --bind /dev "$root/dev" || exit 1
        exec env -i "$(command -v chroot)" "$@" "$root" /rtvmd serve --state-dir /tmp/state --run-dir /tmp/s \
            --socket /tmp/s/rtvmd.sock --libvirt test:///default --emulation on
    ' sh "$@" >"$scratch/log" 2>&1 &
    daemon=$!
    for _ in $(seq 100); do
        [ -S "$root/tmp/s/rtvmd.sock" ] && break
        sleep 0.1
    done
    status=1
    "$program" create -f "$root/tmp/vm.json" --socket "$root/tmp/s/rtvmd.sock" >"$scratch/out" 2>&1 &&
        "$program" wait vmi a --for 'jsonpath={.status.phase}=Running' --timeout 20s \
            --socket "$root/tmp/s/rtvmd.sock" >>"$scratch/out" 2>&1 && status=0
    kill "$daemon" 2>/dev/null
    wait "$daemon" 2>/dev/null
    daemon=""
    [ $status -eq 0 ] || sed 's/^/# /' "$scratch/log" "$scratch/out"
    return $status
}

if [ "$(id -u)" -ne 0 ]; then
    skip "foreign roots" "root is needed for chroot"
else
    mkdir "$scratch/empty"
    serve_in "$scratch/empty"
    result $? "runs in an empty root, without an environment"
    serve_in "$scratch/empty" --userspec=65534:65534
    result $? "runs there as nobody"
    for suite in bullseye trixie; do
        if command -v mmdebstrap >/dev/null && mmdebstrap --quiet --variant=extract --include=libc6,libc-bin,libidn2-0 "$suite" "$scratch/$suite" \
            >"$scratch/mmdebstrap.log" 2>&1; then
            serve_in "$scratch/$suite"
            result $? "runs in a root of Debian $suite, beside another C library"
        else
            skip "runs in a root of Debian $suite" "the registry does not offer it"
        fi
    done
fi
echo "1..$n"
exit $failed
