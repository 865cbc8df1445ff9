#include "api/wire/columns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/wire/jsonpath.h"
#include "rtvmd/base/cpuset.h"

int64_t time_from_text(const char *timestamp)
{
    struct tm when = {0};
    const char *rest = timestamp ? strptime(timestamp, "%Y-%m-%dT%H:%M:%S", &when) : NULL;
    if (!rest)
        return -1;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&when) : -1;
}

/* Two units while the second one still matters; each row: below this many seconds, counted in this unit, with the rest
 * in that one (0: no rest). */
static const struct {
    int64_t below_s;
    int64_t unit_s;
    char unit;
    int64_t rest_s;
    char rest;
} AGES[] = {
    {120, 1, 's', 0, 0},
    {600, 60, 'm', 1, 's'},
    {3 * 3600L, 60, 'm', 0, 0},
    {8 * 3600L, 3600, 'h', 60, 'm'},
    {48 * 3600L, 3600, 'h', 0, 0},
    {192 * 3600L, 86400, 'd', 3600, 'h'},
    {730LL * 86400, 86400, 'd', 0, 0},
    {8 * 365LL * 86400, 365LL * 86400, 'y', 86400, 'd'},
    {INT64_MAX, 365LL * 86400, 'y', 0, 0},
};

char *age_text(const char *timestamp, int64_t now_s)
{
    int64_t then = time_from_text(timestamp);
    if (then < 0)
        return must_strdup("<unknown>");
    int64_t age = now_s > then ? now_s - then : 0;
    size_t i = 0;
    while (age >= AGES[i].below_s)
        i++;
    int64_t rest = AGES[i].rest_s ? age % AGES[i].unit_s / AGES[i].rest_s : 0;
    if (rest > 0)
        return must_format("%lld%c%lld%c", (long long)(age / AGES[i].unit_s), AGES[i].unit, (long long)rest,
                           AGES[i].rest);
    return must_format("%lld%c", (long long)(age / AGES[i].unit_s), AGES[i].unit);
}

static const char *event_time(const json_t *event, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *when = json_text_at(event, *keys, "");
        if (when[0])
            return when;
    }
    return NULL;
}

char *column_event_age(const json_t *event)
{
    static const char *const LAST[] = {"series.lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp",
                                       "eventTime", NULL};
    static const char *const FIRST[] = {"firstTimestamp", "deprecatedFirstTimestamp", "eventTime", NULL};
    int64_t now = now_wall_s();
    auto_free char *last = age_text(event_time(event, LAST), now);
    int64_t count = json_int_at(event, "count", json_int_at(event, "deprecatedCount", 1));
    if (count < 2)
        return take(last);
    auto_free char *first = age_text(event_time(event, FIRST), now);
    return must_format("%s (x%lld over %s)", last, (long long)count, first);
}

char *column_event_object(const json_t *event)
{
    const json_t *about = json_object_get(event, "involvedObject");
    about = about ? about : json_object_get(event, "regarding");
    char *text = must_format("%s/%s", json_text_at(about, "kind", ""), json_text_at(about, "name", ""));
    for (char *p = text; *p && *p != '/'; p++)
        *p = (char)tolower((unsigned char)*p);
    return text;
}

char *column_event_message(const json_t *event)
{
    const char *message = json_text_at(event, "message", json_text_at(event, "note", ""));
    size_t length = strlen(message);
    while (length > 0 && isspace((unsigned char)message[length - 1]))
        length--;
    char *text = must_strndup(message, length);
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return text;
}

char *column_node_status(const json_t *node)
{
    const json_t *ready = jsonpath_first(node, ".status.conditions[?(@.type=='Ready')].status");
    const char *text = text_equal(json_string_value(ready), "True") ? "Ready" : "NotReady";
    return must_format("%s%s", text, json_bool_at(node, "spec.unschedulable", false) ? ",SchedulingDisabled" : "");
}

char *column_node_address(const json_t *node)
{
    const char *text = json_string_value(jsonpath_first(node, ".status.addresses[?(@.type=='InternalIP')].address"));
    return must_strdup(text ? text : "<none>");
}

char *column_node_roles(const json_t *node)
{
    static const char prefix[] = "node-role.kubernetes.io/";
    auto_text roles = {0};
    const char *key;
    json_t *value;
    json_object_foreach(json_at(node, "metadata.labels"), key, value) if (text_starts_with(key, prefix))
        text_printf(&roles, "%s%s", roles.length ? "," : "", key + sizeof prefix - 1);
    return roles.length ? text_take(&roles) : must_strdup("<none>");
}

char *column_data_count(const json_t *object)
{
    return must_format("%zu", json_object_size(json_object_get(object, "data")) +
                                  json_object_size(json_object_get(object, "binaryData")));
}

char *column_change_owner(const json_t *change)
{
    const char *name = json_text_at(change, "spec.owner.name", NULL);
    return name ? must_format("%s/%s", json_text_at(change, "spec.owner.namespace", ""), name)
                : must_strdup("rtvmd tune");
}

static void add_cpu(struct cpuset *cpus, const json_t *number)
{
    json_int_t cpu = json_is_integer(number) ? json_integer_value(number) : -1;
    if (cpu >= 0 && cpu < CPUSET_MAX)
        cpuset_add(cpus, (unsigned)cpu);
}

static void add_list(struct cpuset *cpus, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        add_cpu(cpus, json_array_get(list, i));
}

static char *cpus_text(const struct cpuset *cpus)
{
    struct cpuset_text text;
    return must_strdup(cpuset_format(cpus, &text));
}

char *column_placement_cpus(const json_t *placement)
{
    struct cpuset cpus = {0};
    const char *vcpu;
    json_t *cpu;
    json_t *own = json_at(placement, "spec.vcpus");
    json_object_foreach(own, vcpu, cpu) add_cpu(&cpus, cpu);
    if ((int64_t)json_object_size(own) < json_int_at(placement, "spec.vcpuCount", 0)) /* the others float */
        add_list(&cpus, json_at(placement, "spec.shared"));
    return cpus_text(&cpus);
}

char *column_placement_emulator(const json_t *placement)
{
    struct cpuset cpus = {0};
    add_list(&cpus, json_at(placement, "spec.emulator"));
    return cpus_text(&cpus);
}

char *column_placement_pages(const json_t *placement)
{
    auto_text text = {0};
    size_t i;
    json_t *row;
    json_array_foreach(json_at(placement, "spec.pages"), i, row)
    {
        json_int_t mib = json_int_at(row, "pageBytes", 0) >> 20;
        if (mib > 0)
            text_printf(&text, "%s%lld:%lldx%lld%s", text.length ? "," : "", (long long)json_int_at(row, "node", -1),
                        (long long)json_int_at(row, "pages", 0), (long long)(mib >= 1024 ? mib >> 10 : mib),
                        mib >= 1024 ? "Gi" : "Mi");
    }
    return must_strdup(text_cstr(&text));
}

char *column_placement_proof(const json_t *placement)
{
    const json_t *ok = json_at(placement, "status.proof.ok");
    return must_strdup(json_is_true(ok) ? "True" : json_is_false(ok) ? "False" : "");
}
