/* rtvmd host: what this machine, or a recorded one, has. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/client.h"
#include "rtvmd/host_map.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"

struct arguments {
    const char *output;
    const char *recorded;
    const char *socket;
    bool done;
};

static const char *set_text(const struct cpuset *set, struct cpuset_text *text)
{
    cpuset_format(set, text);
    return text->text[0] ? text->text : "-";
}

static const char *id_text(int id, char *buffer, size_t size)
{
    snprintf(buffer, size, id < 0 ? "-" : "%d", id);
    return buffer;
}

static void write_kernel_line(const struct host *host, struct text *out)
{
    static const char *const RT[] = {"", ", not PREEMPT_RT", ", PREEMPT_RT"};
    static const char *const FAIR[] = {", fair server unknown", ", no fair server", ", with fair server"};
    text_printf(out, "Kernel      %s%s%s%s", host->kernel_release[0] ? host->kernel_release : "release unknown",
                host->architecture[0] ? " " : "", host->architecture, RT[host->rt_kernel]);
    if (host->has_rt_runtime && host->rt_runtime_us < 0)
        text_append(out, ", real-time threads not throttled");
    else if (host->has_rt_runtime)
        text_printf(out, ", real-time threads throttled at %lld us", (long long)host->rt_runtime_us);
    text_append(out, FAIR[host->fair_server]);
    if (host->clocksource[0])
        text_printf(out, ", clock source %s", host->clocksource);
    text_append(out, "\n");
}

static void write_cpu_lines(const struct host *host, struct text *out)
{
    struct cpuset_text text;
    struct cpuset offline = {0};
    struct cpuset housekeeping = host_housekeeping(host, NULL);
    struct cpuset isolated = cpuset_and(&host->isolated, &host->online);
    for (unsigned cpu = 0; cpu < host->cpu_limit; cpu++)
        if (host->cpu[cpu].present && !host->cpu[cpu].online)
            cpuset_add(&offline, cpu);
    text_printf(out, "CPUs        %u online (%s)", cpuset_count(&host->online), set_text(&host->online, &text));
    if (!cpuset_is_empty(&offline))
        text_printf(out, ", offline %s", set_text(&offline, &text));
    if (!cpuset_is_empty(&host->withheld))
        text_printf(out, ", withheld by the cgroup above us %s", set_text(&host->withheld, &text));
    text_printf(out, "\nIsolated    %s", cpuset_is_empty(&isolated) ? "none" : set_text(&isolated, &text));
    text_printf(out, "; nohz_full %s", cpuset_is_empty(&host->nohz_full) ? "none" : set_text(&host->nohz_full, &text));
    text_printf(out, "; housekeeping %s\n", set_text(&housekeeping, &text));
}

static void write_memory_lines(const struct host *host, struct text *out)
{
    struct size_text size;
    text_printf(out, "Memory      %s on %u node%s; hugetlbfs mounted for ", size_format(host->memory_bytes, &size),
                host->node_count, host->node_count == 1 ? "" : "s");
    for (unsigned i = 0; i < host->hugetlbfs_count; i++)
        text_printf(out, "%s%s", i ? ", " : "", size_format(host->hugetlbfs_size_bytes[i], &size));
    text_append(out, host->hugetlbfs_count ? " pages\n" : host->mounts_known ? "no page size\n" : "(unknown)\n");
}

static void write_proof(const char *name, enum host_answer answer, const char *because, struct text *out)
{
    static const char *const WORDS[] = {"unknown", "no", "yes"};
    text_printf(out, "%-11s %s%s%s\n", name, WORDS[answer], because[0] ? ": " : "",
                because[0]               ? because
                : answer == HOST_UNKNOWN ? " (a recorded host cannot be tried)"
                                         : "");
}

static void write_summary(const struct host *host, struct text *out)
{
    static const char *const MACHINE[] = {"unknown", "real hardware", "itself a virtual machine"};
    write_kernel_line(host, out);
    write_cpu_lines(host, out);
    write_memory_lines(host, out);
    write_proof("KVM", host->kvm_works, host->kvm_because, out);
    write_proof("FIFO", host->fifo_works, host->fifo_because, out);
    write_proof("Locking", host->locking_works, host->locking_because, out);
    text_printf(out, "Machine     %s\n", MACHINE[host->virtualized]);
    if (!cpuset_is_empty(&host->usable_cpus) && !cpuset_is_subset(&host->online, &host->usable_cpus)) {
        struct cpuset_text text;
        text_printf(out, "Process     this process itself may use only CPUs %s\n", set_text(&host->usable_cpus, &text));
    }
}

static void write_nodes(const struct host *host, struct text *out)
{
    struct text_table table = {.columns = 5};
    static const char *const HEAD[] = {"NODE", "CPUS", "MEMORY", "DISTANCES", "HUGE PAGES (FREE OF TOTAL)"};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    for (unsigned i = 0; i < host->node_count; i++) {
        const struct host_node *node = &host->node[i];
        struct cpuset_text cpus;
        struct size_text size;
        auto_text distances = {0};
        auto_text pools = {0};
        for (unsigned k = 0; k < host->node_count; k++)
            text_printf(&distances, node->distance[k] ? "%s%d" : "%s-", k ? " " : "", node->distance[k]);
        for (unsigned k = 0; k < node->pool_count; k++) {
            const struct host_page_pool *p = &node->pool[k];
            text_printf(&pools, "%s%s: %llu of %llu", k ? ", " : "", size_format(p->size_bytes, &size),
                        (unsigned long long)p->free, (unsigned long long)p->total);
        }
        text_table_cell(&table, "%d", node->id);
        text_table_cell(&table, "%s", set_text(&node->cpus, &cpus));
        text_table_cell(&table, "%s", size_format(node->memory_bytes, &size));
        text_table_cell(&table, "%s", text_cstr(&distances));
        text_table_cell(&table, "%s", pools.length ? text_cstr(&pools) : "-");
    }
    text_append(out, "\n");
    text_table_write(&table, out);
}

static const char *const KINDS[] = {"-", "performance", "efficiency"};

static bool same_group(const struct host_cpu *a, const struct host_cpu *b)
{
    return a->package == b->package && a->die == b->die && a->node == b->node && a->l3 == b->l3 && a->kind == b->kind;
}

/* CPUs that differ only in their number share a row. */
static void write_groups(const struct host *host, struct text *out)
{
    struct text_table table = {.columns = 8};
    static const char *const HEAD[] = {"NODE", "PACKAGE", "DIE", "L3", "KIND", "CORES", "CPUS", "ISOLATED"};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    struct cpuset left = host->online;
    for (int first; (first = cpuset_next(&left, 0)) >= 0;) {
        const struct host_cpu *c = &host->cpu[first];
        struct cpuset group = {0};
        unsigned cores = 0;
        cpuset_foreach(cpu, &left) if (same_group(c, &host->cpu[cpu]))
        {
            cpuset_add(&group, (unsigned)cpu);
            cores += cpuset_next(&host->cpu[cpu].siblings, 0) == cpu;
        }
        left = cpuset_minus(&left, &group);
        struct cpuset isolated = cpuset_and(&group, &host->isolated);
        struct cpuset_text text;
        char id[16];
        text_table_cell(&table, "%s", id_text(c->node, id, sizeof id));
        text_table_cell(&table, "%s", id_text(c->package, id, sizeof id));
        text_table_cell(&table, "%s", id_text(c->die, id, sizeof id));
        text_table_cell(&table, "%s", id_text(c->l3, id, sizeof id));
        text_table_cell(&table, "%s", KINDS[c->kind]);
        text_table_cell(&table, "%u", cores);
        text_table_cell(&table, "%s", set_text(&group, &text));
        text_table_cell(&table, "%s", set_text(&isolated, &text));
    }
    text_append(out, "\n");
    text_table_write(&table, out);
}

static void write_cpus(const struct host *host, struct text *out)
{
    struct text_table table = {.columns = 10};
    static const char *const HEAD[] = {"CPU",  "ONLINE",   "NODE",     "PACKAGE", "DIE",
                                       "CORE", "SIBLINGS", "ISOLATED", "NOHZ",    "L3"};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    for (unsigned cpu = 0; cpu < host->cpu_limit; cpu++) {
        const struct host_cpu *c = &host->cpu[cpu];
        struct cpuset_text text;
        char id[16];
        if (!c->present)
            continue;
        text_table_cell(&table, "%u", cpu);
        text_table_cell(&table, "%s", c->online ? "yes" : "no");
        text_table_cell(&table, "%s", id_text(c->node, id, sizeof id));
        text_table_cell(&table, "%s", id_text(c->package, id, sizeof id));
        text_table_cell(&table, "%s", id_text(c->die, id, sizeof id));
        text_table_cell(&table, "%s", id_text(c->core, id, sizeof id));
        text_table_cell(&table, "%s", set_text(&c->siblings, &text));
        text_table_cell(&table, "%s", c->isolated ? "yes" : "no");
        text_table_cell(&table, "%s", c->nohz_full ? "yes" : "no");
        text_table_cell(&table, "%s", id_text(c->l3, id, sizeof id));
    }
    text_append(out, "\n");
    text_table_write(&table, out);
}

/* What the daemon says of its VMs; a daemon that does not answer has none to show. */
static size_t ask_for_vms(const char *socket, struct host_map_vm *vms, size_t most)
{
    auto_client client;
    auto_reply reply = {0};
    struct error err;
    struct client_request request = {.method = "GET", .path = "/apis/rtvmd.io/v1alpha1/placements"};
    client_init(&client, socket);
    if (client_call(&client, &request, &reply, &err) < 0)
        return 0;
    const json_t *items = json_at(reply.body, "items");
    size_t count = json_array_size(items) < most ? json_array_size(items) : most;
    for (size_t i = 0; i < count; i++)
        vms[i] = host_map_vm_of(json_array_get(items, i));
    return count;
}

static void write_map(const struct host *host, const struct arguments *a, struct text *out)
{
    enum { VMS_MAX = 256 };
    static struct host_map_vm vms[VMS_MAX];
    size_t count = a->recorded ? 0 : ask_for_vms(a->socket, vms, VMS_MAX);
    host_map_write(host, vms, count, isatty(STDOUT_FILENO), out);
}

static int read_arguments(int argc, char **argv, struct arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        {.letter = 'o',
         .name = "output",
         .value = "FORMAT",
         .text = &a->output,
         .help = "json; wide: a line for every CPU; map: a picture, with the daemon's VMs when it answers"},
        {.name = "host",
         .value = "FILE|DIR",
         .text = &a->recorded,
         .help = "A recorded host instead of this machine: what -o json printed, or a tree of /sys and /proc"},
        {.name = "socket", .value = "PATH", .text = &a->socket, .help = "The daemon's socket, for the map"},
    };
    static const char *const FORMATS[] = {"", "json", "wide", "map"};
    int positional = 0;
    if (verb_options("host", argc, argv, options, ARRAY_SIZE(options), &positional, &a->done, err) < 0)
        return -1;
    if (a->done)
        return 0;
    if (positional > 0)
        return fail(err, ERROR_BAD_REQUEST, "unexpected argument \"%s\"; a recorded host is given with --host",
                    argv[0]);
    for (size_t i = 0; i < ARRAY_SIZE(FORMATS); i++)
        if (strcmp(a->output, FORMATS[i]) == 0)
            return 0;
    return fail(err, ERROR_BAD_REQUEST, "-o %s: want json, wide or map", a->output);
}

int verb_host(int argc, char **argv)
{
    struct arguments a = {.output = ""};
    struct error err;
    static struct host host;
    if (read_arguments(argc, argv, &a, &err) < 0)
        return verb_fail("host", &err);
    if (a.done)
        return 0;
    if (host_load(a.recorded, &host, &err) < 0)
        return verb_fail("host", &err);
    auto_text out = {0};
    if (strcmp(a.output, "json") == 0) {
        auto_json *snapshot = host_to_json(&host);
        json_write_pretty(snapshot, &out);
    } else if (strcmp(a.output, "map") == 0) {
        write_map(&host, &a, &out);
    } else {
        write_summary(&host, &out);
        write_nodes(&host, &out);
        (a.output[0] ? write_cpus : write_groups)(&host, &out);
    }
    fputs(text_cstr(&out), stdout);
    return 0;
}
