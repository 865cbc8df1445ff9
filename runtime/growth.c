#include "runtime/growth.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"
#include "runtime/tune/page_pool.h"

/* Three steps, each survives a crash at any point: written down as "up to", done on a worker thread, written down as
 * done. What "up to" came to is found out from the pool: everything in it beyond what it held before and what is surely
 * ours. */

static const char PERHAPS[] = "up to ";

/* ---- the journal's words */
struct entry {
    int64_t id;
    char *file;
    char *owner;
    char *boot_id;
    uint64_t before;
    uint64_t pages;
    bool is_sure;
};

struct entries {
    size_t count;
    struct entry *at; /* newest first */
};

static void collect(const struct store_host_change *change, void *arg)
{
    struct entries *entries = arg;
    if (!text_starts_with(change->path, PAGE_POOL_TARGET))
        return;
    bool perhaps = text_starts_with(change->new_value, PERHAPS);
    entries->at = must_realloc(entries->at, entries->count + 1, sizeof *entries->at);
    entries->at[entries->count++] = (struct entry){
        .id = change->id,
        .file = must_strdup(change->path + strlen(PAGE_POOL_TARGET)),
        .owner = must_strdup(change->owner),
        .boot_id = must_strdup(change->boot_id),
        .before = strtoull(change->old_value, NULL, 10),
        .pages = strtoull(change->new_value + (perhaps ? strlen(PERHAPS) : 0), NULL, 10),
        .is_sure = !perhaps,
    };
}

static struct entries entries_read(struct runtime *runtime)
{
    struct entries entries = {0};
    store_journal_each(runtime->store, collect, &entries);
    return entries;
}

static void entries_finish(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->at[i].file);
        free(entries->at[i].owner);
        free(entries->at[i].boot_id);
    }
    free(entries->at);
}
#define auto_entries __attribute__((cleanup(entries_finish))) struct entries

static struct entry *find(const struct entries *entries, int64_t id)
{
    for (size_t i = 0; i < entries->count; i++)
        if (entries->at[i].id == id)
            return &entries->at[i];
    return NULL;
}

/* Puts an entry in place of the one with the same id (0: a new one). Nothing of it is left with no pages. */
static int put(struct runtime *runtime, struct entry *entry, struct error *err)
{
    auto_free char *target = must_format("%s%s", PAGE_POOL_TARGET, entry->file);
    auto_free char *before = must_format("%llu", (unsigned long long)entry->before);
    auto_free char *wanted =
        must_format("%s%llu more", entry->is_sure ? "" : PERHAPS, (unsigned long long)entry->pages);
    const struct store_host_change change = {
        .path = target,
        .old_value = before,
        .new_value = wanted,
        .owner = entry->owner,
        .boot_id = entry->boot_id,
        .made_s = runtime_now_s(runtime),
    };
    if (entry->id && store_journal_drop(runtime->store, entry->id, err) < 0)
        return -1;
    entry->id = 0;
    return entry->pages ? store_journal_add(runtime->store, &change, &entry->id, err) : 0;
}

static void put_or_log(struct runtime *runtime, struct entry *entry)
{
    struct error err;
    if (put(runtime, entry, &err) < 0)
        log_warn("journal of huge pages is behind: %s: %s", entry->file, err.text);
}

static void rename_owner(struct entry *entry, const char *owner)
{
    free(entry->owner);
    entry->owner = must_strdup(owner);
}

/* ---- growing */
/* What the pool held before anybody made it larger: somebody who did so before us wrote it down. */
static int pool_before(const struct entries *entries, const char *file, uint64_t *ret_before, struct error *err)
{
    for (size_t i = 0; i < entries->count; i++)
        if (strcmp(entries->at[i].file, file) == 0) {
            *ret_before = entries->at[i].before;
            return 0;
        }
    return page_pool_total("", file, ret_before, err);
}

static uint64_t owned(const struct entries *entries, const char *file, const char *owner)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < entries->count; i++)
        if (strcmp(entries->at[i].file, file) == 0 && strcmp(entries->at[i].owner, owner) == 0)
            pages += entries->at[i].pages;
    return pages;
}

static int begin_one(struct runtime *runtime, struct work *work, const struct claimed_pages *wanted, struct error *err)
{
    auto_entries entries = entries_read(runtime);
    auto_free char *file = page_pool_file("", wanted->node, wanted->page_bytes);
    auto_free char *id = page_pool_boot_id("");
    uint64_t have = owned(&entries, file, work->key); /* of an earlier try with the same placement */
    struct entry entry = {.file = file, .owner = work->key, .boot_id = id};
    if (have >= wanted->pages)
        return 0;
    entry.pages = wanted->pages - have;
    if (pool_before(&entries, file, &entry.before, err) < 0 || put(runtime, &entry, err) < 0)
        return -1;
    work->growth[work->growth_count++] =
        (struct page_pool_change){.entry = entry.id, .file = must_strdup(file), .pages = entry.pages};
    return 0;
}

int growth_begin(struct runtime *runtime, struct work *work, struct error *err)
{
    const struct placement *placement = work->placement;
    if (placement->growth_count == 0)
        return 0;
    if (!runtime->config.grow_hugepages)
        return fail(err, ERROR_FORBIDDEN,
                    "huge pages were to be added to a pool, which host.hugepages.allocate does not allow any more; "
                    "restart the VM to have it placed anew");
    size_t mark = store_mark(runtime->store);
    work->growth = must_calloc(placement->growth_count, sizeof *work->growth);
    for (unsigned i = 0; i < placement->growth_count; i++)
        if (begin_one(runtime, work, &placement->growth[i], err) < 0) {
            store_rollback(runtime->store, mark);
            return -1;
        }
    return 0;
}

/* ---- what the kernel could not do */
int64_t growth_limits_end_s(const struct runtime *runtime)
{
    int64_t left_s = runtime->pool_limits_until_s - runtime_now_s(runtime);
    bool holds = runtime->pool_limit_count > 0 && left_s > 0 && left_s <= LIMIT_POOL_FULL_S; /* clocks jump */
    return holds ? runtime->pool_limits_until_s : 0;
}

void growth_limits(const struct runtime *runtime, struct place_policy *policy)
{
    policy->pool_limit_count = growth_limits_end_s(runtime) ? runtime->pool_limit_count : 0;
    policy->pool_limit = runtime->pool_limit;
}

void growth_forget_limits(struct runtime *runtime)
{
    free(take(runtime->pool_limit));
    runtime->pool_limit_count = 0;
}

static void remember_limit(struct runtime *runtime, const struct page_pool_change *change)
{
    struct pool_limit limit = {.most_pages = change->most_pages};
    if (!page_pool_parse(change->file, &limit.node, &limit.page_bytes))
        return;
    if (!growth_limits_end_s(runtime))
        growth_forget_limits(runtime);
    size_t i = 0;
    while (i < runtime->pool_limit_count &&
           (runtime->pool_limit[i].node != limit.node || runtime->pool_limit[i].page_bytes != limit.page_bytes))
        i++;
    if (i == runtime->pool_limit_count) {
        runtime->pool_limit = must_realloc(runtime->pool_limit, i + 1, sizeof *runtime->pool_limit);
        runtime->pool_limit_count++;
    }
    runtime->pool_limit[i] = limit;
    runtime->pool_limits_until_s = runtime_now_s(runtime) + LIMIT_POOL_FULL_S;
}

bool growth_fell_short(const struct work *work)
{
    for (size_t i = 0; i < work->growth_count; i++)
        if (work->growth[i].is_short)
            return true;
    return false;
}

void growth_made(struct runtime *runtime, struct work *work)
{
    if (work->growth_count == 0)
        return;
    auto_entries entries = entries_read(runtime);
    for (size_t i = 0; i < work->growth_count; i++) {
        if (work->growth[i].is_short)
            remember_limit(runtime, &work->growth[i]);
        struct entry *entry = find(&entries, work->growth[i].entry);
        if (!entry)
            continue; /* its commit failed, so nothing was done */
        entry->pages = work->growth[i].done;
        entry->is_sure = true;
        put_or_log(runtime, entry);
        if (entry->pages)
            log_info("huge pages added pages=%llu pool=%s vmi=%s", (unsigned long long)entry->pages, entry->file,
                     work->key);
    }
    host_was_changed(runtime);
}

/* ---- giving back */
struct give_back {
    struct worker_job job;
    struct runtime *runtime;
    size_t count;
    struct page_pool_change *item;
};

static void run_give_back(struct worker_job *job)
{
    struct give_back *work = (struct give_back *)job;
    struct error err;
    for (size_t i = 0; i < work->count; i++)
        page_pool_shrink("", &work->item[i], &err); /* what failed is noted in it */
}

static void take_back(struct runtime *runtime, const struct page_pool_change *item)
{
    auto_entries entries = entries_read(runtime);
    struct entry *entry = find(&entries, item->entry);
    if (!entry)
        return;
    entry->pages -= item->done < entry->pages ? item->done : entry->pages;
    entry->is_sure = true;
    put_or_log(runtime, entry);
    if (item->done)
        log_info("huge pages given back pages=%llu pool=%s", (unsigned long long)item->done, item->file);
    if (item->failed)
        log_warn("huge pages not given back: %s", item->because);
}

static void give_back_done(struct worker_job *job, bool canceled)
{
    struct give_back *work = (struct give_back *)job;
    struct runtime *runtime = work->runtime;
    if (!canceled) {
        runtime->gives_pages_back = false;
        host_was_changed(runtime);
        for (size_t i = 0; i < work->count; i++)
            take_back(runtime, &work->item[i]);
        if (runtime->gives_back_again)
            growth_retry(runtime);
        plan_retry_all(runtime);
        host_read_start(runtime); /* who waits for room waits for this look */
        runtime_arm(runtime);
    }
    page_pool_changes_free(work->item, work->count);
    free(work);
}

static void give_back_written(const struct error *failure, void *arg)
{
    struct give_back *work = arg;
    if (!failure) {
        worker_submit(work->runtime->pool, &work->job);
        return;
    }
    work->runtime->gives_pages_back = false; /* the journal is as it was, and so are the pools */
    page_pool_changes_free(work->item, work->count);
    free(work);
}

struct promised {
    struct runtime *runtime;
    const struct entries *entries;
    const char *file;
    int node;
    uint64_t page_bytes;
    uint64_t pages;
};

uint64_t growth_planned(const json_t *placement, int node, uint64_t page_bytes)
{
    size_t i;
    json_t *more;
    uint64_t pages = 0;
    json_array_foreach(json_object_get(placement, "growth"), i, more)
    {
        if (json_int_at(more, "node", -1) == node && (uint64_t)json_int_at(more, "pageBytes", 0) == page_bytes)
            pages += (uint64_t)json_int_at(more, "pages", 0);
    }
    return pages;
}

/* Promised and not taken yet: the VM does not run. What is to be added is there only if an entry says so. */
static void add_promised(const struct store_claim *claim, void *arg)
{
    struct promised *sum = arg;
    const struct machine *machine = machine_by_key(sum->runtime, claim->owner);
    uint64_t pages = machine_is_up(machine) ? 0 : owned(sum->entries, sum->file, claim->owner);
    if (machine_is_up(machine) && strcmp(claim->uid, claim->owner) == 0)
        return;
    for (size_t i = 0; i < claim->page_count; i++)
        if (claim->pages[i].node == sum->node && claim->pages[i].page_bytes == sum->page_bytes)
            pages += claim->pages[i].pages;
    uint64_t more = growth_planned(claim->placement, sum->node, sum->page_bytes);
    sum->pages += pages > more ? pages - more : 0;
}

static uint64_t pages_to_keep(struct runtime *runtime, const struct entries *entries, const char *file)
{
    struct promised sum = {.runtime = runtime, .entries = entries, .file = file};
    if (page_pool_parse(file, &sum.node, &sum.page_bytes))
        store_claim_each(runtime->store, add_promised, &sum);
    return sum.pages;
}

void growth_retry(struct runtime *runtime)
{
    runtime->gives_back_again = runtime->gives_pages_back;
    if (runtime->gives_pages_back || runtime->is_ending)
        return;
    auto_entries entries = entries_read(runtime);
    struct give_back *work = must_calloc(1, sizeof *work);
    work->job = (struct worker_job){.run = run_give_back, .done = give_back_done};
    work->runtime = runtime;
    work->item = must_calloc(entries.count + 1, sizeof *work->item);
    for (size_t i = 0; i < entries.count; i++) {
        struct entry *entry = &entries.at[i];
        if (entry->owner[0])
            continue;
        entry->is_sure = false;
        put_or_log(runtime, entry);
        work->item[work->count++] = (struct page_pool_change){.entry = entry->id,
                                                              .file = must_strdup(entry->file),
                                                              .pages = entry->pages,
                                                              .keep = pages_to_keep(runtime, &entries, entry->file)};
    }
    if (work->count == 0) {
        page_pool_changes_free(work->item, 0);
        free(work);
        return;
    }
    runtime->gives_pages_back = true;
    store_after_commit(runtime->store, give_back_written, work);
}

void growth_end(struct runtime *runtime, const char *owner)
{
    auto_entries entries = entries_read(runtime);
    for (size_t i = 0; i < entries.count; i++) {
        struct entry *entry = &entries.at[i];
        if (strcmp(entry->owner, owner) != 0)
            continue;
        rename_owner(entry, "");
        put_or_log(runtime, entry);
    }
    growth_retry(runtime); /* also what was kept for a promise that may be gone now */
}

/* ---- after a start */
/* What is in the pool and neither was before nor is surely ours goes to those who may have put it there, the oldest
 * first. */
static void settle(struct runtime *runtime, const struct entries *entries, const char *file)
{
    uint64_t total = 0, before = 0, known = 0;
    struct error err;
    if (page_pool_total("", file, &total, &err) < 0)
        log_warn("huge pages: %s", err.text); /* the pool is gone, and so are its pages */
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->at[i];
        if (strcmp(entry->file, file) != 0)
            continue;
        before = entry->before; /* the same in all */
        known += entry->is_sure ? entry->pages : 0;
    }
    known += before;
    uint64_t extra = total > known ? total - known : 0;
    for (size_t i = entries->count; i-- > 0;) {
        struct entry *entry = &entries->at[i];
        if (entry->is_sure || strcmp(entry->file, file) != 0)
            continue;
        if (entry->pages > extra)
            entry->pages = extra;
        extra -= entry->pages;
        entry->is_sure = true;
        put_or_log(runtime, entry);
    }
}

static bool is_claimed(struct runtime *runtime, const char *owner)
{
    auto_json *placement = store_claim_placement(runtime->store, owner);
    return placement != NULL;
}

void growth_recover(struct runtime *runtime)
{
    auto_entries entries = entries_read(runtime);
    auto_free char *id = page_pool_boot_id("");
    size_t kept = 0;
    for (size_t i = 0; i < entries.count; i++) {
        struct entry entry = entries.at[i];
        bool is_past = strcmp(entry.boot_id, id) != 0; /* the pools were filled anew */
        if (is_past) {
            entry.pages = 0;
            put_or_log(runtime, &entry);
        }
        entries.at[i] = entries.at[kept];
        entries.at[kept] = entry;
        kept += !is_past;
    }
    struct entries present = {kept, entries.at};
    for (size_t i = 0; i < present.count; i++)
        if (!present.at[i].is_sure)
            settle(runtime, &present, present.at[i].file);
    for (size_t i = 0; i < present.count; i++)
        if (present.at[i].owner[0] && !is_claimed(runtime, present.at[i].owner)) {
            rename_owner(&present.at[i], "");
            put_or_log(runtime, &present.at[i]);
        }
    growth_retry(runtime);
}

void growth_add_claims(struct runtime *runtime, struct claims *claims)
{
    auto_entries entries = entries_read(runtime);
    for (size_t i = 0; i < entries.count; i++) {
        struct claimed_pages pages = {.pages = entries.at[i].pages};
        if (entries.at[i].owner[0] || !page_pool_parse(entries.at[i].file, &pages.node, &pages.page_bytes))
            continue;
        claims->pages = must_realloc(claims->pages, claims->page_count + 1, sizeof *claims->pages);
        claims->pages[claims->page_count++] = pages;
    }
}
