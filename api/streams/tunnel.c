#include "api/streams/tunnel.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api/http/frames.h"
#include "api/streams/datagram.h"
#include "api/wire/digest.h"

/* Life of a tunnel: dialing (only the device), open (both), ending (one side is gone, what is on its way to the other
 * one is still delivered). The web socket's own messages: a ping now and then finds clients that vanished; a clean end
 * of the device is a close frame with 1000, an end by another client's arrival is none at all, which tools tell apart.
 */

static const char PROTOCOL[] = "plain.kubevirt.io";

enum { CLOSE_NORMAL = 1000 };

struct tunnel {
    struct tunnels *tunnels;
    struct tunnel *next;
    struct tunnel **at;
    char *key;
    char *vmi; /* "namespace/name" */
    char sub[64];
    char token[AUTH_TOKEN_ID_BYTES]; /* that opened it; "" none */
    int64_t expires_s;               /* of the token; 0 never */
    struct call *call;               /* while dialing */
    struct http_tunnel *http;        /* NULL: not open yet, or the client is gone */
    struct bufferevent *client;      /* its bufferevent */
    struct bufferevent *device;      /* NULL: gone, or datagrams */
    struct sockaddr_storage address; /* of the device */
    socklen_t address_length;
    uint64_t dial_until_ms;
    struct datagrams *datagrams;
    struct frame_reader reader;
    bool client_leaves; /* a close frame was answered; ours is on its way */
    struct loop_watch *ping;
    unsigned pings_unanswered;
};

struct tunnels {
    struct api *api;
    struct tunnel *first;
    size_t count;
};

static void tunnel_free(struct tunnel *t)
{
    if (t->device)
        bufferevent_free(t->device);
    datagrams_free(t->datagrams);
    if (t->http)
        http_tunnel_close(t->http);
    *t->at = t->next;
    if (t->next)
        t->next->at = t->at;
    t->tunnels->count--;
    loop_watch_free(t->ping);
    free(t->key);
    free(t->vmi);
    free(t);
}

/* ---- ends */

static void client_say(struct tunnel *t, enum frame_kind kind, const void *bytes, size_t length)
{
    auto_text frame = {0};
    frame_write(kind, false, bytes, length, &frame);
    bufferevent_write(t->client, frame.data, frame.length);
}

/* The last frame of ours, and a time within which it must be heard. */
static void client_say_close(struct tunnel *t, unsigned code)
{
    static const struct timeval patience = {.tv_sec = LIMIT_TUNNEL_END_S};
    auto_text frame = {0};
    frame_write_close(false, code, &frame);
    bufferevent_setwatermark(t->client, EV_WRITE, 0, 0);
    bufferevent_set_timeouts(t->client, &patience, &patience);
    bufferevent_write(t->client, frame.data, frame.length);
}

/* The device is gone: tell the client, and wait until it hangs up. */
static void device_gone(struct tunnel *t)
{
    bufferevent_free(take(t->device));
    if (t->client_leaves)
        return;
    client_say_close(t, CLOSE_NORMAL);
    bufferevent_enable(t->client, EV_READ);
    loop_timer_arm(t->ping, LIMIT_TUNNEL_PING_S * 1000ULL); /* whatever it goes on to say */
}

/* The client is gone: what it said is still delivered. */
static void client_gone(struct tunnel *t)
{
    static const struct timeval patience = {.tv_sec = LIMIT_TUNNEL_END_S};
    http_tunnel_close(take(t->http));
    t->client = NULL;
    loop_timer_disarm(t->ping);
    if (!t->device || evbuffer_get_length(bufferevent_get_output(t->device)) == 0) {
        tunnel_free(t);
        return;
    }
    bufferevent_disable(t->device, EV_READ);
    bufferevent_setwatermark(t->device, EV_WRITE, 0, 0);
    bufferevent_set_timeouts(t->device, NULL, &patience);
}

static void server_closed(void *arg)
{
    struct tunnel *t = arg;
    t->http = NULL; /* frees itself */
    tunnel_free(t);
}

/* ---- client to device */

static void frame_came(enum frame_kind kind, const unsigned char *bytes, size_t length, bool final, void *arg)
{
    struct tunnel *t = arg;
    t->pings_unanswered = 0;
    if (kind == FRAME_PING)
        client_say(t, FRAME_PONG, bytes, length);
    else if (kind == FRAME_CLOSE)
        t->client_leaves = true;
    else if (kind == FRAME_DATA && t->datagrams)
        datagrams_take(t->datagrams, bytes, length, final);
    else if (kind == FRAME_DATA && t->device && length > 0)
        bufferevent_write(t->device, bytes, length);
}

/* A client has to wait for the device, and for its own reading of our answers to its pings. */
static bool may_say_more(const struct tunnel *t)
{
    return evbuffer_get_length(bufferevent_get_output(t->client)) <= LIMIT_TUNNEL_BYTES &&
           !(t->device && evbuffer_get_length(bufferevent_get_output(t->device)) > LIMIT_TUNNEL_BYTES);
}

static void client_read(struct bufferevent *bufferevent, void *arg)
{
    struct tunnel *t = arg;
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    size_t length = evbuffer_get_length(input);
    int wrong = length > 0 ? frame_read(&t->reader, evbuffer_pullup(input, (ev_ssize_t)length), length) : 0;
    evbuffer_drain(input, length);
    if (t->client_leaves || wrong) {
        t->client_leaves = true;
        bufferevent_disable(t->client, EV_READ);
        if (t->device || t->datagrams)
            client_say_close(t, wrong ? (unsigned)wrong : CLOSE_NORMAL);
        else
            client_gone(t); /* it answers ours */
        return;
    }
    if (!may_say_more(t))
        bufferevent_disable(bufferevent, EV_READ);
}

static void device_written(struct bufferevent *bufferevent, void *arg)
{
    (void)bufferevent;
    struct tunnel *t = arg;
    if (t->client && !t->client_leaves && may_say_more(t))
        bufferevent_enable(t->client, EV_READ);
    else if (!t->client && !t->call)
        tunnel_free(t); /* the last bytes of a client that left */
}

/* ---- device to client */

static void device_read(struct bufferevent *bufferevent, void *arg)
{
    struct tunnel *t = arg;
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    size_t length = evbuffer_get_length(input);
    if (length == 0 || !t->client || t->client_leaves)
        return;
    client_say(t, FRAME_DATA, evbuffer_pullup(input, (ev_ssize_t)length), length);
    evbuffer_drain(input, length);
    if (evbuffer_get_length(bufferevent_get_output(t->client)) > LIMIT_TUNNEL_BYTES)
        bufferevent_disable(bufferevent, EV_READ);
}

/* A client that does not keep up misses some. */
static void datagram_came(const unsigned char *bytes, size_t length, void *arg)
{
    struct tunnel *t = arg;
    if (t->client && !t->client_leaves && evbuffer_get_length(bufferevent_get_output(t->client)) <= LIMIT_TUNNEL_BYTES)
        client_say(t, FRAME_DATA, bytes, length);
}

static void client_written(struct bufferevent *bufferevent, void *arg)
{
    (void)bufferevent;
    struct tunnel *t = arg;
    if (t->client_leaves) {
        client_gone(t);
        return;
    }
    if (t->device)
        bufferevent_enable(t->device, EV_READ);
    if (may_say_more(t))
        bufferevent_enable(t->client, EV_READ);
}

/* ---- events */

static void client_event(struct bufferevent *bufferevent, short what, void *arg)
{
    (void)bufferevent;
    (void)what;
    client_gone(arg);
}

static void dial_device(struct tunnel *t);

static void ping_due(void *arg)
{
    struct tunnel *t = arg;
    if (t->call) {
        dial_device(t);
        return;
    }
    bool is_ending = !t->device && !t->datagrams;
    bool is_expired = t->expires_s != 0 && t->expires_s <= now_wall_s();
    if (is_ending || is_expired || ++t->pings_unanswered > LIMIT_TUNNEL_PINGS) {
        client_gone(t);
        return;
    }
    client_say(t, FRAME_PING, "keep alive", strlen("keep alive"));
    loop_timer_arm(t->ping, LIMIT_TUNNEL_PING_S * 1000ULL);
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t n = strcspn(list, ", \t");
        if (n == length && strncasecmp(list, word, n) == 0)
            return true;
        list += n;
    }
    return false;
}

static void open_tunnel(struct tunnel *t)
{
    struct call *call = take(t->call);
    char accept[WEBSOCKET_ACCEPT_MAX];
    websocket_accept(http_header(call->http, "Sec-WebSocket-Key") ? http_header(call->http, "Sec-WebSocket-Key") : "",
                     accept);
    http_add_header(call->http, "Sec-WebSocket-Accept", accept);
    const char *offered = http_header(call->http, "Sec-WebSocket-Protocol");
    if (has_word(offered, PROTOCOL))
        http_add_header(call->http, "Sec-WebSocket-Protocol", PROTOCOL);
    t->http = http_upgrade(call->http, "websocket", server_closed, t);
    call_end_upgraded(call);
    if (!t->http) {
        tunnel_free(t);
        return;
    }
    t->client = http_tunnel_bufferevent(t->http);
    bufferevent_setcb(t->client, client_read, client_written, client_event, t);
    bufferevent_setwatermark(t->client, EV_WRITE, LIMIT_TUNNEL_BYTES / 4, 0);
    if (t->device) {
        bufferevent_set_timeouts(t->device, NULL, NULL);
        bufferevent_setwatermark(t->device, EV_WRITE, LIMIT_TUNNEL_BYTES / 4, 0);
        bufferevent_enable(t->device, EV_READ | EV_WRITE);
    }
    bufferevent_trigger(t->client, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    loop_timer_arm(t->ping, LIMIT_TUNNEL_PING_S * 1000ULL);
}

static void dial_failed(struct tunnel *t, const char *because)
{
    struct error failure;
    fail(&failure, ERROR_INTERNAL, "Internal error occurred: dialing VM: %s", because);
    call_answer_error(take(t->call), &failure);
    tunnel_free(t);
}

/* QEMU lets one more wait at a socket of its. When it has not yet seen that the last one left, the next is asked to try
 * again. */
static void dial_device(struct tunnel *t)
{
    if (bufferevent_socket_connect(t->device, (struct sockaddr *)&t->address, (int)t->address_length) == 0)
        return;
    if (errno == EAGAIN && now_monotonic_ms() < t->dial_until_ms)
        loop_timer_arm(t->ping, LIMIT_DIAL_AGAIN_MS);
    else
        dial_failed(t, strerror(errno));
}

static void device_event(struct bufferevent *bufferevent, short what, void *arg)
{
    struct tunnel *t = arg;
    if (t->call && (what & BEV_EVENT_CONNECTED))
        open_tunnel(t);
    else if (t->call)
        dial_failed(t, what & BEV_EVENT_TIMEOUT ? "timed out" : strerror(errno));
    else if (t->client) {
        device_read(bufferevent, t);
        device_gone(t);
    } else {
        tunnel_free(t);
    }
}

/* ---- beginning */

int tunnel_check(const struct call *call, struct error *err)
{
    const char *key = http_header(call->http, "Sec-WebSocket-Key");
    if (!has_word(http_header(call->http, "Upgrade"), "websocket") ||
        !has_word(http_header(call->http, "Connection"), "upgrade"))
        return fail(err, ERROR_BAD_REQUEST, "this is a web socket: ask for it with Upgrade: websocket");
    if (!text_equal(http_header(call->http, "Sec-WebSocket-Version"), "13"))
        return fail(err, ERROR_BAD_REQUEST, "Sec-WebSocket-Version: must be 13");
    if (!key || strlen(key) != 24)
        return fail(err, ERROR_BAD_REQUEST, "Sec-WebSocket-Key: must be 16 bytes in base64");
    return 0;
}

static struct tunnel *find(const struct tunnels *tunnels, const char *key)
{
    for (struct tunnel *t = tunnels->first; t; t = t->next)
        if (t->key && strcmp(t->key, key) == 0 && (t->client || t->call))
            return t;
    return NULL;
}

bool tunnel_is_used(const struct tunnels *tunnels, const char *key)
{
    return find(tunnels, key) != NULL;
}

static void cut_off(struct tunnel *t)
{
    if (t->call)
        dial_failed(t, "another client came");
    else
        tunnel_free(t);
}

/* A tunnel without a device yet; whoever used the key is cut off. */
static struct tunnel *tunnel_new(struct call *call, const char *key, struct error *err)
{
    struct tunnels *tunnels = call->api->tunnels;
    if (tunnel_check(call, err) < 0)
        return NULL;
    if (tunnels->count >= LIMIT_TUNNELS) {
        fail(err, ERROR_TOO_MANY_REQUESTS, "%u tunnels are open already; close one first", LIMIT_TUNNELS);
        return NULL;
    }
    for (struct tunnel *used = tunnels->first, *next; key && used; used = next) {
        next =
            used->next; /* also one whose client has left: a device has room for one, and does not take what it said */
        if (used->key && strcmp(used->key, key) == 0)
            cut_off(used);
    }
    struct tunnel *t = must_calloc(1, sizeof *t);
    t->tunnels = tunnels;
    t->call = call;
    t->key = key ? must_strdup(key) : NULL;
    t->vmi = must_format("%s/%s", call->target.namespace_, call->target.name);
    snprintf(t->sub, sizeof t->sub, "%s", call->target.sub);
    snprintf(t->token, sizeof t->token, "%s", call->who.token);
    t->expires_s = call->who.expires_s;
    t->reader = (struct frame_reader){.from_client = true, .on_frame = frame_came, .arg = t};
    t->ping = loop_timer(call->api->loop, ping_due, t);
    t->next = tunnels->first;
    t->at = &tunnels->first;
    if (t->next)
        t->next->at = &t->next;
    tunnels->first = t;
    tunnels->count++;
    return t;
}

static void attach_device(struct tunnel *t, int fd)
{
    t->device = bufferevent_socket_new(loop_event_base(t->tunnels->api->loop), fd,
                                       BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!t->device)
        abort();
    bufferevent_setcb(t->device, device_read, device_written, device_event, t);
}

int tunnel_begin(struct call *call, const struct sockaddr *address, socklen_t length, const char *key,
                 struct error *err)
{
    static const struct timeval patience = {.tv_sec = LIMIT_DIAL_S};
    struct tunnel *t = tunnel_new(call, key, err);
    if (!t)
        return -1;
    attach_device(t, -1);
    bufferevent_set_timeouts(t->device, NULL, &patience);
    memcpy(&t->address, address, length);
    t->address_length = length;
    t->dial_until_ms = now_monotonic_ms() + LIMIT_DIAL_S * 1000ULL;
    dial_device(t);
    return 0;
}

int tunnel_adopt(struct call *call, int fd, const char *key, struct error *err)
{
    struct tunnel *t = tunnel_new(call, key, err);
    if (!t) {
        close(fd);
        return -1;
    }
    evutil_make_socket_nonblocking(fd);
    attach_device(t, fd);
    open_tunnel(t);
    return 0;
}

int tunnel_begin_datagrams(struct call *call, const struct sockaddr *address, socklen_t length, struct error *err)
{
    struct tunnel *t = tunnel_new(call, NULL, err);
    if (!t)
        return -1;
    t->datagrams = datagrams_new(call->api->loop, address, length, datagram_came, t, err);
    if (t->datagrams) {
        open_tunnel(t);
        return 0;
    }
    tunnel_free(t);
    return -1;
}

struct tunnels *tunnels_new(struct api *api)
{
    struct tunnels *tunnels = must_calloc(1, sizeof *tunnels);
    tunnels->api = api;
    return tunnels;
}

void tunnels_free(struct tunnels *tunnels)
{
    if (!tunnels)
        return;
    for (struct tunnel *t = tunnels->first, *next; t; t = next) {
        next = t->next;
        cut_off(t);
    }
    free(tunnels);
}

void tunnels_end_of_token(struct tunnels *tunnels, const char *token)
{
    for (struct tunnel *t = tunnels->first, *next; t; t = next) {
        next = t->next;
        if (token[0] && strcmp(t->token, token) == 0)
            cut_off(t);
    }
}

size_t tunnels_count(const struct tunnels *tunnels)
{
    return tunnels->count;
}

static bool leads_to(const struct tunnel *t, const char *device, const char *vmi)
{
    return strcmp(t->sub, device) == 0 && strcmp(t->vmi, vmi) == 0;
}

void tunnels_each(const struct tunnels *tunnels, const char *device,
                  void (*callback)(const char *namespace_, const char *name, size_t count, void *arg), void *arg)
{
    for (const struct tunnel *t = tunnels->first; t; t = t->next) {
        bool is_first = strcmp(t->sub, device) == 0;
        for (const struct tunnel *before = tunnels->first; before != t && is_first; before = before->next)
            is_first = !leads_to(before, device, t->vmi);
        if (!is_first)
            continue;
        size_t count = 0;
        for (const struct tunnel *other = t; other; other = other->next)
            count += leads_to(other, device, t->vmi);
        const char *slash = strchr(t->vmi, '/');
        auto_free char *namespace_ = must_strndup(t->vmi, (size_t)(slash - t->vmi));
        callback(namespace_, slash + 1, count, arg);
    }
}
