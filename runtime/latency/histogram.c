/* Values below 16 ns have a bucket each, then eight to each power of two: relative error is bounded by 1/8 everywhere,
 * which is finer than two runs of anything agree. What a gate looks at (the maximum) is exact. */
#include "runtime/latency/histogram.h"

#include "runtime/latency/probe_report.h"

const struct histogram_rank HISTOGRAM_RANK[HISTOGRAM_RANKS] = {
    {"p50Ns", "50", 500000},      {"p99Ns", "99", 990000},        {"p999Ns", "99.9", 999000},
    {"p9999Ns", "99.99", 999900}, {"p99999Ns", "99.999", 999990},
};

void histogram_add_many(struct histogram *h, uint64_t ns, uint64_t count)
{
    if (count == 0)
        return;
    struct histogram more = {.count = count, .sum_ns = ns * count, .min_ns = ns, .max_ns = ns};
    if (ns >= h->threshold_ns) {
        more.over = count;
        more.lost_ns = ns * count;
    }
    more.bucket[probe_bucket(ns)] = count;
    histogram_merge(h, &more);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    into->over += from->over;
    into->lost_ns += from->lost_ns;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
        into->bucket[b] += from->bucket[b];
}

/* A bucket stands for its middle. */
static double bucket_middle(uint32_t bucket)
{
    uint64_t floor = probe_bucket_floor(bucket);
    return (double)floor + (double)(probe_bucket_floor(bucket + 1) - floor - 1) / 2;
}

void histogram_from_probe(const struct probe_report *report, uint32_t cpu, struct histogram *ret_histogram)
{
    const struct probe_cpu_report *c = &report->cpu[cpu];
    *ret_histogram = (struct histogram){
        .threshold_ns = report->threshold_ns,
        .count = c->samples,
        .sum_ns = c->measured_ns,
        .min_ns = c->min_ns,
        .max_ns = c->max_ns,
        .over = c->over,
        .lost_ns = c->lost_ns,
    };
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
        double ns = bucket_middle(b) * 1e6 / report->tsc_khz;
        uint64_t bounded = ns < (double)c->min_ns ? c->min_ns : ns > (double)c->max_ns ? c->max_ns : (uint64_t)ns;
        ret_histogram->bucket[probe_bucket(bounded)] += c->bucket[b];
    }
}

static double bucket_weight(const struct histogram *h, uint32_t bucket, bool by_time)
{
    double count = (double)h->bucket[bucket];
    return by_time ? count * bucket_middle(bucket) : count;
}

uint64_t histogram_percentile_ns(const struct histogram *h, uint32_t ppm, bool by_time)
{
    double total = 0;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
        total += bucket_weight(h, b, by_time);
    double wanted = total * ppm / 1e6;
    double sum = 0;
    for (uint32_t b = 0; b + 1 < PROBE_BUCKETS; b++) {
        sum += bucket_weight(h, b, by_time);
        if (h->bucket[b] == 0 || sum < wanted)
            continue;
        uint64_t last = probe_bucket_floor(b + 1) - 1;
        return last < h->max_ns ? last : h->max_ns;
    }
    return h->max_ns;
}

static json_t *percentiles_json(const struct histogram *h, bool by_time)
{
    json_t *object = json_object();
    for (size_t i = 0; i < HISTOGRAM_RANKS; i++)
        json_object_set_new(object, HISTOGRAM_RANK[i].key,
                            json_integer((json_int_t)histogram_percentile_ns(h, HISTOGRAM_RANK[i].ppm, by_time)));
    return object;
}

json_t *histogram_json(const struct histogram *h)
{
    json_t *buckets = json_array();
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
        if (h->bucket[b])
            json_array_append_new(buckets,
                                  json_pack("[I, I]", (json_int_t)probe_bucket_floor(b), (json_int_t)h->bucket[b]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "thresholdNs", (json_int_t)h->threshold_ns,
                     "count", (json_int_t)h->count, "sumNs", (json_int_t)h->sum_ns, "minNs", (json_int_t)h->min_ns,
                     "maxNs", (json_int_t)h->max_ns, "over", (json_int_t)h->over, "lostNs", (json_int_t)h->lost_ns,
                     "byCount", percentiles_json(h, false), "byTime", percentiles_json(h, true), "buckets", buckets);
}

static int read_count(const json_t *json, const char *key, uint64_t *ret_value, struct error *err)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return fail(err, ERROR_INVALID, "histogram.%s: want a number of at least 0", key);
    *ret_value = (uint64_t)json_integer_value(value);
    return 0;
}

static int read_buckets(const json_t *json, struct histogram *h, struct error *err)
{
    size_t i;
    json_t *pair;
    uint64_t sum = 0;
    json_array_foreach(json_object_get(json, "buckets"), i, pair)
    {
        json_int_t from = json_integer_value(json_array_get(pair, 0));
        json_int_t count = json_integer_value(json_array_get(pair, 1));
        uint64_t room = h->count - sum;
        if (!json_is_integer(json_array_get(pair, 0)) || from < 0 || count <= 0 || (uint64_t)count > room)
            return fail(err, ERROR_INVALID, "histogram.buckets[%zu]: want [fromNs, count], counts adding up to %llu", i,
                        (unsigned long long)h->count);
        h->bucket[probe_bucket((uint64_t)from)] += (uint64_t)count;
        sum += (uint64_t)count;
    }
    if (sum != h->count)
        return fail(err, ERROR_INVALID, "histogram.buckets: %llu values, but count says %llu", (unsigned long long)sum,
                    (unsigned long long)h->count);
    return 0;
}

int histogram_read(const json_t *json, struct histogram *ret_histogram, struct error *err)
{
    struct histogram *h = ret_histogram;
    *h = (struct histogram){0};
    const struct {
        const char *key;
        uint64_t *value;
    } fields[] = {{"thresholdNs", &h->threshold_ns},
                  {"count", &h->count},
                  {"sumNs", &h->sum_ns},
                  {"minNs", &h->min_ns},
                  {"maxNs", &h->max_ns},
                  {"over", &h->over},
                  {"lostNs", &h->lost_ns}};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (read_count(json, fields[i].key, fields[i].value, err) < 0)
            return -1;
    if (h->min_ns > h->max_ns || h->over > h->count)
        return fail(err, ERROR_INVALID, "histogram: minNs is above maxNs, or over above count");
    return read_buckets(json, h, err);
}
