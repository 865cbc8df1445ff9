#include <stdlib.h>
#include <string.h>

#include "runtime/inside.h"

/* What a guest's agent tells without being asked by a user: its operating system and its addresses, for the status.
 * Asked when the agent comes, then with a slow look now and then. */

enum { REPORT_AGE_S = 2 * LIMIT_RESYNC_S };

#define COMMAND(name) "{\"execute\":\"" name "\"}"

static const char *const COMMANDS[] = {COMMAND("guest-get-osinfo"), COMMAND("guest-network-get-interfaces")};

static json_t *unpack(const char *reply)
{
    struct error ignored;
    auto_json *whole = reply ? json_from_text(reply, strlen(reply), &ignored) : NULL;
    return json_incref(json_object_get(whole, "return"));
}

static void told(struct work *work, const struct error *failure, void *arg)
{
    struct runtime *runtime = work->runtime;
    struct machine *machine = machine_by_key(runtime, work->key);
    free(arg);
    if (failure || !machine || strcmp(machine->uid, work->uid) != 0)
        return;
    json_decref(machine->guest);
    machine->guest = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++) {
        static const char *const KEYS[] = {"os", "interfaces"};
        json_t *value = unpack(work->reply[i]);
        if (value)
            json_object_set_new(machine->guest, KEYS[i], value);
    }
    machine_queue(runtime, machine);
}

void guest_report_refresh(struct runtime *runtime, struct machine *machine)
{
    int64_t age_s = runtime_now_s(runtime) - machine->guest_asked_s;
    if (!machine->domain.has_agent) {
        machine->guest_asked_s = 0;
        json_decref(take(machine->guest));
        return;
    }
    if (age_s >= 0 && age_s < REPORT_AGE_S)
        return;
    machine->guest_asked_s = runtime_now_s(runtime);
    struct work *work = job_new(runtime, machine, WORK_AGENT);
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++) {
        work->command[i] = must_strdup(COMMANDS[i]);
        work->command_is_optional[i] = true;
        work->command_count++;
    }
    work->answer = told;
    job_send_aside(runtime, work);
}

/* ---- into the status (pure) */
static void write_os(json_t *vmi, const json_t *os)
{
    static const char *const FIELDS[][2] = {
        {"name", "name"},
        {"kernelRelease", "kernel-release"},
        {"version", "version"},
        {"prettyName", "pretty-name"},
        {"versionId", "version-id"},
        {"kernelVersion", "kernel-version"},
        {"machine", "machine"},
        {"id", "id"},
    };
    json_t *info = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) {
        json_t *value = json_object_get(os, FIELDS[i][1]);
        if (value)
            json_object_set(info, FIELDS[i][0], value);
    }
    json_put_at(vmi, "status.guestOSInfo", info);
}

static const json_t *find_by_mac(const json_t *interfaces, const char *mac)
{
    size_t i;
    json_t *interface;
    json_array_foreach((json_t *)interfaces, i, interface)
    {
        if (strcasecmp(json_text_at(interface, "hardware-address", ""), mac) == 0)
            return interface;
    }
    return NULL;
}

/* IPv4 first: clients show the first one. */
static void write_addresses(json_t *entry, const json_t *found)
{
    static const char *const TYPES[] = {"ipv4", "ipv6"};
    json_t *all = json_array();
    for (size_t type = 0; type < ARRAY_SIZE(TYPES); type++) {
        size_t i;
        json_t *address;
        json_array_foreach(json_object_get(found, "ip-addresses"), i, address)
        {
            if (strcmp(json_text_at(address, "ip-address-type", ""), TYPES[type]) == 0)
                json_array_append(all, json_object_get(address, "ip-address"));
        }
    }
    if (json_array_size(all))
        json_object_set(entry, "ipAddress", json_array_get(all, 0));
    json_object_set_new(entry, "ipAddresses", all);
    json_object_set(entry, "interfaceName", json_object_get(found, "name"));
    json_object_set_new(entry, "infoSource", json_string("domain, guest-agent"));
}

void guest_report_write(json_t *vmi, const json_t *guest)
{
    const json_t *os = json_object_get(guest, "os");
    if (os)
        write_os(vmi, os);
    size_t i;
    json_t *entry;
    json_array_foreach(json_at(vmi, "status.interfaces"), i, entry)
    {
        const json_t *found = find_by_mac(json_object_get(guest, "interfaces"), json_text_at(entry, "mac", ""));
        if (found)
            write_addresses(entry, found);
    }
}
