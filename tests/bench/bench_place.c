/* How long one placement takes on a large host that is mostly promised already: the median over ordinary questions, and
 * the worst case a random search can find (it keeps the hardest question so far and changes it a little). */
#include <stdio.h>
#include <time.h>

#include "tests/bench/budget.h"
#include "tests/unit/synthetic.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % sides;
}

/* A question is numbers, so that it can be changed one number at a time. */
struct question {
    struct synthetic make;
    unsigned filler_seed;
    unsigned fillers; /* VMs placed before */
    unsigned filler_vcpus;
    unsigned vcpus, threads, gigabytes, io;
    enum vm_smt_policy smt;
    enum vm_numa_policy numa;
    bool passthrough, realtime, emulator;
    bool other_pages;      /* rtvmd.io/page-sizes */
    unsigned uneven_pages; /* every so many nodes have few large pages; 0: all have the same */
};

static struct vm_spec spec_of(const struct question *q)
{
    struct vm_spec spec = synthetic_realtime(q->vcpus * q->threads, q->gigabytes);
    spec.sockets = 1;
    spec.cores = q->vcpus;
    spec.threads = q->threads;
    spec.realtime = q->realtime;
    spec.numa_passthrough = q->passthrough;
    spec.isolate_emulator = q->emulator;
    spec.smt_policy = q->smt;
    spec.numa_policy = q->numa;
    if (q->other_pages)
        spec.other_page_sizes = (struct vm_page_sizes){.count = 1, .bytes = {2 * MI}};
    if (q->io) {
        spec.iothreads_policy = VM_IOTHREADS_SUPPLEMENTAL;
        spec.supplemental_iothreads = q->io;
    }
    return spec;
}

static struct claim_book *fill(const struct question *q, const struct host *host, const struct place_policy *policy,
                               struct decision *decision, unsigned *ret_count)
{
    struct claim_book *book = claim_book_new();
    uint64_t kept = seed;
    seed = q->filler_seed * 2654435761u + 88172645463325252u;
    *ret_count = 0;
    for (unsigned i = 0; i < q->fillers; i++) {
        struct vm_spec spec = synthetic_realtime(1 + dice(q->filler_vcpus), 1);
        spec.isolate_emulator = dice(2);
        spec.realtime = dice(2);
        spec.hugepage_bytes = dice(2) ? GI : 2 * MI;
        place_plan(host, policy, claim_book_claims(book), &spec, NULL, decision);
        char owner[32];
        snprintf(owner, sizeof(owner), "vm-%u", i);
        if (decision->admitted)
            claim_book_add(book, &decision->placement, owner);
        *ret_count += decision->admitted;
    }
    seed = kept;
    return book;
}

/* Planning waits for nothing, so the thread's own time is what it takes; a search for the worst case would otherwise
 * find the moment when something else ran. */
static uint64_t cpu_time_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct answer {
    uint64_t plan_ns; /* of CPU time */
    bool admitted;
    unsigned vms;
};

static struct answer ask(const struct question *q)
{
    struct answer answer = {.plan_ns = UINT64_MAX};
    struct host *host = synthetic_host(&q->make);
    for (unsigned n = 0; q->uneven_pages && n < host->node_count; n += q->uneven_pages)
        host->node[n].pool[1].total = host->node[n].pool[1].free = host->node[n].pool[1].total / 8;
    struct place_policy policy = {0};
    struct decision *decision = must_calloc(1, sizeof(*decision));
    struct claim_book *book = fill(q, host, &policy, decision, &answer.vms);
    struct vm_spec spec = spec_of(q);
    for (int i = 0; i < 3; i++) {
        uint64_t start = cpu_time_ns();
        place_plan(host, &policy, claim_book_claims(book), &spec, NULL, decision);
        uint64_t took = cpu_time_ns() - start;
        answer.plan_ns = took < answer.plan_ns ? took : answer.plan_ns;
    }
    answer.admitted = decision->admitted;
    claim_book_free(book);
    free(decision);
    free(host);
    return answer;
}

static struct question ordinary(void)
{
    struct question q = {
        .make =
            {.nodes = 8, .cores = 16, .threads = 2, .l3_cores = 8, .pages_1g = 64, .pages_2m = 8192, .gigabytes = 256},
        .filler_seed = dice(1000),
        .fillers = 100,
        .filler_vcpus = 2};
    q.vcpus = 1 + dice(8);
    q.threads = 1 + dice(2);
    q.gigabytes = 1 + dice(16);
    q.realtime = dice(2);
    q.passthrough = q.realtime || dice(2);
    q.emulator = dice(2);
    q.other_pages = dice(4) == 0;
    return q;
}

static void change(struct question *q)
{
    switch (dice(15)) {
    case 0:
        q->make.threads = 1 + dice(2);
        break;
    case 1:
        q->make.l3_cores = (unsigned[]){0, 1, 2, 4, 8}[dice(5)];
        break;
    case 2:
        q->filler_seed = dice(100000);
        break;
    case 3:
        q->filler_vcpus = 1 + dice(6);
        break;
    case 4:
        q->fillers = dice(101);
        break;
    case 5:
        q->vcpus = 1 + dice(dice(3) ? 32 : 240);
        break;
    case 6:
        q->threads = 1 + dice(2);
        break;
    case 7:
        q->gigabytes = 1 + dice(dice(2) ? 64 : 480);
        break;
    case 8:
        q->smt = dice(3);
        break;
    case 9:
        q->numa = dice(3);
        break;
    case 10:
        q->io = dice(5);
        break;
    case 11:
        q->passthrough = dice(2);
        break;
    case 12:
        q->other_pages = dice(2);
        break;
    case 13:
        q->uneven_pages = dice(4);
        break;
    default:
        q->realtime = dice(2);
        q->emulator = dice(2);
        break;
    }
    q->make.cores = 32 / q->make.threads; /* always 256 CPUs on 8 nodes */
    if (q->vcpus * q->threads > LIMIT_VM_VCPUS)
        q->vcpus = LIMIT_VM_VCPUS / q->threads;
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_question(const struct question *q, const struct answer *answer)
{
    printf(
        "place: hardest: %u vCPUs, threads %u, %u GiB, %u IO, smt %d, numa %d, %s%s%s%s; host cores of %u threads, L3 of %u; "
        "%u VMs before; %s\n",
        q->vcpus * q->threads, q->threads, q->gigabytes, q->io, (int)q->smt, (int)q->numa,
        q->other_pages ? "two page sizes " : "", q->passthrough ? "cells " : "", q->realtime ? "realtime " : "",
        q->emulator ? "own emulator" : "", q->make.threads, q->make.l3_cores, answer->vms,
        answer->admitted ? "admitted" : "refused");
}

int main(int argc, char **argv)
{
    enum { ORDINARY = 200, DEFAULT_STEPS = 1500 };
    uint64_t steps = DEFAULT_STEPS;
    if (argc > 1 && !text_to_u64(argv[1], &steps))
        return 2;
    uint64_t ns[ORDINARY], vms = 0;
    for (int i = 0; i < ORDINARY; i++) {
        struct question q = ordinary();
        struct answer answer = ask(&q);
        ns[i] = answer.plan_ns;
        vms += answer.vms;
    }
    qsort(ns, ORDINARY, sizeof(*ns), compare_ns);
    printf("place: 256 CPUs, 8 nodes, %.0f VMs claimed: median %.3f ms, worst of %d %.3f ms\n", (double)vms / ORDINARY,
           (double)ns[ORDINARY / 2] / 1e6, (int)ORDINARY, (double)ns[ORDINARY - 1] / 1e6);
    struct question hardest = ordinary();
    struct answer worst = ask(&hardest);
    for (uint64_t i = 0; i < steps; i++) {
        struct question q = dice(10) ? hardest : ordinary();
        for (unsigned k = 1 + dice(3); k > 0; k--)
            change(&q);
        struct answer answer = ask(&q);
        if (answer.plan_ns <= worst.plan_ns)
            continue;
        worst = answer;
        hardest = q;
    }
    printf("place: worst found by a search of %llu questions: %.3f ms\n", (unsigned long long)steps,
           (double)worst.plan_ns / 1e6);
    print_question(&hardest, &worst);
    budget("place: median of ordinary questions, 256 CPUs, 100 VMs", (double)ns[ORDINARY / 2] / 1e6, "<", 1, "ms");
    budget("place: the hardest question found", (double)worst.plan_ns / 1e6, "<", 10, "ms");
    return 0;
}
