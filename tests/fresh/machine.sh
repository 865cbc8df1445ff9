#!/bin/sh
# shellcheck disable=SC2164  # sh -e
# A small machine out of a Debian root, in a mount namespace of its own. Nothing is written to BASE.
#   machine.sh BASE LAYER ROOT SHIM up FILE   starts libvirtd and sleeps; FILE says that it is up
#   machine.sh BASE LAYER ROOT SHIM boot      becomes systemd, which starts what Debian starts: for a process that is
#                                             the first of a PID namespace and alone in its cgroup, at its root
# Killed, the namespace goes with it.
base=$1 layer=$2 root=$3 shim=$4 way=$5
mount --make-rprivate /
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work"
mount -t overlay -o "lowerdir=$base,upperdir=$layer/upper,workdir=$layer/work" overlay "$root"
mount -t proc proc "$root/proc"
if [ "$way" = boot ]; then
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
    mount --rbind /sys "$root/sys"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty kvm net/tun vhost-net; do
    [ -c "/dev/$device" ] || continue
    mkdir -p "$root/dev/$(dirname "$device")"
    # shellcheck disable=SC2046  # two numbers
    mknod -m 666 "$root/dev/$device" c $(stat -c '0x%t 0x%T' "/dev/$device")
done
# as udev would
[ ! -c "$root/dev/kvm" ] || { chroot "$root" chgrp kvm /dev/kvm && chmod 660 "$root/dev/kvm"; }
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/hugepages" "$root/dev/hugepages1G"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t hugetlbfs -o pagesize=2M hugetlbfs "$root/dev/hugepages"
mount -t hugetlbfs -o pagesize=1G hugetlbfs "$root/dev/hugepages1G"
if [ -n "$shim" ]; then
    cp "$shim" "$root/usr/lib/memlock_shim.so"
    # This host cannot raise the limit of locked memory (tests/setup/lab.sh): only root may lock then.
    printf '%s\n' 'user = "root"' 'group = "root"' 'clear_emulator_capabilities = 0' >>"$root/etc/libvirt/qemu.conf"
fi
if [ "$way" = boot ]; then
    if [ -n "$shim" ]; then
        mkdir -p "$root/etc/systemd/system/libvirtd.service.d"
        printf '%s\n' '[Service]' 'Environment=LD_PRELOAD=/usr/lib/memlock_shim.so' >"$root/etc/systemd/system/libvirtd.service.d/shim.conf"
    fi
    cd "$root"
    mkdir old
    pivot_root . old
    umount -l /old
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
fi
mkdir -p "$root/run/libvirt"
# No cgroups to manage here: there is no systemd to ask for them. Nor a /dev of QEMU's own inside this one.
printf '%s\n' 'cgroup_controllers = []' 'namespaces = []' >>"$root/etc/libvirt/qemu.conf"
# No D-Bus and no polkit either: libvirt's group is let in by the socket's mode.
printf '%s\n' 'auth_unix_rw = "none"' 'unix_sock_group = "libvirt"' 'unix_sock_rw_perms = "0770"' >>"$root/etc/libvirt/libvirtd.conf"
in_root() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
in_root virtlogd -d -p /run/virtlogd.pid
in_root ${shim:+LD_PRELOAD=/usr/lib/memlock_shim.so} libvirtd -d -p /run/libvirtd.pid
: >"$6"
exec sleep 3600
