/* The exact part of the solver. Costs add up over cores and over L3 groups, so the cheapest way to take v vCPUs and x
 * extra CPUs from a group follows from the cheapest ways to take less from fewer cores (dynamic programming), and the
 * same again from groups to the node. Groups whose cores look alike share one table, and so do nodes: on a machine with
 * 8 nodes of which 6 are untouched three tables are made. */
#include "runtime/place/table.h"

#include <stdlib.h>
#include <string.h>

static size_t table_index(const struct table *table, unsigned step, unsigned vcpus, unsigned extras)
{
    return ((size_t)step * (table->vcpus + 1) + vcpus) * (table->extras + 1) + extras;
}

static struct cost table_at(const struct table *table, unsigned step, unsigned vcpus, unsigned extras)
{
    if (vcpus > table->vcpus || extras > table->extras)
        return cost_infinite();
    return table->cost[table_index(table, step, vcpus, extras)];
}

static void table_make(struct table *table, unsigned steps, unsigned vcpus, unsigned extras)
{
    *table = (struct table){.steps = steps, .vcpus = vcpus, .extras = extras};
    size_t count = table_index(table, steps + 1, 0, 0);
    table->cost = must_realloc(NULL, count, sizeof(*table->cost));
    for (size_t i = table_index(table, steps, 0, 0); i < count; i++)
        table->cost[i] = cost_infinite();
    table->cost[table_index(table, steps, 0, 0)] = (struct cost){0};
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* What one step can take: costs by vCPUs and extras, up to its own limits. */
struct option_costs {
    unsigned vcpus;
    unsigned extras;
    const struct cost *cost; /* [v * (extras + 1) + x] */
};

static void table_fill_step(struct table *table, unsigned step, const struct option_costs *options)
{
    for (unsigned v = 0; v <= table->vcpus; v++)
        for (unsigned x = 0; x <= table->extras; x++) {
            struct cost best = cost_infinite();
            for (unsigned dv = 0; dv <= smaller(v, options->vcpus); dv++)
                for (unsigned dx = 0; dx <= smaller(x, options->extras); dx++) {
                    struct cost here = options->cost[dv * (options->extras + 1) + dx];
                    struct cost rest = table->cost[table_index(table, step + 1, v - dv, x - dx)];
                    if (cost_is_infinite(here) || cost_is_infinite(rest))
                        continue;
                    struct cost sum = cost_plus(here, rest);
                    if (cost_less(sum, best))
                        best = sum;
                }
            table->cost[table_index(table, step, v, x)] = best;
        }
}

/* Finds the step's share in the cheapest way to take v and x from step on: the most vCPUs, then the most extras. */
static void table_pick(const struct table *table, unsigned step, const struct option_costs *options, unsigned v,
                       unsigned x, unsigned *ret_vcpus, unsigned *ret_extras)
{
    struct cost wanted = table_at(table, step, v, x);
    for (unsigned dv = smaller(v, options->vcpus) + 1; dv-- > 0;)
        for (unsigned dx = smaller(x, options->extras) + 1; dx-- > 0;) {
            struct cost here = options->cost[dv * (options->extras + 1) + dx];
            struct cost rest = table_at(table, step + 1, v - dv, x - dx);
            if (cost_is_infinite(here) || cost_is_infinite(rest) || cost_plus(here, rest).sum != wanted.sum)
                continue;
            *ret_vcpus = dv;
            *ret_extras = dx;
            return;
        }
    abort(); /* the table was made from the same costs */
}

static struct option_costs core_options(const struct tables *tables, const struct board_core *core,
                                        struct cost storage[(BOARD_THREADS_MAX + 1) * (BOARD_THREADS_MAX + 1)])
{
    const struct demand *demand = tables->demand;
    struct option_costs options = {smaller(demand->vcpus, core->free), smaller(demand->extras, core->free), storage};
    for (unsigned v = 0; v <= options.vcpus; v++)
        for (unsigned x = 0; x <= options.extras; x++)
            storage[v * (options.extras + 1) + x] = cost_core(&tables->order, demand, core, tables->kinds, v, x);
    return options;
}

/* The group's table as options of a node: the first layer with the group's own cost on top. */
static struct option_costs group_options(const struct tables *tables, unsigned group)
{
    const struct table *table = &tables->group[tables->group_as[group]];
    struct option_costs options = {table->vcpus, table->extras, tables->scratch};
    for (unsigned v = 0; v <= table->vcpus; v++)
        for (unsigned x = 0; x <= table->extras; x++) {
            struct cost cost = table_at(table, 0, v, x);
            if (!cost_is_infinite(cost))
                cost = cost_plus(cost, cost_group(&tables->order, &tables->board->group[group], v + x));
            tables->scratch[v * (table->extras + 1) + x] = cost;
        }
    return options;
}

static bool cores_alike(const struct board_core *a, const struct board_core *b)
{
    return a->free == b->free && a->width == b->width && a->isolated == b->isolated && a->kind == b->kind &&
           a->has_cpu0 == b->has_cpu0 && a->foreign == b->foreign && a->foreign_realtime == b->foreign_realtime &&
           a->housekeeping == b->housekeeping;
}

static bool groups_alike(const struct board *board, unsigned a, unsigned b)
{
    const struct board_group *ga = &board->group[a], *gb = &board->group[b];
    if (ga->core_count != gb->core_count || ga->free != gb->free)
        return false;
    for (unsigned i = 0; i < ga->core_count; i++)
        if (!cores_alike(&board->core[ga->first_core + i], &board->core[gb->first_core + i]))
            return false;
    return true;
}

static bool nodes_alike(const struct tables *tables, unsigned a, unsigned b)
{
    const struct board_node *na = &tables->board->node[a], *nb = &tables->board->node[b];
    if (na->group_count != nb->group_count)
        return false;
    for (unsigned i = 0; i < na->group_count; i++)
        if (tables->group_as[na->first_group + i] != tables->group_as[nb->first_group + i])
            return false;
    return true;
}

static void make_group(struct tables *tables, unsigned g)
{
    const struct board *board = tables->board;
    for (unsigned i = 0; i < g; i++)
        if (tables->group_as[i] == i && groups_alike(board, i, g)) {
            tables->group_as[g] = i;
            return;
        }
    tables->group_as[g] = g;
    const struct board_group *group = &board->group[g];
    struct table *table = &tables->group[g];
    table_make(table, group->core_count, smaller(tables->demand->vcpus, group->free),
               smaller(tables->demand->extras, group->free));
    for (unsigned i = group->core_count; i-- > 0;) {
        struct cost storage[(BOARD_THREADS_MAX + 1) * (BOARD_THREADS_MAX + 1)];
        struct option_costs options = core_options(tables, &board->core[group->first_core + i], storage);
        table_fill_step(table, i, &options);
    }
}

static void make_node(struct tables *tables, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (tables->node_as[i] == i && nodes_alike(tables, i, n)) {
            tables->node_as[n] = i;
            return;
        }
    tables->node_as[n] = n;
    const struct board_node *node = &tables->board->node[n];
    struct table *table = &tables->node[n];
    table_make(table, node->group_count, smaller(tables->demand->vcpus, node->free),
               smaller(tables->demand->extras, node->free));
    for (unsigned i = node->group_count; i-- > 0;) {
        struct option_costs options = group_options(tables, node->first_group + i);
        table_fill_step(table, i, &options);
    }
}

void tables_make(struct tables *tables, const struct board *board, const struct demand *demand, unsigned kinds,
                 bool mixed_pages)
{
    *tables =
        (struct tables){.board = board, .demand = demand, .order = cost_order_of(demand, mixed_pages), .kinds = kinds};
    tables->group = must_calloc(board->group_count + 1, sizeof(*tables->group));
    tables->group_as = must_calloc(board->group_count + 1, sizeof(*tables->group_as));
    tables->node = must_calloc(board->node_count, sizeof(*tables->node));
    tables->node_as = must_calloc(board->node_count, sizeof(*tables->node_as));
    tables->scratch = must_calloc((size_t)(demand->vcpus + 1) * (demand->extras + 1), sizeof(*tables->scratch));
    for (unsigned g = 0; g < board->group_count; g++)
        make_group(tables, g);
    for (unsigned n = 0; n < board->node_count; n++)
        make_node(tables, n);
}

void tables_finish(struct tables *tables)
{
    for (unsigned g = 0; g < tables->board->group_count; g++)
        free(tables->group[g].cost);
    for (unsigned n = 0; n < tables->board->node_count; n++)
        free(tables->node[n].cost);
    free(tables->group);
    free(tables->group_as);
    free(tables->node);
    free(tables->node_as);
    free(tables->scratch);
}

struct cost tables_node_cost(const struct tables *tables, unsigned node, unsigned vcpus, unsigned extras)
{
    return table_at(&tables->node[tables->node_as[node]], 0, vcpus, extras);
}

static void spread_group(const struct tables *tables, unsigned g, unsigned vcpus, unsigned extras, uint8_t *vcpus_of,
                         uint8_t *extras_of)
{
    const struct board_group *group = &tables->board->group[g];
    const struct table *table = &tables->group[tables->group_as[g]];
    for (unsigned i = 0; i < group->core_count; i++) {
        struct cost storage[(BOARD_THREADS_MAX + 1) * (BOARD_THREADS_MAX + 1)];
        struct option_costs options = core_options(tables, &tables->board->core[group->first_core + i], storage);
        unsigned dv, dx;
        table_pick(table, i, &options, vcpus, extras, &dv, &dx);
        vcpus_of[group->first_core + i] = (uint8_t)dv;
        extras_of[group->first_core + i] = (uint8_t)dx;
        vcpus -= dv;
        extras -= dx;
    }
}

void tables_spread(const struct tables *tables, unsigned node, unsigned vcpus, unsigned extras, uint8_t *vcpus_of,
                   uint8_t *extras_of)
{
    const struct board_node *of = &tables->board->node[node];
    const struct table *table = &tables->node[tables->node_as[node]];
    for (unsigned i = 0; i < of->group_count; i++) {
        struct option_costs options = group_options(tables, of->first_group + i);
        unsigned dv, dx;
        table_pick(table, i, &options, vcpus, extras, &dv, &dx);
        spread_group(tables, of->first_group + i, dv, dx, vcpus_of, extras_of);
        vcpus -= dv;
        extras -= dx;
    }
}
