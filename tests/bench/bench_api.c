/* The load generator of bench_api.sh: many connections, one request at a time on each, from one thread. A failed
 * request ends it: what is measured is what works. `@` in a path or body becomes a number of its own.
 *
 * bench_api load: as many requests as will go, --count of them, or --rate of them a second (a late one is measured from
 * when it was due). Prints requests/s, median ms, p99 ms, requests per second of the server's CPU time, and with
 * --rate: the 99th percentile of ms this program itself was late in sending, and the parts in a hundred of the time in
 * which the server and this program were ready to run and had no CPU.
 *
 * bench_api watch: watchers of one object that is written again and again. Prints ms until the writer has its answer
 * and until the last watcher has the change (medians).
 *
 * bench_api handshake: TLS connections made and closed; with --resume all but the first with its ticket. Prints
 * handshakes/s and per second of the server's CPU time.
 *
 * bench_api memory: connections that were used once and stay open. Prints KiB of the server's memory for each. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/bench/connection.h"
#include "tests/bench/wire.h"

enum { OUT_BYTES = 20000, READ_BYTES = 65536, SAMPLES_MAX = 4000000, BODY_MAX = 12000 };

static struct options {
    const char *where, *certificates, *method, *path, *object;
    char *body;
    unsigned clients, rounds;
    uint64_t count;       /* 0: until the time is over */
    double seconds, rate; /* 0: as fast as it goes */
    pid_t pid;
    bool etcd, resume;
} options = {.method = "GET", .path = "/", .clients = 1, .rounds = 50, .seconds = 2};

struct client {
    struct connection connection;
    struct bytes_out out;
    size_t written;
    struct answer answer;
    uint64_t sent_ns;
    uint64_t heard_ns; /* the last answer */
    uint64_t due_ns;   /* when it has to say something again; 0: it waits for an answer */
    uint32_t stream;   /* etcd */
    uint32_t events;   /* what epoll watches for */
    char tail[32];     /* watch: the last bytes read */
    size_t tail_length;
    bool has_it; /* watch: this round's change */
};

static struct target target;
static struct client *clients;
static int poller;
static uint64_t serial;
static uint32_t *sample_us, *late_us;
static size_t sample_count, late_count;

/* ---- what the server uses */

static double server_cpu_s(void)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(options.pid, &clock) || clock_gettime(clock, &t))
        give_up("server", "has no CPU time: --pid");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double server_kib(void)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)options.pid);
    FILE *file = fopen(path, "r");
    double kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (file)
        fclose(file);
    return kib;
}

/* Of the main thread: how long it was ready to run while something else ran. */
static double no_cpu_s(pid_t pid)
{
    char path[64];
    double ran_ns = 0, waited_ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%lf %lf", &ran_ns, &waited_ns) != 2)
        waited_ns = 0;
    if (file)
        fclose(file);
    return waited_ns / 1e9;
}

/* ---- clients */

static void watch_for(struct client *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (c->events == events)
        return;
    if (epoll_ctl(poller, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->connection.fd, &event) < 0)
        give_up("epoll", strerror(errno));
    c->events = events;
}

static void client_init(struct client *c)
{
    *c = (struct client){.out = {.data = must_calloc(1, OUT_BYTES), .size = OUT_BYTES}, .stream = 1};
    connection_init(&c->connection, &target);
    if (options.etcd)
        h2_preface(&c->out);
}

static void client_finish(struct client *c)
{
    connection_finish(&c->connection);
    free(c->out.data);
}

static void write_some(struct client *c)
{
    while (c->written < c->out.length) {
        int n = connection_write(&c->connection, c->out.data + c->written, c->out.length - c->written);
        if (n == IO_END)
            give_up(options.path, "the server closed the connection");
        if (n == IO_AGAIN)
            break;
        c->written += (size_t)n;
    }
    bool is_done = c->written == c->out.length;
    if (is_done)
        c->out.length = c->written = 0;
    watch_for(c, EPOLLIN | (is_done ? 0 : EPOLLOUT));
}

/* `@` becomes the number; everything else stays. */
static void fill_in(char *to, size_t size, const char *pattern, uint64_t number)
{
    size_t n = 0;
    for (; *pattern && n + 24 < size; pattern++)
        n += *pattern == '@' ? (size_t)snprintf(to + n, size - n, "%08llu", (unsigned long long)number)
                             : (to[n] = *pattern, 1u);
    to[n] = '\0';
}

static void say(struct client *c, const char *method, const char *path, const char *body)
{
    c->answer.in_body = c->answer.has_message = false;
    c->answer.status = 0;
    if (options.etcd) {
        etcd_put(&c->out, c->stream, path, body);
        c->stream += 2;
    } else {
        c->answer.head_length = 0;
        c->out.length += http1_request(c->out.data + c->out.length, c->out.size - c->out.length, method, path, body);
    }
    c->sent_ns = now_monotonic_ns();
    write_some(c);
}

static void say_next(struct client *c)
{
    static char path[1024], body[BODY_MAX];
    serial++;
    fill_in(path, sizeof path, options.path, serial);
    if (options.body)
        fill_in(body, sizeof body, options.body, serial);
    say(c, options.method, path, options.body ? body : NULL);
}

/* Reads what came. True when it was the end of an answer; a failed one ends the program. */
static bool hear(struct client *c)
{
    static char bytes[READ_BYTES];
    enum wire_progress progress = WIRE_MORE;
    while (progress == WIRE_MORE) {
        size_t want = options.etcd ? sizeof c->answer.head - c->answer.head_length : sizeof bytes;
        int n = connection_read(&c->connection, bytes, want);
        if (n == IO_AGAIN)
            return false;
        if (n == IO_END)
            give_up(options.path, "the server closed the connection");
        progress =
            options.etcd ? h2_take(&c->answer, bytes, (size_t)n, &c->out) : http1_take(&c->answer, bytes, (size_t)n);
        if (c->out.length > c->written)
            write_some(c);
    }
    if (progress == WIRE_BROKEN || c->answer.status < 200 || c->answer.status > 299) {
        fprintf(stderr, "bench_api: %s: status %u\n", options.path, c->answer.status);
        exit(1);
    }
    return true;
}

static void open_clients(void)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    clients = must_calloc(options.clients, sizeof *clients);
    for (unsigned i = 0; i < options.clients; i++) {
        client_init(&clients[i]);
        while (!clients[i].connection.is_open)
            if (connection_open(&clients[i].connection) == IO_END)
                give_up(options.where, "TLS handshake refused");
    }
}

/* Waits for something to hear, but not beyond that time; calls heard() for each client that has something. */
static void wait_until(uint64_t time_ns, void (*heard)(struct client *c))
{
    enum { PATIENCE_S = 10 };
    struct epoll_event events[64];
    uint64_t now_ns = now_monotonic_ns(), left_ns = time_ns > now_ns ? time_ns - now_ns : 0;
    struct timespec wait = {.tv_sec = PATIENCE_S};
    if (left_ns / 1000000000 < PATIENCE_S)
        wait = (struct timespec){(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
    int n = epoll_pwait2(poller, events, ARRAY_SIZE(events), &wait, NULL);
    if (n < 0 || (n == 0 && wait.tv_sec == PATIENCE_S))
        give_up(options.path, "no answer within ten seconds");
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            write_some(c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            heard(c);
    }
}

static void wait_and(void (*heard)(struct client *c))
{
    wait_until(UINT64_MAX, heard);
}

/* ---- figures */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void take_sample(uint64_t since_ns)
{
    if (sample_count < SAMPLES_MAX)
        sample_us[sample_count++] = (uint32_t)((now_monotonic_ns() - since_ns) / 1000);
}

static double percentile_of(uint32_t *us, size_t count, double part)
{
    if (count == 0)
        give_up(options.path, "nothing was measured");
    qsort(us, count, sizeof *us, compare);
    return us[(size_t)(part * (double)(count - 1))] / 1e3;
}

static double percentile_ms(double part)
{
    return percentile_of(sample_us, sample_count, part);
}

/* ---- load */

static uint64_t end_ns;
static unsigned busy;
static uint64_t said;
static uint64_t heard_ns; /* the last answer of all */

static bool is_over(void)
{
    return options.count ? said >= options.count : now_monotonic_ns() >= end_ns;
}

static void go_on(struct client *c)
{
    if (is_over()) {
        busy--;
        c->due_ns = 0;
        return;
    }
    said++;
    uint64_t due_ns = c->due_ns;
    c->due_ns = 0;
    say_next(c);
    if (options.rate > 0) {
        if (late_count < SAMPLES_MAX) /* an answer that came too late is the server's fault, not ours */
            late_us[late_count++] = (uint32_t)((c->sent_ns - (due_ns > c->heard_ns ? due_ns : c->heard_ns)) / 1000);
        c->sent_ns = due_ns;
    }
}

static void answered(struct client *c)
{
    if (!hear(c))
        return;
    take_sample(c->sent_ns);
    c->heard_ns = heard_ns = now_monotonic_ns();
    if (options.rate > 0)
        c->due_ns = c->sent_ns + (uint64_t)(options.clients / options.rate * 1e9);
    else
        go_on(c);
}

/* Lets those speak whose time has come; returns when the next one's will. */
static uint64_t speak(void)
{
    uint64_t next_ns = UINT64_MAX;
    for (unsigned i = 0; i < options.clients; i++) {
        if (clients[i].due_ns && clients[i].due_ns <= now_monotonic_ns())
            go_on(&clients[i]);
        if (clients[i].due_ns && clients[i].due_ns < next_ns)
            next_ns = clients[i].due_ns;
    }
    return next_ns;
}

static int load(void)
{
    open_clients();
    double cpu_s = server_cpu_s(), theirs_s = no_cpu_s(options.pid), ours_s = no_cpu_s(getpid());
    uint64_t start_ns = now_monotonic_ns();
    end_ns = start_ns + (uint64_t)(options.seconds * 1e9);
    busy = options.clients;
    for (unsigned i = 0; i < options.clients; i++)
        clients[i].due_ns = start_ns + (options.rate > 0 ? (uint64_t)(i / options.rate * 1e9) : 0);
    speak();
    while (busy > 0) {
        uint64_t next_ns = options.rate > 0 ? speak() : UINT64_MAX;
        if (busy > 0)
            wait_until(next_ns, answered);
    }
    double took_s = (double)(heard_ns - start_ns) / 1e9;
    cpu_s = server_cpu_s() - cpu_s;
    double count = (double)sample_count;
    theirs_s = no_cpu_s(options.pid) - theirs_s;
    ours_s = no_cpu_s(getpid()) - ours_s;
    printf("%.1f %.3f %.3f %.1f", count / took_s, percentile_ms(0.5), percentile_ms(0.99), count / cpu_s);
    if (options.rate > 0)
        printf(" %.3f %.1f %.1f", percentile_of(late_us, late_count, 0.99), 100 * theirs_s / took_s,
               100 * ours_s / took_s);
    printf("\n");
    return 0;
}

/* ---- watch: the last client writes, all others watch */

static char marker[24];
static unsigned missing;

static bool sees_marker(struct client *c, const char *bytes, size_t length)
{
    char seam[2 * sizeof c->tail];
    size_t head = length < sizeof c->tail ? length : sizeof c->tail;
    memcpy(seam, c->tail, c->tail_length);
    memcpy(seam + c->tail_length, bytes, head);
    bool found =
        memmem(seam, c->tail_length + head, marker, strlen(marker)) || memmem(bytes, length, marker, strlen(marker));
    size_t keep = length < strlen(marker) ? length : strlen(marker);
    memcpy(c->tail, bytes + length - keep, keep);
    c->tail_length = keep;
    return found;
}

static void told(struct client *c)
{
    static char bytes[READ_BYTES];
    if (c == &clients[options.clients]) {
        busy -= hear(c);
        return;
    }
    for (int n; (n = connection_read(&c->connection, bytes, sizeof bytes)) != IO_AGAIN;) {
        if (n == IO_END)
            give_up(options.path, "the server ended the watch");
        if (!sees_marker(c, bytes, (size_t)n) || c->has_it)
            continue;
        c->has_it = true;
        missing--;
    }
}

static void write_marked(unsigned round)
{
    char body[128];
    snprintf(marker, sizeof marker, "round-%08u", round);
    snprintf(body, sizeof body, "{\"metadata\":{\"annotations\":{\"bench\":\"%s\"}}}", marker);
    for (unsigned i = 0; i < options.clients; i++)
        clients[i].has_it = false;
    missing = options.clients;
    busy = 1;
    say(&clients[options.clients], "PATCH", options.object, body);
}

static int watch(void)
{
    unsigned watchers = options.clients++;
    open_clients();
    options.clients = watchers;
    for (unsigned i = 0; i < watchers; i++)
        say(&clients[i], "GET", options.path, NULL);
    write_marked(0); /* arrives when all have begun */
    while (missing > 0 || busy > 0)
        wait_and(told);
    double answered_us = 0;
    for (unsigned round = 1; round <= options.rounds; round++) {
        write_marked(round);
        uint64_t start_ns = clients[watchers].sent_ns, answer_ns = 0;
        while (missing > 0 || busy > 0) {
            wait_and(told);
            if (busy == 0 && answer_ns == 0)
                answer_ns = now_monotonic_ns();
        }
        answered_us += (double)(answer_ns - start_ns) / 1e3 / options.rounds;
        take_sample(start_ns);
    }
    printf("%.3f %.3f %.3f\n", answered_us / 1e3, percentile_ms(0.5), percentile_ms(0.99));
    return 0;
}

/* ---- handshakes */

static int handshake(void)
{
    double cpu_s = server_cpu_s();
    uint64_t start_ns = now_monotonic_ns(), count = 0;
    end_ns = start_ns + (uint64_t)(options.seconds * 1e9);
    poller = epoll_create1(EPOLL_CLOEXEC);
    clients = must_calloc(options.clients, sizeof *clients);
    for (unsigned i = 0; i < options.clients; i++) {
        client_init(&clients[i]);
        connection_open(&clients[i].connection);
        watch_for(&clients[i], EPOLLIN);
    }
    while (now_monotonic_ns() < end_ns) {
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, ARRAY_SIZE(events), 10000);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            int r = connection_open(&c->connection);
            if (r == IO_AGAIN)
                continue;
            if (r == IO_END)
                give_up(options.where, "TLS handshake refused");
            count++;
            client_finish(c);
            client_init(c);
            connection_open(&c->connection);
            watch_for(c, EPOLLIN);
        }
    }
    double took_s = (double)(now_monotonic_ns() - start_ns) / 1e9;
    printf("%.1f %.1f\n", (double)count / took_s, (double)count / (server_cpu_s() - cpu_s));
    return 0;
}

/* ---- memory */

static void used_once(struct client *c)
{
    busy -= hear(c);
}

static int memory(void)
{
    double before_kib = server_kib();
    open_clients();
    for (unsigned i = 0; i < options.clients; i++) {
        busy = 1;
        say_next(&clients[i]);
        while (busy > 0)
            wait_and(used_once);
    }
    printf("%.1f\n", (server_kib() - before_kib) / options.clients);
    return 0;
}

/* ---- options */

static char *read_body(const char *path)
{
    char *body = must_calloc(BODY_MAX, 1);
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(body, 1, BODY_MAX - 1, file) : 0;
    if (n == 0 || n == BODY_MAX - 1)
        give_up(path, "want a body of 1 to 11998 bytes");
    fclose(file);
    return body;
}

static void read_options(int argc, char **argv)
{
    static const struct option LONG[] = {
        {"tls", 1, NULL, 't'},    {"clients", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"rounds", 1, NULL, 'r'},
        {"pid", 1, NULL, 'p'},    {"method", 1, NULL, 'm'},  {"path", 1, NULL, 'P'},    {"body", 1, NULL, 'b'},
        {"object", 1, NULL, 'o'}, {"etcd", 0, NULL, 'e'},    {"to", 1, NULL, 'w'},      {"from", 1, NULL, 'f'},
        {"count", 1, NULL, 'n'},  {"rate", 1, NULL, 'R'},    {"resume", 0, NULL, 'T'},  {NULL, 0, NULL, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "", LONG, NULL)) != -1;) {
        switch (o) {
        case 't':
            options.certificates = optarg;
            break;
        case 'c':
            options.clients = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'r':
            options.rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            options.pid = (pid_t)strtol(optarg, NULL, 10);
            break;
        case 'm':
            options.method = optarg;
            break;
        case 'P':
            options.path = optarg;
            break;
        case 'b':
            options.body = read_body(optarg);
            break;
        case 'o':
            options.object = optarg;
            break;
        case 'e':
            options.etcd = true;
            break;
        case 'w':
            options.where = optarg;
            break;
        case 'f':
            serial = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            options.count = strtoull(optarg, NULL, 10);
            break;
        case 'T':
            options.resume = true;
            break;
        case 'R':
            options.rate = strtod(optarg, NULL);
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } MODES[] = {{"load", load}, {"watch", watch}, {"handshake", handshake}, {"memory", memory}};
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    sample_us = must_calloc(SAMPLES_MAX, sizeof *sample_us);
    late_us = must_calloc(SAMPLES_MAX, sizeof *late_us);
    read_options(argc, argv);
    for (size_t i = 0; optind < argc && options.where && i < ARRAY_SIZE(MODES); i++) {
        if (strcmp(argv[optind], MODES[i].name) == 0) {
            target_init(&target, options.where, options.certificates);
            target.resumes = options.resume;
            return MODES[i].run();
        }
    }
    fprintf(stderr, "usage: bench_api load|watch|handshake|memory --to SOCKET|PORT [options]; see the source\n");
    return 2;
}
