#include "runtime/tune/tasks.c"

#include "runtime/tune/interrupts.h"
#include "tests/test.h"
#include "tests/unit/tree.h"

static void threads_are_read_by_field(void)
{
    struct tree tree;
    tree_make(&tree);
    tree_put(
        &tree, "/proc/7/task/9/stat",
        "9 (a ) b (c) S 1 7 7 0 -1 69238784 0 0 0 0 1 2 0 0 -2 0 1 0 2 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 17 5 42 1 0 0\n");
    tree_put(&tree, "/proc/7/task/9/status", "Name:\ta ) b (c\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,5\n");
    tree_put(&tree, "/proc/7/task/8/stat", "8 (short) S 1 2\n"); /* cut off: skipped */
    tree_put(&tree, "/proc/7/task/8/status", "Cpus_allowed_list:\t0\n");
    tree_put(&tree, "/proc/3/task/3/stat",
             "3 (gone) S 1 7 7 0 -1 0 0 0 0 0 1 2 0 0 -2 0 1 0 2 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 17 5 0 0 0\n");
    struct files files = {.root = tree.root};
    struct task_list list;
    tasks_read(&files, &list);
    CHECK(list.known);
    CHECK_INT(list.count, 1);
    const struct task *t = tasks_named(&list, "a ) b");
    CHECK(t != NULL);
    if (t) {
        struct cpuset_text text;
        CHECK_INT(t->pid, 7);
        CHECK_INT(t->tid, 9);
        CHECK(t->kernel && t->bound);
        CHECK_INT(t->last_cpu, 5);
        CHECK_INT(t->priority, 42);
        CHECK_INT(t->policy, 1);
        CHECK_TEXT(cpuset_format(&t->allowed, &text), "0-2,5");
    }
    CHECK(!tasks_named(&list, "b"));
    tasks_finish(&list);
    tree_remove(&tree);
}

static void interrupts_are_summed_by_kind(void)
{
    struct tree tree;
    tree_make(&tree);
    tree_put(&tree, "/proc/interrupts",
             "            CPU0       CPU3       \n"
             "   0:         44          1  IO-APIC   2-edge      timer\n"
             " 128:          5          2  PCI-MSI 7 CPU9\n"
             " NMI:          9          9   Non-maskable interrupts\n"
             " LOC:        100        200   Local timer interrupts\n"
             " RES:          3          4   Rescheduling interrupts\n"
             " TLB:          1          1   TLB shootdowns\n"
             " ERR:          0\n");
    static struct interrupts in;
    struct files files = {.root = tree.root};
    interrupts_read(&files, &in);
    CHECK(in.known);
    CHECK_INT(cpuset_count(&in.cpus), 2);
    CHECK_INT(in.device[0], 49);
    CHECK_INT(in.device[3], 3);
    CHECK_INT(in.device[1], 0);
    CHECK_INT(in.timer[3], 200);
    CHECK_INT(in.call[3], 5);
    tree_remove(&tree);
    interrupts_read(&files, &in);
    CHECK(!in.known);
}

int main(void)
{
    RUN(threads_are_read_by_field);
    RUN(interrupts_are_summed_by_kind);
    return test_end();
}
