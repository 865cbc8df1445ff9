#!/bin/sh
# A place to run real virtual machines, on any Debian machine, with or without systemd; for the demo and the
# integration tests.
#
#   lab.sh up      brings up what is missing and says each thing it changes; does nothing to a lab that is up
#   lab.sh down    undoes all of it, last change first
#   lab.sh env     prints LAB_URI (libvirt's) and LAB_LIBVIRTD_PID (0: the system's own) for eval
#   lab.sh stop-libvirtd, start-libvirtd    under running machines (a private one only)
#   lab.sh power-cut           what a host's reboot leaves: no libvirtd, no QEMU, nothing of theirs below /run
#
# What it brings up: kernel.sched_rt_runtime_us=-1, LAB_PAGES_2M (0) and LAB_PAGES_1G (1) free huge pages on every
# memory node, a hugetlbfs of each size (before libvirtd starts: it looks for them then), and a libvirtd: the system's,
# when one answers, else a private one whose files and sockets are all below LAB_DIR, so that it meets no other.
# Every change is a line in LAB_DIR/journal before it is made; "down" reads it backwards, also after a crash.
#
# LAB_DIR (/run/rtvmd-lab) must be short: sockets live below it. LAB_CACHE keeps what libvirt learns about QEMU.
# LAB_QEMU_USER (root) is who a private libvirtd runs QEMU as; libvirt-qemu is what Debian's own does.
# LAB_CPUSETS=1: a private libvirtd keeps its machines in cgroups with cpusets, as it does on a machine with cgroup v2,
# if it can be. Where cpusets belong to a v1 hierarchy that nobody uses, they are taken from there; who is to see them
# like libvirtd runs by "nsenter -m -t LAB_LIBVIRTD_PID".
set -eu

LAB_DIR=${LAB_DIR:-/run/rtvmd-lab}
LAB_PAGES_2M=${LAB_PAGES_2M:-0}
LAB_PAGES_1G=${LAB_PAGES_1G:-1}
LAB_QEMU_USER=${LAB_QEMU_USER:-root}
LAB_CPUSETS=${LAB_CPUSETS:-0}
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-build}
LAB_CACHE=${LAB_CACHE:-$here/../../$build/lab-cache}
journal=$LAB_DIR/journal

say() {
    echo "lab: $*" >&2
}

die() {
    say "$*"
    exit 1
}

note() {
    echo "$*" >>"$journal"
}

# Writes a value into a kernel file and remembers the old one.
set_value() {
    old=$(cat "$1")
    [ "$old" != "$2" ] || return 0
    say "$1: $old -> $2"
    note "value $1 $old"
    echo "$2" >"$1"
}

# ---- huge pages

# reserve SIZE_KIB FREE_PAGES: at least so many free pages on every node with memory
reserve() {
    [ "$2" -gt 0 ] || return 0
    for pool in /sys/devices/system/node/node[0-9]*/hugepages/hugepages-"$1"kB; do
        [ -d "$pool" ] || pool=/sys/kernel/mm/hugepages/hugepages-$1kB
        [ -d "$pool" ] || die "this kernel has no huge pages of $1 KiB"
        free=$(cat "$pool/free_hugepages") total=$(cat "$pool/nr_hugepages")
        [ "$free" -lt "$2" ] || continue
        set_value "$pool/nr_hugepages" $((total + $2 - free))
        free=$(cat "$pool/free_hugepages")
        [ "$free" -ge "$2" ] || die "$pool: only $free of $2 pages could be reserved: memory is too full or fragmented"
    done
}

# mount_pages WORD SIZE: a hugetlbfs of this page size, unless one is mounted. Sets mounted_new.
mount_pages() {
    bytes=${1%[MG]}
    [ "${1%G}" = "$1" ] || bytes=$((bytes * 1024))
    if grep -Eq "^[^ ]+ [^ ]+ hugetlbfs [^ ]*pagesize=(${1}|${bytes}M)[, ]" /proc/mounts; then
        return 0
    fi
    place=/dev/hugepages$1
    mkdir -p "$place"
    say "mount hugetlbfs with pages of $1 on $place"
    note "mount $place"
    mount -t hugetlbfs -o "pagesize=$1" hugetlbfs "$place"
    mounted_new=1
}

# ---- libvirtd

system_libvirtd_answers() {
    virsh -c qemu:///system version >/dev/null 2>&1
}

# The system's libvirtd looked for hugetlbfs before we mounted one.
restart_system_libvirtd() {
    command -v systemctl >/dev/null || die "restart libvirtd: it must see the new hugetlbfs"
    for unit in libvirtd virtqemud; do
        if systemctl is-active -q "$unit"; then
            say "restart $unit (running machines stay), so that it sees the new hugetlbfs"
            systemctl restart "$unit"
        fi
    done
}

needs_shim() {
    # bit 24 of the capability set is CAP_SYS_RESOURCE
    set -- "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
    [ $((0x$1 >> 24 & 1)) -eq 0 ] && ! grep -Eq '^Max locked memory +[^ ]+ +unlimited' /proc/self/limits
}

write_configuration() {
    mkdir -p "$LAB_DIR/etc" "$LAB_DIR/lib/qemu" "$LAB_DIR/log" "$LAB_DIR/run" "$LAB_CACHE/qemu"
    chown "$LAB_QEMU_USER:" "$LAB_DIR/lib/qemu" "$LAB_CACHE/qemu"
    chmod 0755 "$LAB_DIR"
    cat >"$LAB_DIR/etc/libvirtd.conf" <<-END
	unix_sock_dir = "$LAB_DIR/run"
	unix_sock_group = "root"
	unix_sock_rw_perms = "0700"
	auth_unix_ro = "none"
	auth_unix_rw = "none"
	log_outputs = "2:file:$LAB_DIR/log/libvirtd.log"
	END
    cat >"$LAB_DIR/etc/qemu.conf" <<-END
	user = "$LAB_QEMU_USER"
	group = "$(id -gn "$LAB_QEMU_USER")"
	clear_emulator_capabilities = $([ "$LAB_QEMU_USER" = root ] && echo 0 || echo 1)
	security_driver = "none"
	stdio_handler = "file"
	namespaces = []
	cgroup_controllers = [$([ "$LAB_CPUSETS" = 0 ] || echo '"cpuset"')]
	END
}

# take_cpusets: sets cgroup2 to a folder where they are; fails, and changes nothing, where they cannot be
take_cpusets() {
    for cgroup2 in /sys/fs/cgroup /sys/fs/cgroup/unified ""; do
        if grep -q "^[^ ]* $cgroup2 cgroup2 " /proc/mounts; then break; fi
    done
    [ -n "$cgroup2" ] || return 1
    ! grep -qw cpuset "$cgroup2/cgroup.controllers" || return 0
    old=$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpuset(,|$)/ { print $2; exit }' /proc/mounts)
    [ -n "$old" ] && [ -z "$(find "$old" -mindepth 1 -type d)" ] || return 1
    say "cpusets: from $old to $cgroup2"
    note "cpusets $old $cgroup2"
    umount "$old"
    for _ in $(seq 50); do
        ! grep -qw cpuset "$cgroup2/cgroup.controllers" || return 0
        sleep 0.1
    done
    undo cpusets "$old" "$cgroup2" # another mount namespace holds on to them
    sed -i '$d' "$journal"
    return 1
}

# As udev does on a machine that has it. Without, libvirt asks QEMU anew what it can do at every turn: minutes.
open_kvm_to_qemu() {
    if [ "$LAB_QEMU_USER" = root ] || [ ! -e /dev/kvm ] || [ "$(stat -c %G:%a /dev/kvm)" = kvm:660 ]; then
        return 0
    fi
    say "/dev/kvm: for group kvm"
    note "owner /dev/kvm $(stat -c '%u:%g %a' /dev/kvm)"
    chgrp kvm /dev/kvm
    chmod 660 /dev/kvm
}

# Runs in a mount namespace of its own, where libvirt's fixed folders are ours.
start_private_libvirtd() {
    preload=""
    if needs_shim; then
        preload=$LAB_DIR/memlock_shim.so
        say "CAP_SYS_RESOURCE is missing here: libvirtd runs with the test-only memlock shim"
        ${CC:-cc} -shared -fPIC -O2 -o "$preload" "$here/memlock_shim.c"
    fi
    for folder in /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt; do
        mkdir -p "$folder"
    done
    cgroup2=""
    if [ "$LAB_CPUSETS" = 1 ] && ! take_cpusets; then
        say "cgroup v2 has no cpusets here: machines go without"
        cgroup2=""
        sed -i 's/^cgroup_controllers = .*/cgroup_controllers = []/' "$LAB_DIR/etc/qemu.conf"
    fi
    say "start a private libvirtd below $LAB_DIR"
    rm -f "$LAB_DIR/libvirtd.pid"
    grep -q '^daemon ' "$journal" || note "daemon $LAB_DIR/libvirtd.pid"
    # shellcheck disable=SC2016  # expanded by the inner shell
    LAB_DIR=$LAB_DIR LAB_CACHE=$LAB_CACHE LAB_PRELOAD=$preload LAB_CGROUP2=$cgroup2 \
        setsid unshare -m --propagation private sh -c '
        set -e
        mount --bind "$LAB_DIR/run" /run/libvirt
        mount --bind "$LAB_DIR/lib" /var/lib/libvirt
        mount --bind "$LAB_DIR/log" /var/log/libvirt
        mount --bind "$LAB_CACHE" /var/cache/libvirt
        mount --bind "$LAB_DIR/etc" /etc/libvirt
        # libvirt takes the first cgroup2 it finds among the mounts, and no other.
        if [ "${LAB_CGROUP2:-/sys/fs/cgroup}" != /sys/fs/cgroup ]; then
            umount -R -l /sys/fs/cgroup
            mount -t cgroup2 cgroup2 /sys/fs/cgroup
        fi
        [ -z "$LAB_PRELOAD" ] || export LD_PRELOAD="$LAB_PRELOAD"
        exec libvirtd -f "$LAB_DIR/etc/libvirtd.conf" -p "$LAB_DIR/libvirtd.pid"
    ' >"$LAB_DIR/log/start.log" 2>&1 </dev/null 9>&- &
    for _ in $(seq 150); do
        if [ -S "$LAB_DIR/run/libvirt-sock" ] && virsh -c "$private_uri" version >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.2
    done
    cat "$LAB_DIR/log/start.log" "$LAB_DIR/log/libvirtd.log" >&2 || true
    die "the private libvirtd does not answer"
}

libvirtd_pid() {
    cat "$LAB_DIR/libvirtd.pid" 2>/dev/null || echo 0
}

is_libvirtd() {
    [ "$1" -gt 0 ] && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = libvirtd ]
}

# stop_libvirtd PID: TERM, then KILL after five seconds
stop_libvirtd() {
    is_libvirtd "$1" || return 0
    kill "$1"
    for _ in $(seq 50); do
        is_libvirtd "$1" || return 0
        sleep 0.1
    done
    kill -9 "$1"
}

kill_machines() {
    for file in "$LAB_DIR"/run/qemu/*.pid; do
        [ -e "$file" ] || continue
        qemu=$(cat "$file")
        case $(cat "/proc/$qemu/comm" 2>/dev/null) in qemu-*) kill -9 "$qemu" ;; esac
    done
}

power_cut() {
    pid=$(libvirtd_pid)
    is_libvirtd "$pid" && kill -9 "$pid"
    kill_machines
    rm -rf "${LAB_DIR:?}/run"
    mkdir "$LAB_DIR/run"
}

private_uri="qemu:///system?socket=$LAB_DIR/run/libvirt-sock"

# ---- verbs

up() {
    [ "$(id -u)" -eq 0 ] || die "root is needed (sysctl, huge pages, libvirtd)"
    if [ -e "$journal" ]; then
        if is_libvirtd "$(libvirtd_pid)" || { [ -e "$LAB_DIR/system" ] && system_libvirtd_answers; }; then
            return 0
        fi
        say "a lab was left behind: undoing it first"
        down
    fi
    mkdir -p "$LAB_DIR"
    : >"$journal"
    trap 'down' EXIT
    set_value /proc/sys/kernel/sched_rt_runtime_us -1
    reserve 2048 "$LAB_PAGES_2M"
    reserve 1048576 "$LAB_PAGES_1G"
    mounted_new=""
    [ "$LAB_PAGES_2M" -eq 0 ] || mount_pages 2M
    [ "$LAB_PAGES_1G" -eq 0 ] || mount_pages 1G
    if system_libvirtd_answers; then
        say "using the system's libvirtd"
        : >"$LAB_DIR/system"
        [ -z "$mounted_new" ] || restart_system_libvirtd
    else
        write_configuration
        open_kvm_to_qemu
        start_private_libvirtd
    fi
    trap - EXIT
}

# give_back_cpusets OLD CGROUP2
give_back_cpusets() {
    ! grep -q "^[^ ]* $1 cgroup " /proc/mounts || return 0
    [ ! -d "$2/machine" ] || find "$2/machine" -depth -type d -exec rmdir {} \; || true
    echo -cpuset >"$2/cgroup.subtree_control" || true
    mount -t cgroup -o cpuset cgroup "$1"
}

undo() {
    case $1 in
    value)
        say "$2: back to $3"
        echo "$3" >"$2" || say "$2: could not be set back"
        ;;
    owner)
        say "$2: back to $3 $4"
        chown "$3" "$2"
        chmod "$4" "$2"
        ;;
    mount)
        say "unmount $2"
        if umount "$2"; then rmdir "$2"; else say "$2 is still in use"; fi
        ;;
    cpusets)
        say "cpusets: back to $2"
        for _ in $(seq 50); do # groups go when their last process is really gone
            give_back_cpusets "$2" "$3" 2>/dev/null && return 0
            sleep 0.2
        done
        say "$2 could not be mounted again: somebody uses cpusets of $3"
        ;;
    daemon)
        pid=$(cat "$2" 2>/dev/null || echo 0)
        say "stop libvirtd (pid $pid) and its machines"
        if is_libvirtd "$pid"; then
            for domain in $(virsh -c "$private_uri" list --name 2>/dev/null); do
                virsh -q -c "$private_uri" destroy "$domain" >/dev/null 2>&1 || true
            done
        fi
        stop_libvirtd "$pid"
        kill_machines # whose libvirtd was gone already
        ;;
    esac
}

down() {
    trap - EXIT
    [ -e "$journal" ] || return 0
    # shellcheck disable=SC2086  # a line is words
    sed '1!G;h;$!d' "$journal" | while read -r line; do
        undo $line
    done
    rm -rf "$LAB_DIR"
}

print_env() {
    [ -e "$journal" ] || die "the lab is down: lab.sh up"
    if [ -e "$LAB_DIR/system" ]; then
        echo "LAB_URI='qemu:///system' LAB_LIBVIRTD_PID=0 LAB_DIR='$LAB_DIR'"
    else
        echo "LAB_URI='$private_uri' LAB_LIBVIRTD_PID=$(libvirtd_pid) LAB_DIR='$LAB_DIR'"
    fi
}

case ${1:-} in
up) up ;;
down) down ;;
env) print_env ;;
stop-libvirtd | start-libvirtd | power-cut)
    [ ! -e "$LAB_DIR/system" ] || die "the system's libvirtd is left alone"
    case $1 in
    stop-libvirtd) stop_libvirtd "$(libvirtd_pid)" ;;
    start-libvirtd) start_private_libvirtd ;;
    power-cut) power_cut ;;
    esac
    ;;
*)
    sed -n '2,24s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
