#include "tests/scenario/fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/log.h"
#include "store/inside.h"

static int64_t world_now_s(void *arg)
{
    return ((struct world *)arg)->now_s;
}

static double no_jitter(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- the pool */
static struct world *present;

static int read_pool(struct host *host, struct error *err)
{
    (void)err;
    host->online = present->host->online;
    for (int n = 0; n < FAKE_POOLS && (unsigned)n < host->node_count; n++) {
        host->node[n].pool[0].total = fake_pool_pages(n);
        host->node[n].pool[0].free = fake_pool_free(n);
    }
    return 0;
}

struct pages_of_node {
    int node;
    uint64_t pages;
};

static void add_pages_in_use(const struct store_claim *claim, void *arg)
{
    struct pages_of_node *sum = arg;
    auto_free char *domain_name = must_format("default_%s", strchr(claim->owner, '/') + 1);
    const struct observed_domain *domain = fake_domain(domain_name);
    bool runs = strcmp(claim->uid, claim->owner) == 0 && domain; /* else: for its next start */
    for (size_t i = 0; runs && domain->state != DOMAIN_OFF && i < claim->page_count; i++)
        if (claim->pages[i].page_bytes == 2u << 20 && claim->pages[i].node == sum->node)
            sum->pages += claim->pages[i].pages;
}

static uint64_t pages_in_use(int node)
{
    struct pages_of_node sum = {.node = node};
    store_claim_each(present->store, add_pages_in_use, &sum);
    return sum.pages;
}

static void start(struct world *world)
{
    struct error err;
    world->loop = loop_new();
    world->store = store_open(world->folder, world->loop, &err);
    if (!world->store) {
        printf("# %s\n", err.text);
        abort();
    }
    static const char *const NO_FOLDERS[] = {NULL};
    const struct runtime_config config = {
        .state_dir = "/nowhere/state",
        .run_dir = world->folder,
        .libvirt_uri = "fake:///",
        .emulation_allowed = world->emulation_allowed,
        .host_disk_dirs = NO_FOLDERS,
        .grow_hugepages = world->grows,
        .tuning = world->tunes ? TUNE_FULL : TUNE_NONE,
    };
    const struct runtime_hooks hooks = {
        .now_s = world_now_s, .jitter = no_jitter, .refresh_host = world->grows ? read_pool : NULL, .arg = world};
    present = world;
    fake_pool_in_use = pages_in_use;
    if (world->grows)
        read_pool(world->host, &err);
    world->runtime = runtime_new_with(&config, world->loop, world->store, world->host, &hooks);
    runtime_start(world->runtime);
}

static void stop(struct world *world)
{
    runtime_free(world->runtime);
    store_close(world->store);
    loop_free(world->loop);
}

void world_open(struct world *world, const char *host)
{
    const struct world before = *world;
    memset(world, 0, sizeof *world);
    world->grows = before.grows;
    world->tunes = before.tunes;
    fake_reset();
    log_set_level(LOG_LEVEL_ERROR);
    struct error err;
    /* Thousands of commits: not on a disk, where there is a choice. */
    snprintf(world->folder, sizeof world->folder, "%s/rtvmd-world-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    world->host = must_calloc(1, sizeof *world->host);
    auto_free char *path = must_format("tests/golden/hosts/%s", host);
    if (!mkdtemp(world->folder) || host_load(path, world->host, &err)) {
        printf("# cannot read host %s (tests run from the top of the sources): %s\n", path, err.text);
        abort();
    }
    world->host->kvm_works = world->host->fifo_works = world->host->locking_works = HOST_YES;
    world->host->has_rt_runtime = true;
    world->host->rt_runtime_us = -1;
    world->host->hugetlbfs_count = 1;
    world->host->hugetlbfs_size_bytes[0] = 2u << 20;
    for (unsigned n = 0; n < FAKE_POOLS && n < world->host->node_count; n++) {
        world->host->node[n].pool_count = 1;
        world->host->node[n].pool[0] = (struct host_page_pool){.size_bytes = 2u << 20, .total = 128, .free = 128};
    }
    world->now_s = 1700000000;
    start(world);
}

void world_close(struct world *world)
{
    struct error err;
    stop(world);
    free(world->host);
    file_remove_tree(world->folder, &err);
}

void world_kill(struct world *world)
{
    store_rollback(world->store, 0); /* what was not committed is lost */
    fake_revive();
    world->kills++;
    stop(world);
    start(world);
}

void world_restart(struct world *world)
{
    stop(world);
    start(world);
}

static bool is_quiet(const struct world *world)
{
    return !world->runtime->host_is_being_read && !world->runtime->queue_first &&
           !worker_pending(world->runtime->pool) && !world->runtime->submit_first && world->store->record_count == 0 &&
           world->store->callback_count == 0;
}

bool world_settle(struct world *world)
{
    enum { PATIENCE = 20000 };
    for (unsigned i = 0; i < PATIENCE; i++) {
        bool news = fake_deliver();
        if (!news && is_quiet(world))
            return true;
        loop_run_once(world->loop, false);
        world->steps++;
        if (world->steps == world->kill_at || fake_died())
            world_kill(world);
    }
    return false;
}

bool world_advance(struct world *world, int64_t seconds)
{
    int64_t end_s = world->now_s + seconds;
    while (world_settle(world)) {
        int64_t next_s = runtime_next_wake_s(world->runtime);
        if (next_s == 0 || next_s > end_s) {
            world->now_s = end_s;
            return world_settle(world);
        }
        if (next_s > world->now_s)
            world->now_s = next_s;
        runtime_wake(world->runtime);
    }
    return false;
}

int world_apply(struct world *world, json_t *object, struct error *err)
{
    auto_findings findings = {0};
    auto_json *owned = object;
    auto_json *before =
        store_get(world->store, json_text_at(object, "kind", ""), json_text_at(object, "metadata.namespace", ""),
                  json_text_at(object, "metadata.name", ""));
    if (runtime_admit_write(world->runtime, object, before, &findings, err))
        return -1;
    if (findings.cause_count)
        return fail(err, ERROR_INVALID, "%s: %s", findings.cause[0].field, findings.cause[0].message);
    if (!before)
        return store_create(world->store, json_incref(object), NULL, err);
    bool bump = !json_equal(json_object_get(object, "spec"), json_object_get(before, "spec"));
    return store_update(world->store, json_incref(object), bump, NULL, err);
}

const char *world_strategy_word(const char *description, const char *key, char buffer[64])
{
    auto_free char *pattern = must_format("%s=", key);
    const char *at = strstr(description, pattern);
    if (!at)
        return NULL;
    at += strlen(pattern);
    size_t length = strcspn(at, " ");
    snprintf(buffer, 64, "%.*s", (int)(length < 63 ? length : 63), at);
    return buffer;
}

json_t *world_vm(const char *name, const char *description)
{
    char word[64];
    const char *strategy = world_strategy_word(description, "strategy", word);
    json_t *vm = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:{s:{}, s:{s:{s:{}, s:{s:s}, s:{}}}}}}", "apiVersion",
                           "kubevirt.io/v1", "kind", "VirtualMachine", "metadata", "namespace", "default", "name", name,
                           "spec", "runStrategy", strategy ? strategy : "Always", "template", "metadata", "spec",
                           "domain", "cpu", "memory", "guest", "1Gi", "devices");
    json_t *spec = json_at(vm, "spec.template.spec");
    const char *cores = world_strategy_word(description, "cores", word);
    json_put_at(spec, "domain.cpu.cores", json_integer(cores ? strtol(cores, NULL, 10) : 1));
    const char *grace = world_strategy_word(description, "grace", word);
    if (grace)
        json_put_at(spec, "terminationGracePeriodSeconds", json_integer(strtol(grace, NULL, 10)));
    char memory_word[64];
    const char *memory = world_strategy_word(description, "memory", memory_word);
    bool realtime = world_strategy_word(description, "realtime", word) != NULL;
    if (realtime || world_strategy_word(description, "dedicated", word))
        json_put_at(spec, "domain.cpu.dedicatedCpuPlacement", json_true());
    if (world_strategy_word(description, "startPaused", word))
        json_put_at(spec, "startStrategy", json_string("Paused"));
    if (realtime) {
        json_put_at(spec, "domain.cpu.realtime", json_object());
        json_put_at(spec, "domain.cpu.numa", json_pack("{s:{}}", "guestMappingPassthrough"));
        json_put_at(spec, "domain.memory.hugepages", json_pack("{s:s}", "pageSize", "2Mi"));
        json_put_at(spec, "domain.memory.guest", json_string(memory ? memory : "64Mi"));
    }
    return vm;
}

json_t *world_get(struct world *world, const char *kind, const char *name)
{
    return store_get(world->store, kind, "default", name);
}
