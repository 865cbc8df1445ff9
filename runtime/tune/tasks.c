#include "runtime/tune/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostprobe/task_stat.h"

struct scan {
    const struct files *files;
    struct task_list *list;
    int pid;
};

static void read_task(const char *name, void *arg)
{
    const struct scan *scan = arg;
    uint64_t tid;
    auto_text stat = {0};
    auto_text status = {0};
    struct task task = {.pid = scan->pid};
    struct task_stat parsed = {0};
    struct error err;
    if (!text_to_u64(name, &tid) || tid > INT32_MAX)
        return;
    task.tid = (int)tid;
    /* Threads come and go while we look: one that is gone is skipped. */
    if (!files_read(scan->files, &stat, "/proc/%d/task/%d/stat", task.pid, task.tid) ||
        !files_read(scan->files, &status, "/proc/%d/task/%d/status", task.pid, task.tid) ||
        !task_stat_parse(text_cstr(&stat), &parsed) || task_status_cpus(text_cstr(&status), &task.allowed, &err) < 0)
        return;
    snprintf(task.name, sizeof task.name, "%s", parsed.name);
    task.kernel = parsed.kernel;
    task.bound = parsed.bound;
    task.last_cpu = parsed.last_cpu;
    task.priority = parsed.priority;
    task.policy = parsed.policy;
    if (scan->list->count == scan->list->capacity) {
        scan->list->capacity = scan->list->capacity ? scan->list->capacity * 2 : 256;
        scan->list->at = must_realloc(scan->list->at, scan->list->capacity, sizeof task);
    }
    scan->list->at[scan->list->count++] = task;
}

static void read_process(const char *name, void *arg)
{
    struct scan *scan = arg;
    uint64_t pid;
    if (!text_to_u64(name, &pid) || pid > INT32_MAX)
        return;
    scan->pid = (int)pid;
    files_each(scan->files, read_task, scan, "/proc/%d/task/", scan->pid);
}

static int by_tid(const void *a, const void *b)
{
    const struct task *x = a;
    const struct task *y = b;
    return (x->tid > y->tid) - (x->tid < y->tid);
}

void tasks_read(const struct files *files, struct task_list *ret_list)
{
    *ret_list = (struct task_list){0};
    struct scan scan = {.files = files, .list = ret_list};
    files_each(files, read_process, &scan, "/proc/");
    ret_list->known = ret_list->count > 0;
    if (ret_list->count)
        qsort(ret_list->at, ret_list->count, sizeof *ret_list->at, by_tid);
}

void tasks_finish(struct task_list *list)
{
    free(list->at);
    *list = (struct task_list){0};
}

const struct task *tasks_named(const struct task_list *list, const char *prefix)
{
    for (size_t i = 0; i < list->count; i++)
        if (text_starts_with(list->at[i].name, prefix))
            return &list->at[i];
    return NULL;
}
