/* The side without rights; the plan is in unpack.h. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"
#include "runtime/image/unpack.h"

enum { NOBODY = 65534, FIRST_ARCHIVE = 3, BYTES_OUT = 1, RESULT_OUT = 2 };

/* The address sanitizer reserves terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_LIMIT RLIM_INFINITY
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_LIMIT RLIM_INFINITY
#endif
#endif
#ifndef MEMORY_LIMIT
#define MEMORY_LIMIT LIMIT_IMAGE_UNPACK_MEMORY_BYTES
#endif

static int become_nobody(struct error *err)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return fail_errno(err, "become nobody to unpack");
    return 0;
}

static int limit_resources(size_t archives, struct error *err)
{
    const struct {
        __rlimit_resource_t what;
        rlim_t most;
    } LIMITS[] = {
        {RLIMIT_NOFILE, FIRST_ARCHIVE + archives},  {RLIMIT_NPROC, 0},         {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0},
        {RLIMIT_CPU, LIMIT_IMAGE_UNPACK_MS / 1000}, {RLIMIT_AS, MEMORY_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(LIMITS); i++) {
        struct rlimit limit;
        if (getrlimit(LIMITS[i].what, &limit) < 0)
            return fail_errno(err, "limit what unpacking may use");
        limit.rlim_max = limit.rlim_max < LIMITS[i].most ? limit.rlim_max : LIMITS[i].most;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(LIMITS[i].what, &limit) < 0)
            return fail_errno(err, "limit what unpacking may use");
    }
    return 0;
}

static int confine(size_t archives, int (*filter)(struct error *err), struct error *err)
{
    if (become_nobody(err) < 0 || limit_resources(archives, err) < 0)
        return -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail_errno(err, "give up rights to unpack");
    return filter ? filter(err) : 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static int send_bytes(const void *bytes, size_t length, void *arg, struct error *err)
{
    uint64_t *sent = arg;
    *sent += length;
    return write_all(BYTES_OUT, bytes, length) < 0 ? fail_errno(err, "send the unpacked bytes") : 0;
}

/* argv: verb, "disk" or "member", name, number of archives. */
static int work(int argc, char **argv, int (*filter)(struct error *err), uint64_t *ret_sent, char **ret_path,
                struct error *err)
{
    uint64_t count = 0;
    if (argc != 4 || !text_to_u64(argv[3], &count) || count == 0 || count > LIMIT_IMAGE_LAYERS)
        return fail(err, ERROR_BAD_REQUEST, "this verb is for rtvmd itself");
    if (confine(count, filter, err) < 0)
        return -1;
    int archives[LIMIT_IMAGE_LAYERS];
    for (size_t i = 0; i < count; i++)
        archives[i] = FIRST_ARCHIVE + (int)i;
    if (strcmp(argv[1], "member") == 0)
        return layer_find_member(archives[0], argv[2], send_bytes, ret_sent, err);
    return layer_find_disk(archives, count, argv[2], send_bytes, ret_sent, ret_path, err);
}

int unpack_child(int argc, char **argv, int (*filter)(struct error *err))
{
    struct error err;
    uint64_t sent = 0;
    auto_free char *path = NULL;
    auto_text line = {0};
    int result = work(argc, argv, filter, &sent, &path, &err);
    if (result == 0)
        text_printf(&line, "ok %" PRIu64 " %s\n", sent, path ? path : "");
    else
        text_printf(&line, "error %d %s\n", (int)err.kind, err.text);
    return write_all(RESULT_OUT, text_cstr(&line), line.length) < 0 || result < 0 ? 1 : 0;
}
