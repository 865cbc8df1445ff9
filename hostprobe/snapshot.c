/* The snapshot of a host as JSON, both ways. The keys are a contract (DESIGN section 6). What is not known is null. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hostprobe/hostprobe.h"

static const char *const ANSWERS[] = {"unknown", "no", "yes"};
static const char *const KINDS[] = {"unknown", "performance", "efficiency"};

static json_t *known(int value)
{
    return value < 0 ? json_null() : json_integer(value);
}

static json_t *numbers(const struct cpuset *set)
{
    json_t *list = json_array();
    cpuset_foreach(n, set) json_array_append_new(list, json_integer(n));
    return list;
}

static json_t *list_text(const struct cpuset *set)
{
    struct cpuset_text text;
    return json_string(cpuset_format(set, &text));
}

/* By enum host_kernel_thread. */
static const char *const THREADS[] = {"rcuc", "ktimers", "ksoftirqd", "rcub", "irq"};

static json_t *threads_to_json(const struct host_cpu *c)
{
    json_t *threads = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(THREADS); i++)
        if (c->thread_priority[i] >= 0)
            json_object_set_new(threads, THREADS[i], json_integer(c->thread_priority[i]));
    if (c->irq_thread[0])
        json_object_set_new(threads, "irqThread", json_string(c->irq_thread));
    return threads;
}

static json_t *cpus_to_json(const struct host *host)
{
    json_t *list = json_array();
    for (unsigned id = 0; id < host->cpu_limit; id++) {
        const struct host_cpu *c = &host->cpu[id];
        if (!c->present)
            continue;
        json_t *cpu = json_pack("{s:i, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "id", (int)id, "online",
                                c->online, "isolated", c->isolated, "nohzFull", c->nohz_full, "node", known(c->node),
                                "package", known(c->package), "die", known(c->die), "core", known(c->core), "l3",
                                known(c->l3), "kind", KINDS[c->kind], "siblings", numbers(&c->siblings));
        if (host->threads_known)
            json_object_set_new(cpu, "kernelThreads", threads_to_json(c));
        json_array_append_new(list, cpu);
    }
    return list;
}

static json_t *node_to_json(const struct host *host, const struct host_node *node)
{
    json_t *distances = json_array();
    for (unsigned i = 0; i < host->node_count; i++)
        json_array_append_new(distances, known(node->distance[i] ? node->distance[i] : -1));
    json_t *pools = json_array();
    for (unsigned i = 0; i < node->pool_count; i++) {
        const struct host_page_pool *p = &node->pool[i];
        json_array_append_new(pools, json_pack("{s:I, s:I, s:I, s:I}", "sizeBytes", (json_int_t)p->size_bytes, "total",
                                               (json_int_t)p->total, "free", (json_int_t)p->free, "surplus",
                                               (json_int_t)p->surplus));
    }
    return json_pack("{s:i, s:o, s:I, s:o, s:o}", "id", node->id, "cpus", numbers(&node->cpus), "memoryBytes",
                     (json_int_t)node->memory_bytes, "distances", distances, "hugepages", pools);
}

static json_t *proof(enum host_answer answer, const char *because)
{
    return json_pack("{s:s, s:s}", "works", ANSWERS[answer], "because", because);
}

json_t *host_to_json(const struct host *host)
{
    json_t *nodes = json_array();
    for (unsigned i = 0; i < host->node_count; i++)
        json_array_append_new(nodes, node_to_json(host, &host->node[i]));
    json_t *mounted = host->mounts_known ? json_array() : json_null();
    for (unsigned i = 0; i < host->hugetlbfs_count; i++)
        json_array_append_new(mounted, json_integer((json_int_t)host->hugetlbfs_size_bytes[i]));
    json_t *kernel = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:I}", "release", host->kernel_release, "realtime", ANSWERS[host->rt_kernel],
        "rtRuntimeUs", host->has_rt_runtime ? json_integer(host->rt_runtime_us) : json_null(), "fairServer",
        ANSWERS[host->fair_server], "clocksource", host->clocksource, "tscHz", (json_int_t)host->tsc_hz);
    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s}", "cpus",
                     cpus_to_json(host), "nodes", nodes, "memoryBytes", (json_int_t)host->memory_bytes, "hugetlbfs",
                     mounted, "isolatedCpus", list_text(&host->isolated), "nohzFullCpus", list_text(&host->nohz_full),
                     "withheldCpus", list_text(&host->withheld), "usableCpus", list_text(&host->usable_cpus),
                     "usableNodes", list_text(&host->usable_nodes), "architecture", host->architecture, "kernel",
                     kernel, "kvm", proof(host->kvm_works, host->kvm_because), "fifo",
                     proof(host->fifo_works, host->fifo_because), "locking",
                     proof(host->locking_works, host->locking_because), "virtualized", ANSWERS[host->virtualized],
                     "libvirtVersion", host->libvirt_version, "qemuVersion", host->qemu_version);
}

/* Reading back. Everything is optional but the CPUs; what is there must be of its type and in its range. */
struct reader {
    char where[64];
    struct error *err;
    bool failed;
};

static void complain(struct reader *r, const char *key, const char *wanted)
{
    if (!r->failed)
        fail(r->err, ERROR_INVALID, "%s%s: want %s; was this printed by rtvmd host -o json?", r->where, key, wanted);
    r->failed = true;
}

static int64_t read_int(struct reader *r, const json_t *object, const char *key, int64_t low, int64_t high,
                        int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return otherwise;
    if (json_is_integer(value) && json_integer_value(value) >= low && json_integer_value(value) <= high)
        return json_integer_value(value);
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)low, (long long)high);
    complain(r, key, wanted);
    return otherwise;
}

static bool read_bool(struct reader *r, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_boolean(value))
        complain(r, key, "true or false");
    return json_is_true(value);
}

static void read_text(struct reader *r, const json_t *object, const char *key, char *out, size_t size)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_string(value))
        complain(r, key, "a string");
    snprintf(out, size, "%s", json_is_string(value) ? json_string_value(value) : "");
    for (char *p = out; *p; p++)
        if (!isprint((unsigned char)*p))
            *p = '?'; /* a character that the buffer cuts in two would be no UTF-8 */
}

static int read_word(struct reader *r, const json_t *object, const char *key, const char *const words[], size_t count)
{
    char text[32];
    read_text(r, object, key, text, sizeof text);
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return (int)i;
    if (text[0])
        complain(r, key, count && words == KINDS ? "unknown, performance or efficiency" : "unknown, no or yes");
    return 0;
}

static enum host_answer read_answer(struct reader *r, const json_t *object, const char *key)
{
    return (enum host_answer)read_word(r, object, key, ANSWERS, ARRAY_SIZE(ANSWERS));
}

static struct cpuset read_numbers(struct reader *r, const json_t *object, const char *key)
{
    struct cpuset set = {0};
    const json_t *list = json_object_get(object, key);
    size_t i;
    const json_t *value;
    if (list && !json_is_array(list))
        complain(r, key, "a list of numbers");
    json_array_foreach(list, i, value)
    {
        if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < CPUSET_MAX)
            cpuset_add(&set, (unsigned)json_integer_value(value));
        else
            complain(r, key, "numbers from 0 to 1023");
    }
    return set;
}

static struct cpuset read_list_text(struct reader *r, const json_t *object, const char *key)
{
    struct cpuset set = {0};
    struct error ignored;
    const char *text = json_text_at(object, key, "");
    if (cpuset_parse(text, &set, &ignored) < 0)
        complain(r, key, "a CPU list like 0-3,8");
    return set;
}

static const json_t *read_array(struct reader *r, const json_t *object, const char *key, size_t most)
{
    const json_t *list = json_object_get(object, key);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "a list of at most %zu", most);
    if (list && !json_is_null(list) && (!json_is_array(list) || json_array_size(list) > most))
        complain(r, key, wanted);
    return r->failed ? NULL : list;
}

static void read_cpu(struct reader *r, const json_t *object, struct host *host)
{
    int64_t id = read_int(r, object, "id", 0, CPUSET_MAX - 1, -1);
    if (id < 0) {
        complain(r, "id", "a CPU number below 1024");
        return;
    }
    struct host_cpu *c = &host->cpu[id];
    if (c->present)
        complain(r, "id", "every CPU once");
    c->present = true;
    c->online = read_bool(r, object, "online");
    c->isolated = read_bool(r, object, "isolated");
    c->nohz_full = read_bool(r, object, "nohzFull");
    c->node = (int)read_int(r, object, "node", 0, CPUSET_MAX - 1, -1);
    c->package = (int)read_int(r, object, "package", 0, INT32_MAX, -1);
    c->die = (int)read_int(r, object, "die", 0, INT32_MAX, -1);
    c->core = (int)read_int(r, object, "core", 0, INT32_MAX, -1);
    c->l3 = (int)read_int(r, object, "l3", 0, CPUSET_MAX - 1, -1);
    c->kind = (enum host_core_kind)read_word(r, object, "kind", KINDS, ARRAY_SIZE(KINDS));
    c->siblings = read_numbers(r, object, "siblings");
    const json_t *threads = json_object_get(object, "kernelThreads");
    host->threads_known |= json_is_object(threads);
    for (size_t i = 0; i < ARRAY_SIZE(THREADS); i++)
        c->thread_priority[i] = (int8_t)read_int(r, threads, THREADS[i], 0, 99, -1);
    read_text(r, threads, "irqThread", c->irq_thread, sizeof c->irq_thread);
    if (c->online) {
        cpuset_add(&host->online, (unsigned)id);
        cpuset_add(&c->siblings, (unsigned)id);
    }
    if (host->cpu_limit <= (unsigned)id)
        host->cpu_limit = (unsigned)id + 1;
}

static void read_node(struct reader *r, const json_t *object, struct host_node *node)
{
    node->id = (int)read_int(r, object, "id", 0, CPUSET_MAX - 1, -1);
    if (node->id < 0)
        complain(r, "id", "a node number");
    node->cpus = read_numbers(r, object, "cpus");
    node->memory_bytes = (uint64_t)read_int(r, object, "memoryBytes", 0, INT64_MAX, 0);
    const json_t *distances = read_array(r, object, "distances", LIMIT_HOST_NODES);
    size_t i;
    const json_t *value;
    json_array_foreach(distances, i, value)
    {
        json_int_t distance = json_integer_value(value); /* null, unknown, is 0 */
        node->distance[i] = distance > 0 && distance <= 255 ? (int)distance : 0;
    }
    const json_t *pools = read_array(r, object, "hugepages", LIMIT_HOST_PAGE_SIZES);
    json_array_foreach(pools, i, value)
    {
        struct host_page_pool *p = &node->pool[node->pool_count++];
        p->size_bytes = (uint64_t)read_int(r, value, "sizeBytes", 1, INT64_MAX, 0);
        if (p->size_bytes == 0)
            complain(r, "hugepages", "sizeBytes in each");
        p->total = (uint64_t)read_int(r, value, "total", 0, INT64_MAX, 0);
        p->free = (uint64_t)read_int(r, value, "free", 0, INT64_MAX, 0);
        p->surplus = (uint64_t)read_int(r, value, "surplus", 0, INT64_MAX, 0);
    }
}

static enum host_answer read_proof(struct reader *r, const json_t *snapshot, const char *key, char *because,
                                   size_t size)
{
    const json_t *object = json_object_get(snapshot, key);
    snprintf(r->where, sizeof r->where, "%s.", key);
    read_text(r, object, "because", because, size);
    return read_answer(r, object, "works");
}

static void read_kernel(struct reader *r, const json_t *snapshot, struct host *host)
{
    const json_t *kernel = json_object_get(snapshot, "kernel");
    snprintf(r->where, sizeof r->where, "kernel.");
    read_text(r, kernel, "release", host->kernel_release, sizeof host->kernel_release);
    host->rt_kernel = read_answer(r, kernel, "realtime");
    host->has_rt_runtime = json_is_integer(json_object_get(kernel, "rtRuntimeUs"));
    host->rt_runtime_us = read_int(r, kernel, "rtRuntimeUs", -1, INT64_MAX, 0);
    host->fair_server = read_answer(r, kernel, "fairServer");
    read_text(r, kernel, "clocksource", host->clocksource, sizeof host->clocksource);
    host->tsc_hz = (uint64_t)read_int(r, kernel, "tscHz", 0, INT64_MAX, 0);
}

static void read_machine(struct reader *r, const json_t *snapshot, struct host *host)
{
    size_t i;
    const json_t *value;
    host->memory_bytes = (uint64_t)read_int(r, snapshot, "memoryBytes", 0, INT64_MAX, 0);
    host->mounts_known = json_is_array(json_object_get(snapshot, "hugetlbfs"));
    const json_t *mounted = read_array(r, snapshot, "hugetlbfs", LIMIT_HOST_PAGE_SIZES);
    json_array_foreach(mounted, i, value)
    {
        if (json_integer_value(value) > 0)
            host->hugetlbfs_size_bytes[host->hugetlbfs_count++] = (uint64_t)json_integer_value(value);
    }
    host->isolated = read_list_text(r, snapshot, "isolatedCpus");
    host->nohz_full = read_list_text(r, snapshot, "nohzFullCpus");
    host->withheld = read_list_text(r, snapshot, "withheldCpus");
    host->usable_cpus = read_list_text(r, snapshot, "usableCpus");
    host->usable_nodes = read_list_text(r, snapshot, "usableNodes");
    read_text(r, snapshot, "architecture", host->architecture, sizeof host->architecture);
    host->virtualized = read_answer(r, snapshot, "virtualized");
    read_text(r, snapshot, "libvirtVersion", host->libvirt_version, sizeof host->libvirt_version);
    read_text(r, snapshot, "qemuVersion", host->qemu_version, sizeof host->qemu_version);
    read_kernel(r, snapshot, host);
    host->kvm_works = read_proof(r, snapshot, "kvm", host->kvm_because, sizeof host->kvm_because);
    host->fifo_works = read_proof(r, snapshot, "fifo", host->fifo_because, sizeof host->fifo_because);
    host->locking_works = read_proof(r, snapshot, "locking", host->locking_because, sizeof host->locking_because);
}

int host_from_json(const json_t *snapshot, struct host *ret_host, struct error *err)
{
    struct reader r = {.err = err};
    size_t i;
    const json_t *value;
    memset(ret_host, 0, sizeof *ret_host);
    for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++)
        ret_host->cpu[cpu] = (struct host_cpu){
            .node = -1, .package = -1, .die = -1, .core = -1, .l3 = -1, .thread_priority = {-1, -1, -1, -1}};
    if (!json_is_object(snapshot))
        return fail(err, ERROR_INVALID, "want a JSON object as printed by rtvmd host -o json");
    read_machine(&r, snapshot, ret_host);
    r.where[0] = '\0';
    const json_t *cpus = read_array(&r, snapshot, "cpus", CPUSET_MAX);
    json_array_foreach(cpus, i, value)
    {
        snprintf(r.where, sizeof r.where, "cpus[%zu].", i);
        read_cpu(&r, value, ret_host);
    }
    r.where[0] = '\0';
    const json_t *nodes = read_array(&r, snapshot, "nodes", LIMIT_HOST_NODES);
    json_array_foreach(nodes, i, value)
    {
        snprintf(r.where, sizeof r.where, "nodes[%zu].", i);
        struct host_node *node = &ret_host->node[ret_host->node_count++];
        read_node(&r, value, node);
        if (&ret_host->node[host_node_index(ret_host, node->id)] != node)
            complain(&r, "id", "every node once");
    }
    if (r.failed)
        return -1;
    if (cpuset_is_empty(&ret_host->online))
        return fail(err, ERROR_INVALID, "cpus: want at least one CPU that is online");
    return 0;
}
