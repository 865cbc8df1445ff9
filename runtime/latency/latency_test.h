/* A LatencyTest object (rtvmd.io/v1alpha1) as a plain value: what is to be measured, where and how long. Pure.
 *
 * spec.virtualMachine: the probe guest runs in place of that VM, under its manifest. spec.template: the same for a
 * manifest that is no VM yet. spec.insideGuest: tools inside of that VM, which runs and goes on running. No VM: the
 * host's CPUs, spec.cpus or all that VMs may get and none has. */
#pragma once

#include "runtime/latency/measure.h"
#include "runtime/spec/spec.h"

/* Of the probe guest, for each measure: blocks of time for compare.h. */
enum { LATENCY_REPORTS = 25 };

enum latency_target { LATENCY_HOST, LATENCY_VM, LATENCY_GUEST };

struct latency_test {
    enum latency_target target;
    struct cpuset cpus; /* LATENCY_HOST; empty: choose */
    bool wanted[MEASUREMENT_KINDS];
    uint64_t duration_ms;
    bool load;
    const char *virtual_machine; /* borrowed from the object; NULL: the template */
    const json_t *template;      /* borrowed: {"metadata","spec"} of a VMI; NULL: none */
    const char *run_name;        /* borrowed; "": made up */
};
int latency_test_decode(const json_t *object, struct latency_test *ret_test, struct error *err);

/* Admission of a LatencyTest: all that is wrong with it. before: the stored one on update, NULL on create; what is
 * asked for does not change. The status stays ours. */
void latency_test_admit(json_t *object, const json_t *before, struct findings *findings);

/* The VMI that runs the probe in place of a VM: namespace, name, and of the manifest everything that decides where and
 * how its vCPUs run. `like` is a VM, a VMI or a template; cpus (may be NULL): the host CPUs it would get. Devices,
 * networks and firmware are left out; so is confidential memory, which nobody could read a report from. New
 * reference. */
json_t *latency_probe_vmi(const struct latency_test *test, const json_t *like, const struct cpuset *cpus,
                          const char *namespace_, const char *name);
