#!/bin/sh
# Installs the Debian packages rtvmd needs to be built, run and tested; with `static`, those of the static build too,
# with `edge`, those of the edge host, with `bench`, what the measurements compare with. Does nothing, quickly, when all are there.
set -eu

packages="build-essential pkg-config
libvirt-dev libyaml-dev libsqlite3-dev libmbedtls-dev libnuma-dev libevent-dev libjansson-dev libxml2-dev libisofs-dev
libarchive-dev libseccomp-dev
libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils skopeo
clang clang-tidy clang-format libclang-rt-14-dev cppcheck shellcheck
libxml2-utils busybox-static xorriso isolinux syslinux-common cpio curl jq python3 python3-kubernetes git xz-utils bzip2 socat"
# What `make static` compiles libvirt's client with, and the archives Debian ships for the other libraries.
[ "${1:-}" = static ] && packages="$packages meson ninja-build libglib2.0-dev libtirpc-dev libgnutls28-dev xsltproc rpcsvc-proto
dpkg-dev libpcre2-dev libffi-dev libacl1-dev liblzma-dev libzstd-dev liblz4-dev libbz2-dev zlib1g-dev nettle-dev libjte-dev mmdebstrap lintian"
[ "${1:-}" = bench ] && packages="$packages etcd-server"
[ "${1:-}" = edge ] && packages="$packages mmdebstrap e2fsprogs"
# Any kubectl will do; Debian's package must not be laid over another one.
command -v kubectl >/dev/null 2>&1 || packages="$packages kubernetes-client"

missing=""
for p in $packages; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "make deps: root or sudo is needed to install:$missing" >&2; exit 1; }
    as_root="sudo"
fi
echo "installing:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing </dev/null
