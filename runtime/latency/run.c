#include "runtime/latency/run.h"

#include <stdio.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/timestamp.h"
#include "runtime/tune/doctor.h"

const char *const RUN_GRADE[] = {"none", "gold", "silver", "bronze", "fail"};

static uint64_t worst_ns(const struct measurements *measurements)
{
    uint64_t max = 0;
    for (size_t i = 0; i < measurements->count; i++)
        if (measurements->at[i].histogram.max_ns > max)
            max = measurements->at[i].histogram.max_ns;
    return max;
}

json_t *run_knobs(const struct host *host)
{
    struct doctor_report report;
    json_t *knobs = json_object();
    doctor_examine("", host, 0, &report);
    for (size_t i = 0; i < report.count; i++)
        json_object_set_new(knobs, report.finding[i].id, json_string(report.finding[i].found));
    doctor_report_finish(&report);
    return knobs;
}

const char *run_scheduling(bool fifo)
{
    return fifo ? "SCHED_FIFO" : "SCHED_OTHER: real-time scheduling was not granted";
}

enum run_grade run_judge(const struct measurements *measurements, const struct run_facts *facts,
                         const char **ret_because)
{
    uint64_t values = 0;
    for (size_t i = 0; i < measurements->count; i++)
        values += measurements->at[i].histogram.count;
    *ret_because = "";
    if (facts->host->virtualized == HOST_YES || facts->emulated)
        *ret_because = "not real hardware";
    else if (values == 0)
        *ret_because = "nothing was measured";
    else if (!facts->load)
        *ret_because = "without load";
    if ((*ret_because)[0])
        return RUN_NO_VERDICT;
    uint64_t max = worst_ns(measurements);
    return max <= RUN_GOLD_NS     ? RUN_GOLD
           : max <= RUN_SILVER_NS ? RUN_SILVER
           : max <= RUN_BRONZE_NS ? RUN_BRONZE
                                  : RUN_FAIL;
}

/* The machine without what is only large: every CPU and node by number. */
static json_t *host_facts(const struct host *host)
{
    json_t *facts = host_to_json(host);
    json_object_set_new(facts, "onlineCpus", json_integer(cpuset_count(&host->online)));
    json_object_set_new(facts, "nodeCount", json_integer(host->node_count));
    json_object_del(facts, "cpus");
    json_object_del(facts, "nodes");
    return facts;
}

static json_t *list_json(const struct cpuset *set)
{
    auto_free struct cpuset_text *text = must_calloc(1, sizeof *text);
    return json_string(cpuset_format(set, text));
}

json_t *run_new(const struct run_facts *facts, const struct measurements *measurements)
{
    char now[TIMESTAMP_TEXT_MAX];
    const char *because;
    enum run_grade grade = run_judge(measurements, facts, &because);
    json_t *run = json_pack("{s:i, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:s, s:s, s:o, s:{s:s, s:s, s:I}, s:o}", "format",
                            RUN_FORMAT, "time", timestamp_format(now_wall_s(), now), "target", facts->target, "kind",
                            facts->kind, "durationMs", (json_int_t)facts->duration_ms, "load", facts->load, "loadCpus",
                            list_json(&facts->load_cpus), "cpus", list_json(&facts->cpus), "scheduling",
                            facts->scheduling, "rtvmd", facts->version, "host", host_facts(facts->host), "verdict",
                            "grade", RUN_GRADE[grade], "because", because, "maxNs", (json_int_t)worst_ns(measurements),
                            "measurements", measurements_json(measurements));
    if (facts->knobs)
        json_object_set_new(run, "knobs", json_deep_copy(facts->knobs));
    if (facts->vm)
        json_object_set_new(run, "vm", json_deep_copy(facts->vm));
    if (facts->disturbance)
        json_object_set_new(run, "disturbance", json_deep_copy(facts->disturbance));
    return run;
}

int run_read(json_t *document, struct run *ret_run, struct error *err)
{
    *ret_run = (struct run){0};
    if (json_int_at(document, "format", 0) != RUN_FORMAT)
        return fail(err, ERROR_INVALID, "format: want %d; is this a latency run of rtvmd?", RUN_FORMAT);
    if (measurements_read(json_object_get(document, "measurements"), &ret_run->measurements, err) < 0)
        return -1;
    ret_run->document = json_incref(document);
    return 0;
}

void run_finish(struct run *run)
{
    json_decref(run->document);
    measurements_finish(&run->measurements);
    *run = (struct run){0};
}

char *run_verdict_text(const json_t *document)
{
    const char *grade = json_text_at(document, "verdict.grade", "none");
    if (strcmp(grade, RUN_GRADE[RUN_NO_VERDICT]) != 0)
        return must_strdup(grade);
    return must_format("no verdict: %s", json_text_at(document, "verdict.because", "unknown"));
}

const char *ns_format(uint64_t ns, struct ns_text *buffer)
{
    if (ns < 1000)
        snprintf(buffer->text, sizeof buffer->text, "%llu ns", (unsigned long long)ns);
    else if (ns < 1000000)
        snprintf(buffer->text, sizeof buffer->text, "%.1f µs", (double)ns / 1e3);
    else if (ns < 1000000000)
        snprintf(buffer->text, sizeof buffer->text, "%.1f ms", (double)ns / 1e6);
    else
        snprintf(buffer->text, sizeof buffer->text, "%.1f s", (double)ns / 1e9);
    return buffer->text;
}
