/* rtvmd plan: where the VMs of a manifest would run on this or a recorded host, or every reason why not. Nothing is
 * changed and no daemon is asked; several objects are planned in order, each beside those before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/place/place.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/yaml.h"

struct plan {
    const char *files[64 + 1];
    const char *host_path;
    const char *output;
    const char *reserved;
    const char *claimed;
    const char *emulation;
    struct host *host;
    struct place_policy policy;
    struct claim_book *book;
    json_t *results; /* decisions as JSON */
    struct text shown;
    unsigned refused;
    bool bad; /* a manifest was wrong */
};

static bool is_vm(const json_t *object)
{
    const char *kind = json_text_at(object, "kind", "");
    return strcmp(kind, "VirtualMachine") == 0 || strcmp(kind, "VirtualMachineInstance") == 0;
}

static const char *cpus_text(const struct cpuset *set, struct cpuset_text *buffer)
{
    return cpuset_is_empty(set) ? "-" : cpuset_format(set, buffer);
}

static void thread_row(struct text_table *table, const struct host *host, const char *name, const struct cpuset *cpus,
                       const char *role)
{
    struct cpuset_text text;
    int first = cpuset_next(cpus, 0);
    text_table_cell(table, "  %s", name);
    text_table_cell(table, "%s", cpus_text(cpus, &text));
    if (first >= 0 && cpuset_count(cpus) == 1 && host->cpu[first].node >= 0)
        text_table_cell(table, "%d", host->cpu[first].node);
    else
        text_table_cell(table, "-");
    text_table_cell(table, "%s", role);
}

static void write_threads(const struct host *host, const struct placement *placement, struct text *out)
{
    struct text_table table = {.columns = 4};
    text_table_cell(&table, "  THREAD");
    text_table_cell(&table, "CPUS");
    text_table_cell(&table, "NODE");
    text_table_cell(&table, "SCHEDULED");
    for (unsigned v = 0; v < placement->vcpu_count; v++) {
        bool floats = placement->vcpu_cpu[v] < 0;
        struct cpuset own = floats ? placement->shared : cpuset_of((unsigned)placement->vcpu_cpu[v]);
        auto_free char *name = must_format("vCPU %u", v);
        auto_free char *role = cpuset_has(&placement->realtime_vcpus, v)
                                   ? must_format("FIFO %u, own CPU", placement_priority(placement, v))
                                   : must_strdup(floats ? "shared" : "own CPU");
        thread_row(&table, host, name, &own, role);
    }
    thread_row(&table, host, "emulator", &placement->emulator,
               placement->emulator_is_exclusive ? "own CPU" : "housekeeping");
    for (unsigned i = 0; i < placement->iothread_count; i++) {
        auto_free char *name = must_format("IO thread %u", i + 1);
        bool own = cpuset_is_subset(&placement->iothread[i], &placement->exclusive);
        thread_row(&table, host, name, &placement->iothread[i],
                   !own                                                          ? "housekeeping"
                   : cpuset_equal(&placement->iothread[i], &placement->emulator) ? "with the emulator"
                                                                                 : "own CPU");
    }
    if (!cpuset_is_empty(&placement->filling))
        thread_row(&table, host, "(emulator)", &placement->filling, "fills pages at the start");
    if (!cpuset_is_empty(&placement->parked))
        thread_row(&table, host, "(parked)", &placement->parked, "nothing");
    text_table_write(&table, out);
}

static void write_memory(const struct placement *placement, struct text *out)
{
    enum { MI = 1 << 20 };
    struct cpuset_text text;
    for (unsigned i = 0; i < placement->cell_count; i++) {
        const struct placement_cell *cell = &placement->cell[i];
        text_printf(out, "  guest cell %u: vCPUs %s, %llu MiB on node %d", i, cpus_text(&cell->vcpus, &text),
                    (unsigned long long)(cell->memory_bytes / MI), cell->host_node);
        if (cell->page_bytes)
            text_printf(out, " in %llu page%s of %llu MiB", (unsigned long long)(cell->memory_bytes / cell->page_bytes),
                        cell->memory_bytes == cell->page_bytes ? "" : "s", (unsigned long long)(cell->page_bytes / MI));
        text_append(out, "\n");
    }
    if (placement->cell_count == 0)
        text_printf(out, "  guest memory: %s%s\n",
                    cpuset_is_empty(&placement->memory_nodes)     ? "any node"
                    : cpuset_count(&placement->memory_nodes) == 1 ? "node "
                                                                  : "nodes ",
                    cpuset_is_empty(&placement->memory_nodes) ? "" : cpuset_format(&placement->memory_nodes, &text));
    text_printf(out, "  ordinary memory on the host: %llu MiB\n", (unsigned long long)(placement->ordinary_bytes / MI));
}

static void write_decision(const struct plan *plan, const char *owner, const struct decision *decision,
                           struct text *out)
{
    text_printf(out, "%s%s: %s\n", out->length ? "\n" : "", owner, decision->admitted ? "admitted" : "refused");
    if (decision->admitted) {
        write_threads(plan->host, &decision->placement, out);
        write_memory(&decision->placement, out);
    }
    for (unsigned i = 0; i < decision->reason_count; i++)
        text_printf(out, "  %s: %s\n", decision->reason[i].code, decision->reason[i].message);
    for (unsigned i = 0; i < decision->suggestion_count; i++)
        text_printf(out, "  suggestion: %s\n", decision->suggestion[i]);
    for (unsigned i = 0; i < decision->warning_count; i++)
        text_printf(out, "  warning: %s\n", decision->warning[i]);
}

static void plan_spec(struct plan *plan, const struct vm_spec *spec)
{
    const struct claims *claims = claim_book_claims(plan->book);
    struct decision *decision = must_calloc(1, sizeof(*decision));
    auto_free char *owner = must_format("%s/%s", spec->namespace_, spec->name);
    place_plan(plan->host, &plan->policy, claims, spec, NULL, decision);
    if (!decision->admitted)
        place_suggest(plan->host, &plan->policy, claims, spec, decision);
    json_t *result = decision_to_json(decision);
    json_object_set_new(result, "name", json_string(spec->name));
    json_object_set_new(result, "namespace", json_string(spec->namespace_));
    json_array_append_new(plan->results, result);
    write_decision(plan, owner, decision, &plan->shown);
    if (strcmp(plan->output, "wide") == 0)
        place_write_tree(plan->host, &plan->policy, claims, spec, &plan->shown);
    if (decision->admitted)
        claim_book_add(plan->book, &decision->placement, owner);
    plan->refused += !decision->admitted;
    free(decision);
}

static void plan_object(struct plan *plan, json_t *object)
{
    struct error err;
    auto_findings findings = {0};
    auto_spec spec = {0};
    if (!is_vm(object))
        return;
    const char *name = json_text_at(object, "metadata.name", "?");
    if (spec_admit(object, &findings, &err) < 0) {
        fprintf(stderr, "rtvmd plan: %s: %s\n", name, err.text);
        plan->bad = true;
        return;
    }
    for (size_t i = 0; i < findings.warning_count; i++)
        fprintf(stderr, "rtvmd plan: %s: warning: %s\n", name, findings.warning[i]);
    for (size_t i = 0; i < findings.cause_count; i++) {
        auto_free char *text = cause_text(&findings.cause[i]);
        fprintf(stderr, "rtvmd plan: %s: %s\n", name, text);
    }
    if (findings.cause_count) {
        plan->bad = true;
        return;
    }
    if (spec_decode(object, &spec, &err) < 0) {
        fprintf(stderr, "rtvmd plan: %s: %s\n", name, err.text);
        plan->bad = true;
        return;
    }
    plan_spec(plan, &spec);
}

static int plan_file(struct plan *plan, const char *path, struct error *err)
{
    auto_text text = {0};
    if (verb_read_file(path, &text, err) < 0)
        return -1;
    auto_json *objects = manifest_parse(text_cstr(&text), text.length, err);
    if (!objects)
        return error_prefix(err, "%s", path);
    size_t i;
    json_t *object;
    json_array_foreach(objects, i, object)
    {
        plan_object(plan, object);
    }
    return 0;
}

static void print_results(const struct plan *plan)
{
    auto_text out = {0};
    bool yaml = strcmp(plan->output, "yaml") == 0;
    size_t count = json_array_size(plan->results);
    if (!yaml && strcmp(plan->output, "json") != 0) {
        fputs(text_cstr(&plan->shown), stdout);
        return;
    }
    if (count == 0)
        return;
    auto_json *list = count == 1 ? json_incref(json_array_get(plan->results, 0))
                                 : json_pack("{s:s,s:O}", "kind", "List", "items", plan->results);
    if (yaml)
        yaml_write(list, &out);
    else
        json_write_pretty(list, &out);
    fputs(text_cstr(&out), stdout);
}

static int read_lists(struct plan *plan, struct error *err)
{
    struct cpuset claimed = {0};
    if (plan->reserved && cpuset_parse(plan->reserved, &plan->policy.reserved, err) < 0)
        return error_prefix(err, "--reserved-cpus %s", plan->reserved);
    if (plan->claimed && cpuset_parse(plan->claimed, &claimed, err) < 0)
        return error_prefix(err, "--claimed-cpus %s", plan->claimed);
    if (!cpuset_is_empty(&claimed)) {
        struct placement *others = must_calloc(1, sizeof(*others));
        others->exclusive = claimed;
        claim_book_add(plan->book, others, NULL);
        free(others);
    }
    return 0;
}

static int read_choices(struct plan *plan, struct error *err)
{
    static const char *const OUTPUTS[] = {"", "json", "yaml", "wide"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(OUTPUTS); i++)
        known |= strcmp(plan->output, OUTPUTS[i]) == 0;
    if (!known)
        return fail(err, ERROR_BAD_REQUEST, "-o %s: want json, yaml or wide", plan->output);
    if (!plan->files[0])
        return fail(err, ERROR_BAD_REQUEST, "a manifest is needed: -f FILE (- is standard input)");
    bool on = strcmp(plan->emulation, "on") == 0, off = strcmp(plan->emulation, "off") == 0;
    if (!on && !off && strcmp(plan->emulation, "auto") != 0)
        return fail(err, ERROR_BAD_REQUEST, "--emulation %s: want auto, on or off", plan->emulation);
    plan->policy.allow_emulation = !off;
    plan->policy.emulation = on;
    return read_lists(plan, err);
}

static int run_plan(struct plan *plan, struct error *err)
{
    if (read_choices(plan, err) < 0)
        return -1;
    if (host_load(plan->host_path, plan->host, err) < 0)
        return -1;
    for (size_t i = 0; plan->files[i]; i++)
        if (plan_file(plan, plan->files[i], err) < 0)
            return -1;
    if (!plan->bad && json_array_size(plan->results) == 0)
        return fail(err, ERROR_BAD_REQUEST, "no VirtualMachine or VirtualMachineInstance in the manifest");
    print_results(plan);
    return 0;
}

int verb_plan(int argc, char **argv)
{
    struct plan plan = {.output = "", .emulation = "auto"};
    const struct verb_option options[] = {
        {.letter = 'f',
         .name = "filename",
         .value = "FILE",
         .list = plan.files,
         .list_max = ARRAY_SIZE(plan.files) - 1,
         .help = "Manifest in YAML or JSON; - is standard input; may be repeated"},
        {.name = "host",
         .value = "FILE|DIR",
         .text = &plan.host_path,
         .help =
             "A recorded host instead of this machine: what rtvmd host -o json printed, or a tree of /sys and /proc"},
        {.letter = 'o',
         .name = "output",
         .value = "FORMAT",
         .text = &plan.output,
         .help = "json, yaml, or wide: also what the solver tried"},
        {.name = "reserved-cpus",
         .value = "LIST",
         .text = &plan.reserved,
         .help = "Housekeeping CPUs, like 0-1,8; otherwise what the kernel does not isolate, or CPU 0's core"},
        {.name = "claimed-cpus",
         .value = "LIST",
         .text = &plan.claimed,
         .help = "CPUs to count as promised to other VMs"},
        {.name = "emulation",
         .value = "auto|on|off",
         .text = &plan.emulation,
         .help = "Whether a guest may be emulated when KVM does not work"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("plan", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("plan", &err);
    if (done)
        return 0;
    if (positional > 0) {
        fail(&err, ERROR_BAD_REQUEST, "unexpected argument \"%s\"; a manifest is given with -f", argv[0]);
        return verb_fail("plan", &err);
    }
    plan.host = must_calloc(1, sizeof(*plan.host));
    plan.book = claim_book_new();
    plan.results = json_array();
    int failed = run_plan(&plan, &err);
    text_finish(&plan.shown);
    json_decref(plan.results);
    claim_book_free(plan.book);
    free(plan.host);
    if (failed)
        return verb_fail("plan", &err);
    return plan.bad ? 2 : plan.refused ? 5 : 0;
}
