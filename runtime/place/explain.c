/* A refusal in numbers. The solver only knows that nothing works; why is found by counting again, from the widest
 * question (is there enough on the whole host?) to the narrowest (on one node, in whole cores, with the pages beside
 * the CPUs). Each question that fails is one reason, so a person sees everything to be changed at once. Rules between
 * enough CPUs and a placement are found by giving each up in turn and asking the solver again. */
#include "runtime/place/verdict.h"

#include <stdlib.h>

#include "runtime/place/search.h"

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* "node 0 has 2 free (4,5), node 1 has 1 (12)" */
static void list_free(const struct board *board, struct text *out)
{
    struct cpuset_text buffer;
    for (unsigned n = 0; n < board->node_count; n++) {
        const struct board_node *node = &board->node[n];
        if (cpuset_is_empty(&node->cpus))
            continue;
        text_printf(out, "%snode %d has %u", out->length ? ", " : "", node->id, node->free);
        if (n == 0 || !out->length)
            text_append(out, " free");
        if (node->free)
            text_printf(out, " (%.60s)", cpuset_format(&node->available, &buffer));
    }
}

static unsigned free_total(const struct board *board)
{
    unsigned total = 0;
    for (unsigned n = 0; n < board->node_count; n++)
        total += board->node[n].free;
    return total;
}

static void explain_cpu_total(const struct board *board, const struct demand *demand, struct decision *decision)
{
    unsigned needed = demand->vcpus + demand->extras, have = free_total(board);
    struct cpuset_text free_text, housekeeping_text;
    struct cpuset claimed = cpuset_and(&board->claims->cpus, &board->host->online);
    auto_text parts = {0};
    if (demand->extras)
        text_printf(&parts, " (%u vCPU%s, %u emulator, %u IO)", demand->vcpus, plural(demand->vcpus), demand->emulator,
                    demand->io);
    verdict_reason(
        decision, "InsufficientExclusiveCPUs", -1,
        "needs %u exclusive CPU%s%s; %u %s free%s%.80s%s: %u online, housekeeping %.80s, %u promised to other "
        "VMs",
        needed, plural(needed), text_cstr(&parts), have, have == 1 ? "is" : "are", have ? " (" : "",
        have ? cpuset_format(&board->available, &free_text) : "", have ? ")" : "", cpuset_count(&board->host->online),
        cpuset_format(&board->housekeeping, &housekeeping_text), cpuset_count(&claimed));
}

static unsigned whole_cores(const struct board *board, unsigned n)
{
    const struct board_node *node = &board->node[n];
    unsigned whole = 0;
    for (unsigned g = node->first_group; g < node->first_group + node->group_count; g++)
        for (unsigned i = 0; i < board->group[g].core_count; i++) {
            const struct board_core *core = &board->core[board->group[g].first_core + i];
            whole += core->free == core->width;
        }
    return whole;
}

static void list_whole_cores(const struct board *board, struct text *out)
{
    for (unsigned n = 0; n < board->node_count; n++)
        if (!cpuset_is_empty(&board->node[n].cpus))
            text_printf(out, "%snode %d has %u whole core%s and %u CPU%s free", out->length ? ", " : "",
                        board->node[n].id, whole_cores(board, n), plural(whole_cores(board, n)), board->node[n].free,
                        plural(board->node[n].free));
}

/* Rules that may stand between enough CPUs and a placement. Each is given up alone; if that helps, it is a reason. */
struct rule {
    const char *code;
    bool (*relax)(struct demand *demand); /* false: not in force */
    void (*tell)(const struct board *board, const struct demand *demand, const char *code, struct decision *decision);
};

static bool relax_sibling(struct demand *demand)
{
    bool had = demand->sibling;
    demand->sibling = false;
    return had;
}

static void tell_sibling(const struct board *board, const struct demand *demand, const char *code,
                         struct decision *decision)
{
    auto_text nodes = {0};
    list_whole_cores(board, &nodes);
    verdict_reason(decision, code, -1,
                   "rtvmd.io/emulator-policy sibling needs %u CPU%s on cores of the VM's own vCPUs; %s", demand->extras,
                   plural(demand->extras), text_cstr(&nodes));
}

static bool relax_smt(struct demand *demand)
{
    bool had = demand->smt != VM_SMT_PREFER;
    demand->smt = VM_SMT_PREFER;
    return had;
}

static void tell_smt(const struct board *board, const struct demand *demand, const char *code,
                     struct decision *decision)
{
    auto_text nodes = {0};
    list_whole_cores(board, &nodes);
    verdict_reason(decision, code, -1, "needs whole cores for %u vCPU%s (rtvmd.io/smt-policy %s)%s; %s", demand->vcpus,
                   plural(demand->vcpus), demand->smt == VM_SMT_ISOLATE ? "isolate" : "require",
                   demand->extras ? " and other CPUs for the emulator and IO threads" : "", text_cstr(&nodes));
}

static bool relax_strict(struct demand *demand)
{
    bool had = demand->numa == VM_NUMA_STRICT;
    demand->numa = VM_NUMA_PREFER;
    return had;
}

static void tell_one_node(const struct board *board, const struct demand *demand, const char *code,
                          struct decision *decision)
{
    auto_text nodes = {0};
    list_free(board, &nodes);
    verdict_reason(decision, code, -1, "needs %u exclusive CPU%s for vCPUs on one node; %s", demand->vcpus,
                   plural(demand->vcpus), text_cstr(&nodes));
}

static bool relax_threads(struct demand *demand)
{
    bool had = demand->threads > 1;
    demand->threads = 1;
    return had;
}

static void tell_threads(const struct board *board, const struct demand *demand, const char *code,
                         struct decision *decision)
{
    auto_text nodes = {0};
    list_free(board, &nodes);
    verdict_reason(decision, code, -1, "needs %u guest cores of %u threads, each on one node; %s",
                   demand->vcpus / demand->threads, demand->threads, text_cstr(&nodes));
}

static bool relax_memory(struct demand *demand)
{
    bool had = demand->page_bytes || demand->passthrough;
    demand->page_bytes = 0;
    demand->sizes.count = 0;
    demand->passthrough = false;
    return had;
}

static void tell_together(const struct board *board, const struct demand *demand, const char *code,
                          struct decision *decision);

static const struct rule RULES[] = {
    {"NoSiblingForEmulator", relax_sibling, tell_sibling},
    {"InsufficientWholeCores", relax_smt, tell_smt},
    {"InsufficientExclusiveCPUs", relax_strict, tell_one_node},
    {"InsufficientExclusiveCPUs", relax_threads, tell_threads},
    {"InsufficientOnOneNode", relax_memory, tell_together},
};

static void explain_rules(const struct board *board, const struct demand *demand, struct decision *decision)
{
    unsigned before = decision->reason_count;
    struct solution *solution = must_calloc(1, sizeof(*solution));
    for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
        struct demand relaxed = *demand;
        if (RULES[i].relax(&relaxed) && search_solve(board, &relaxed, solution, NULL))
            RULES[i].tell(board, demand, RULES[i].code, decision);
    }
    free(solution);
    for (size_t i = 0; i < ARRAY_SIZE(RULES) && decision->reason_count == before; i++) {
        struct demand relaxed = *demand; /* no single one: every rule in force is to blame */
        if (RULES[i].relax(&relaxed))
            RULES[i].tell(board, demand, RULES[i].code, decision);
    }
    if (decision->reason_count == before)
        tell_one_node(board, demand, "InsufficientExclusiveCPUs", decision);
}

/* "2Mi", or "1Gi or 2Mi" */
static void list_sizes(const struct board *board, struct text *out)
{
    struct bytes_text size = {0};
    for (unsigned s = 0; s < board->sizes.count; s++)
        text_printf(out, "%s%s", s ? " or " : "", bytes_format(board->sizes.bytes[s], &size));
}

static void explain_page_size(const struct board *board, struct decision *decision)
{
    struct bytes_text size = {0};
    auto_text sizes = {0};
    auto_text wanted = {0};
    const struct host *host = board->host;
    uint64_t seen = 0;
    for (unsigned i = 0; i < host->node_count; i++)
        for (unsigned p = 0; p < host->node[i].pool_count; p++) {
            uint64_t bytes = host->node[i].pool[p].size_bytes;
            if (seen & bytes)
                continue;
            seen |= bytes;
            text_printf(&sizes, "%s%s", sizes.length ? ", " : "", bytes_format(bytes, &size));
        }
    list_sizes(board, &wanted);
    verdict_reason(decision, "UnsupportedPageSize", -1, "huge pages of %s do not exist on this host%s%s",
                   text_cstr(&wanted), sizes.length ? ", which has " : ", which has none at all", text_cstr(&sizes));
}

static bool page_size_exists(const struct board *board)
{
    for (unsigned n = 0; n < board->node_count; n++)
        for (unsigned s = 0; s < board->sizes.count; s++)
            if (board->node[n].pages[s].exists)
                return true;
    return false;
}

/* " and can get 72 more" */
static void list_growth(const struct board *board, unsigned n, struct text *out)
{
    struct bytes_text size = {0};
    for (unsigned s = 0; s < board->sizes.count; s++) {
        const struct board_pages *pages = &board->node[n].pages[s];
        if (pages->left > pages->ready || pages->limited)
            text_printf(out, " and can get %llu more", (unsigned long long)(pages->left - pages->ready));
        if (board->sizes.count > 1 && pages->left > pages->ready)
            text_printf(out, " of %s", bytes_format(board->sizes.bytes[s], &size));
        if (pages->limited)
            text_append(out, " (all that the kernel found memory in one piece for)");
    }
}

/* "node 0 has 1 of 4 left, node 1 has 0 of 4 left"; with several sizes "node 0 has 1 of 4 of 1Gi and 0 of 512 of 2Mi
 * left" */
static void list_pages(const struct board *board, struct text *out)
{
    struct bytes_text size = {0};
    for (unsigned n = 0; n < board->node_count; n++) {
        text_printf(out, "%snode %d has", out->length ? ", " : "", board->node[n].id);
        if (board->node[n].filling_cpu < 0) {
            text_append(out, " no CPU to fill pages from");
            continue;
        }
        for (unsigned s = 0; s < board->sizes.count; s++) {
            const struct board_pages *pages = &board->node[n].pages[s];
            text_printf(out, "%s %llu of %llu", s ? " and" : "", (unsigned long long)pages->ready,
                        (unsigned long long)pages->total);
            if (board->sizes.count > 1)
                text_printf(out, " of %s", bytes_format(board->sizes.bytes[s], &size));
        }
        text_append(out, " left");
        list_growth(board, n, out);
    }
}

/* The set of sizes that goes furthest, and what it comes to: on all nodes, and on the best of them. */
static struct page_set widest_set(const struct board *board, const struct demand *demand, uint64_t *ret_total,
                                  uint64_t *ret_most)
{
    struct page_set sets[PAGE_SETS_MAX], widest;
    unsigned count = page_sets_of(board, demand, sets);
    uint64_t best = 0;
    widest = sets[0];
    *ret_total = *ret_most = 0;
    for (unsigned i = 0; i < count; i++) {
        struct page_choice choice = page_choice_start(board, &sets[i]);
        uint64_t total = 0, most = 0;
        for (unsigned n = 0; n < board->node_count; n++) {
            uint64_t left = page_set_left(board, &sets[i], n, choice.size[n]);
            total += left;
            most = left > most ? left : most;
        }
        if (i > 0 && total * sets[i].unit_bytes <= best)
            continue;
        best = total * sets[i].unit_bytes;
        widest = sets[i];
        *ret_total = total;
        *ret_most = most;
    }
    return widest;
}

static void explain_pages(const struct board *board, const struct demand *demand, struct decision *decision)
{
    if (!page_size_exists(board)) {
        explain_page_size(board, decision);
        return;
    }
    uint64_t total, most;
    struct page_set set = widest_set(board, demand, &total, &most);
    bool one_node = demand->numa == VM_NUMA_STRICT || demand->vcpus <= demand->threads;
    if (total >= set.pages && (most >= set.pages || !one_node))
        return;
    struct bytes_text amount = {0};
    auto_text nodes = {0};
    auto_text sizes = {0};
    list_pages(board, &nodes);
    list_sizes(board, &sizes);
    const char *where = total >= set.pages ? " on one node" : "";
    if (board->sizes.count > 1)
        verdict_reason(decision, "InsufficientHugePages", -1, "needs %s in huge pages of %s%s; %s",
                       bytes_format(demand->memory_bytes, &amount), text_cstr(&sizes), where, text_cstr(&nodes));
    else
        verdict_reason(decision, "InsufficientHugePages", -1, "needs %llu huge page%s of %s%s; %s",
                       (unsigned long long)demand->pages, plural(demand->pages), text_cstr(&sizes), where,
                       text_cstr(&nodes));
}

static void list_together(const struct board *board, const struct demand *demand, struct text *out)
{
    struct bytes_text size = {0};
    unsigned sizes = demand->sizes.count;
    for (unsigned n = 0; n < board->node_count; n++) {
        const struct board_node *node = &board->node[n];
        text_printf(out, "%snode %d has %u CPU%s", out->length ? ", " : "", node->id, node->free, plural(node->free));
        for (unsigned s = 0; s < (sizes ? sizes : 1); s++) {
            uint64_t left = sizes ? node->pages[s].left : node->ordinary_left_bytes / PLACE_ORDINARY_PAGE_BYTES;
            text_printf(out, " and %llu page%s", (unsigned long long)left, plural(left));
            if (sizes > 1)
                text_printf(out, " of %s", bytes_format(demand->sizes.bytes[s], &size));
        }
    }
}

static void tell_together(const struct board *board, const struct demand *demand, const char *code,
                          struct decision *decision)
{
    auto_text nodes = {0};
    auto_text needed = {0};
    struct bytes_text size = {0};
    list_together(board, demand, &nodes);
    if (demand->sizes.count > 1) {
        text_printf(&needed, "%s in pages of ", bytes_format(demand->memory_bytes, &size));
        list_sizes(board, &needed);
    } else {
        text_printf(&needed, "%llu page%s of %s", (unsigned long long)demand->pages, plural(demand->pages),
                    bytes_format(demand->page_bytes ? demand->page_bytes : PLACE_ORDINARY_PAGE_BYTES, &size));
    }
    verdict_reason(decision, code, -1,
                   "CPUs and memory must be on the same nodes%s: needs %u exclusive CPU%s and %s; %s",
                   demand->passthrough ? ", a page or more in every guest cell" : "", demand->vcpus + demand->extras,
                   plural(demand->vcpus + demand->extras), text_cstr(&needed), text_cstr(&nodes));
}

void explain_refusal(const struct board *board, const struct demand *demand, struct decision *decision)
{
    unsigned before = decision->reason_count;
    if (demand->vcpus && free_total(board) < demand->vcpus + demand->extras)
        explain_cpu_total(board, demand, decision);
    if (demand->page_bytes)
        explain_pages(board, demand, decision);
    if (decision->reason_count == before && demand->vcpus)
        explain_rules(board, demand, decision);
}

void explain_ordinary(const struct board *board, uint64_t ordinary_bytes, struct decision *decision)
{
    if (board->ordinary_total_bytes == 0 || ordinary_bytes <= board->ordinary_left_bytes)
        return;
    enum { MI = 1 << 20 };
    verdict_reason(
        decision, "InsufficientMemory", -1,
        "needs %llu MiB of ordinary memory; %llu MiB are left of %llu (%llu promised to other VMs, huge-page "
        "pools not counted)",
        (unsigned long long)((ordinary_bytes + MI - 1) / MI), (unsigned long long)(board->ordinary_left_bytes / MI),
        (unsigned long long)(board->ordinary_total_bytes / MI), (unsigned long long)(board->claims->memory_bytes / MI));
}
