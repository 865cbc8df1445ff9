#include "runtime/latency/load.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4 << 20, CALLS = 2000 };

/* Copies more than a private cache holds, so that shared caches and the memory bus are busy. */
static void stress_memory(char *from, char *to)
{
    memcpy(to, from, BLOCK_BYTES);
    __asm__ volatile("" ::"r"(to) : "memory");
}

static void stress_faults(void)
{
    char *fresh = mmap(NULL, BLOCK_BYTES / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        return;
    for (size_t at = 0; at < BLOCK_BYTES / 4; at += 4096)
        fresh[at] = 1;
    munmap(fresh, BLOCK_BYTES / 4);
}

static void stress_calls(const int *pipe_ends)
{
    char byte = 0;
    for (int i = 0; i < CALLS; i++)
        if (write(pipe_ends[1], &byte, 1) != 1 || read(pipe_ends[0], &byte, 1) != 1)
            return;
}

/* In the child of a process that may have threads: only system calls and our own code from here on. */
static void work(unsigned cpu, pid_t parent, uint64_t end_ns)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    int ends[2];
    if (getppid() != parent || sched_setaffinity(0, sizeof one, &one) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return;
    char *memory = mmap(NULL, 2 * (size_t)BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    while (now_monotonic_ns() < end_ns) {
        if (memory != MAP_FAILED)
            stress_memory(memory, memory + BLOCK_BYTES);
        stress_faults();
        stress_calls(ends);
    }
}

int load_start(const struct cpuset *cpus, uint64_t duration_ms, struct load *ret_load, struct error *err)
{
    uint64_t end_ns = now_monotonic_ns() + duration_ms * 1000000u;
    pid_t parent = getpid();
    ret_load->count = 0;
    cpuset_foreach(cpu, cpus)
    {
        pid_t pid = fork();
        if (pid == 0) {
            work((unsigned)cpu, parent, end_ns);
            _exit(0);
        }
        if (pid < 0) {
            fail_errno(err, "start a load process for CPU %d", cpu);
            load_stop(ret_load);
            return -1;
        }
        ret_load->pid[ret_load->count++] = pid;
    }
    return 0;
}

void load_stop(struct load *load)
{
    for (size_t i = 0; i < load->count; i++)
        kill(load->pid[i], SIGKILL);
    for (size_t i = 0; i < load->count; i++)
        while (waitpid(load->pid[i], NULL, 0) < 0 && errno == EINTR)
            ;
    load->count = 0;
}
