#include <stdlib.h>
#include <string.h>

#include "runtime/inside.h"

/* What the guest says about itself, through its agent, in KubeVirt's shape. One table: what is asked for → which agent
 * commands → how their answers are put together. */

#define COMMAND(name) "{\"execute\":\"" name "\"}"

enum { ANSWERS_MAX = 5 };

struct question {
    const char *what;
    const char *commands[ANSWERS_MAX + 1]; /* the first must be answered, the others may be unknown to the agent */
    json_t *(*shape)(json_t *const answers[]);
};

/* The value under "return" of an agent's answer; NULL when there is none. New reference. */
static json_t *unpack(const char *reply)
{
    struct error ignored;
    auto_json *whole = reply ? json_from_text(reply, strlen(reply), &ignored) : NULL;
    return json_incref(json_object_get(whole, "return"));
}

static void copy(json_t *to, const char *to_key, const json_t *from, const char *from_key)
{
    json_t *value = json_object_get(from, from_key);
    if (value)
        json_object_set(to, to_key, value);
}

static json_t *user_items(const json_t *users)
{
    json_t *items = json_array();
    size_t i;
    json_t *user;
    json_array_foreach((json_t *)users, i, user)
    {
        json_t *item = json_object();
        copy(item, "userName", user, "user");
        copy(item, "domain", user, "domain");
        copy(item, "loginTime", user, "login-time");
        json_array_append_new(items, item);
    }
    return items;
}

static json_t *filesystem_items(const json_t *filesystems)
{
    json_t *items = json_array();
    size_t i;
    json_t *filesystem;
    json_array_foreach((json_t *)filesystems, i, filesystem)
    {
        json_t *item = json_object();
        copy(item, "diskName", filesystem, "name");
        copy(item, "mountPoint", filesystem, "mountpoint");
        copy(item, "fileSystemType", filesystem, "type");
        copy(item, "usedBytes", filesystem, "used-bytes");
        copy(item, "totalBytes", filesystem, "total-bytes");
        json_t *disks = json_array();
        size_t d;
        json_t *disk;
        json_array_foreach(json_object_get(filesystem, "disk"), d, disk)
        {
            json_t *entry = json_object();
            copy(entry, "serial", disk, "serial");
            copy(entry, "busType", disk, "bus-type");
            json_array_append_new(disks, entry);
        }
        json_object_set_new(item, "disk", disks);
        json_array_append_new(items, item);
    }
    return items;
}

static json_t *object_of(const char *kind)
{
    return json_pack("{s:s, s:s, s:{}}", "apiVersion", "subresources.kubevirt.io/v1", "kind", kind, "metadata");
}

static json_t *shape_info(json_t *const answers[])
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
    json_t *info = object_of("VirtualMachineInstanceGuestAgentInfo");
    json_t *os = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
        copy(os, FIELDS[i][0], answers[1], FIELDS[i][1]);
    copy(info, "guestAgentVersion", answers[0], "version");
    json_object_set_new(info, "os", os);
    copy(info, "hostname", answers[2], "host-name");
    copy(info, "timezone", answers[3], "zone");
    json_object_set_new(info, "userList", user_items(answers[4]));
    json_t *commands = json_array();
    size_t i;
    json_t *command;
    json_array_foreach(json_object_get(answers[0], "supported_commands"), i, command)
    {
        json_t *entry = json_object();
        copy(entry, "name", command, "name");
        copy(entry, "enabled", command, "enabled");
        json_array_append_new(commands, entry);
    }
    json_object_set_new(info, "supportedCommands", commands);
    return info;
}

static json_t *shape_users(json_t *const answers[])
{
    json_t *list = object_of("VirtualMachineInstanceGuestOSUserList");
    json_object_set_new(list, "items", user_items(answers[0]));
    return list;
}

static json_t *shape_filesystems(json_t *const answers[])
{
    json_t *list = object_of("VirtualMachineInstanceFileSystemList");
    json_object_set_new(list, "items", filesystem_items(answers[0]));
    return list;
}

static const struct question QUESTIONS[] = {
    {"guestosinfo",
     {COMMAND("guest-info"), COMMAND("guest-get-osinfo"), COMMAND("guest-get-host-name"), COMMAND("guest-get-timezone"),
      COMMAND("guest-get-users")},
     shape_info},
    {"userlist", {COMMAND("guest-get-users")}, shape_users},
    {"filesystemlist", {COMMAND("guest-get-fsinfo")}, shape_filesystems},
};

struct waiting {
    const struct question *question;
    runtime_answer *answer;
    void *arg;
};

static void answered(struct work *work, const struct error *failure, void *arg)
{
    struct waiting *wait = arg;
    json_t *answers[ANSWERS_MAX] = {0};
    auto_json *result = NULL;
    if (!failure) {
        for (size_t i = 0; i < work->command_count; i++)
            answers[i] = unpack(work->reply[i]);
        result = wait->question->shape(answers);
    }
    wait->answer(result, failure, wait->arg);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        json_decref(answers[i]);
    free(wait);
}

static int ask(struct runtime *runtime, const char *namespace_, const char *name, const char *what,
               runtime_answer *answer, void *arg, struct error *err)
{
    const struct question *question = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(QUESTIONS); i++)
        if (strcmp(QUESTIONS[i].what, what) == 0)
            question = &QUESTIONS[i];
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (!question || !vmi)
        return fail(err, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", name);
    const char *why = vmi_status_phase(vmi) != VMI_RUNNING           ? "VMI is not running"
                      : !condition_is(vmi, "AgentConnected", "True") ? "VMI does not have guest agent connected"
                                                                     : NULL;
    if (why)
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"%s\": %s", name, why);
    struct machine *machine = machine_get(runtime, namespace_, name);
    machine_adopt_uid(machine, json_text_at(vmi, "metadata.uid", ""));
    struct work *work = job_new(runtime, machine, WORK_AGENT);
    for (size_t i = 0; i < ANSWERS_MAX && question->commands[i]; i++) {
        work->command[i] = must_strdup(question->commands[i]);
        work->command_is_optional[i] = i > 0;
        work->command_count++;
    }
    struct waiting *wait = must_calloc(1, sizeof *wait);
    *wait = (struct waiting){question, answer, arg};
    work->answer = answered;
    work->arg = wait;
    job_send_aside(runtime, work);
    return 0;
}

void runtime_guest(struct runtime *runtime, const char *namespace_, const char *name, const char *what,
                   runtime_answer *answer, void *arg)
{
    struct error err;
    if (ask(runtime, namespace_, name, what, answer, arg, &err))
        answer(NULL, &err, arg);
}
