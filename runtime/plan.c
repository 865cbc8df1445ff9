#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/growth.h"
#include "runtime/inside.h"

/* From promises to a question for the solver, and from its answer to a promise. Claims are kept under NAMESPACE/NAME,
 * not under the uid of one incarnation: a VM that is restarted keeps its own. */

struct gathering {
    struct claims claims;
    struct runtime *runtime;
    const char *own_key;
    bool as_it_is; /* without pages that are promised and not added to their pool yet */
    const char *cpu_owner[CPUSET_MAX];
};

static void gather(const struct store_claim *claim, void *arg)
{
    struct gathering *all = arg;
    bool is_reservation = strcmp(claim->uid, claim->owner) != 0; /* reserve.c: nothing of it is in use */
    if (strcmp(claim->owner, all->own_key) == 0 || (all->as_it_is && is_reservation))
        return;
    struct claims *claims = &all->claims;
    claims->cpus = cpuset_or(&claims->cpus, &claim->cpus);
    cpuset_foreach(cpu, &claim->cpus) all->cpu_owner[cpu] = claim->owner;
    struct cpuset realtime;
    struct error ignored;
    const char *text = json_text_at(claim->placement, "realtimeCPUs", NULL);
    if (text && cpuset_parse(text, &realtime, &ignored) == 0)
        claims->realtime_cpus = cpuset_or(&claims->realtime_cpus, &realtime);
    if (claim->page_count)
        claims->pages = must_realloc(claims->pages, claims->page_count + claim->page_count, sizeof *claims->pages);
    bool is_up = !all->as_it_is || machine_is_up(machine_by_key(all->runtime, claim->owner));
    for (size_t i = 0; i < claim->page_count; i++) {
        const struct store_pages *pages = &claim->pages[i];
        uint64_t later = is_up ? 0 : growth_planned(claim->placement, pages->node, pages->page_bytes);
        claims->pages[claims->page_count++] =
            (struct claimed_pages){.node = pages->node,
                                   .page_bytes = pages->page_bytes,
                                   .pages = pages->pages > later ? pages->pages - later : 0,
                                   .owner = claim->owner};
    }
    claims->memory_bytes += claim->memory_bytes;
}

/* NULL when there is none, or it is from another time and cannot be read. */
static struct placement *kept_placement(struct runtime *runtime, const char *key)
{
    auto_json *json = store_last_placement(runtime->store, key);
    struct placement *kept = json ? must_calloc(1, sizeof *kept) : NULL;
    struct error ignored;
    if (kept && placement_from_json(json, kept, &ignored))
        free(take(kept));
    return kept;
}

/* Everything promised to others than own_key ("": to all). The caller frees with claims_free. */
static struct gathering *claims_of_others(struct runtime *runtime, const char *own_key, bool as_it_is)
{
    struct gathering *all = must_calloc(1, sizeof *all);
    all->runtime = runtime;
    all->own_key = own_key;
    all->as_it_is = as_it_is;
    all->claims.cpu_owner = all->cpu_owner;
    store_claim_each(runtime->store, gather, all);
    growth_add_claims(runtime, &all->claims);
    return all;
}

static void claims_free(struct gathering *all)
{
    free(all->claims.pages);
    free(all);
}

static struct place_policy policy_of(const struct runtime *runtime)
{
    struct place_policy policy = {
        .reserved = runtime->config.reserved_cpus,
        .emulation = runtime_emulates(runtime),
        .allow_emulation = runtime->config.emulation_allowed,
        .grow_hugepages = runtime->config.grow_hugepages,
    };
    growth_limits(runtime, &policy);
    return policy;
}

struct decision *plan_decide(struct runtime *runtime, const char *key, const struct vm_spec *spec, bool suggests)
{
    struct gathering *others = claims_of_others(runtime, key, false);
    const struct place_policy policy = policy_of(runtime);
    auto_free struct placement *kept = kept_placement(runtime, key);
    struct decision *decision = must_calloc(1, sizeof *decision);
    place_plan(&runtime->host->host, &policy, &others->claims, spec, kept, decision);
    if (!decision->admitted && suggests)
        place_suggest(&runtime->host->host, &policy, &others->claims, spec, decision);
    claims_free(others);
    return decision;
}

bool plan_audit(struct runtime *runtime, const struct machine *machine, struct decision *decision)
{
    struct error ignored;
    auto_json *json = store_claim_placement(runtime->store, machine->key);
    auto_free struct placement *placement = must_calloc(1, sizeof *placement);
    decision->reason_count = 0;
    if (!json || placement_from_json(json, placement, &ignored) < 0)
        return false;
    if (cpuset_is_empty(&placement->exclusive) && placement->page_count == 0)
        return true;
    struct gathering *others = claims_of_others(runtime, machine->key, true);
    const struct place_policy policy = policy_of(runtime);
    place_audit(&runtime->host->host, &policy, &others->claims, placement, decision);
    claims_free(others);
    return decision->admitted;
}

void plan_audit_pages(struct runtime *runtime, struct decision *decision)
{
    struct gathering *all = claims_of_others(runtime, "", true);
    const struct place_policy policy = policy_of(runtime);
    place_audit_pages(&runtime->host->host, &policy, &all->claims, decision);
    claims_free(all);
}

json_t *plan_document(const struct placement *placement)
{
    json_t *document = placement_to_json(placement);
    struct cpuset realtime = {0};
    cpuset_foreach(v, &placement->realtime_vcpus)
    {
        if ((unsigned)v < placement->vcpu_count && placement->vcpu_cpu[v] >= 0)
            cpuset_add(&realtime, (unsigned)placement->vcpu_cpu[v]);
    }
    struct cpuset_text text;
    if (!cpuset_is_empty(&realtime))
        json_object_set_new(document, "realtimeCPUs", json_string(cpuset_format(&realtime, &text)));
    return document;
}

static int claim(struct runtime *runtime, const struct machine *machine, const struct placement *placement,
                 struct error *err)
{
    auto_json *document = plan_document(placement);
    auto_free struct store_pages *pages = must_calloc(placement->page_count + 1, sizeof *pages);
    for (unsigned i = 0; i < placement->page_count; i++)
        pages[i] =
            (struct store_pages){placement->page[i].node, placement->page[i].page_bytes, placement->page[i].pages};
    const struct store_claim wanted = {
        .uid = machine->key,
        .owner = machine->key,
        .cpus = placement->exclusive,
        .page_count = placement->page_count,
        .pages = pages,
        .memory_bytes = placement->ordinary_bytes,
        .placement = document,
    };
    runtime->claim_changes++;
    if (reserve_drop(runtime, machine, err) < 0)
        return -1;
    return store_claim_put(runtime->store, &wanted, err);
}

/* Some dozens of solves for each: not when a crowd waits for the same room. */
static bool is_worth_suggesting(const struct runtime *runtime)
{
    unsigned waiting = 0;
    for (size_t i = 0; i < runtime->machine_count; i++)
        waiting += runtime->machine[i]->is_unschedulable;
    return waiting <= LIMIT_SUGGESTED_VMS;
}

/* In the words of a scheduler, for those who know them; then every reason, and what would do. */
static void write_refusal(const struct decision *decision, struct text *out)
{
    text_append(out, "0/1 nodes are available: ");
    for (unsigned i = 0; i < decision->reason_count; i++)
        text_printf(out, "%s%s", i ? "; " : "", decision->reason[i].message);
    for (unsigned i = 0; i < decision->suggestion_count; i++)
        text_printf(out, "%s%s", i ? "; " : ". It ", decision->suggestion[i]);
}

bool plan_and_claim(struct runtime *runtime, struct machine *machine, const json_t *vmi, struct text *ret_refusal)
{
    struct error err;
    auto_spec spec = {0};
    if (spec_decode(vmi, &spec, &err)) {
        text_printf(ret_refusal, "0/1 nodes are available: %s", err.text);
        return false;
    }
    auto_free struct decision *decision = plan_decide(runtime, machine->key, &spec, is_worth_suggesting(runtime));
    if (!decision->admitted) {
        write_refusal(decision, ret_refusal);
        return false;
    }
    bool had_claim = plan_is_claimed(runtime, machine);
    if (claim(runtime, machine, &decision->placement, &err)) {
        text_printf(ret_refusal, "0/1 nodes are available: %s", err.text);
        return false;
    }
    if (had_claim)
        plan_retry_all(runtime); /* it may want less than before */
    return true;
}

void plan_release(struct runtime *runtime, const struct machine *machine)
{
    struct error err;
    runtime->claim_changes++;
    if (store_claim_drop(runtime->store, machine->key, &err) || reserve_drop(runtime, machine, &err))
        log_warn("claim of %s stays: %s", machine->key, err.text);
    growth_end(runtime, machine->key);
    plan_retry_all(runtime);
}

bool plan_is_claimed(const struct runtime *runtime, const struct machine *machine)
{
    auto_json *placement = store_claim_placement(runtime->store, machine->key);
    return placement != NULL;
}

static int by_waiting_time(const void *a, const void *b)
{
    const struct machine *x = *(struct machine *const *)a;
    const struct machine *y = *(struct machine *const *)b;
    if (x->waits_since_s != y->waits_since_s)
        return x->waits_since_s < y->waits_since_s ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* Who has waited longest is asked first. */
void plan_retry_all(struct runtime *runtime)
{
    latency_tests_queue(runtime);
    size_t count = 0;
    auto_free struct machine **waiting = must_calloc(runtime->machine_count + 1, sizeof(struct machine *));
    for (size_t i = 0; i < runtime->machine_count; i++)
        if (runtime->machine[i]->is_unschedulable)
            waiting[count++] = runtime->machine[i];
    qsort(waiting, count, sizeof(struct machine *), by_waiting_time);
    for (size_t i = 0; i < count; i++)
        machine_queue(runtime, waiting[i]);
}

json_t *runtime_plan(struct runtime *runtime, const json_t *object, struct error *err)
{
    auto_spec spec = {0};
    if (spec_decode(object, &spec, err))
        return NULL;
    auto_free char *key = must_format("%s/%s", json_text_at(object, "metadata.namespace", "default"),
                                      json_text_at(object, "metadata.name", ""));
    auto_free struct decision *decision = plan_decide(runtime, key, &spec, true);
    return decision_to_json(decision);
}
