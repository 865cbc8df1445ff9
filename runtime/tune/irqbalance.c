/* irqbalance 1.9.2, irqbalance-ui.1 and by trying: a stream socket named after the process; root's credentials come
 * with the line. "setup" answers "SLEEP 10 BANNED 00000002", a mask. "settings cpus LIST" answers nothing; NULL instead
 * of a list means as configured. Before 1.8 the set was a mask: a list of ranges only ("1-1") is none, so that an old
 * one takes nothing rather than something else. */
#include "runtime/tune/irqbalance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hostprobe/files.h"

static int send_line(int fd, const char *line)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (char *)line, .iov_len = strlen(line)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof(struct ucred))};
    const struct ucred who = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
    memcpy(CMSG_DATA(head), &who, sizeof who);
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)part.iov_len ? 0 : -1;
}

int irqbalance_ask(const struct tune_machine *machine, int pid, const char *line, struct text *ret_answer,
                   struct error *err)
{
    (void)machine;
    enum { ANSWER_MAX = 1 << 20 };
    const struct timeval patience = {.tv_sec = LIMIT_IRQBALANCE_ANSWER_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_free char *path = must_format("/run/irqbalance/irqbalance%d.sock", pid);
    memcpy(address.sun_path, path, strlen(path) + 1);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 || send_line(fd, line) < 0)
        return fail_errno(err, "%s", path);
    char chunk[4096];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0 && ret_answer->length < ANSWER_MAX)
        text_append_n(ret_answer, chunk, (size_t)n);
    return n < 0 ? fail_errno(err, "%s", path) : 0;
}

/* "SLEEP 10 … BANNED 00000002" */
static int read_setup(const struct tune_machine *machine, int pid, struct cpuset *ret_banned, uint64_t *ret_round_ms,
                      struct error *err)
{
    static const char BANNED[] = "BANNED ";
    static const char SLEEP[] = "SLEEP ";
    enum { LONGEST_ROUND_S = 3600 };
    auto_text answer = {0};
    if (machine->ask_irqbalance(machine, pid, "setup", &answer, err) < 0)
        return -1;
    const char *text = text_cstr(&answer);
    const char *at = strstr(text, BANNED);
    unsigned long seconds = text_starts_with(text, SLEEP) ? strtoul(text + strlen(SLEEP), NULL, 10) : 0;
    if (!at || !files_parse_mask(at + strlen(BANNED), ret_banned) || seconds == 0 || seconds > LONGEST_ROUND_S)
        return fail(err, ERROR_INVALID, "irqbalance %d answers \"%.100s\"", pid, text);
    *ret_round_ms = seconds * 1000;
    return 0;
}

int irqbalance_read(const struct tune_machine *machine, int pid, struct cpuset *ret_banned, struct error *err)
{
    uint64_t round_ms;
    return read_setup(machine, pid, ret_banned, &round_ms, err);
}

json_t *irqbalance_memory_to_json(const struct irqbalance_memory *memory)
{
    struct cpuset_text told;
    return json_pack("{s:i, s:s, s:I}", "pid", memory->pid, "told", cpuset_format(&memory->told, &told), "until",
                     (json_int_t)memory->until_ms);
}

void irqbalance_memory_from_json(const json_t *json, struct irqbalance_memory *ret_memory)
{
    struct error err;
    *ret_memory = (struct irqbalance_memory){.pid = (int)json_int_at(json, "pid", 0),
                                             .until_ms = (uint64_t)json_int_at(json, "until", 0)};
    if (cpuset_parse(json_text_at(json, "told", ""), &ret_memory->told, &err) < 0)
        ret_memory->told = (struct cpuset){0};
}

void irqbalance_recall(const struct tune_machine *machine, int pid, struct cpuset *banned)
{
    const struct irqbalance_memory *memory = machine->memory;
    if (memory && memory->pid == pid && now_monotonic_ms() < memory->until_ms)
        *banned = memory->told;
}

/* Remembers or awaits what was told, whose effect is seen within a round. */
static void told(const struct tune_machine *machine, int pid, const struct cpuset *banned)
{
    enum { MARGIN_MS = 2000, PAUSE_MS = 250 };
    struct cpuset now;
    struct error err;
    uint64_t round_ms = 0;
    if (read_setup(machine, pid, &now, &round_ms, &err) < 0)
        return;
    uint64_t until_ms = now_monotonic_ms() + round_ms + MARGIN_MS;
    if (machine->memory)
        *machine->memory = (struct irqbalance_memory){pid, *banned, until_ms};
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    while (machine->is_patient && !cpuset_equal(&now, banned) && now_monotonic_ms() < until_ms &&
           nanosleep(&pause, NULL) == 0 && read_setup(machine, pid, &now, &round_ms, &err) == 0)
        continue;
}

int irqbalance_write(const struct tune_machine *machine, int pid, const struct cpuset *banned, struct error *err)
{
    enum { LINE_BYTES = 499 }; /* its buffer */
    auto_text line = {0};
    auto_text answer = {0};
    for (int first = cpuset_next(banned, 0); first >= 0;) {
        int last = first;
        while (cpuset_has(banned, (unsigned)last + 1))
            last++;
        text_printf(&line, "%s%d-%d", line.length ? "," : "settings cpus ", first, last);
        first = cpuset_next(banned, (unsigned)last + 1);
    }
    if (line.length > LINE_BYTES)
        return fail(err, ERROR_TOO_LARGE, "irqbalance %d: the list of CPUs is longer than %d bytes", pid, LINE_BYTES);
    if (!line.length)
        text_append(&line, "settings cpus NULL");
    if (machine->ask_irqbalance(machine, pid, text_cstr(&line), &answer, err) < 0)
        return -1;
    told(machine, pid, banned);
    return 0;
}
