#include "rtvmd/host_map.c"

#include "tests/test.h"

static struct host host;

static void a_map_names_the_owners(void)
{
    struct error err;
    CHECK_INT(host_load("tests/golden/hosts/two-node-nosmt", &host, &err), 0);
    auto_json *placement =
        json_pack("{s:{s:s,s:s}, s:{s:{s:i,s:i}, s:[i,i,i], s:[i], s:[{s:i,s:i,s:i},{s:i,s:i,s:i},{s:i,s:i,s:i}]}}",
                  "metadata", "namespace", "plant", "name", "press", "spec", "vcpus", "0", 4, "1", 6, "exclusive", 4, 6,
                  8, "parked", 10, "pages", "node", 0, "pageBytes", 1 << 30, "pages", 1, "node", 1, "pageBytes",
                  2 << 20, "pages", 512, "node", 1, "pageBytes", 4096, "pages", 100);
    struct host_map_vm vms[] = {host_map_vm_of(placement), {.name = "plant/idle"}};
    CHECK_TEXT(vms[0].name, "plant/press");
    auto_text out = {0};
    host_map_write(&host, vms, ARRAY_SIZE(vms), false, &out);
    CHECK(strstr(text_cstr(&out), "      [ 0h] [ 2.] [ 4A] [ 6A] [ 8a] [10a]\n"));
    CHECK(strstr(text_cstr(&out), "  A plant/press: 1 page of 1 GiB on node 0, 512 pages of 2 MiB on node 1\n"));
    CHECK(!strstr(text_cstr(&out), "idle"));
    CHECK(!strstr(text_cstr(&out), "\x1b"));
    text_clear(&out);
    host_map_write(&host, vms, ARRAY_SIZE(vms), true, &out);
    CHECK(strstr(text_cstr(&out), "\x1b[30;42m 4A\x1b[0m"));
}

static void nonsense_of_a_daemon_is_survived(void)
{
    auto_json *placement =
        json_pack("{s:{s:{s:i,s:s}, s:[i,s]}}", "spec", "vcpus", "0", 99999, "1", "x", "exclusive", -1, "y");
    struct host_map_vm vm = host_map_vm_of(placement);
    CHECK_TEXT(vm.name, "/");
    CHECK_INT(cpuset_count(&vm.vcpus), 1); /* a text counts as 0 */
    struct host_map_vm none = host_map_vm_of(NULL);
    CHECK(cpuset_is_empty(&none.vcpus));
}

static void long_lines_are_broken(void)
{
    memset(&host, 0, sizeof host);
    for (unsigned cpu = 0; cpu < 256; cpu++) {
        host.cpu[cpu] =
            (struct host_cpu){.present = true, .online = true, .package = -1, .l3 = -1, .siblings = cpuset_of(cpu)};
        cpuset_add(&host.online, cpu);
    }
    host.cpu_limit = 256;
    auto_text out = {0};
    host_map_write(&host, NULL, 0, false, &out);
    CHECK(strstr(text_cstr(&out), "  no node\n    no package, no L3\n      [  0h] [  1.]"));
    for (const char *line = text_cstr(&out); *line; line += strcspn(line, "\n") + 1)
        CHECK(strcspn(line, "\n") <= MAP_WIDTH);
}

int main(void)
{
    RUN(a_map_names_the_owners);
    RUN(nonsense_of_a_daemon_is_survived);
    RUN(long_lines_are_broken);
    return test_end();
}
