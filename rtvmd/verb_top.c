/* top: what the running VMs use, from two looks at the daemon's metrics: CPU time of every vCPU, where it runs, memory,
 * huge pages, drift. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct top {
    struct remote_options remote;
    bool all_namespaces;
    bool watch;
    bool no_headers;
    const char *interval;
    enum remote_output output;
    struct client client;
};

/* One look: {"NAMESPACE/NAME": {"cpu": s, "vcpus": {"0": s}, "on": {"0": cpu}, "resident": bytes, …}} */
static const struct {
    const char *metric;
    const char *key;
    bool of_vcpu;
} USED[] = {
    {"kubevirt_vmi_cpu_usage_seconds_total", "cpu", false},
    {"kubevirt_vmi_vcpu_seconds_total", "vcpus", true},
    {"rtvmd_vmi_vcpu_last_cpu", "on", true},
    {"kubevirt_vmi_memory_domain_bytes", "memory", false},
    {"kubevirt_vmi_memory_resident_bytes", "resident", false},
    {"rtvmd_vmi_hugepage_bytes", "hugepages", false},
    {"rtvmd_vmi_drift", "drift", false},
};

/* The value of a label in "{a=\"b\",…}", or "": ours are names and numbers, without escapes. */
static char *label(const char *labels, const char *name)
{
    auto_free char *start = must_format("%s=\"", name);
    for (const char *at = labels; (at = strstr(at, start)); at++)
        if (at > labels && (at[-1] == '{' || at[-1] == ','))
            return must_strndup(at + strlen(start), strcspn(at + strlen(start), "\""));
    return must_strdup("");
}

static void read_sample(json_t *look, const char *line)
{
    size_t name_length = strcspn(line, "{ ");
    const char *value = strrchr(line, ' ');
    for (size_t i = 0; i < ARRAY_SIZE(USED); i++) {
        if (strlen(USED[i].metric) != name_length || strncmp(line, USED[i].metric, name_length) != 0 || !value)
            continue;
        auto_free char *namespace_ = label(line + name_length, "namespace");
        auto_free char *name = label(line + name_length, "name");
        auto_free char *id = label(line + name_length, "id");
        auto_free char *key = must_format("%s/%s", namespace_, name);
        json_t *vm = json_object_get(look, key);
        if (!vm)
            json_object_set_new(look, key, vm = json_object());
        json_t *number = json_real(strtod(value, NULL));
        if (!USED[i].of_vcpu) {
            json_object_set_new(vm, USED[i].key, number);
            return;
        }
        json_t *vcpus = json_object_get(vm, USED[i].key);
        if (!vcpus)
            json_object_set_new(vm, USED[i].key, vcpus = json_object());
        json_object_set_new(vcpus, id, number);
    }
}

static json_t *look_now(const struct top *top, struct error *err)
{
    struct client_request request = {.method = "GET", .path = "/metrics", .accept = "text/plain"};
    auto_reply reply = {0};
    if (client_call(&top->client, &request, &reply, err) < 0)
        return NULL;
    json_t *look = json_object();
    auto_free char *text = must_strdup(text_cstr(&reply.text));
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (line[0] != '#')
            read_sample(look, line);
    return look;
}

static double share(const json_t *before, const json_t *after, double seconds)
{
    double used = json_number_value(after) - json_number_value(before);
    return before && after && seconds > 0 && used > 0 ? 100 * used / seconds : 0;
}

static int64_t whole(const json_t *vm, const char *key)
{
    return (int64_t)json_number_value(json_object_get(vm, key));
}

/* What is printed: one object per VM that was there at both looks. */
static json_t *compare(const struct top *top, const json_t *before, const json_t *after, double seconds)
{
    json_t *rows = json_array();
    const char *key;
    json_t *vm;
    json_object_foreach((json_t *)after, key, vm)
    {
        const json_t *old = json_object_get(before, key);
        auto_free char *namespace_ = must_strndup(key, strcspn(key, "/"));
        if (!json_object_get(vm, "vcpus") || (!top->all_namespaces && strcmp(namespace_, top->remote.namespace_) != 0))
            continue;
        json_t *vcpus = json_array();
        for (unsigned id = 0; id < json_object_size(json_object_get(vm, "vcpus")); id++) {
            auto_free char *text = must_format("%u", id);
            double used = share(json_object_get(json_object_get(old, "vcpus"), text),
                                json_object_get(json_object_get(vm, "vcpus"), text), seconds);
            json_t *on = json_object_get(json_object_get(vm, "on"), text);
            json_array_append_new(vcpus, json_pack("{s:i, s:f, s:o}", "id", id, "cpuPercent", used, "onCpu",
                                                   on ? json_integer((json_int_t)json_number_value(on)) : json_null()));
        }
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:f, s:o, s:I, s:I, s:I, s:I}", "namespace", namespace_, "name",
                                        key + strlen(namespace_) + 1, "cpuPercent",
                                        share(json_object_get(old, "cpu"), json_object_get(vm, "cpu"), seconds),
                                        "vcpus", vcpus, "memoryBytes", (json_int_t)whole(vm, "memory"), "residentBytes",
                                        (json_int_t)whole(vm, "resident"), "hugepageBytes",
                                        (json_int_t)whole(vm, "hugepages"), "drift", (json_int_t)whole(vm, "drift")));
    }
    return rows;
}

static void add_row(struct text_table *table, const struct top *top, const json_t *row)
{
    auto_text vcpus = {0};
    size_t i;
    json_t *vcpu;
    json_array_foreach(json_object_get(row, "vcpus"), i, vcpu)
    {
        text_printf(&vcpus, "%s%.0f%%", i ? " " : "", json_number_value(json_object_get(vcpu, "cpuPercent")));
        if (json_is_integer(json_object_get(vcpu, "onCpu")))
            text_printf(&vcpus, "@%lld", (long long)json_int_at(vcpu, "onCpu", 0));
    }
    struct size_text memory, resident, pages;
    if (top->all_namespaces)
        text_table_cell(table, "%s", json_text_at(row, "namespace", ""));
    text_table_cell(table, "%s", json_text_at(row, "name", ""));
    text_table_cell(table, "%.0f%%", json_number_value(json_object_get(row, "cpuPercent")));
    text_table_cell(table, "%s", size_format((uint64_t)json_int_at(row, "memoryBytes", 0), &memory));
    text_table_cell(table, "%s", size_format((uint64_t)json_int_at(row, "residentBytes", 0), &resident));
    text_table_cell(table, "%s", size_format((uint64_t)json_int_at(row, "hugepageBytes", 0), &pages));
    text_table_cell(table, "%lld", (long long)json_int_at(row, "drift", 0));
    text_table_cell(table, "%s", text_cstr(&vcpus));
}

static void print(const struct top *top, const json_t *rows)
{
    static const char *const HEADS[] = {"NAMESPACE", "NAME",      "CPU",   "MEMORY",
                                        "RESIDENT",  "HUGEPAGES", "DRIFT", "VCPUS"};
    if (top->output >= REMOTE_JSON) {
        remote_print(rows, top->output);
        return;
    }
    if (json_array_size(rows) == 0) {
        fputs("No running VMs.\n", stderr);
        return;
    }
    struct text_table table = {.columns = (unsigned)ARRAY_SIZE(HEADS) - !top->all_namespaces};
    for (size_t i = !top->all_namespaces; i < ARRAY_SIZE(HEADS) && !top->no_headers; i++)
        text_table_cell(&table, "%s", HEADS[i]);
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row) add_row(&table, top, row);
    auto_text out = {0};
    text_table_write(&table, &out);
    if (top->watch && isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
    fputs(text_cstr(&out), stdout);
}

static int run(const struct top *top, unsigned interval_s, struct error *err)
{
    uint64_t before_ns = now_monotonic_ns();
    auto_json *before = look_now(top, err);
    if (!before)
        return -1;
    do {
        struct timespec pause = {.tv_sec = interval_s};
        nanosleep(&pause, NULL);
        uint64_t after_ns = now_monotonic_ns();
        json_t *after = look_now(top, err);
        if (!after)
            return -1;
        auto_json *rows = compare(top, before, after, (double)(after_ns - before_ns) / 1e9);
        print(top, rows);
        if (fflush(stdout) != 0)
            return fail_errno(err, "write");
        json_decref(before);
        before = after;
        before_ns = after_ns;
    } while (top->watch);
    return 0;
}

int verb_top(int argc, char **argv)
{
    struct top top = {.remote = {.namespace_ = "default"}, .interval = "6"};
    const struct verb_option options[] = {
        REMOTE_NAMESPACE_OPTION(top.remote),
        {.letter = 'A', .name = "all-namespaces", .flag = &top.all_namespaces, .help = "VMs of every namespace"},
        {.letter = 'w', .name = "watch", .flag = &top.watch, .help = "Go on, once every interval"},
        {.name = "interval",
         .value = "SECONDS",
         .text = &top.interval,
         .help = "Between two looks (6; the daemon looks every 5 at most)"},
        {.name = "no-headers", .flag = &top.no_headers, .help = "Rows only"},
        REMOTE_OUTPUT_OPTION(top.remote),
        REMOTE_SOCKET_OPTION(top.remote),
    };
    struct error err;
    int positional;
    bool done;
    uint64_t interval_s = 0;
    if (verb_options("top", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && remote_output(top.remote.output, &top.output, &err) < 0))
        return verb_fail("top", &err);
    if (done)
        return 0;
    int r = 0;
    if (positional > 0)
        r = fail(&err, ERROR_BAD_REQUEST, "top takes no name; it shows every running VM of the namespace");
    else if (!text_to_u64(top.interval, &interval_s) || interval_s < 6 || interval_s > 3600)
        r = fail(&err, ERROR_BAD_REQUEST, "--interval \"%s\": want 6 to 3600 seconds", top.interval);
    else if (top.output == REMOTE_NAME)
        r = fail(&err, ERROR_BAD_REQUEST, "output \"name\" is none of json, yaml, wide");
    if (r < 0)
        return verb_fail("top", &err);
    client_init(&top.client, top.remote.socket);
    r = run(&top, (unsigned)interval_s, &err);
    client_finish(&top.client);
    return r < 0 ? verb_fail("top", &err) : 0;
}
