#!/bin/sh
# /metrics while a real-time VM runs, read by a strict parser: what is there, what it says, who may read it, and what a
# scrape costs libvirt and the CPU of the guest.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
# shellcheck source=tests/integration/daemon_lib.sh
. tests/integration/daemon_lib.sh
command -v python3 >/dev/null || skip_all "metrics" "needs python3"
LAB_PAGES_2M=128
export LAB_PAGES_2M
lab_up "metrics"

# shellcheck disable=SC2317  # called through check
{
scrape() {
    curl -sS --fail-with-body -m 20 -H 'Accept-Encoding: gzip' --unix-socket "$folder/api.sock" -o "$folder/page.$1" \
        "http://rtvmd/metrics"
}
# reads N [EARLIER]: the page of scrape N, checked
reads() {
    tests/integration/exposition_check.py "$folder/page.$1" ${2:+"$folder/page.$2"} >"$folder/samples.$1"
}
begins() {
    daemon_start && scrape 0 && reads 0 && grep -q '^rtvmd_hypervisor_up{} 1$' "$folder/samples.0" &&
        rtvmd apply -f - <<END
$(probe_manifest vm)
END
}
runs() {
    wait_for 60 phase_is vm Running && sleep 0.2 && wait_for 20 shows_the_vm
}
# A page made before it ran may serve for some seconds.
shows_the_vm() {
    scrape 1 && reads 1 0 && grep -q '^kubevirt_vmi_vcpu_seconds_total{' "$folder/samples.1"
}
has() {
    for line; do
        grep -q -- "$line" "$folder/samples.1" || { echo "missing: $line"; grep "^${line%%{*}" "$folder/samples.1"; return 1; }
    done
}
shows_objects() {
    has '^kubevirt_number_of_vms{namespace="default"} 1$' \
        '^kubevirt_vmi_phase_count{.*phase="Running",.*} 1$' \
        '^kubevirt_vmi_info{.*name="vm",namespace="default",.*phase="Running".*} 1$' \
        '^kubevirt_vm_info{.*name="vm",.*status="running",status_group="running".*} 1$'
}
shows_use() {
    has '^kubevirt_vmi_memory_domain_bytes{.*name="vm".*} 67108864$' \
        '^kubevirt_vmi_memory_resident_bytes{.*name="vm".*} [1-9]' \
        '^kubevirt_vmi_vcpu_seconds_total{id="0",name="vm",.*state="RUNNING"} [0-9.]*[1-9]' \
        '^kubevirt_vmi_cpu_usage_seconds_total{.*name="vm".*} [0-9.]*[1-9]' \
        '^kubevirt_vmi_storage_read_traffic_bytes_total{drive="probe",name="vm",.*} [1-9]' \
        '^kubevirt_vmi_storage_iops_write_total{drive="probe",name="vm",.*} [0-9]'
}
shows_placement() {
    has '^rtvmd_vmi_vcpu_cpu{id="0",name="vm",.*} 1$' '^rtvmd_vmi_vcpu_last_cpu{id="0",name="vm",.*} 1$' \
        '^rtvmd_vmi_claimed_cpus{.*name="vm".*} 1$' '^rtvmd_cpus{.*use="claimed"} 1$' \
        '^rtvmd_vmi_hugepage_bytes{.*name="vm".*} 67108864$' '^rtvmd_vmi_proven{.*name="vm".*} 1$' \
        '^rtvmd_vmi_drift{.*name="vm".*} 0$' '^rtvmd_steps_total{step="start"} 1$' \
        '^rtvmd_hugepages{.*page_bytes="2097152",state="claimed"} 32$' \
        '^rtvmd_store_commit_duration_seconds_count{} [1-9]' '^rtvmd_vmis_unschedulable{} 0$' &&
        free=$(cat /sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages) &&
        has "^rtvmd_hugepages{.*page_bytes=\"2097152\",state=\"free\"} $free\$"
}
# A second page within seconds is made of the same answer of libvirt; the guest's CPU time stays what it was.
asks_libvirt_once() {
    scrape 2 && scrape 3 && reads 3 2 || return 1
    for page in 2 3; do
        grep '^kubevirt_vmi_vcpu_seconds_total{' "$folder/samples.$page" >"$folder/vcpu.$page" || reads "$page" ||
            return 1
    done
    reads 2 && grep '^kubevirt_vmi_vcpu_seconds_total{' "$folder/samples.2" >"$folder/vcpu.2"
    cmp "$folder/vcpu.2" "$folder/vcpu.3"
}
counts_drift() {
    # the kernel's word for it: the vCPU is put elsewhere, the next look puts it back
    for task in /proc/"$(qemu_pid vm)"/task/*; do
        case $(cat "$task/comm") in
        'CPU '*) taskset -pc 0 "${task##*/}" >/dev/null ;;
        esac
    done
    rtvmd verify vm --repair >/dev/null || rtvmd verify vm >/dev/null || return 1
    wait_for 40 sees_repair
}
sees_repair() {
    scrape 4 && reads 4 1 && grep -q '^rtvmd_repairs_total{} [1-9]' "$folder/samples.4" &&
        grep -q '^rtvmd_vmi_proven{.*} 1$' "$folder/samples.4"
}
# Whoever may read may scrape; nobody else.
asks_who_it_is() {
    daemon_stop
    DAEMON_ARGUMENTS="--listen 127.0.0.1:0"
    daemon_start && wait_for 10 grep -q 'listening url=' "$folder/daemon.log" || return 1
    url=$(sed -n 's/.*listening url=//p' "$folder/daemon.log" | tail -n 1)
    token=$(rtvmd token create --user scraper --role view | tail -n 1)
    [ "$(curl -sk -m 10 -o /dev/null -w '%{http_code}' "$url/metrics")" = 401 ] &&
        wait_for 30 shows_the_vm_to "$token"
}
# Whose connection to libvirt is as new as itself.
shows_the_vm_to() {
    [ "$(curl -sk -m 10 -o "$folder/page.5" -w '%{http_code}' -H "Authorization: Bearer $1" "$url/metrics")" = 200 ] &&
        reads 5 && grep -q '^kubevirt_vmi_vcpu_seconds_total{.*name="vm"' "$folder/samples.5"
}
# Objects are shown even when libvirt is gone.
lives_without_libvirt() {
    lab_libvirtd stop-libvirtd && wait_for 30 says_it_is_down && grep -q '^kubevirt_number_of_vms{namespace="default"} 1$' "$folder/samples.6"
    result=$?
    lab_libvirtd start-libvirtd
    return "$result"
}
says_it_is_down() {
    scrape 6 && reads 6 && grep -q '^rtvmd_hypervisor_up{} 0$' "$folder/samples.6"
}
}

check "a page with nothing running" begins
check "a page while a VM runs" runs
check "objects are counted" shows_objects
check "CPU, memory and disks" shows_use
check "placement, claims, pages, proof, commits" shows_placement
check "libvirt is asked once for pages within seconds" asks_libvirt_once
check "drift and repair are counted" counts_drift
check "who may read may scrape" asks_who_it_is
check "without libvirt: what is known" lives_without_libvirt
finish
