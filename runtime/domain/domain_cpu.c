/* vCPUs, IO threads and where every thread of QEMU runs: the placement in libvirt's words.
 *
 * Unlike KubeVirt, which gives threads their CPUs and their scheduling class after QEMU runs, all of it is in the
 * document: a real-time vCPU is SCHED_FIFO on its own CPU before the first guest instruction, and QEMU's other threads
 * never start on an exclusive CPU. No vCPUs are kept for hot-plug: they would need a place nobody promised. */
#include <string.h>

#include "runtime/domain/build.h"

void domain_write_vcpus(struct domain_build *b)
{
    struct cpuset_text shared;
    bool floats = !b->placement->dedicated && !cpuset_is_empty(&b->placement->shared);
    xml_open(b->xml, "vcpu");
    xml_attribute(b->xml, "placement", "static");
    xml_attribute(b->xml, "cpuset", floats ? cpuset_format(&b->placement->shared, &shared) : NULL);
    xml_text(b->xml, NUMBER(b->spec->vcpus));
    xml_close(b->xml);
}

void domain_write_iothreads(struct domain_build *b)
{
    if (b->placement->iothread_count > 0)
        xml_text_leaf(b->xml, "iothreads", NUMBER(b->placement->iothread_count));
}

/* A vCPU of a dedicated VM may be told to float (rtvmd.io/shared-vcpus): over housekeeping CPUs, never elsewhere. */
void domain_write_vcpu_pins(struct domain_build *b)
{
    const struct placement *p = b->placement;
    struct cpuset_text shared;
    for (unsigned i = 0; i < p->vcpu_count && p->dedicated; i++) {
        const char *cpus = p->vcpu_cpu[i] >= 0 ? NUMBER((unsigned)p->vcpu_cpu[i]) : cpuset_format(&p->shared, &shared);
        xml_leaf(b->xml, "vcpupin", "vcpu", NUMBER(i), "cpuset", cpus);
    }
}

struct cpuset domain_emulator_at_start(const struct placement *placement)
{
    /* empty: wherever libvirt lets it */
    return cpuset_is_empty(&placement->emulator) ? placement->emulator
                                                 : cpuset_or(&placement->emulator, &placement->filling);
}

void domain_write_emulator_pin(struct domain_build *b)
{
    struct cpuset_text text;
    struct cpuset cpus = b->request->starts ? domain_emulator_at_start(b->placement) : b->placement->emulator;
    if (!cpuset_is_empty(&cpus))
        xml_leaf(b->xml, "emulatorpin", "cpuset", cpuset_format(&cpus, &text));
}

void domain_write_iothread_pins(struct domain_build *b)
{
    struct cpuset_text cpus;
    for (unsigned i = 0; i < b->placement->iothread_count; i++)
        if (!cpuset_is_empty(&b->placement->iothread[i]))
            xml_leaf(b->xml, "iothreadpin", "iothread", NUMBER(i + 1), "cpuset",
                     cpuset_format(&b->placement->iothread[i], &cpus));
}

/* libvirt refuses ids a VM does not have, where KubeVirt's mask may name them: only the vCPUs that exist are listed. */
void domain_write_vcpu_scheduler(struct domain_build *b)
{
    struct cpuset_text vcpus;
    struct cpuset all = cpuset_range(0, b->spec->vcpus - 1);
    struct cpuset realtime = cpuset_and(&b->placement->realtime_vcpus, &all);
    while (!cpuset_is_empty(&realtime)) { /* one element for every priority in use */
        unsigned priority = placement_priority(b->placement, (unsigned)cpuset_next(&realtime, 0));
        struct cpuset equal = {0};
        cpuset_foreach(v, &realtime)
        {
            if (placement_priority(b->placement, (unsigned)v) == priority)
                cpuset_add(&equal, (unsigned)v);
        }
        realtime = cpuset_minus(&realtime, &equal);
        xml_leaf(b->xml, "vcpusched", "vcpus", cpuset_format(&equal, &vcpus), "scheduler", "fifo", "priority",
                 NUMBER(priority));
    }
}

static bool model_follows_host(const char *model)
{
    return !model || strcmp(model, "host-model") == 0 || strcmp(model, "host-passthrough") == 0;
}

void domain_write_cpu_model(struct domain_build *b)
{
    const char *model = b->spec->cpu_model;
    if (b->spec->realtime && !json_text_at(b->spec->document, "spec.domain.cpu.model", NULL))
        findings_warn(b->findings, "cpu.model: %s, because the VM is real-time and names no model", model);
    if (model_follows_host(model)) {
        const char *mode = model ? model : "host-model";
        if (b->request->emulation) {
            findings_warn(b->findings,
                          "cpu.model %s is not possible under emulation: the VM gets everything the "
                          "emulator has (mode maximum)",
                          mode);
            mode = "maximum";
        }
        xml_attribute(b->xml, "mode", mode);
        return;
    }
    xml_attribute(b->xml, "mode", "custom");
    if (b->request->emulation) {
        findings_warn(b->findings, "cpu.model %s: the emulator leaves out what it lacks of this model", model);
        xml_attribute(b->xml, "check", "none");
    }
    xml_text_leaf(b->xml, "model", model);
}

void domain_write_topology(struct domain_build *b)
{
    xml_leaf(b->xml, "topology", "sockets", NUMBER(b->spec->sockets), "cores", NUMBER(b->spec->cores), "threads",
             NUMBER(b->spec->threads));
}

/* CPU features QEMU's emulator has, by libvirt's names (QEMU 7.2: query-cpu-model-expansion of "max" under TCG). */
static const char *const EMULATED_FEATURES[] = {
    "3dnow",  "3dnowext", "abm",     "acpi",       "adx",       "aes",     "apic",       "arat",    "avx",     "avx2",
    "bmi1",   "bmi2",     "clflush", "clflushopt", "clwb",      "cmov",    "cr8legacy",  "cx16",    "cx8",     "de",
    "erms",   "f16c",     "fma",     "fpu",        "fsgsbase",  "fxsr",    "hypervisor", "la57",    "lahf_lm", "lm",
    "mca",    "mce",      "mmx",     "mmxext",     "monitor",   "movbe",   "mpx",        "msr",     "mtrr",    "npt",
    "nx",     "pae",      "pat",     "pclmuldq",   "pclmulqdq", "pdpe1gb", "pge",        "pks",     "pku",     "pni",
    "popcnt", "pse",      "pse36",   "rdrand",     "rdtscp",    "sep",     "smap",       "smep",    "ss",      "sse",
    "sse2",   "sse3",     "sse4.1",  "sse4.2",     "sse4a",     "ssse3",   "svm",        "syscall", "tsc",     "umip",
    "vaes",   "xgetbv1",  "xsave",   "xsaveopt",
};

static bool feature_is_emulated(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(EMULATED_FEATURES); i++)
        if (strcmp(EMULATED_FEATURES[i], name) == 0)
            return true;
    return false;
}

static bool policy_needs_feature(const char *policy)
{
    return !policy || strcmp(policy, "") == 0 || strcmp(policy, "require") == 0 || strcmp(policy, "force") == 0;
}

void domain_write_cpu_features(struct domain_build *b)
{
    bool named_model = !model_follows_host(b->spec->cpu_model);
    bool has_mpx = false;
    for (unsigned i = 0; i < b->spec->cpu_feature_count; i++) {
        const struct vm_cpu_feature *f = &b->spec->cpu_feature[i];
        has_mpx |= strcmp(f->name, "mpx") == 0;
        if (b->request->emulation && policy_needs_feature(f->policy) && !feature_is_emulated(f->name)) {
            findings_warn(b->findings, "cpu.features %s: left out, the emulator does not have it", f->name);
            continue;
        }
        const char *policy = f->policy && f->policy[0] ? f->policy : NULL;
        xml_leaf(b->xml, "feature", "policy", policy, "name", f->name);
    }
    /* Named models may contain MPX, which kernel and CPUs have dropped: KubeVirt takes it out. */
    if (named_model && !has_mpx && build_is_x86(b))
        xml_leaf(b->xml, "feature", "policy", "disable", "name", "mpx");
}

static void write_distances(struct domain_build *b, unsigned from)
{
    const struct placement *p = b->placement;
    const struct host *host = b->request->host;
    int here = host_node_index(host, p->cell[from].host_node);
    xml_open(b->xml, "distances");
    for (unsigned to = 0; to < p->cell_count; to++) {
        int there = host_node_index(host, p->cell[to].host_node);
        int distance = here >= 0 && there >= 0 ? host->node[here].distance[there] : 0;
        if (distance > 0)
            xml_leaf(b->xml, "sibling", "id", NUMBER(to), "value", NUMBER((unsigned)distance));
    }
    xml_close(b->xml);
}

/* Guest cells mirror host nodes. A VM with huge pages but without the mapping gets one cell over everything, as
 * KubeVirt does, because QEMU backs cells, not machines, by memfd. */
void domain_write_cells(struct domain_build *b)
{
    const struct placement *p = b->placement;
    struct cpuset_text vcpus;
    for (unsigned i = 0; i < p->cell_count; i++) {
        xml_open(b->xml, "cell");
        xml_attribute(b->xml, "id", NUMBER(i));
        bool has_cpus = !cpuset_is_empty(&p->cell[i].vcpus);
        xml_attribute(b->xml, "cpus", has_cpus ? cpuset_format(&p->cell[i].vcpus, &vcpus) : NULL);
        xml_attribute(b->xml, "memory", NUMBER(p->cell[i].memory_bytes));
        xml_attribute(b->xml, "unit", "b");
        write_distances(b, i);
        xml_close(b->xml);
    }
    if (p->cell_count == 0 && b->spec->hugepage_bytes > 0 && b->spec->memfd) {
        struct cpuset all = cpuset_range(0, b->spec->vcpus - 1);
        xml_leaf(b->xml, "cell", "id", "0", "cpus", cpuset_format(&all, &vcpus), "memory",
                 NUMBER(b->spec->memory_bytes), "unit", "b");
    }
}
