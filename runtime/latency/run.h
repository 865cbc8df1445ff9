/* A latency run: what was measured, under which circumstances, and what that is worth. Kept as one JSON document, so
 * that it can be stored, sent and compared years later without the machine. Pure but for the clock.
 *
 * {"format":1,"name","time","target","kind","durationMs","load","loadCpus","cpus","scheduling","rtvmd",
 *  "host":{facts of hostprobe},"knobs":{id: found},"verdict":{"grade","because","maxNs"},
 *  "measurements":[measurement.h],"disturbance":{disturbance.h},
 *  "vm":{"metadata":{"annotations"},"spec","placement","proof"}}: the last only of a guest's run. */
#pragma once

#include "hostprobe/hostprobe.h"
#include "runtime/latency/measurement.h"

enum { RUN_FORMAT = 1 };

enum run_grade { RUN_NO_VERDICT, RUN_GOLD, RUN_SILVER, RUN_BRONZE, RUN_FAIL };
extern const char *const RUN_GRADE[]; /* "none", "gold", … */
/* Gold as the vendors' stress test of a real-time virtualization host asks for; ns, inclusive. */
enum { RUN_GOLD_NS = 20000, RUN_SILVER_NS = 40000, RUN_BRONZE_NS = 100000 };

struct run_facts {
    const char *target;     /* "host", or "NAMESPACE/NAME" of a VM */
    const char *kind;       /* "timer", "gaps", "both" */
    const char *scheduling; /* of what measured */
    const char *version;    /* of rtvmd */
    uint64_t duration_ms;
    bool load;
    struct cpuset cpus; /* of the host; empty: not known */
    struct cpuset load_cpus;
    const struct host *host;
    bool emulated;             /* a guest without hardware virtualization */
    const json_t *vm;          /* its configuration; NULL: not a VM's run. Borrowed */
    const json_t *knobs;       /* id: what was found; NULL: not looked at. Borrowed */
    const json_t *disturbance; /* NULL: not looked at. Borrowed */
};
/* What the doctor finds on the live machine, {id: found}: the configuration a run is made under. */
json_t *run_knobs(const struct host *host);
/* Of our own measuring threads. */
const char *run_scheduling(bool fifo);
json_t *run_new(const struct run_facts *facts, const struct measurements *measurements);

/* The worst value decides. No verdict without load, on a machine that is not real, or of nothing. */
enum run_grade run_judge(const struct measurements *measurements, const struct run_facts *facts,
                         const char **ret_because);

/* A run read back: the document, and its measurements as numbers. */
struct run {
    json_t *document; /* owned */
    struct measurements measurements;
};
/* Takes a reference of its own. ERROR_INVALID names what does not fit. */
int run_read(json_t *document, struct run *ret_run, struct error *err);
void run_finish(struct run *run);
#define auto_run __attribute__((cleanup(run_finish))) struct run

/* "gold", or "no verdict: …". */
char *run_verdict_text(const json_t *document);
/* "850 ns", "12.3 µs", "4.0 ms". Returns buffer. */
struct ns_text {
    char text[32];
};
const char *ns_format(uint64_t ns, struct ns_text *buffer);
