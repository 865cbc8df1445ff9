/* The streams of a VMI: its console, its screen, its ports. Which socket that is, and whether it may be used now, is
 * the runtime's answer; here it is dialed. The screen's connection comes open from there. */
#include "api/streams/device.h"

#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/streams/tunnel.h"
#include "api/wire/jsonpath.h"

/* One client at a time: a new one takes over, unless it asked to leave the session alone. */
static int check_session(const struct call *call, const char *device, char **ret_key, struct error *err)
{
    const struct target *t = &call->target;
    auto_free char *key = must_format("%s/%s/%s", t->namespace_, t->name, device);
    if (call_flag(call, "preserveSession") && tunnel_is_used(call->api->tunnels, key))
        return fail(err, ERROR_UNAVAILABLE, "there is an active %s session of %s/%s, and it is to be preserved", device,
                    t->namespace_, t->name);
    *ret_key = take(key);
    return 0;
}

int device_console(struct call *call, struct error *err)
{
    static const char DEVICE[] = "serial0";
    const struct target *t = &call->target;
    auto_free char *path = runtime_socket(call->api->runtime, t->namespace_, t->name, DEVICE, err);
    if (!path)
        return -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(err, ERROR_INTERNAL, "Internal error occurred: the path of the %s socket is too long: %s", DEVICE,
                    path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    auto_free char *key = NULL;
    if (check_session(call, DEVICE, &key, err) < 0)
        return -1;
    return tunnel_begin(call, (struct sockaddr *)&address, sizeof address, key, err);
}

static void screen_opened(int fd, const struct error *failure, void *arg)
{
    struct call *call = arg;
    auto_free char *key = NULL;
    struct error err;
    if (failure) {
        call_answer_error(call, failure);
    } else if (check_session(call, "vnc", &key, &err) < 0) {
        close(fd);
        call_answer_error(call, &err);
    } else if (tunnel_adopt(call, fd, key, &err) < 0) {
        call_answer_error(call, &err);
    }
}

/* The runtime opens the connection, which takes a moment: what can be refused is refused before. */
int device_vnc(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    auto_free char *key = NULL;
    if (tunnel_check(call, err) < 0 || check_session(call, "vnc", &key, err) < 0)
        return -1;
    runtime_screen(call->api->runtime, t->namespace_, t->name, screen_opened, call);
    return 0;
}

static void screenshot_came(int fd, const struct error *failure, void *arg)
{
    struct call *call = arg;
    char magic[2] = "";
    if (failure) {
        call_answer_error(call, failure);
        return;
    }
    bool is_ppm = pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "P6", sizeof magic) == 0;
    http_reply_file(call->http, 200, is_ppm ? "image/x-portable-pixmap" : "image/png", fd);
    call_end(call, 200);
}

int device_screenshot(struct call *call, struct error *err)
{
    (void)err;
    const struct target *t = &call->target;
    runtime_screenshot(call->api->runtime, t->namespace_, t->name, screenshot_came, call);
    return 0;
}

static int check_running(const struct target *t, const json_t *vmi, struct error *err)
{
    const char *phase = json_text_at(vmi, "status.phase", "");
    if (!vmi && strcmp(t->resource->kind, "VirtualMachine") == 0)
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"%s\": VMI is not "
                    "started",
                    t->name);
    if (!vmi)
        return fail(err, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", t->name);
    if (strcmp(phase, "Running") != 0)
        return fail(err, ERROR_BAD_REQUEST, "VMI is not running (its phase is %s)", phase);
    const json_t *paused = jsonpath_first(vmi, ".status.conditions[?(@.type=='Paused')].status");
    if (text_equal(json_string_value(paused), "True"))
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"%s\": VMI is paused",
                    t->name);
    return 0;
}

int device_port(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    uint64_t port;
    if (!text_to_u64(t->rest[0], &port) || port == 0 || port > UINT16_MAX)
        return fail(err, ERROR_BAD_REQUEST, "port \"%s\": must be a number from 1 to 65535", t->rest[0]);
    bool udp = strcmp(t->rest[1], "udp") == 0;
    if (t->rest[1][0] && !udp && strcmp(t->rest[1], "tcp") != 0)
        return fail(err, ERROR_BAD_REQUEST, "protocol \"%s\": want tcp or udp", t->rest[1]);
    auto_json *vmi = store_get(call->api->store, "VirtualMachineInstance", t->namespace_, t->name);
    if (check_running(t, vmi, err) < 0)
        return -1;
    const char *ip = json_text_at(vmi, "status.interfaces.0.ipAddress", "");
    if (ip[0] == '\0')
        return fail(err, ERROR_BAD_REQUEST,
                    "no network interface of %s has an address that can be reached from the host; "
                    "give it a network other than the pod network, or wait for the guest agent",
                    t->name);
    struct sockaddr_storage address;
    int length = sizeof address;
    auto_free char *text = must_format(strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, (unsigned)port);
    if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &length) < 0)
        return fail(err, ERROR_INTERNAL, "Internal error occurred: dialing VM: %s is no address", text);
    if (udp)
        return tunnel_begin_datagrams(call, (struct sockaddr *)&address, (socklen_t)length, err);
    return tunnel_begin(call, (struct sockaddr *)&address, (socklen_t)length, NULL, err);
}
