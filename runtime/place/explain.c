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

static void explain_page_size(const struct board *board, struct decision *decision)
{
    struct bytes_text size = {0};
    auto_text sizes = {0};
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
    verdict_reason(decision, "UnsupportedPageSize", -1, "huge pages of %s do not exist on this host%s%s",
                   bytes_format(board->page_bytes, &size), sizes.length ? ", which has " : ", which has none at all",
                   text_cstr(&sizes));
}

static bool page_size_exists(const struct board *board)
{
    for (unsigned n = 0; n < board->node_count; n++)
        if (board->node[n].has_pool)
            return true;
    return false;
}

static void list_pages(const struct board *board, struct text *out)
{
    for (unsigned n = 0; n < board->node_count; n++) {
        const struct board_node *node = &board->node[n];
        text_printf(out, "%snode %d has %llu of %llu left", out->length ? ", " : "", node->id,
                    (unsigned long long)node->pages_left, (unsigned long long)node->pages_total);
    }
}

static void explain_pages(const struct board *board, const struct demand *demand, struct decision *decision)
{
    if (!page_size_exists(board)) {
        explain_page_size(board, decision);
        return;
    }
    uint64_t total = 0, most = 0;
    for (unsigned n = 0; n < board->node_count; n++) {
        total += board->node[n].pages_left;
        most = board->node[n].pages_left > most ? board->node[n].pages_left : most;
    }
    bool one_node = demand->numa == VM_NUMA_STRICT || demand->vcpus <= demand->threads;
    if (total >= demand->pages && (most >= demand->pages || !one_node))
        return;
    struct bytes_text size = {0};
    auto_text nodes = {0};
    list_pages(board, &nodes);
    verdict_reason(decision, "InsufficientHugePages", -1, "needs %llu huge page%s of %s%s; %s",
                   (unsigned long long)demand->pages, plural(demand->pages), bytes_format(board->page_bytes, &size),
                   total >= demand->pages ? " on one node" : "", text_cstr(&nodes));
}

static void tell_together(const struct board *board, const struct demand *demand, const char *code,
                          struct decision *decision)
{
    auto_text nodes = {0};
    struct bytes_text size = {0};
    for (unsigned n = 0; n < board->node_count; n++) {
        const struct board_node *node = &board->node[n];
        uint64_t left = demand->page_bytes ? node->pages_left : node->ordinary_left_bytes / PLACE_ORDINARY_PAGE_BYTES;
        text_printf(&nodes, "%snode %d has %u CPU%s and %llu page%s", nodes.length ? ", " : "", node->id, node->free,
                    plural(node->free), (unsigned long long)left, plural(left));
    }
    verdict_reason(decision, code, -1,
                   "CPUs and memory must be on the same nodes%s: needs %u exclusive CPU%s and %llu page%s of %s; %s",
                   demand->passthrough ? ", a page or more in every guest cell" : "", demand->vcpus + demand->extras,
                   plural(demand->vcpus + demand->extras), (unsigned long long)demand->pages, plural(demand->pages),
                   bytes_format(demand->page_bytes ? demand->page_bytes : PLACE_ORDINARY_PAGE_BYTES, &size),
                   text_cstr(&nodes));
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
