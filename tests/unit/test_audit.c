#include "runtime/place/audit.c"

#include "tests/test.h"
#include "tests/unit/synthetic.h"

static const struct claims nobody;
static struct place_policy policy;
static struct decision *planned, *found;
static struct host *host;
static struct vm_spec spec;

/* Two nodes of four CPUs; CPU 0 is the host's. The VM has two vCPUs and an emulator. */
static void start(void)
{
    struct synthetic make = {.nodes = 2, .cores = 4, .threads = 1, .pages_1g = 2, .gigabytes = 8};
    make.isolated = synthetic_set("1-7");
    free(host);
    policy = (struct place_policy){0};
    host = synthetic_host(&make);
    spec = synthetic_realtime(2, 2);
    place_plan(host, &policy, &nobody, &spec, NULL, planned);
    CHECK(planned->admitted);
}

static const struct decision *audit(const struct claims *others)
{
    place_audit(host, &policy, others, &planned->placement, found);
    return found;
}

static void what_was_planned_is_true(void)
{
    start();
    CHECK(audit(&nobody)->admitted);
    CHECK_INT(found->warning_count, 0);
}

static void a_cpu_that_is_gone_is_named_with_its_thread(void)
{
    start();
    cpuset_remove(&host->online, 2);
    host->withheld = cpuset_of(3);
    policy.reserved = synthetic_set("0-1");
    CHECK(!audit(&nobody)->admitted);
    CHECK_INT(found->reason_count, 3);
    CHECK_TEXT(found->reason[0].message, "CPU 1 of vCPU 0 is a housekeeping CPU now");
    CHECK_TEXT(found->reason[1].message, "CPU 2 of vCPU 1 is offline");
    CHECK_TEXT(found->reason[2].message, "CPU 3 of the emulator is withheld by the cgroup above us");
}

static void a_promise_made_twice_is_named(void)
{
    static const char *owner[CPUSET_MAX] = {[1] = "default/other"};
    struct claims others = {.cpus = cpuset_of(1), .cpu_owner = owner};
    start();
    CHECK(!audit(&others)->admitted);
    CHECK_TEXT(found->reason[0].message, "CPU 1 of vCPU 0 is promised to default/other too");
}

static void a_pool_that_shrank_is_named(void)
{
    struct claimed_pages theirs = {.node = 0, .page_bytes = GI, .pages = 1};
    struct claims others = {.pages = &theirs, .page_count = 1};
    start();
    CHECK(!audit(&others)->admitted);
    CHECK_TEXT(found->reason[0].message, "node 0 has 2 huge pages of 1Gi; 3 are promised, 2 of them to this VM");
    host->node[0].pool_count = 0;
    audit(&nobody);
    CHECK_TEXT(found->reason[0].message, "node 0 has 0 huge pages of 1Gi; 2 are promised, 2 of them to this VM");
}

static void real_time_that_was_taken_away_is_named(void)
{
    start();
    host->rt_runtime_us = 950000;
    host->cpu[1].isolated = false;
    CHECK(!audit(&nobody)->admitted);
    CHECK_TEXT(found->reason[0].code, "RealtimeThrottled");
    CHECK_TEXT(found->warning[0], "CPUs of real-time vCPUs are not isolated: 1");
}

static void pages_that_do_not_add_up_are_named(void)
{
    struct claimed_pages pages[] = {{.node = 0, .page_bytes = GI, .pages = 1},
                                    {.node = 1, .page_bytes = GI, .pages = 3}};
    struct claims claims = {.pages = pages, .page_count = 2, .cpus = synthetic_set("1-3")};
    start();
    host->node[0].pool[1].free = 0;
    memset(found, 0, sizeof(*found));
    place_audit_pages(host, &policy, &claims, found);
    CHECK_INT(found->warning_count, 3);
    CHECK_TEXT(found->warning[0],
               "node 0: 1 huge pages of 1Gi are used by no VM of ours: leaked, or another program has them");
    CHECK_TEXT(found->warning[1], "node 0: 1 huge pages of 1Gi are stranded: no CPU is left beside them");
    CHECK_TEXT(found->warning[2], "node 1: 3 huge pages of 1Gi are promised, but the pool has only 2");
}

static void pools_grow_only_when_they_may_and_must(void)
{
    start();
    spec.numa_policy = VM_NUMA_STRICT;
    spec.memory_bytes = 4 * GI;
    place_plan(host, &policy, &nobody, &spec, NULL, planned);
    CHECK(!planned->admitted);
    policy.grow_hugepages = true;
    place_plan(host, &policy, &nobody, &spec, NULL, planned);
    CHECK(planned->admitted);
    CHECK_INT(planned->placement.growth_count, 1);
    CHECK_INT(planned->placement.growth[0].node, 0);
    CHECK_INT(planned->placement.growth[0].pages, 2);
    bool said = false;
    for (unsigned i = 0; i < planned->warning_count; i++)
        said |= strncmp(planned->warning[i], "2 pages of 1Gi are to be added to the pool of node 0", 51) == 0;
    CHECK(said);
    spec.memory_bytes = 1 * GI;
    place_plan(host, &policy, &nobody, &spec, NULL, planned);
    CHECK(planned->admitted && planned->placement.growth_count == 0);
    spec.memory_bytes = 8 * GI; /* an eighth of what is left stays */
    place_plan(host, &policy, &nobody, &spec, NULL, planned);
    CHECK(!planned->admitted);
    spec.memory_bytes = 6 * GI;
    CHECK((place_plan(host, &policy, &nobody, &spec, NULL, planned), planned->admitted));
    struct claims claims = {.memory_bytes = 8 * GI}; /* all of it could be on that node */
    place_plan(host, &policy, &claims, &spec, NULL, planned);
    CHECK(!planned->admitted);
}

int main(void)
{
    planned = must_calloc(1, sizeof(*planned));
    found = must_calloc(1, sizeof(*found));
    RUN(what_was_planned_is_true);
    RUN(a_cpu_that_is_gone_is_named_with_its_thread);
    RUN(a_promise_made_twice_is_named);
    RUN(a_pool_that_shrank_is_named);
    RUN(real_time_that_was_taken_away_is_named);
    RUN(pages_that_do_not_add_up_are_named);
    RUN(pools_grow_only_when_they_may_and_must);
    free(planned);
    free(found);
    free(host);
    return test_end();
}
