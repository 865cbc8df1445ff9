/* rtvmd tune: what stands in the way of real-time CPUs, moved away by hand and put back. Works on the journal of a
 * state folder, so not beside a daemon: that one holds the lock, and tunes for its VMs itself; it is asked to
 * show and to undo. Only plan needs no journal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/client.h"
#include "rtvmd/paths.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/tune/tune.h"

#define CHANGES "/apis/rtvmd.io/v1alpha1/hostchanges"

struct arguments {
    const char *cpus;
    const char *level;
    const char *output;
    const char *recorded;
    const char *state_dir;
    const char *socket;
    bool all;
    bool done;
    struct cpuset set;
    enum tune_level wanted;
};

static void print_json(json_t *json)
{
    auto_text out = {0};
    json_write_pretty(json, &out);
    fputs(text_cstr(&out), stdout);
}

static bool wants_json(const struct arguments *a)
{
    return strcmp(a->output, "json") == 0;
}

static int check_cpus(struct arguments *a, struct error *err)
{
    static struct host host;
    if (!a->cpus || cpuset_parse(a->cpus, &a->set, err) < 0)
        return a->cpus ? error_prefix(err, "--cpus") : fail(err, ERROR_BAD_REQUEST, "say for which CPUs: --cpus LIST");
    if (strcmp(a->level, "safe") != 0 && strcmp(a->level, "full") != 0)
        return fail(err, ERROR_BAD_REQUEST, "--level %s: want safe or full", a->level);
    a->wanted = a->level[0] == 's' ? TUNE_SAFE : TUNE_FULL;
    auto_free char *root = a->recorded ? host_tree_root(a->recorded) : must_strdup("");
    if (host_probe(root, &host, err) < 0)
        return -1;
    struct cpuset rest = cpuset_minus(&host.online, &a->set);
    struct cpuset_text online;
    if (cpuset_is_empty(&a->set) || !cpuset_is_subset(&a->set, &host.online) || cpuset_is_empty(&rest))
        return fail(err, ERROR_INVALID, "--cpus \"%s\": want some, not all, of the CPUs %s that are online", a->cpus,
                    cpuset_format(&host.online, &online));
    return 0;
}

/* ---- plan */
static int plan(struct arguments *a, struct error *err)
{
    if (check_cpus(a, err) < 0)
        return -1;
    auto_free char *root = a->recorded ? host_tree_root(a->recorded) : must_strdup("");
    struct tune_machine machine = TUNE_LIVE;
    machine.root = root;
    struct tune_plan plan;
    tune_plan(&machine, NULL, &a->set, a->wanted, &plan);
    if (wants_json(a)) {
        auto_json *json = tune_plan_to_json(&plan);
        print_json(json);
    } else {
        struct text_table table = {.columns = 4};
        auto_text out = {0};
        text_table_cell(&table, "KNOB");
        text_table_cell(&table, "NOW");
        text_table_cell(&table, "THEN");
        text_table_cell(&table, "WHERE");
        for (size_t i = 0; i < plan.count; i++) {
            text_table_cell(&table, "%s", plan.change[i].knob);
            text_table_cell(&table, "%s", plan.change[i].before);
            text_table_cell(&table, "%s", plan.change[i].then);
            text_table_cell(&table, "%s", strchr(plan.change[i].target, ':') + 1);
        }
        text_table_write(&table, &out);
        fputs(plan.count ? text_cstr(&out) : "nothing to change\n", stdout);
        fputs(text_cstr(&plan.notes), stderr);
    }
    tune_plan_finish(&plan);
    return 0;
}

/* ---- with the journal */
static struct store *open_journal(const struct arguments *a, struct error *err)
{
    auto_free char *usual = paths_state_dir();
    struct store *store = store_open(a->state_dir ? a->state_dir : usual, NULL, err);
    if (!store && err->kind == ERROR_CONFLICT)
        error_prefix(err, "the daemon tunes for its VMs itself (annotation rtvmd.io/host-tuning)");
    return store;
}

/* What was left as it is goes to stderr: it is no failure, managed interrupts cannot be moved. */
static void print_result(const char *what, struct tune_result *result)
{
    fputs(text_cstr(&result->notes), stderr);
    printf("%s: %u, left as they are: %u\n", what, result->done, result->left);
    text_finish(&result->notes);
}

/* Nobody else waits for us, and the next rtvmd tune remembers nothing. */
static struct tune_machine patient(void)
{
    struct tune_machine machine = TUNE_LIVE;
    machine.is_patient = true;
    return machine;
}

static int apply(struct arguments *a, struct error *err)
{
    struct tune_result result = {0};
    if (a->recorded)
        return fail(err, ERROR_BAD_REQUEST, "--host %s: a recorded host can only be planned for", a->recorded);
    struct store *store = check_cpus(a, err) < 0 ? NULL : open_journal(a, err);
    if (!store)
        return -1;
    const struct tune_machine machine = patient();
    int r = tune_apply(&machine, store, "", &a->set, a->wanted, &result, err);
    print_result("changed", &result);
    store_close(store);
    return r;
}

static bool lives(const char *owner, void *arg)
{
    const struct arguments *a = arg;
    return !a->all && owner[0];
}

static void show_one(const struct tune_entry *entry, void *arg)
{
    json_array_append_new(arg, tune_entry_to_json(entry));
}

static void print_changes(const json_t *list)
{
    static const char *const KEYS[] = {"spec.knob",    "spec.owner.name", "status.before", "status.wanted",
                                       "status.found", "status.state",    "spec.target"};
    static const char *const HEADS[] = {"KNOB", "FOR", "BEFORE", "WANTED", "FOUND", "STATE", "WHERE"};
    struct text_table table = {.columns = ARRAY_SIZE(KEYS)};
    auto_text out = {0};
    for (size_t k = 0; k < ARRAY_SIZE(HEADS); k++)
        text_table_cell(&table, "%s", HEADS[k]);
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        for (size_t k = 0; k < ARRAY_SIZE(KEYS); k++)
            text_table_cell(&table, "%s", json_text_at(entry, KEYS[k], "-"));
    }
    text_table_write(&table, &out);
    fputs(json_array_size(list) ? text_cstr(&out) : "nothing is changed\n", stdout);
}

/* The daemon holds the journal: it is asked. */
static json_t *ask_daemon(const struct arguments *a, struct error *err)
{
    auto_client client;
    auto_reply reply = {0};
    const struct client_request request = {.method = "GET", .path = CHANGES};
    client_init(&client, a->socket);
    return client_call(&client, &request, &reply, err) < 0 ? NULL : json_incref(json_at(reply.body, "items"));
}

/* Newest first, as always. */
static int undo_by_daemon(const struct arguments *a, struct error *err)
{
    auto_client client;
    auto_json *list = ask_daemon(a, err);
    int r = list ? 0 : -1;
    unsigned done = 0;
    client_init(&client, a->socket);
    for (size_t i = json_array_size(list); i-- > 0 && r == 0;) {
        const json_t *change = json_array_get(list, i);
        auto_reply reply = {0};
        auto_free char *path = must_format(CHANGES "/%s", json_text_at(change, "metadata.name", ""));
        const struct client_request request = {.method = "DELETE", .path = path};
        if (!a->all && json_at(change, "spec.owner.name"))
            continue;
        r = client_call(&client, &request, &reply, err);
        done += r == 0;
    }
    if (list)
        printf("undone: %u\n", done);
    return r;
}

static int undo(struct arguments *a, struct error *err)
{
    struct tune_result result = {0};
    struct store *store = open_journal(a, err);
    if (!store)
        return err->kind == ERROR_CONFLICT ? undo_by_daemon(a, err) : -1;
    const struct tune_machine machine = patient();
    int r = tune_recover(&machine, store, lives, a, &result, err);
    print_result("undone", &result);
    store_close(store);
    return r;
}

static int show(struct arguments *a, struct error *err)
{
    auto_json *list = NULL;
    struct store *store = open_journal(a, err);
    if (store) {
        list = json_array();
        tune_each(&TUNE_LIVE, store, show_one, list);
        store_close(store);
    } else if (err->kind == ERROR_CONFLICT) {
        list = ask_daemon(a, err);
    }
    if (!list)
        return -1;
    if (wants_json(a))
        print_json(list);
    else
        print_changes(list);
    return 0;
}

int verb_tune(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct arguments *a, struct error *err);
    } ACTIONS[] = {{"plan", plan}, {"apply", apply}, {"show", show}, {"undo", undo}};
    struct arguments a = {.output = "", .level = "safe"};
    const struct verb_option options[] = {
        {.name = "cpus", .value = "LIST", .text = &a.cpus, .help = "The CPUs of real-time vCPUs"},
        {.name = "level",
         .value = "LEVEL",
         .text = &a.level,
         .help = "safe, or full: also lockup detection, real-time throttling and the fair server"},
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &a.output, .help = "json"},
        {.name = "host", .value = "DIR", .text = &a.recorded, .help = "plan: a recorded tree of /sys and /proc"},
        {.name = "state-dir", .value = "DIR", .text = &a.state_dir, .help = "Where the journal is"},
        {.name = "socket",
         .value = "PATH",
         .text = &a.socket,
         .help = "show, undo: the daemon's socket; else $RTVMD_SOCKET"},
        {.name = "all", .flag = &a.all, .help = "undo: also what was changed for VMs"},
    };
    struct error err;
    int positional;
    if (verb_options("tune", argc, argv, options, ARRAY_SIZE(options), &positional, &a.done, &err) < 0)
        return verb_fail("tune", &err);
    if (a.done)
        return 0;
    if (a.output[0] && !wants_json(&a)) {
        fail(&err, ERROR_BAD_REQUEST, "-o %s: want json", a.output);
        return verb_fail("tune", &err);
    }
    for (size_t i = 0; positional == 1 && i < ARRAY_SIZE(ACTIONS); i++)
        if (strcmp(argv[0], ACTIONS[i].name) == 0)
            return ACTIONS[i].run(&a, &err) < 0 ? verb_fail("tune", &err) : 0;
    fail(&err, ERROR_BAD_REQUEST, "say what: rtvmd tune plan, apply, show or undo");
    return verb_fail("tune", &err);
}
