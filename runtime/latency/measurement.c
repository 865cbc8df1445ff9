#include "runtime/latency/measurement.h"

#include <stdlib.h>

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/limits.h"

enum { MEASUREMENTS_MAX = MEASUREMENT_KINDS * CPUSET_MAX };

const char *const MEASUREMENT_KIND[MEASUREMENT_KINDS] = {"timer", "gaps"};

void measurements_finish(struct measurements *measurements)
{
    for (size_t i = 0; i < measurements->count; i++)
        free(measurements->at[i].block);
    free(measurements->at);
    *measurements = (struct measurements){0};
}

struct measurement *measurements_add(struct measurements *measurements, size_t block_count)
{
    measurements->at = must_realloc(measurements->at, measurements->count + 1, sizeof *measurements->at);
    struct measurement *m = &measurements->at[measurements->count++];
    *m = (struct measurement){.block_count = block_count, .block = must_calloc(block_count + 1, sizeof *m->block)};
    return m;
}

static json_t *measurement_json(const struct measurement *m)
{
    json_t *blocks = json_array();
    for (size_t i = 0; i < m->block_count; i++)
        json_array_append_new(blocks,
                              json_pack("[I, I]", (json_int_t)m->block[i].max_ns, (json_int_t)m->block[i].lost_ns));
    return json_pack("{s:s, s:i, s:I, s:I, s:o, s:o}", "kind", MEASUREMENT_KIND[m->kind], "cpu", (int)m->cpu,
                     "measuredNs", (json_int_t)m->measured_ns, "involuntarySwitches", (json_int_t)m->involuntary,
                     "histogram", histogram_json(&m->histogram), "blocks", blocks);
}

json_t *measurements_json(const struct measurements *measurements)
{
    json_t *list = json_array();
    for (size_t i = 0; i < measurements->count; i++)
        json_array_append_new(list, measurement_json(&measurements->at[i]));
    return list;
}

static int read_measurement(const json_t *json, struct measurements *all, struct error *err)
{
    const json_t *blocks = json_object_get(json, "blocks");
    size_t count = json_array_size(blocks);
    const char *kind = json_text_at(json, "kind", "");
    int64_t cpu = json_int_at(json, "cpu", -1);
    int64_t measured_ns = json_int_at(json, "measuredNs", -1);
    int64_t involuntary = json_int_at(json, "involuntarySwitches", 0);
    unsigned k = 0;
    while (k < MEASUREMENT_KINDS && !text_equal(kind, MEASUREMENT_KIND[k]))
        k++;
    if (k == MEASUREMENT_KINDS)
        return fail(err, ERROR_INVALID, "kind: \"%.20s\"; want timer or gaps", kind);
    if (cpu < 0 || cpu >= CPUSET_MAX || measured_ns < 0 || involuntary < 0 || count > LIMIT_LATENCY_BLOCKS)
        return fail(err, ERROR_INVALID,
                    "cpu, measuredNs, involuntarySwitches, blocks: out of range; want a CPU below %d, no negative "
                    "numbers, at most %u blocks",
                    CPUSET_MAX, LIMIT_LATENCY_BLOCKS);
    struct measurement *m = measurements_add(all, count);
    m->kind = (enum measurement_kind)k;
    m->cpu = (unsigned)cpu;
    m->measured_ns = (uint64_t)measured_ns;
    m->involuntary = (uint64_t)involuntary;
    for (size_t i = 0; i < count; i++) {
        json_int_t max = json_integer_value(json_array_get(json_array_get(blocks, i), 0));
        json_int_t lost = json_integer_value(json_array_get(json_array_get(blocks, i), 1));
        if (max < 0 || lost < 0)
            return fail(err, ERROR_INVALID, "blocks[%zu]: want two numbers of at least 0", i);
        m->block[i] = (struct measurement_block){.max_ns = (uint64_t)max, .lost_ns = (uint64_t)lost};
    }
    return histogram_read(json_object_get(json, "histogram"), &m->histogram, err);
}

int measurements_read(const json_t *json, struct measurements *ret_measurements, struct error *err)
{
    *ret_measurements = (struct measurements){0};
    size_t i;
    json_t *item;
    if (!json_is_array(json) || json_array_size(json) > MEASUREMENTS_MAX)
        return fail(err, ERROR_INVALID, "measurements: want a list of at most %u", MEASUREMENTS_MAX);
    json_array_foreach(json, i, item)
    {
        if (read_measurement(item, ret_measurements, err) < 0) {
            measurements_finish(ret_measurements);
            return error_prefix(err, "measurements[%zu]", i);
        }
    }
    return 0;
}
