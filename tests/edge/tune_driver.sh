#!/bin/sh
# Runs inside the edge host, without isolated CPUs, and prints TAP: tunes by hand and for VMs, and looks whether the host
# is as found after each way a tuning may end: undo, a stop, kill -9 of the daemon, a power cut. On a kernel without
# cpuset.cpus.exclusive only that a tuned VM runs and why nothing is isolated.
# shellcheck disable=SC2317  # results are made by check
set -u
cd /edge || exit 1
# shellcheck source=tests/edge/lib.sh
. ./lib.sh

# Only groups whose parent gives them the controller have the file.
has_partitions() {
    echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/edge && [ -f /sys/fs/cgroup/edge/cpuset.cpus.exclusive ]
    found=$?
    rmdir /sys/fs/cgroup/edge
    return "$found"
}

give_up() {
    { rtvmd events -n poc; journalctl --no-pager -b -u rtvmd -u libvirtd -n 60; } 2>&1 | note
    end
}

# ---- the host, as far as tuning reaches: everything a knob turns, and where each thread of the kernel may run
host_state() {
    grep -sH '' /proc/irq/default_smp_affinity /proc/irq/*/smp_affinity_list /sys/devices/virtual/workqueue/cpumask \
        /sys/devices/virtual/workqueue/writeback/cpumask /proc/sys/vm/stat_interval /sys/kernel/rcu_normal /proc/sys/kernel/watchdog_cpumask \
        /proc/sys/kernel/sched_rt_runtime_us /sys/kernel/debug/sched/fair_server/cpu*/runtime \
        /sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor \
        /sys/fs/cgroup/cpuset.cpus.isolated /sys/fs/cgroup/cpuset.cpus.effective | sed 's/:/ /'
    # A thread of the kernel has no memory of its own. Those of interrupts follow theirs, at its next firing.
    grep -sH -e '^Name:' -e '^VmSize:' -e '^Cpus_allowed_list:' /proc/[0-9]*/status | awk -F'[:\t]+' '
        $2 == "VmSize" { user[$1] }
        $2 == "Name" { name[$1] = $3 }
        $2 == "Cpus_allowed_list" { cpus[$1] = $3 }
        END { for (task in cpus) if (!(task in user) && name[task] !~ "^irq/") print task, name[task], cpus[task] }'
}

# Threads of the kernel come and go: what is in both lists must be the same.
is_as_found() {
    host_state >"$state/now"
    awk 'NR == FNR { found[$1] = $0; next } $1 in found && found[$1] != $0 { print "was " found[$1] "; is " $0; bad = 1 }
        END { exit bad }' "$state/found" "$state/now"
}

differs() {
    ! is_as_found
}

isolated() {
    cat /sys/fs/cgroup/cpuset.cpus.isolated
}

# ---- steps
is_an_untuned_host() {
    uname -r
    host_state >"$state/found"
    wc -l <"$state/found"
    [ -z "$(cat /sys/devices/system/cpu/isolated)" ] && [ -f /sys/fs/cgroup/cgroup.controllers ] && systemctl is-enabled libvirtd
}

installs() {
    dpkg -i /edge/rtvmd.deb &&
        printf 'libvirt:\n  emulation: on\nhost:\n  tuning: full\n' >/etc/rtvmd/rtvmd.yaml &&
        mkdir -p /etc/systemd/system/rtvmd.service.d && printf '[Service]\nRestart=no\n' >/etc/systemd/system/rtvmd.service.d/edge.conf &&
        systemctl daemon-reload && systemctl restart rtvmd && systemctl is-active rtvmd
}

tuning_by_hand_is_seen_by_the_doctor() {
    rtvmd doctor -o json >"$state/before.json"
    rtvmd doctor | head -n 1
    rtvmd tune apply --cpus 6-7 --level full || return 1
    rtvmd tune show
    rtvmd doctor -o json >"$state/after.json"
    rtvmd doctor | head -n 1
    jq -rn --slurpfile old "$state/before.json" --slurpfile new "$state/after.json" '
        ($new[0].checks | map({(.id): .}) | add) as $now | $old[0].checks[] | select(.found != $now[.id].found) |
        "\(.id): \(.found) (\(.severity)), tuned: \($now[.id].found) (\($now[.id].severity))"' | tee "$state/better"
    [ "$(grep -c -E '^(rt-throttling|fair-server|workqueues|irq-default|vmstat-interval|watchdog-cpus): ' "$state/better")" -ge 3 ]
}

tuning_by_hand_is_undone() {
    differs && rtvmd tune undo && is_as_found && rtvmd tune show | grep -q 'nothing is changed'
}

banned_is() {
    [ "$(rtvmd tune show -o json | jq -r '.[] | select(.spec.knob == "irqbalance") | "\(.status.state) \(.status.found)"')" = "$1" ]
}

# Not unpacked onto /: that would put a folder in the place of the link /lib.
irqbalance_is_told() {
    dpkg-deb -x /edge/irqbalance.deb /tmp/irqbalance && cp /tmp/irqbalance/usr/sbin/irqbalance /usr/sbin/ &&
        cp /tmp/irqbalance/lib/systemd/system/irqbalance.service /etc/systemd/system/ && systemctl daemon-reload && systemctl start irqbalance && within 20 sh -c 'test -S /run/irqbalance/*.sock' &&
        rtvmd tune apply --cpus 6-7 && within 30 banned_is "Applied 6-7" && rtvmd doctor -o wide | grep '^  irqbalance: ' &&
        rtvmd tune undo && rtvmd tune apply --cpus 5 && within 30 banned_is "Applied 5" && rtvmd tune undo && systemctl stop irqbalance
}

comes_up() {
    rtvmd wait vmi "$1" -n poc --for condition=Ready --timeout 1200s && return 0
    rtvmd describe vmi "$1" -n poc
    return 1
}

starts() {
    rtvmd start "$1" -n poc && comes_up "$1"
}

is_gone() {
    rtvmd wait vmi "$1" -n poc --for delete --timeout 900s
}

stops() {
    rtvmd stop "$1" -n poc && is_gone "$1"
}

runs_tuned() {
    rtvmd create namespace poc && rtvmd apply -f /edge/tuned.yaml && starts tuned && rtvmd events -n poc
}

claimed() {
    rtvmd get placements "$1" -n poc -o json | jq -r .status.claimed.cpus
}

# The vCPUs' CPUs are isolated, nobody else may run there, and the proof holds.
is_isolated() {
    rtvmd get hostchanges
    echo "isolated $(isolated), claimed $(claimed tuned), system $(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/1/status)"
    rtvmd doctor -o wide | grep -E '^  (isolated-cpus|partitions-valid): '
    rtvmd verify tuned -n poc && [ -n "$(isolated)" ] && [ "$(isolated)" = "$(claimed tuned)" ] &&
        [ "$(rtvmd get hostchanges -o json | jq '[.items[] | select(.spec.knob == "partition" and .status.state == "Applied")] | length')" -eq 7 ] &&
        [ "$(rtvmd get hostchanges -o json | jq '[.items[] | select(.status.state != "Applied")] | length')" -eq 0 ]
}

a_second_one_comes_and_goes() {
    first=$(isolated)
    sed 's/name: tuned/name: other/' /edge/tuned.yaml >"$state/other.yaml" && rtvmd apply -f "$state/other.yaml" && starts other || return 1
    both=$(isolated)
    echo "first $first, both $both, set aside $(cat /sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive)"
    [ "$both" != "$first" ] && stops other && [ "$(isolated)" = "$first" ] &&
        [ "$(cat /sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive)" = "$first" ]
}

a_stop_undoes_it() {
    stops tuned && within 120 is_as_found && [ -z "$(isolated)" ] && rtvmd get hostchanges
}

# The daemon is shot; libvirt keeps the VM. Then the daemon comes back to it.
a_shot_daemon_changes_nothing() {
    starts tuned || return 1
    rtvmd get hostchanges -o name | sort >"$state/changes"
    systemctl kill -s KILL rtvmd && within 20 sh -c '! systemctl is-active -q rtvmd' && [ -n "$(isolated)" ] &&
        systemctl start rtvmd && comes_up tuned && rtvmd get hostchanges -o name | sort | diff "$state/changes" - && is_isolated
}

# Shot again, and the VM is destroyed meanwhile: the next start finds what nobody needs any more.
the_next_start_undoes_it() {
    systemctl kill -s KILL rtvmd && within 20 sh -c '! systemctl is-active -q rtvmd' && virsh destroy poc_tuned && differs &&
        systemctl reset-failed rtvmd && systemctl start rtvmd && within 120 is_as_found && [ -z "$(isolated)" ] && rtvmd get hostchanges
}

is_forgotten_after_a_power_cut() {
    systemctl restart rtvmd && [ "$(rtvmd get hostchanges -o json | jq '.items | length')" -eq 0 ] && [ -z "$(isolated)" ] &&
        journalctl --no-pager -b -u rtvmd | tail -n 5
}

says_why_nothing_is_isolated() {
    rtvmd verify tuned -n poc && rtvmd events -n poc | grep NotIsolated && rtvmd events -n poc | grep TuningApplied
}

if [ ! -e "$state/cut" ]; then
    check "$(uname -r): a host without isolated CPUs" is_an_untuned_host || give_up
    check "the package installs and the daemon runs" installs || give_up
    if ! has_partitions; then
        check "a tuned VM runs" runs_tuned || give_up
        check "why nothing is isolated is said" says_why_nothing_is_isolated
        check "a stop undoes the rest" a_stop_undoes_it
        end
    fi
    systemctl stop rtvmd
    check "tuned by hand: the doctor sees it" tuning_by_hand_is_seen_by_the_doctor
    check "tune undo: as found" tuning_by_hand_is_undone
    if [ -s /edge/irqbalance.deb ]; then
        check "irqbalance is told, and told back" irqbalance_is_told
        host_state >"$state/found"
    fi
    systemctl start rtvmd
    check "a VM that wants the host tuned runs" runs_tuned || give_up
    check "its vCPUs are isolated partitions" is_isolated
    check "a second one comes and goes beside it" a_second_one_comes_and_goes
    check "a stop undoes it: as found" a_stop_undoes_it
    check "kill -9 of the daemon: nothing changes, the next start takes it up" a_shot_daemon_changes_nothing || give_up
    check "kill -9, and the VM is gone: the next start undoes it" the_next_start_undoes_it
    check "tuned once more" starts tuned
    echo "# power cut with CPUs $(isolated) isolated"
    : >"$state/cut"
    sync
    echo b >/proc/sysrq-trigger
    sleep 60
fi
check "after the power cut nothing is left, and nothing is undone twice" is_forgotten_after_a_power_cut
check "a tuned VM runs again" starts tuned
check "its vCPUs are isolated partitions again" is_isolated
end
