/* runtime/work: the acting half. Everything that is done for one machine on a worker thread: volumes, domain, libvirt,
 * proof. It decides nothing and knows neither store nor runtime: what it needs is in the job, what it found out is put
 * there. Ends with a look at the domain, so that the next decision rests on what is, not on what was meant. */
#pragma once

#include "rtvmd/base/worker.h"
#include "runtime/hypervisor/hypervisor.h"
#include "runtime/image/image.h"
#include "runtime/latency/gate.h"
#include "runtime/prove/prove.h"
#include "runtime/tune/page_pool.h"

/* A host snapshot shared by the loop thread and jobs; counted on the loop thread only. */
struct work_host {
    unsigned references;
    struct host host;
};

enum work_kind {
    WORK_START,
    WORK_TAKE_UP, /* prove, repair, and resume when asked to */
    WORK_SIGNAL,
    WORK_DESTROY,
    WORK_CLEAN,
    WORK_PAUSE,
    WORK_RESUME,
    WORK_REBOOT,
    WORK_RESET,
    WORK_AGENT,  /* one or more guest agent commands */
    WORK_SCREEN, /* a connection to the display */
    WORK_SCREENSHOT,
    WORK_ATTACH, /* one volume, to the running domain */
    WORK_DETACH,
    WORK_KIND_COUNT,
};

struct runtime;
enum { WORK_COMMANDS_MAX = 8 };

/* How far it came: a failure while making volumes is another one than a failure of the hypervisor. */
enum work_stage { WORK_STAGE_GATE, WORK_STAGE_VOLUMES, WORK_STAGE_DOMAIN, WORK_STAGE_PROOF };

struct work {
    struct worker_job job;
    struct runtime *runtime; /* for the loop thread */
    char *key;
    char uid[64];
    enum work_kind kind;
    void (*answer)(struct work *work, const struct error *failure, void *arg); /* may be NULL */
    void *arg;     /* allocated for the answer, which frees it; freed with a job that is canceled */
    bool is_aside; /* does not count as the machine's one job: it changes nothing */

    /* In. */
    struct hypervisor *hypervisor;
    /* Called on the worker thread with what is going on, for people. */
    void (*progress)(struct work *work, const char *sentence);
    char *namespace_;
    char *name;
    char *domain_name;
    const char *run_dir;
    struct image_config image;
    struct vm_spec spec; /* WORK_START, WORK_TAKE_UP, WORK_ATTACH */
    struct placement *placement;
    struct work_host *host;
    json_t *lookups; /* "Secret/name" → object */
    bool emulation;
    bool resume;
    bool hold; /* WORK_START: the guest waits until its CPUs are isolated */
    bool repair;
    bool threads_only; /* of the proof */
    bool clean_all;
    char *volume; /* WORK_ATTACH, WORK_DETACH: its name, and for the first the device name it gets */
    char target[DOMAIN_TARGET_MAX];
    struct latency_gate gate; /* WORK_START; its verdict comes out */
    size_t command_count;
    char *command[WORK_COMMANDS_MAX];
    bool command_is_optional[WORK_COMMANDS_MAX];
    size_t growth_count; /* pools to be made larger before the start; says also what came of it */
    struct page_pool_change *growth;

    /* Out. */
    bool failed;
    struct error err;
    enum work_stage stage;
    bool is_observed;
    struct observed_domain domain;
    json_t *proof; /* after repair */
    json_t *drift; /* the proof before it, when something was not as planned */
    int repaired;
    struct text warnings; /* a line each */
    char *reply[WORK_COMMANDS_MAX];
    int screen_fd; /* the connection or the picture; 0: none */
};

void work_run(struct worker_job *job);
void work_free(struct work *work);
