/* runtime/statistics: what running VMs use, as it was found at one moment. */
#pragma once

#include "hostprobe/hostprobe.h"
#include "runtime/hypervisor/hypervisor.h"
#include "runtime/reconcile.h"
#include "runtime/usage.h"

struct vm_statistics {
    char *namespace_;
    char *name;
    char *domain_name;
    int pid;
    bool has_usage; /* the process was there */
    struct process_usage usage;
    struct domain_statistics domain;
};

struct free_pages {
    int node;
    uint64_t page_bytes;
    uint64_t pages;
};

struct runtime_statistics {
    uint64_t taken_ms; /* monotonic */
    bool has_domains;  /* libvirt answered */
    size_t vm_count;
    struct vm_statistics *vm;
    size_t pool_count;
    struct free_pages *pool;
};
