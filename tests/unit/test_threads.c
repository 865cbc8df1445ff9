#include "hostprobe/task_stat.c"
#include "hostprobe/threads.c"

#include <sched.h>

#include "tests/test.h"
#include "tests/unit/tree.h"

static struct tree tree;
static struct host *host;

static void put_thread(int pid, const char *name, bool kernel, int policy, int priority, const char *cpus)
{
    auto_free char *stat = must_format("/proc/%d/task/%d/stat", pid, pid);
    auto_free char *status = must_format("/proc/%d/task/%d/status", pid, pid);
    auto_free char *line =
        must_format("%d (%s) S 2 0 0 0 -1 %u 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
                    "3 %d %d 0 0 0\n",
                    pid, name, kernel ? 0x04200040u : 0x400000u, priority, policy);
    auto_free char *lines = must_format("Name:\t%s\nCpus_allowed:\tf\nCpus_allowed_list:\t%s\n", name, cpus);
    tree_put(&tree, stat, line);
    tree_put(&tree, status, lines);
}

static void look(void)
{
    struct files files = {.root = tree.root};
    memset(host, 0, sizeof *host);
    host->isolated = cpuset_range(4, 7);
    threads_read(&files, host);
}

static void a_line_of_stat_is_taken_apart(void)
{
    struct task_stat stat = {0};
    CHECK(task_stat_parse(
        "7 (a (b) c) S 2 0 0 0 -1 69238848 0 0 0 0 0 0 0 0 0 20 0 1 0 4 0 0 1 0 0 0 0 0 0 0 1 0 0 0 17 5 "
        "50 1 0 0 0",
        &stat));
    CHECK_TEXT(stat.name, "a (b) c");
    CHECK(stat.kernel && stat.bound && stat.last_cpu == 5 && stat.priority == 50 && stat.policy == SCHED_FIFO);
    CHECK(!task_stat_parse("7 (cut) S 2 0 0 0 -1 69238848", &stat));
    CHECK(!task_stat_parse("7 cut) S (", &stat));
    CHECK(!task_stat_parse("", &stat));
}

static void threads_are_seen_by_cpu(void)
{
    tree_make(&tree);
    put_thread(2, "kthreadd", true, SCHED_OTHER, 0, "0-7");
    put_thread(14, "ksoftirqd/0", true, SCHED_OTHER, 0, "0");
    put_thread(20, "rcuc/3", true, SCHED_FIFO, 4, "3");
    put_thread(21, "ktimers/3", true, SCHED_FIFO, 1, "3");
    put_thread(50, "irq/24-eth0", true, SCHED_FIFO, 50, "2-3");
    put_thread(51, "irq/25-a b", true, SCHED_FIFO, 40, "3");
    put_thread(52, "irq/26-\x01", true, SCHED_FIFO, 30, "5");
    put_thread(60, "rcub/0", true, SCHED_FIFO, 1, "0-5"); /* has housekeeping CPUs */
    put_thread(61, "rcub/1", true, SCHED_FIFO, 1, "6-7");
    put_thread(62, "migration/3", true, SCHED_FIFO, 99, "3");
    put_thread(900, "rcuc/1", false, SCHED_FIFO, 9, "1");    /* a program that calls itself so */
    put_thread(901, "rcuc/99999", true, SCHED_FIFO, 9, "1"); /* no such CPU */
    put_thread(902, "irq/27-x", true, SCHED_FIFO, 9, "nonsense");
    look();
    CHECK(host->threads_known);
    CHECK_INT(host->cpu[0].thread_priority[HOST_THREAD_KSOFTIRQD], 0);
    CHECK_INT(host->cpu[0].thread_priority[HOST_THREAD_RCUC], -1);
    CHECK_INT(host->cpu[1].thread_priority[HOST_THREAD_RCUC], -1);
    CHECK_INT(host->cpu[3].thread_priority[HOST_THREAD_RCUC], 4);
    CHECK_INT(host->cpu[3].thread_priority[HOST_THREAD_KTIMERS], 1);
    CHECK_INT(host->cpu[2].thread_priority[HOST_THREAD_IRQ], 50);
    CHECK_TEXT(host->cpu[2].irq_thread, "irq/24-eth0");
    CHECK_INT(host->cpu[3].thread_priority[HOST_THREAD_IRQ], 40); /* the lowest */
    CHECK_TEXT(host->cpu[3].irq_thread, "irq/25-a b");
    CHECK_TEXT(host->cpu[5].irq_thread, "irq/26-?");
    CHECK_INT(host->cpu[5].thread_priority[HOST_THREAD_RCUB], -1);
    CHECK_INT(host->cpu[6].thread_priority[HOST_THREAD_RCUB], 1);
    tree_remove(&tree);
}

static void where_no_kernel_thread_is_seen_nothing_is_known(void)
{
    tree_make(&tree);
    tree_put(&tree, "/proc/version", "Linux\n");
    put_thread(1, "init", false, SCHED_OTHER, 0, "0");
    look();
    CHECK(!host->threads_known);
    tree_remove(&tree);
}

int main(void)
{
    host = must_calloc(1, sizeof *host);
    RUN(a_line_of_stat_is_taken_apart);
    RUN(threads_are_seen_by_cpu);
    RUN(where_no_kernel_thread_is_seen_nothing_is_known);
    free(host);
    return test_end();
}
