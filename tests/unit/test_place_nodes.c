/* Nodes that lack something, and pages far from the CPUs of a VM. */
#include <string.h>

#include "tests/unit/place_case.h"

static void memory_less_nodes_join_the_nearest(void)
{
    struct synthetic make = {.nodes = 4, .cores = 2, .threads = 1, .pages_1g = 4, .gigabytes = 16};
    struct vm_spec spec = synthetic_realtime(4, 2);
    spec.isolate_emulator = false;
    plan(&make, &spec, NULL);
    host->node[3].memory_bytes = 0;
    host->node[3].pool_count = 0;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(pins(), "4 5 6 7"); /* nodes 2 and 3 are one cell, backed by node 2 */
    CHECK_INT(decision->placement.cell_count, 1);
    CHECK_INT(decision->placement.cell[0].host_node, 2);
}

/* Two nodes of four CPUs, then two CPUs without memory and memory without CPUs, nearest to each other. */
static struct vm_spec odd_nodes(void)
{
    struct synthetic make = {.nodes = 4, .cores = 4, .threads = 1, .pages_1g = 0, .pages_2m = 64, .gigabytes = 4};
    struct vm_spec spec = synthetic_realtime(2, 1);
    spec.memory_bytes = 64 * (UINT64_C(1) << 20);
    spec.hugepage_bytes = UINT64_C(2) << 20;
    spec.isolate_emulator = false;
    plan(&make, &spec, NULL);
    host->node[2].memory_bytes = host->node[2].pool_count = 0;
    cpuset_foreach(cpu, &host->node[3].cpus)
    {
        cpuset_remove(&host->online, (unsigned)cpu);
        host->cpu[cpu].online = false;
    }
    host->node[3].cpus = (struct cpuset){0};
    host->node[2].distance[0] = host->node[0].distance[2] = 22;
    host->node[2].distance[1] = host->node[1].distance[2] = 14;
    host->node[2].distance[3] = host->node[3].distance[2] = 12;
    return spec;
}

static void memory_without_cpus_backs_no_huge_pages(void)
{
    struct vm_spec spec = odd_nodes();
    spec.wanted_cpus = cpuset_range(8, 9); /* of the node without memory */
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(pins(), "8 9");
    CHECK_INT(decision->placement.cell[0].host_node, 1);
    CHECK_INT(decision->placement.page_count, 1);
    CHECK_INT(decision->placement.page[0].node, 1);
    spec.numa_passthrough = false;
    spec.memory_bytes *= 5; /* 160 pages; nodes 0 and 1 have 64 each */
    CHECK(!plan_again(&spec, NULL)->admitted);
    CHECK(strstr(reason("InsufficientHugePages")->message, "node 1 has 64 of 64 left, node 3 has no CPU to fill") !=
          NULL);
    policy.grow_hugepages = true;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK(decision->placement.growth_count > 0 && !cpuset_has(&decision->placement.memory_nodes, 3));
    policy.grow_hugepages = false;
}

/* When all memory is without CPUs there is nowhere else to be. */
static void cpus_join_memory_without_cpus_when_there_is_no_other(void)
{
    struct vm_spec spec = odd_nodes();
    for (unsigned n = 0; n < 2; n++)
        host->node[n].memory_bytes = host->node[n].pool_count = 0;
    spec.hugepage_bytes = 0;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell[0].host_node, 3);
    CHECK(cpuset_is_empty(&decision->placement.filling));
}

static void pages_are_filled_from_their_node(void)
{
    struct vm_spec spec = odd_nodes();
    spec.wanted_cpus = cpuset_range(8, 9);
    policy.reserved = cpuset_of(0);
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.emulator), "0");
    CHECK_TEXT(cpus(&decision->placement.filling), "4"); /* nobody's, on node 1 */
    struct claims claims = {.cpus = cpuset_range(4, 7), .realtime_cpus = cpuset_range(4, 6)};
    CHECK(plan_again(&spec, &claims)->admitted);
    CHECK_TEXT(cpus(&decision->placement.filling), "7"); /* somebody's, but not real-time */
    claims.cpus = cpuset_range(4, 5);
    CHECK(plan_again(&spec, &claims)->admitted);
    CHECK_TEXT(cpus(&decision->placement.filling), "6");
    policy.reserved = synthetic_set("0,5");
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.filling), ""); /* the emulator may be there anyway */
    CHECK_TEXT(cpus(&decision->placement.emulator), "5");
    policy.reserved = cpuset_of(0);
    spec.wanted_cpus = cpuset_range(5, 6);
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.filling), "5"); /* its own */
    policy.reserved = (struct cpuset){0};
}

/* Housekeeping on node 0, pages on node 1: every VM without dedicated CPUs that gets huge pages there. */
static void a_floating_vm_fills_pages_of_another_node(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(1, 1);
    spec.dedicated_cpus = spec.realtime = spec.numa_passthrough = spec.isolate_emulator = false;
    spec.realtime_vcpus = (struct cpuset){0};
    policy.reserved = cpuset_of(0);
    plan(&make, &spec, NULL);
    CHECK(cpuset_is_empty(&decision->placement.filling));
    host->node[0].pool[1].total = host->node[0].pool[1].free = 0;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell[0].host_node, 1);
    CHECK_TEXT(cpus(&decision->placement.filling), "4");
    json_t *object = placement_to_json(&decision->placement);
    struct placement *again = must_calloc(1, sizeof *again);
    struct error err;
    CHECK_INT(placement_from_json(object, again, &err), 0);
    CHECK_TEXT(cpus(&again->filling), "4");
    json_decref(object);
    free(again);
    policy.reserved = (struct cpuset){0};
}

int main(void)
{
    decision = must_calloc(1, sizeof(*decision));
    RUN(memory_less_nodes_join_the_nearest);
    RUN(memory_without_cpus_backs_no_huge_pages);
    RUN(cpus_join_memory_without_cpus_when_there_is_no_other);
    RUN(pages_are_filled_from_their_node);
    RUN(a_floating_vm_fills_pages_of_another_node);
    free(host);
    free(decision);
    return test_end();
}
