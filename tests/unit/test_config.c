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
    CHECK_INT(config_set(&config, "stateDir", "here", &err), 0); /* said on a command line */
    CHECK(config.state_dir[0] == '/' && strstr(config.state_dir, "/here") != NULL);
    CHECK_INT(config_set(&config, "stateDir", "/there", &err), 0);
    CHECK_TEXT(config.state_dir, "/there");
    CHECK_INT(cpuset_count(&config.reserved_cpus), 3);
    CHECK_INT(apply(&config, "# nothing\n", &err), 0);
}

static void names_what_is_wrong(void)
{
    static const struct {
        const char *text;
        const char *part;
    } CASES[] = {
        {"statedir: /x\n", "unknown option statedir; did you mean stateDir? rtvmd.yaml(5) lists all"},
        {"api: {sockt: /x}\n", "unknown option api.sockt; did you mean api.socket? rtvmd.yaml(5) lists all"},
        {"listen: 127.0.0.1:1\n", "unknown option listen; did you mean api.listen? rtvmd.yaml(5) lists all"},
        {"hosts: {tuning: safe}\n", "unknown option hosts.tuning; did you mean host.tuning? rtvmd.yaml(5) lists all"},
        {"nothing: alike\n", "unknown option nothing; rtvmd.yaml(5) lists them"},
        {"nothing: {}\n", "unknown option nothing; rtvmd.yaml(5) lists them"},
        {"api: 7\n", "api: want options below it, not a value of its own; rtvmd.yaml(5) lists them"},
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

/* A person takes away the first '#' of one line, or of all (-1). Returns whether there is such a line. */
static bool uncomment(const char *sample, int which, struct text *out)
{
    int number = 0;
    bool found = false;
    for (const char *line = sample; *line; number++) {
        size_t length = strcspn(line, "\n") + 1;
        bool skip = *line == '#' && (which < 0 || (which == number && line[1] != '#'));
        text_append_n(out, line + skip, length - skip);
        line += length;
        found = found || skip;
    }
    return found;
}

static void each_option_of_the_sample_can_be_set_alone(void)
{
    auto_text sample = {0};
    config_write_sample(&sample);
    int accepted = 0;
    for (int line = 0; line < 200; line++) {
        auto_text one = {0};
        if (!uncomment(text_cstr(&sample), line, &one))
            continue;
        struct error err = {0};
        auto_config config;
        config_init(&config);
        CHECK_INT(apply(&config, text_cstr(&one), &err), 0);
        CHECK_TEXT(err.text, "");
        accepted++;
    }
    CHECK_INT(accepted, ARRAY_SIZE(OPTIONS));
}

static void the_sample_is_the_defaults(void)
{
    auto_text sample = {0};
    config_write_sample(&sample);
    auto_text uncommented = {0};
    CHECK(uncomment(text_cstr(&sample), -1, &uncommented));
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
    RUN(each_option_of_the_sample_can_be_set_alone);
    RUN(a_reload_tells_what_is_taken_over_and_what_waits);
    return test_end();
}
