#include "runtime/latency/gate.h"

#include <string.h>

#include "runtime/latency/run.h"

static const char NOT_REAL[] = "not real hardware";

static const char *reason_of(const char *grade)
{
    static const char *const WORDS[][2] = {{"gold", "Gold"}, {"silver", "Silver"}, {"bronze", "Bronze"}};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
        if (strcmp(grade, WORDS[i][0]) == 0)
            return WORDS[i][1];
    return "WithinGate";
}

json_t *latency_gate_judge(uint64_t limit_ns, bool only_warns, const json_t *result, const char *run)
{
    uint64_t max_ns = (uint64_t)json_int_at(result, "maxNs", 0);
    const char *grade = json_text_at(result, "grade", "none");
    bool is_real = strcmp(json_text_at(result, "because", ""), NOT_REAL) != 0;
    bool is_over = max_ns > limit_ns;
    struct ns_text max;
    struct ns_text limit;
    const char *status = !is_real ? "Unknown" : is_over ? "False" : "True";
    const char *reason = !is_real ? "NoVerdict" : is_over ? "TooSlow" : reason_of(grade);
    auto_free char *message =
        must_format("%s%s%sworst %s, the gate is %s; run %s", is_real ? "" : "no verdict: ", is_real ? "" : NOT_REAL,
                    is_real ? "" : "; ", ns_format(max_ns, &max), ns_format(limit_ns, &limit), run);
    return json_pack("{s:s, s:s, s:s, s:b}", "status", status, "reason", reason, "message", message, "shut",
                     (int)(is_real && is_over && !only_warns));
}

int latency_gate_run(struct latency_gate *gate, struct error *err)
{
    if (latency_job_run(&gate->job, err) < 0)
        return error_prefix(err, "latency gate");
    gate->is_measured = true;
    gate->verdict = latency_gate_judge(gate->limit_ns, gate->only_warns, gate->job.result, gate->job.stored_name);
    gate->is_shut = json_bool_at(gate->verdict, "shut", false);
    return 0;
}

void latency_gate_finish(struct latency_gate *gate)
{
    latency_job_finish(&gate->job);
    json_decref(gate->verdict);
}
