/* runtime/place: admission and the solver. Pure: host + claims + spec in, placement or every reason why not out; same
 * input, same answer. It reads no file, opens no connection and remembers nothing. */
#pragma once

#include "hostprobe/hostprobe.h"
#include "rtvmd/base/text.h"
#include "runtime/spec/vm_spec.h"

/* What is promised to other VMs already (and, for a VM that has one, its own earlier placement to be kept). */
struct claimed_pages {
    int node;            /* id; -1: ordinary memory that is bound to no node */
    uint64_t page_bytes; /* PLACE_ORDINARY_PAGE_BYTES: ordinary memory, part of memory_bytes below */
    uint64_t pages;
    const char *owner; /* NULL, or "namespace/name", for suggestions; borrowed */
};
#define PLACE_ORDINARY_PAGE_BYTES 4096u
struct claims {
    struct cpuset cpus;          /* exclusive CPUs of others, parked siblings included */
    struct cpuset realtime_cpus; /* the subset that runs real-time vCPUs: their siblings are used last */
    size_t page_count;
    struct claimed_pages *pages;  /* of others, summed or not */
    uint64_t memory_bytes;        /* ordinary memory promised to others: guests without huge pages, overheads */
    const char *const *cpu_owner; /* NULL, or "namespace/name" by CPU number (CPUSET_MAX entries), for reasons */
};

/* The kernel found no memory in one piece for a larger pool, lately. */
struct pool_limit {
    int node; /* id */
    uint64_t page_bytes;
    uint64_t most_pages; /* it could hold */
};

struct place_policy {
    struct cpuset reserved; /* reservedCPUs of the configuration; empty: see host_housekeeping() */
    bool emulation;         /* KVM does not work and emulation is allowed */
    bool allow_emulation;
    bool grow_hugepages; /* host.hugepages.allocate: pools may be made larger for a VM that does not fit otherwise */
    size_t pool_limit_count;
    const struct pool_limit *pool_limit; /* of pools that may grow otherwise; borrowed */
};

struct placement_cell {
    int host_node; /* id */
    struct cpuset vcpus;
    uint64_t memory_bytes;
    uint64_t page_bytes; /* 0: ordinary pages */
};

struct placement {
    bool dedicated;
    unsigned vcpu_count;
    int16_t vcpu_cpu[LIMIT_VM_VCPUS]; /* host CPU, or -1: floats over `shared` */
    struct cpuset realtime_vcpus;     /* run SCHED_FIFO at fifo_priority */
    unsigned fifo_priority;
    uint8_t vcpu_priority[LIMIT_VM_VCPUS]; /* 0: fifo_priority; see placement_priority() */
    struct cpuset shared;                  /* where floating vCPUs run: housekeeping CPUs */
    struct cpuset emulator;                /* QEMU's own threads, and helper kernel threads */
    bool emulator_is_exclusive;
    unsigned iothread_count;
    struct cpuset iothread[LIMIT_VM_IOTHREADS]; /* [0] is iothread 1 */
    struct cpuset parked;                       /* siblings kept idle for this VM */
    struct cpuset exclusive; /* everything to be claimed: vCPUs, own emulator and IO CPUs, parked siblings */
    unsigned cell_count;     /* guest NUMA cells; 0: no NUMA mapping */
    struct placement_cell cell[LIMIT_HOST_NODES];
    uint64_t hugepage_bytes;    /* without cells: guest memory of this page size from any node in memory_nodes */
    uint64_t ordinary_bytes;    /* ordinary memory this VM will need: guest without huge pages, plus overhead */
    struct cpuset memory_nodes; /* node ids guest memory is bound to; empty: unbound */
    struct cpuset filling;      /* where QEMU may fill guest memory from besides `emulator`, until the guest runs */
    unsigned page_count;        /* what to claim, by node and page size; owner is NULL */
    struct claimed_pages page[LIMIT_HOST_NODES];
    unsigned growth_count; /* pages to be added to the pools before the start, and given back after the end */
    struct claimed_pages growth[LIMIT_HOST_NODES];
};

static inline unsigned placement_priority(const struct placement *placement, unsigned vcpu)
{
    unsigned own = vcpu < LIMIT_VM_VCPUS ? placement->vcpu_priority[vcpu] : 0;
    return own ? own : placement->fifo_priority;
}

struct place_reason {
    const char *code; /* "InsufficientExclusiveCPUs", "InsufficientHugePages", "RealtimeThrottled", … : static */
    char message[400];
    int node; /* id, or -1 */
};
enum { PLACE_REASONS_MAX = 64 };

struct decision {
    bool admitted;
    struct placement placement; /* when admitted */
    unsigned reason_count;      /* when not: every reason */
    struct place_reason reason[PLACE_REASONS_MAX];
    unsigned warning_count;
    char warning[16][300];
    unsigned suggestion_count; /* place_suggest(): what would fit instead */
    char suggestion[8][200];
};

/* `kept` is the VM's earlier placement, or NULL: it is taken again when still possible. ret_decision is large: heap. */
void place_plan(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                const struct vm_spec *spec, const struct placement *kept, struct decision *ret_decision);

/* Is the placement of a VM that runs still true on the host as it is now? Not admitted: reasons say what changed (a CPU
 * offline or taken by the host, a pool smaller than what was promised). The VM keeps running; its owner is told.
 * others: the claims of all other VMs. */
void place_audit(const struct host *host, const struct place_policy *policy, const struct claims *others,
                 const struct placement *placement, struct decision *ret_decision);
/* Huge pages that do not add up over the whole host: in use by nobody we know, promised but not there, or left where no
 * CPU is. Adds warnings. claims: of all VMs. */
void place_audit_pages(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                       struct decision *decision);

/* For a refusal: the nearest things that would fit ("fits with threads: 1", "fits after stopping default/vm-b"), found
 * by solving again with one wish changed, then two, then a smaller VM; and with larger pools where nobody may grow
 * them. Only room is looked at: reasons like throttling remain. Stopping is suggested as far as claims name owners.
 * Adds to *decision; some dozens of solves. */
void place_suggest(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                   const struct vm_spec *spec, struct decision *decision);

/* For people: every set of nodes that was tried, its cost, and what each lost on. */
void place_write_tree(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                      const struct vm_spec *spec, struct text *out);

/* Claims put together from placements. The book owns everything in the claims it gives. */
struct claim_book;
struct claim_book *claim_book_new(void);
void claim_book_free(struct claim_book *book); /* NULL is fine */
/* owner may be NULL: nobody who could be stopped. */
void claim_book_add(struct claim_book *book, const struct placement *placement, const char *owner);
/* Valid until the book changes. */
const struct claims *claim_book_claims(const struct claim_book *book);

/* {"admitted","reasons":[{"code","message","node"}],"warnings":[…],"suggestions":[…],"placement":{"vcpus":{"0":4},"emulator":[3],
 * "iothreads":{"1":[3]},"cells":[{"id","hostNode","vcpus","memoryBytes","pageBytes"}],…}}; placement null when refused.
 * The placement object survives the round trip through placement_from_json. */
json_t *decision_to_json(const struct decision *decision);
json_t *placement_to_json(const struct placement *placement);
int placement_from_json(const json_t *object, struct placement *ret_placement, struct error *err);
