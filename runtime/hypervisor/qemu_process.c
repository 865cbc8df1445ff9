#include "runtime/hypervisor/qemu_process.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"

/* The argument after a flag in a NUL-separated command line, or NULL. */
static const char *argument_after(const struct text *line, const char *flag)
{
    const char *end = line->data + line->length;
    for (const char *at = line->data; at && at < end; at += strlen(at) + 1) {
        const char *next = at + strlen(at) + 1;
        if (strcmp(at, flag) == 0)
            return next < end ? next : NULL;
    }
    return NULL;
}

static bool runs_domain(const char *root, int pid, const char *name, const char *uuid)
{
    auto_text line = {0};
    auto_free char *path = must_format("/proc/%d/cmdline", pid);
    struct error ignored;
    if (file_read(root, path, LIMIT_SYSFILE_BYTES, &line, &ignored) < 0 || line.length == 0)
        return false;
    const char *found_uuid = argument_after(&line, "-uuid");
    const char *found_name = argument_after(&line, "-name");
    auto_free char *wanted = must_format("guest=%s", name);
    return found_uuid && strcmp(found_uuid, uuid) == 0 && found_name && text_starts_with(found_name, wanted) &&
           (found_name[strlen(wanted)] == ',' || found_name[strlen(wanted)] == '\0');
}

static int from_pid_file(const char *root, const char *folder, const char *name, const char *uuid)
{
    auto_free char *path = must_format("%s/%s.pid", folder, name);
    auto_free char *full = must_format("%s%s", root, path);
    struct stat info;
    if (stat(full, &info) < 0 || (info.st_uid != 0 && info.st_uid != geteuid()))
        return 0;
    auto_text content = {0};
    struct error ignored;
    if (file_read(root, path, 64, &content, &ignored) < 0)
        return 0;
    int pid = (int)strtol(text_cstr(&content), NULL, 10);
    return pid > 0 && runs_domain(root, pid, name, uuid) ? pid : 0;
}

static int from_processes(const char *root, const char *name, const char *uuid)
{
    auto_free char *qemu_home = must_format("%s/var/lib/libvirt/qemu", root);
    struct stat info;
    uid_t qemu_user = stat(qemu_home, &info) == 0 ? info.st_uid : geteuid();
    auto_free char *proc = must_format("%s/proc", root);
    DIR *processes = opendir(proc);
    if (!processes)
        return 0;
    int found = 0;
    for (struct dirent *process; found == 0 && (process = readdir(processes));) {
        uint64_t pid;
        if (!text_to_u64(process->d_name, &pid) || fstatat(dirfd(processes), process->d_name, &info, 0) < 0)
            continue;
        if (info.st_uid != 0 && info.st_uid != geteuid() && info.st_uid != qemu_user)
            continue;
        if (runs_domain(root, (int)pid, name, uuid))
            found = (int)pid;
    }
    closedir(processes);
    return found;
}

int qemu_process_find(const char *root, const char *name, const char *uuid)
{
    int pid = from_pid_file(root, "/run/libvirt/qemu", name, uuid);
    const char *session = getenv("XDG_RUNTIME_DIR");
    if (pid == 0 && session) {
        auto_free char *folder = must_format("%s/libvirt/qemu/run", session);
        pid = from_pid_file(root, folder, name, uuid);
    }
    return pid ? pid : from_processes(root, name, uuid);
}

unsigned qemu_process_user(const char *root, int pid)
{
    struct stat info;
    auto_free char *path = must_format("%s/proc/%d", root, pid);
    return stat(path, &info) == 0 ? info.st_uid : 0;
}
