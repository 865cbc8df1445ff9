#include "runtime/hypervisor/qemu_process.c"
#include "tests/test.h"

static char root[] = "/tmp/rtvmd-test-XXXXXX";
static const char UUID[] = "5c0cdd5c-0e2f-4a66-8b8a-0c2f5b9a2d11";

static void put(const char *path, const char *bytes, size_t length)
{
    struct error err;
    auto_free char *full = must_format("%s%s", root, path);
    auto_free char *folder = must_strndup(full, (size_t)(strrchr(full, '/') - full));
    CHECK_INT(file_make_folders(folder, 0755, &err), 0);
    CHECK_INT(file_write_atomic(full, bytes, length, 0644, &err), 0);
}

static void put_process(int pid, const char *name, const char *uuid)
{
    auto_text line = {0};
    const char *words[] = {"/usr/bin/qemu-system-x86_64", "-name", name, "-S", "-uuid", uuid, "-no-user-config"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        text_append_n(&line, words[i], strlen(words[i]) + 1);
    auto_free char *path = must_format("/proc/%d/cmdline", pid);
    put(path, line.data, line.length);
}

static void finds_by_pid_file(void)
{
    put_process(4242, "guest=default_blue,debug-threads=on", UUID);
    put("/run/libvirt/qemu/default_blue.pid", "4242", 4);
    CHECK_INT(from_pid_file(root, "/run/libvirt/qemu", "default_blue", UUID), 4242);
    CHECK_INT(qemu_process_find(root, "default_blue", UUID), 4242);
    /* a stale pid file, the number is somebody else's now */
    put("/run/libvirt/qemu/default_red.pid", "4242", 4);
    CHECK_INT(from_pid_file(root, "/run/libvirt/qemu", "default_red", UUID), 0);
}

static void finds_by_command_line(void)
{
    put_process(5000, "guest=default_green-2,debug-threads=on", "00000000-0000-0000-0000-000000000001");
    put_process(5001, "guest=default_green,debug-threads=on", "00000000-0000-0000-0000-000000000002");
    put_process(5002, "guest=default_green,debug-threads=on", UUID);
    put("/proc/5003/cmdline", "", 0);
    put("/proc/5004/cmdline", "-uuid", 5); /* cut short, no final NUL */
    CHECK_INT(qemu_process_find(root, "default_green", UUID), 5002);
    CHECK_INT(qemu_process_find(root, "default_gree", UUID), 0);
    CHECK_INT(qemu_process_find(root, "default_green", "00000000-0000-0000-0000-000000000001"), 0);
}

static void does_not_believe_other_users(void)
{
    put_process(6000, "guest=default_forged,debug-threads=on", UUID);
    auto_free char *process = must_format("%s/proc/6000", root);
    CHECK_INT(chown(process, 65534, 65534), 0);
    CHECK_INT(qemu_process_find(root, "default_forged", UUID), 0);
    put("/var/lib/libvirt/qemu/x", "", 0); /* its owner is QEMU's user */
    auto_free char *home = must_format("%s/var/lib/libvirt/qemu", root);
    CHECK_INT(chown(home, 65534, 65534), 0);
    CHECK_INT(qemu_process_find(root, "default_forged", UUID), 6000);
    CHECK_INT(qemu_process_user(root, 6000), 65534);
    CHECK_INT(qemu_process_user(root, 6001), 0);
}

int main(void)
{
    struct error err;
    if (!mkdtemp(root))
        return 1;
    RUN(finds_by_pid_file);
    RUN(finds_by_command_line);
    if (geteuid() == 0)
        RUN(does_not_believe_other_users);
    else
        SKIP("does_not_believe_other_users", "needs root to give a file to another user");
    file_remove_tree(root, &err);
    return test_end();
}
