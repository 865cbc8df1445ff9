#include "rtvmd/host_map.h"

#include <stdio.h>
#include <string.h>

#include "runtime/place/place.h"

enum { MAP_WIDTH = 100, LETTERS = 26 };

struct map {
    const struct host *host;
    const struct host_map_vm *vms;
    size_t vm_count;
    bool color;
    struct cpuset housekeeping;
    int digits;
    struct text *out;
};

static struct cpuset numbers_of(const json_t *array)
{
    struct cpuset set = {0};
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_int_t n = json_integer_value(json_array_get(array, i));
        if (n >= 0 && n < CPUSET_MAX)
            cpuset_add(&set, (unsigned)n);
    }
    return set;
}

static void describe_pages(const json_t *pages, struct host_map_vm *vm)
{
    struct size_text size;
    size_t i;
    json_t *row;
    auto_text text = {0};
    json_array_foreach(pages, i, row)
    {
        json_int_t bytes = json_int_at(row, "pageBytes", 0), count = json_int_at(row, "pages", 0);
        if (bytes > PLACE_ORDINARY_PAGE_BYTES && count > 0)
            text_printf(&text, "%s%lld page%s of %s on node %lld", text.length ? ", " : "", (long long)count,
                        count == 1 ? "" : "s", size_format((uint64_t)bytes, &size),
                        (long long)json_int_at(row, "node", -1));
    }
    snprintf(vm->pages, sizeof vm->pages, "%s", text_cstr(&text));
}

struct host_map_vm host_map_vm_of(const json_t *placement)
{
    struct host_map_vm vm = {0};
    snprintf(vm.name, sizeof vm.name, "%s/%s", json_text_at(placement, "metadata.namespace", ""),
             json_text_at(placement, "metadata.name", ""));
    struct cpuset exclusive = numbers_of(json_at(placement, "spec.exclusive"));
    void *at = json_object_iter(json_at(placement, "spec.vcpus"));
    for (; at; at = json_object_iter_next(json_at(placement, "spec.vcpus"), at)) {
        json_int_t cpu = json_integer_value(json_object_iter_value(at));
        if (cpu >= 0 && cpu < CPUSET_MAX)
            cpuset_add(&vm.vcpus, (unsigned)cpu);
    }
    struct cpuset parked = numbers_of(json_at(placement, "spec.parked"));
    exclusive = cpuset_or(&exclusive, &parked);
    vm.others = cpuset_minus(&exclusive, &vm.vcpus);
    describe_pages(json_at(placement, "spec.pages"), &vm);
    return vm;
}

/* Foreground 90 grey, 32 green; a background for each VM in turn. */
static void write_cpu(const struct map *map, int cpu)
{
    char mark = cpuset_has(&map->housekeeping, (unsigned)cpu) ? 'h' : '.';
    char escape[16];
    snprintf(escape, sizeof escape, mark == 'h' ? "90" : "32");
    for (size_t i = 0; i < map->vm_count; i++) {
        bool vcpu = cpuset_has(&map->vms[i].vcpus, (unsigned)cpu);
        if (!vcpu && !cpuset_has(&map->vms[i].others, (unsigned)cpu))
            continue;
        mark = (char)((vcpu ? 'A' : 'a') + i % LETTERS);
        snprintf(escape, sizeof escape, "30;%zu", 42 + i % 5);
    }
    if (map->color)
        text_printf(map->out, "\x1b[%sm%*d%c\x1b[0m", escape, map->digits, cpu, mark);
    else
        text_printf(map->out, "%*d%c", map->digits, cpu, mark);
}

/* The cores whose first thread is in the group, as many in a line as fit. */
static void write_cores(const struct map *map, const struct cpuset *group)
{
    int column = 0;
    cpuset_foreach(cpu, group)
    {
        const struct cpuset *threads = &map->host->cpu[cpu].siblings;
        if (cpuset_next(threads, 0) != cpu)
            continue;
        int width = 2 + (int)cpuset_count(threads) * (map->digits + 2);
        if (column == 0 || column + width > MAP_WIDTH) {
            text_append(map->out, column ? "\n     " : "     ");
            column = 5;
        }
        text_append(map->out, " [");
        cpuset_foreach(thread, threads)
        {
            if (thread != cpu)
                text_append(map->out, " ");
            write_cpu(map, thread);
        }
        text_append(map->out, "]");
        column += width;
    }
    text_append(map->out, "\n");
}

/* CPUs of the set that share package and L3 with the first of them. */
static struct cpuset take_group(const struct host *host, struct cpuset *left)
{
    struct cpuset group = {0};
    const struct host_cpu *first = &host->cpu[cpuset_next(left, 0)];
    cpuset_foreach(cpu, left)
    {
        const struct host_cpu *c = &host->cpu[cpu];
        if (c->package == first->package && c->l3 == first->l3 && c->kind == first->kind)
            cpuset_add(&group, (unsigned)cpu);
    }
    *left = cpuset_minus(left, &group);
    return group;
}

static void write_groups(const struct map *map, struct cpuset left)
{
    static const char *const KINDS[] = {"", ", performance cores", ", efficiency cores"};
    while (!cpuset_is_empty(&left)) {
        struct cpuset group = take_group(map->host, &left);
        const struct host_cpu *first = &map->host->cpu[cpuset_next(&group, 0)];
        if (first->package >= 0)
            text_printf(map->out, "    package %d", first->package);
        else
            text_append(map->out, "    no package");
        text_append(map->out, first->l3 >= 0 ? ", one L3" : ", no L3");
        text_printf(map->out, "%s\n", KINDS[first->kind]);
        write_cores(map, &group);
    }
}

static void write_node_line(const struct host_node *node, struct text *out)
{
    struct size_text size;
    text_printf(out, "  node %d: %s", node->id, size_format(node->memory_bytes, &size));
    for (unsigned i = 0; i < node->pool_count; i++)
        if (node->pool[i].total)
            text_printf(out, ", %llu of %llu pages of %s free", (unsigned long long)node->pool[i].free,
                        (unsigned long long)node->pool[i].total, size_format(node->pool[i].size_bytes, &size));
    text_append(out, "\n");
}

static void write_legend(const struct map *map)
{
    text_append(map->out, "\n  h housekeeping   . free for VMs");
    if (map->vm_count)
        text_append(map->out, "   capital: a vCPU   small: emulator, I/O, parked sibling");
    text_append(map->out, "\n");
    for (size_t i = 0; i < map->vm_count; i++) {
        struct cpuset both = cpuset_or(&map->vms[i].vcpus, &map->vms[i].others);
        if (!cpuset_is_empty(&both))
            text_printf(map->out, "  %c %s%s%s\n", (char)('A' + i % LETTERS), map->vms[i].name,
                        map->vms[i].pages[0] ? ": " : "", map->vms[i].pages);
    }
}

void host_map_write(const struct host *host, const struct host_map_vm *vms, size_t vm_count, bool color,
                    struct text *out)
{
    struct map map = {.host = host,
                      .vms = vms,
                      .vm_count = vm_count,
                      .color = color,
                      .housekeeping = host_housekeeping(host, NULL),
                      .digits = host->cpu_limit > 1000  ? 4
                                : host->cpu_limit > 100 ? 3
                                : host->cpu_limit > 10  ? 2
                                                        : 1,
                      .out = out};
    struct cpuset nowhere = host->online;
    for (unsigned i = 0; i < host->node_count; i++) {
        write_node_line(&host->node[i], out);
        write_groups(&map, host->node[i].cpus);
        nowhere = cpuset_minus(&nowhere, &host->node[i].cpus);
    }
    if (!cpuset_is_empty(&nowhere)) {
        text_append(out, "  no node\n");
        write_groups(&map, nowhere);
    }
    write_legend(&map);
}
