/* The unpacking child behind its filter: it can read, write and end, and nothing else. */
#include "rtvmd/verb_image_unpack.c"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/test.h"

#define REFUSED_BY(call) (errno = 0, (call) == -1 && errno == EPERM)

static int attempt(void)
{
    struct error err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || load_filter(&err) < 0)
        return 1;
    if (!REFUSED_BY(socket(AF_INET, SOCK_STREAM, 0)) || !REFUSED_BY(socket(AF_UNIX, SOCK_STREAM, 0)))
        return 2;
    if (!REFUSED_BY(open("/etc/passwd", O_RDONLY)) || !REFUSED_BY(open("/tmp/x", O_CREAT | O_WRONLY, 0600)))
        return 3;
    if (!REFUSED_BY(fork()) || !REFUSED_BY(execl("/bin/true", "true", NULL)))
        return 4;
    if (!REFUSED_BY(kill(getpid(), SIGTERM)) || !REFUSED_BY(unlink("/tmp/x")) || !REFUSED_BY(setuid(0)))
        return 5;
    void *memory = malloc(1 << 20); /* what reading an archive needs goes on */
    free(memory);
    return memory ? 0 : 6;
}

static void can_neither_open_nor_connect_nor_start_anything(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt());
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

int main(void)
{
    RUN(can_neither_open_nor_connect_nor_start_anything);
    return test_end();
}
