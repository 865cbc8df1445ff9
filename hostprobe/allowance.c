/* Which CPUs and memory nodes the cgroups leave us.
 *
 * A recorded tree is read as its recorder saw it: limited to the cgroup it ran in. The live machine is read from the
 * top of the cgroup hierarchy that we can see, because a VM gets a cgroup beside ours, not below it: an operator who
 * confines services to the housekeeping CPUs takes nothing from the VMs. At the true top there is no limit (there,
 * "effective" merely lacks the CPUs that isolated partitions took out of it); in a container the top is the
 * container's own cgroup, and is one.
 *
 * Files: cgroup v2 cpuset.{cpus,mems}.effective (Documentation/admin-guide/cgroup-v2.rst), v1 cpuset.{cpus,mems}, and
 * {cpus,mems} where mounted with "noprefix" or as the older "cpuset" file system. */
#include <stdio.h>
#include <string.h>

#include "hostprobe/probe.h"

enum { GROUP_MAX = 400 };

struct hierarchy {
    char folder[512];
    const char *cpus;
    const char *nodes;
    bool unified;
};

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static bool find_hierarchy(const struct files *files, struct hierarchy *ret_hierarchy)
{
    auto_text mounts = {0};
    mounts_read(files, &mounts);
    const char *cursor = text_cstr(&mounts);
    struct mount mount;
    bool found = false;
    while (mounts_next(&cursor, &mount)) {
        struct hierarchy h = {.cpus = "cpuset.cpus", .nodes = "cpuset.mems"};
        snprintf(h.folder, sizeof h.folder, "%s", mount.folder);
        if (strcmp(mount.type, "cgroup2") == 0) {
            char controllers[512] = "";
            files_line(files, controllers, sizeof controllers, "%s/cgroup.controllers", mount.folder);
            if (!has_word(controllers, "cpuset"))
                continue;
            h.cpus = "cpuset.cpus.effective";
            h.nodes = "cpuset.mems.effective";
            h.unified = true;
        } else if (strcmp(mount.type, "cpuset") == 0) {
            h.cpus = "cpus";
            h.nodes = "mems";
        } else if (strcmp(mount.type, "cgroup") == 0 && mount_option(&mount, "cpuset", NULL, 0)) {
            if (mount_option(&mount, "noprefix", NULL, 0)) {
                h.cpus = "cpus";
                h.nodes = "mems";
            }
        } else {
            continue;
        }
        *ret_hierarchy = h;
        found = true;
        if (!h.unified)
            break; /* a controller is in one hierarchy only; an empty v2 mount beside v1 does not count */
    }
    return found;
}

/* "4:cpuset:/path" and "0::/path" of /proc/self/cgroup; /proc/self/cpuset holds the bare path. */
static bool own_group(const struct files *files, bool unified, char *ret_group, size_t size)
{
    if (files_line(files, ret_group, size, "/proc/self/cpuset"))
        return true;
    auto_text text = {0};
    if (!files_read(files, &text, "/proc/self/cgroup"))
        return false;
    const char *key = unified ? "0::" : ":cpuset:";
    const char *at = strstr(text_cstr(&text), key);
    if (!at)
        return false;
    at += strlen(key);
    snprintf(ret_group, size, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

/* Reads NAME in the group or, when the controller is not on there, in the nearest group above that has it. */
static bool read_upward(const struct files *files, const char *folder, const char *group, const char *name,
                        struct cpuset *ret_set)
{
    char at[GROUP_MAX];
    snprintf(at, sizeof at, "%s", group);
    for (;;) {
        size_t n = strlen(at);
        while (n > 0 && at[n - 1] == '/')
            at[--n] = '\0';
        if (files_set(files, ret_set, "%s%s/%s", folder, at, name) && !cpuset_is_empty(ret_set))
            return true;
        char *slash = strrchr(at, '/');
        if (!slash)
            return false;
        *slash = '\0';
    }
}

void allowance_read(const struct files *files, struct allowance *ret_allowance)
{
    *ret_allowance = (struct allowance){0};
    struct hierarchy h;
    if (!find_hierarchy(files, &h))
        return;
    char group[GROUP_MAX] = "/";
    if (files->root[0] != '\0')
        own_group(files, h.unified, group, sizeof group);
    else if (h.unified && !files_exists(files, "%s/cgroup.type", h.folder))
        return;
    if (strstr(group, "/.."))
        return; /* outside the cgroup namespace */
    ret_allowance->cpus_known = read_upward(files, h.folder, group, h.cpus, &ret_allowance->cpus);
    ret_allowance->nodes_known = read_upward(files, h.folder, group, h.nodes, &ret_allowance->nodes);
}
