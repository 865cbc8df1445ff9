/* What programs that read foreign bytes no longer can: tried in a child, since it cannot be taken back. */
#include "rtvmd/verb_confined.c"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rtvmd/base/text.h"
#include "tests/test.h"

static char folder[] = "/tmp/rtvmd-confined-XXXXXX";
static char *file;

static int in_child(int (*attempt)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt());
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

#define REFUSED_BY(call) (errno = 0, (call) == -1 && errno == EPERM)

static int common(bool writes)
{
    struct error err;
    pid_t parent = getppid();
    if (confine(writes, &err) < 0)
        return 1;
    if (!REFUSED_BY(socket(AF_INET, SOCK_STREAM, 0)) || !REFUSED_BY(socket(AF_UNIX, SOCK_STREAM, 0)))
        return 2;
    if (!REFUSED_BY(kill(parent, 0)))
        return 3;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets) < 0 || sets[0].effective || sets[1].effective || sets[0].permitted)
        return 4;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2)
        return 5;
    return open(file, O_RDONLY) >= 0 ? 0 : 6; /* reading is what it is for */
}

static int read_only(void)
{
    int r = common(false);
    if (r)
        return r;
    const int FLAGS[] = {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC};
    for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++)
        if (!REFUSED_BY(open(file, FLAGS[i], 0600)))
            return 7;
    if (!REFUSED_BY(unlink(file)) || !REFUSED_BY(rename(file, folder)) || !REFUSED_BY(truncate(file, 0)) ||
        !REFUSED_BY(chmod(file, 0777)) || !REFUSED_BY(mkdir(folder, 0700)))
        return 8;
    return 0;
}

static int writing(void)
{
    int r = common(true);
    return r ? r : open(file, O_RDWR) >= 0 ? 0 : 9;
}

static void a_reader_has_no_network_no_rights_and_changes_nothing(void)
{
    CHECK_INT(in_child(read_only), 0);
}

static void a_writer_has_no_network_and_no_rights(void)
{
    CHECK_INT(in_child(writing), 0);
}

/* A program it becomes inherits all of it: root gets nothing back by starting one. */
static int starts_a_program(void)
{
    char verb[] = "confined", access[] = "read", program[] = "grep", quiet[] = "-q";
    char pattern[] = "^CapEff:[[:space:]]*0000000000000000$", status[] = "/proc/self/status";
    char *argv[] = {verb, access, program, quiet, pattern, status, NULL};
    return verb_confined(6, argv);
}

static int starts_nothing(void)
{
    char verb[] = "confined", access[] = "read", program[] = "no-such-program";
    char *argv[] = {verb, access, program, NULL};
    return verb_confined(3, argv);
}

static void programs_inherit_it(void)
{
    CHECK_INT(in_child(starts_a_program), 0);
    CHECK_INT(in_child(starts_nothing), 127);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    file = must_format("%s/file", folder);
    int fd = open(file, O_RDWR | O_CREAT, 0600);
    close(fd);
    RUN(a_reader_has_no_network_no_rights_and_changes_nothing);
    RUN(a_writer_has_no_network_and_no_rights);
    RUN(programs_inherit_it);
    unlink(file);
    rmdir(folder);
    free(file);
    return test_end();
}
