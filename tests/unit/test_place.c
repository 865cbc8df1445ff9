/* One plan at a time: what KubeVirt's manifests ask for, the policies, the words of refusals and warnings. */
#include "runtime/place/place.c"

#include "runtime/place/memory.h"

#include "tests/unit/place_case.h"

static void the_seed_fits_on_two_nodes(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "1 2");
    CHECK_TEXT(cpus(&decision->placement.emulator), "3");
    CHECK_TEXT(cpus(&decision->placement.exclusive), "1-3");
    CHECK_INT(decision->placement.cell_count, 1);
    CHECK_INT(decision->placement.cell[0].host_node, 0);
    CHECK(decision->placement.cell[0].memory_bytes == GI && decision->placement.cell[0].page_bytes == GI);
    CHECK_INT(decision->placement.page_count, 1);
    CHECK_TEXT(cpus(&decision->placement.memory_nodes), "0");
    CHECK(warned("every vCPU is real-time"));
}

static void the_seed_is_refused_on_two_cpus_with_every_reason(void)
{
    struct synthetic make = {.nodes = 1, .cores = 2, .threads = 1, .gigabytes = 4};
    struct vm_spec spec = synthetic_realtime(2, 1);
    plan(&make, &spec, NULL);
    host->rt_runtime_us = 950000;
    host->fifo_works = host->kvm_works = HOST_NO;
    snprintf(host->kvm_because, sizeof(host->kvm_because), "/dev/kvm is missing");
    plan_again(&spec, NULL);
    CHECK(!decision->admitted);
    CHECK_INT(decision->reason_count, 5);
    CHECK_TEXT(
        reason("InsufficientExclusiveCPUs")->message,
        "needs 3 exclusive CPUs (2 vCPUs, 1 emulator, 0 IO); 1 is free (1): 2 online, housekeeping 0, 0 promised to "
        "other VMs");
    CHECK_TEXT(reason("InsufficientHugePages")->message, "needs 1 huge page of 1Gi; node 0 has 0 of 0 left");
    CHECK(strstr(reason("RealtimeThrottled")->message, "950000"));
    CHECK(strstr(reason("FIFONotPermitted")->message, "SCHED_FIFO"));
    CHECK(strstr(reason("NoKVM")->message, "/dev/kvm is missing"));
}

static void room_on_one_node_is_counted_per_node(void)
{
    struct synthetic make = {.nodes = 2, .cores = 4, .threads = 1, .pages_1g = 1, .gigabytes = 16};
    struct claims claims = {.cpus = synthetic_set("1-3,5-6")};
    struct vm_spec spec = synthetic_realtime(3, 1);
    spec.isolate_emulator = false;
    spec.numa_policy = VM_NUMA_STRICT;
    claims.cpus = synthetic_set("1,5-6");
    plan(&make, &spec, &claims);
    CHECK(!decision->admitted);
    CHECK_TEXT(reason("InsufficientExclusiveCPUs")->message,
               "needs 3 exclusive CPUs for vCPUs on one node; node 0 has 2 free (2-3), node 1 has 2 (4,7)");
    spec.numa_policy = VM_NUMA_PREFER; /* two cells need two pages */
    plan(&make, &spec, &claims);
    CHECK(!decision->admitted);
    CHECK(strstr(reason("InsufficientOnOneNode")->message, "node 1 has 2 CPUs and 1 page"));
    spec.memory_bytes = 2 * GI;
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK_INT(decision->placement.cell_count, 2);
}

static void memory_follows_the_vcpus(void)
{
    struct synthetic make = {.nodes = 2, .cores = 8, .threads = 1, .pages_1g = 8, .gigabytes = 64};
    struct claims claims = {.cpus = synthetic_set("8-13")};
    struct vm_spec spec = synthetic_realtime(8, 4);
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK_INT(decision->placement.cell_count, 2);
    CHECK_INT(cpuset_count(&decision->placement.cell[0].vcpus), 6);
    CHECK(decision->placement.cell[0].memory_bytes == 3 * GI);
    CHECK(decision->placement.cell[1].memory_bytes == 1 * GI);
}

static void pages_are_rounded_by_the_largest_remainder(void)
{
    const uint64_t plenty[] = {100, 100, 100};
    uint64_t pages[3];
    CHECK(memory_split(5, 2, (unsigned[]){1, 1}, plenty, 1, pages) && pages[0] == 3 && pages[1] == 2);
    CHECK(memory_split(10, 3, (unsigned[]){1, 2, 4}, plenty, 1, pages) && pages[0] == 1 && pages[1] == 3 &&
          pages[2] == 6);
    CHECK(memory_split(3, 3, (unsigned[]){1, 1, 14}, plenty, 1, pages) && pages[0] == 1 && pages[1] == 1 &&
          pages[2] == 1);
    CHECK(!memory_split(2, 3, (unsigned[]){1, 1, 1}, plenty, 1, pages));
    CHECK(memory_split(7, 2, (unsigned[]){1, 1}, (const uint64_t[]){3, 100}, 1, pages) && pages[0] == 3 &&
          pages[1] == 4);
    CHECK(!memory_split(8, 2, (unsigned[]){1, 1}, (const uint64_t[]){3, 100}, 1, pages));
    CHECK(memory_split(9, 2, (unsigned[]){1, 1}, (const uint64_t[]){4, 100}, 1, pages) && pages[0] == 4 &&
          pages[1] == 5);
}

static void a_running_vms_pages_are_charged_once(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(1, 3);
    struct claimed_pages pages[] = {{.node = 0, .page_bytes = GI, .pages = 2},
                                    {.node = 1, .page_bytes = GI, .pages = 1}};
    struct claims claims = {.page_count = 2, .pages = pages};
    plan(&make, &spec, &claims);
    for (unsigned n = 0; n < 2; n++) /* as the kernel sees it while the others run */
        host->node[n].pool[1].free = 4 - pages[n].pages;
    plan_again(&spec, &claims);
    CHECK(decision->admitted && !warned("something else uses huge pages"));
    CHECK_INT(decision->placement.cell[0].host_node, 1);
    host->node[1].pool[1].free = 2;
    plan_again(&spec, &claims);
    CHECK(decision->admitted && warned("node 1: 3 pages of 1Gi are unclaimed but the kernel has 2 free"));
    pages[1].pages = 2;
    plan_again(&spec, &claims);
    CHECK(!decision->admitted);
    CHECK_TEXT(reason("InsufficientHugePages")->message,
               "needs 3 huge pages of 1Gi on one node; node 0 has 2 of 4 left, node 1 has 2 of 4 left");
    spec.memory_bytes = 5 * GI;
    plan_again(&spec, &claims);
    CHECK_TEXT(reason("InsufficientHugePages")->message,
               "needs 5 huge pages of 1Gi; node 0 has 2 of 4 left, node 1 has 2 of 4 left");
}

static void a_page_size_the_host_lacks_is_said(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(1, 1);
    spec.hugepage_bytes = 4 * MI;
    plan(&make, &spec, NULL);
    CHECK_TEXT(reason("UnsupportedPageSize")->message,
               "huge pages of 4Mi do not exist on this host, which has 2Mi, 1Gi");
    host->mounts_known = true;
    spec.hugepage_bytes = GI;
    plan_again(&spec, NULL);
    CHECK(strstr(reason("HugetlbfsNotMounted")->message, "no hugetlbfs with 1Gi pages is mounted"));
    host->hugetlbfs_size_bytes[host->hugetlbfs_count++] = GI;
    CHECK(plan_again(&spec, NULL)->admitted);
}

static void guest_siblings_are_host_siblings(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(4, 1);
    spec.sockets = 1;
    spec.cores = spec.threads = 2;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "1 9 2 10");
    CHECK_TEXT(cpus(&decision->placement.emulator), "3");
    make.threads = 1;
    make.isolated = (struct cpuset){0};
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK(warned("guest's siblings are not siblings"));
}

static void siblings_are_parked_when_isolated(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    spec.smt_policy = VM_SMT_ISOLATE;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.parked), "9-10");
    CHECK_TEXT(cpus(&decision->placement.exclusive), "1-3,9-10");
    struct claims claims = {.cpus = synthetic_set("9,10,13,14")};
    plan(&make, &spec, &claims);
    CHECK(!decision->admitted);
    CHECK(strstr(reason("InsufficientWholeCores")->message, "node 0 has 1 whole core and 4 CPUs free"));
    place_suggest(host, &policy, &claims, &spec, decision);
    CHECK(suggested("fits with rtvmd.io/smt-policy: prefer"));
}

static void cores_are_filled_when_required(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(4, 1);
    spec.smt_policy = VM_SMT_REQUIRE;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "1 9 2 10");
    spec = synthetic_realtime(3, 1);
    spec.smt_policy = VM_SMT_REQUIRE;
    plan(&make, &spec, NULL);
    CHECK(strstr(reason("SMTAlignment")->message, "3 vCPUs"));
    make.threads = 1;
    plan(&make, &spec, NULL);
    CHECK_TEXT(reason("NoSMT")->code, "NoSMT");
}

static void realtime_vcpus_share_cores_only_when_they_must(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(3, 1);
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "1 2 3");
    CHECK(!warned("share their core"));
    spec = synthetic_realtime(5, 1);
    CHECK(plan(&make, &spec, NULL)->admitted); /* three cores for five vCPUs; the emulator moves out */
    CHECK_INT(decision->placement.cell_count, 1);
    CHECK(warned("real-time vCPUs 1-4 share their core"));
    CHECK(warned("the emulator's CPU"));
    spec.realtime_vcpus = cpuset_of(4); /* somebody must share; not the one that must not wait */
    spec.vcpus = spec.sockets = 5;
    struct claims claims = {.cpus = synthetic_set("13-15")};
    make.cores = 4;
    CHECK(plan(&make, &spec, &claims)->admitted);
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK(!warned("share their core"));
}

static void another_vms_realtime_core_is_used_last(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(1, 1);
    spec.realtime = spec.isolate_emulator = false;
    struct claims claims = {.cpus = synthetic_set("1")};
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK_TEXT(pins(), "9"); /* the broken core first */
    claims.realtime_cpus = claims.cpus;
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK_TEXT(pins(), "2");
}

static void the_emulator_goes_where_its_policy_says(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(1, 1);
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK(!decision->placement.emulator_is_exclusive);
    CHECK_TEXT(cpus(&decision->placement.emulator), "0,8"); /* housekeeping of its own node */
    spec.emulator_policy = VM_EMULATOR_DEDICATED;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.emulator), "2");
    spec.emulator_policy = VM_EMULATOR_SIBLING;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.emulator), "9");
    CHECK(!warned("share their core")); /* it was asked for */
    spec = synthetic_realtime(2, 1);
    spec.emulator_policy = VM_EMULATOR_SIBLING;
    spec.iothreads_policy = VM_IOTHREADS_SUPPLEMENTAL;
    spec.supplemental_iothreads = 1;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.iothread[0]), "10");
    CHECK(!warned("share their core"));
    make.threads = 1;
    plan(&make, &spec, NULL);
    CHECK(strstr(reason("NoSMT")->message, "use dedicated"));
}

static void the_emulator_may_go_to_another_node(void)
{
    struct synthetic make = {.nodes = 2, .cores = 3, .threads = 1, .pages_1g = 4, .gigabytes = 16};
    struct vm_spec spec = synthetic_realtime(3, 1);
    CHECK(plan(&make, &spec, NULL)->admitted); /* vCPUs need all of node 1 */
    CHECK_TEXT(pins(), "3 4 5");
    CHECK_TEXT(cpus(&decision->placement.emulator), "1");
    CHECK(warned("the emulator's CPU 1 is on node 0"));
}

static struct vm_spec with_disks(struct vm_spec spec, struct vm_disk *disks, unsigned own, unsigned others)
{
    memset(disks, 0, (own + others) * sizeof(*disks));
    for (unsigned i = 0; i < own; i++)
        disks[i].dedicated_iothread = true;
    spec.disk = disks;
    spec.disk_count = own + others;
    return spec;
}

static unsigned count_iothreads(enum vm_iothreads_policy chosen, unsigned own, unsigned others, bool isolated,
                                unsigned cpu)
{
    struct vm_disk disks[128];
    struct vm_spec spec = with_disks(synthetic_realtime(4, 1), disks, own, others);
    spec.iothreads_policy = chosen;
    spec.isolate_emulator = isolated;
    spec.request_cpu_milli = (uint64_t)cpu * 1000;
    return demand_iothreads(&spec);
}

static void iothreads_are_counted_as_kubevirt_counts(void)
{
    CHECK_INT(count_iothreads(VM_IOTHREADS_UNSET, 0, 3, true, 4), 0);
    CHECK_INT(count_iothreads(VM_IOTHREADS_UNSET, 1, 0, true, 4), 1);
    CHECK_INT(count_iothreads(VM_IOTHREADS_UNSET, 1, 1, true, 4), 2);
    CHECK_INT(count_iothreads(VM_IOTHREADS_SHARED, 0, 5, true, 4), 1);
    CHECK_INT(count_iothreads(VM_IOTHREADS_SHARED, 0, 0, true, 4), 0);
    CHECK_INT(count_iothreads(VM_IOTHREADS_AUTO, 0, 5, true, 4), 1);
    CHECK_INT(count_iothreads(VM_IOTHREADS_AUTO, 0, 5, false, 4), 5);
    CHECK_INT(count_iothreads(VM_IOTHREADS_AUTO, 0, 20, false, 4), 8);
    CHECK_INT(count_iothreads(VM_IOTHREADS_AUTO, 3, 20, false, 0), 4);
    CHECK_INT(count_iothreads(VM_IOTHREADS_AUTO, 65, 0, false, 4), LIMIT_VM_IOTHREADS);
}

static void iothreads_never_run_on_a_vcpus_cpu(void)
{
    struct vm_disk disks[4];
    struct synthetic make = two_nodes();
    struct vm_spec spec = with_disks(synthetic_realtime(1, 1), disks, 1, 1);
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(decision->placement.iothread_count, 2);
    CHECK_TEXT(cpus(&decision->placement.iothread[0]), "2"); /* the emulator's */
    CHECK_TEXT(cpus(&decision->placement.iothread[1]), "2");
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.iothread[0]), "0,8");
    spec.iothreads_policy = VM_IOTHREADS_SUPPLEMENTAL;
    spec.supplemental_iothreads = 2;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "1");
    CHECK_TEXT(cpus(&decision->placement.iothread[0]), "2"); /* one core for both */
    CHECK_TEXT(cpus(&decision->placement.iothread[1]), "10");
    CHECK_TEXT(cpus(&decision->placement.exclusive), "1-2,10");
}

static void some_vcpus_may_float(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(4, 2);
    spec.shared_vcpus = synthetic_set("0-1");
    spec.realtime_vcpus = synthetic_set("2-3");
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "-1 -1 1 2");
    CHECK_TEXT(cpus(&decision->placement.shared), "0,4,8,12");
    CHECK_TEXT(cpus(&decision->placement.cell[0].vcpus), "0-3");
    spec.realtime_vcpus = synthetic_set("1-3");
    plan(&make, &spec, NULL);
    CHECK(strstr(reason("SharedRealtimeVCPU")->message, "vCPUs 1"));
    spec.realtime = false;
    spec.cores = spec.threads = 2;
    spec.sockets = 1;
    spec.shared_vcpus = synthetic_set("0");
    plan(&make, &spec, NULL);
    CHECK_INT(decision->reason_count, 1);
    CHECK(strstr(reason("SharedHalfCore")->message, "threads: 2"));
    spec.shared_vcpus = synthetic_set("0-9");
    plan(&make, &spec, NULL);
    CHECK(strstr(reason("NoDedicatedVCPU")->message, "every vCPU"));
    CHECK(warned("vCPUs the VM does not have: 4-9"));
}

static void cpus_may_be_chosen_by_hand(void)
{
    static const char *owner[CPUSET_MAX] = {[2] = "default/vm-b"};
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    spec.wanted_cpus = synthetic_set("5-7");
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(cpus(&decision->placement.exclusive), "5-7");
    struct claims claims = {.cpus = synthetic_set("2"), .cpu_owner = owner};
    spec.wanted_cpus = synthetic_set("0,2-3,99");
    plan(&make, &spec, &claims);
    CHECK_TEXT(reason("WantedCPUsOffline")->message, "rtvmd.io/cpus names CPUs that are not online: 99");
    CHECK_TEXT(reason("WantedCPUsReserved")->message, "rtvmd.io/cpus names housekeeping CPUs: 0");
    CHECK_TEXT(reason("WantedCPUsTaken")->message, "rtvmd.io/cpus names CPU 2, which VM default/vm-b has");
    CHECK(strstr(reason("InsufficientExclusiveCPUs")->message, "1 is free (3)"));
    place_suggest(host, &policy, &claims, &spec, decision);
    CHECK(suggested("fits with any CPUs (no rtvmd.io/cpus)"));
}

static void spread_uses_all_nodes_evenly(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(4, 2);
    spec.numa_policy = VM_NUMA_SPREAD;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell_count, 2);
    CHECK_INT(cpuset_count(&decision->placement.cell[0].vcpus), 2);
    CHECK(decision->placement.cell[1].memory_bytes == GI);
}

static void the_tightest_node_is_taken(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(1, 1);
    struct claims claims = {.cpus = synthetic_set("5,13")};
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK_TEXT(pins(), "6"); /* node 0 stays whole for the next big VM */
    struct claimed_pages pages = {.node = 1, .page_bytes = GI, .pages = 4};
    claims = (struct claims){.page_count = 1, .pages = &pages};
    spec.numa_passthrough = spec.realtime = false;
    spec.hugepage_bytes = 0;
    CHECK(plan(&make, &spec, &claims)->admitted);
    CHECK_TEXT(cpus(&decision->placement.memory_nodes), "0");
}

static void efficiency_cores_come_second(void)
{
    struct synthetic make = {.nodes = 1, .cores = 8, .threads = 1, .pages_1g = 2, .gigabytes = 8};
    struct vm_spec spec = synthetic_realtime(2, 1);
    plan(&make, &spec, NULL);
    for (unsigned cpu = 0; cpu < 8; cpu++)
        host->cpu[cpu].kind = cpu < 5 ? HOST_CORE_EFFICIENCY : HOST_CORE_PERFORMANCE;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(pins(), "5 6");
    CHECK_TEXT(cpus(&decision->placement.emulator), "1"); /* the emulator does not need a fast one */
    spec = synthetic_realtime(4, 1);
    spec.isolate_emulator = false;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK_TEXT(pins(), "1 2 3 4"); /* all of one kind */
}

static void a_vm_without_dedicated_cpus_floats(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = {.name = "plain", .namespace_ = "default", .vcpus = 2, .threads = 1, .memory_bytes = GI};
    spec.overhead_bytes = 300 * (uint64_t)MI;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_TEXT(pins(), "-1 -1");
    CHECK_TEXT(cpus(&decision->placement.shared), "0,4,8,12");
    CHECK(cpuset_is_empty(&decision->placement.exclusive) && cpuset_is_empty(&decision->placement.memory_nodes));
    CHECK(decision->placement.ordinary_bytes == GI + spec.overhead_bytes);
    spec.hugepage_bytes = GI;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell_count, 1);
    spec.memory_bytes = 6 * GI; /* on no single node */
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell_count, 0);
    CHECK_INT(decision->placement.page_count, 2);
    CHECK(decision->placement.hugepage_bytes == GI);
}

static void ordinary_memory_is_counted(void)
{
    struct synthetic make = {.nodes = 1, .cores = 4, .threads = 1, .pages_1g = 2, .gigabytes = 4};
    struct vm_spec spec = {.name = "plain", .namespace_ = "default", .vcpus = 1, .threads = 1, .memory_bytes = 2 * GI};
    struct claims claims = {.memory_bytes = GI};
    CHECK(plan(&make, &spec, NULL)->admitted);
    spec.overhead_bytes = 1;
    plan(&make, &spec, NULL);
    CHECK(!decision->admitted);
    spec.overhead_bytes = 0;
    plan(&make, &spec, &claims);
    CHECK_TEXT(
        reason("InsufficientMemory")->message,
        "needs 2048 MiB of ordinary memory; 1024 MiB are left of 2048 (1024 promised to other VMs, huge-page pools "
        "not counted)");
    place_suggest(host, &policy, &claims, &spec, decision);
    CHECK(suggested("fits with 1Gi of memory"));
}

static void the_nearest_thing_that_fits_is_suggested(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec other = synthetic_realtime(2, 4);
    struct claim_book *book = claim_book_new();
    plan(&make, &other, NULL);
    claim_book_add(book, &decision->placement, "default/vm-a");
    plan_again(&other, claim_book_claims(book));
    CHECK(decision->admitted);
    claim_book_add(book, &decision->placement, "default/vm-b");
    struct vm_spec spec = synthetic_realtime(2, 2);
    plan_again(&spec, claim_book_claims(book));
    CHECK(!decision->admitted);
    place_suggest(host, &policy, claim_book_claims(book), &spec, decision);
    CHECK(suggested("fits with 2Mi pages (hugepages.pageSize: 2Mi, or beside it rtvmd.io/page-sizes: 2Mi)"));
    CHECK(suggested("fits after stopping default/vm-a"));
    CHECK(suggested("fits after stopping default/vm-b"));
    spec = synthetic_realtime(8, 8);
    spec.numa_passthrough = spec.realtime = false;
    spec.hugepage_bytes = 0;
    plan_again(&spec, claim_book_claims(book));
    CHECK(!decision->admitted);
    place_suggest(host, &policy, claim_book_claims(book), &spec, decision);
    CHECK(suggested("fits after stopping default/vm-a"));
    spec.vcpus = spec.sockets = 13;
    plan_again(&spec, claim_book_claims(book));
    place_suggest(host, &policy, claim_book_claims(book), &spec, decision);
    CHECK(suggested("fits with 5 vCPUs"));
    claim_book_free(book);
}

/* Node 0 has large pages, node 1 has small ones. */
static void cells_may_have_pages_of_their_own_size(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(12, 4);
    spec.isolate_emulator = false;
    plan(&make, &spec, NULL);
    host->node[0].pool[0].total = host->node[0].pool[0].free = 0;
    host->node[1].pool[1].total = host->node[1].pool[1].free = 1;
    CHECK(!plan_again(&spec, NULL)->admitted);
    place_suggest(host, &policy, &nobody, &spec, decision);
    CHECK(suggested("fits with 2Mi pages on some nodes (rtvmd.io/page-sizes: 2Mi)"));
    spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {2 * MI}};
    CHECK(plan_again(&spec, NULL)->admitted);
    const struct placement *p = &decision->placement;
    CHECK_INT(p->cell_count, 2);
    CHECK(p->cell[0].page_bytes == GI && p->cell[0].memory_bytes == 2 * GI);
    CHECK(p->cell[1].page_bytes == 2 * MI && p->cell[1].memory_bytes == 2 * GI);
    CHECK(p->page[0].node == 0 && p->page[0].page_bytes == GI && p->page[0].pages == 2);
    CHECK(p->page[1].node == 1 && p->page[1].page_bytes == 2 * MI && p->page[1].pages == 1024);
    CHECK(warned("guest cell 1 has pages of 2Mi: with pages of 1Gi alone (hugepages.pageSize) the VM does not fit"));
    struct placement *kept = must_calloc(1, sizeof(*kept));
    *kept = *p;
    place_plan(host, &policy, &nobody, &spec, kept, decision);
    CHECK(decision->admitted && memcmp(kept, p, sizeof(*kept)) == 0);
    host->node[1].pool[1].total = 2; /* the wanted size has room again: the same CPUs, better pages */
    place_plan(host, &policy, &nobody, &spec, kept, decision);
    CHECK(decision->admitted && p->cell[1].page_bytes == GI);
    CHECK(memcmp(kept->vcpu_cpu, p->vcpu_cpu, sizeof(p->vcpu_cpu)) == 0);
    free(kept);
}

static void refusals_name_every_page_size(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 12);
    spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {2 * MI}};
    plan(&make, &spec, NULL);
    CHECK_TEXT(reason("InsufficientHugePages")->message,
               "needs 12Gi in huge pages of 1Gi or 2Mi; node 0 has 4 of 4 of 1Gi and 1024 of 1024 of 2Mi left, node 1 "
               "has 4 of 4 of 1Gi and 1024 of 1024 of 2Mi left");
    spec.hugepage_bytes = 32 * MI; /* a size x86 does not have, and one it has */
    spec.memory_bytes = 2 * GI;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK(decision->placement.cell[0].page_bytes == 2 * MI);
}

static void a_size_without_hugetlbfs_is_left_out(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 2);
    spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {2 * MI}};
    plan(&make, &spec, NULL);
    host->mounts_known = true;
    plan_again(&spec, NULL);
    CHECK(!decision->admitted && decision->reason_count == 2);
    CHECK_TEXT(reason("HugetlbfsNotMounted")->message,
               "no hugetlbfs with 1Gi pages is mounted: mount -t hugetlbfs -o pagesize=1048576K none "
               "/dev/hugepages1Gi, then restart libvirtd");
    host->hugetlbfs_count = 1;
    host->hugetlbfs_size_bytes[0] = 2 * MI;
    CHECK(plan_again(&spec, NULL)->admitted);
    CHECK(decision->placement.cell[0].page_bytes == 2 * MI && warned("no hugetlbfs with 1Gi pages is mounted"));
}

static void pools_of_other_sizes_come_before_growth(void)
{
    struct synthetic make = {.nodes = 1, .cores = 4, .threads = 1, .pages_1g = 1, .pages_2m = 1024, .gigabytes = 16};
    struct vm_spec spec = synthetic_realtime(1, 2);
    struct place_policy before = policy;
    spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {2 * MI}};
    policy.grow_hugepages = true;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK(decision->placement.growth_count == 0 && decision->placement.cell[0].page_bytes == 2 * MI);
    make.pages_2m = 0;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK(decision->placement.growth_count == 1 && decision->placement.growth[0].page_bytes == GI);
    CHECK_INT(decision->placement.growth[0].pages, 1);
    policy = before;
}

static void pools_grow_when_they_may(void)
{
    struct synthetic make = {.nodes = 2, .cores = 4, .threads = 1, .pages_1g = 1, .gigabytes = 16};
    struct vm_spec spec = synthetic_realtime(2, 3);
    CHECK(!plan(&make, &spec, NULL)->admitted);
    CHECK(reason("InsufficientHugePages"));
    policy.grow_hugepages = true;
    CHECK(plan(&make, &spec, NULL)->admitted);
    struct placement *first = must_calloc(1, sizeof(*first));
    *first = decision->placement;
    CHECK_INT(first->growth_count, 1);
    CHECK_INT(first->growth[0].node, first->cell[0].host_node);
    CHECK_INT(first->growth[0].pages, 2); /* one is there */
    CHECK_INT(first->page[0].pages, 3);
    /* Restarted: it stays where it was, though there are pages elsewhere by now. */

    plan(&make, &spec, NULL);
    int other = 1 - first->cell[0].host_node;
    host->node[other].pool[1].total = host->node[other].pool[1].free = 8;
    place_plan(host, &policy, &nobody, &spec, first, decision);
    CHECK(decision->admitted && decision->placement.vcpu_cpu[0] == first->vcpu_cpu[0]);
    CHECK_INT(decision->placement.growth_count, 1);
    /* Its CPUs are somebody else's by now: then where the pages are. */
    struct claims theirs = {.cpus = host->node[1 - other].cpus};
    place_plan(host, &policy, &theirs, &spec, first, decision);
    CHECK(decision->admitted && decision->placement.growth_count == 0);
    CHECK_INT(decision->placement.cell[0].host_node, other);
    /* The kernel had no memory in one piece there: the other node, then pages of another size, then a refusal. */
    host->node[other].pool[1].total = host->node[other].pool[1].free = 1;
    struct pool_limit limit[] = {{.node = 1 - other, .page_bytes = GI, .most_pages = 2},
                                 {.node = other, .page_bytes = GI, .most_pages = 1}};
    policy.pool_limit = limit;
    policy.pool_limit_count = 1;
    place_plan(host, &policy, &nobody, &spec, first, decision);
    CHECK(decision->admitted && decision->placement.cell[0].host_node == other);
    policy.pool_limit_count = 2;
    spec.numa_policy = VM_NUMA_STRICT;
    place_plan(host, &policy, &nobody, &spec, first, decision);
    CHECK(!decision->admitted &&
          strstr(reason("InsufficientHugePages")->message, "node 0 has 1 of 1 left and can get"));
    spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {2 * MI}};
    place_plan(host, &policy, &nobody, &spec, first, decision);
    CHECK(decision->admitted && decision->placement.cell[0].page_bytes == 2 * MI);
    CHECK_INT(decision->placement.cell[0].host_node, 1 - other); /* on the CPUs it had */
    spec = synthetic_realtime(2, 2);                             /* what was found is enough for less */
    place_plan(host, &policy, &nobody, &spec, NULL, decision);
    CHECK(decision->admitted && decision->placement.cell[0].host_node == 1 - other);
    policy.pool_limit_count = 0;
    /* More than there is memory is refused. */
    spec = synthetic_realtime(2, 40);
    CHECK(!plan(&make, &spec, NULL)->admitted);
    policy.grow_hugepages = false;
    free(first);
}

static void host_facts_warn_or_refuse(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    spec.realtime_vcpus = cpuset_of(1);
    make.isolated = (struct cpuset){0};
    plan(&make, &spec, NULL);
    host->rt_kernel = HOST_NO;
    host->fair_server = HOST_YES;
    host->rt_runtime_us = 950000;
    host->locking_works = HOST_NO;
    host->kvm_works = HOST_NO;
    snprintf(host->clocksource, sizeof(host->clocksource), "hpet");
    policy.allow_emulation = true;
    spec.fifo_priority = 60;
    plan_again(&spec, NULL);
    CHECK(decision->admitted && decision->reason_count == 0);
    CHECK(warned("not PREEMPT_RT") && warned("fair server") && warned("does not throttle") &&
          warned("cannot be locked"));
    CHECK(warned("hpet") && warned("emulated") && warned("not isolated") && warned("irq/N-NAME (FIFO 50"));
    CHECK(!warned("every vCPU is real-time"));
    policy.allow_emulation = false;
    plan_again(&spec, NULL);
    CHECK_TEXT(reason("NoKVM")->code, "NoKVM");
    host->kvm_works = host->fifo_works = HOST_UNKNOWN; /* a recorded tree */
    host->has_rt_runtime = false;
    CHECK(plan_again(&spec, NULL)->admitted);
    spec.realtime_vcpus = (struct cpuset){0};
    plan_again(&spec, NULL);
    CHECK(warned("mask enables no vCPU"));
}

static void kernel_threads_are_looked_at_where_they_are_seen(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    spec.fifo_priority = 3;
    plan(&make, &spec, NULL);
    CHECK(warned("fifo-priority 3 is above the kernel threads ktimers/N and rcuc/N (FIFO 1 by default)"));
    host->threads_known = true;
    for (unsigned cpu = 0; cpu < host->cpu_limit; cpu++)
        memset(host->cpu[cpu].thread_priority, -1, sizeof(host->cpu[cpu].thread_priority));
    plan_again(&spec, NULL);
    CHECK(decision->admitted && !warned("fifo-priority"));
    int first = decision->placement.vcpu_cpu[0], last = decision->placement.vcpu_cpu[1];
    host->cpu[first].thread_priority[HOST_THREAD_RCUC] = 4; /* above: as it must be */
    host->cpu[last].thread_priority[HOST_THREAD_RCUC] = 3;
    host->cpu[0].thread_priority[HOST_THREAD_KTIMERS] = 1; /* not a CPU of the VM */
    plan_again(&spec, NULL);
    auto_free char *one =
        must_format("fifo-priority 3 is not below the kernel threads rcuc (FIFO 3) on CPU %d: ", last);
    CHECK(warned(one) && !warned("ktimers"));
    spec.vcpu_priority[1] = 2;
    plan_again(&spec, NULL);
    CHECK(!warned("fifo-priority"));
    host->cpu[first].thread_priority[HOST_THREAD_RCUB] = 3;
    plan_again(&spec, NULL);
    CHECK(warned("fifo-priority 3 is not below the kernel threads rcub (FIFO 3) on CPU"));
    host->cpu[first].thread_priority[HOST_THREAD_RCUB] = -1;
    host->cpu[last].thread_priority[HOST_THREAD_IRQ] = 2;
    snprintf(host->cpu[last].irq_thread, sizeof(host->cpu[last].irq_thread), "irq/24-eth0");
    host->cpu[last].thread_priority[HOST_THREAD_KSOFTIRQD] = 0;
    plan_again(&spec, NULL);
    auto_free char *two =
        must_format("ksoftirqd (not real-time) on CPU %d, irq/24-eth0 (FIFO 2) on CPU %d: ", last, last);
    CHECK(warned(two));
    host->rt_kernel = HOST_NO; /* its softirqs need no thread */
    plan_again(&spec, NULL);
    CHECK(warned("kernel threads irq/24-eth0 (FIFO 2)") && !warned("ksoftirqd"));
}

static void a_kept_placement_is_given_up_when_it_must(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    struct claims claims = {.cpus = synthetic_set("1,9")};
    struct placement *kept = must_calloc(1, sizeof(*kept));
    plan(&make, &spec, &claims);
    *kept = decision->placement;
    CHECK_TEXT(pins(), "5 6");
    place_plan(host, &policy, &nobody, &spec, kept, decision);
    CHECK_TEXT(pins(), "5 6"); /* though node 0 is free now */
    claims.cpus = cpuset_of(6);
    place_plan(host, &policy, &claims, &spec, kept, decision);
    CHECK_TEXT(pins(), "5 7"); /* one of them is not */
    spec.smt_policy = VM_SMT_ISOLATE;
    place_plan(host, &policy, &nobody, &spec, kept, decision);
    CHECK_TEXT(cpus(&decision->placement.parked), "9-10"); /* the policy changed */
    spec.smt_policy = VM_SMT_PREFER;
    host->cpu[5].online = false;
    cpuset_remove(&host->online, 5);
    place_plan(host, &policy, &nobody, &spec, kept, decision);
    CHECK_TEXT(pins(), "6 7"); /* a CPU went offline */
    free(kept);
}

static void withheld_and_reserved_cpus_are_never_given(void)
{
    struct synthetic make = two_nodes();
    struct vm_spec spec = synthetic_realtime(2, 1);
    policy.reserved = synthetic_set("0-4,8-12");
    plan(&make, &spec, NULL);
    host->withheld = synthetic_set("5,13");
    plan_again(&spec, NULL);
    CHECK(decision->admitted);
    CHECK(!cpuset_intersects(&decision->placement.exclusive, &policy.reserved));
    CHECK(!cpuset_intersects(&decision->placement.exclusive, &host->withheld));
    host->withheld = synthetic_set("0-4,8-12"); /* the reserved ones themselves */
    plan_again(&spec, NULL);
    CHECK(!cpuset_intersects(&decision->placement.emulator, &host->withheld));
    policy.reserved = (struct cpuset){0};
}

static void decisions_survive_json(void)
{
    struct error err;
    struct vm_disk disks[2];
    struct synthetic make = two_nodes();
    struct vm_spec spec = with_disks(synthetic_realtime(2, 2), disks, 1, 1);
    spec.smt_policy = VM_SMT_ISOLATE;
    spec.numa_policy = VM_NUMA_SPREAD;
    spec.vcpu_priority[1] = 7;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(placement_priority(&decision->placement, 0), 1);
    CHECK_INT(placement_priority(&decision->placement, 1), 7);
    CHECK(warned("fifo-priority 7 is above the kernel threads ktimers/N"));
    auto_json *json = placement_to_json(&decision->placement);
    struct placement *back = must_calloc(1, sizeof(*back));
    CHECK_INT(placement_from_json(json, back, &err), 0);
    CHECK(memcmp(back, &decision->placement, sizeof(*back)) == 0);
    free(back);
    auto_json *whole = decision_to_json(decision);
    CHECK(json_is_true(json_at(whole, "admitted")));
    CHECK_INT(json_int_at(whole, "placement.vcpus.0", -1), 1);
    CHECK_INT(json_int_at(whole, "placement.emulator.0", -1), decision->placement.iothread[0].word[0] == 1 ? 0 : 2);
    CHECK_INT(json_int_at(whole, "placement.iothreads.1.0", -1), 2);
    CHECK_INT(json_int_at(whole, "placement.cells.1.hostNode", -1), 1);
    CHECK(json_int_at(whole, "placement.cells.1.memoryBytes", -1) == (int64_t)GI);
    spec.hugepage_bytes = 4 * MI;
    plan(&make, &spec, NULL);
    auto_json *refusal = decision_to_json(decision);
    CHECK(json_is_null(json_at(refusal, "placement")) && json_is_false(json_at(refusal, "admitted")));
    CHECK_TEXT(json_text_at(refusal, "reasons.0.code", ""), "UnsupportedPageSize");
}

static void a_damaged_placement_is_refused(void)
{
    static const char *const BAD[] = {
        "[]",
        "{\"vcpuCount\":513}",
        "{\"vcpuCount\":1,\"vcpus\":{\"1\":3}}",
        "{\"vcpuCount\":1,\"vcpus\":{\"x\":3}}",
        "{\"vcpuCount\":1,\"vcpus\":{\"0\":1024}}",
        "{\"vcpuCount\":1,\"vcpuPriorities\":{\"0\":99}}",
        "{\"vcpuCount\":1,\"vcpuPriorities\":{\"1\":1}}",
        "{\"vcpuCount\":1,\"exclusive\":[-1]}",
        "{\"vcpuCount\":1,\"exclusive\":[\"1\"]}",
        "{\"vcpuCount\":1,\"cells\":[{\"vcpus\":[1024]}]}",
    };
    struct error err;
    struct placement *placement = must_calloc(1, sizeof(*placement));
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        auto_json *json = json_from_text(BAD[i], strlen(BAD[i]), &err);
        CHECK(json && placement_from_json(json, placement, &err) == -1 && err.kind == ERROR_INVALID);
    }
    auto_json *json = json_pack("{s:i,s:{},s:[],s:[]}", "vcpuCount", 1, "iothreads", "cells", "pages");
    for (unsigned i = 0; i <= LIMIT_VM_IOTHREADS; i++) {
        auto_free char *key = must_format("%u", i + 1);
        json_object_set_new(json_object_get(json, "iothreads"), key, json_array());
    }
    CHECK(placement_from_json(json, placement, &err) == -1 && strstr(err.text, "iothreads"));
    json_object_clear(json_object_get(json, "iothreads"));
    for (unsigned i = 0; i <= LIMIT_HOST_NODES; i++)
        json_array_append_new(json_object_get(json, "cells"), json_object());
    CHECK(placement_from_json(json, placement, &err) == -1 && strstr(err.text, "cells"));
    json_array_clear(json_object_get(json, "cells"));
    for (unsigned i = 0; i <= LIMIT_HOST_NODES; i++)
        json_array_append_new(json_object_get(json, "pages"), json_object());
    CHECK(placement_from_json(json, placement, &err) == -1 && strstr(err.text, "pages"));
    free(placement);
}

/* 20 nodes and a VM that needs 10 of them: 184,756 sets, of which LIMIT_PLACE_NODE_SETS are tried. */
static void the_search_stops_at_its_limit(void)
{
    struct synthetic make = {.nodes = 20, .cores = 3, .threads = 1, .pages_1g = 4, .gigabytes = 16};
    struct vm_spec spec = synthetic_realtime(30, 20);
    spec.isolate_emulator = false;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell_count, 10);
    auto_text tree = {0};
    place_write_tree(host, &policy, &nobody, &spec, &tree);
    CHECK(strstr(text_cstr(&tree), "the search stopped after 20000 sets of nodes"));
}

static void a_whole_host_of_the_largest_size_is_planned(void)
{
    struct synthetic make = {.nodes = 128, .cores = 4, .threads = 2, .pages_1g = 4, .gigabytes = 16};
    struct vm_spec spec = synthetic_realtime(LIMIT_VM_VCPUS, 256);
    spec.sockets = 1;
    spec.threads = 2;
    spec.cores = LIMIT_VM_VCPUS / 2;
    spec.isolate_emulator = false;
    spec.numa_policy = VM_NUMA_SPREAD;
    CHECK(plan(&make, &spec, NULL)->admitted);
    CHECK_INT(decision->placement.cell_count, 128);
}

int main(void)
{
    decision = must_calloc(1, sizeof(*decision));
    RUN(the_seed_fits_on_two_nodes);
    RUN(the_seed_is_refused_on_two_cpus_with_every_reason);
    RUN(room_on_one_node_is_counted_per_node);
    RUN(memory_follows_the_vcpus);
    RUN(pages_are_rounded_by_the_largest_remainder);
    RUN(a_running_vms_pages_are_charged_once);
    RUN(a_page_size_the_host_lacks_is_said);
    RUN(guest_siblings_are_host_siblings);
    RUN(siblings_are_parked_when_isolated);
    RUN(cores_are_filled_when_required);
    RUN(realtime_vcpus_share_cores_only_when_they_must);
    RUN(another_vms_realtime_core_is_used_last);
    RUN(the_emulator_goes_where_its_policy_says);
    RUN(the_emulator_may_go_to_another_node);
    RUN(iothreads_are_counted_as_kubevirt_counts);
    RUN(iothreads_never_run_on_a_vcpus_cpu);
    RUN(some_vcpus_may_float);
    RUN(cpus_may_be_chosen_by_hand);
    RUN(spread_uses_all_nodes_evenly);
    RUN(the_tightest_node_is_taken);
    RUN(efficiency_cores_come_second);
    RUN(a_vm_without_dedicated_cpus_floats);
    RUN(ordinary_memory_is_counted);
    RUN(the_nearest_thing_that_fits_is_suggested);
    RUN(cells_may_have_pages_of_their_own_size);
    RUN(refusals_name_every_page_size);
    RUN(a_size_without_hugetlbfs_is_left_out);
    RUN(pools_of_other_sizes_come_before_growth);
    RUN(pools_grow_when_they_may);
    RUN(host_facts_warn_or_refuse);
    RUN(kernel_threads_are_looked_at_where_they_are_seen);
    RUN(a_kept_placement_is_given_up_when_it_must);
    RUN(withheld_and_reserved_cpus_are_never_given);
    RUN(decisions_survive_json);
    RUN(a_damaged_placement_is_refused);
    RUN(the_search_stops_at_its_limit);
    RUN(a_whole_host_of_the_largest_size_is_planned);
    free(decision);
    free(host);
    return test_end();
}
