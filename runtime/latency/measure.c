#include "runtime/latency/measure.h"

#include <string.h>

#include "runtime/latency/disturbance.h"
#include "runtime/latency/load.h"

enum { LOAD_LONGER_MS = 1000 };

void measure_result_finish(struct measure_result *result)
{
    measurements_finish(&result->measurements);
    json_decref(result->disturbance);
    result->disturbance = NULL;
}

int measure_kind_parse(const char *text, bool ret_wanted[MEASUREMENT_KINDS], struct error *err)
{
    bool both = strcmp(text, "both") == 0;
    bool any = both;
    for (size_t k = 0; k < MEASUREMENT_KINDS; k++) {
        ret_wanted[k] = both || strcmp(text, MEASUREMENT_KIND[k]) == 0;
        any = any || ret_wanted[k];
    }
    return any ? 0 : fail(err, ERROR_BAD_REQUEST, "kind: \"%.40s\": want timer, gaps or both", text);
}

const char *measure_kind_text(const bool wanted[MEASUREMENT_KINDS])
{
    if (wanted[MEASUREMENT_TIMER] && wanted[MEASUREMENT_GAPS])
        return "both";
    return wanted[MEASUREMENT_TIMER] ? MEASUREMENT_KIND[MEASUREMENT_TIMER] : MEASUREMENT_KIND[MEASUREMENT_GAPS];
}

struct part {
    bool (*progress)(unsigned percent, const char *what, void *arg);
    void *arg;
    const char *what;
    unsigned done; /* of the parts before, in percent */
    unsigned parts;
    struct disturbance *disturbance;
};

static bool part_progress(unsigned percent, void *arg)
{
    const struct part *part = arg;
    disturbance_poll(part->disturbance);
    return !part->progress || part->progress(part->done + percent / part->parts, part->what, part->arg);
}

static int measure_kinds(const struct measure_request *request, struct part *part, struct measure_result *result,
                         struct error *err)
{
    result->fifo = true;
    for (unsigned kind = 0; kind < MEASUREMENT_KINDS; kind++) {
        bool fifo;
        struct host_test test = {
            .kind = (enum measurement_kind)kind,
            .cpus = request->cpus,
            .duration_ms = (request->duration_ms + part->parts - 1) / part->parts,
            .interval_ns = HOST_TEST_INTERVAL_NS,
            .threshold_ns = HOST_TEST_THRESHOLD_NS,
            .progress = part_progress,
            .arg = part,
        };
        if (!request->wanted[kind])
            continue;
        part->what = MEASUREMENT_KIND[kind];
        if (host_test_run(&test, &result->measurements, &fifo, err) < 0)
            return -1;
        result->fifo = result->fifo && fifo;
        part->done += 100 / part->parts;
    }
    return 0;
}

int measure_here(const struct measure_request *request, bool (*progress)(unsigned percent, const char *what, void *arg),
                 void *arg, struct measure_result *ret_result, struct error *err)
{
    *ret_result = (struct measure_result){0};
    struct part part = {.progress = progress, .arg = arg};
    for (size_t k = 0; k < MEASUREMENT_KINDS; k++)
        part.parts += request->wanted[k];
    auto_free struct load *load = must_calloc(1, sizeof *load);
    part.disturbance = disturbance_start(&request->cpus, request->trace);
    int r = load_start(&request->load_cpus, request->duration_ms + LOAD_LONGER_MS, load, err);
    if (r == 0)
        r = measure_kinds(request, &part, ret_result, err);
    load_stop(load);
    for (size_t i = 0; i < ret_result->measurements.count; i++)
        disturbance_mark_own(part.disturbance, ret_result->measurements.at[i].tid);
    ret_result->disturbance = disturbance_end(part.disturbance);
    if (r < 0)
        measure_result_finish(ret_result);
    return r;
}
