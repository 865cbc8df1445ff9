#!/bin/sh
# make test-fresh, second part: the Debian package where it belongs, on a Debian with systemd, libvirt and QEMU. The root
# and the layer over it are those of plain.sh, but its first process is systemd, in namespaces of its own: the unit, with
# all its sandbox, sysusers, tmpfiles, the journal, the watchdog and the socket are the real ones, and libvirtd is the one
# that systemd starts. A real-time probe VM must never notice what happens to the daemon.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
sh tests/setup/deps.sh edge || exit 1
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
# shellcheck source=tests/fresh/base.sh
. tests/fresh/base.sh
command -v dpkg-deb >/dev/null || skip_all "the package under systemd" "needs dpkg-deb"
cgroup2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$cgroup2" ] || skip_all "the package under systemd" "there is no cgroup v2"
machine_begins "the package under systemd"
group=$cgroup2/rtvmd-fresh

machine_up() {
    mkdir -p "$folder/layer" "$root" "$group"
    # shellcheck disable=SC2016  # expanded inside
    sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec unshare -m -p -f -u -i -n -C --kill-child "$@"' sh "$group" \
        sh -eu tests/fresh/machine.sh "$(realpath "$base/root")" "$folder/layer" "$root" "$shim" boot 9>&- >"$folder/machine.log" 2>&1 </dev/null &
    echo $! >"$folder/machine.pid"
    wait_for 60 is_up
}
is_up() {
    case $(inside systemctl is-system-running) in running | degraded) ;; *) return 1 ;; esac
}
first() {
    pgrep -P "$(cat "$folder/machine.pid")"
}
inside() {
    nsenter -t "$(first)" -a -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" 9>&-
}
put() { # TARGET
    # shellcheck disable=SC2016  # expanded inside
    inside sh -c 'mkdir -p "$(dirname "$0")" && cat >"$0"' "$1"
}
clean_up() {
    [ -s "$folder/machine.pid" ] || return 0
    [ ! -e "$folder/found" ] || is_as_found || inside rtvmd tune undo --all >/dev/null 2>&1
    kill -9 "$(first)" 2>/dev/null # the first process of a PID namespace takes all with it
    wait_for 10 group_is_gone
}
group_is_gone() {
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -e "$group" ]
}
show() { # PROPERTY
    inside systemctl show -P "$1" rtvmd.service
}
pid() {
    show MainPID
}
status_of() { # FIELD
    inside sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pid)/status"
}
machine_of() {
    inside sh -c 'cat /run/libvirt/qemu/default_latency-probe.pid'
}

# ---- the package

installs() {
    package=$(rtvmd/dist/deb.sh "$BUILD/static/rtvmd" "$folder/deb") && put /rtvmd.deb <"$package" && inside dpkg -i /rtvmd.deb &&
        wait_for 20 inside rtvmd get nodes && [ "$(show UnitFileState)" = enabled ] && [ "$(show NRestarts)" = 0 ]
}
has_its_user() {
    inside id rtvmd | grep 'libvirt' | grep 'kvm' && [ "$(inside stat -c '%U:%G %a' /run/rtvmd/rtvmd.sock)" = 'root:rtvmd 660' ] &&
        inside systemd-tmpfiles --create rtvmd.conf && [ "$(inside stat -c %G:%a /run/rtvmd)" = rtvmd:755 ]
}
# scores MOST: the most it may be exposed, times ten, as systemd-analyze counts; what remains is the job: QEMU's threads
# and disks.
scores() {
    inside systemd-analyze security --no-pager --threshold="$1" rtvmd.service >"$folder/score"
    status=$?
    tail -n 1 "$folder/score"
    return "$status"
}
# Written by something that runs in the very sandbox of the unit.
tries_the_sandbox() {
    put /tried.sh <<'END'
say() { echo "$*" >>/run/rtvmd/tried; }
refused() { if "$@" >/dev/null 2>&1; then say "allowed: $*"; else say "refused: $*"; fi; }
works() { if "$@" >/run/rtvmd/output 2>&1; then say "works: $*"; else say "fails: $* $(cat /run/rtvmd/output)"; fi; }
rm -f /run/rtvmd/tried
refused unshare -u true
refused mount -t tmpfs tmpfs /mnt
refused touch /usr/written
refused touch /etc/rtvmd/written
refused date -s now
refused sh -c 'exec 3<>/dev/net/tun'
refused sh -c ': >/proc/sys/kernel/core_pattern && ls /home/*'
works sh -c 'exec 3<>/dev/kvm'
works sh -c 'rtvmd host | tee /run/rtvmd/host | grep -E "^ *FIFO +yes" && grep -E "^ *KVM +(yes|no: 64-bit)" /run/rtvmd/host'
works touch /var/lib/rtvmd/written
works qemu-img create -f qcow2 /var/lib/rtvmd/tried.qcow2 1M
works rtvmd confined read qemu-img info /var/lib/rtvmd/tried.qcow2
works chrt -f 1 true
works test -r /proc/1/status
rm -f /var/lib/rtvmd/written /var/lib/rtvmd/tried.qcow2
END
    put /run/systemd/system/rtvmd.service.d/tried.conf <<'END'
[Service]
ExecStartPre=/bin/sh /tried.sh
END
    inside sh -c 'exec 3<>/dev/net/tun' || return 1 # it is there, for others
    inside systemctl daemon-reload && inside systemctl restart rtvmd && inside cat /run/rtvmd/tried &&
        ! inside grep -qE '^(allowed|fails)' /run/rtvmd/tried && [ "$(inside grep -cE '^(refused|works)' /run/rtvmd/tried)" -eq 14 ]
}
settles() {
    inside rm -r /run/systemd/system/rtvmd.service.d && inside systemctl daemon-reload && inside systemctl restart rtvmd
}
# has_given_up USER CAPABILITIES
has_given_up() {
    inside grep -E '^(Uid|Cap|NoNewPrivs|Seccomp:)' "/proc/$(pid)/status"
    [ "$(status_of Uid | cut -f1)" = "$1" ] && [ "$(status_of NoNewPrivs)" = 1 ] && [ "$(status_of Seccomp)" = 2 ] &&
        [ $((0x$(status_of CapEff) & ~$2)) -eq 0 ] && [ $((0x$(status_of CapBnd) & ~$2)) -eq 0 ]
}
# ---- the virtual machine

runs_the_probe() {
    put /probe.yaml <examples/latency-probe.yaml
    inside rtvmd apply -f /probe.yaml && inside rtvmd wait vmi latency-probe --for condition=Ready --timeout 120s && return 0
    inside rtvmd events
    return 1
}
is_proven() {
    inside rtvmd verify latency-probe
}
is_apart() {
    inside cat "/proc/$(machine_of)/cgroup" && ! inside grep -q rtvmd.service "/proc/$(machine_of)/cgroup"
}
# goes_on COMMAND…: whatever it does to the daemon, the machine is the same process, taken up and proven
goes_on() {
    before=$(machine_of)
    "$@" && wait_for 30 inside rtvmd get nodes && wait_for 30 is_proven && [ "$(machine_of)" = "$before" ]
}
restarts() {
    was=$(pid)
    inside systemctl restart rtvmd && [ "$(pid)" != "$was" ]
}
is_another() {
    [ "$(pid)" != "$was" ] && [ "$(pid)" != 0 ] && [ "$(show ActiveState)" = active ]
}
comes_back_when_killed() {
    was=$(pid)
    inside systemctl kill -s KILL rtvmd && wait_for 20 is_another && [ "$(show NRestarts)" -ge 1 ]
}
comes_back_when_it_hangs() {
    put /run/systemd/system/rtvmd.service.d/hasty.conf <<'END'
[Service]
WatchdogSec=2
TimeoutAbortSec=1
END
    inside systemctl daemon-reload && inside systemctl restart rtvmd && was=$(pid) && sleep 5 && [ "$(pid)" = "$was" ] &&
        inside sh -c "kill -STOP $was" && wait_for 20 is_another &&
        inside journalctl -u rtvmd --no-pager | grep 'Watchdog timeout' && settles
}
reloads() {
    was=$(pid)
    inside sh -c 'cp /etc/rtvmd/rtvmd.yaml /saved.yaml && sed -i "s/^#  level: info/  level: debug/" /etc/rtvmd/rtvmd.yaml' &&
        inside systemctl reload rtvmd && sleep 1 && [ "$(pid)" = "$was" ] && inside rtvmd get vms &&
        [ "$(inside journalctl -u rtvmd -p debug --no-pager -o cat | wc -l)" -gt "$(inside journalctl -u rtvmd -p info --no-pager -o cat | wc -l)" ]
    status=$?
    inside sh -c 'cp /saved.yaml /etc/rtvmd/rtvmd.yaml && rm /saved.yaml' && inside systemctl reload rtvmd && return "$status"
}
refuses_a_mistake() {
    inside sh -c 'cp /etc/rtvmd/rtvmd.yaml /saved.yaml && echo "lgo: {level: debug}" >>/etc/rtvmd/rtvmd.yaml'
    was=$(pid)
    inside systemctl reload rtvmd && sleep 1 && [ "$(pid)" = "$was" ] &&
        inside journalctl -u rtvmd -p err --no-pager -o cat | grep 'lgo'
    status=$?
    inside sh -c 'mv /saved.yaml /etc/rtvmd/rtvmd.yaml'
    return "$status"
}
upgrades() {
    was=$(pid)
    dpkg-deb -R "$folder"/deb/*.deb "$folder/newer" && sed -i 's/^Version: .*/&+newer/' "$folder/newer/DEBIAN/control" &&
        dpkg-deb --root-owner-group --build "$folder/newer" "$folder/newer.deb" && put /newer.deb <"$folder/newer.deb" &&
        inside dpkg -i /newer.deb && wait_for 20 is_another && inside dpkg-query -W rtvmd | grep -q newer
}
# Host tuning, which the unit leaves rights and writable files for: done when a VM asks for it, undone after it.
host_state() {
    grep -sH '' /proc/sys/vm/stat_interval /proc/irq/default_smp_affinity /sys/devices/virtual/workqueue/cpumask
}
is_tuned() {
    inside sh -c 'rm -r /etc/systemd/system/rtvmd.service.d && systemctl stop rtvmd && chown -R root: /var/lib/rtvmd && systemctl daemon-reload &&
        sed -i "s/^#  tuning: none/  tuning: safe/" /etc/rtvmd/rtvmd.yaml && systemctl start rtvmd' || return 1
    host_state >"$folder/found"
    sed 's/^    metadata:/&\n      annotations: {rtvmd.io\/host-tuning: safe}/' examples/latency-probe.yaml | put /probe.yaml
    inside rtvmd apply -f /probe.yaml && inside rtvmd wait vmi latency-probe --for condition=Ready --timeout 120s &&
        inside rtvmd get hostchanges && inside rtvmd events | grep TuningApplied && ! host_state | diff -q "$folder/found" - &&
        inside rtvmd verify latency-probe && return 0
    inside rtvmd events
    return 1
}
is_untuned() {
    inside rtvmd delete vm latency-probe && inside rtvmd wait vmi latency-probe --for delete --timeout 60s &&
        wait_for 20 is_as_found && host_state | diff "$folder/found" - && ! inside journalctl -u rtvmd -p warning --no-pager -o cat | grep -i 'tun'
}
is_as_found() {
    host_state | diff -q "$folder/found" -
}
becomes_its_own_user() {
    inside sh -c 'mkdir -p /etc/systemd/system/rtvmd.service.d && cp /usr/share/doc/rtvmd/examples/unprivileged.conf /etc/systemd/system/rtvmd.service.d/ &&
        systemctl stop rtvmd && chown -R rtvmd: /var/lib/rtvmd && systemctl daemon-reload && systemctl start rtvmd'
}
# shellcheck disable=SC2016  # expanded inside
is_deleted() {
    inside rtvmd delete vm latency-probe && inside rtvmd wait vmi latency-probe --for delete --timeout 60s &&
        inside sh -c '! ls /run/libvirt/qemu/default_*.pid && [ -z "$(ls /var/lib/rtvmd/vms)" ]'
}
starts_when_asked() {
    inside systemctl stop rtvmd && inside systemctl start rtvmd.socket && [ "$(show ActiveState)" = inactive ] &&
        inside rtvmd get nodes && wait_for 10 is_active
}
is_active() {
    [ "$(show ActiveState)" = active ]
}
is_removed() {
    inside dpkg -r rtvmd && inside sh -c '! test -e /usr/bin/rtvmd && ! systemctl is-active rtvmd.service && ! systemctl is-active rtvmd.socket'
}
is_purged() {
    inside dpkg -P rtvmd && inside sh -c '! ls -d /etc/rtvmd /run/rtvmd /usr/share/doc/rtvmd && test -e /var/lib/rtvmd' &&
        left=$(inside systemctl list-unit-files --no-legend 'rtvmd*'; inside systemctl --failed --no-legend --plain) && echo "$left" && [ -z "$left" ]
}

check "the machine: Debian with systemd, libvirt and QEMU" machine_up
[ "${failed:-0}" -eq 0 ] || { sed 's/^/# /' "$folder/machine.log"; inside journalctl --no-pager | tail -n 60; finish; }
check "the package installs, and its service runs" installs
check "sysusers and tmpfiles made what they say" has_its_user
check "systemd counts it as little exposed" scores 37
sed -n 's/.* Overall/# overall/p' "$folder/score"
check "its sandbox holds, and lets it do its job" tries_the_sandbox
settles
# chown, dac_override, fowner, setgid, setuid, ipc_lock, sys_ptrace, sys_nice; without the first five
check "what it gives up is gone" has_given_up 0 $((1 << 0 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 14 | 1 << 19 | 1 << 23))
check "a real-time VM from a manifest runs" runs_the_probe
check "every thread is proven" is_proven
check "QEMU is not in the daemon's cgroup" is_apart
check "restarted: the machine goes on" goes_on restarts
check "killed: systemd starts it again, the machine goes on" goes_on comes_back_when_killed
check "hanging: the watchdog starts it again, the machine goes on" goes_on comes_back_when_it_hangs
check "reloaded: the log level is another, with its priority in the journal" goes_on reloads
check "reloaded with a mistake: the journal has the error, nothing else happens" goes_on refuses_a_mistake
check "upgraded: the machine goes on" goes_on upgrades
check "as its own user: the machine goes on" goes_on becomes_its_own_user
check "as its own user: what it gives up is gone" has_given_up "$(inside id -u rtvmd)" $((1 << 14 | 1 << 19 | 1 << 23))
check "as its own user: systemd counts it as less exposed" scores 22
sed -n 's/.* Overall/# overall/p' "$folder/score"
check "deleted without a trace" is_deleted
check "host tuning works from within the sandbox" is_tuned
check "host tuning is undone" is_untuned
check "the socket starts it" starts_when_asked
check "removed: it ends" is_removed
check "purged: only state is left" is_purged
if [ "${failed:-0}" -ne 0 ]; then inside journalctl -u rtvmd -u libvirtd --no-pager -n 60 | sed 's/^/# /'; fi
finish
