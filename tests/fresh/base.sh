# Sourced after lab_lib.sh by the tests of fresh machines: the Debian root they lay their throw-away layers over, made
# once from this machine's own apt sources and kept in BUILD/fresh.
# shellcheck shell=sh disable=SC2034,SC2154  # of lab_lib.sh, and for those who source this
base=$BUILD/fresh
suite=bookworm
packages=libvirt-daemon,libvirt-daemon-driver-qemu,libvirt-daemon-system,qemu-system-x86,qemu-utils

make_base() {
    key="$suite $packages"
    [ "$(cat "$base/key" 2>/dev/null)" != "$key" ] || return 0
    rm -rf "$base"
    mkdir -p "$base"
    set --
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -s "$file" ] || set -- "$@" "$file"
    done
    mmdebstrap --quiet --variant=apt --include="$packages" --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io --format=directory \
        "$suite" "$base/root" "$@" >"$base/log" 2>&1 && echo "$key" >"$base/key"
}

# machine_begins NAME: root, the static binary and the base, or the whole test is skipped by this name; then the lab
machine_begins() {
    [ -x "$BUILD/static/rtvmd" ] || skip_all "$1" "the static binary is not built: make static"
    [ "$(id -u)" -eq 0 ] || skip_all "$1" "needs root"
    make_base || skip_all "$1" "no Debian root could be made: $(tail -n 1 "$base/log")"
    LAB_PAGES_2M=0 LAB_PAGES_1G=1
    export LAB_PAGES_2M LAB_PAGES_1G
    lab_up "$1"
    root=$folder/root
    shim=""
    [ ! -e "$LAB_DIR/memlock_shim.so" ] || shim=$LAB_DIR/memlock_shim.so
}
