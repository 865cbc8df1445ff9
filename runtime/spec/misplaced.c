/* Slips that published manifests have: the blog post and the user guide on real time put ioThreadsPolicy below cpu,
 * write dedicateCpuPlacement, request instead of requests. A cluster drops such fields without a word, and the VM runs
 * without what it asked for. Here their meaning is honored and the right place is named.
 *
 * To add a slip: one row; whole objects first, what is inside them after. Paths are below the VMI's spec. */
#include <string.h>

#include "runtime/spec/schema.h"

static const struct slip {
    const char *wrong;
    const char *right;
} SLIPS[] = {
    {"domain.cpu.ioThreads", "domain.ioThreads"},
    {"domain.realtime", "domain.cpu.realtime"},
    {"domain.numa", "domain.cpu.numa"},
    {"domain.memory.numa", "domain.cpu.numa"},
    {"domain.hugepages", "domain.memory.hugepages"},
    {"domain.memory.hugePages", "domain.memory.hugepages"},
    {"domain.cpu.resources", "domain.resources"},
    {"domain.devices.resources", "domain.resources"},
    {"resources", "domain.resources"},
    {"domain.devices.machine", "domain.machine"},
    {"domain.cpu.ioThreadsPolicy", "domain.ioThreadsPolicy"},
    {"domain.devices.ioThreadsPolicy", "domain.ioThreadsPolicy"},
    {"ioThreadsPolicy", "domain.ioThreadsPolicy"},
    {"domain.cpu.dedicateCpuPlacement", "domain.cpu.dedicatedCpuPlacement"},
    {"domain.cpu.dedicatedCPUPlacement", "domain.cpu.dedicatedCpuPlacement"},
    {"domain.cpu.dedicateCPUPlacement", "domain.cpu.dedicatedCpuPlacement"},
    {"domain.dedicatedCpuPlacement", "domain.cpu.dedicatedCpuPlacement"},
    {"domain.cpu.isolateEmulatorThreads", "domain.cpu.isolateEmulatorThread"},
    {"domain.isolateEmulatorThread", "domain.cpu.isolateEmulatorThread"},
    {"domain.cpu.guestMappingPassthrough", "domain.cpu.numa.guestMappingPassthrough"},
    {"domain.memory.hugepages.size", "domain.memory.hugepages.pageSize"},
    {"domain.resources.request", "domain.resources.requests"},
    {"domain.resources.limit", "domain.resources.limits"},
    {"domain.volumes", "volumes"},
    {"domain.devices.volumes", "volumes"},
    {"domain.networks", "networks"},
    {"domain.devices.networks", "networks"},
    {"domain.disks", "domain.devices.disks"},
    {"domain.interfaces", "domain.devices.interfaces"},
    {"domain.terminationGracePeriodSeconds", "terminationGracePeriodSeconds"},
    {"domain.startStrategy", "startStrategy"},
    {"domain.hostname", "hostname"},
};

static json_t *parent_of(json_t *spec, const char *path)
{
    const char *dot = strrchr(path, '.');
    if (!dot)
        return spec;
    auto_free char *parent = must_strndup(path, (size_t)(dot - path));
    return json_at(spec, parent);
}

/* Every part on the way is an object or missing: json_put_at would replace anything else. */
static bool can_put(const json_t *spec, const char *path)
{
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        auto_free char *parent = must_strndup(path, (size_t)(dot - path));
        const json_t *value = json_at(spec, parent);
        if (value && !json_is_object(value))
            return false;
    }
    return true;
}

static void move(json_t *spec, const char *at, const struct slip *slip, struct findings *findings)
{
    if (!json_is_object(parent_of(spec, slip->wrong)))
        return;
    json_t *value = json_at(spec, slip->wrong);
    if (!value || !can_put(spec, slip->right))
        return;
    if (json_at(spec, slip->right)) {
        findings_warn(findings, "%s.%s is not a field and %s.%s is there already: the first is dropped", at,
                      slip->wrong, at, slip->right);
    } else {
        findings_warn(findings, "%s.%s is not a field: taken as %s.%s, where it belongs", at, slip->wrong, at,
                      slip->right);
        json_put_at(spec, slip->right, json_incref(value));
    }
    json_drop_at(spec, slip->wrong);
}

void misplaced_move(json_t *spec, const char *at, struct findings *findings)
{
    for (size_t i = 0; json_is_object(spec) && i < ARRAY_SIZE(SLIPS); i++)
        move(spec, at, &SLIPS[i], findings);
}
