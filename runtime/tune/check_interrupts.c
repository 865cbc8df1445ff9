/* Interrupts: where they may go, where they really go, and what was counted. Affinity masks lie (a driver or the chip
 * may not follow them), so the effective mask and the counters are read too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tune/check.h"

static enum verdict look_default_affinity(const struct patient *p, struct text *found)
{
    return look_mask(p, found, "/proc/irq/default_smp_affinity");
}

/* Interrupts by number, with a CPU set of each that must hold no real-time CPU. */
struct irqs {
    const struct patient *patient;
    const char *file;
    unsigned seen;
    unsigned bad;
    char first[64];
};

static void look_at_irq(const char *name, void *arg)
{
    struct irqs *irqs = arg;
    uint64_t number;
    struct cpuset set;
    if (!text_to_u64(name, &number) || !files_set(&irqs->patient->files, &set, "/proc/irq/%s/%s", name, irqs->file))
        return;
    irqs->seen++;
    if (!cpuset_intersects(&set, &irqs->patient->rt))
        return;
    if (irqs->bad++ == 0)
        snprintf(irqs->first, sizeof irqs->first, "%s", name);
}

static enum verdict look_irqs(const struct patient *p, struct text *found, const char *file)
{
    struct irqs irqs = {.patient = p, .file = file};
    files_each(&p->files, look_at_irq, &irqs, "/proc/irq/");
    if (irqs.seen == 0) {
        text_append(found, p->live ? "no interrupt shows it" : "/proc/irq is not recorded");
        return VERDICT_UNKNOWN;
    }
    text_printf(found, "%u of %u", irqs.bad, irqs.seen);
    if (irqs.bad)
        text_printf(found, ", the first is %s", irqs.first);
    return irqs.bad ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_effective(const struct patient *p, struct text *found)
{
    return look_irqs(p, found, "effective_affinity_list");
}

static enum verdict look_allowed(const struct patient *p, struct text *found)
{
    return look_irqs(p, found, "smp_affinity_list");
}

static uint64_t counter(const struct interrupts *in, size_t offset, int cpu)
{
    return ((const uint64_t *)((const char *)in + offset))[cpu];
}

/* How often per second the counter moved on the worst real-time CPU, while we looked. */
static enum verdict look_rate(const struct patient *p, struct text *found, size_t offset, double most)
{
    if (!p->before.known || !p->after.known || p->sample_ms == 0) {
        text_append(found, p->live ? "/proc/interrupts cannot be read" : "a recorded host counts nothing");
        return VERDICT_UNKNOWN;
    }
    double worst = 0;
    int where = -1;
    cpuset_foreach(cpu, &p->rt)
    {
        uint64_t moved = counter(&p->after, offset, cpu) - counter(&p->before, offset, cpu);
        double rate = (double)moved * 1000 / p->sample_ms;
        if (cpuset_has(&p->after.cpus, (unsigned)cpu) && (where < 0 || rate > worst)) {
            worst = rate;
            where = cpu;
        }
    }
    text_printf(found, "%.0f a second on CPU %d", worst, where);
    return worst <= most ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_devices(const struct patient *p, struct text *found)
{
    return look_rate(p, found, offsetof(struct interrupts, device), 0.5);
}

static enum verdict look_ticks(const struct patient *p, struct text *found)
{
    return look_rate(p, found, offsetof(struct interrupts, timer), 10);
}

static enum verdict look_calls(const struct patient *p, struct text *found)
{
    return look_rate(p, found, offsetof(struct interrupts, call), 5);
}

/* Threads of interrupts, on PREEMPT_RT or with threadirqs, at FIFO 50: above any vCPU. */
static enum verdict look_threads(const struct patient *p, struct text *found)
{
    if (!p->tasks.known) {
        text_append(found, "no threads are recorded");
        return VERDICT_UNKNOWN;
    }
    for (size_t i = 0; i < p->tasks.count; i++) {
        const struct task *t = &p->tasks.at[i];
        if (t->kernel && text_starts_with(t->name, "irq/") && cpuset_intersects(&t->allowed, &p->rt)) {
            text_printf(found, "%s at priority %d", t->name, t->priority);
            return VERDICT_BAD;
        }
    }
    text_append(found, "none");
    return VERDICT_OK;
}

/* Packet steering masks: one file per queue of each interface. */
struct queues {
    const struct patient *patient;
    char interface[64];
    const char *kind; /* "rx-" or "tx-" */
    const char *file;
    unsigned seen;
    char first[160];
};

static void look_at_queue(const char *name, void *arg)
{
    struct queues *q = arg;
    struct cpuset set;
    if (!text_starts_with(name, q->kind) ||
        !files_mask(&q->patient->files, &set, "/sys/class/net/%s/queues/%s/%s", q->interface, name, q->file))
        return;
    q->seen++;
    if (cpuset_intersects(&set, &q->patient->rt) && !q->first[0])
        snprintf(q->first, sizeof q->first, "%s %s", q->interface, name);
}

static void look_at_interface(const char *name, void *arg)
{
    struct queues *q = arg;
    snprintf(q->interface, sizeof q->interface, "%s", name);
    files_each(&q->patient->files, look_at_queue, q, "/sys/class/net/%s/queues/", name);
}

static enum verdict look_steering(const struct patient *p, struct text *found, const char *kind, const char *file)
{
    struct queues queues = {.patient = p, .kind = kind, .file = file};
    files_each(&p->files, look_at_interface, &queues, "/sys/class/net/");
    if (queues.seen == 0) {
        text_append(found, p->live ? "no queue has it" : "/sys/class/net is not recorded");
        return p->live ? VERDICT_NOT_APPLICABLE : VERDICT_UNKNOWN;
    }
    text_append(found, queues.first[0] ? queues.first : "none");
    return queues.first[0] ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_rps(const struct patient *p, struct text *found)
{
    return look_steering(p, found, "rx-", "rps_cpus");
}

static enum verdict look_xps(const struct patient *p, struct text *found)
{
    return look_steering(p, found, "tx-", "xps_cpus");
}

static const struct check CHECKS[] = {
    {"irq-default", DOCTOR_WARNING, look_default_affinity, "no real-time CPU",
     "An interrupt that is set up later goes where this mask says.", "Documentation/core-api/irq/irq-affinity.rst",
     "echo {hk mask} > /proc/irq/default_smp_affinity", "boot with irqaffinity={hk}", ""},
    {"irq-effective", DOCTOR_WARNING, look_effective, "0 of all",
     "The effective affinity is where the hardware delivers; an interrupt that may be delivered to a vCPU's CPU will stop the vCPU one day.",
     "Documentation/core-api/irq/irq-affinity.rst",
     "for i in /proc/irq/[0-9]*; do echo {hk} > $i/smp_affinity_list; done",
     "boot with irqaffinity={hk} and isolcpus=managed_irq,domain,{rt}",
     "all device interrupts are served by CPUs {hk}"},
    {"irq-allowed", DOCTOR_INFO, look_allowed, "0 of all",
     "An interrupt that may go to a real-time CPU will, once its present CPU is taken offline or it is set up anew.",
     "Documentation/core-api/irq/irq-affinity.rst",
     "for i in /proc/irq/[0-9]*; do echo {hk} > $i/smp_affinity_list; done", "boot with irqaffinity={hk}", ""},
    {"irq-counted", DOCTOR_CRITICAL, look_devices, "none",
     "Device interrupts that came to real-time CPUs while we looked; masks tell what may happen, counters what does.",
     "Documentation/filesystems/proc.rst, interrupts", "move them: see irq-effective",
     "see irq-effective; managed interrupts need isolcpus=managed_irq", ""},
    {"irq-threads", DOCTOR_WARNING, look_threads, "none",
     "A threaded interrupt runs at FIFO 50 and so before any vCPU.", "Documentation/core-api/genericirq.rst",
     "taskset -pc {hk} TID for each, or move the interrupt", "boot with irqaffinity={hk}", ""},
    {"tick-counted", DOCTOR_WARNING, look_ticks, "at most 10 a second",
     "Local timer interrupts on a real-time CPU: about one a second when the tick is really off.",
     "Documentation/timers/no_hz.rst", "", "boot with nohz_full={rt}; keep one thread on each such CPU", ""},
    {"calls-counted", DOCTOR_WARNING, look_calls, "at most 5 a second",
     "Calls from other CPUs (reschedule, function call, TLB) interrupt whatever runs.",
     "Documentation/admin-guide/kernel-per-CPU-kthreads.rst", "find the caller: trace-cmd record -e csd -e ipi",
     "isolate the CPUs; avoid memory unmapping and module loading while real-time VMs run", ""},
    {"rps", DOCTOR_WARNING, look_rps, "none", "Receive packet steering hands packets to these CPUs by an interrupt.",
     "Documentation/networking/scaling.rst",
     "for f in /sys/class/net/*/queues/rx-*/rps_cpus; do echo {hk mask} > $f; done",
     "a udev rule that does so for new interfaces", ""},
    {"xps", DOCTOR_INFO, look_xps, "none", "Transmit completions are then served by the queue of these CPUs.",
     "Documentation/networking/scaling.rst",
     "for f in /sys/class/net/*/queues/tx-*/xps_cpus; do echo {hk mask} > $f; done",
     "a udev rule that does so for new interfaces", ""},
};

const struct check_table CHECKS_INTERRUPTS = {"interrupts", CHECKS, ARRAY_SIZE(CHECKS)};
