#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"

/* A VM was changed while it runs: the old placement stays promised, and what the new one needs beyond it is promised,
 * too, under a key of its own. So a restart finds its place, or its owner knows before that it would not. The claims of
 * one VM never run at the same time: of pages and memory the larger number is promised, not the sum. */

static char *reservation_key(const struct machine *machine)
{
    return must_format("%s#next", machine->key);
}

struct present {
    const char *uid;
    struct store_claim claim; /* borrowed */
    bool found;
};

static void look_up(const struct store_claim *claim, void *arg)
{
    struct present *present = arg;
    if (strcmp(claim->uid, present->uid) != 0)
        return;
    present->claim = *claim;
    present->found = true;
}

static uint64_t pages_of(const struct store_claim *claim, int node, uint64_t page_bytes)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < claim->page_count; i++)
        if (claim->pages[i].node == node && claim->pages[i].page_bytes == page_bytes)
            pages += claim->pages[i].pages;
    return pages;
}

static int put(struct runtime *runtime, const struct machine *machine, const struct store_claim *now,
               const struct placement *next, int64_t generation, struct error *err)
{
    auto_free char *uid = reservation_key(machine);
    auto_json *document = plan_document(next);
    auto_free struct store_pages *pages = must_calloc(next->page_count + 1, sizeof *pages);
    struct store_claim more = {.uid = uid,
                               .owner = machine->key,
                               .cpus = cpuset_minus(&next->exclusive, &now->cpus),
                               .pages = pages,
                               .placement = document};
    json_object_set_new(document, "generation", json_integer(generation));
    for (unsigned i = 0; i < next->page_count; i++) {
        uint64_t have = pages_of(now, next->page[i].node, next->page[i].page_bytes);
        if (next->page[i].pages > have)
            pages[more.page_count++] =
                (struct store_pages){next->page[i].node, next->page[i].page_bytes, next->page[i].pages - have};
    }
    if (next->ordinary_bytes > now->memory_bytes)
        more.memory_bytes = next->ordinary_bytes - now->memory_bytes;
    runtime->claim_changes++;
    return store_claim_put(runtime->store, &more, err);
}

void reserve_next(struct runtime *runtime, struct machine *machine, const json_t *vm, struct text *ret_refusal)
{
    struct error err;
    auto_spec spec = {0};
    auto_free char *uid = reservation_key(machine);
    auto_json *reserved = store_claim_placement(runtime->store, uid);
    int64_t generation = json_int_at(vm, "metadata.generation", 1);
    if (reserved && json_int_at(reserved, "generation", 0) == generation)
        return;
    auto_json *vmi = spec_vmi_from_vm(vm);
    struct present now = {.uid = machine->key};
    if (spec_decode(vmi, &spec, &err) < 0) {
        text_append(ret_refusal, err.text);
        return;
    }
    auto_free struct decision *decision = plan_decide(runtime, machine->key, &spec, false);
    for (unsigned i = 0; !decision->admitted && i < decision->reason_count; i++)
        text_printf(ret_refusal, "%s%s", i ? "; " : "", decision->reason[i].message);
    if (!decision->admitted) {
        reserve_forget(runtime, machine); /* of an earlier change */
        return;
    }
    store_claim_each(runtime->store, look_up, &now);
    if (now.found && put(runtime, machine, &now.claim, &decision->placement, generation, &err) < 0)
        text_append(ret_refusal, err.text);
}

int reserve_drop(struct runtime *runtime, const struct machine *machine, struct error *err)
{
    auto_free char *uid = reservation_key(machine);
    return store_claim_drop(runtime->store, uid, err);
}

void reserve_forget(struct runtime *runtime, struct machine *machine)
{
    struct error err;
    auto_free char *uid = reservation_key(machine);
    auto_json *reserved = store_claim_placement(runtime->store, uid);
    struct present now = {.uid = machine->key};
    if (!reserved)
        return;
    runtime->claim_changes++;
    store_claim_each(runtime->store, look_up, &now);
    /* Put again as it is: the placement to be remembered is this one again. */
    if (reserve_drop(runtime, machine, &err) < 0 ||
        (now.found && store_claim_put(runtime->store, &now.claim, &err) < 0))
        log_warn("reservation of %s stays: %s", machine->key, err.text);
    plan_retry_all(runtime);
}
