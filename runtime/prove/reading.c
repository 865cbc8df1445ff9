#include "runtime/prove/reading.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostprobe/task_stat.h"
#include "rtvmd/base/file.h"

/* A VM's threads are found in two places: the process's own task folder (QEMU's threads and, on newer kernels, the
 * helpers the kernel runs as user workers of the process), and among the kernel's own threads (kvm-pit/PID, vhost-TID,
 * and on older kernels kvm-nx-lpage-recovery). A kernel thread without a number in its name is the VM's when it sits in
 * the VM's own control group, where KVM put it. Threads come and go while we read: one that is gone is skipped. */

static int read_small(const char *root, const char *folder, const char *name, struct text *ret_text, struct error *err)
{
    auto_free char *path = must_format("%s/%s", folder, name);
    return file_read(root, path, LIMIT_SYSFILE_BYTES, ret_text, err);
}

int reading_thread(const char *root, const char *folder, int tid, struct prove_thread *ret_thread, struct error *err)
{
    auto_text comm = {0};
    auto_text stat = {0};
    auto_text status = {0};
    struct error gone;
    if (read_small(root, folder, "comm", &comm, &gone) < 0 || read_small(root, folder, "stat", &stat, &gone) < 0 ||
        read_small(root, folder, "status", &status, &gone) < 0) {
        if (gone.kind == ERROR_FORBIDDEN) {
            *err = gone;
            return -1;
        }
        return 0; /* ENOENT, or ESRCH in the middle of a read */
    }
    struct task_stat found = {0};
    struct prove_thread thread = {.tid = tid, .index = -1};
    snprintf(thread.name, sizeof thread.name, "%.*s", (int)strcspn(text_cstr(&comm), "\n"), text_cstr(&comm));
    bool has_cpus = task_status_cpus(text_cstr(&status), &thread.cpus, err) == 0;
    if (!task_stat_parse(text_cstr(&stat), &found) || (!has_cpus && err->kind == ERROR_NOT_FOUND))
        return fail(err, ERROR_INTERNAL, "%s/stat or status is not what proc(5) says", folder);
    if (!has_cpus)
        return error_prefix(err, "%s/status", folder);
    thread.start_ticks = found.start_ticks;
    thread.last_cpu = found.last_cpu;
    thread.priority = found.priority;
    thread.policy = found.policy;
    *ret_thread = thread;
    return 1;
}

static void append(struct proof *proof, const struct prove_thread *thread)
{
    proof->thread = must_realloc(proof->thread, proof->thread_count + 1, sizeof *proof->thread);
    proof->thread[proof->thread_count++] = *thread;
}

static int by_tid(const void *a, const void *b)
{
    const struct prove_thread *one = a;
    const struct prove_thread *other = b;
    return (one->tid > other->tid) - (one->tid < other->tid);
}

static int read_task_folder(const char *root, int pid, struct proof *proof, struct error *err)
{
    auto_free char *full = must_format("%s/proc/%d/task", root ? root : "", pid);
    DIR *tasks = opendir(full);
    if (!tasks)
        return fail(err, ERROR_NOT_FOUND, "process %d is gone", pid);
    int result = 0;
    for (struct dirent *task; result >= 0 && (task = readdir(tasks));) {
        uint64_t tid;
        if (!text_to_u64(task->d_name, &tid))
            continue;
        auto_free char *folder = must_format("/proc/%d/task/%d", pid, (int)tid);
        struct prove_thread thread;
        result = reading_thread(root, folder, (int)tid, &thread, err);
        if (result <= 0)
            continue;
        wish_role(&thread);
        append(proof, &thread);
    }
    closedir(tasks);
    return result < 0 ? -1 : 0;
}

/* Does a kernel thread of this name work for the process? */
static bool works_for(const char *root, const char *folder, const char *comm, int pid, const struct proof *proof,
                      const char *vm_group)
{
    if (text_starts_with(comm, "kvm-pit/"))
        return strtol(comm + strlen("kvm-pit/"), NULL, 10) == pid;
    if (text_starts_with(comm, "vhost-")) { /* numbered after the thread that opened the device */
        long owner = strtol(comm + strlen("vhost-"), NULL, 10);
        for (size_t i = 0; i < proof->thread_count; i++)
            if (proof->thread[i].tid == owner)
                return true;
        return false;
    }
    auto_text group = {0};
    struct error ignored;
    return text_starts_with(comm, "kvm-nx-lpage-re") && strstr(vm_group, "qemu") &&
           read_small(root, folder, "cgroup", &group, &ignored) == 0 && strcmp(text_cstr(&group), vm_group) == 0;
}

static int read_kernel_thread(const char *root, int tid, int pid, const char *vm_group, struct proof *proof,
                              struct error *err)
{
    auto_free char *folder = must_format("/proc/%d", tid);
    auto_text comm = {0};
    struct error gone;
    if (read_small(root, folder, "comm", &comm, &gone) < 0 ||
        !works_for(root, folder, text_cstr(&comm), pid, proof, vm_group))
        return 0;
    struct prove_thread thread;
    int result = reading_thread(root, folder, tid, &thread, err);
    if (result > 0) {
        wish_role(&thread);
        append(proof, &thread);
    }
    return result < 0 ? -1 : 0;
}

static int read_kernel_threads(const char *root, int pid, struct proof *proof, struct error *err)
{
    auto_text vm_group = {0};
    auto_free char *vm_folder = must_format("/proc/%d", pid);
    struct error ignored;
    read_small(root, vm_folder, "cgroup", &vm_group, &ignored); /* kernels without control groups have no such file */
    auto_free char *full = must_format("%s/proc", root ? root : "");
    DIR *processes = opendir(full);
    if (!processes)
        return fail_errno(err, "open %s", full);
    int result = 0;
    for (struct dirent *process; result == 0 && (process = readdir(processes));) {
        uint64_t tid;
        if (text_to_u64(process->d_name, &tid) && (int)tid != pid)
            result = read_kernel_thread(root, (int)tid, pid, text_cstr(&vm_group), proof, err);
    }
    closedir(processes);
    return result;
}

int reading_threads(const char *root, int pid, struct proof *proof, struct error *err)
{
    if (read_task_folder(root, pid, proof, err) < 0 || read_kernel_threads(root, pid, proof, err) < 0)
        return -1;
    if (proof->thread_count == 0)
        return fail(err, ERROR_NOT_FOUND, "process %d is gone", pid);
    qsort(proof->thread, proof->thread_count, sizeof *proof->thread, by_tid);
    return 0;
}
