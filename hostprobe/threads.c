/* The kernel's own threads that share a CPU with a vCPU, and the priority they really have: administrators and tuned
 * profiles change it, and a FIFO vCPU that spins starves what is not above it. Per-CPU threads carry their CPU in the
 * name; an interrupt's thread runs where its interrupt goes. rcub/N lifts whoever holds up RCU on some sixteen CPUs: a
 * housekeeping CPU among those is enough for it. migration/N is in a class above every priority: nothing starves it.
 *
 * One small file is read for each process, and a second one for interrupt threads: a few milliseconds. In a PID
 * namespace of our own, or a recorded tree without threads, there are none: then nothing is known. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hostprobe/probe.h"
#include "hostprobe/task_stat.h"

static const struct {
    const char *prefix;
    enum host_kernel_thread kind;
} THREADS[] = {
    {"rcuc/", HOST_THREAD_RCUC}, {"ktimers/", HOST_THREAD_KTIMERS}, {"ksoftirqd/", HOST_THREAD_KSOFTIRQD},
    {"rcub/", HOST_THREAD_RCUB}, {"irq/", HOST_THREAD_IRQ},
};

struct scan {
    const struct files *files;
    struct host *host;
};

static void note(struct host *host, unsigned cpu, enum host_kernel_thread kind, const struct task_stat *thread)
{
    struct host_cpu *of = &host->cpu[cpu];
    if (of->thread_priority[kind] >= 0 && of->thread_priority[kind] <= thread->priority)
        return;
    of->thread_priority[kind] = (int8_t)(thread->priority < 100 ? thread->priority : 99);
    if (kind == HOST_THREAD_IRQ)
        snprintf(of->irq_thread, sizeof of->irq_thread, "%.*s", (int)sizeof of->irq_thread - 1, thread->name);
    for (char *p = of->irq_thread; *p; p++)
        if (!isprint((unsigned char)*p))
            *p = '?';
}

static void note_where_allowed(const struct scan *scan, const char *pid, enum host_kernel_thread kind,
                               const struct task_stat *thread)
{
    auto_text status = {0};
    struct cpuset allowed;
    struct error err;
    if (!files_read(scan->files, &status, "/proc/%s/task/%s/status", pid, pid) ||
        task_status_cpus(text_cstr(&status), &allowed, &err) < 0)
        return;
    if (kind == HOST_THREAD_RCUB && !cpuset_is_subset(&allowed, &scan->host->isolated))
        return;
    cpuset_foreach(cpu, &allowed) note(scan->host, (unsigned)cpu, kind, thread);
}

static void look_at(const char *pid, void *arg)
{
    const struct scan *scan = arg;
    uint64_t number;
    auto_text line = {0};
    struct task_stat thread = {0};
    if (!text_to_u64(pid, &number) || number > INT32_MAX)
        return;
    if (!files_read(scan->files, &line, "/proc/%s/task/%s/stat", pid, pid) ||
        !task_stat_parse(text_cstr(&line), &thread) || !thread.kernel)
        return;
    scan->host->threads_known = true;
    for (size_t i = 0; i < ARRAY_SIZE(THREADS); i++) {
        if (!text_starts_with(thread.name, THREADS[i].prefix))
            continue;
        if (THREADS[i].kind == HOST_THREAD_IRQ || THREADS[i].kind == HOST_THREAD_RCUB)
            note_where_allowed(scan, pid, THREADS[i].kind, &thread);
        else if (text_to_u64(thread.name + strlen(THREADS[i].prefix), &number) && number < CPUSET_MAX)
            note(scan->host, (unsigned)number, THREADS[i].kind, &thread);
    }
}

void threads_read(const struct files *files, struct host *host)
{
    struct scan scan = {files, host};
    for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++)
        memset(host->cpu[cpu].thread_priority, -1, sizeof host->cpu[cpu].thread_priority);
    files_each(files, look_at, &scan, "/proc/");
}
