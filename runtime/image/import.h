/* From a source of bytes to a disk in the local store: the part import and pull share. */
#pragma once

#include "runtime/image/image.h"

struct import_job {
    const struct image_config *config;
    const char *name;     /* checked */
    const char *path;     /* inside a container image; "" for the only file in /disk */
    const char *manifest; /* the registry's digest, or NULL */
    bool pulled;
    bool any_file; /* not a disk: a kernel or an initrd, kept as it is */
    void (*progress)(const char *sentence, void *arg);
    void *progress_arg;
};

/* [blocks] All of them leave nothing behind when they fail. */
int import_file(const struct import_job *job, const char *file, struct error *err);
int import_layout(const struct import_job *job, const char *dir, struct error *err);
int import_docker_archive(const struct import_job *job, const char *file, struct error *err);

void import_say(const struct import_job *job, const char *format, ...) PRINTF_LIKE(2, 3);
