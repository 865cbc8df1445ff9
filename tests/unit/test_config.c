#include "rtvmd/config.c"

#include <unistd.h>

#include "tests/test.h"

static int apply(struct config *config, const char *text, struct error *err)
{
    char path[] = "/tmp/rtvmd-config-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    int r = config_read_file(config, path, err);
    unlink(path);
    return r;
}

static void reads_every_kind_of_option(void)
{
    auto_config config;
    config_init(&config);
    CHECK_TEXT(config.libvirt_uri, "qemu:///system");
    CHECK_TEXT(config.log_level, "info");
    struct error err = {0};
    CHECK_INT(
        apply(&config,
              "stateDir: /srv/x\napi:\n  listen: 127.0.0.1:7443\n  plainHTTP: true\n  tls:\n"
              "libvirt: {emulation: on}\nhost:\n  reservedCPUs: 0\n  tuning: safe\n  hugepages: {allocate: true}\n"
              "storage: {hostDiskDirs: [/srv/disks, /mnt]}\nlog: {level: debug}\n",
              &err),
        0);
    CHECK_TEXT(err.text, "");
    CHECK_TEXT(config.state_dir, "/srv/x");
    CHECK_TEXT(config.listen, "127.0.0.1:7443");
    CHECK(config.plain_http && config.hugepages_allocate);
    CHECK_INT(config.emulation, CONFIG_EMULATION_ON);
    CHECK_INT(config.tuning, CONFIG_TUNING_SAFE);
    CHECK(cpuset_has(&config.reserved_cpus, 0));
    CHECK_TEXT(config.host_disk_dirs[1], "/mnt");
    CHECK(config.host_disk_dirs[2] == NULL);
    CHECK_INT(config_set(&config, "host.reservedCPUs", "0-1,8", &err), 0);
    CHECK_INT(cpuset_count(&config.reserved_cpus), 3);
    CHECK_INT(apply(&config, "# nothing\n", &err), 0);
}

static void names_what_is_wrong(void)
{
    static const struct {
        const char *text;
        const char *part;
    } CASES[] = {
        {"statedir: /x\n", "unknown option statedir"},
        {"api: {sockt: /x}\n", "unknown option api.sockt"},
        {"api: 7\n", "unknown option api"},
        {"stateDir: x\n", "stateDir: \"x\" is not an absolute path"},
        {"log: {level: loud}\n", "log.level: \"loud\" is none of error, warn, info, debug"},
        {"host: {reservedCPUs: 3-1}\n", "host.reservedCPUs: invalid CPU list"},
        {"api: {plainHTTP: 1}\n", "api.plainHTTP: want true or false"},
        {"storage: {hostDiskDirs: /x}\n", "storage.hostDiskDirs: want a list"},
        {"storage: {hostDiskDirs: [x]}\n", "storage.hostDiskDirs[0]: want an absolute path"},
        {"- a\n", "not a mapping"},
        {"a: 1\n---\nb: 2\n", "want one YAML document, found 2"},
        {"a: 1\na: 2\n", "twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_config config;
        config_init(&config);
        struct error err = {0};
        CHECK_INT(apply(&config, CASES[i].text, &err), -1);
        if (!strstr(err.text, CASES[i].part))
            CHECK_TEXT(err.text, CASES[i].part);
    }
}

static void the_sample_is_the_defaults(void)
{
    auto_text sample = {0};
    config_write_sample(&sample);
    auto_text uncommented = {0}; /* a person takes away the first '#' of each line */
    for (const char *line = text_cstr(&sample); *line;) {
        size_t length = strcspn(line, "\n") + 1;
        size_t skip = *line == '#';
        text_append_n(&uncommented, line + skip, length - skip);
        line += length;
    }
    auto_config config;
    auto_config untouched;
    config_init(&config);
    config_init(&untouched);
    struct error err = {0};
    CHECK_INT(apply(&config, text_cstr(&uncommented), &err), 0);
    CHECK_TEXT(err.text, "");
    CHECK_TEXT(config.state_dir, "/var/lib/rtvmd");
    CHECK_TEXT(config.libvirt_uri, untouched.libvirt_uri);
    CHECK_INT(config.emulation, untouched.emulation);
    CHECK(!config.plain_http && config.host_disk_dirs[0] == NULL);
}

struct told {
    struct text taken;
    struct text waiting;
};

static void tell(const char *key, const char *before, const char *after, bool on_reload, void *arg)
{
    struct told *told = arg;
    text_printf(on_reload ? &told->taken : &told->waiting, "%s=%s>%s;", key, before, after);
}

static void a_reload_tells_what_is_taken_over_and_what_waits(void)
{
    auto_config running;
    auto_config next;
    struct told told = {0};
    struct error err = {0};
    config_init(&running);
    config_init(&next);
    CHECK_INT(apply(&running, "storage: {hostDiskDirs: [/a]}\nhost: {tuning: safe, reservedCPUs: 0-1}\n", &err), 0);
    CHECK_INT(apply(&next,
                    "log: {level: debug}\nstorage: {hostDiskDirs: [/a, /b]}\nstateDir: /x\nhost: {reservedCPUs: 0}\n"
                    "api: {plainHTTP: true, socketGroup: g}\n",
                    &err),
              0);
    config_compare(&running, &next, tell, &told);
    CHECK_TEXT(text_cstr(&told.taken), "api.socketGroup=>g;storage.hostDiskDirs=[/a]>[/a, /b];log.level=info>debug;");
    CHECK_TEXT(text_cstr(&told.waiting), "stateDir=/var/lib/rtvmd>/x;api.plainHTTP=false>true;host.reservedCPUs=0-1>0;"
                                         "host.tuning=safe>none;");
    config_exchange_waiting(&running, &next);
    CHECK_TEXT(next.state_dir, "/var/lib/rtvmd");
    CHECK_INT(next.tuning, CONFIG_TUNING_SAFE);
    CHECK_INT(cpuset_count(&next.reserved_cpus), 2);
    CHECK(!next.plain_http);
    CHECK_TEXT(next.log_level, "debug");
    CHECK_TEXT(next.host_disk_dirs[1], "/b");
    text_clear(&told.taken); /* what waits goes on waiting: the next reload says it again */
    text_clear(&told.waiting);
    config_compare(&next, &running, tell, &told);
    CHECK(strstr(text_cstr(&told.waiting), "stateDir=/var/lib/rtvmd>/x;") != NULL);
    text_finish(&told.taken);
    text_finish(&told.waiting);
}

int main(void)
{
    RUN(reads_every_kind_of_option);
    RUN(names_what_is_wrong);
    RUN(the_sample_is_the_defaults);
    RUN(a_reload_tells_what_is_taken_over_and_what_waits);
    return test_end();
}
