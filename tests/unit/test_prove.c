/* The proof on /proc trees made here: a KVM guest as planned, the ways it drifts, and emulated guests. */
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "runtime/prove/prove.c"
#include "runtime/prove/wish.c"
#include "tests/test.h"

static char root[] = "/tmp/rtvmd-test-XXXXXX";
enum { PID = 4000, GIB = 1 << 30 };

static void put(const char *folder, const char *name, const char *content)
{
    struct error err;
    auto_free char *full = must_format("%s%s", root, folder);
    auto_free char *file = must_format("%s/%s", full, name);
    CHECK_INT(file_make_folders(full, 0755, &err), 0);
    CHECK_INT(file_write_atomic(file, content, strlen(content), 0644, &err), 0);
}

static void put_thread_folder(const char *folder, int tid, const char *name, const char *cpus, int policy, int priority)
{
    auto_free char *comm = must_format("%s\n", name);
    auto_free char *stat = must_format("%d (%s) S 1 4000 4000 0 -1 138412416 9 0 0 0 1 2 0 0 %d 0 6 0 %d 1 1 1 1 1 1 1 "
                                       "1 0 0 0 0 1 0 0 -1 1 %d %d 0 0 0 0 0 0 0 0 0 0 0\n",
                                       tid, name, priority ? -1 - priority : 20, 100 + tid, priority, policy);
    auto_free char *status =
        must_format("Name:\t%s\nPid:\t%d\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\n", name, tid, cpus);
    put(folder, "comm", comm);
    put(folder, "stat", stat);
    put(folder, "status", status);
}

static void put_thread(int tid, const char *name, const char *cpus, int policy, int priority)
{
    auto_free char *folder = must_format("/proc/%d/task/%d", PID, tid);
    put_thread_folder(folder, tid, name, cpus, policy, priority);
}

static void put_kernel_thread(int tid, const char *name, const char *cpus, int policy, int priority, const char *group)
{
    auto_free char *folder = must_format("/proc/%d", tid);
    put_thread_folder(folder, tid, name, cpus, policy, priority);
    put(folder, "cgroup", group);
}

static void put_memory(uint64_t locked, uint64_t huge, uint64_t anonymous, const char *numa_maps, const char *maps)
{
    auto_free char *status = must_format("Name:\tqemu-system-x86\nPid:\t4000\nVmLck:\t%8llu kB\nRssAnon:\t%llu kB\n"
                                         "RssFile:\t0 kB\nRssShmem:\t0 kB\nHugetlbPages:\t%8llu kB\n"
                                         "Cpus_allowed_list:\t0\n",
                                         (unsigned long long)locked / 1024, (unsigned long long)anonymous / 1024,
                                         (unsigned long long)huge / 1024);
    put("/proc/4000", "status", status);
    put("/proc/4000", "numa_maps", numa_maps);
    put("/proc/4000", "maps", maps);
}

static const char VM_GROUP[] = "0::/machine.slice/machine-qemu-1-default_blue.scope/libvirt/emulator\n";
static const char HUGE_MAPS[] =
    "5500000000 default file=/usr/bin/qemu-system-x86_64 mapped=10 N0=10 kernelpagesize_kB=4\n"
    "7f0000000000 bind:1 file=/dev/hugepages1G/x huge dirty=1 N1=1 kernelpagesize_kB=1048576\n"
    "7f8000000000 default anon=3 dirty=3 N0=3 kernelpagesize_kB=4\n";
static const char MAPS[] = "5500000000-5500100000 r-xp 00000000 fe:00 1 /usr/bin/qemu-system-x86_64\n"
                           "7f0000000000-7f0040000000 rw-p 00000000 00:10 2 /dev/hugepages1G/x\n"
                           "7f8000000000-7f8000021000 rw-p 00000000 00:00 0\n";

/* Two real-time vCPUs on 4 and 5, emulator on 2-3, an IO thread on 3, a locked gibibyte page on node 1. */
static void put_guest_as_planned(void)
{
    struct error err;
    auto_free char *proc = must_format("%s/proc", root);
    CHECK_INT(file_remove_tree(proc, &err), 0);
    put_thread(4000, "qemu-system-x86", "2-3", SCHED_OTHER, 0);
    put_thread(4001, "IO iothread1", "3", SCHED_OTHER, 0);
    put_thread(4002, "IO mon_iothread", "2-3", SCHED_OTHER, 0);
    put_thread(4003, "CPU 0/KVM", "4", SCHED_FIFO, 1);
    put_thread(4004, "CPU 1/KVM", "5", SCHED_FIFO, 1);
    put_thread(4005, "kvm-nx-lpage-re", "2-3", SCHED_OTHER, 0);
    put_thread(4006, "worker", "2", SCHED_OTHER, 0);
    put_kernel_thread(300, "kvm-pit/4000", "2-3", SCHED_OTHER, 0, "0::/\n");
    put_kernel_thread(301, "kvm-pit/5000", "0-7", SCHED_OTHER, 0, "0::/\n");
    put_kernel_thread(302, "vhost-4002", "2-3", SCHED_OTHER, 0, VM_GROUP);
    put_kernel_thread(303, "vhost-9999", "0-7", SCHED_OTHER, 0, "0::/\n");
    put_kernel_thread(304, "kvm-nx-lpage-re", "2-3", SCHED_OTHER, 0, VM_GROUP);
    put_kernel_thread(305, "kvm-nx-lpage-re", "0-7", SCHED_OTHER, 0, "0::/machine.slice/machine-qemu-2-other.scope\n");
    put("/proc/4000", "cgroup", VM_GROUP);
    put_memory(200 << 20, GIB, 90 << 20, HUGE_MAPS, MAPS);
}

static struct placement plan(void)
{
    struct placement placement = {.dedicated = true, .vcpu_count = 2, .fifo_priority = 1, .iothread_count = 1};
    placement.vcpu_cpu[0] = 4;
    placement.vcpu_cpu[1] = 5;
    placement.realtime_vcpus = cpuset_range(0, 1);
    placement.emulator = cpuset_range(2, 3);
    placement.iothread[0] = cpuset_of(3);
    placement.cell_count = 1;
    placement.cell[0] = (struct placement_cell){.host_node = 1, .memory_bytes = GIB, .page_bytes = GIB};
    return placement;
}

static const struct vm_spec SPEC = {.vcpus = 2, .memory_bytes = GIB, .hugepage_bytes = GIB};

static const struct prove_thread *drifted(const struct proof *proof)
{
    for (size_t i = 0; i < proof->thread_count; i++)
        if (!proof->thread[i].ok)
            return &proof->thread[i];
    return NULL;
}

static const struct prove_thread *by_name(const struct proof *proof, const char *name)
{
    for (size_t i = 0; i < proof->thread_count; i++)
        if (strcmp(proof->thread[i].name, name) == 0)
            return &proof->thread[i];
    CHECK_TEXT(NULL, name);
    static const struct prove_thread none;
    return &none;
}

static void proves_a_guest_as_planned(void)
{
    put_guest_as_planned();
    struct placement placement = plan();
    auto_proof proof = {0};
    struct error err;
    CHECK_INT(prove_vm(root, PID, &placement, &SPEC, true, &proof, &err), 0);
    CHECK(proof.ok);
    CHECK_INT(proof.drift_count, 0);
    CHECK_INT(proof.thread_count, 10); /* 7 of the process, the pit, one vhost, one recovery thread */
    CHECK_INT(by_name(&proof, "CPU 1/KVM")->index, 1);
    CHECK_INT(by_name(&proof, "CPU 1/KVM")->last_cpu, 1);
    CHECK_INT(by_name(&proof, "CPU 1/KVM")->start_ticks, 4104);
    CHECK_INT(by_name(&proof, "IO mon_iothread")->role, PROVE_EMULATOR);
    CHECK_INT(by_name(&proof, "vhost-4002")->role, PROVE_VHOST);
    CHECK_INT(by_name(&proof, "kvm-pit/4000")->role, PROVE_KVM_PIT);
    CHECK(cpuset_equal(&proof.memory.nodes, &proof.memory.wanted_nodes));
    CHECK_INT(proof.memory.wanted_locked_bytes, 90 << 20);
}

/* An IO thread on a CPU of its own, 6: workers that it made are there too; on a vCPU's CPU, or as real time, they are
 * not as planned. */
static void workers_of_an_io_thread_may_be_with_it(void)
{
    static const struct {
        const char *name, *cpus;
        int policy, priority;
        unsigned drifts;
    } CASES[] = {
        {"worker", "6", SCHED_OTHER, 0, 0},   {"worker", "2", SCHED_OTHER, 0, 0}, {"worker", "4", SCHED_OTHER, 0, 1},
        {"worker", "2,6", SCHED_OTHER, 0, 1}, {"worker", "6", SCHED_FIFO, 1, 1},  {"TC tc-ram", "6", SCHED_OTHER, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        put_guest_as_planned();
        put_thread(4001, "IO iothread1", "6", SCHED_OTHER, 0);
        put_thread(4006, CASES[i].name, CASES[i].cpus, CASES[i].policy, CASES[i].priority);
        struct placement placement = plan();
        placement.iothread[0] = cpuset_of(6);
        auto_proof proof = {0};
        struct error err;
        CHECK_INT(prove_vm(root, PID, &placement, &SPEC, true, &proof, &err), 0);
        CHECK_INT(proof.drift_count, CASES[i].drifts);
    }
}

static unsigned drift_of(const struct placement *placement, const struct vm_spec *spec, struct proof *proof)
{
    struct error err;
    CHECK_INT(prove_vm(root, PID, placement, spec, true, proof, &err), 0);
    CHECK_INT(proof->ok, proof->drift_count == 0);
    return proof->drift_count;
}

static void sees_threads_drift(void)
{
    static const struct {
        int tid;
        const char *name;
        const char *cpus;
        int policy;
        int priority;
        const char *because;
    } CASES[] = {
        {4003, "CPU 0/KVM", "0-7", SCHED_FIFO, 1, "may run on CPU 0-7, planned 4"},
        {4003, "CPU 0/KVM", "4", SCHED_OTHER, 0, "runs OTHER 0, planned FIFO 1"},
        {4003, "CPU 0/KVM", "4", SCHED_FIFO, 50, "runs FIFO 50, planned FIFO 1"},
        {4000, "qemu-system-x86", "0-5", SCHED_OTHER, 0, "may run on CPU 0-5, planned 2-3"},
        {4001, "IO iothread1", "2", SCHED_OTHER, 0, "may run on CPU 2, planned 3"},
        {4005, "kvm-nx-lpage-re", "4", SCHED_FIFO, 1, "may run on CPU 4, planned 2-3"},
        {4006, "worker", "3", SCHED_RR, 2, "runs RR 2, planned OTHER 0"},
    };
    struct placement placement = plan();
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        put_guest_as_planned();
        put_thread(CASES[i].tid, CASES[i].name, CASES[i].cpus, CASES[i].policy, CASES[i].priority);
        auto_proof proof = {0};
        CHECK_INT(drift_of(&placement, &SPEC, &proof), 1);
        const struct prove_thread *thread = drifted(&proof);
        CHECK(thread && thread->tid == CASES[i].tid);
        CHECK_TEXT(thread ? thread->because : NULL, CASES[i].because);
    }
}

static void misses_planned_threads(void)
{
    put_guest_as_planned();
    struct placement placement = plan();
    placement.vcpu_count = 3;
    placement.vcpu_cpu[2] = 6;
    placement.iothread_count = 2;
    auto_proof proof = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &proof), 2);
    CHECK_INT(by_name(&proof, "CPU 2")->tid, 0);
    CHECK_TEXT(by_name(&proof, "IO iothread 2")->because, "there is no such thread");
    struct error err;
    CHECK_INT(prove_repair(&proof, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}

static void sees_memory_drift(void)
{
    struct placement placement = plan();
    put_guest_as_planned();
    put_memory(200 << 20, GIB / 2, 90 << 20, HUGE_MAPS, MAPS);
    auto_proof short_of_pages = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &short_of_pages), 1);
    CHECK_TEXT(short_of_pages.memory.because, "536870912 bytes in huge pages, planned 1073741824");
    put_memory(0, GIB, 90 << 20, HUGE_MAPS, MAPS);
    auto_proof unlocked = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &unlocked), 1);
    CHECK_TEXT(unlocked.memory.because, "0 bytes locked, planned at least 94371840");
    put_memory(200 << 20, GIB, 90 << 20,
               "7f0000000000 prefer:0 file=/dev/hugepages1G/x huge N0=1 kernelpagesize_kB=1048576\n", MAPS);
    auto_proof elsewhere = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &elsewhere), 1);
    CHECK_TEXT(elsewhere.memory.because, "guest memory on node 0, planned 1");
}

/* Two cells, 1 GiB in one page on node 1, 1 GiB in pages of 2 MiB on node 0. */
static void every_cell_has_its_own_pages(void)
{
    static const char MAPS_OF_TWO[] = "7f0000000000 bind:1 file=/a huge dirty=1 N1=1 kernelpagesize_kB=1048576\n"
                                      "7f4000000000 bind:0 file=/b huge dirty=512 N0=512 kernelpagesize_kB=2048\n";
    static const char SWAPPED[] = "7f0000000000 bind:1 file=/a huge dirty=1 N0=1 kernelpagesize_kB=1048576\n"
                                  "7f4000000000 bind:0 file=/b huge dirty=512 N1=512 kernelpagesize_kB=2048\n";
    struct placement placement = plan();
    struct vm_spec spec = SPEC;
    spec.memory_bytes = 2 * (uint64_t)GIB;
    placement.cell[0] = (struct placement_cell){.host_node = 0, .memory_bytes = GIB, .page_bytes = 2 << 20};
    placement.cell[1] = (struct placement_cell){.host_node = 1, .memory_bytes = GIB, .page_bytes = GIB};
    placement.cell_count = 2;
    put_guest_as_planned();
    put_memory(200 << 20, 2 * (uint64_t)GIB, 90 << 20, MAPS_OF_TWO, MAPS);
    auto_proof proof = {0};
    CHECK_INT(drift_of(&placement, &spec, &proof), 0);
    CHECK_INT(proof.memory.huge_count, 2);
    auto_text table = {0};
    auto_json *json = proof_to_json(&proof);
    proof_write_table(json, &table);
    CHECK(strstr(text_cstr(&table), "of 2 MiB on node 0     1024.0 MiB  1024.0 MiB"));
    put_memory(200 << 20, 2 * (uint64_t)GIB, 90 << 20, SWAPPED, MAPS);
    auto_proof swapped = {0};
    CHECK_INT(drift_of(&placement, &spec, &swapped), 1);
    CHECK_TEXT(swapped.memory.because, "0 bytes in pages of 2048 KiB on node 0, planned 1073741824");
    placement.cell_count = 0; /* one cell over both nodes, in pages of 1 GiB */
    placement.hugepage_bytes = GIB;
    placement.memory_nodes = cpuset_range(0, 1);
    auto_proof other_size = {0};
    CHECK_INT(drift_of(&placement, &spec, &other_size), 1);
    CHECK_TEXT(other_size.memory.because, "not all guest memory is in pages of 1048576 KiB");
}

static void looks_at_threads_without_their_memory(void)
{
    struct placement placement = plan();
    struct error err;
    put_guest_as_planned();
    put_memory(0, 0, 90 << 20, "", ""); /* wrong, but not asked for */
    auto_proof proof = {0};
    CHECK_INT(prove_threads(root, PID, &placement, &proof, &err), 0);
    CHECK(proof.ok && proof.memory.ok);
    CHECK_INT(proof.thread_count, 10);
    put_thread(4003, "CPU 0/KVM", "0-7", SCHED_FIFO, 1);
    proof_finish(&proof);
    CHECK_INT(prove_threads(root, PID, &placement, &proof, &err), 0);
    CHECK(!proof.ok);
    CHECK_INT(proof.drift_count, 1);
    CHECK_INT(prove_threads(root, 77, &placement, &proof, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}

static void finds_guest_memory_in_ordinary_pages(void)
{
    put_guest_as_planned();
    put_memory((uint64_t)GIB + (200 << 20), 0, (uint64_t)GIB + (90 << 20),
               "7f0000000000 bind:1 anon=262144 dirty=262144 N1=262144 kernelpagesize_kB=4\n"
               "7f4000000000 default anon=2000 dirty=2000 N0=2000 kernelpagesize_kB=4\n"
               "7f8000000000 default anon=3 dirty=3 N0=3 kernelpagesize_kB=4\n",
               "7f0000000000-7f0040000000 rw-p 00000000 00:00 0\n"
               "7f4000000000-7f4040000000 rwxp 00000000 00:00 0\n" /* TCG's translated code: not the guest's */
               "7f8000000000-7f8000021000 rw-p 00000000 00:00 0\n");
    struct placement placement = plan();
    placement.cell[0].page_bytes = 0;
    struct vm_spec spec = SPEC;
    spec.hugepage_bytes = 0;
    auto_proof proof = {0};
    CHECK_INT(drift_of(&placement, &spec, &proof), 0);
    CHECK(cpuset_has(&proof.memory.nodes, 1) && cpuset_count(&proof.memory.nodes) == 1);
    CHECK_INT(proof.memory.wanted_locked_bytes, (uint64_t)GIB + (90 << 20));
}

static void knows_emulated_guests(void)
{
    put_guest_as_planned();
    put_thread(4003, "CPU 0/TCG", "4", SCHED_FIFO, 1);
    put_thread(4004, "CPU 1/TCG", "5", SCHED_FIFO, 1);
    struct placement placement = plan();
    auto_proof parallel = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &parallel), 0);

    put_guest_as_planned();
    put_thread(4003, "ALL CPUs/TCG", "4-5", SCHED_FIFO, 1);
    put_thread(4004, "worker", "2-3", SCHED_OTHER, 0);
    auto_proof single = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &single), 0);
    placement.realtime_vcpus = cpuset_of(0);
    auto_proof half = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &half), 1);
}

static void knows_floating_vcpus(void)
{
    put_guest_as_planned();
    struct placement placement = plan();
    placement.dedicated = false;
    placement.vcpu_cpu[0] = placement.vcpu_cpu[1] = -1;
    placement.realtime_vcpus = (struct cpuset){0};
    placement.shared = cpuset_range(0, 3);
    put_thread(4003, "CPU 0/KVM", "0-3", SCHED_OTHER, 0);
    put_thread(4004, "CPU 1/KVM", "0-3", SCHED_OTHER, 0);
    auto_proof proof = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &proof), 0);
}

static void takes_no_other_process_for_the_guest(void)
{
    put_guest_as_planned();
    put_thread(4003, "bash", "0-7", SCHED_OTHER, 0);
    put_thread(4004, "bash", "0-7", SCHED_OTHER, 0);
    struct placement placement = plan();
    auto_proof proof = {0};
    struct error err;
    CHECK_INT(prove_vm(root, PID, &placement, &SPEC, true, &proof, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(prove_vm(root, 77, &placement, &SPEC, true, &proof, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}

static void refuses_a_broken_stat(void)
{
    put_guest_as_planned();
    put("/proc/4000/task/4000", "stat", "4000 (qemu-system-x86) S 1 2 3\n");
    struct placement placement = plan();
    auto_proof proof = {0};
    struct error err;
    CHECK_INT(prove_vm(root, PID, &placement, &SPEC, true, &proof, &err), -1);
    CHECK_INT(err.kind, ERROR_INTERNAL);
}

static void writes_json_and_a_table(void)
{
    put_guest_as_planned();
    put_thread(4005, "kvm-nx-lpage-re", "4", SCHED_FIFO, 1);
    struct placement placement = plan();
    auto_proof proof = {0};
    CHECK_INT(drift_of(&placement, &SPEC, &proof), 1);
    auto_json *json = proof_to_json(&proof);
    CHECK(!json_bool_at(json, "ok", true));
    CHECK_INT(json_int_at(json, "driftCount", 0), 1);
    CHECK_TEXT(json_text_at(json, "memory.wantedNodes", NULL), "1");
    auto_text table = {0};
    proof_write_table(json, &table);
    CHECK(strstr(table.data, "CPU 0/KVM"));
    CHECK(strstr(table.data, "vcpu 0"));
    CHECK(strstr(table.data, "FIFO 1"));
    CHECK(strstr(table.data, "DRIFT: may run on CPU 4, planned 2-3"));
    CHECK(strstr(table.data, "1024.0 MiB"));
    CHECK(strstr(table.data, "drift: 1 of the facts"));
}

/* Repair works on the live machine only: on this very program's main thread, where changes are allowed to anybody. */
static void repairs_only_the_thread_it_looked_at(void)
{
    struct error err;
    struct prove_thread now;
    auto_free char *folder = must_format("/proc/%d", (int)gettid());
    CHECK_INT(reading_thread("", folder, (int)gettid(), &now, &err), 1);
    int first = cpuset_next(&now.cpus, 0);
    struct cpuset before = now.cpus;
    now.wanted_cpus = cpuset_of((unsigned)first);
    struct proof proof = {.thread = &now, .thread_count = 1};
    CHECK_INT(prove_repair(&proof, &err), 1);
    struct prove_thread after;
    CHECK_INT(reading_thread("", folder, (int)gettid(), &after, &err), 1);
    CHECK(cpuset_equal(&after.cpus, &now.wanted_cpus));
    now.start_ticks++; /* another thread with our number */
    now.wanted_cpus = before;
    CHECK_INT(prove_repair(&proof, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(reading_thread("", folder, (int)gettid(), &after, &err), 1);
    CHECK(cpuset_count(&after.cpus) == 1);
}

int main(void)
{
    if (!mkdtemp(root))
        return 1;
    RUN(proves_a_guest_as_planned);
    RUN(workers_of_an_io_thread_may_be_with_it);
    RUN(sees_threads_drift);
    RUN(misses_planned_threads);
    RUN(sees_memory_drift);
    RUN(every_cell_has_its_own_pages);
    RUN(looks_at_threads_without_their_memory);
    RUN(finds_guest_memory_in_ordinary_pages);
    RUN(knows_emulated_guests);
    RUN(knows_floating_vcpus);
    RUN(takes_no_other_process_for_the_guest);
    RUN(refuses_a_broken_stat);
    RUN(writes_json_and_a_table);
    RUN(repairs_only_the_thread_it_looked_at);
    struct error err;
    file_remove_tree(root, &err);
    return test_end();
}
