#!/bin/sh
# Makes the edge host's image from this machine's own apt sources, once: Debian with systemd, the PREEMPT_RT kernel,
# libvirt and QEMU, and one unit that unpacks the second disk and runs what it finds there. Nothing of rtvmd is in it.
#   image.sh FOLDER     FOLDER gets vmlinuz, initrd and disk.img (ext4); an unchanged script makes nothing
# Exit status 77: it cannot be made here; one line on standard error says why.
set -eu
folder=$1
suite=bookworm
packages=systemd,systemd-sysv,udev,dbus,linux-image-rt-amd64,kmod,procps,util-linux,iproute2,jq
packages=$packages,libvirt-daemon,libvirt-daemon-driver-qemu,libvirt-daemon-system,libvirt-clients,qemu-system-x86,qemu-utils

cannot() {
    echo "$*" >&2
    exit 77
}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
key=$(sha256sum <"$0" | cut -c1-16)
exec 8>"$folder/lock"
flock 8
[ "$(cat "$folder/key" 2>/dev/null)" != "$key" ] || exit 0

[ "$(id -u)" -eq 0 ] || cannot "root is needed to make the image"
command -v mmdebstrap >/dev/null || cannot "mmdebstrap is not installed: tests/setup/deps.sh edge"
rm -f "$folder/key"
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

set --
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -s "$file" ] || set -- "$@" "$file"
done
root=$work/root
mmdebstrap --quiet --variant=apt --include="$packages" --aptopt='APT::Install-Recommends "false"' \
    --format=directory "$suite" "$root" "$@" >"$folder/mmdebstrap.log" 2>&1 8>&- ||
    cannot "mmdebstrap: $(grep '^E:' "$folder/mmdebstrap.log" | head -n 1)"
rm -rf "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

echo edge >"$root/etc/hostname"
echo "127.0.0.1 localhost edge" >"$root/etc/hosts"
echo "$key$key" >"$root/etc/machine-id" # an empty one would make every boot the first
# libvirt looks for hugetlbfs when it starts; systemd mounts the default size only.
cat >"$root/etc/fstab" <<'END'
/dev/vda / ext4 errors=remount-ro 0 1
hugetlbfs /dev/hugepages1G hugetlbfs pagesize=1G 0 0
END
cat >"$root/etc/systemd/system/edge.service" <<'END'
[Unit]
Description=What the second disk asks for
After=libvirtd.service

[Service]
ExecStart=/bin/sh -c 'mkdir -p /edge && tar -C /edge -xf /dev/vdb && exec /edge/driver.sh'
StandardOutput=file:/dev/ttyS1
StandardError=journal+console
END
systemctl --root="$root" --quiet enable libvirtd.service
ln -s ../edge.service "$root/etc/systemd/system/multi-user.target.wants/edge.service"
for unit in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer dpkg-db-backup.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

cp "$root"/boot/vmlinuz-* "$folder/vmlinuz"
cp "$root"/boot/initrd.img-* "$folder/initrd"
rm -f "$root"/boot/initrd.img-*
truncate -s 3G "$work/disk.img"
mke2fs -q -t ext4 -L edge -d "$root" "$work/disk.img"
mv "$work/disk.img" "$folder/disk.img"
echo "$key" >"$folder/key"
