#!/bin/sh
# Makes a Debian package of a built program.
#   deb.sh PROGRAM OUT_DIR     PROGRAM is the static or the dynamic binary
# The package asks for libvirt and QEMU; its own libraries are in the binary (static) or asked for by name (dynamic).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1
out=$2
version=$(sed -n 's/.*RTVMD_VERSION "\(.*\)"/\1/p' "$here/../version.h")
architecture=$(dpkg --print-architecture)
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || echo 0)}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 755 "$root"

put() { # MODE SOURCE TARGET
    install -D -m "$1" "$2" "$root$3"
}
put 755 "$program" /usr/bin/rtvmd
put 644 "$here/rtvmd.service" /lib/systemd/system/rtvmd.service
put 644 "$here/rtvmd.socket" /lib/systemd/system/rtvmd.socket
put 644 "$here/rtvmd.sysusers" /usr/lib/sysusers.d/rtvmd.conf
put 644 "$here/rtvmd.tmpfiles" /usr/lib/tmpfiles.d/rtvmd.conf
mkdir -p "$root/etc/rtvmd" "$root/usr/share/man/man8" "$root/usr/share/man/man5" "$root/usr/share/doc/rtvmd" \
    "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" "$root/usr/share/lintian/overrides"
# The package makes the group (rtvmd.sysusers): its members may use the socket.
"$program" manual sample | sed 's|^#  socketGroup: ""$|  socketGroup: rtvmd|' >"$root/etc/rtvmd/rtvmd.yaml"
grep -qx '  socketGroup: rtvmd' "$root/etc/rtvmd/rtvmd.yaml"
"$program" manual rtvmd | gzip -9n >"$root/usr/share/man/man8/rtvmd.8.gz"
"$program" manual rtvmd.yaml | gzip -9n >"$root/usr/share/man/man5/rtvmd.yaml.5.gz"
"$program" manual rtvmd-manifest | gzip -9n >"$root/usr/share/man/man5/rtvmd-manifest.5.gz"
"$program" completion bash >"$root/usr/share/bash-completion/completions/rtvmd"
"$program" completion zsh >"$root/usr/share/zsh/vendor-completions/_rtvmd"
cp -r "$here/../../examples" "$root/usr/share/doc/rtvmd/examples"
cp "$here/unprivileged.conf" "$root/usr/share/doc/rtvmd/examples/"
find "$root/usr/share/doc/rtvmd/examples" -type f -exec chmod 644 {} +
put 644 "$here/copyright" /usr/share/doc/rtvmd/copyright
date=$(LC_ALL=C date -u -R -d "@$epoch")
printf 'rtvmd (%s) bookworm; urgency=medium\n\n  * See the commit log of the project.\n\n -- rtvmd maintainers <maintainers@rtvmd.io>  %s\n' \
    "$version" "$date" | gzip -9n >"$root/usr/share/doc/rtvmd/changelog.gz"

depends="libvirt-daemon-system (>= 7.0), libvirt-daemon-driver-qemu | libvirt-daemon-system (>= 7.0), qemu-system-x86 | qemu-system, qemu-utils"
if readelf -lW "$program" | grep -q INTERP; then
    shared=$(for library in $(ldd "$program" | awk '/=> \//{print $3}'); do
        dpkg-query -S "$(readlink -f "$library")" "$library" 2>/dev/null
    done | cut -d: -f1 | sort -u | paste -sd, | sed 's/,/, /g')
    depends="$shared, $depends"
else
    # What is linked in is the point of this package; `rtvmd version -o json` lists it.
    printf 'rtvmd: statically-linked-binary [usr/bin/rtvmd]\nrtvmd: embedded-library * [usr/bin/rtvmd]\nrtvmd: shared-library-lacks-prerequisites [usr/bin/rtvmd]\n' \
        >"$root/usr/share/lintian/overrides/rtvmd"
fi
if [ ! -s "$root/usr/share/lintian/overrides/rtvmd" ]; then rmdir "$root/usr/share/lintian/overrides" "$root/usr/share/lintian"; fi

mkdir -p "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<EOF
Package: rtvmd
Version: $version
Section: admin
Priority: optional
Architecture: $architecture
Maintainer: rtvmd maintainers <maintainers@rtvmd.io>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends
Recommends: skopeo
Description: KubeVirt-compatible real-time virtual machines on one host
 One daemon and command line tool that runs KubeVirt VirtualMachine manifests
 on a single Linux host, without Kubernetes. It admits a virtual machine only
 where its CPUs, huge pages and NUMA nodes are free, drives libvirt, and proves
 after the start that every thread runs where the plan says.
EOF
echo /etc/rtvmd/rtvmd.yaml >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/postinst" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers rtvmd.conf || true
    elif ! getent group rtvmd >/dev/null; then
        addgroup --system --quiet rtvmd || true
    fi
    if command -v systemd-tmpfiles >/dev/null; then
        systemd-tmpfiles --create rtvmd.conf || true
    fi
    deb-systemd-helper enable rtvmd.service >/dev/null || true
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
        # An upgrade restarts the daemon; virtual machines go on running and are taken up again.
        if [ -n "$2" ]; then action=restart; else action=start; fi
        deb-systemd-invoke "$action" rtvmd.service >/dev/null || true
    fi
fi
EOF
cat >"$root/DEBIAN/prerm" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop rtvmd.socket rtvmd.service >/dev/null || true
fi
EOF
cat >"$root/DEBIAN/postrm" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = purge ]; then
    # State (/var/lib/rtvmd: disks and what was wanted) is the user's and stays; what is made anew goes.
    deb-systemd-helper purge rtvmd.service rtvmd.socket >/dev/null || true
    rm -rf /run/rtvmd
    rmdir /etc/rtvmd 2>/dev/null || true
fi
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
fi
EOF
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
mkdir -p "$out"
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz --build "$root" "$out/rtvmd_${version}_$architecture.deb" >/dev/null
echo "$out/rtvmd_${version}_$architecture.deb"
