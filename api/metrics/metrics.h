/* api/metrics: what Prometheus scrapes. A metric is one row of the table in metrics.c, with a small function that
 * writes its samples; rows about the same thing share one. KubeVirt's names and labels where it has the metric. */
#pragma once

#include "api/call.h"
#include "api/metrics/exposition.h"

/* GET /metrics */
call_handler metrics_page;

/* Everything one scrape shows, gathered once. */
struct metrics_view {
    const struct api *api;
    const struct runtime_statistics *statistics; /* NULL: libvirt did not answer in time */
    const char *node;
    json_t *vms;
    json_t *vmis;
    json_t *placements;
};

struct metric;
typedef void metrics_writer(const struct metric *metric, const struct metrics_view *view, struct exposition *e);

struct metric {
    const char *name;
    enum exposition_type type;
    const char *help;
    metrics_writer *write;
    size_t field;     /* offset of a number in what the writer goes through */
    bool is_time;     /* that number is nanoseconds, shown as seconds */
    const char *word; /* for writers that serve several rows */
};

/* ---- metrics_vms.c */
metrics_writer metrics_vm_info;
metrics_writer metrics_vm_count;
metrics_writer metrics_vmi_phases;
metrics_writer metrics_vmi_info;
metrics_writer metrics_vmi_addresses;
metrics_writer metrics_of_domains;    /* field of struct domain_statistics */
metrics_writer metrics_of_processes;  /* field of struct process_usage */
metrics_writer metrics_cpu_usage;     /* user and system together */
metrics_writer metrics_of_vcpus;      /* field of struct vcpu_usage; word: the state */
metrics_writer metrics_of_disks;      /* field of struct disk_statistics */
metrics_writer metrics_of_interfaces; /* field of struct interface_statistics */
metrics_writer metrics_vcpu_last_cpu;
metrics_writer metrics_vcpu_cpu;
metrics_writer metrics_affinity;
metrics_writer metrics_proofs; /* word: the key in the proof */
metrics_writer metrics_claimed_cpus;
metrics_writer metrics_claimed_memory;
metrics_writer metrics_unschedulable;
metrics_writer metrics_tunnels; /* word: the device */
/* The CPUs a Placement claims. */
struct cpuset metrics_claimed(const json_t *placement);
/* Of a VM by its status: "starting", "running", "migrating", "non_running", "error". */
const char *metrics_status_group(const json_t *vm);
/* ---- metrics_wanted.c */
metrics_writer metrics_vm_created;
metrics_writer metrics_vm_transition; /* word: the status group */
metrics_writer metrics_vm_requests;
metrics_writer metrics_vm_limits;
metrics_writer metrics_vm_interfaces;
/* ---- metrics_host.c */
metrics_writer metrics_build;
metrics_writer metrics_hypervisor;
metrics_writer metrics_cpus;
metrics_writer metrics_pages;
metrics_writer metrics_counter; /* field of struct runtime_counters */
metrics_writer metrics_steps;   /* field of struct runtime_counters: the array */
metrics_writer metrics_commits;
metrics_writer metrics_commit_failures;
metrics_writer metrics_store_writes;
metrics_writer metrics_requests;
metrics_writer metrics_request_durations;
metrics_writer metrics_connections;
metrics_writer metrics_watches;
metrics_writer metrics_process; /* word: which */
