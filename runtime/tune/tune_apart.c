/* The child is this same program started anew (/proc/self/exe with the hidden verb). It gets
 *   argv: TURN-FILE (or "") PARENT-PID
 *   1, 2: a pipe for the lines   3: the order
 * A change may sleep in the kernel where no signal wakes it. A thread that does so can neither be joined nor outlived:
 * its process does not end, and keeps its files, the store's lock among them. A child has nothing of the daemon's and
 * can be left behind: it is killed as soon as the kernel lets go of it, after the one change in hand. Until then it
 * holds the turn file's lock, so that nobody writes over what it is about to write. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/process.h"
#include "runtime/tune/tune.h"

enum { LOOK_MS = 100, OUT_FD = 1, ORDER_FD = 3, ABOVE_FDS = 10, GRACE_MS = 500 };

/* ---- children that did not end when they were told to */
static struct {
    pthread_mutex_t lock;
    pid_t pid[LIMIT_TUNING_LEFT];
} left = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) != 0;
}

/* False: too many hang already. */
static bool look_after_left(void)
{
    bool has_room = false;
    pthread_mutex_lock(&left.lock);
    for (size_t i = 0; i < ARRAY_SIZE(left.pid); i++) {
        if (left.pid[i] && has_ended(left.pid[i]))
            left.pid[i] = 0;
        has_room |= left.pid[i] == 0;
    }
    pthread_mutex_unlock(&left.lock);
    return has_room;
}

static void leave_behind(pid_t pid)
{
    pthread_mutex_lock(&left.lock);
    for (size_t i = 0; i < ARRAY_SIZE(left.pid); i++)
        if (left.pid[i] == 0) {
            left.pid[i] = pid;
            break;
        }
    pthread_mutex_unlock(&left.lock);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    for (unsigned waited_ms = 0; waited_ms < GRACE_MS; waited_ms += 5) {
        if (has_ended(pid))
            return;
        poll(NULL, 0, 5);
    }
    leave_behind(pid);
}

/* ---- the one who waits */
static int order_file(const json_t *order, struct error *err)
{
    auto_free char *text = json_to_text(order);
    size_t length = strlen(text);
    auto_close int fd = memfd_create("order", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0)
        return fail_errno(err, "write an order of host tuning");
    int high = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_FDS);
    return high < 0 ? fail_errno(err, "write an order of host tuning") : high;
}

static int start(const char *turn_file, const json_t *order, pid_t *ret_pid, int *ret_out, struct error *err)
{
    extern char **environ;
    auto_free char *turn = must_strdup(turn_file);
    auto_free char *parent = must_format("%d", getpid());
    char program[] = "rtvmd";
    char verb[] = TUNE_VERB;
    char *argv[] = {program, verb, turn, parent, NULL};
    int out[2];
    auto_close int order_fd = order_file(order, err);
    if (order_fd < 0 || pipe2(out, O_CLOEXEC) < 0)
        return order_fd < 0 ? -1 : fail_errno(err, "start the tuning child");
    auto_close int tell = fcntl(out[1], F_DUPFD_CLOEXEC, ABOVE_FDS);
    close(out[1]);
    const int fds[] = {tell, tell, order_fd};
    int r = tell < 0 || process_spawn_self(argv, environ, fds, ARRAY_SIZE(fds), ret_pid) < 0
                ? fail_errno(err, "start the tuning child")
                : 0;
    if (r < 0)
        close(out[0]);
    else
        *ret_out = out[0];
    return r;
}

struct listener {
    json_t *lines;
    struct text text;
    bool has_ended; /* with the word that says so: it did everything */
    char *busy;     /* it did not get its turn, and why */
};

static void hear(struct listener *listener, const char *chunk, size_t length)
{
    text_append_n(&listener->text, chunk, length);
    char *line = listener->text.data;
    for (char *newline; line && (newline = strchr(line, '\n')); line = newline + 1) {
        struct error err;
        auto_json *value = json_from_text(line, (size_t)(newline - line), &err);
        if (json_object_get(value, "end"))
            listener->has_ended = true;
        else if (json_object_get(value, "busy"))
            listener->busy = must_strdup(json_text_at(value, "busy", ""));
        else if (value)
            json_array_append(listener->lines, value);
    }
    if (!line)
        return;
    auto_free char *rest = must_strdup(line);
    text_finish(&listener->text);
    text_append(&listener->text, rest);
}

static int listen_to(int fd, unsigned limit_ms, const atomic_bool *stop, struct listener *listener, struct error *err)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char chunk[16384];
    uint64_t heard_ms = now_monotonic_ms();
    for (;;) {
        if (stop && atomic_load(stop))
            return fail(err, ERROR_CONFLICT, "called off");
        if (now_monotonic_ms() - heard_ms > limit_ms)
            return fail(err, ERROR_TIMEOUT, "no answer for %u s", limit_ms / 1000);
        if (poll(&ready, 1, LOOK_MS) <= 0)
            continue;
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        heard_ms = now_monotonic_ms();
        hear(listener, chunk, (size_t)n);
    }
    if (listener->busy)
        return fail(err, ERROR_TIMEOUT, "%s", listener->busy);
    return listener->has_ended ? 0 : fail(err, ERROR_INTERNAL, "the tuning child ended early");
}

int tune_apart(const char *state_dir, const json_t *order, const atomic_bool *stop, json_t *lines, struct error *err)
{
    pid_t pid = 0;
    int out = -1;
    struct listener listener = {.lines = lines};
    bool only_looks = text_equal(json_text_at(order, "stage", NULL), "look");
    auto_free char *turn = only_looks ? must_strdup("") : must_format("%s/tuning.lock", state_dir);
    if (!look_after_left())
        return fail(err, ERROR_TIMEOUT, "%u earlier ones hang in the kernel", LIMIT_TUNING_LEFT);
    if (start(turn, order, &pid, &out, err) < 0)
        return -1;
    int r = listen_to(out, only_looks ? LIMIT_HOST_CHANGES_MS : LIMIT_TUNING_STEP_MS, stop, &listener, err);
    close(out);
    end(pid);
    text_finish(&listener.text);
    free(listener.busy);
    return r;
}

/* ---- turns */
static int wait_for_turn(int fd, const char *file, struct error *err)
{
    for (uint64_t begun_ms = now_monotonic_ms(); flock(fd, LOCK_EX | LOCK_NB) < 0; poll(NULL, 0, 50)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno(err, "%s", file);
        if (now_monotonic_ms() - begun_ms > LIMIT_TUNING_TURN_MS)
            return fail(err, ERROR_TIMEOUT,
                        "an earlier change of host tuning still hangs in the kernel (a real-time vCPU keeps it from a "
                        "CPU); it ends when that VM stops");
    }
    return 0;
}

static int take_turn(const char *file, struct error *err)
{
    int fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "%s", file);
    if (wait_for_turn(fd, file, err) == 0)
        return fd;
    close(fd);
    return -1;
}

int tune_take_turn(const char *state_dir, struct error *err)
{
    auto_free char *file = must_format("%s/tuning.lock", state_dir);
    return take_turn(file, err);
}

/* ---- the child */
static void tell(const json_t *line, void *arg)
{
    (void)arg;
    auto_free char *text = json_to_text(line);
    auto_free char *whole = must_format("%s\n", text);
    size_t length = strlen(whole);
    for (size_t done = 0; done < length;) {
        ssize_t n = write(OUT_FD, whole + done, length - done);
        if (n < 0 && errno != EINTR)
            _exit(1); /* nobody listens any more */
        done += n > 0 ? (size_t)n : 0;
    }
}

static int read_order(struct text *ret_order)
{
    char chunk[16384];
    ssize_t n;
    while ((n = read(ORDER_FD, chunk, sizeof chunk)) > 0 && ret_order->length < LIMIT_TUNING_ORDER_BYTES)
        text_append_n(ret_order, chunk, (size_t)n);
    return n == 0 ? 0 : -1;
}

int tune_child(int argc, char **argv)
{
    struct error err;
    uint64_t parent;
    auto_text text = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 3 || !text_to_u64(argv[2], &parent) || parent != (uint64_t)getppid() || read_order(&text) < 0) {
        fprintf(stderr, "%s is for rtvmd itself\n", TUNE_VERB);
        return 1;
    }
    auto_json *order = json_from_text(text_cstr(&text), text.length, &err);
    auto_close int turn = argv[1][0] && order ? take_turn(argv[1], &err) : -1;
    if (!order || (argv[1][0] && turn < 0)) {
        auto_json *why = json_pack("{s:s}", "busy", err.text);
        tell(why, NULL);
        return 1;
    }
    tune_order_run(&TUNE_LIVE, order, tell, NULL);
    auto_json *word = json_pack("{s:b}", "end", 1);
    tell(word, NULL);
    return 0;
}
