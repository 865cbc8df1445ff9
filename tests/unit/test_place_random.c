/* Properties of placement over random hosts, claims and VMs: rules that hold for every answer, the answer itself
 * against brute force where there are few enough CPUs, and what must not change from one question to the next. */
#include "runtime/place/place.c"

#include "runtime/place/assign.h"
#include "tests/test.h"
#include "tests/unit/synthetic.h"

#include "tests/unit/brute.h"

enum { CASES = 100000 };

static uint64_t state;

static unsigned dice(unsigned sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % sides;
}

static struct cpuset some_of(const struct cpuset *set, unsigned one_in)
{
    struct cpuset some = {0};
    cpuset_foreach(cpu, set)
    {
        if (dice(one_in) == 0)
            cpuset_add(&some, (unsigned)cpu);
    }
    return some;
}

struct world {
    struct host *host;
    struct place_policy policy;
    struct claims claims;
    struct claimed_pages pages[8];
    struct vm_spec spec;
};

static void take_offline(struct host *host, const struct cpuset *gone)
{
    cpuset_foreach(cpu, gone)
    {
        host->cpu[cpu].online = false;
        cpuset_remove(&host->online, (unsigned)cpu);
        cpuset_remove(&host->node[host->cpu[cpu].node].cpus, (unsigned)cpu);
    }
}

/* A few CPUs more often than many; odd machines (holes, two kinds of cores, memory-less nodes) now and then. */
static void random_host(struct world *world, bool small)
{
    struct synthetic make = {.nodes = 1 + dice(3),
                             .cores = 1 + dice(small ? 4 : 8),
                             .threads = 1 + dice(2),
                             .l3_cores = dice(3),
                             .pages_1g = dice(6),
                             .pages_2m = 3072 * dice(2),
                             .gigabytes = 8};
    struct cpuset all = cpuset_range(0, make.nodes * make.cores * make.threads - 1);
    if (dice(2))
        make.isolated = some_of(&all, 1 + dice(3));
    world->host = synthetic_host(&make);
    struct host *host = world->host;
    struct cpuset gone = dice(4) ? (struct cpuset){0} : some_of(&all, 5);
    cpuset_remove(&gone, 0);
    take_offline(host, &gone);
    if (dice(8) == 0)
        cpuset_foreach(cpu, &all) host->cpu[cpu].kind =
            (unsigned)host->cpu[cpu].core % 3 ? HOST_CORE_EFFICIENCY : HOST_CORE_PERFORMANCE;
    if (dice(8) == 0 && host->node_count > 1)
        host->node[1].memory_bytes = host->node[1].pool_count = 0;
    for (unsigned n = 0; n < host->node_count; n++)
        host->node[n].pool[1].total = host->node[n].pool[1].free = dice(8);
    if (dice(3) == 0)
        world->policy.reserved = some_of(&host->online, 3);
}

static void random_claims(struct world *world)
{
    struct claims *claims = &world->claims;
    claims->cpus = dice(2) ? some_of(&world->host->online, 3 + dice(4)) : (struct cpuset){0};
    claims->realtime_cpus = some_of(&claims->cpus, 2);
    claims->pages = world->pages;
    claims->page_count = dice(4);
    for (size_t i = 0; i < claims->page_count; i++)
        world->pages[i] =
            (struct claimed_pages){.node = (int)dice(3), .page_bytes = dice(2) ? GI : 2 * MI, .pages = dice(4)};
    claims->memory_bytes = dice(4) * GI;
}

static void random_spec(struct world *world, bool small)
{
    unsigned threads = 1 + (dice(3) == 0), cores = 1 + dice(small ? 3 : 5);
    struct vm_spec spec = synthetic_realtime(cores * threads, 1 + dice(5));
    spec.sockets = 1;
    spec.cores = cores;
    spec.threads = threads;
    spec.realtime = dice(2);
    spec.realtime_vcpus = dice(2) ? cpuset_of(0) : spec.realtime_vcpus;
    spec.dedicated_cpus = dice(10) > 0;
    spec.numa_passthrough = spec.dedicated_cpus && dice(3) > 0;
    spec.isolate_emulator = dice(2);
    spec.hugepage_bytes = dice(4) ? (dice(2) ? GI : 2 * MI) : 0;
    if (dice(3) == 0)
        spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {spec.hugepage_bytes == GI ? 2 * MI : GI}};
    if (dice(4) == 0 && spec.hugepage_bytes == 2 * MI) /* no whole number of the larger pages */
        spec.memory_bytes += 512 * (uint64_t)MI;
    spec.smt_policy = dice(2) ? VM_SMT_PREFER : (enum vm_smt_policy)dice(3);
    spec.numa_policy = dice(2) ? VM_NUMA_PREFER : (enum vm_numa_policy)dice(3);
    spec.emulator_policy = dice(2) ? VM_EMULATOR_HOUSEKEEPING : (enum vm_emulator_policy)dice(3);
    if (dice(5) == 0) {
        spec.iothreads_policy = VM_IOTHREADS_SUPPLEMENTAL;
        spec.supplemental_iothreads = 1 + dice(3);
    }
    if (dice(10) == 0)
        spec.wanted_cpus = some_of(&world->host->online, 2);
    if (dice(10) == 0 && cores > 1) { /* the last guest core floats */
        spec.shared_vcpus = cpuset_range((cores - 1) * threads, cores * threads - 1);
        spec.realtime_vcpus = cpuset_minus(&spec.realtime_vcpus, &spec.shared_vcpus);
    }
    spec.overhead_bytes = 64 * (uint64_t)MI;
    world->spec = spec;
}

static void world_make(struct world *world, uint64_t number, bool small)
{
    memset(world, 0, sizeof(*world));
    state = number * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    for (int i = 0; i < 4; i++)
        dice(2);
    random_host(world, small);
    random_claims(world);
    random_spec(world, small);
}

static uint64_t complaints;

#define WANT(condition)                                                                                 \
    do {                                                                                                \
        if (!(condition)) {                                                                             \
            if (complaints++ < 10)                                                                      \
                printf("# case %llu, line %d: %s\n", (unsigned long long)number, __LINE__, #condition); \
        }                                                                                               \
    } while (0)

static struct cpuset core_of(const struct world *world, int cpu)
{
    return cpuset_and(&world->host->cpu[cpu].siblings, &world->host->online);
}

/* Every exclusive thread has one CPU of its own, nobody else's, and the set to claim is exactly these. */
static void check_promises(uint64_t number, const struct world *world, const struct demand *demand,
                           const struct placement *p)
{
    struct cpuset housekeeping = host_housekeeping(world->host, &world->policy.reserved), used = {0};
    unsigned own = 0;
    for (unsigned v = 0; v < p->vcpu_count; v++) {
        bool floats = !world->spec.dedicated_cpus || cpuset_has(&world->spec.shared_vcpus, v);
        WANT((p->vcpu_cpu[v] < 0) == floats);
        if (floats)
            continue;
        WANT(!cpuset_has(&used, (unsigned)p->vcpu_cpu[v]));
        cpuset_add(&used, (unsigned)p->vcpu_cpu[v]);
        own++;
    }
    if (p->emulator_is_exclusive) {
        WANT(cpuset_count(&p->emulator) == 1 && !cpuset_intersects(&p->emulator, &used));
        used = cpuset_or(&used, &p->emulator);
        own++;
    } else {
        WANT(!cpuset_is_empty(&p->emulator) && !cpuset_intersects(&p->emulator, &p->exclusive));
    }
    for (unsigned i = 0; i < p->iothread_count; i++) {
        WANT(!cpuset_is_empty(&p->iothread[i]));
        if (i >= demand->io)
            continue;
        WANT(cpuset_count(&p->iothread[i]) == 1 && !cpuset_intersects(&p->iothread[i], &used));
        used = cpuset_or(&used, &p->iothread[i]);
        own++;
    }
    WANT(cpuset_count(&used) == own && own == demand->vcpus + demand->extras);
    WANT(!cpuset_intersects(&used, &p->parked));
    struct cpuset all = cpuset_or(&used, &p->parked);
    WANT(cpuset_equal(&all, &p->exclusive));
    WANT(cpuset_is_subset(&p->exclusive, &world->host->online));
    WANT(!cpuset_intersects(&p->exclusive, &world->claims.cpus));
    WANT(!cpuset_intersects(&p->exclusive, &housekeeping));
    WANT(cpuset_is_empty(&world->spec.wanted_cpus) || cpuset_is_subset(&used, &world->spec.wanted_cpus));
}

static void check_policies(uint64_t number, const struct world *world, const struct demand *demand,
                           const struct placement *p)
{
    struct cpuset vcpus = {0}, nodes = {0};
    struct cpuset extras = cpuset_minus(&p->exclusive, &p->parked);
    for (unsigned v = 0; v < p->vcpu_count; v++)
        if (p->vcpu_cpu[v] >= 0) {
            cpuset_add(&vcpus, (unsigned)p->vcpu_cpu[v]);
            cpuset_remove(&extras, (unsigned)p->vcpu_cpu[v]);
            cpuset_add(&nodes, (unsigned)world->host->cpu[p->vcpu_cpu[v]].node);
        }
    bool odd_nodes = world->host->node_count > 1 && world->host->node[1].memory_bytes == 0;
    if (demand->numa == VM_NUMA_STRICT && !odd_nodes)
        WANT(cpuset_count(&nodes) <= 1);
    cpuset_foreach(cpu, &vcpus)
    {
        struct cpuset core = core_of(world, cpu), others = cpuset_minus(&core, &vcpus);
        if (demand->smt == VM_SMT_REQUIRE)
            WANT(cpuset_is_empty(&others));
        if (demand->smt == VM_SMT_ISOLATE && !demand->sibling)
            WANT(cpuset_is_subset(&others, &p->parked));
        if (demand->smt == VM_SMT_ISOLATE) {
            struct cpuset ours = cpuset_and(&core, &vcpus);
            WANT(cpuset_count(&ours) <= demand->threads && cpuset_is_subset(&core, &p->exclusive));
        }
    }
    if (demand->smt != VM_SMT_ISOLATE)
        WANT(cpuset_is_empty(&p->parked));
    cpuset_foreach(cpu, &extras)
    {
        struct cpuset core = core_of(world, cpu);
        if (demand->sibling)
            WANT(cpuset_intersects(&core, &vcpus));
    }
}

static void check_memory(uint64_t number, const struct world *world, const struct demand *demand,
                         const struct placement *p)
{
    uint64_t bytes = 0, claimed = 0;
    struct cpuset members = {0};
    bool may_differ = demand->sizes.count > 1;
    for (unsigned i = 0; i < p->cell_count; i++) {
        const struct placement_cell *cell = &p->cell[i];
        WANT(!cpuset_intersects(&members, &cell->vcpus) && !cpuset_is_empty(&cell->vcpus));
        WANT(cell->page_bytes == demand->page_bytes ||
             (may_differ && (cell->page_bytes == GI || cell->page_bytes == 2 * MI)));
        WANT(cell->memory_bytes > 0);
        WANT(!cell->page_bytes || cell->memory_bytes % cell->page_bytes == 0);
        WANT(i == 0 || !demand->passthrough || cell->host_node > p->cell[i - 1].host_node);
        members = cpuset_or(&members, &cell->vcpus);
        bytes += cell->memory_bytes;
    }
    WANT(p->cell_count == 0 || bytes == demand->memory_bytes);
    WANT(p->cell_count == 0 || cpuset_count(&members) == p->vcpu_count);
    WANT(p->cell_count > 0 || !demand->passthrough || demand->vcpus == 0);
    for (unsigned i = 0; i < p->page_count; i++) {
        const struct claimed_pages *claim = &p->page[i];
        int index = host_node_index(world->host, claim->node);
        uint64_t left = 0;
        for (unsigned k = 0; index >= 0 && k < world->host->node[index].pool_count; k++)
            if (world->host->node[index].pool[k].size_bytes == claim->page_bytes)
                left = world->host->node[index].pool[k].total;
        for (size_t k = 0; k < world->claims.page_count; k++)
            if (world->claims.pages[k].node == claim->node && world->claims.pages[k].page_bytes == claim->page_bytes)
                left = left > world->claims.pages[k].pages ? left - world->claims.pages[k].pages : 0;
        WANT(claim->page_bytes == PLACE_ORDINARY_PAGE_BYTES || claim->pages <= left);
        WANT(cpuset_has(&p->memory_nodes, (unsigned)claim->node));
        claimed += claim->pages * claim->page_bytes;
        for (unsigned k = 0; k < p->cell_count; k++) /* each cell has the pages of its own size on its own node */
            WANT(p->cell[k].host_node != claim->node || !demand->page_bytes ||
                 (p->cell[k].page_bytes == claim->page_bytes &&
                  p->cell[k].memory_bytes == claim->pages * claim->page_bytes));
    }
    WANT(!demand->page_bytes || claimed == demand->memory_bytes);
}

static struct decision *first, *second;

static void plan(const struct world *world, const struct claims *claims, const struct placement *kept,
                 struct decision *decision)
{
    place_plan(world->host, &world->policy, claims, &world->spec, kept, decision);
}

static void every_answer_keeps_the_rules(void)
{
    unsigned admitted = 0;
    complaints = 0;
    for (uint64_t number = 0; number < CASES; number++) {
        struct world world;
        world_make(&world, number, false);
        struct demand demand = demand_of(&world.spec);
        plan(&world, &world.claims, NULL, first);
        WANT(first->admitted == (first->reason_count == 0));
        if (first->admitted) {
            admitted++;
            check_promises(number, &world, &demand, &first->placement);
            check_policies(number, &world, &demand, &first->placement);
            check_memory(number, &world, &demand, &first->placement);
        }
        free(world.host);
    }
    printf("# %d cases, %u admitted\n", CASES, admitted);
    CHECK(complaints == 0);
    CHECK(admitted > CASES / 10 && admitted < CASES - CASES / 10);
}

static void the_same_question_has_the_same_answer(void)
{
    complaints = 0;
    for (uint64_t number = 0; number < CASES / 10; number++) {
        struct world world;
        world_make(&world, number, false);
        plan(&world, &world.claims, NULL, first);
        plan(&world, &world.claims, NULL, second);
        WANT(memcmp(first, second, sizeof(*first)) == 0);
        free(world.host);
    }
    CHECK(complaints == 0);
}

static void more_claims_never_admit(void)
{
    unsigned refused = 0;
    complaints = 0;
    for (uint64_t number = 0; number < CASES / 4; number++) {
        struct world world;
        world_make(&world, number, false);
        plan(&world, &world.claims, NULL, first);
        struct claims more = world.claims;
        struct cpuset extra = some_of(&world.host->online, 4);
        more.cpus = cpuset_or(&more.cpus, &extra);
        if (more.page_count < ARRAY_SIZE(world.pages))
            world.pages[more.page_count++] = (struct claimed_pages){.node = (int)dice(3), .page_bytes = GI, .pages = 1};
        more.memory_bytes += dice(2) * GI;
        plan(&world, &more, NULL, second);
        WANT(first->admitted || !second->admitted);
        refused += first->admitted && !second->admitted;
        free(world.host);
    }
    printf("# %u admissions became refusals\n", refused);
    CHECK(complaints == 0);
    CHECK(refused > 100);
}

/* Who fits with the pages asked for goes where it went before; more sizes only turn refusals into admissions. */
static void other_page_sizes_only_help(void)
{
    unsigned helped = 0, mixed = 0;
    complaints = 0;
    for (uint64_t number = 0; number < CASES / 4; number++) {
        struct world world;
        world_make(&world, number, false);
        world.spec.other_page_sizes.count = 0;
        plan(&world, &world.claims, NULL, first);
        world.spec.other_page_sizes = (struct vm_page_sizes){.count = 2, .bytes = {2 * MI, GI}};
        plan(&world, &world.claims, NULL, second);
        if (first->admitted)
            WANT(second->admitted && memcmp(&first->placement, &second->placement, sizeof(first->placement)) == 0);
        if (!first->admitted && second->admitted) {
            const struct placement *p = &second->placement;
            bool large = false, small = false;
            for (unsigned i = 0; i < p->page_count; i++) {
                large |= p->page[i].page_bytes == GI;
                small |= p->page[i].page_bytes == 2 * MI;
            }
            WANT(world.spec.hugepage_bytes == GI ? small : large);
            WANT(second->warning_count > 0);
            mixed += large && small;
            helped++;
        }
        free(world.host);
    }
    printf("# %u refusals became admissions, %u with both sizes\n", helped, mixed);
    CHECK(complaints == 0);
    CHECK(helped > 100 && mixed > 20);
}

static void a_vm_keeps_its_cpus(void)
{
    unsigned kept = 0;
    complaints = 0;
    for (uint64_t number = 0; number < CASES / 4; number++) {
        struct world world;
        world_make(&world, number, false);
        plan(&world, &world.claims, NULL, first);
        if (first->admitted && world.spec.dedicated_cpus) {
            struct claims other = {0}; /* the others left: better places are free now */
            plan(&world, &other, &first->placement, second);
            WANT(second->admitted && cpuset_equal(&first->placement.exclusive, &second->placement.exclusive));
            WANT(memcmp(first->placement.vcpu_cpu, second->placement.vcpu_cpu, sizeof(second->placement.vcpu_cpu)) ==
                 0);
            kept++;
        }
        free(world.host);
    }
    CHECK(complaints == 0);
    CHECK(kept > 1000);
}

/* ---- suggestions, applied as a person would who reads them */
static bool take_word(const char **text, const char *word)
{
    bool starts = text_starts_with(*text, word);
    *text += starts ? strlen(word) : 0;
    return starts;
}

static uint64_t take_bytes(const char **text)
{
    char *end;
    uint64_t bytes = strtoull(*text, &end, 10);
    unsigned shift = *end == 'T' ? 40 : *end == 'G' ? 30 : *end == 'M' ? 20 : *end == 'K' ? 10 : 0;
    *text = end + (shift ? 2 : 0);
    return bytes << shift;
}

static void use_pages(struct vm_spec *spec, uint64_t bytes, bool beside)
{
    if (beside)
        spec->other_page_sizes.bytes[spec->other_page_sizes.count++] = bytes;
    else
        spec->hugepage_bytes = bytes;
}

static void use_vcpus(struct vm_spec *spec, unsigned vcpus)
{
    struct cpuset all = cpuset_range(0, vcpus - 1);
    spec->vcpus = vcpus;
    spec->cores = vcpus / spec->threads;
    spec->realtime_vcpus = cpuset_and(&spec->realtime_vcpus, &all);
}

/* One wish; false: not understood. beside: where there are two ways to say it, the second. */
static bool apply_wish(const char **text, struct vm_spec *spec, bool beside)
{
    if (take_word(text, "threads: 1")) {
        spec->cores *= spec->threads;
        spec->threads = 1;
    } else if (take_word(text, "rtvmd.io/smt-policy: prefer")) {
        spec->smt_policy = VM_SMT_PREFER;
    } else if (take_word(text, "2Mi pages (hugepages.pageSize: 2Mi, or beside it rtvmd.io/page-sizes: 2Mi)")) {
        use_pages(spec, 2 * MI, beside);
    } else if (take_word(text, "1Gi pages (hugepages.pageSize: 1Gi, or beside it rtvmd.io/page-sizes: 1Gi)")) {
        use_pages(spec, GI, beside);
    } else if (take_word(text, "2Mi pages on some nodes (rtvmd.io/page-sizes: 2Mi)")) {
        use_pages(spec, 2 * MI, true);
    } else if (take_word(text, "1Gi pages on some nodes (rtvmd.io/page-sizes: 1Gi)")) {
        use_pages(spec, GI, true);
    } else if (take_word(text, "rtvmd.io/numa-policy: prefer")) {
        spec->numa_policy = VM_NUMA_PREFER;
    } else if (take_word(text, "any CPUs (no rtvmd.io/cpus)")) {
        spec->wanted_cpus = (struct cpuset){0};
    } else if (take_word(text, "the emulator on housekeeping CPUs")) {
        spec->isolate_emulator = false;
        spec->emulator_policy = VM_EMULATOR_HOUSEKEEPING;
    } else {
        uint64_t amount = take_bytes(text);
        if (take_word(text, " of memory"))
            spec->memory_bytes = amount;
        else if (amount && (take_word(text, " vCPUs") || take_word(text, " vCPU")))
            use_vcpus(spec, (unsigned)amount);
        else
            return false;
    }
    return true;
}

static void stop_owner(const char *owner, struct claims *claims)
{
    size_t left = 0;
    cpuset_foreach(cpu, &claims->cpus) if (text_equal(claims->cpu_owner[cpu], owner))
    {
        cpuset_remove(&claims->cpus, (unsigned)cpu);
        cpuset_remove(&claims->realtime_cpus, (unsigned)cpu);
    }
    for (size_t i = 0; i < claims->page_count; i++)
        if (!text_equal(claims->pages[i].owner, owner))
            claims->pages[left++] = claims->pages[i];
    claims->page_count = left;
}

/* False: the words are not understood. */
static bool apply_suggestion(const char *text, struct vm_spec *spec, struct claims *claims, bool beside)
{
    if (take_word(&text, "fits after stopping ")) {
        stop_owner(text, claims);
        return true;
    }
    if (!take_word(&text, "fits with "))
        return false;
    do {
        if (!apply_wish(&text, spec, beside))
            return false;
    } while (take_word(&text, " and "));
    return *text == '\0';
}

static void name_owners(struct world *world, const char *cpu_owner[CPUSET_MAX])
{
    static const char *const NAMES[] = {"default/a", "default/b", "other/a"};
    memset(cpu_owner, 0, CPUSET_MAX * sizeof(*cpu_owner));
    cpuset_foreach(cpu, &world->claims.cpus) cpu_owner[cpu] = NAMES[dice(ARRAY_SIZE(NAMES))];
    for (size_t i = 0; i < world->claims.page_count; i++)
        world->pages[i].owner = NAMES[dice(ARRAY_SIZE(NAMES))];
    world->claims.cpu_owner = cpu_owner;
}

static void what_is_suggested_fits(void)
{
    static const char *cpu_owner[CPUSET_MAX];
    unsigned suggestions = 0, silent = 0;
    complaints = 0;
    for (uint64_t number = 0; number < CASES / 4; number++) {
        struct world world;
        world_make(&world, number, false);
        world.policy.grow_hugepages = number % 4 == 0;
        name_owners(&world, cpu_owner);
        plan(&world, &world.claims, NULL, first);
        if (!first->admitted)
            place_suggest(world.host, &world.policy, &world.claims, &world.spec, first);
        silent += !first->admitted && first->suggestion_count == 0;
        for (unsigned i = 0; i < 2 * first->suggestion_count; i++) {
            struct claimed_pages pages[ARRAY_SIZE(world.pages)];
            struct world changed = world;
            memcpy(pages, world.pages, sizeof(pages));
            changed.claims.pages = pages;
            changed.policy.grow_hugepages |= strstr(first->suggestion[i / 2], "host.hugepages.allocate: true") != NULL;
            bool known = changed.policy.grow_hugepages != world.policy.grow_hugepages ||
                         apply_suggestion(first->suggestion[i / 2], &changed.spec, &changed.claims, i % 2);
            plan(&changed, &changed.claims, NULL, second);
            WANT(known && second->admitted);
            if ((!known || !second->admitted) && complaints < 10)
                printf("# \"%s\": %s\n", first->suggestion[i / 2], second->reason[0].message);
            suggestions++;
        }
        free(world.host);
    }
    printf("# %u suggestions, %u refusals without one\n", suggestions / 2, silent);
    CHECK(complaints == 0);
    CHECK(suggestions > 10000);
}

/* What the solver decided, as brute force would write it. */
static void take_roles(struct brute *brute, const struct placement *p)
{
    memset(brute->role, 0, sizeof(brute->role));
    cpuset_foreach(cpu, &p->exclusive)
    {
        if (!cpuset_has(&p->parked, (unsigned)cpu))
            brute->role[cpu] = BRUTE_EXTRA;
    }
    for (unsigned v = 0; v < p->vcpu_count; v++)
        if (p->vcpu_cpu[v] >= 0)
            brute->role[p->vcpu_cpu[v]] = BRUTE_VCPU;
}

static void take_sizes(struct brute *brute, const struct placement *p, unsigned mask)
{
    for (unsigned n = 0; n < brute->board->node_count; n++) {
        brute->size[n] = mask ? brute->first : 0;
        for (unsigned i = 0; mask && i < p->page_count; i++)
            if (p->page[i].node == brute->board->node[n].id)
                brute->size[n] = p->page[i].page_bytes;
    }
}

static bool prepare_brute(struct brute *brute, const struct world *world, struct board *board)
{
    *brute = (struct brute){.host = world->host, .claims = &world->claims, .board = board};
    brute->demand = demand_of(&world->spec);
    if (cpuset_count(&board->available) > 9 || brute->demand.vcpus == 0 || board->node_count > BRUTE_NODES)
        return false;
    cpuset_foreach(cpu, &board->available) brute->free_cpu[brute->free_count++] = cpu;
    return true;
}

static void no_assignment_is_better(void)
{
    unsigned solved = 0, refused = 0, mixed = 0;
    complaints = 0;
    for (uint64_t number = 0; solved < 3000 || mixed < 30; number++) {
        struct world world;
        struct brute *brute = must_calloc(1, sizeof(*brute));
        world_make(&world, number, true);
        struct demand demand = demand_of(&world.spec);
        struct board *board =
            board_new(world.host, &world.policy, &world.claims, &demand.sizes, &world.spec.wanted_cpus, false);
        if (prepare_brute(brute, &world, board)) {
            bool may_be_remote = demand.page_bytes && !demand.passthrough && demand.numa != VM_NUMA_STRICT;
            unsigned mask = 0;
            struct brute_score best = brute_solve(brute, may_be_remote, &mask);
            bool fits = fit_placement(board, &demand, &world.spec, NULL, &first->placement, NULL);
            WANT(fits == best.found);
            refused += !fits;
            if (fits && best.found) {
                take_roles(brute, &first->placement);
                brute_begin(brute, mask);
                take_sizes(brute, &first->placement, mask);
                mixed += brute->mixed;
                struct brute_score ours = brute_judge(brute, false);
                if (!ours.found)
                    ours = brute_judge(brute, may_be_remote);
                WANT(ours.found && memcmp(ours.term, best.term, sizeof(ours.term)) == 0);
                solved++;
            }
        }
        free(board);
        free(brute);
        free(world.host);
    }
    printf("# %u solved, %u with two page sizes, %u refused\n", solved, mixed, refused);
    CHECK(complaints == 0);
    CHECK(refused > 500);
}

int main(void)
{
    first = must_calloc(1, sizeof(*first));
    second = must_calloc(1, sizeof(*second));
    RUN(every_answer_keeps_the_rules);
    RUN(the_same_question_has_the_same_answer);
    RUN(more_claims_never_admit);
    RUN(other_page_sizes_only_help);
    RUN(a_vm_keeps_its_cpus);
    RUN(what_is_suggested_fits);
    RUN(no_assignment_is_better);
    free(first);
    free(second);
    return test_end();
}
