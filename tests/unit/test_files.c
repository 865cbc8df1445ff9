#include "hostprobe/files.c"

#include "tests/test.h"
#include "tests/unit/tree.h"

static void lists_what_it_reads_and_nothing_else(void)
{
    CHECK(files_listed("/sys/devices/system/cpu/cpu12/topology/core_id"));
    CHECK(files_listed("/sys/fs/cgroup/cpuset.cpus.effective"));
    CHECK(files_listed("/a/b c/d/cpuset.cpus.effective"));
    CHECK(!files_listed("/sys/devices/system/cpu/cpu/topology/core_id"));
    CHECK(!files_listed("/sys/devices/system/cpu/cpu1x/topology/core_id"));
    CHECK(!files_listed("/sys/devices/system/cpu/cpu12/topology/core_id2"));
    CHECK(!files_listed("/sys/devices/system/cpu/cpu12/../../../cpuset.cpus"));
    CHECK(!files_listed("/etc/passwd"));
    CHECK(!files_listed(""));
}

static void never_asks_for_a_current_frequency(void)
{
    CHECK(!files_listed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"));
    CHECK(!files_listed("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_cur_freq"));
    CHECK(!files_listed("/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq"));
    for (size_t i = 0; i < FILES_LIST_COUNT; i++)
        CHECK(!strstr(FILES_LIST[i], "cur_freq"));
}

static char observed[256];

static void observe(const char *path)
{
    snprintf(observed, sizeof observed, "%s", path);
}

static void does_not_open_what_is_not_listed(void)
{
    struct tree tree;
    tree_make(&tree);
    tree_put(&tree, "/proc/version", "Linux version 1\n");
    tree_put(&tree, "/proc/secret", "x\n");
    struct files files = {.root = tree.root};
    auto_text text = {0};
    files_observer = observe;
    CHECK(files_read(&files, &text, "/proc/%s", "version"));
    CHECK_TEXT(observed, "/proc/version");
    observed[0] = '\0';
    CHECK(!files_read(&files, &text, "/proc/secret"));
    CHECK(!files_exists(&files, "/proc/secret"));
    CHECK_TEXT(observed, "");
    CHECK_TEXT(text_cstr(&text), "Linux version 1\n");
    files_observer = NULL;
    tree_remove(&tree);
}

static void reads_values(void)
{
    struct tree tree;
    tree_make(&tree);
    tree_put(&tree, "/sys/kernel/realtime", "1\n");
    tree_put(&tree, "/proc/version", "  Linux\tversion \x80 1  \nsecond\n");
    tree_put(&tree, "/sys/devices/system/cpu/online", "0-2,5\n");
    tree_put(&tree, "/sys/devices/system/cpu/isolated", "\n");
    tree_put(&tree, "/sys/devices/system/cpu/nohz_full", "(null)\n");
    tree_put(&tree, "/sys/devices/system/cpu/cpu0/topology/core_id", "x1\n");
    tree_put(&tree, "/sys/devices/system/cpu/cpu7/online", "0\n");
    struct files files = {.root = tree.root};
    int64_t value = 7;
    char line[64];
    struct cpuset set = cpuset_of(9);
    struct cpuset_text text;
    CHECK(files_int(&files, &value, "/sys/kernel/realtime"));
    CHECK_INT(value, 1);
    CHECK(!files_int(&files, &value, "/sys/devices/system/cpu/cpu%d/topology/core_id", 0));
    CHECK(!files_int(&files, &value, "/sys/devices/system/cpu/cpu%d/topology/core_id", 1));
    CHECK_INT(value, 1);
    CHECK(files_line(&files, line, sizeof line, "/proc/version"));
    CHECK_TEXT(line, "Linux?version ? 1");
    CHECK(!files_set(&files, &set, "/sys/devices/system/cpu/nohz_full"));
    CHECK_TEXT(cpuset_format(&set, &text), "9");
    CHECK(files_set(&files, &set, "/sys/devices/system/cpu/isolated") && cpuset_is_empty(&set));
    CHECK(files_set(&files, &set, "/sys/devices/system/cpu/online"));
    CHECK_TEXT(cpuset_format(&set, &text), "0-2,5");
    set = files_numbers(&files, "/sys/devices/system/cpu/", "cpu");
    CHECK_TEXT(cpuset_format(&set, &text), "0,7");
    tree_remove(&tree);
}

static void parses_masks(void)
{
    static const struct {
        const char *text;
        const char *list; /* NULL: malformed */
    } CASES[] = {
        {"3\n", "0-1"},
        {"00000000,0000000f", "0-3"},
        {"0001,00000000,80000001\n", "0,31,64"},
        {"00000000,00000000", ""},
        {"", NULL},
        {"0,1", NULL}, /* only the first group may be short */
        {"0000000g", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cpuset set;
        struct cpuset_text text;
        bool good = files_parse_mask(CASES[i].text, &set);
        CHECK_INT(good, CASES[i].list != NULL);
        if (good && CASES[i].list)
            CHECK_TEXT(cpuset_format(&set, &text), CASES[i].list);
    }
}

static void finds_fields(void)
{
    uint64_t value = 0;
    CHECK(files_field("Node 0 MemTotal:   12 kB\n", "MemTotal", &value));
    CHECK_INT(value, 12);
    CHECK(!files_field("SwapMemTotal: 1\n", "MemTotal", &value));
    CHECK(files_field("SwapMemTotal: 1\nMemTotal: 5 kB", "MemTotal", &value));
    CHECK_INT(value, 5);
    CHECK(!files_field("MemTotal: none", "MemTotal", &value));
}

static void finds_bytes_across_chunks(void)
{
    struct tree tree;
    tree_make(&tree);
    char *big = must_calloc(200001, 1);
    memset(big, 'x', 200000);
    memcpy(big + 65536 - 4, "fair_server", 11);
    tree_put(&tree, "/sys/kernel/btf/vmlinux", big);
    struct files files = {.root = tree.root};
    bool found = false;
    CHECK(files_contain(&files, "fair_server", 11, "/sys/kernel/btf/vmlinux", &found) && found);
    CHECK(files_contain(&files, "unfair", 6, "/sys/kernel/btf/vmlinux", &found) && !found);
    free(big);
    tree_remove(&tree);
}

static void a_long_file_is_cut_at_the_limit(void)
{
    struct tree tree;
    tree_make(&tree);
    char *big = must_calloc(LIMIT_SYSFILE_BYTES + 2, 1);
    memset(big, 'x', LIMIT_SYSFILE_BYTES + 1);
    tree_put(&tree, "/proc/interrupts", big);
    struct files files = {.root = tree.root};
    auto_text text = {0};
    CHECK(files_read(&files, &text, "/proc/interrupts"));
    CHECK(text.length > 0 && text.length <= LIMIT_SYSFILE_BYTES);
    free(big);
    tree_remove(&tree);
}

int main(void)
{
    RUN(lists_what_it_reads_and_nothing_else);
    RUN(never_asks_for_a_current_frequency);
    RUN(does_not_open_what_is_not_listed);
    RUN(reads_values);
    RUN(parses_masks);
    RUN(finds_fields);
    RUN(finds_bytes_across_chunks);
    RUN(a_long_file_is_cut_at_the_limit);
    return test_end();
}
