#include "rtvmd/base/limits.h"

#undef LIMIT_QUIET_S
#define LIMIT_QUIET_S 0
#undef LIMIT_QUIET_REQUESTS
#define LIMIT_QUIET_REQUESTS 3u
#undef LIMIT_CHANGE_AGE_S
#define LIMIT_CHANGE_AGE_S 0
#include "api/quiet.c"

#include <stdio.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "tests/test.h"

static struct loop *loop;
static struct store *store;

static long anonymous_kib(void)
{
    auto_text status = {0};
    struct error err;
    if (file_read(NULL, "/proc/self/status", 1u << 16, &status, &err) < 0)
        return -1;
    const char *at = strstr(text_cstr(&status), "RssAnon:");
    return at ? strtol(at + strlen("RssAnon:"), NULL, 10) : -1;
}

enum { PIECES = 40000, PIECE_BYTES = 1500 };

/* As a burst leaves it: one small piece in ten stays, the rest of 60 MB is free between them. */
static void leave_holes(void *piece[])
{
    for (unsigned i = 0; i < PIECES; i++)
        memset(piece[i] = must_calloc(1, PIECE_BYTES), 'x', PIECE_BYTES);
    for (unsigned i = 0; i < PIECES; i++)
        if (i % 10)
            free(take(piece[i]));
}

static void memory_goes_back_when_requests_cease(void)
{
    static void *piece[PIECES];
    struct quiet *quiet = quiet_new(loop, store);
    long before = anonymous_kib();
    leave_holes(piece);
    long full = anonymous_kib();
    CHECK(full - before > 50000);
    for (unsigned i = 0; i <= LIMIT_QUIET_REQUESTS; i++)
        quiet_disturb(quiet);
    CHECK(quiet->is_armed && quiet->forgets);
    loop_run_once(loop, true); /* too many: it waits for a period with fewer */
    CHECK(quiet->is_armed);
    CHECK(anonymous_kib() > full - 1000);
    while (quiet->is_armed)
        loop_run_once(loop, true);
#if !defined(__SANITIZE_ADDRESS__) /* whose allocator has no such thing */
    CHECK(anonymous_kib() - before < 30000);
#endif
    for (unsigned i = 0; i < PIECES; i++)
        free(take(piece[i]));
    quiet_disturb(quiet); /* and again later */
    CHECK(quiet->is_armed);
    quiet_free(quiet);
    quiet_free(NULL);
}

static void count_change(const struct store_change *change, void *arg)
{
    (void)change;
    ++*(unsigned *)arg;
}

static void old_changes_are_forgotten(void)
{
    struct error err;
    unsigned count = 0;
    uint64_t since = store_version(store);
    json_t *map = json_pack("{s:s, s:s, s:{s:s, s:s}}", "kind", "ConfigMap", "apiVersion", "v1", "metadata", "name",
                            "a", "namespace", "default");
    CHECK_INT(store_create(store, map, NULL, &err), 0);
    CHECK_INT(store_flush(store, &err), 0);
    CHECK_INT(store_forget_changes(store, 3600000), 1); /* not so soon */
    CHECK_INT(store_replay(store, since, count_change, &count, &err), 0);
    CHECK_INT(count, 1);
    struct quiet *quiet = quiet_new(loop, store);
    quiet_disturb(quiet);
    while (quiet->forgets)
        loop_run_once(loop, true);
    CHECK_INT(store_replay(store, since, count_change, &count, &err), -1);
    CHECK_INT(err.kind, ERROR_EXPIRED);
    CHECK_INT(store_replay(store, store_version(store), count_change, &count, &err), 0); /* who knows all goes on */
    CHECK_INT(count, 1);
    quiet_free(quiet);
}

int main(void)
{
    char folder[] = "/tmp/rtvmd-quiet-XXXXXX";
    struct error err = {0};
    loop = loop_new();
    if (!mkdtemp(folder) || !(store = store_open(folder, NULL, &err))) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    RUN(memory_goes_back_when_requests_cease);
    RUN(old_changes_are_forgotten);
    store_close(store);
    loop_free(loop);
    file_remove_tree(folder, &err);
    return test_end();
}
