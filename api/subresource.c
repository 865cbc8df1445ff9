#include "api/subresource.h"

#include <stdlib.h>
#include <string.h>

#include "api/identity/access.h"
#include "api/read.h"
#include "api/source.h"
#include "api/streams/device.h"

/* "vnc" is another one than "vnc/screenshot"; behind portforward come a port and a protocol. */
static bool is_named(const struct subresource *s, const struct target *t)
{
    if (!t->rest[0][0] || strcmp(s->name, "portforward") == 0)
        return strcmp(s->name, t->sub) == 0;
    size_t length = strlen(t->sub);
    return strncmp(s->name, t->sub, length) == 0 && s->name[length] == '/' &&
           strcmp(s->name + length + 1, t->rest[0]) == 0 && !t->rest[1][0];
}

static const struct subresource *find(const struct target *t)
{
    for (const struct subresource *s = SUBRESOURCES; s < SUBRESOURCES + SUBRESOURCE_COUNT; s++)
        if (is_named(s, t) && strcmp(s->plural, t->resource->plural) == 0 &&
            strcmp(s->group, t->subresources_group ? SUBRESOURCE_GROUP : t->resource->group) == 0)
            return s;
    return NULL;
}

bool subresource_is_own(const struct target *t)
{
    return t->has_name && t->sub[0] && find(t) != NULL;
}

static void acted(const struct error *failure, void *arg)
{
    struct call *call = arg;
    if (failure) {
        call_answer_error(call, failure);
        return;
    }
    call_answer_empty(call, find(&call->target)->status);
}

static int act(struct call *call, struct error *err)
{
    auto_json *options = call_body(call, true, err);
    if (!options)
        return -1;
    const struct target *t = &call->target;
    runtime_act(call->api->runtime, find(t)->action, t->namespace_, t->name, options, acted, call);
    return 0;
}

static void answered(json_t *result, const struct error *failure, void *arg)
{
    struct call *call = arg;
    if (failure)
        call_answer_error(call, failure);
    else
        call_answer(call, 200, json_incref(result));
}

/* virtctl guestosinfo reads no Status of a refusal: all it prints is the text of a page with 500, which is what
 * KubeVirt answers. */
static void guestosinfo_answered(json_t *result, const struct error *failure, void *arg)
{
    if (failure)
        call_answer_text(arg, 500, failure->text);
    else
        answered(result, NULL, arg);
}

static int ask_guest(struct call *call, struct error *err)
{
    (void)err;
    const struct target *t = &call->target;
    runtime_guest(call->api->runtime, t->namespace_, t->name, t->sub,
                  strcmp(t->sub, "guestosinfo") == 0 ? guestosinfo_answered : answered, call);
    return 0;
}

/* Everything that was measured, as one document: runtime/latency/run.h. */
static int latency_run(struct call *call, struct error *err)
{
    (void)err;
    const struct target *t = &call->target;
    runtime_latency_run(call->api->runtime, t->namespace_, t->name, answered, call);
    return 0;
}

/* Plan against actual, now. Putting threads back is a change: only when asked for. */
static int verify(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    bool repair = call_flag(call, "repair");
    if (repair && access_check(call, "update", err) < 0)
        return -1;
    runtime_verify(call->api->runtime, t->namespace_, t->name, repair, answered, call);
    return 0;
}

/* There are no instance types here, so that the expanded VM is the VM with its defaults. */
static int expand_stored(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    json_t *vm = source_get(call->api, t->resource, t->version, t->namespace_, t->name);
    if (!vm)
        return read_not_found(t, err);
    call_answer(call, 200, vm);
    return 0;
}

int subresource_expand(struct call *call, struct error *err)
{
    auto_json *vm = call_body(call, false, err);
    if (!vm)
        return -1;
    const char *const path_namespace = strstr(http_path(call->http), "/namespaces/") + strlen("/namespaces/");
    auto_free char *namespace_ = must_strndup(path_namespace, strcspn(path_namespace, "/"));
    const char *said = json_text_at(vm, "metadata.namespace", "");
    if (said[0] && strcmp(said, namespace_) != 0)
        return fail(err, ERROR_BAD_REQUEST, "VM namespace must be empty or %s", namespace_);
    if (strcmp(json_text_at(vm, "kind", ""), "VirtualMachine") != 0)
        return fail(err, ERROR_BAD_REQUEST, "Object is not a valid VirtualMachine");
    auto_findings findings = {0};
    if (runtime_admit_write(call->api->runtime, vm, NULL, &findings, err) < 0)
        return -1;
    if (findings.cause_count > 0) {
        call->target.resource = resource_find("kubevirt.io", "v1", "virtualmachines");
        call_answer_invalid(call, &findings, json_text_at(vm, "metadata.name", ""));
        return 0;
    }
    call_answer(call, 200, take(vm));
    return 0;
}

/* What KubeVirt can do and one host cannot, or we do not: said in the words of its row. */
static int refuse(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    return fail(err, ERROR_CONFLICT, "Operation cannot be fulfilled on %s.kubevirt.io \"%s\": %s",
                t->resource->singular, t->name, find(t)->why);
}

#define ONE_HOST "rtvmd runs on one host, there is nowhere to migrate to"
#define NO_DUMPS "rtvmd dumps no memory into claims; `virsh dump --memory-only` on the host writes it to a file"
#define NO_USB "rtvmd redirects no USB devices; give the VM a device of the host"

#define VM "virtualmachines"
#define VMI "virtualmachineinstances"

/* Ordered by plural. */
const struct subresource SUBRESOURCES[] = {
    {SUBRESOURCE_GROUP, VM, "start", HTTP_PUT, act, 202, RUNTIME_VM_START, NULL},
    {SUBRESOURCE_GROUP, VM, "stop", HTTP_PUT, act, 202, RUNTIME_VM_STOP, NULL},
    {SUBRESOURCE_GROUP, VM, "restart", HTTP_PUT, act, 202, RUNTIME_VM_RESTART, NULL},
    {SUBRESOURCE_GROUP, VM, "addvolume", HTTP_PUT, act, 202, RUNTIME_VM_ADD_VOLUME, NULL},
    {SUBRESOURCE_GROUP, VM, "removevolume", HTTP_PUT, act, 202, RUNTIME_VM_REMOVE_VOLUME, NULL},
    {SUBRESOURCE_GROUP, VM, "expand-spec", HTTP_GET, expand_stored, 200, 0, NULL},
    {SUBRESOURCE_GROUP, VM, "migrate", HTTP_PUT, refuse, 0, 0, ONE_HOST},
    {SUBRESOURCE_GROUP, VM, "memorydump", HTTP_PUT, refuse, 0, 0, NO_DUMPS},
    {SUBRESOURCE_GROUP, VM, "removememorydump", HTTP_PUT, refuse, 0, 0, NO_DUMPS},
    {SUBRESOURCE_GROUP, VM, "portforward", HTTP_GET, device_port, 101, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "pause", HTTP_PUT, act, 200, RUNTIME_VMI_PAUSE, NULL},
    {SUBRESOURCE_GROUP, VMI, "unpause", HTTP_PUT, act, 200, RUNTIME_VMI_UNPAUSE, NULL},
    {SUBRESOURCE_GROUP, VMI, "softreboot", HTTP_PUT, act, 200, RUNTIME_VMI_SOFTREBOOT, NULL},
    {SUBRESOURCE_GROUP, VMI, "reset", HTTP_PUT, act, 200, RUNTIME_VMI_RESET, NULL},
    {SUBRESOURCE_GROUP, VMI, "freeze", HTTP_PUT, act, 200, RUNTIME_VMI_FREEZE, NULL},
    {SUBRESOURCE_GROUP, VMI, "unfreeze", HTTP_PUT, act, 200, RUNTIME_VMI_UNFREEZE, NULL},
    {SUBRESOURCE_GROUP, VMI, "addvolume", HTTP_PUT, act, 202, RUNTIME_VMI_ADD_VOLUME, NULL},
    {SUBRESOURCE_GROUP, VMI, "removevolume", HTTP_PUT, act, 202, RUNTIME_VMI_REMOVE_VOLUME, NULL},
    {SUBRESOURCE_GROUP, VMI, "console", HTTP_GET, device_console, 101, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "vnc", HTTP_GET, device_vnc, 101, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "vnc/screenshot", HTTP_GET, device_screenshot, 200, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "usbredir", HTTP_GET, refuse, 0, 0, NO_USB},
    {SUBRESOURCE_GROUP, VMI, "portforward", HTTP_GET, device_port, 101, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "guestosinfo", HTTP_GET, ask_guest, 200, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "userlist", HTTP_GET, ask_guest, 200, 0, NULL},
    {SUBRESOURCE_GROUP, VMI, "filesystemlist", HTTP_GET, ask_guest, 200, 0, NULL},
    {"rtvmd.io", "latencytests", "run", HTTP_GET, latency_run, 200, 0, NULL},
    {"rtvmd.io", "placements", "verify", HTTP_GET | HTTP_POST, verify, 200, 0, NULL},
};
const size_t SUBRESOURCE_COUNT = ARRAY_SIZE(SUBRESOURCES);

int subresource_handle(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    const struct subresource *s = t->has_name ? find(t) : NULL;
    if (!s)
        return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
    if (!(s->methods & http_method(call->http)))
        return fail(err, ERROR_METHOD_NOT_ALLOWED, "%s does not take %s", t->sub, http_method_text(call->http));
    bool reads = http_method(call->http) == HTTP_GET;
    if (access_check(call, reads ? "get" : "update", err) < 0)
        return -1;
    return s->handle(call, err);
}
