/* What would fit instead. The solver is cheap, so the answer is found by asking it again with one wish of the VM given
 * up, or one other VM gone; then with two wishes; then with fewer vCPUs or less memory; and
 * with more huge pages than there are. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/place/fit.h"
#include "runtime/place/verdict.h"

struct variation {
    const char *text;
    bool (*change)(struct vm_spec *spec); /* false: nothing to give up */
    bool is_milder;                       /* than the row before it: only said when that one does not help */
};

static bool drop_threads(struct vm_spec *spec)
{
    bool had = spec->threads > 1;
    spec->cores *= spec->threads ? spec->threads : 1;
    spec->threads = 1;
    return had;
}

static bool drop_smt_policy(struct vm_spec *spec)
{
    bool had = spec->smt_policy != VM_SMT_PREFER;
    spec->smt_policy = VM_SMT_PREFER;
    return had;
}

static bool drop_emulator(struct vm_spec *spec)
{
    bool had = spec->isolate_emulator || spec->emulator_policy != VM_EMULATOR_HOUSEKEEPING;
    spec->isolate_emulator = false;
    spec->emulator_policy = VM_EMULATOR_HOUSEKEEPING;
    return had;
}

static bool drop_strict(struct vm_spec *spec)
{
    bool had = spec->numa_policy == VM_NUMA_STRICT;
    spec->numa_policy = VM_NUMA_PREFER;
    return had;
}

static bool drop_wanted(struct vm_spec *spec)
{
    bool had = !cpuset_is_empty(&spec->wanted_cpus);
    spec->wanted_cpus = (struct cpuset){0};
    return had;
}

static bool change_page(struct vm_spec *spec, uint64_t page_bytes)
{
    bool may = spec->hugepage_bytes && spec->hugepage_bytes != page_bytes && spec->memory_bytes % page_bytes == 0;
    spec->hugepage_bytes = page_bytes;
    return may;
}

static bool add_page(struct vm_spec *spec, uint64_t page_bytes)
{
    struct vm_page_sizes *others = &spec->other_page_sizes;
    bool may = spec->hugepage_bytes && spec->hugepage_bytes != page_bytes && spec->memory_bytes % page_bytes == 0 &&
               others->count < LIMIT_VM_OTHER_PAGE_SIZES;
    for (unsigned i = 0; i < others->count; i++)
        may &= others->bytes[i] != page_bytes;
    if (may)
        others->bytes[others->count++] = page_bytes;
    return may;
}

static bool small_pages(struct vm_spec *spec)
{
    return change_page(spec, 2u << 20);
}

static bool large_pages(struct vm_spec *spec)
{
    return change_page(spec, 1u << 30);
}

static bool also_small_pages(struct vm_spec *spec)
{
    return add_page(spec, 2u << 20);
}

static bool also_large_pages(struct vm_spec *spec)
{
    return add_page(spec, 1u << 30);
}

/* To add one: a row and a function. */
static const struct variation VARIATIONS[] = {
    {"threads: 1", drop_threads, false},
    {"rtvmd.io/smt-policy: prefer", drop_smt_policy, false},
    {"2Mi pages (hugepages.pageSize: 2Mi, or beside it rtvmd.io/page-sizes: 2Mi)", small_pages, false},
    {"2Mi pages on some nodes (rtvmd.io/page-sizes: 2Mi)", also_small_pages, true},
    {"1Gi pages (hugepages.pageSize: 1Gi, or beside it rtvmd.io/page-sizes: 1Gi)", large_pages, false},
    {"1Gi pages on some nodes (rtvmd.io/page-sizes: 1Gi)", also_large_pages, true},
    {"rtvmd.io/numa-policy: prefer", drop_strict, false},
    {"any CPUs (no rtvmd.io/cpus)", drop_wanted, false},
    {"the emulator on housekeeping CPUs", drop_emulator, false},
};

struct suggester {
    const struct host *host;
    const struct place_policy *policy;
    const struct claims *claims;
    struct placement *scratch;
    struct decision *decision;
};

static bool fits(const struct suggester *suggester, const struct claims *claims, const struct vm_spec *spec)
{
    struct demand demand = demand_of(spec);
    struct board *board = board_new(suggester->host, suggester->policy, claims, &demand.sizes, &spec->wanted_cpus,
                                    suggester->policy->grow_hugepages && demand.page_bytes);
    struct decision *verdict = must_calloc(1, sizeof(*verdict));
    check_wishes(board, spec, &demand, verdict);
    explain_ordinary(board, fit_ordinary_bytes(&demand, spec), verdict);
    bool yes = verdict->reason_count == 0 && fit_placement(board, &demand, spec, NULL, suggester->scratch, NULL);
    free(verdict);
    free(board);
    return yes;
}

static void suggest(const struct suggester *suggester, const char *format, ...) PRINTF_LIKE(2, 3);
static void suggest(const struct suggester *suggester, const char *format, ...)
{
    struct decision *decision = suggester->decision;
    if (decision->suggestion_count == ARRAY_SIZE(decision->suggestion))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(decision->suggestion[decision->suggestion_count++], sizeof(decision->suggestion[0]), format, args);
    va_end(args);
}

static void try_single_wishes(const struct suggester *suggester, const struct vm_spec *spec)
{
    bool helped = false;
    for (size_t i = 0; i < ARRAY_SIZE(VARIATIONS); i++) {
        struct vm_spec changed = *spec;
        if (VARIATIONS[i].is_milder && helped)
            continue;
        helped = VARIATIONS[i].change(&changed) && fits(suggester, suggester->claims, &changed);
        if (helped)
            suggest(suggester, "fits with %s", VARIATIONS[i].text);
    }
}

static void try_pairs(const struct suggester *suggester, const struct vm_spec *spec, bool mild)
{
    for (size_t i = 0; i < ARRAY_SIZE(VARIATIONS); i++)
        for (size_t j = i + 1; j < ARRAY_SIZE(VARIATIONS); j++) {
            struct vm_spec changed = *spec;
            bool milder = VARIATIONS[i].is_milder || VARIATIONS[j].is_milder;
            if (milder == mild && VARIATIONS[i].change(&changed) && VARIATIONS[j].change(&changed) &&
                fits(suggester, suggester->claims, &changed))
                suggest(suggester, "fits with %s and %s", VARIATIONS[i].text, VARIATIONS[j].text);
        }
}

/* Milder wishes only when nothing else helps: two words about page sizes say the same. */
static void try_two_wishes(const struct suggester *suggester, const struct vm_spec *spec)
{
    unsigned before = suggester->decision->suggestion_count;
    for (unsigned mild = 0; mild < 2 && suggester->decision->suggestion_count == before; mild++)
        try_pairs(suggester, spec, mild);
}

static uint64_t pages_in_pool(const struct board *board, const struct claimed_pages *wanted)
{
    for (unsigned n = 0; n < board->node_count; n++)
        for (unsigned size = 0; size < board->sizes.count; size++)
            if (board->node[n].id == wanted->node && board->sizes.bytes[size] == wanted->page_bytes)
                return board->node[n].pages[size].ready;
    return UINT64_MAX; /* ordinary pages need no pool */
}

/* "640 more huge pages of 2Mi on node 0 and 128 more …"; returns what they take of the ordinary memory. */
static uint64_t list_growth(const struct board *board, const struct placement *placement, struct text *out)
{
    struct bytes_text size = {0};
    uint64_t bytes = 0;
    for (unsigned i = 0; i < placement->page_count; i++) {
        const struct claimed_pages *wanted = &placement->page[i];
        uint64_t ready = pages_in_pool(board, wanted), more = wanted->pages > ready ? wanted->pages - ready : 0;
        if (more == 0)
            continue;
        text_printf(out, "%s%llu more huge page%s of %s on node %d", out->length ? " and " : "",
                    (unsigned long long)more, more == 1 ? "" : "s", bytes_format(wanted->page_bytes, &size),
                    wanted->node);
        bytes += more * wanted->page_bytes;
    }
    return bytes;
}

/* Pools that may not grow by themselves can be made larger by hand. */
static void try_growing(const struct suggester *suggester, const struct vm_spec *spec)
{
    struct demand demand = demand_of(spec);
    if (suggester->policy->grow_hugepages || !demand.page_bytes)
        return;
    struct board *board =
        board_new(suggester->host, suggester->policy, suggester->claims, &demand.sizes, &spec->wanted_cpus, true);
    struct decision *verdict = must_calloc(1, sizeof(*verdict));
    auto_text growth = {0};
    check_wishes(board, spec, &demand, verdict);
    if (verdict->reason_count == 0 && fit_placement(board, &demand, spec, NULL, suggester->scratch, NULL)) {
        uint64_t bytes = list_growth(board, suggester->scratch, &growth);
        explain_ordinary(board, fit_ordinary_bytes(&demand, spec) + bytes, verdict);
        if (verdict->reason_count == 0 && growth.length)
            suggest(suggester, "fits with %s (host.hugepages.allocate: true, or by hand)", text_cstr(&growth));
    }
    free(verdict);
    free(board);
}

static struct claims claims_without(const struct claims *claims, const char *owner, struct claimed_pages *pages)
{
    struct claims left = *claims;
    left.pages = pages;
    left.page_count = 0;
    cpuset_foreach(cpu, &claims->cpus) if (claims->cpu_owner && text_equal(claims->cpu_owner[cpu], owner))
    {
        cpuset_remove(&left.cpus, (unsigned)cpu);
        cpuset_remove(&left.realtime_cpus, (unsigned)cpu);
    }
    for (size_t i = 0; i < claims->page_count; i++) {
        if (!text_equal(claims->pages[i].owner, owner))
            pages[left.page_count++] = claims->pages[i];
        else if (claims->pages[i].page_bytes == PLACE_ORDINARY_PAGE_BYTES)
            left.memory_bytes -= claims->pages[i].pages * claims->pages[i].page_bytes;
    }
    return left;
}

/* Every owner once, in the order of their lowest CPU, then of their pages. */
static size_t list_owners(const struct claims *claims, const char **ret_owner, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < CPUSET_MAX + claims->page_count && count < most; i++) {
        const char *owner = i >= CPUSET_MAX     ? claims->pages[i - CPUSET_MAX].owner
                            : claims->cpu_owner ? claims->cpu_owner[i]
                                                : NULL;
        bool known = !owner;
        for (size_t k = 0; k < count; k++)
            known |= text_equal(ret_owner[k], owner);
        if (!known)
            ret_owner[count++] = owner;
    }
    return count;
}

static void try_stopping(const struct suggester *suggester, const struct vm_spec *spec)
{
    enum { MOST = 128 };
    const char *owner[MOST];
    size_t count = list_owners(suggester->claims, owner, MOST);
    struct claimed_pages *pages = must_calloc(suggester->claims->page_count + 1, sizeof(*pages));
    unsigned said = 0;
    for (size_t i = 0; i < count && said < 3; i++) {
        struct claims left = claims_without(suggester->claims, owner[i], pages);
        if (fits(suggester, &left, spec)) {
            suggest(suggester, "fits after stopping %s", owner[i]);
            said++;
        }
    }
    free(pages);
}

static struct vm_spec with_guest_cores(const struct vm_spec *spec, unsigned guest_cores)
{
    struct vm_spec changed = *spec;
    changed.sockets = 1;
    changed.cores = guest_cores;
    changed.vcpus = guest_cores * (spec->threads ? spec->threads : 1);
    return changed;
}

/* The largest number below `most` for which the changed VM fits; 0: none. Room grows as the VM shrinks. */
static uint64_t largest_that_fits(const struct suggester *suggester, const struct vm_spec *spec, uint64_t most,
                                  struct vm_spec (*change)(const struct vm_spec *spec, uint64_t amount))
{
    uint64_t low = 0, high = most;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        struct vm_spec changed = change(spec, middle);
        if (fits(suggester, suggester->claims, &changed))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Whole cores and whole guest cells do not always get easier with less: then one by one. */
static uint64_t largest_of_few(const struct suggester *suggester, const struct vm_spec *spec, uint64_t most,
                               struct vm_spec (*change)(const struct vm_spec *spec, uint64_t amount))
{
    enum { FEW = 64 };
    uint64_t found = largest_that_fits(suggester, spec, most, change);
    for (uint64_t amount = most < FEW ? most : FEW; amount-- > 1 && !found;) {
        struct vm_spec changed = change(spec, amount);
        if (fits(suggester, suggester->claims, &changed))
            found = amount;
    }
    return found;
}

static struct vm_spec fewer_vcpus(const struct vm_spec *spec, uint64_t amount)
{
    return with_guest_cores(spec, (unsigned)amount);
}

static uint64_t memory_unit(const struct vm_spec *spec)
{
    return spec->hugepage_bytes ? spec->hugepage_bytes : 64u << 20;
}

static struct vm_spec less_memory(const struct vm_spec *spec, uint64_t amount)
{
    struct vm_spec changed = *spec;
    changed.memory_bytes = amount * memory_unit(spec);
    return changed;
}

static void try_smaller(const struct suggester *suggester, const struct vm_spec *spec, const char *also)
{
    unsigned threads = spec->threads ? spec->threads : 1;
    uint64_t cores = largest_of_few(suggester, spec, spec->vcpus / threads, fewer_vcpus);
    if (cores && cpuset_is_empty(&spec->shared_vcpus))
        suggest(suggester, "fits with %llu vCPU%s%s", (unsigned long long)cores * threads,
                cores * threads == 1 ? "" : "s", also);
    struct bytes_text bytes = {0};
    uint64_t units = largest_that_fits(suggester, spec, spec->memory_bytes / memory_unit(spec), less_memory);
    if (units)
        suggest(suggester, "fits with %s of memory%s", bytes_format(units * memory_unit(spec), &bytes), also);
}

/* Too many vCPUs and too much memory: as many vCPUs as there is room for, then as much memory beside them. */
static void try_smallest(const struct suggester *suggester, const struct vm_spec *spec)
{
    struct bytes_text bytes = {0};
    struct vm_spec changed = less_memory(spec, 1);
    unsigned threads = spec->threads ? spec->threads : 1;
    uint64_t units = spec->memory_bytes / memory_unit(spec);
    uint64_t cores = largest_of_few(suggester, &changed, spec->vcpus / threads, fewer_vcpus);
    if (cores == 0 || !cpuset_is_empty(&spec->shared_vcpus))
        return;
    changed = fewer_vcpus(spec, cores);
    units = largest_that_fits(suggester, &changed, units, less_memory);
    if (units)
        suggest(suggester, "fits with %llu vCPU%s and %s of memory", (unsigned long long)cores * threads,
                cores * threads == 1 ? "" : "s", bytes_format(units * memory_unit(spec), &bytes));
}

void place_suggest(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                   const struct vm_spec *spec, struct decision *decision)
{
    struct suggester suggester = {host, policy, claims, must_calloc(1, sizeof(struct placement)), decision};
    if (!fits(&suggester, claims, spec)) {
        try_single_wishes(&suggester, spec);
        try_stopping(&suggester, spec);
        if (decision->suggestion_count == 0)
            try_two_wishes(&suggester, spec);
        if (decision->suggestion_count == 0)
            try_smaller(&suggester, spec, "");
        struct vm_spec changed = *spec;
        if (decision->suggestion_count == 0 && drop_emulator(&changed))
            try_smaller(&suggester, &changed, " and the emulator on housekeeping CPUs");
        if (decision->suggestion_count == 0)
            try_smallest(&suggester, spec);
        try_growing(&suggester, spec);
    }
    free(suggester.scratch);
}
