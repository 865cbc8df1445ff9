/* The front door: probe, load, and the two questions everybody asks of a host. */
#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hostprobe/probe.h"
#include "rtvmd/base/file.h"

static int read_hardware(const struct files *files, struct host *host, struct error *err)
{
    struct allowance allowance;
    allowance_read(files, &allowance);
    topology_read(files, &allowance, host);
    if (cpuset_is_empty(&host->online))
        return fail(err, ERROR_INVALID,
                    "%s: no CPU is listed under sys/devices/system/cpu or proc/cpuinfo; is this a "
                    "recorded /sys and /proc tree?",
                    files->root[0] ? files->root : "this machine");
    memory_read(files, &allowance, host);
    threads_read(files, host);
    return 0;
}

static struct files files_under(const char *root)
{
    return (struct files){.root = root && strcmp(root, "/") != 0 ? root : ""};
}

int host_probe(const char *root, struct host *ret_host, struct error *err)
{
    struct files files = files_under(root);
    memset(ret_host, 0, sizeof *ret_host);
    if (read_hardware(&files, ret_host, err) < 0)
        return -1;
    kernel_read(&files, ret_host);
    return 0;
}

int host_look_again(const char *root, struct host *host, struct error *err)
{
    struct files files = files_under(root);
    auto_free struct host *fresh = must_calloc(1, sizeof *fresh);
    if (read_hardware(&files, fresh, err) < 0)
        return -1;
    size_t kernel = offsetof(struct host, architecture); /* from here on: the kernel, and what was tried */
    memcpy((char *)fresh + kernel, (const char *)host + kernel, sizeof *host - kernel);
    throttling_read(&files, fresh);
    *host = *fresh;
    return 0;
}

void host_try(struct host *host)
{
    kvm_try(host);
    fifo_try(host);
    locking_try(host);
    live_read(host);
}

static bool holds_tree(const char *folder)
{
    struct stat status;
    auto_free char *sys = must_format("%s/sys", folder);
    auto_free char *proc = must_format("%s/proc", folder);
    return (stat(sys, &status) == 0 && S_ISDIR(status.st_mode)) ||
           (stat(proc, &status) == 0 && S_ISDIR(status.st_mode));
}

/* The one folder up to depth levels below that holds a tree, to be freed; NULL when there is none, or several. */
static char *inner_tree(const char *root, unsigned depth)
{
    struct dirent **entries = NULL;
    int count = scandir(root, &entries, NULL, NULL);
    char *only = NULL;
    int candidates = 0;
    for (int i = 0; i < count; i++) {
        auto_free char *inner = must_format("%s/%s", root, entries[i]->d_name);
        auto_free char *found = NULL;
        bool is_hidden = entries[i]->d_name[0] == '.';
        if (!is_hidden && holds_tree(inner))
            found = take(inner);
        else if (!is_hidden && depth > 1)
            found = inner_tree(inner, depth - 1);
        if (found && candidates++ == 0)
            only = take(found);
        free(entries[i]);
    }
    free(entries);
    if (candidates != 1)
        free(take(only));
    return only;
}

char *host_tree_root(const char *folder)
{
    enum { DEPTH = 2 }; /* NAME/fsroot, as some archives have it */
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    char *root = must_strndup(folder, length);
    char *inner = holds_tree(root) ? NULL : inner_tree(root, DEPTH);
    if (!inner)
        return root;
    free(root);
    return inner;
}

static int load_snapshot(const char *path, struct host *ret_host, struct error *err)
{
    auto_text text = {0};
    if (file_read(NULL, path, LIMIT_SNAPSHOT_BYTES, &text, err) < 0)
        return -1;
    auto_json *snapshot = json_from_text(text_cstr(&text), text.length, err);
    if (!snapshot || host_from_json(snapshot, ret_host, err) < 0)
        return error_prefix(err, "%s", path);
    return 0;
}

int host_load(const char *file_or_folder, struct host *ret_host, struct error *err)
{
    if (!file_or_folder) {
        if (host_probe(NULL, ret_host, err) < 0)
            return -1;
        host_try(ret_host);
        return 0;
    }
    struct stat status;
    if (stat(file_or_folder, &status) < 0)
        return fail_errno(err, "host %s", file_or_folder);
    if (!S_ISDIR(status.st_mode))
        return load_snapshot(file_or_folder, ret_host, err);
    auto_free char *root = host_tree_root(file_or_folder);
    return host_probe(root, ret_host, err);
}

int host_node_index(const struct host *host, int node_id)
{
    for (unsigned i = 0; i < host->node_count; i++)
        if (host->node[i].id == node_id)
            return (int)i;
    return -1;
}

struct cpuset host_housekeeping(const struct host *host, const struct cpuset *reserved)
{
    if (reserved && !cpuset_is_empty(reserved))
        return *reserved;
    struct cpuset left = cpuset_minus(&host->online, &host->isolated);
    if (cpuset_intersects(&host->online, &host->isolated) && !cpuset_is_empty(&left))
        return left;
    int first = cpuset_next(&host->online, 0);
    return first < 0 ? cpuset_of(0) : host->cpu[first].siblings;
}
