/* A client of the whole api/ over its unix socket, in one thread with the loop: for the tests that ask as users do. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "rtvmd/base/file.h"
#include "tests/test.h"
#include "tests/unit/fake_runtime.h"

static struct loop *loop;
static struct store *store;
static struct api *api;
static char folder[] = "/tmp/rtvmd-api-XXXXXX";
static char path[64];

static inline int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        perror("connect");
    return fd;
}

/* Turns the loop until the text was heard, the other end closed, or three seconds brought nothing. */
static struct text heard;

static inline const char *hear(int fd, const char *until)
{
    text_clear(&heard);
    uint64_t end = now_monotonic_ms() + 3000;
    while (now_monotonic_ms() < end) {
        loop_run_once(loop, false);
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            break;
        if (n > 0) {
            text_append_n(&heard, chunk, (size_t)n);
            end = now_monotonic_ms() + 3000;
        } else {
            usleep(100);
        }
        if (until && memmem(text_cstr(&heard), heard.length, until, strlen(until)))
            break;
    }
    return text_cstr(&heard);
}

static inline void send_request(int fd, const char *method, const char *target, const char *headers, const char *body)
{
    auto_text request = {0};
    text_printf(&request,
                "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: tester/1\r\n%sContent-Length: "
                "%zu\r\n\r\n%s",
                method, target, headers, strlen(body), body);
    CHECK(write(fd, request.data, request.length) == (ssize_t)request.length);
}

static int status;
static char answer_head[4096];

/* The JSON body of the answer; its status is in `status`. Valid until the next call. */
static inline json_t *ask_with(const char *method, const char *target, const char *headers, const char *body)
{
    static json_t *answer;
    int fd = dial();
    send_request(fd, method, target, headers, body);
    const char *bytes = hear(fd, NULL);
    close(fd);
    status = strlen(bytes) > 12 ? (int)strtol(bytes + 9, NULL, 10) : 0;
    const char *end = strstr(bytes, "\r\n\r\n");
    snprintf(answer_head, sizeof answer_head, "%.*s", end ? (int)(end - bytes) : 0, bytes);
    json_decref(answer);
    struct error err;
    answer = end && end[4] ? json_from_text(end + 4, strlen(end + 4), &err) : NULL;
    return answer;
}

static inline json_t *ask(const char *method, const char *target, const char *body)
{
    return ask_with(method, target, "", body);
}

static inline const char *says(const json_t *answer, const char *at)
{
    return json_text_at(answer, at, "(none)");
}

#define VMS "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
#define VM(name)                                                                                    \
    "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":{\"template\":{}}}"
#define MAPS "/api/v1/namespaces/default/configmaps"
#define MAP(name, more) \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name "\"" more "},\"data\":{\"a\":\"1\"}}"

/* False: a line said why. */
static inline bool api_begin(void)
{
    struct error err;
    if (!mkdtemp(folder))
        return false;
    snprintf(path, sizeof path, "%s/socket", folder);
    loop = loop_new();
    store = fake_store = store_open(folder, loop, &err);
    api = store ? api_new(loop, store, NULL) : NULL;
    if (!api || http_listen_unix(api_http(api), path, 0600, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        return false;
    }
    return true;
}

static inline void api_end(void)
{
    struct error err;
    api_free(api);
    store_close(store);
    loop_free(loop);
    file_remove_tree(folder, &err);
}
