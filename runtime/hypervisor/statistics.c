#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hypervisor/connection.h"
#include "runtime/hypervisor/failure.h"

/* One call for all domains. libvirt's group of vCPU statistics is left out: QEMU answers it (query-stats) by running
 * code on every vCPU thread, which is the one thing a real-time guest must not feel; /proc has the same times.
 *
 * libvirt names what it found "block.0.rd.reqs"; a table says where each goes. */

enum { LIST_MAX = 1024 }; /* disks or interfaces of one domain that are believed */

struct field {
    const char *name;
    size_t offset;
    unsigned scale; /* libvirt counts memory in KiB */
};

#define AT(type, member) offsetof(struct type, member)
static const struct field BALLOON_FIELDS[] = {
    {"maximum", AT(domain_statistics, memory_bytes), 1024},
    {"current", AT(domain_statistics, balloon_bytes), 1024},
    {"available", AT(domain_statistics, available_bytes), 1024},
    {"unused", AT(domain_statistics, unused_bytes), 1024},
    {"usable", AT(domain_statistics, usable_bytes), 1024},
    {"disk_caches", AT(domain_statistics, cached_bytes), 1024},
    {"swap_in", AT(domain_statistics, swap_in_bytes), 1024},
    {"swap_out", AT(domain_statistics, swap_out_bytes), 1024},
    {"major_fault", AT(domain_statistics, major_faults), 1},
    {"minor_fault", AT(domain_statistics, minor_faults), 1},
};
static const struct field DISK_FIELDS[] = {
    {"rd.reqs", AT(disk_statistics, read_requests), 1},   {"rd.bytes", AT(disk_statistics, read_bytes), 1},
    {"rd.times", AT(disk_statistics, read_ns), 1},        {"wr.reqs", AT(disk_statistics, write_requests), 1},
    {"wr.bytes", AT(disk_statistics, write_bytes), 1},    {"wr.times", AT(disk_statistics, write_ns), 1},
    {"fl.reqs", AT(disk_statistics, flush_requests), 1},  {"fl.times", AT(disk_statistics, flush_ns), 1},
    {"capacity", AT(disk_statistics, capacity_bytes), 1}, {"allocation", AT(disk_statistics, allocated_bytes), 1},
};
static const struct field INTERFACE_FIELDS[] = {
    {"rx.bytes", AT(interface_statistics, received_bytes), 1},
    {"rx.pkts", AT(interface_statistics, received_packets), 1},
    {"rx.errs", AT(interface_statistics, received_errors), 1},
    {"rx.drop", AT(interface_statistics, received_dropped), 1},
    {"tx.bytes", AT(interface_statistics, sent_bytes), 1},
    {"tx.pkts", AT(interface_statistics, sent_packets), 1},
    {"tx.errs", AT(interface_statistics, sent_errors), 1},
    {"tx.drop", AT(interface_statistics, sent_dropped), 1},
};

void domain_statistics_finish(struct domain_statistics *statistics)
{
    free(take(statistics->disk));
    free(take(statistics->interface));
    statistics->disk_count = statistics->interface_count = 0;
}

/* Some counters are signed in one version of libvirt and not in the next. */
static uint64_t number(virTypedParameterPtr parameter)
{
    switch (parameter->type) {
    case VIR_TYPED_PARAM_ULLONG:
        return parameter->value.ul;
    case VIR_TYPED_PARAM_LLONG:
        return parameter->value.l < 0 ? STATISTIC_UNKNOWN : (uint64_t)parameter->value.l;
    case VIR_TYPED_PARAM_UINT:
        return parameter->value.ui;
    case VIR_TYPED_PARAM_INT:
        return parameter->value.i < 0 ? STATISTIC_UNKNOWN : (uint64_t)parameter->value.i;
    default:
        return STATISTIC_UNKNOWN;
    }
}

static void forget(void *into, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *(uint64_t *)((char *)into + fields[i].offset) = STATISTIC_UNKNOWN;
}

static void put(void *into, const struct field *fields, size_t count, const char *name, virTypedParameterPtr parameter)
{
    uint64_t value = number(parameter);
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0 && value <= STATISTIC_UNKNOWN / fields[i].scale - 1)
            *(uint64_t *)((char *)into + fields[i].offset) = value * fields[i].scale;
}

static void put_name(char *into, size_t size, virTypedParameterPtr parameter)
{
    if (parameter->type == VIR_TYPED_PARAM_STRING)
        snprintf(into, size, "%s", parameter->value.s);
}

/* "block.3.rd.reqs" after its first dot: the index, and *name moved behind it; `count` when it is none of the list. */
static size_t index_of(const char **name, size_t count)
{
    char *end;
    unsigned long index = strtoul(*name, &end, 10);
    if (end == *name || *end != '.' || index >= count)
        return count;
    *name = end + 1;
    return index;
}

static void take_disk(struct domain_statistics *s, const char *name, virTypedParameterPtr parameter)
{
    size_t i = index_of(&name, s->disk_count);
    if (i < s->disk_count && strcmp(name, "name") == 0)
        put_name(s->disk[i].target, sizeof s->disk[i].target, parameter);
    else if (i < s->disk_count)
        put(&s->disk[i], DISK_FIELDS, ARRAY_SIZE(DISK_FIELDS), name, parameter);
}

static void take_interface(struct domain_statistics *s, const char *name, virTypedParameterPtr parameter)
{
    size_t i = index_of(&name, s->interface_count);
    if (i < s->interface_count && strcmp(name, "name") == 0)
        put_name(s->interface[i].name, sizeof s->interface[i].name, parameter);
    else if (i < s->interface_count)
        put(&s->interface[i], INTERFACE_FIELDS, ARRAY_SIZE(INTERFACE_FIELDS), name, parameter);
}

/* A list is announced by its length, before its entries. */
static void make_disks(struct domain_statistics *s, uint64_t count)
{
    if (s->disk || count == 0 || count > LIST_MAX)
        return;
    s->disk = must_calloc(count, sizeof *s->disk);
    s->disk_count = count;
    for (size_t i = 0; i < count; i++)
        forget(&s->disk[i], DISK_FIELDS, ARRAY_SIZE(DISK_FIELDS));
}

static void make_interfaces(struct domain_statistics *s, uint64_t count)
{
    if (s->interface || count == 0 || count > LIST_MAX)
        return;
    s->interface = must_calloc(count, sizeof *s->interface);
    s->interface_count = count;
    for (size_t i = 0; i < count; i++)
        forget(&s->interface[i], INTERFACE_FIELDS, ARRAY_SIZE(INTERFACE_FIELDS));
}

static void take_parameter(struct domain_statistics *s, virTypedParameterPtr parameter)
{
    const char *name = parameter->field;
    if (strcmp(name, "block.count") == 0)
        make_disks(s, number(parameter));
    else if (strcmp(name, "net.count") == 0)
        make_interfaces(s, number(parameter));
    else if (text_starts_with(name, "block."))
        take_disk(s, name + strlen("block."), parameter);
    else if (text_starts_with(name, "net."))
        take_interface(s, name + strlen("net."), parameter);
    else if (text_starts_with(name, "balloon."))
        put(s, BALLOON_FIELDS, ARRAY_SIZE(BALLOON_FIELDS), name + strlen("balloon."), parameter);
}

static int ask(virDomainPtr *domains, virDomainStatsRecordPtr **ret_records)
{
    unsigned groups = VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;
    int count = virDomainListGetStats(domains, groups, ret_records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0 && failure_code() == VIR_ERR_INVALID_ARG) /* the test driver knows no such flag */
        count = virDomainListGetStats(domains, groups, ret_records, 0);
    return count;
}

/* Most likely the one after the last. */
static size_t find_name(const char *const *names, size_t count, size_t hint, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[(hint + i) % count], name) == 0)
            return (hint + i) % count;
    return count;
}

static void take_records(virDomainStatsRecordPtr *records, int record_count, const char *const *names, size_t count,
                         struct domain_statistics *ret_statistics)
{
    size_t hint = 0;
    for (int r = 0; r < record_count; r++) {
        size_t at = find_name(names, count, hint, virDomainGetName(records[r]->dom));
        for (int i = 0; at < count && i < records[r]->nparams; i++)
            take_parameter(&ret_statistics[at], &records[r]->params[i]);
        hint = at + 1;
    }
}

int hypervisor_statistics(struct hypervisor *hypervisor, const char *const *names, size_t count,
                          struct domain_statistics *ret_statistics, struct error *err)
{
    memset(ret_statistics, 0, count * sizeof *ret_statistics);
    for (size_t i = 0; i < count; i++)
        forget(&ret_statistics[i], BALLOON_FIELDS, ARRAY_SIZE(BALLOON_FIELDS));
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection)
        return -1;
    auto_free virDomainPtr *domains = must_calloc(count + 1, sizeof(virDomainPtr));
    size_t found = 0;
    struct error gone;
    for (size_t i = 0; i < count; i++)
        if ((domains[found] = connection_find(hypervisor, names[i], &gone)))
            found++;
    int result = 0;
    virDomainStatsRecordPtr *records = NULL;
    int record_count = found > 0 ? ask(domains, &records) : 0;
    if (record_count < 0)
        result = failure_from_libvirt(err, "statistics of %zu domains", found);
    else
        take_records(records, record_count, names, count, ret_statistics);
    if (records)
        virDomainStatsRecordListFree(records);
    for (size_t i = 0; i < found; i++)
        virDomainFree(domains[i]);
    return result;
}
