/* A picture of a host for people: memory node > shared L3 > core > thread, and who has which CPU. */
#pragma once

#include "hostprobe/hostprobe.h"

struct host_map_vm {
    char name[320]; /* namespace/name */
    struct cpuset vcpus;
    char pages[200];      /* "4 pages of 1 GiB on node 0, …"; "" when it has no huge pages */
    struct cpuset others; /* emulator and I/O threads on CPUs of their own, parked siblings */
};

/* A VM of the daemon's answer (an object of kind Placement). */
struct host_map_vm host_map_vm_of(const json_t *placement);
/* color: with terminal escapes. Marks stand behind each CPU's number in any case: h housekeeping, . free for VMs, a
 * capital letter a vCPU, the small letter the VM's other CPUs. */
void host_map_write(const struct host *host, const struct host_map_vm *vms, size_t vm_count, bool color,
                    struct text *out);
