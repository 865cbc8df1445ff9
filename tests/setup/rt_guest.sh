#!/bin/sh
# Makes a real-time Linux guest for tests: Debian's PREEMPT_RT kernel, a busybox initramfs, and both on a disk image any
# VM can boot (BIOS; disk or CD-ROM). Fetched once with this machine's own apt configuration and kept:
#   rt_guest.sh [FOLDER]     (default: build/rt-guest)   prints the folder; it holds vmlinuz, initrd and disk.img
#   rt_guest.sh --tools      the same in build/rt-guest-tools with QEMU's guest agent, cyclictest and oslat in it
# Exit status 77: a package cannot be fetched (no network), tests that want it are skipped.
#
# The guest says on its serial console, each on a line of its own: "guest: realtime=1", "guest: cpus=N",
# "guest: user-data <line>" for every line of the cloud-init disk's user-data, "guest: ready"; then it gives a shell.
# The ACPI power button makes it say "guest: power button" and power off.
set -eu
plain=${BUILD:-build}/rt-guest
tools=""
folder=${1:-$plain}
if [ "${1:-}" = --tools ]; then
    tools="qemu-guest-agent rt-tests"
    folder=$plain-tools
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# What is made depends on this script alone; a new version of it makes it anew.
version=$(sha256sum "$0" "$here/rt_guest_init" | sha256sum | cut -c1-16)
if [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ]; then
    echo "$folder"
    exit 0
fi
exec 8>"$folder/lock"
flock 8
[ "$(cat "$folder/version" 2>/dev/null)" != "$version" ] || { echo "$folder"; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- the kernel package
[ -s "$folder/kernel.deb" ] || [ ! -s "$plain/kernel.deb" ] || cp "$plain/kernel.deb" "$folder/kernel.deb"
if [ ! -s "$folder/kernel.deb" ]; then
    package=$(apt-cache depends linux-image-rt-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    if [ -z "$package" ] || ! (cd "$work" && apt-get download -q "$package" >download.log 2>&1); then
        echo "rt_guest: Debian's linux-image-rt-amd64 cannot be fetched here" >&2
        cat "$work/download.log" >&2 2>/dev/null || true
        exit 77
    fi
    mv "$work"/*.deb "$folder/kernel.deb"
fi
mkdir -p "$work/package" "$work/root/modules"
dpkg-deb --fsys-tarfile "$folder/kernel.deb" >"$work/package.tar"

# ---- the modules the guest needs, in the order they can be inserted
modules="drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev
drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci drivers/block/virtio_blk
drivers/scsi/scsi_common drivers/scsi/scsi_mod drivers/ata/libata drivers/ata/libahci drivers/ata/ahci
drivers/cdrom/cdrom drivers/scsi/sr_mod fs/isofs/isofs drivers/acpi/button drivers/input/evdev"
[ -z "$tools" ] || modules="$modules drivers/char/virtio_console"
tar -xf "$work/package.tar" -C "$work/package" --wildcards './boot/vmlinuz-*' './lib/modules/*/modules.builtin'
kernel=$(basename "$work"/package/lib/modules/*)
for module in $modules; do
    path=./lib/modules/$kernel/kernel/$module.ko
    if tar -xf "$work/package.tar" -C "$work/package" "$path" 2>/dev/null; then
        cp "$work/package/$path" "$work/root/modules/"
        basename "$module" >>"$work/root/modules/order"
    fi
done

# ---- the tools, and the libraries they ask for, which this machine has
libraries_of() {
    ldd "$@" 2>/dev/null | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p' | sort -u
}
for package in $tools; do
    (cd "$work" && apt-get download -q "$package" >download.log 2>&1) || {
        echo "rt_guest: Debian's $package cannot be fetched here" >&2
        exit 77
    }
    dpkg-deb -x "$work/$package"_*.deb "$work/tools"
done
for program in ${tools:+usr/sbin/qemu-ga usr/bin/cyclictest usr/bin/oslat}; do
    if ldd "$work/tools/$program" | grep -q 'not found'; then
        echo "rt_guest: this machine has no library for $program: $(ldd "$work/tools/$program" | grep 'not found')" >&2
        exit 77
    fi
    mkdir -p "$work/root/bin" "$work/root/run" "$work/root/var/run" "$work/root/var/log"
    cp "$work/tools/$program" "$work/root/bin/"
    for library in $(libraries_of "$work/tools/$program"); do
        mkdir -p "$work/root$(dirname "$library")"
        cp -L "$library" "$work/root$library"
    done
done

# ---- the initramfs
mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/sys" "$work/root/dev" "$work/root/mnt" "$work/root/etc/acpi/PWRF"
cp "$(command -v busybox)" "$work/root/bin/busybox"
cp "$here/rt_guest_init" "$work/root/init"
printf '#!/bin/sh\necho "guest: power button" >/dev/console\nsync\npoweroff -f\n' >"$work/root/etc/acpi/PWRF/00000080"
chmod 0755 "$work/root/init" "$work/root/etc/acpi/PWRF/00000080"
(cd "$work/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initrd"
cp "$work"/package/boot/vmlinuz-* "$work/vmlinuz"

# ---- both on a bootable image
arguments="console=ttyS0 quiet panic=1 mitigations=off tsc=reliable"
if command -v xorriso >/dev/null && [ -e /usr/lib/ISOLINUX/isolinux.bin ]; then
    mkdir -p "$work/iso"
    cp "$work/vmlinuz" "$work/initrd" /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/iso/"
    printf 'serial 0 115200\ndefault rt\nlabel rt\n  kernel /vmlinuz\n  append initrd=/initrd %s\n' "$arguments" \
        >"$work/iso/isolinux.cfg"
    xorriso -as mkisofs -quiet -o "$work/disk.img" -V RTGUEST -b isolinux.bin -c boot.cat -no-emul-boot \
        -boot-load-size 4 -boot-info-table -isohybrid-mbr /usr/lib/ISOLINUX/isohdpfx.bin "$work/iso" 2>"$work/iso.log" ||
        { cat "$work/iso.log" >&2; exit 1; }
    mv "$work/disk.img" "$folder/disk.img"
fi
mv "$work/vmlinuz" "$work/initrd" "$folder/"
echo "$arguments" >"$folder/arguments"
echo "$version" >"$folder/version"
echo "$folder"
