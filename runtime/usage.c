#include "runtime/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"

enum { FILE_MAX = 16 << 10 };

void process_usage_finish(struct process_usage *usage)
{
    free(take(usage->vcpu));
    usage->vcpu_count = 0;
}

static int read_in(const char *root, const char *folder, const char *name, struct text *ret_text, struct error *err)
{
    auto_free char *path = must_format("%s/%s", folder, name);
    return file_read(root, path, FILE_MAX, ret_text, err);
}

/* The n-th field of a stat file as proc(5) counts them; names may hold blanks and parentheses. NULL: not so many. */
static const char *stat_field(const char *stat, unsigned n)
{
    const char *at = strrchr(stat, ')');
    for (unsigned field = 2; at && field < n; field++)
        if ((at = strchr(at, ' ')))
            at++;
    return at;
}

static uint64_t stat_number(const char *stat, unsigned n)
{
    const char *at = stat_field(stat, n);
    return at ? strtoull(at, NULL, 10) : 0;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t status_bytes(const char *status, const char *key)
{
    for (const char *line = status; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        size_t length = strlen(key);
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return strtoull(line + length + 1, NULL, 10) * 1024;
    }
    return 0;
}

/* A row of /proc/PID/task/TID/sched, "wait_sum : 12.345678": milliseconds and nanoseconds. Older kernels put words
 * before the key ("se.statistics."); kernels without SCHED_DEBUG have no such file. Counted while
 * kernel.sched_schedstats is 1. */
static uint64_t sched_ns(const char *sched, const char *key)
{
    const char *at = strstr(sched, key);
    const char *value = at ? at + strlen(key) + strspn(at + strlen(key), " ") : "";
    if (*value != ':')
        return UINT64_MAX;
    char *end;
    uint64_t ms = strtoull(value + 1, &end, 10);
    uint64_t ns = *end == '.' ? strtoull(end + 1, NULL, 10) : 0;
    return ns < 1000000 && ms < UINT64_MAX / 1000000 - 1 ? ms * 1000000 + ns : UINT64_MAX;
}

/* "CPU 3/KVM", "CPU 3/TCG" */
static bool is_vcpu(const char *comm, unsigned *ret_index)
{
    if (!text_starts_with(comm, "CPU "))
        return false;
    char *end;
    unsigned long index = strtoul(comm + 4, &end, 10);
    if (end == comm + 4 || *end != '/' || index >= LIMIT_VM_VCPUS)
        return false;
    *ret_index = (unsigned)index;
    return true;
}

static void read_thread(const char *root, const char *folder, struct process_usage *usage)
{
    auto_text comm = {0};
    auto_text schedstat = {0};
    auto_text stat = {0};
    auto_text sched = {0};
    struct error gone;
    struct vcpu_usage vcpu = {.wait_ns = UINT64_MAX};
    if (read_in(root, folder, "comm", &comm, &gone) || !is_vcpu(text_cstr(&comm), &vcpu.index) ||
        read_in(root, folder, "stat", &stat, &gone))
        return;
    vcpu.last_cpu = (int)stat_number(text_cstr(&stat), 39);
    if (read_in(root, folder, "schedstat", &schedstat, &gone) == 0) {
        char *end;
        vcpu.run_ns = strtoull(text_cstr(&schedstat), &end, 10);
        vcpu.delay_ns = strtoull(end, NULL, 10);
    } else { /* a kernel without them counts in ticks */
        vcpu.run_ns = ticks_to_ns(stat_number(text_cstr(&stat), 14) + stat_number(text_cstr(&stat), 15));
    }
    if (read_in(root, folder, "sched", &sched, &gone) == 0)
        vcpu.wait_ns = sched_ns(text_cstr(&sched), "wait_sum");
    usage->vcpu = must_realloc(usage->vcpu, usage->vcpu_count + 1, sizeof *usage->vcpu);
    usage->vcpu[usage->vcpu_count++] = vcpu;
}

static int read_threads(const char *root, int pid, struct process_usage *usage, struct error *err)
{
    auto_free char *full = must_format("%s/proc/%d/task", root ? root : "", pid);
    DIR *tasks = opendir(full);
    if (!tasks)
        return fail(err, ERROR_NOT_FOUND, "process %d is gone", pid);
    for (struct dirent *task; (task = readdir(tasks));) {
        uint64_t tid;
        if (!text_to_u64(task->d_name, &tid))
            continue;
        auto_free char *folder = must_format("/proc/%d/task/%llu", pid, (unsigned long long)tid);
        read_thread(root, folder, usage);
    }
    closedir(tasks);
    return 0;
}

int process_usage_read(const char *root, int pid, struct process_usage *ret_usage, struct error *err)
{
    auto_free char *folder = must_format("/proc/%d", pid);
    auto_text stat = {0};
    auto_text status = {0};
    if (read_in(root, folder, "stat", &stat, err) || read_in(root, folder, "status", &status, err))
        return -1;
    struct process_usage usage = {
        .user_ns = ticks_to_ns(stat_number(text_cstr(&stat), 14)),
        .system_ns = ticks_to_ns(stat_number(text_cstr(&stat), 15)),
        .resident_bytes = status_bytes(text_cstr(&status), "VmRSS"),
        .hugepage_bytes = status_bytes(text_cstr(&status), "HugetlbPages"),
        .locked_bytes = status_bytes(text_cstr(&status), "VmLck"),
    };
    if (read_threads(root, pid, &usage, err)) {
        process_usage_finish(&usage);
        return -1;
    }
    *ret_usage = usage;
    return 0;
}
