#include "api/metrics/metrics.h"

#include <string.h>

#include "runtime/statistics.h"

/* A scrape makes the runtime ask libvirt at most every few seconds (runtime/statistics.c), and nothing runs between
 * scrapes. The order of rows is the order of the page. */

#define ROW(metric, kind, sentence, writer, ...)                                                                     \
    {                                                                                                                \
        .name = (metric), .type = EXPOSITION_##kind, .help = (sentence), .write = (writer)__VA_OPT__(, ) __VA_ARGS__ \
    }
#define IN(type, member) .field = offsetof(struct type, member)

static const struct metric METRICS[] = {
    /* ---- objects */
    ROW("kubevirt_number_of_vms", GAUGE, "VirtualMachines by namespace.", metrics_vm_count),
    ROW("kubevirt_vm_info", GAUGE, "Each VirtualMachine with its state; always 1.", metrics_vm_info),
    ROW("kubevirt_vm_create_date_timestamp_seconds", GAUGE, "When each VirtualMachine was created.",
        metrics_vm_created),
    ROW("kubevirt_vm_starting_status_last_transition_timestamp_seconds", COUNTER,
        "When each VirtualMachine that is starting began to; 0 for the others.", metrics_vm_transition,
        .word = "starting"),
    ROW("kubevirt_vm_running_status_last_transition_timestamp_seconds", COUNTER,
        "Since when each running VirtualMachine runs; 0 for the others.", metrics_vm_transition, .word = "running"),
    ROW("kubevirt_vm_migrating_status_last_transition_timestamp_seconds", COUNTER,
        "0: there are no migrations on one host.", metrics_vm_transition, .word = "migrating"),
    ROW("kubevirt_vm_non_running_status_last_transition_timestamp_seconds", COUNTER,
        "Since when each stopped or paused VirtualMachine is so; 0 for the others.", metrics_vm_transition,
        .word = "non_running"),
    ROW("kubevirt_vm_error_status_last_transition_timestamp_seconds", COUNTER,
        "Since when each VirtualMachine that cannot run cannot; 0 for the others.", metrics_vm_transition,
        .word = "error"),
    ROW("kubevirt_vm_resource_requests", GAUGE, "CPU and memory each VirtualMachine asks for, by where it says so.",
        metrics_vm_requests),
    ROW("kubevirt_vm_resource_limits", GAUGE, "CPU and memory limits of each VirtualMachine that has some.",
        metrics_vm_limits),
    ROW("kubevirt_vm_vnic_info", GAUGE, "Each interface of each VirtualMachine; always 1.", metrics_vm_interfaces),
    ROW("kubevirt_vmi_phase_count", GAUGE, "VirtualMachineInstances by phase.", metrics_vmi_phases),
    ROW("kubevirt_vmi_info", GAUGE, "Each VirtualMachineInstance with its phase and guest; always 1.",
        metrics_vmi_info),
    ROW("kubevirt_vmi_status_addresses", GAUGE, "Addresses of each VirtualMachineInstance; always 1.",
        metrics_vmi_addresses),

    /* ---- CPU: /proc of the QEMU process */
    ROW("kubevirt_vmi_cpu_usage_seconds_total", COUNTER, "CPU time of the VM's process, guest and host side.",
        metrics_cpu_usage),
    ROW("kubevirt_vmi_cpu_user_usage_seconds_total", COUNTER, "CPU time of the VM's process in user mode and guest.",
        metrics_of_processes, IN(process_usage, user_ns), .is_time = true),
    ROW("kubevirt_vmi_cpu_system_usage_seconds_total", COUNTER, "CPU time of the VM's process in the host's kernel.",
        metrics_of_processes, IN(process_usage, system_ns), .is_time = true),
    ROW("kubevirt_vmi_vcpu_seconds_total", COUNTER, "Time each vCPU thread spent on a CPU.", metrics_of_vcpus,
        IN(vcpu_usage, run_ns), .is_time = true, .word = "RUNNING"),
    ROW("kubevirt_vmi_vcpu_wait_seconds_total", COUNTER,
        "Time each vCPU thread waited for a CPU, by the scheduler's statistics (kernel.sched_schedstats).",
        metrics_of_vcpus, IN(vcpu_usage, wait_ns), .is_time = true),
    ROW("kubevirt_vmi_vcpu_delay_seconds_total", COUNTER,
        "Time each vCPU thread could have run while something else did.", metrics_of_vcpus, IN(vcpu_usage, delay_ns),
        .is_time = true),

    /* ---- memory */
    ROW("kubevirt_vmi_memory_domain_bytes", GAUGE, "Memory of the domain.", metrics_of_domains,
        IN(domain_statistics, memory_bytes)),
    ROW("kubevirt_vmi_memory_resident_bytes", GAUGE, "Resident memory of the VM's process, without huge pages.",
        metrics_of_processes, IN(process_usage, resident_bytes)),
    ROW("kubevirt_vmi_memory_actual_balloon_bytes", GAUGE, "Memory the balloon leaves to the guest.",
        metrics_of_domains, IN(domain_statistics, balloon_bytes)),
    ROW("kubevirt_vmi_memory_available_bytes", GAUGE, "Memory as the guest sees it.", metrics_of_domains,
        IN(domain_statistics, available_bytes)),
    ROW("kubevirt_vmi_memory_unused_bytes", GAUGE, "Memory the guest uses for nothing at all.", metrics_of_domains,
        IN(domain_statistics, unused_bytes)),
    ROW("kubevirt_vmi_memory_usable_bytes", GAUGE, "Memory the guest could give back without swapping.",
        metrics_of_domains, IN(domain_statistics, usable_bytes)),
    ROW("kubevirt_vmi_memory_cached_bytes", GAUGE, "Memory the guest uses for caches.", metrics_of_domains,
        IN(domain_statistics, cached_bytes)),
    ROW("kubevirt_vmi_memory_swap_in_traffic_bytes", GAUGE, "Bytes the guest read from its swap.", metrics_of_domains,
        IN(domain_statistics, swap_in_bytes)),
    ROW("kubevirt_vmi_memory_swap_out_traffic_bytes", GAUGE, "Bytes the guest wrote to its swap.", metrics_of_domains,
        IN(domain_statistics, swap_out_bytes)),
    ROW("kubevirt_vmi_memory_pgmajfault_total", COUNTER, "Page faults of the guest that needed a disk.",
        metrics_of_domains, IN(domain_statistics, major_faults)),
    ROW("kubevirt_vmi_memory_pgminfault_total", COUNTER, "Page faults of the guest that needed no disk.",
        metrics_of_domains, IN(domain_statistics, minor_faults)),

    /* ---- network */
    ROW("kubevirt_vmi_network_receive_bytes_total", COUNTER, "Bytes the VM received.", metrics_of_interfaces,
        IN(interface_statistics, received_bytes)),
    ROW("kubevirt_vmi_network_receive_packets_total", COUNTER, "Packets the VM received.", metrics_of_interfaces,
        IN(interface_statistics, received_packets)),
    ROW("kubevirt_vmi_network_receive_errors_total", COUNTER, "Errors while the VM received.", metrics_of_interfaces,
        IN(interface_statistics, received_errors)),
    ROW("kubevirt_vmi_network_receive_packets_dropped_total", COUNTER, "Packets to the VM that were dropped.",
        metrics_of_interfaces, IN(interface_statistics, received_dropped)),
    ROW("kubevirt_vmi_network_transmit_bytes_total", COUNTER, "Bytes the VM sent.", metrics_of_interfaces,
        IN(interface_statistics, sent_bytes)),
    ROW("kubevirt_vmi_network_transmit_packets_total", COUNTER, "Packets the VM sent.", metrics_of_interfaces,
        IN(interface_statistics, sent_packets)),
    ROW("kubevirt_vmi_network_transmit_errors_total", COUNTER, "Errors while the VM sent.", metrics_of_interfaces,
        IN(interface_statistics, sent_errors)),
    ROW("kubevirt_vmi_network_transmit_packets_dropped_total", COUNTER, "Packets of the VM that were dropped.",
        metrics_of_interfaces, IN(interface_statistics, sent_dropped)),

    /* ---- storage */
    ROW("kubevirt_vmi_storage_iops_read_total", COUNTER, "Reads from each disk.", metrics_of_disks,
        IN(disk_statistics, read_requests)),
    ROW("kubevirt_vmi_storage_iops_write_total", COUNTER, "Writes to each disk.", metrics_of_disks,
        IN(disk_statistics, write_requests)),
    ROW("kubevirt_vmi_storage_read_traffic_bytes_total", COUNTER, "Bytes read from each disk.", metrics_of_disks,
        IN(disk_statistics, read_bytes)),
    ROW("kubevirt_vmi_storage_write_traffic_bytes_total", COUNTER, "Bytes written to each disk.", metrics_of_disks,
        IN(disk_statistics, write_bytes)),
    ROW("kubevirt_vmi_storage_read_times_seconds_total", COUNTER, "Time reads of each disk took.", metrics_of_disks,
        IN(disk_statistics, read_ns), .is_time = true),
    ROW("kubevirt_vmi_storage_write_times_seconds_total", COUNTER, "Time writes to each disk took.", metrics_of_disks,
        IN(disk_statistics, write_ns), .is_time = true),
    ROW("kubevirt_vmi_storage_flush_requests_total", COUNTER, "Flushes of each disk.", metrics_of_disks,
        IN(disk_statistics, flush_requests)),
    ROW("kubevirt_vmi_storage_flush_times_seconds_total", COUNTER, "Time flushes of each disk took.", metrics_of_disks,
        IN(disk_statistics, flush_ns), .is_time = true),
    ROW("rtvmd_vmi_disk_capacity_bytes", GAUGE, "Size of each disk as the guest sees it.", metrics_of_disks,
        IN(disk_statistics, capacity_bytes)),
    ROW("rtvmd_vmi_disk_allocated_bytes", GAUGE, "What each disk takes on the host.", metrics_of_disks,
        IN(disk_statistics, allocated_bytes)),

    /* ---- placement, claims, proof */
    ROW("kubevirt_vmi_node_cpu_affinity", GAUGE, "Pairs of a vCPU and a host CPU it may run on.", metrics_affinity),
    ROW("rtvmd_vmi_vcpu_cpu", GAUGE, "Host CPU each vCPU was given.", metrics_vcpu_cpu),
    ROW("rtvmd_vmi_vcpu_last_cpu", GAUGE, "Host CPU each vCPU thread ran on last.", metrics_vcpu_last_cpu),
    ROW("rtvmd_vmi_claimed_cpus", GAUGE, "Host CPUs nobody but this VM may use.", metrics_claimed_cpus),
    ROW("rtvmd_vmi_claimed_memory_bytes", GAUGE, "Ordinary memory promised to this VM, huge pages aside.",
        metrics_claimed_memory),
    ROW("rtvmd_vmi_hugepage_bytes", GAUGE, "Huge pages the VM's process has.", metrics_of_processes,
        IN(process_usage, hugepage_bytes)),
    ROW("rtvmd_vmi_locked_bytes", GAUGE, "Memory of the VM's process that is locked, huge pages aside.",
        metrics_of_processes, IN(process_usage, locked_bytes)),
    ROW("rtvmd_vmi_proven", GAUGE, "1: every thread and the memory were found as the placement says.", metrics_proofs,
        .word = "ok"),
    ROW("rtvmd_vmi_drift", GAUGE, "Threads and memory facts that were not as the placement says at the last look.",
        metrics_proofs, .word = "driftCount"),
    ROW("rtvmd_vmis_unschedulable", GAUGE, "VirtualMachineInstances that wait for room.", metrics_unschedulable),
    ROW("rtvmd_drifts_total", COUNTER, "Proofs that found something not as planned.", metrics_counter,
        IN(runtime_counters, drifts)),
    ROW("rtvmd_repairs_total", COUNTER, "Threads put back in place.", metrics_counter, IN(runtime_counters, repairs)),
    ROW("rtvmd_steps_total", COUNTER, "Steps done for VMs.", metrics_steps, IN(runtime_counters, steps)),
    ROW("rtvmd_step_failures_total", COUNTER, "Steps for VMs that failed and are tried again.", metrics_steps,
        IN(runtime_counters, steps_failed)),

    /* ---- host */
    ROW("rtvmd_cpus", GAUGE, "Online host CPUs by use: housekeeping, exclusive (claimed or not), claimed.",
        metrics_cpus),
    ROW("rtvmd_hugepages", GAUGE, "Huge pages by node and size: the pool, what is free, what is claimed.",
        metrics_pages),
    ROW("rtvmd_hypervisor_up", GAUGE, "1: libvirt answered this scrape or one within its last seconds.",
        metrics_hypervisor),

    /* ---- API */
    ROW("rtvmd_api_requests_total", COUNTER, "Requests by what they asked for and how they ended.", metrics_requests),
    ROW("rtvmd_api_request_duration_seconds", HISTOGRAM,
        "From a request read to its answer handed over; streams aside.", metrics_request_durations),
    ROW("rtvmd_api_connections", GAUGE, "Connections of clients.", metrics_connections),
    ROW("rtvmd_api_watches", GAUGE, "Open watches.", metrics_watches),
    ROW("kubevirt_console_active_connections", GAUGE, "Open consoles.", metrics_tunnels, .word = "console"),
    ROW("kubevirt_vnc_active_connections", GAUGE, "Open screens.", metrics_tunnels, .word = "vnc"),
    ROW("kubevirt_portforward_active_tunnels", GAUGE, "Open forwarded ports.", metrics_tunnels, .word = "portforward"),

    /* ---- store and process */
    ROW("rtvmd_store_commit_duration_seconds", HISTOGRAM, "Time of each commit, fsync included.", metrics_commits),
    ROW("rtvmd_store_commit_failures_total", COUNTER, "Commits the disk refused.", metrics_commit_failures),
    ROW("rtvmd_store_writes_total", COUNTER, "Objects, claims and other rows written.", metrics_store_writes),
    ROW("rtvmd_build_info", GAUGE, "Version of rtvmd; always 1.", metrics_build),
    ROW("process_cpu_seconds_total", COUNTER, "CPU time of rtvmd.", metrics_process, .word = "cpu"),
    ROW("process_resident_memory_bytes", GAUGE, "Resident memory of rtvmd.", metrics_process, .word = "memory"),
    ROW("process_open_fds", GAUGE, "Descriptors rtvmd holds.", metrics_process, .word = "descriptors"),
    ROW("process_start_time_seconds", GAUGE, "Start of rtvmd, since the epoch.", metrics_process, .word = "start"),
};

static void write_page(const struct runtime_statistics *statistics, void *arg)
{
    struct call *call = arg;
    const struct api *api = call->api;
    auto_json *node = runtime_node(api->runtime);
    auto_json *vms = store_list(api->store, "VirtualMachine", NULL, NULL);
    auto_json *vmis = store_list(api->store, "VirtualMachineInstance", NULL, NULL);
    auto_json *placements = runtime_placement(api->runtime, NULL, NULL);
    const struct metrics_view view = {
        .api = api,
        .statistics = statistics,
        .node = json_text_at(node, "metadata.name", ""),
        .vms = vms,
        .vmis = vmis,
        .placements = placements,
    };
    auto_text page = {0};
    struct exposition e = {.out = &page};
    for (size_t i = 0; i < ARRAY_SIZE(METRICS); i++) {
        exposition_begin(&e, METRICS[i].name, METRICS[i].type, METRICS[i].help);
        METRICS[i].write(&METRICS[i], &view, &e);
    }
    call_answer_take(call, 200, EXPOSITION_TYPE, text_take(&page));
}

int metrics_page(struct call *call, struct error *err)
{
    (void)err;
    runtime_statistics(call->api->runtime, write_page, call);
    return 0;
}
