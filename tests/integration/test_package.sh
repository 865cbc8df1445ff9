#!/bin/sh
# The Debian package: well made (lintian), and in a minimal Debian with nothing but what the package asks for it is
# installed, does its work, is upgraded with the VM still wanted, removed, and purged with nothing left but state.
set -u
build=$(pwd)/${BUILD:-build}
scratch=$(mktemp -d) || exit 1
n=0
failed=0
# shellcheck disable=SC2317  # called by the trap
clean_up() {
    rm -rf "$scratch"
}
trap clean_up EXIT
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
finish() {
    echo "1..$n"
    exit $failed
}

if [ ! -x "$build/static/rtvmd" ]; then
    skip "the package" "the static binary is not built: make static"
    finish
fi
package=$(rtvmd/dist/deb.sh "$build/static/rtvmd" "$scratch")
again=$(rtvmd/dist/deb.sh "$build/static/rtvmd" "$scratch/again")
cmp -s "$package" "$again"
result $? "two packages of one program are identical"
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning "$package" 2>/dev/null | sed 's/^/# /' >"$scratch/lintian"
    cat "$scratch/lintian"
    [ ! -s "$scratch/lintian" ]
    result $? "lintian finds nothing"
else
    skip "lintian finds nothing" "lintian is not installed"
fi
rtvmd/dist/linked.sh spdx "$build/static-libs" | jq -e '.packages | map(select(.versionInfo == "unknown")) == []' >/dev/null
result $? "the bill of materials names every version"

if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null; then
    skip "life of an installation" "root and mmdebstrap are needed"
    finish
fi
# A root with the dependencies stood in for: what is tested here is our package, not libvirt's.
if ! mmdebstrap --quiet --variant=essential --dpkgopt=force-unsafe-io --include=init-system-helpers,adduser bookworm "$scratch/root" >"$scratch/log" 2>&1; then
    skip "life of an installation" "no Debian root could be made: $(tail -n 1 "$scratch/log")"
    finish
fi
for dependency in libvirt-daemon-system libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils; do
    mkdir -p "$scratch/d/DEBIAN"
    printf 'Package: %s\nVersion: 9.0.0-99\nArchitecture: all\nMaintainer: test <test@localhost>\nDescription: stands in\n' \
        "$dependency" >"$scratch/d/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$scratch/d" "$scratch/root/$dependency.deb" >/dev/null
    rm -rf "$scratch/d"
done
cp "$package" "$scratch/root/rtvmd.deb"
inside() {
    chroot "$scratch/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}
tell() { # STATUS: shows the log of a failure
    [ "$1" -eq 0 ] || sed 's/^/# /' "$scratch/log"
    return "$1"
}
find "$scratch/root" -path "$scratch/root/proc" -prune -o -type f -print | sort >"$scratch/before"
inside sh -c 'dpkg -i /lib*.deb /qemu*.deb /rtvmd.deb' >"$scratch/log" 2>&1
tell $?
result $? "installs"
inside rtvmd version >/dev/null && inside rtvmd check -f /usr/share/doc/rtvmd/examples/plain.yaml >/dev/null
result $? "its program and its examples work there"
[ -L "$scratch/root/etc/systemd/system/multi-user.target.wants/rtvmd.service" ]
result $? "its service is enabled"

echo "# changed by hand" >>"$scratch/root/etc/rtvmd/rtvmd.yaml"
mkdir -p "$scratch/root/var/lib/rtvmd"
echo state >"$scratch/root/var/lib/rtvmd/kept"
inside dpkg -i /rtvmd.deb >"$scratch/log" 2>&1 && grep -q 'changed by hand' "$scratch/root/etc/rtvmd/rtvmd.yaml"
tell $?
result $? "an upgrade keeps the changed configuration"
inside dpkg -r rtvmd >"$scratch/log" 2>&1 && [ ! -e "$scratch/root/usr/bin/rtvmd" ] && [ -e "$scratch/root/etc/rtvmd/rtvmd.yaml" ]
tell $?
result $? "removing keeps the configuration"
inside dpkg -P rtvmd >"$scratch/log" 2>&1
tell $?
result $? "purges"
[ -e "$scratch/root/var/lib/rtvmd/kept" ]
result $? "state is the user's and stays"
find "$scratch/root" -path "$scratch/root/proc" -prune -o -type f -print | sort >"$scratch/after"
comm -13 "$scratch/before" "$scratch/after" | sed "s|$scratch/root||" |
    grep -vE '^/(var/lib/(rtvmd|dpkg)|var/log|var/cache|lib.*\.deb|qemu.*\.deb|run/adduser|etc/gshadow-)' | sed 's/^/# left: /' >"$scratch/left"
cat "$scratch/left"
[ ! -s "$scratch/left" ]
result $? "nothing else is left"
finish
