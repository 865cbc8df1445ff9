/* Decisions and placements as JSON: what `plan -o json` prints and the store keeps. Every field of struct placement
 * survives; the first four keys are the contract of the verb, the others are ours. */
#include "runtime/place/place.h"

#include <stdlib.h>
#include <string.h>

static json_t *set_to_json(const struct cpuset *set)
{
    json_t *array = json_array();
    cpuset_foreach(cpu, set) json_array_append_new(array, json_integer(cpu));
    return array;
}

static json_t *vcpus_to_json(const struct placement *placement)
{
    json_t *object = json_object();
    for (unsigned v = 0; v < placement->vcpu_count; v++) {
        auto_free char *key = must_format("%u", v);
        if (placement->vcpu_cpu[v] >= 0)
            json_object_set_new(object, key, json_integer(placement->vcpu_cpu[v]));
    }
    return object;
}

static json_t *priorities_to_json(const struct placement *placement)
{
    json_t *object = json_object();
    for (unsigned v = 0; v < placement->vcpu_count; v++) {
        auto_free char *key = must_format("%u", v);
        if (placement->vcpu_priority[v])
            json_object_set_new(object, key, json_integer(placement->vcpu_priority[v]));
    }
    return object;
}

static json_t *iothreads_to_json(const struct placement *placement)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < placement->iothread_count; i++) {
        auto_free char *key = must_format("%u", i + 1);
        json_object_set_new(object, key, set_to_json(&placement->iothread[i]));
    }
    return object;
}

static json_t *cells_to_json(const struct placement *placement)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < placement->cell_count; i++) {
        const struct placement_cell *cell = &placement->cell[i];
        json_array_append_new(array,
                              json_pack("{s:i,s:i,s:o,s:I,s:I}", "id", (int)i, "hostNode", cell->host_node, "vcpus",
                                        set_to_json(&cell->vcpus), "memoryBytes", (json_int_t)cell->memory_bytes,
                                        "pageBytes", (json_int_t)cell->page_bytes));
    }
    return array;
}

static json_t *pages_to_json(const struct claimed_pages *pages, unsigned count)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++) {
        const struct claimed_pages *page = &pages[i];
        json_array_append_new(array, json_pack("{s:i,s:I,s:I}", "node", page->node, "pageBytes",
                                               (json_int_t)page->page_bytes, "pages", (json_int_t)page->pages));
    }
    return array;
}

json_t *placement_to_json(const struct placement *placement)
{
    json_t *object = json_object();
    json_object_set_new(object, "vcpus", vcpus_to_json(placement));
    json_object_set_new(object, "emulator", set_to_json(&placement->emulator));
    json_object_set_new(object, "iothreads", iothreads_to_json(placement));
    json_object_set_new(object, "cells", cells_to_json(placement));
    json_object_set_new(object, "dedicated", json_boolean(placement->dedicated));
    json_object_set_new(object, "vcpuCount", json_integer(placement->vcpu_count));
    json_object_set_new(object, "realtimeVcpus", set_to_json(&placement->realtime_vcpus));
    json_object_set_new(object, "fifoPriority", json_integer(placement->fifo_priority));
    json_object_set_new(object, "vcpuPriorities", priorities_to_json(placement));
    json_object_set_new(object, "shared", set_to_json(&placement->shared));
    json_object_set_new(object, "emulatorIsExclusive", json_boolean(placement->emulator_is_exclusive));
    json_object_set_new(object, "parked", set_to_json(&placement->parked));
    json_object_set_new(object, "exclusive", set_to_json(&placement->exclusive));
    json_object_set_new(object, "hugepageBytes", json_integer((json_int_t)placement->hugepage_bytes));
    json_object_set_new(object, "ordinaryBytes", json_integer((json_int_t)placement->ordinary_bytes));
    json_object_set_new(object, "memoryNodes", set_to_json(&placement->memory_nodes));
    if (!cpuset_is_empty(&placement->filling))
        json_object_set_new(object, "filling", set_to_json(&placement->filling));
    json_object_set_new(object, "pages", pages_to_json(placement->page, placement->page_count));
    json_object_set_new(object, "growth", pages_to_json(placement->growth, placement->growth_count));
    return object;
}

json_t *decision_to_json(const struct decision *decision)
{
    json_t *reasons = json_array(), *warnings = json_array(), *suggestions = json_array();
    for (unsigned i = 0; i < decision->reason_count; i++) {
        const struct place_reason *reason = &decision->reason[i];
        json_array_append_new(reasons, json_pack("{s:s,s:s,s:o}", "code", reason->code, "message", reason->message,
                                                 "node", reason->node < 0 ? json_null() : json_integer(reason->node)));
    }
    for (unsigned i = 0; i < decision->warning_count; i++)
        json_array_append_new(warnings, json_string(decision->warning[i]));
    for (unsigned i = 0; i < decision->suggestion_count; i++)
        json_array_append_new(suggestions, json_string(decision->suggestion[i]));
    json_t *placement = decision->admitted ? placement_to_json(&decision->placement) : json_null();
    return json_pack("{s:b,s:o,s:o,s:o,s:o}", "admitted", decision->admitted, "reasons", reasons, "warnings", warnings,
                     "suggestions", suggestions, "placement", placement);
}

static int set_from_json(const json_t *array, const char *key, struct cpuset *ret_set, struct error *err)
{
    *ret_set = (struct cpuset){0};
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        json_int_t number = json_integer_value(item);
        if (!json_is_integer(item) || number < 0 || number >= CPUSET_MAX)
            return fail(err, ERROR_INVALID, "placement.%s[%zu]: want a number from 0 to %d", key, i, CPUSET_MAX - 1);
        cpuset_add(ret_set, (unsigned)number);
    }
    return 0;
}

static int vcpus_from_json(const json_t *object, struct placement *placement, struct error *err)
{
    for (unsigned v = 0; v < LIMIT_VM_VCPUS; v++)
        placement->vcpu_cpu[v] = -1;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        uint64_t vcpu;
        json_int_t cpu = json_integer_value(value);
        if (!text_to_u64(key, &vcpu) || vcpu >= placement->vcpu_count || cpu < 0 || cpu >= CPUSET_MAX)
            return fail(err, ERROR_INVALID, "placement.vcpus.%s: want vCPU below %u on a CPU below %d", key,
                        placement->vcpu_count, CPUSET_MAX);
        placement->vcpu_cpu[vcpu] = (int16_t)cpu;
    }
    return 0;
}

static int priorities_from_json(const json_t *object, struct placement *placement, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        uint64_t vcpu;
        json_int_t priority = json_integer_value(value);
        if (!text_to_u64(key, &vcpu) || vcpu >= placement->vcpu_count || priority < 1 || priority > LIMIT_FIFO_PRIORITY)
            return fail(err, ERROR_INVALID, "placement.vcpuPriorities.%s: want vCPU below %u at 1 to %u", key,
                        placement->vcpu_count, LIMIT_FIFO_PRIORITY);
        placement->vcpu_priority[vcpu] = (uint8_t)priority;
    }
    return 0;
}

static int iothreads_from_json(const json_t *object, struct placement *placement, struct error *err)
{
    placement->iothread_count = (unsigned)json_object_size(object);
    if (placement->iothread_count > LIMIT_VM_IOTHREADS)
        return fail(err, ERROR_INVALID, "placement.iothreads: %u are more than %u", placement->iothread_count,
                    LIMIT_VM_IOTHREADS);
    for (unsigned i = 0; i < placement->iothread_count; i++) {
        auto_free char *key = must_format("%u", i + 1);
        if (set_from_json(json_object_get(object, key), "iothreads", &placement->iothread[i], err) != 0)
            return -1;
    }
    return 0;
}

static int cells_from_json(const json_t *array, struct placement *placement, struct error *err)
{
    if (json_array_size(array) > LIMIT_HOST_NODES)
        return fail(err, ERROR_INVALID, "placement.cells: more than %u", LIMIT_HOST_NODES);
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        struct placement_cell *cell = &placement->cell[placement->cell_count++];
        cell->host_node = (int)json_int_at(item, "hostNode", 0);
        cell->memory_bytes = (uint64_t)json_int_at(item, "memoryBytes", 0);
        cell->page_bytes = (uint64_t)json_int_at(item, "pageBytes", 0);
        if (set_from_json(json_at(item, "vcpus"), "cells.vcpus", &cell->vcpus, err) != 0)
            return -1;
    }
    return 0;
}

static int pages_from_json(const json_t *array, const char *key, struct claimed_pages *ret_pages, unsigned *ret_count,
                           struct error *err)
{
    *ret_count = 0;
    if (json_array_size(array) > LIMIT_HOST_NODES)
        return fail(err, ERROR_INVALID, "placement.%s: more than %u", key, LIMIT_HOST_NODES);
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        struct claimed_pages *page = &ret_pages[(*ret_count)++];
        page->node = (int)json_int_at(item, "node", 0);
        page->page_bytes = (uint64_t)json_int_at(item, "pageBytes", 0);
        page->pages = (uint64_t)json_int_at(item, "pages", 0);
    }
    return 0;
}

int placement_from_json(const json_t *object, struct placement *ret_placement, struct error *err)
{
    struct placement *placement = ret_placement;
    memset(placement, 0, sizeof(*placement));
    int64_t vcpus = json_int_at(object, "vcpuCount", -1);
    if (!json_is_object(object) || vcpus < 0 || vcpus > LIMIT_VM_VCPUS)
        return fail(err, ERROR_INVALID, "placement.vcpuCount: want 0 to %u", LIMIT_VM_VCPUS);
    placement->vcpu_count = (unsigned)vcpus;
    placement->dedicated = json_bool_at(object, "dedicated", false);
    placement->fifo_priority = (unsigned)json_int_at(object, "fifoPriority", 1);
    placement->emulator_is_exclusive = json_bool_at(object, "emulatorIsExclusive", false);
    placement->hugepage_bytes = (uint64_t)json_int_at(object, "hugepageBytes", 0);
    placement->ordinary_bytes = (uint64_t)json_int_at(object, "ordinaryBytes", 0);
    const struct {
        const char *key;
        struct cpuset *set;
    } sets[] = {
        {"emulator", &placement->emulator},   {"realtimeVcpus", &placement->realtime_vcpus},
        {"shared", &placement->shared},       {"parked", &placement->parked},
        {"exclusive", &placement->exclusive}, {"memoryNodes", &placement->memory_nodes},
        {"filling", &placement->filling},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        if (set_from_json(json_object_get(object, sets[i].key), sets[i].key, sets[i].set, err) != 0)
            return -1;
    if (vcpus_from_json(json_object_get(object, "vcpus"), placement, err) != 0 ||
        priorities_from_json(json_object_get(object, "vcpuPriorities"), placement, err) != 0 ||
        iothreads_from_json(json_object_get(object, "iothreads"), placement, err) != 0 ||
        cells_from_json(json_object_get(object, "cells"), placement, err) != 0)
        return -1;
    if (pages_from_json(json_object_get(object, "growth"), "growth", placement->growth, &placement->growth_count,
                        err) != 0)
        return -1;
    return pages_from_json(json_object_get(object, "pages"), "pages", placement->page, &placement->page_count, err);
}
