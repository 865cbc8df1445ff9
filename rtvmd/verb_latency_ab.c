/* rtvmd latency ab: turns one knob of host tuning there and back, measures in between, and tells whether it made the
 * difference. Every turn is journaled before it is made (runtime/tune); needs the state folder for itself, as rtvmd
 * tune does. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/paths.h"
#include "rtvmd/verb_latency.h"
#include "rtvmd/version.h"
#include "runtime/latency/ab.h"
#include "runtime/latency/compare.h"
#include "runtime/latency/duration.h"
#include "runtime/latency/measure.h"
#include "runtime/latency/run_files.h"
#include "runtime/tune/tune.h"

enum { SIDES = 2, ROUNDS_MAX = (int)LIMIT_LATENCY_BLOCKS / MEASUREMENT_BLOCKS };
static const char OWNER[] = "latency-ab";

struct ab_arguments {
    const char *knob;
    const char *cpus;
    const char *rounds;
    const char *duration;
    const char *kind;
    const char *name;
    const char *state_dir;
    bool load;
    bool keep;
    bool done;
    unsigned round_count;
    struct measure_request request;
};

static int read_arguments(int argc, char **argv, struct ab_arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        {.name = "knob", .value = "KNOB", .text = &a->knob, .help = "What to turn, as rtvmd tune plan names it"},
        {.name = "cpus", .value = "LIST", .text = &a->cpus, .help = "CPUs to tune for and to measure"},
        {.name = "rounds", .value = "N", .text = &a->rounds, .help = "How often each side is measured (4)"},
        {.name = "duration", .value = "TIME", .text = &a->duration, .help = "Of each measurement (5s)"},
        {.name = "kind", .value = "KIND", .text = &a->kind, .help = "timer, gaps or both"},
        {.name = "load", .flag = &a->load, .help = "Load all other CPUs meanwhile"},
        {.name = "keep", .flag = &a->keep, .help = "Leave the knob turned when that is really better"},
        {.name = "name", .value = "NAME", .text = &a->name, .help = "Of the stored runs: NAME-a, NAME-b"},
        LATENCY_STATE_OPTION(a->state_dir),
    };
    int positional;
    uint64_t rounds;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &a->done, err) < 0)
        return -1;
    if (a->done)
        return 0;
    if (positional > 0 || !a->knob || !a->cpus)
        return fail(err, ERROR_BAD_REQUEST, "want rtvmd latency ab --knob KNOB --cpus LIST");
    if (!text_to_u64(a->rounds, &rounds) || rounds == 0 || rounds > ROUNDS_MAX)
        return fail(err, ERROR_BAD_REQUEST, "--rounds %.40s: want 1 to %d", a->rounds, ROUNDS_MAX);
    a->round_count = (unsigned)rounds;
    if (cpuset_parse(a->cpus, &a->request.cpus, err) < 0)
        return error_prefix(err, "--cpus");
    if (measure_kind_parse(a->kind, a->request.wanted, err) < 0)
        return error_prefix(err, "--kind");
    return latency_duration_parse(a->duration, &a->request.duration_ms, err) < 0 ? error_prefix(err, "--duration") : 0;
}

static int check_cpus(struct ab_arguments *a, struct error *err)
{
    struct cpuset allowed = host_test_allowed();
    struct host_test test = {.kind = MEASUREMENT_GAPS,
                             .cpus = a->request.cpus,
                             .duration_ms = a->request.duration_ms,
                             .interval_ns = HOST_TEST_INTERVAL_NS};
    if (host_test_check(&test, err) < 0)
        return error_prefix(err, "--cpus");
    if (a->load)
        a->request.load_cpus = cpuset_minus(&allowed, &a->request.cpus);
    return 0;
}

/* ---- turning */
struct ab {
    const struct ab_arguments *arguments;
    struct store *store;
    struct measurements side[SIDES];
    unsigned turned; /* changes the knob is made of */
    bool fifo;
    unsigned step; /* measurements so far */
};

static int turn(struct ab *ab, bool on, struct error *err)
{
    struct tune_result result = {0};
    int r = on ? tune_apply_knob(&TUNE_LIVE, ab->store, OWNER, &ab->arguments->request.cpus, ab->arguments->knob,
                                 &result, err)
               : tune_undo(&TUNE_LIVE, ab->store, OWNER, &result, err);
    if (result.notes.length)
        fputs(text_cstr(&result.notes), stderr);
    if (on)
        ab->turned = result.done;
    text_finish(&result.notes);
    return r;
}

static bool show(unsigned percent, const char *what, void *arg)
{
    const struct ab *ab = arg;
    unsigned all = ab->arguments->round_count * SIDES;
    (void)what;
    if (percent < 100 || ab->step + 1 == all)
        latency_progress((ab->step * 100 + percent) / all, ab->step % SIDES ? "B" : "A", NULL);
    return !latency_is_interrupted();
}

static int measure_side(struct ab *ab, unsigned side, struct error *err)
{
    auto_measure_result result = {0};
    if (measure_here(&ab->arguments->request, show, ab, &result, err) < 0)
        return -1;
    if (latency_is_interrupted())
        return fail(err, ERROR_CONFLICT, "interrupted; the knob is as it was");
    ab->fifo = ab->fifo && result.fifo;
    ab_add(&ab->side[side], &result.measurements);
    ab->step++;
    return 0;
}

/* Before anybody waits for a measurement. What an earlier one left that was killed is put back first. */
static int try_knob(struct ab *ab, struct error *err)
{
    if (turn(ab, false, err) < 0 || turn(ab, true, err) < 0)
        return -1;
    if (ab->turned == 0)
        return fail(err, ERROR_CONFLICT, "knob %s: there is nothing to turn for CPUs %s: it is as wanted, or not there",
                    ab->arguments->knob, ab->arguments->cpus);
    return turn(ab, false, err);
}

static int measure_in_turns(struct ab *ab, struct error *err)
{
    for (unsigned i = 0; i < ab->arguments->round_count; i++) {
        if (measure_side(ab, 0, err) < 0 || turn(ab, true, err) < 0 || measure_side(ab, 1, err) < 0 ||
            turn(ab, false, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what came of it */
static json_t *document_of(const struct ab *ab, const struct host *host, unsigned side)
{
    const struct ab_arguments *a = ab->arguments;
    auto_free char *setting = must_format("%s: %s", a->knob, side ? "turned" : "as it was");
    auto_json *knobs = json_pack("{s:s}", "ab", setting);
    const struct run_facts facts = {
        .target = "host",
        .kind = measure_kind_text(a->request.wanted),
        .scheduling = run_scheduling(ab->fifo),
        .version = RTVMD_VERSION,
        .duration_ms = a->request.duration_ms * a->round_count,
        .load = a->load,
        .cpus = a->request.cpus,
        .load_cpus = a->request.load_cpus,
        .host = host,
        .knobs = knobs,
    };
    return run_new(&facts, &ab->side[side]);
}

static int keep_runs(const struct ab *ab, json_t *const documents[SIDES], struct error *err)
{
    auto_free char *folder = latency_folder(ab->arguments->state_dir);
    for (unsigned side = 0; side < SIDES; side++) {
        const char *stem = ab->arguments->name;
        auto_free char *name = stem ? must_format("%s-%c", stem, "ab"[side]) : NULL;
        auto_free char *stored = run_files_add(folder, name, documents[side], err);
        if (!stored)
            return -1;
    }
    return 0;
}

static int conclude(struct ab *ab, const struct host *host, struct error *err)
{
    static const char *const SENTENCE[] = {
        [AB_UNKNOWN] = "too little was measured to tell; take more rounds, or longer ones",
        [AB_NOISE] = "no difference beyond noise",
        [AB_BETTER] = "really better",
        [AB_WORSE] = "really worse",
    };
    auto_json *a = document_of(ab, host, 0);
    auto_json *b = document_of(ab, host, 1);
    auto_run run_a = {0};
    auto_run run_b = {0};
    json_t *const documents[SIDES] = {a, b};
    if (keep_runs(ab, documents, err) < 0 || run_read(a, &run_a, err) < 0 || run_read(b, &run_b, err) < 0)
        return -1;
    auto_json *comparison = compare_runs(&run_a, &run_b);
    auto_text out = {0};
    enum ab_verdict verdict = ab_judge(comparison);
    bool keeps = ab->arguments->keep && verdict == AB_BETTER;
    compare_write(comparison, &out);
    text_printf(&out, "\nKnob %s (%u changes): %s; %s\n", ab->arguments->knob, ab->turned, SENTENCE[verdict],
                keeps ? "it stays turned (rtvmd tune undo --all puts it back)" : "it is as it was");
    fputs(text_cstr(&out), stdout);
    return keeps ? turn(ab, true, err) : 0;
}

static int run_ab(struct ab_arguments *a, struct error *err)
{
    static struct host host;
    auto_free char *usual = paths_state_dir();
    if (check_cpus(a, err) < 0 || host_load(NULL, &host, err) < 0)
        return -1;
    struct ab ab = {.arguments = a, .fifo = true};
    ab.store = store_open(a->state_dir ? a->state_dir : usual, NULL, err);
    if (!ab.store)
        return err->kind == ERROR_CONFLICT
                   ? error_prefix(err, "knobs are turned through the journal of host changes, which a running daemon "
                                       "has for itself; stop it meanwhile (its VMs run on, untouched)")
                   : -1;
    latency_catch_interrupts();
    int r = try_knob(&ab, err);
    if (r == 0)
        r = measure_in_turns(&ab, err);
    struct error second;
    if (r < 0 && turn(&ab, false, &second) < 0)
        fprintf(stderr, "the knob is not put back: %s; try rtvmd tune undo --all\n", second.text);
    if (r == 0)
        r = conclude(&ab, &host, err);
    for (unsigned side = 0; side < SIDES; side++)
        measurements_finish(&ab.side[side]);
    store_close(ab.store);
    return r;
}

int latency_ab(int argc, char **argv)
{
    struct ab_arguments a = {.rounds = "4", .duration = "5s", .kind = "both"};
    struct error err;
    if (read_arguments(argc, argv, &a, &err) < 0)
        return verb_fail("latency ab", &err);
    if (a.done)
        return 0;
    return run_ab(&a, &err) < 0 ? verb_fail("latency ab", &err) : 0;
}
