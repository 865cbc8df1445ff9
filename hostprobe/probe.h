/* The stages of host_probe and host_try, in the order they run; private to hostprobe/. Each fills its part of a zeroed
 * struct host and leaves what it cannot know as it was set up. */
#pragma once

#include "hostprobe/files.h"
#include "hostprobe/hostprobe.h"

/* What the cgroup we are in, or see the top of, leaves us. */
struct allowance {
    bool cpus_known;
    bool nodes_known;
    struct cpuset cpus;
    struct cpuset nodes;
};
void allowance_read(const struct files *files, struct allowance *ret_allowance);

void topology_read(const struct files *files, const struct allowance *allowance, struct host *host);
void memory_read(const struct files *files, const struct allowance *allowance, struct host *host);
void kernel_read(const struct files *files, struct host *host);
void threads_read(const struct files *files, struct host *host);
void throttling_read(const struct files *files, struct host *host);

/* The mount table of the machine (false: not there), and one line of it: type and comma-separated options. */
struct mount {
    char folder[512];
    char type[32];
    char options[512];
};
bool mounts_read(const struct files *files, struct text *ret_text);
/* Takes the line at *cursor and moves it on; false at the end. */
bool mounts_next(const char **cursor, struct mount *ret_mount);
/* Is "name" or "name=value" among the options? The value, cut to size, when asked for. */
bool mount_option(const struct mount *mount, const char *name, char *ret_value, size_t size);

void kvm_try(struct host *host);
void fifo_try(struct host *host);
void locking_try(struct host *host);
void live_read(struct host *host);
