/* What one client may send: the bytes of a connection, through the real server, the real routes and the real admission,
 * to a store on a folder in memory. Whatever it is, the connection ends, nothing is left of it, and the server answers
 * the next one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "api/wire/protobuf.h"
#include "rtvmd/base/file.h"
#include "rtvmd/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS_PER_STORE = 2000, TURNS_MAX = 200 };

static char folder[] = "/dev/shm/rtvmd-fuzz-XXXXXX";
static char socket_path[64];
static struct loop *loop;
static struct store *store;
static struct runtime *runtime;
static struct api *api;

static void must(int result, const struct error *err)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s\n", err->text);
    abort();
}

static void finish(void)
{
    struct error err;
    if (!loop)
        return;
    api_free(api);
    runtime_free(runtime);
    store_close(store);
    loop_free(loop);
    loop = NULL;
    file_remove_tree(folder, &err);
}

static void begin(void)
{
    struct error err;
    static struct host host;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    if (!mkdtemp(folder))
        abort();
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new();
    store = store_open(folder, loop, &err);
    must(store ? 0 : -1, &err);
    host.cpu_limit = 1;
    const struct runtime_config config = {.state_dir = folder, .run_dir = folder, .libvirt_uri = "test:///default"};
    runtime = runtime_new(&config, loop, store, &host); /* never started: nothing runs */
    api = api_new(loop, store, runtime);
    must(http_listen_unix(api_http(api), socket_path, 0600, &err), &err);
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        abort();
    return fd;
}

/* Turns the loop until the other end closed or nothing more comes. */
static size_t listen_to(int fd, size_t turns)
{
    char answer[65536];
    size_t heard = 0;
    for (size_t quiet = 0; quiet < turns; quiet++) {
        loop_run_once(loop, false);
        ssize_t n = read(fd, answer, sizeof answer);
        if (n == 0)
            break;
        if (n > 0) {
            heard += (size_t)n;
            quiet = 0;
        }
    }
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char next[] = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static unsigned inputs;
    if (inputs == 0)
        atexit(finish);
    if (inputs++ % INPUTS_PER_STORE == 0) {
        finish();
        begin();
    }
    struct error err;
    json_decref(protobuf_read(data, size, &err));

    int fd = dial();
    if (write(fd, data, size) != (ssize_t)size)
        abort();
    shutdown(fd, SHUT_WR);
    listen_to(fd, 10);
    close(fd);
    for (size_t turn = 0; turn < TURNS_MAX && http_connection_count(api_http(api)) > 0; turn++)
        loop_run_once(loop, false);
    if (http_connection_count(api_http(api)) != 0)
        abort();
    fd = dial();
    if (write(fd, next, sizeof next - 1) != (ssize_t)sizeof next - 1 || listen_to(fd, TURNS_MAX) == 0)
        abort();
    close(fd);
    return 0;
}
