#include "store/inside.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "tests/test.h"

static char folder[64];
static struct error err;

static void fresh_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/rtvmd-store-XXXXXX");
    if (!mkdtemp(folder))
        abort();
}

static void drop_folder(void)
{
    file_remove_tree(folder, &err);
}

static json_t *vm(const char *namespace_, const char *name, int cores)
{
    return json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:i}}", "apiVersion", "kubevirt.io/v1", "kind", "VirtualMachine",
                     "metadata", "namespace", namespace_, "name", name, "spec", "cores", cores);
}

static const char *version_of(const json_t *object)
{
    return json_text_at(object, "metadata.resourceVersion", "");
}

static void keeps_objects_over_a_restart(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    auto_json *stored = NULL;
    CHECK_INT(store_create(store, vm("default", "a", 1), &stored, &err), 0);
    CHECK_TEXT(version_of(stored), "1");
    CHECK_INT(json_int_at(stored, "metadata.generation", 0), 1);
    CHECK_INT(strlen(json_text_at(stored, "metadata.uid", "")), 36);
    CHECK_INT(store_create(store, vm("default", "a", 1), NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_ALREADY_EXISTS);
    CHECK_TEXT(err.text, "virtualmachines.kubevirt.io \"a\" already exists");
    CHECK_INT(store_create(store, vm("a-b", "z", 1), NULL, &err), 0);
    CHECK_INT(store_create(store, vm("a", "y", 1), NULL, &err), 0);
    CHECK_INT(store_delete(store, "VirtualMachine", "a", "y", NULL, &err), 0);
    CHECK_INT(store_delete(store, "VirtualMachine", "a", "y", NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(store_create(store, vm("a", "x", 1), NULL, &err), 0);
    store_close(store);

    store = store_open(folder, NULL, &err);
    CHECK(store != NULL);
    uint64_t version;
    auto_json *all = store_list(store, "VirtualMachine", NULL, &version);
    CHECK_INT(version, 5); /* a removal takes a version too, and none is used again */
    CHECK_INT(json_array_size(all), 3);
    CHECK_TEXT(json_text_at(all, "0.metadata.name", ""), "x"); /* "a" before "a-b" before "default" */
    CHECK_TEXT(json_text_at(all, "1.metadata.name", ""), "z");
    auto_json *some = store_list(store, "VirtualMachine", "a", NULL);
    CHECK_INT(json_array_size(some), 1);
    auto_json *one = store_get(store, "VirtualMachine", "default", "a");
    CHECK(json_equal(one, stored));
    struct stat status;
    auto_free char *file = must_format("%s/rtvmd.db", folder);
    CHECK(stat(file, &status) == 0 && (status.st_mode & 0777) == 0600);
    store_close(store);
    drop_folder();
}

static void checks_preconditions_of_updates(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    store_create(store, vm("default", "a", 1), NULL, &err);
    json_t *change = vm("default", "a", 2);
    json_put_at(change, "metadata.resourceVersion", json_string("7"));
    CHECK_INT(store_update(store, change, true, NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK_TEXT(err.text, "Operation cannot be fulfilled on virtualmachines.kubevirt.io \"a\": the object has been "
                         "modified; please apply your changes to the latest version and try again");
    change = vm("default", "a", 2);
    json_put_at(change, "metadata.uid", json_string("other"));
    CHECK_INT(store_update(store, change, true, NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    auto_json *stored = NULL;
    CHECK_INT(store_update(store, vm("default", "a", 2), true, &stored, &err), 0);
    CHECK_TEXT(version_of(stored), "2");
    CHECK_INT(json_int_at(stored, "metadata.generation", 0), 2);
    auto_json *same = NULL;
    CHECK_INT(store_update(store, vm("default", "a", 2), true, &same, &err), 0);
    CHECK(same == stored); /* not written */
    CHECK_INT(store_version(store), 2);
    CHECK_INT(store_update(store, vm("default", "b", 2), true, NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    store_close(store);
    drop_folder();
}

static struct store_claim claim_of(const char *uid, const char *owner, const char *cpus)
{
    static const struct store_pages PAGES = {1, 1u << 30, 2};
    struct store_claim claim = {.uid = uid, .owner = owner, .page_count = 1, .pages = &PAGES, .memory_bytes = 4096};
    cpuset_parse(cpus, &claim.cpus, &err);
    return claim;
}

static void describe(const struct store_claim *claim, void *arg)
{
    struct cpuset_text text;
    text_printf(arg, "%s %s %s %zu/%d/%llu %llu %s;", claim->uid, claim->owner, cpuset_format(&claim->cpus, &text),
                claim->page_count, claim->pages[0].node, (unsigned long long)claim->pages[0].pages,
                (unsigned long long)claim->memory_bytes, json_text_at(claim->placement, "of", ""));
}

static void promises_a_cpu_once(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    auto_json *placement = json_pack("{s:s}", "of", "a");
    struct store_claim a = claim_of("u1", "default/a", "2-3");
    a.placement = placement;
    struct store_claim b = claim_of("u2", "default/b", "3-5");
    CHECK_INT(store_claim_put(store, &a, &err), 0);
    CHECK_INT(store_claim_put(store, &b, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK_TEXT(err.text, "CPU 3 wanted by default/b is claimed by default/a");
    a.cpus = cpuset_of(2);
    CHECK_INT(store_claim_put(store, &a, &err), 0); /* takes the place of what it had */
    CHECK_INT(store_claim_put(store, &b, &err), 0);
    store_close(store);

    store = store_open(folder, NULL, &err);
    auto_text found = {0};
    store_claim_each(store, describe, &found);
    CHECK_TEXT(text_cstr(&found), "u1 default/a 2 1/1/2 4096 a;u2 default/b 3-5 1/1/2 4096 ;");
    CHECK_INT(store_claim_drop(store, "u1", &err), 0);
    CHECK_INT(store_claim_drop(store, "u1", &err), 0);
    CHECK(store_claim_placement(store, "u1") == NULL);
    auto_json *last = store_last_placement(store, "default/a");
    CHECK(json_equal(last, placement)); /* remembered */
    CHECK_INT(store_last_placement_forget(store, "default/a", &err), 0);
    CHECK(store_last_placement(store, "default/a") == NULL);
    store_close(store);
    drop_folder();
}

/* The primary key refuses even what the check in memory was made to overlook. */
static void promises_a_cpu_once_even_when_the_code_is_wrong(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    struct store_claim a = claim_of("u1", "default/a", "2"), b = claim_of("u2", "default/b", "2");
    store_claim_put(store, &a, &err);
    void *hidden = table_set(&store->claims, "u1", NULL);
    CHECK_INT(store_claim_put(store, &b, &err), -1);
    CHECK(strstr(err.text, "UNIQUE constraint failed: claim_cpu.cpu") != NULL);
    table_set(&store->claims, "u1", hidden);
    CHECK(store_claim_placement(store, "u2") == NULL);
    CHECK(store_last_placement(store, "default/b") == NULL);
    store_close(store);
    drop_folder();
}

static void claims_change_hands_in_one_commit(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    struct store_claim a = claim_of("u1", "default/a", "2"), b = claim_of("u2", "default/b", "3");
    store_claim_put(store, &a, &err);
    store_claim_put(store, &b, &err);
    CHECK_INT(store_flush(store, &err), 0);
    store_claim_drop(store, "u1", &err);
    b.cpus = cpuset_of(2);
    CHECK_INT(store_claim_put(store, &b, &err), 0);
    a.cpus = cpuset_of(3);
    CHECK_INT(store_claim_put(store, &a, &err), 0);
    CHECK_INT(store_flush(store, &err), 0);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static void add_change(const struct store_change *change, void *arg)
{
    static const char *const TYPE[] = {"+", "~", "-"};
    text_printf(arg, "%s%s@%llu%s ", TYPE[change->type], json_text_at(change->object, "metadata.name", "?"),
                (unsigned long long)change->version, version_of(change->object));
}

static void add_done(const struct error *failure, void *arg)
{
    text_append(arg, failure ? "failed " : "done ");
}

static void announces_after_the_commit(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    auto_text seen = {0};
    struct store_watch *watch = store_watch(store, add_change, &seen);
    store_create(store, vm("d", "a", 1), NULL, &err);
    store_create(store, vm("d", "b", 1), NULL, &err);
    store_after_commit(store, add_done, &seen);
    store_update(store, vm("d", "a", 2), true, NULL, &err);
    store_delete(store, "VirtualMachine", "d", "b", NULL, &err);
    CHECK_TEXT(text_cstr(&seen), "");
    loop_run_once(loop, true);
    CHECK_TEXT(text_cstr(&seen), "+a@11 +b@22 ~a@33 -b@44 done ");
    text_clear(&seen);
    store_unwatch(watch);
    store_delete(store, "VirtualMachine", "d", "a", NULL, &err);
    store_after_commit(store, add_done, &seen);
    loop_run_once(loop, true);
    CHECK_TEXT(text_cstr(&seen), "done ");
    text_clear(&seen);
    CHECK_INT(store_replay(store, 2, add_change, &seen, &err), 0);
    CHECK_TEXT(text_cstr(&seen), "~a@33 -b@44 -a@55 ");
    store_close(store);
    store = store_open(folder, loop, &err);
    CHECK_INT(store_replay(store, 4, add_change, &seen, &err), -1);
    CHECK_INT(err.kind, ERROR_EXPIRED);
    CHECK_TEXT(err.text, "too old resource version: 4 (5)");
    CHECK_INT(store_replay(store, 5, add_change, &seen, &err), 0);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static struct store_watch *second_watch;
static struct store *watched;

static void reacts(const struct store_change *change, void *arg)
{
    add_change(change, arg);
    if (change->version == 1) { /* writes, commits and ends another watch from inside */
        struct error inner;
        store_create(watched, vm("d", "b", 1), NULL, &inner);
        CHECK_INT(store_flush(watched, &inner), 0);
        store_unwatch(second_watch);
    }
}

static void watches_may_write_and_end(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    watched = store_open(folder, loop, &err);
    auto_text first = {0}, second = {0};
    struct store_watch *watch = store_watch(watched, reacts, &first);
    second_watch = store_watch(watched, add_change, &second);
    store_create(watched, vm("d", "a", 1), NULL, &err);
    store_flush(watched, &err);
    CHECK_TEXT(text_cstr(&first), "+a@11 +b@22 ");
    CHECK_TEXT(text_cstr(&second), "");
    store_unwatch(watch);
    CHECK(watched->watches == NULL);
    store_close(watched);
    loop_free(loop);
    drop_folder();
}

static void count_change(const struct store_change *change, void *arg)
{
    (void)change;
    ++*(int *)arg;
}

static void forgets_old_changes(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    store_create(store, vm("d", "a", 0), NULL, &err);
    for (unsigned i = 1; i <= LIMIT_CHANGE_LOG; i++)
        store_update(store, vm("d", "a", (int)i), false, NULL, &err);
    CHECK_INT(store_flush(store, &err), 0);
    int count = 0;
    CHECK_INT(store_replay(store, 0, count_change, &count, &err), -1); /* one past the limit */
    CHECK_INT(store_replay(store, 1, count_change, &count, &err), 0);
    CHECK_INT(count, LIMIT_CHANGE_LOG);
    json_t *large = vm("d", "large", 1);
    auto_free char *filler = must_calloc(LIMIT_CHANGE_LOG_BYTES / 2, 1);
    memset(filler, 'x', LIMIT_CHANGE_LOG_BYTES / 2 - 1);
    json_object_set_new(large, "filler", json_string(filler));
    store_create(store, json_deep_copy(large), NULL, &err);
    json_put_at(large, "metadata.name", json_string("larger"));
    store_create(store, large, NULL, &err);
    CHECK_INT(store_flush(store, &err), 0);
    CHECK_INT(store->log_count, 1);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static void rolls_back_to_a_mark(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    store_create(store, vm("d", "a", 1), NULL, &err);
    size_t outer = store_mark(store);
    store_update(store, vm("d", "a", 2), true, NULL, &err);
    size_t inner = store_mark(store);
    store_delete(store, "VirtualMachine", "d", "a", NULL, &err);
    struct store_claim claim = claim_of("u", "d/a", "1");
    store_claim_put(store, &claim, &err);
    store_rollback(store, inner);
    auto_json *a = store_get(store, "VirtualMachine", "d", "a");
    CHECK_INT(json_int_at(a, "spec.cores", 0), 2);
    CHECK(store_claim_placement(store, "u") == NULL);
    store_rollback(store, outer);
    store_flush(store, &err);
    store_close(store);
    store = store_open(folder, NULL, &err);
    auto_json *kept = store_get(store, "VirtualMachine", "d", "a");
    CHECK_INT(json_int_at(kept, "spec.cores", 0), 1);
    store_mark(store); /* without a loop: held until the flush */
    store_create(store, vm("d", "b", 1), NULL, &err);
    CHECK_INT(store->record_count, 1);
    CHECK_INT(store_flush(store, &err), 0);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static void one_process_per_folder(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    CHECK(store_open(folder, NULL, &err) == NULL);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    auto_free char *wanted =
        must_format("%s is in use by process %ld; stop it, or choose another --state-dir", folder, (long)getpid());
    CHECK_TEXT(err.text, wanted);
    /* What was left of a killed owner lets go a little later. */
    int lock_fd = dup(store->lock_fd);
    store_close(store);
    pid_t child = fork();
    if (child == 0) {
        usleep(300000);
        _exit(0);
    }
    close(lock_fd);
    store = store_open(folder, NULL, &err);
    CHECK(store != NULL);
    store_close(store);
    waitpid(child, NULL, 0);
    drop_folder();
}

static void names_damage(void)
{
    fresh_folder();
    auto_free char *file = must_format("%s/rtvmd.db", folder);
    file_write_atomic(file, "this is no database at all, but long enough to have a head ..", 61, 0600, &err);
    CHECK(store_open(folder, NULL, &err) == NULL);
    CHECK(strstr(err.text, "rtvmd restore") != NULL);
    drop_folder();
}

static struct store *open_beside(struct loop *loop)
{
    static const struct cpuset anywhere;
    struct store *store = store_open(folder, loop, &err);
    store_commit_beside(store, &anywhere);
    return store;
}

/* Runs in a child with a file size limit as the full disk. */
static int fill_the_disk(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    store_create(store, vm("d", "before", 1), NULL, &err);
    if (store_flush(store, &err))
        return 10;
    struct rlimit limit = {256 * 1024, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto_text seen = {0};
    store_watch(store, add_change, &seen);
    auto_free char *filler = must_calloc(512 * 1024, 1);
    memset(filler, 'x', 512 * 1024 - 1);
    json_t *large = vm("d", "large", 1);
    json_object_set_new(large, "filler", json_string(filler));
    store_create(store, large, NULL, &err);
    store_update(store, vm("d", "before", 2), true, NULL, &err);
    struct store_claim claim = claim_of("u", "d/before", "1");
    store_claim_put(store, &claim, &err);
    store_after_commit(store, add_done, &seen);
    loop_run_once(loop, true);
    if (!text_equal(text_cstr(&seen), "failed "))
        return 11;
    auto_json *before = store_get(store, "VirtualMachine", "d", "before");
    auto_json *gone = store_get(store, "VirtualMachine", "d", "large");
    if (json_int_at(before, "spec.cores", 0) != 1 || gone || store->claims.count || store->placements.count)
        return 12;
    setrlimit(RLIMIT_FSIZE, &none);
    text_clear(&seen);
    store_update(store, vm("d", "before", 3), true, NULL, &err);
    if (store_flush(store, &err) || !text_starts_with(text_cstr(&seen), "~before@"))
        return 13;
    store_close(store);
    loop_free(loop);
    return 0;
}

/* The same while the loop goes on: what was written on top of what fails is gone with it. */
static int fill_the_disk_beside(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct loop *loop = loop_new();
    struct store *store = open_beside(loop);
    auto_text seen = {0};
    store_create(store, vm("d", "before", 1), NULL, &err);
    if (store_flush(store, &err))
        return 20;
    struct rlimit limit = {256 * 1024, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    auto_free char *filler = must_calloc(512 * 1024, 1);
    memset(filler, 'x', 512 * 1024 - 1);
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        setrlimit(RLIMIT_FSIZE, &limit);
        json_t *large = vm("d", "before", 2);
        json_object_set_new(large, "filler", json_string(filler));
        store_update(store, large, true, NULL, &err);
        store_after_commit(store, add_done, &seen);
        commit_round(store);
        store_update(store, vm("d", "before", 3), true, NULL, &err);
        store_create(store, vm("d", "new", 1), NULL, &err);
        store_after_commit(store, add_done, &seen);
        if (flushed && (store_flush(store, &err) == 0 || !strstr(err.text, "cannot write")))
            return 21;
        while (store->is_committing)
            loop_run_once(loop, true);
        auto_json *before = store_get(store, "VirtualMachine", "d", "before");
        auto_json *new = store_get(store, "VirtualMachine", "d", "new");
        if (json_int_at(before, "spec.cores", 0) != 1 || new || !text_equal(text_cstr(&seen), "failed failed "))
            return 22;
        text_clear(&seen);
        setrlimit(RLIMIT_FSIZE, &none);
    }
    store_update(store, vm("d", "before", 3), true, NULL, &err);
    store_after_commit(store, add_done, &seen);
    while (!seen.length)
        loop_run_once(loop, true);
    store_close(store);
    loop_free(loop);
    return text_equal(text_cstr(&seen), "done ") ? 0 : 23;
}

static void a_failed_commit_puts_memory_back(void)
{
    int (*const fill[])(void) = {fill_the_disk, fill_the_disk_beside};
    for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
        fresh_folder();
        pid_t child = fork();
        if (child == 0)
            _exit(fill[i]());
        int status;
        waitpid(child, &status, 0);
        CHECK(WIFEXITED(status));
        CHECK_INT(WEXITSTATUS(status), 0);
        struct store *store = store_open(folder, NULL, &err);
        auto_json *list = store_list(store, "VirtualMachine", NULL, NULL);
        CHECK_INT(json_array_size(list), 1);
        CHECK_INT(json_int_at(list, "0.spec.cores", 0), 3);
        store_close(store);
        drop_folder();
    }
}

/* ---- commits beside the loop */

static void run_until(struct loop *loop, const struct text *seen, const char *wanted)
{
    for (unsigned rounds = 0; rounds < 1000 && !text_equal(text_cstr(seen), wanted); rounds++)
        loop_run_once(loop, true);
    CHECK_TEXT(text_cstr(seen), wanted);
}

static void the_loop_goes_on_during_a_commit(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = open_beside(loop);
    auto_text seen = {0};
    struct store_watch *watch = store_watch(store, add_change, &seen);
    CHECK(!store_notice_commit(store, add_done, &seen)); /* nothing to wait for */
    store_create(store, vm("d", "a", 1), NULL, &err);
    store_after_commit(store, add_done, &seen);
    commit_round(store);
    CHECK(store->is_committing);
    CHECK(store_notice_commit(store, add_done, &seen));
    commit_round(store); /* waits its turn */
    store_update(store, vm("d", "a", 2), true, NULL, &err);
    auto_json *now = store_get(store, "VirtualMachine", "d", "a");
    CHECK_INT(json_int_at(now, "spec.cores", 0), 2);
    CHECK_TEXT(text_cstr(&seen), "");
    run_until(loop, &seen, "+a@11 done ~a@22 done ");
    CHECK_INT(store_statistics(store)->writes, 2);

    text_clear(&seen);
    store_delete(store, "VirtualMachine", "d", "a", NULL, &err);
    commit_round(store);
    CHECK(store_notice_commit(store, add_done, &seen)); /* there is nothing but what is being committed */
    run_until(loop, &seen, "-a@33 done ");
    store_unwatch(watch);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static void what_is_flushed_comes_after_what_is_being_committed(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = open_beside(loop);
    auto_text seen = {0};
    store_watch(store, add_change, &seen);
    store_create(store, vm("d", "a", 1), NULL, &err);
    commit_round(store);
    store_create(store, vm("d", "b", 1), NULL, &err);
    commit_round(store);
    CHECK_INT(store_flush(store, &err), 0);
    CHECK_TEXT(text_cstr(&seen), "+a@11 +b@22 ");
    store_create(store, vm("d", "c", 1), NULL, &err);
    commit_round(store);
    store_create(store, vm("d", "e", 1), NULL, &err);
    store_close(store); /* what is being committed and what is open: both */
    store = store_open(folder, loop, &err);
    auto_json *list = store_list(store, "VirtualMachine", NULL, NULL);
    CHECK_INT(json_array_size(list), 4);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static void the_log_is_copied_when_it_is_long(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = open_beside(loop);
    auto_free char *filler = must_calloc(64 << 10, 1);
    memset(filler, 'x', (64 << 10) - 1);
    int longest = 0;
    for (unsigned i = 0; i < 100; i++) { /* 6 MiB of log, if nobody copied it */
        json_t *large = vm("d", "large", (int)i);
        json_put_at(large, "spec.filler", json_string(filler));
        CHECK_INT(i ? store_update(store, large, true, NULL, &err) : store_create(store, large, NULL, &err), 0);
        commit_round(store);
        while (store->is_committing || worker_pending(store->pool))
            loop_run_once(loop, true);
        longest = store->wal_pages > longest ? store->wal_pages : longest;
    }
    CHECK(longest > 500 && longest < 1100);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

struct promise {
    int fd;
    int first, count;
    bool is_told;
};

static void tell(const struct error *failure, void *arg)
{
    struct promise *p = arg;
    p->is_told = true;
    for (int i = 0; !failure && i < p->count; i++) {
        int number = p->first + i;
        if (write(p->fd, &number, sizeof number) != sizeof number)
            _exit(1);
    }
}

/* Writes objects in groups until it is killed; tells each once the store has said it is durable. */
static void write_for_ever(int fd, int first, bool beside)
{
    static const struct cpuset anywhere;
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    if (store && beside)
        store_commit_beside(store, &anywhere);
    for (int number = first; store;) {
        struct promise promise = {fd, number, 1 + number % 3, false};
        for (int i = 0; i < promise.count; i++, number++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", number);
            store_create(store, vm("d", name, number), NULL, &err);
        }
        store_after_commit(store, tell, &promise);
        while (!promise.is_told)
            loop_run_once(loop, true);
    }
    _exit(1);
}

static void what_was_answered_survives_kill_9(void)
{
    fresh_folder();
    int first = 0;
    for (unsigned round = 0; round < 12; round++) {
        int pipe_fd[2];
        if (pipe2(pipe_fd, O_CLOEXEC))
            abort();
        pid_t child = fork();
        if (child == 0)
            write_for_ever(pipe_fd[1], first, round % 2);
        close(pipe_fd[1]);
        int number = -1, last = first - 1;
        for (unsigned i = 0; i < 5 + 7 * round && read(pipe_fd[0], &number, sizeof number) == sizeof number; i++)
            last = number;
        kill(child, SIGKILL);
        while (read(pipe_fd[0], &number, sizeof number) == sizeof number)
            last = number;
        close(pipe_fd[0]);
        waitpid(child, NULL, 0);
        CHECK(last >= first);

        struct store *store = store_open(folder, NULL, &err);
        CHECK(store != NULL);
        if (!store)
            break;
        int missing = 0;
        for (int i = 0; i <= last; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            auto_json *object = store_get(store, "VirtualMachine", "d", name);
            missing += json_int_at(object, "spec.cores", -1) != i;
        }
        CHECK_INT(missing, 0);
        auto_json *all = store_list(store, "VirtualMachine", NULL, NULL);
        first = (int)json_array_size(all);
        store_close(store);
    }
    drop_folder();
}

static void tell_change(const struct store_host_change *change, void *arg)
{
    text_printf(arg, "%lld:%s:%s>%s:%s:%s:%lld ", (long long)change->id, change->path, change->old_value,
                change->new_value, change->owner, change->boot_id, (long long)change->made_s);
}

static void keeps_the_journal_and_values(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    struct store_host_change one = {0, "/sys/x", "0", "1", "d/a", "boot", 7},
                             two = {0, "/sys/y", "2", "3", "", "boot", 8};
    int64_t first, second;
    CHECK_INT(store_journal_add(store, &one, &first, &err), 0);
    CHECK_INT(store_journal_add(store, &two, &second, &err), 0);
    CHECK_INT(store_value_put(store, "k", "v", &err), 0);
    CHECK_INT(store_value_put(store, "gone", "v", &err), 0);
    CHECK_INT(store_value_put(store, "gone", NULL, &err), 0);
    CHECK_INT(store_value_put(store, "bad", "\xff", &err), -1);
    store_close(store);

    store = store_open(folder, NULL, &err);
    auto_text seen = {0};
    store_journal_each(store, tell_change, &seen);
    CHECK_TEXT(text_cstr(&seen), "2:/sys/y:2>3::boot:8 1:/sys/x:0>1:d/a:boot:7 ");
    CHECK_INT(store_journal_drop(store, second, &err), 0);
    CHECK_INT(store_journal_add(store, &two, &second, &err), 0);
    CHECK_INT(second, 3);
    auto_free char *value = store_value_get(store, "k");
    CHECK_TEXT(value, "v");
    CHECK(store_value_get(store, "gone") == NULL);
    store_close(store);
    drop_folder();
}

static void limits_the_journal(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    struct store_host_change change = {0, "/sys/x", "0", "1", "", "b", 1};
    int refused = 0;
    for (unsigned i = 0; i <= LIMIT_HOST_CHANGES; i++)
        refused += store_journal_add(store, &change, NULL, &err) != 0;
    CHECK_INT(refused, 1);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    store_rollback(store, 0);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

static void backs_up_while_open(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    store_create(store, vm("d", "a", 1), NULL, &err); /* not committed yet */
    auto_free char *other = must_format("%s/copy", folder);
    auto_free char *file = must_format("%s/rtvmd.db", other);
    CHECK_INT(store_backup(store, file, &err), -1); /* no such folder */
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    mkdir(other, 0700);
    CHECK_INT(store_backup(store, file, &err), 0);
    struct store *copy = store_open(other, NULL, &err);
    CHECK(copy != NULL);
    auto_json *a = store_get(copy, "VirtualMachine", "d", "a");
    CHECK(a != NULL);
    store_close(copy);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

/* Bytes written by this process to storage so far. */
static long written(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_oublock;
}

static void writes_nothing_when_idle(void)
{
    fresh_folder();
    struct loop *loop = loop_new();
    struct store *store = store_open(folder, loop, &err);
    store_create(store, vm("d", "a", 1), NULL, &err);
    store_flush(store, &err);
    long before = written();
    store_update(store, vm("d", "a", 1), true, NULL, &err); /* equal: nothing to write */
    store_value_put(store, "none", NULL, &err);
    store_claim_drop(store, "none", &err);
    CHECK_INT(store_flush(store, &err), 0);
    CHECK(!loop_run_once(loop, false) || store->record_count == 0);
    CHECK_INT(written() - before, 0);
    store_close(store);
    loop_free(loop);
    drop_folder();
}

/* The text of an object that is stored is one and the same until the object changes, and within a bound. */
static void keeps_texts_while_they_are_true(void)
{
    fresh_folder();
    struct store *store = store_open(folder, NULL, &err);
    auto_json *first = NULL, *second = NULL;
    CHECK_INT(store_create(store, vm("default", "a", 1), &first, &err), 0);
    struct shared_text *text = store_text(store, first), *again = store_text(store, first);
    auto_free char *expected = json_to_text(first);
    CHECK(text == again);
    CHECK_TEXT(text->data, expected);
    CHECK_INT(store_update(store, vm("default", "a", 2), true, &second, &err), 0);
    struct shared_text *old = store_text(store, first), *new = store_text(store, second);
    CHECK(old != text && new != text);
    CHECK_TEXT(old->data, expected);
    CHECK(strstr(new->data, "\"cores\":2") != NULL);
    CHECK_INT(old->holders, 1); /* not kept: it is not what is stored */
    CHECK_INT(new->holders, 2);

    auto_free char *filler = must_calloc(1 << 20, 1);
    memset(filler, 'x', (1 << 20) - 1);
    for (unsigned i = 0; i < 2 * (LIMIT_OBJECT_TEXT_BYTES >> 20); i++) {
        char name[16];
        snprintf(name, sizeof name, "big-%u", i);
        json_t *big = vm("default", name, 1);
        json_put_at(big, "spec.filler", json_string(filler));
        CHECK_INT(store_create(store, big, NULL, &err), 0);
        CHECK(store->kind[0]->text_bytes <= LIMIT_OBJECT_TEXT_BYTES);
    }
    CHECK_INT(new->holders, 1); /* the bound was reached */
    CHECK_TEXT(text->data, expected);
    CHECK_INT(store_delete(store, "VirtualMachine", "default", "a", NULL, &err), 0);
    store_close(store);
    CHECK(strstr(new->data, "\"cores\":2") != NULL);
    struct shared_text *held[] = {text, again, old, new};
    for (size_t i = 0; i < ARRAY_SIZE(held); i++)
        shared_text_release(held[i]);
    drop_folder();
}

int main(void)
{
    RUN(keeps_objects_over_a_restart);
    RUN(checks_preconditions_of_updates);
    RUN(promises_a_cpu_once);
    RUN(promises_a_cpu_once_even_when_the_code_is_wrong);
    RUN(claims_change_hands_in_one_commit);
    RUN(announces_after_the_commit);
    RUN(watches_may_write_and_end);
    RUN(forgets_old_changes);
    RUN(rolls_back_to_a_mark);
    RUN(one_process_per_folder);
    RUN(names_damage);
    RUN(a_failed_commit_puts_memory_back);
    RUN(the_loop_goes_on_during_a_commit);
    RUN(what_is_flushed_comes_after_what_is_being_committed);
    RUN(the_log_is_copied_when_it_is_long);
    RUN(what_was_answered_survives_kill_9);
    RUN(keeps_the_journal_and_values);
    RUN(limits_the_journal);
    RUN(backs_up_while_open);
    RUN(writes_nothing_when_idle);
    RUN(keeps_texts_while_they_are_true);
    return test_end();
}
