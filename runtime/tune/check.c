/* The ways checks look at a file: a number, a word, a choice, a switch, a CPU set, a file of every CPU. */
#include "runtime/tune/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_among(const char *word, const char *words)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0') && n > 0)
            return true;
    return false;
}

enum verdict look_absent(const struct patient *p, struct text *found, const char *path)
{
    static const char DEBUG[] = "/sys/kernel/debug/";
    if (!p->live) {
        text_printf(found, "%s is not recorded", path);
        return VERDICT_UNKNOWN;
    }
    if (text_starts_with(path, DEBUG) && !files_exists(&p->files, "/sys/kernel/debug/sched/")) {
        text_printf(found, "%s cannot be read (is debugfs mounted, are we root?)", path);
        return VERDICT_UNKNOWN;
    }
    if (files_exists(&p->files, "%s", path)) {
        text_printf(found, "%s cannot be read", path);
        return VERDICT_UNKNOWN;
    }
    text_printf(found, "%s does not exist here", path);
    return VERDICT_NOT_APPLICABLE;
}

enum verdict look_int(const struct patient *p, struct text *found, int64_t low, int64_t high, const char *path)
{
    int64_t value;
    if (!files_int(&p->files, &value, "%s", path))
        return look_absent(p, found, path);
    text_printf(found, "%lld", (long long)value);
    return value >= low && value <= high ? VERDICT_OK : VERDICT_BAD;
}

enum verdict look_word(const struct patient *p, struct text *found, const char *words, const char *path)
{
    char line[256];
    if (!files_line(&p->files, line, sizeof line, "%s", path))
        return look_absent(p, found, path);
    text_append(found, line);
    return is_among(line, words) ? VERDICT_OK : VERDICT_BAD;
}

enum verdict look_choice(const struct patient *p, struct text *found, const char *words, const char *path)
{
    char line[256];
    if (!files_line(&p->files, line, sizeof line, "%s", path))
        return look_absent(p, found, path);
    const char *open = strchr(line, '[');
    const char *start = open ? open + 1 : line;
    auto_free char *chosen = must_strndup(start, strcspn(start, "]"));
    text_append(found, chosen);
    return is_among(chosen, words) ? VERDICT_OK : VERDICT_BAD;
}

enum verdict look_switch(const struct patient *p, struct text *found, bool on, const char *path)
{
    return look_word(p, found, on ? "Y y 1" : "N n 0", path);
}

static enum verdict judge_without_rt(const struct patient *p, struct text *found, const struct cpuset *set)
{
    struct cpuset both = cpuset_and(set, &p->rt);
    if (cpuset_is_empty(&both)) {
        text_append(found, "none");
        return VERDICT_OK;
    }
    text_cpus(found, &both);
    return VERDICT_BAD;
}

enum verdict look_mask(const struct patient *p, struct text *found, const char *path)
{
    struct cpuset set;
    return files_mask(&p->files, &set, "%s", path) ? judge_without_rt(p, found, &set) : look_absent(p, found, path);
}

enum verdict look_list(const struct patient *p, struct text *found, const char *path)
{
    struct cpuset set;
    return files_set(&p->files, &set, "%s", path) ? judge_without_rt(p, found, &set) : look_absent(p, found, path);
}

enum verdict look_each(const struct patient *p, struct text *found, const char *name, bool (*good)(const char *value))
{
    struct cpuset bad = {0};
    char first_bad[128] = "";
    char value[128] = "";
    unsigned seen = 0;
    cpuset_foreach(cpu, &p->rt)
    {
        if (!files_line(&p->files, value, sizeof value, "/sys/devices/system/cpu/cpu%d/%s", cpu, name))
            continue;
        seen++;
        if (good(value))
            continue;
        cpuset_add(&bad, (unsigned)cpu);
        if (!first_bad[0])
            snprintf(first_bad, sizeof first_bad, "%s", value);
    }
    if (seen == 0) {
        auto_free char *path = must_format("/sys/devices/system/cpu/cpu%d/%s", cpuset_next(&p->rt, 0), name);
        return look_absent(p, found, path);
    }
    text_append(found, first_bad[0] ? first_bad : value);
    if (cpuset_is_empty(&bad))
        return VERDICT_OK;
    text_append(found, " on ");
    text_cpus(found, &bad);
    return VERDICT_BAD;
}

bool boot_option_value(const struct patient *p, const char *option, char *ret_value, size_t size)
{
    auto_free char *key = must_format(" %s=", option);
    const char *at = p->command_line ? strstr(p->command_line, key) : NULL;
    if (!at)
        return false;
    at += strlen(key);
    snprintf(ret_value, size, "%.*s", (int)strcspn(at, " "), at);
    return true;
}

bool has_boot_option(const struct patient *p, const char *option)
{
    auto_free char *word = must_format(" %s ", option);
    return p->command_line && strstr(p->command_line, word);
}

enum verdict look_boot_option(const struct patient *p, struct text *found, const char *option)
{
    if (!p->command_line) {
        text_append(found, "/proc/cmdline is not recorded");
        return VERDICT_UNKNOWN;
    }
    bool given = has_boot_option(p, option);
    text_append(found, given ? "given" : "not given");
    return given ? VERDICT_OK : VERDICT_BAD;
}

enum verdict look_answer(const struct patient *p, struct text *found, enum host_answer answer, const char *because)
{
    if (answer == HOST_UNKNOWN) {
        text_append(found, because[0] ? because : p->live ? "unknown" : "a recorded host cannot be tried");
        return VERDICT_UNKNOWN;
    }
    text_printf(found, "%s%s%s", answer == HOST_YES ? "yes" : "no", because[0] ? ": " : "", because);
    return answer == HOST_YES ? VERDICT_OK : VERDICT_BAD;
}

enum verdict look_build_option(const struct patient *p, struct text *found, const char *option, char wanted)
{
    if (!p->build_options) {
        text_append(found, "neither /boot/config-* nor /lib/modules/*/config of this kernel is there");
        return VERDICT_UNKNOWN;
    }
    auto_free char *set = must_format("\n%s=y\n", option);
    bool is_set = strstr(p->build_options, set) != NULL;
    text_printf(found, "%s %s", option, is_set ? "is set" : "is not set");
    return is_set == (wanted == 'y') ? VERDICT_OK : VERDICT_BAD;
}

bool has_cpu_flag(const struct patient *p, const char *flag)
{
    auto_free char *word = must_format(" %s ", flag);
    return p->cpu_flags && strstr(p->cpu_flags, word);
}

void text_cpus(struct text *out, const struct cpuset *cpus)
{
    struct cpuset_text text;
    text_printf(out, cpuset_count(cpus) == 1 ? "CPU %s" : "CPUs %s", cpuset_format(cpus, &text));
}
