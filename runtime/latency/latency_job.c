#include "runtime/latency/latency_job.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/version.h"
#include "runtime/latency/console.h"
#include "runtime/latency/run.h"
#include "runtime/latency/run_files.h"

/* A guest that is emulated measures by its own clock what takes longer by ours, and prints slowly. */
enum { PATIENCE_TIMES = 4, PATIENCE_MS = 120000 };

void latency_job_finish(struct latency_job *job)
{
    free(job->folder);
    free(job->run_name);
    free(job->subject);
    free(job->console);
    free(job->scheduling);
    free(job->stored_name);
    json_decref(job->vm);
    json_decref(job->result);
}

json_t *latency_job_result(const json_t *run, const struct measurements *measurements)
{
    json_t *cpus = json_array();
    for (size_t i = 0; i < measurements->count; i++) {
        const struct measurement *m = &measurements->at[i];
        const struct histogram *h = &m->histogram;
        json_array_append_new(
            cpus,
            json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "cpu", (int)m->cpu, "kind", MEASUREMENT_KIND[m->kind],
                      "p50Ns", (json_int_t)histogram_percentile_ns(h, 500000, false), "p9999Ns",
                      (json_int_t)histogram_percentile_ns(h, HISTOGRAM_TAIL_PPM, false), "p9999ByTimeNs",
                      (json_int_t)histogram_percentile_ns(h, HISTOGRAM_TAIL_PPM, true), "maxNs", (json_int_t)h->max_ns,
                      "lostNs", (json_int_t)h->lost_ns, "measuredNs", (json_int_t)m->measured_ns));
    }
    return json_pack("{s:s, s:s, s:I, s:o}", "grade", json_text_at(run, "verdict.grade", ""), "because",
                     json_text_at(run, "verdict.because", ""), "maxNs",
                     (json_int_t)json_int_at(run, "verdict.maxNs", 0), "cpus", cpus);
}

static int measure_vm(const struct latency_job *job, struct measure_result *result, struct error *err)
{
    uint32_t reports = 0;
    for (size_t k = 0; k < MEASUREMENT_KINDS; k++)
        reports += job->request.wanted[k] ? LATENCY_REPORTS : 0;
    pid_t load;
    uint64_t patience_ms = job->request.duration_ms * PATIENCE_TIMES + PATIENCE_MS;
    if (measure_load_start(&job->request.load_cpus, patience_ms, &load, err) < 0)
        return -1;
    struct probe_stream *stream = probe_stream_new();
    int r = console_read(job->console, reports, now_monotonic_ms() + patience_ms, job->stop, job->percent, stream, err);
    measure_load_end(load);
    if (r == 0)
        r = probe_stream_measurements(stream, &result->measurements, err);
    probe_stream_free(stream);
    return r;
}

/* In the scheduling, beside what the vCPUs have, what the tools had. */
static int measure_guest(struct latency_job *job, struct measure_result *result, struct error *err)
{
    struct guest_run run = {
        .agent = job->agent,
        .vcpus = job->guest_vcpus,
        .vcpu_count = job->vcpu_count,
        .duration_ms = job->request.duration_ms,
        .stop = job->stop,
        .percent = job->percent,
    };
    pid_t load;
    memcpy(run.wanted, job->request.wanted, sizeof run.wanted);
    uint64_t patience_ms = job->request.duration_ms * PATIENCE_TIMES + PATIENCE_MS;
    if (measure_load_start(&job->request.load_cpus, patience_ms, &load, err) < 0)
        return -1;
    auto_text how = {0};
    int r = guest_run(&run, &result->measurements, &how, err);
    measure_load_end(load);
    memcpy(job->request.wanted, run.wanted, sizeof run.wanted);
    auto_free char *vcpus = take(job->scheduling);
    job->scheduling = must_format("%s; in the guest %s", vcpus ? vcpus : "", text_cstr(&how));
    return r;
}

static int store(struct latency_job *job, const struct measure_result *result, struct error *err)
{
    auto_json *knobs = run_knobs(job->host);
    const struct run_facts facts = {
        .target = job->subject,
        .kind = measure_kind_text(job->request.wanted),
        .scheduling = job->scheduling ? job->scheduling : run_scheduling(result->fifo),
        .version = RTVMD_VERSION,
        .duration_ms = job->request.duration_ms,
        .load = !cpuset_is_empty(&job->request.load_cpus),
        .cpus = job->request.cpus,
        .load_cpus = job->request.load_cpus,
        .host = job->host,
        .emulated = job->emulated,
        .vm = job->vm,
        .knobs = knobs,
        .disturbance = result->disturbance,
    };
    auto_json *run = run_new(&facts, &result->measurements);
    job->stored_name = run_files_add(job->folder, job->run_name, run, err);
    job->result = latency_job_result(run, &result->measurements);
    return job->stored_name ? 0 : -1;
}

int latency_job_run(struct latency_job *job, struct error *err)
{
    auto_measure_result result = {0};
    int r = job->target == LATENCY_HOST ? measure_apart(&job->request, job->stop, job->percent, &result, err)
            : job->target == LATENCY_VM ? measure_vm(job, &result, err)
                                        : measure_guest(job, &result, err);
    return r < 0 ? -1 : store(job, &result, err);
}
