#include <stdlib.h>
#include <string.h>

#include "runtime/inside.h"
#include "runtime/latency/run_files.h"

/* The stored run of a LatencyTest, read on a worker: it may be large. */

struct reading {
    struct worker_job worker;
    runtime_answer *answer;
    void *arg;
    char *folder;
    char *name;
    json_t *run;
    struct error err;
};

static void read_now(struct worker_job *worker)
{
    struct reading *reading = (struct reading *)worker;
    reading->run = run_files_get(reading->folder, reading->name, &reading->err);
}

static void read_done(struct worker_job *worker, bool canceled)
{
    struct reading *reading = (struct reading *)worker;
    if (!canceled)
        reading->answer(reading->run, reading->run ? NULL : &reading->err, reading->arg);
    json_decref(reading->run);
    free(reading->folder);
    free(reading->name);
    free(reading);
}

void runtime_latency_run(struct runtime *runtime, const char *namespace_, const char *name, runtime_answer *answer,
                         void *arg)
{
    struct error err;
    auto_json *test = store_get(runtime->store, "LatencyTest", namespace_, name);
    const char *run = json_text_at(test, "status.run", "");
    if (!test)
        fail(&err, ERROR_NOT_FOUND, "latencytests.rtvmd.io \"%s\" not found", name);
    else if (!run[0])
        fail(&err, ERROR_CONFLICT, "latencytests.rtvmd.io \"%s\" has no run yet (%s)", name,
             json_text_at(test, "status.phase", ""));
    if (!run[0]) {
        answer(NULL, &err, arg);
        return;
    }
    struct reading *reading = must_calloc(1, sizeof *reading);
    *reading = (struct reading){.worker = {.run = read_now, .done = read_done},
                                .answer = answer,
                                .arg = arg,
                                .folder = must_format("%s/latency", runtime->state_dir),
                                .name = must_strdup(run)};
    worker_submit(runtime->pool, &reading->worker);
}
