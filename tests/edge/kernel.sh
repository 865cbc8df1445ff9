#!/bin/sh
# Makes a second kernel for the edge host, newer than the image's: Debian's PREEMPT_RT kernel from backports, and an
# initramfs that finds the image's disk. Fetched once from where this machine's own Debian packages come from; apt's
# lists are kept beside it, so this machine's configuration stays as it is.
#   kernel.sh FOLDER     FOLDER gets vmlinuz and initrd; an unchanged script makes nothing
# Exit status 77: it cannot be made here; one line on standard error says why.
set -eu
folder=$1
suite=bookworm

cannot() {
    echo "$*" >&2
    exit 77
}

mkdir -p "$folder/lists/partial" "$folder/archives/partial"
folder=$(cd "$folder" && pwd)
key=$(sha256sum <"$0" | cut -c1-16)
exec 8>"$folder/lock"
flock 8
[ "$(cat "$folder/key" 2>/dev/null)" != "$key" ] || exit 0

for program in busybox cpio xz; do
    command -v "$program" >/dev/null || cannot "$program is not installed"
done
# shellcheck disable=SC2016  # apt fills it in
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" 2>/dev/null | head -n 1)
[ -n "$uri" ] || cannot "apt knows no source of $suite"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite-backports main" >"$folder/sources.list"

from_backports() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$folder/lists" \
        -o Dir::Cache="$folder" -o APT::Sandbox::User=root "$@"
}
from_backports apt-get update >"$folder/apt.log" 2>&1 || cannot "apt: $(grep '^[EW]:' "$folder/apt.log" | head -n 1)"
package=$(from_backports apt-cache depends linux-image-rt-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
(cd "$work" && from_backports apt-get download "$package" >"$folder/apt.log" 2>&1) ||
    cannot "apt: $(grep '^E:' "$folder/apt.log" | head -n 1)"
dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb >"$work/package.tar"

# The modules between the kernel and the disk, in the order they can be inserted; what is built in is not among them.
modules="lib/crc16 crypto/crc32c_generic fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4 drivers/block/virtio_blk"
version=${package#linux-image-}
mkdir -p "$work/root/bin" "$work/root/modules" "$work/root/dev" "$work/root/disk"
cp "$(command -v busybox)" "$work/root/bin/busybox"
for module in $modules; do
    path=./lib/modules/$version/kernel/$module.ko
    tar -xf "$work/package.tar" -C "$work" "$path.xz" 2>/dev/null || continue
    xz -dc "$work/$path.xz" >"$work/root/modules/$(basename "$module").ko"
    basename "$module" >>"$work/root/modules/order"
done
cat >"$work/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod "/modules/$module.ko"; done
until [ -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /disk
exec /bin/busybox switch_root /disk /sbin/init
END
chmod 755 "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$folder/initrd"
tar -xf "$work/package.tar" -C "$work" --wildcards './boot/vmlinuz-*'
mv "$work"/boot/vmlinuz-* "$folder/vmlinuz"
echo "$key" >"$folder/key"
