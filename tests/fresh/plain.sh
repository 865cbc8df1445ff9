#!/bin/sh
# make test-fresh: the static binary on a machine that has nothing but Debian's libvirt and QEMU. A minimal Debian root is
# made once and kept (base.sh); each run works on a throw-away layer over it, with a /dev, /proc and /run of its own
# and Debian's own libvirtd and virtlogd as they come. The binary is copied there alone and started with what its unit
# file says (unit.sh); then a real-time probe VM is applied, runs, is proven thread by thread, and is deleted.
# The host gives what only a host has: CPUs, huge pages, sched_rt_runtime_us (tests/setup/lab.sh, undone at the end).
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
sh tests/setup/deps.sh edge || exit 1
. tests/integration/lab_lib.sh
. tests/fresh/base.sh
program=$BUILD/static/rtvmd
machine_begins "a fresh machine"

# A machine is a mount namespace, kept by a process that sleeps in it.
machine_up() {
    mkdir -p "$folder/layer" "$root"
    unshare -m sh -eu tests/fresh/machine.sh "$(realpath "$base/root")" "$folder/layer" "$root" "$shim" up "$folder/up" 9>&- \
        >"$folder/machine.log" 2>&1 &
    echo $! >"$folder/machine.pid"
    wait_for 60 test -e "$folder/up"
}
inside() {
    nsenter -t "$(cat "$folder/machine.pid")" -m -- chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" 9>&-
}
clean_up() {
    [ -s "$folder/machine.pid" ] || return 0
    # shellcheck disable=SC2016  # expanded inside
    inside sh -c 'kill $(cat /run/rtvmd.pid /run/libvirt/qemu/default_*.pid 2>/dev/null)' 2>/dev/null
    # whatever lives in its namespace, which nobody else is in
    world=$(readlink "/proc/$(cat "$folder/machine.pid")/ns/mnt")
    [ "$world" != "$(readlink /proc/self/ns/mnt)" ] || world=""
    for process in /proc/[0-9]*; do
        [ -z "$world" ] || [ "$(readlink "$process/ns/mnt" 2>/dev/null)" != "$world" ] || kill "${process#/proc/}" 2>/dev/null
    done
    kill "$(cat "$folder/machine.pid")" "$(cat "$folder/socat.pid" 2>/dev/null)" 2>/dev/null
}

has_only_debian() {
    inside sh -c '! command -v gcc && ! command -v curl && ! ls /usr/lib/x86_64-linux-gnu | grep -E "libjansson|libevent|libisofs|libmbed"'
}
libvirt_answers() {
    inside virsh -q -c qemu:///system list 2>/dev/null || inside test -S /run/libvirt/libvirt-sock
}
copies_one_file() {
    nsenter -t "$(cat "$folder/machine.pid")" -m -- sh -c "cat >'$root/usr/bin/rtvmd'; chmod 755 '$root/usr/bin/rtvmd'" <"$program" &&
        inside rtvmd version && inside sh -c 'mkdir -p /etc/rtvmd && rtvmd manual sample >/etc/rtvmd/rtvmd.yaml'
}
# starts_as_the_unit_says [DROP-IN]
starts_as_the_unit_says() {
    tests/fresh/unit.sh rtvmd/dist/rtvmd.service "$@" >"$folder/start.sh" && cat "$folder/start.sh" &&
        nsenter -t "$(cat "$folder/machine.pid")" -m -- sh -c "cat >'$root/start.sh'" <"$folder/start.sh" || return 1
    # what systemd would listen on
    rm -f "$folder/notify.log"
    socat -u UNIX-RECV:"/proc/$(cat "$folder/machine.pid")/root$root/run/notify",unlink-early,mode=666 OPEN:"$folder/notify.log",creat \
        >"$folder/socat.log" 2>&1 9>&- &
    echo $! >"$folder/socat.pid"
    # A subshell of its own: one that only redirects would keep what check reads.
    (
        exec >"$folder/daemon.log" 2>&1 </dev/null
        inside env NOTIFY_SOCKET=/run/notify sh /start.sh
    ) &
    wait_for 30 inside rtvmd get nodes || { cat "$folder/daemon.log"; return 1; }
    wait_for 30 grep -q READY=1 "$folder/notify.log"
}
# has_given_up UID CAPABILITIES: whose it is, and the most it may have
has_given_up() {
    pid=$(inside cat /run/rtvmd.pid)
    inside grep -E '^(Uid|Cap|NoNewPrivs|Seccomp:|Cpus_allowed_list)' "/proc/$pid/status"
    [ "$(status_of Uid | cut -f1)" = "$1" ] && [ "$(status_of NoNewPrivs)" = 1 ] && [ "$(status_of Seccomp)" = 2 ] &&
        [ $((0x$(status_of CapEff) & ~$2)) -eq 0 ] && [ $((0x$(status_of CapBnd) & ~$2)) -eq 0 ]
}
status_of() {
    inside sed -n "s/^$1:[[:space:]]*//p" "/proc/$(inside cat /run/rtvmd.pid)/status"
}
runs_the_probe() {
    nsenter -t "$(cat "$folder/machine.pid")" -m -- sh -c "cat >'$root/probe.yaml'" <examples/latency-probe.yaml
    inside rtvmd apply -f /probe.yaml && inside rtvmd wait vmi latency-probe --for condition=Ready --timeout 90s && inside rtvmd get vm,vmi && return 0
    inside rtvmd events
    return 1
}
is_proven() {
    inside rtvmd verify latency-probe
}
# shellcheck disable=SC2016  # expanded inside
is_deleted() {
    inside rtvmd delete vm latency-probe && inside rtvmd wait vmi latency-probe --for delete --timeout 60s &&
        inside sh -c '! ls /run/libvirt/qemu/default_*.pid && [ -z "$(ls /var/lib/rtvmd/vms)" ]'
}
ends_when_told() {
    pid=$(inside cat /run/rtvmd.pid)
    inside sh -c "kill $pid" && wait_for 10 not_there "$pid"
}
not_there() {
    ! inside test -e "/proc/$1/exe"
}

check "the machine: Debian with libvirt and QEMU" machine_up
[ "${failed:-0}" -eq 0 ] || { sed 's/^/# /' "$folder/machine.log"; finish; }
check "it has no library of ours and no compiler" has_only_debian
check "Debian's libvirtd answers" wait_for 30 libvirt_answers
check "one file is copied, and runs" copies_one_file
# one_life NAME UID CAPABILITIES [DROP-IN]: with the daemon as the unit file, and a drop-in, say
one_life() {
    name=$1 uid=$2 capabilities=$3
    shift 3
    check "$name: it starts, and tells that it is ready" starts_as_the_unit_says "$@"
    check "$name: what it gives up is gone" has_given_up "$uid" "$capabilities"
    echo "$check_output" | sed 's/^/# /'
    check "$name: a real-time VM from a manifest runs" runs_the_probe
    check "$name: every thread is proven" is_proven
    echo "$check_output" | sed 's/^/# /'
    check "$name: deleted without a trace" is_deleted
    check "$name: it ends when told" ends_when_told
    if [ "${failed:-0}" -ne 0 ]; then sed 's/^/# /' "$folder/machine.log" "$folder/daemon.log"; fi
}
# chown, dac_override, fowner, setgid, setuid, ipc_lock, sys_ptrace, sys_nice; without the first five
most=$((1 << 0 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 14 | 1 << 19 | 1 << 23))
few=$((1 << 14 | 1 << 19 | 1 << 23))
one_life "as the unit says" 0 "$most"
makes_its_user() {
    nsenter -t "$(cat "$folder/machine.pid")" -m -- chroot "$root" systemd-sysusers - <rtvmd/dist/rtvmd.sysusers && inside id rtvmd
}
check "as its own user: sysusers makes it" makes_its_user
one_life "as its own user" "$(inside id -u rtvmd)" "$few" rtvmd/dist/unprivileged.conf
finish
