#!/bin/sh
# Runs inside the edge host, at each of its boots, and prints TAP. The first boot installs rtvmd as a user would, fills
# the host until it refuses, and reboots it; the second one looks whether everything came back where it was, and ends.
# shellcheck disable=SC2317  # results are made by check
set -u
cd /edge || exit 1
# shellcheck source=tests/edge/lib.sh
. ./lib.sh
seed_image=quay.io/kubevirt/fedora-realtime-container-disk:20211008_5a22acb18

# Nothing more makes sense: say why, as far as anybody knows.
give_up() {
    { systemctl --no-pager status rtvmd libvirtd; journalctl --no-pager -b -u rtvmd -u libvirtd -n 80; tail -n 20 /var/log/libvirt/qemu/*.log; } 2>&1 | note
    end
}

# placement NAME JQ
placement() {
    rtvmd get placements "$1" -n poc -o json | jq -r "$2"
}

qemu_pid() {
    pgrep -f "qemu-system-.* guest=poc_$1,"
}

# ---- what this machine is

is_an_edge_host() {
    uname -r
    [ "$(cat /sys/kernel/realtime)" = 1 ] && [ -d /sys/devices/system/node/node1 ] &&
        [ -f /sys/fs/cgroup/cgroup.controllers ] && [ "$(cat /sys/devices/system/cpu/isolated)" = 2-7 ] &&
        systemctl is-active libvirtd
}

installs() {
    systemctl is-active systemd-journald &&
        dpkg -i /edge/rtvmd.deb && printf 'libvirt:\n  emulation: on\n' >/etc/rtvmd/rtvmd.yaml &&
        systemctl enable --now rtvmd && systemctl restart rtvmd && systemctl is-active rtvmd && systemctl is-enabled rtvmd
}

sees_the_host() {
    rtvmd host &&
        rtvmd host -o json | jq -e '(.nodes | length) == 2 and .kernel.realtime'
}

doctor_runs() {
    rtvmd doctor
    status=$?
    echo "exit status $status"
    [ "$status" -le 2 ]
}

# ---- virtual machines

runs_the_seed_manifest() {
    rtvmd image import "$seed_image" /edge/disk.img && rtvmd create namespace poc &&
        rtvmd apply -f /edge/fedora-realtime.yaml && comes_up fedora-realtime
}

comes_up() {
    rtvmd wait vmi "$1" -n poc --for condition=Ready --timeout 900s && return 0
    rtvmd describe vm "$1" -n poc
    rtvmd describe vmi "$1" -n poc
    rtvmd events -n poc
    return 1
}

is_proven() {
    rtvmd verify "$1" -n poc
}

# The same without rtvmd: vCPUs FIFO as asked, each on one CPU of the node; nothing else of QEMU there; guest pages of
# 1 GiB on that node only.
# is_seen_in_proc NAME NODE FIFO-VCPUS VCPUS
is_seen_in_proc() {
    pid=$(qemu_pid "$1") || return 1
    node_cpus=" 2 3 "
    [ "$2" = 0 ] || node_cpus=" 4 5 6 7 "
    vcpus=0 fifo=0 taken=""
    for thread in /proc/"$pid"/task/*; do
        # QEMU's workers come and go; what is gone after it was read says nothing.
        name=$(cat "$thread/comm" 2>/dev/null)
        cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$thread/status" 2>/dev/null)
        priority=$(sed 's/.*) //' "$thread/stat" 2>/dev/null | cut -d' ' -f38)
        if [ -z "$name" ] || [ -z "$cpus" ] || [ -z "$priority" ]; then continue; fi
        echo "$name on $cpus real-time priority $priority"
        case $name in
        "CPU "*)
            vcpus=$((vcpus + 1))
            taken="$taken $cpus"
            [ "$priority" -eq 0 ] || fifo=$((fifo + 1))
            case $node_cpus in *" $cpus "*) ;; *) echo "not one CPU of node $2" && return 1 ;; esac
            ;;
        *) [ "$priority" -eq 0 ] || return 1 ;;
        esac
    done
    for thread in /proc/"$pid"/task/*; do
        case $(cat "$thread/comm" 2>/dev/null) in "CPU "*) continue ;; esac
        cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$thread/status" 2>/dev/null)
        [ -n "$cpus" ] || continue
        case " $taken " in *" $cpus "*) echo "$cpus is not the vCPU's alone" && return 1 ;; esac
    done
    grep 'kernelpagesize_kB=1048576' "/proc/$pid/numa_maps"
    [ "$(grep 'kernelpagesize_kB=1048576' "/proc/$pid/numa_maps" | grep -c " N$2=1 ")" -eq 1 ] &&
        [ "$vcpus" -eq "$4" ] && [ "$fifo" -eq "$3" ]
}

goes_to_the_other_node() {
    rtvmd apply -f /edge/second.yaml && comes_up second && echo "CPUs $(placement second .status.claimed.cpus)" &&
        [ "$(placement second .status.claimed.cpus)" = 2-3 ] && [ "$(placement second '.status.claimed.pages[].node')" = 0 ]
}

is_refused() {
    rtvmd wait vm third -n poc --for 'jsonpath={.status.printableStatus}=ErrorUnschedulable' --timeout 300s || return 1
    reasons=$(rtvmd get vm third -n poc -o json | jq -r '.status.conditions[] | select(.status == "False") | .message')
    echo "$reasons"
    for wanted in CPU 1Gi "node 0" "node 1"; do
        case $reasons in *"$wanted"*) ;; *) echo "nothing about $wanted" && return 1 ;; esac
    done
    [ -z "$(qemu_pid third)" ]
}

where() {
    for vm in fedora-realtime second; do
        echo "$vm $(placement "$vm" '.status.claimed | tojson') $(placement "$vm" '.spec | tojson')"
    done
}

is_where_it_was() {
    where >"$state/now"
    diff "$state/placements" "$state/now" && cut -d' ' -f1,2 "$state/now"
}

shows_the_map() {
    rtvmd host -o map && rtvmd get placements -A
}

if [ ! -e "$state/placements" ]; then
    check "a PREEMPT_RT host with two nodes, isolated CPUs and cgroup v2" is_an_edge_host || give_up
    check "the package installs and the daemon runs" installs || give_up
    check "rtvmd host sees it" sees_the_host
    check "rtvmd doctor judges it" doctor_runs
    check "the unmodified seed manifest runs" runs_the_seed_manifest || give_up
    check "the seed manifest is proven thread by thread" is_proven fedora-realtime
    check "/proc says the same: node 1, one FIFO vCPU of two" is_seen_in_proc fedora-realtime 1 1 2
    check "a second VM goes to the other node" goes_to_the_other_node || give_up
    check "the second VM is proven" is_proven second
    check "/proc says the same: node 0, two FIFO vCPUs" is_seen_in_proc second 0 2 2
    check "a third VM is applied" rtvmd apply -f /edge/third.yaml
    check "the third VM is refused with every reason" is_refused
    check "the map and the placements are shown" shows_the_map
    where >"$state/placements"
    sync
    echo "# reboot"
    systemctl --no-block reboot
    exit 0
fi
daemon_runs() {
    # It is enabled: this only waits until it is ready.
    systemctl is-enabled rtvmd && systemctl start rtvmd && systemctl is-active rtvmd
}
check "after the reboot the daemon runs" daemon_runs || give_up
for vm in fedora-realtime second; do
    check "after the reboot $vm comes back" comes_up "$vm" || give_up
done
check "on the same CPUs and pages" is_where_it_was
check "the seed manifest is proven again" is_proven fedora-realtime
check "/proc says the same again: node 1" is_seen_in_proc fedora-realtime 1 1 2
check "the second VM is proven again" is_proven second
check "/proc says the same again: node 0" is_seen_in_proc second 0 2 2
check "the third VM is still refused" is_refused
check "rtvmd doctor judges the host as it is in use" doctor_runs
end
