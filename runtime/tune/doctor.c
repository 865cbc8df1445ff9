/* Runs every check of every table over one patient, and draws the one conclusion.
 *
 * Fit: no critical check is bad and none is unknown. Not fit: one is bad. Unknown: the rest, and every virtual machine,
 * since nothing seen in one tells about the hardware below. Warnings do not decide; they are counted beside the
 * verdict.
 */
#include "runtime/tune/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/tune/check.h"

static const struct check_table *const TABLES[] = {
    &CHECKS_KERNEL, &CHECKS_SCHED,  &CHECKS_ISOLATION, &CHECKS_INTERRUPTS, &CHECKS_NOISE,
    &CHECKS_POWER,  &CHECKS_MEMORY, &CHECKS_KVM,       &CHECKS_DAEMONS,
};

/* {rt} {hk} {rt each} {hk mask}: see struct check. */
static void append_token(struct text *out, const char *token, size_t length, const struct patient *p)
{
    struct cpuset_text list;
    if (strncmp(token, "rt", length) == 0 && length == 2) {
        text_append(out, cpuset_format(&p->rt, &list));
    } else if (strncmp(token, "hk", length) == 0 && length == 2) {
        text_append(out, cpuset_format(&p->housekeeping, &list));
    } else if (strncmp(token, "rt each", length) == 0) {
        bool first = true;
        cpuset_foreach(cpu, &p->rt)
        {
            text_printf(out, "%s%d", first ? "" : " ", cpu);
            first = false;
        }
    } else if (strncmp(token, "hk mask", length) == 0) {
        bool started = false;
        for (int group = CPUSET_MAX / 32 - 1; group >= 0; group--) {
            uint32_t bits = (uint32_t)(p->housekeeping.word[group / 2] >> (group % 2 ? 32 : 0));
            if (bits || started || group == 0)
                text_printf(out, started ? ",%08x" : "%x", bits);
            started |= bits != 0;
        }
    }
}

static char *expand(const char *template, const struct patient *p)
{
    struct text out = {0};
    while (*template) {
        const char *end = *template == '{' ? strchr(template, '}') : NULL;
        if (end) {
            append_token(&out, template + 1, (size_t)(end - template - 1), p);
            template = end + 1;
        } else {
            text_append_n(&out, template, 1);
            template ++;
        }
    }
    return text_take(&out);
}

static char *read_padded_line(const struct files *files, const char *path)
{
    auto_text text = {0};
    if (!files_read(files, &text, "%s", path))
        return NULL;
    return must_format(" %.*s ", (int)strcspn(text_cstr(&text), "\n"), text_cstr(&text));
}

static char *read_cpu_flags(const struct files *files)
{
    auto_text text = {0};
    files_read(files, &text, "/proc/cpuinfo");
    const char *at = strstr(text_cstr(&text), "\nflags\t");
    at = at ? strchr(at, ':') : NULL;
    return at ? must_format(" %.*s ", (int)strcspn(at + 1, "\n"), at + 1) : NULL;
}

static char *read_build_options(const struct files *files, const char *release)
{
    struct text text = {0};
    text_append(&text, "\n");
    if (release[0] && !strchr(release, '/') &&
        (files_read(files, &text, "/boot/config-%s", release) ||
         files_read(files, &text, "/lib/modules/%s/config", release)))
        return text_take(&text);
    text_finish(&text);
    return NULL;
}

static void patient_read(struct patient *p, const char *root, const struct host *host)
{
    p->files.root = root ? root : "";
    p->live = p->files.root[0] == '\0';
    p->host = host;
    struct cpuset isolated = cpuset_and(&host->isolated, &host->online);
    struct cpuset kept = host_housekeeping(host, NULL);
    p->rt = cpuset_is_empty(&isolated) ? cpuset_minus(&host->online, &kept) : isolated;
    if (cpuset_is_empty(&p->rt))
        p->rt = host->online;
    p->housekeeping = cpuset_minus(&host->online, &p->rt);
    if (cpuset_is_empty(&p->housekeeping))
        p->housekeeping = kept;
    p->command_line = read_padded_line(&p->files, "/proc/cmdline");
    p->cpu_flags = read_cpu_flags(&p->files);
    p->build_options = read_build_options(&p->files, host->kernel_release);
}

static void patient_finish(struct patient *p)
{
    free(p->command_line);
    free(p->cpu_flags);
    free(p->build_options);
    tasks_finish(&p->tasks);
}

/* The threads are read between the two readings of the counters: that would be noise in them. */
static void sample_counters(struct patient *p, unsigned sample_ms)
{
    tasks_read(&p->files, &p->tasks);
    interrupts_read(&p->files, &p->before);
    if (!p->live || sample_ms == 0)
        return;
    uint64_t start = now_monotonic_ms();
    const struct timespec pause = {.tv_sec = sample_ms / 1000, .tv_nsec = (long)(sample_ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
    interrupts_read(&p->files, &p->after);
    p->sample_ms = (unsigned)(now_monotonic_ms() - start);
    p->sample_ms += p->sample_ms == 0;
}

static struct doctor_finding run_check(const struct patient *p, const char *theme, const struct check *check)
{
    struct text found = {0};
    enum verdict verdict = check->look(p, &found);
    enum doctor_state state = verdict == VERDICT_OK        ? DOCTOR_OK
                              : verdict == VERDICT_BAD     ? check->severity
                              : verdict == VERDICT_UNKNOWN ? DOCTOR_UNREADABLE
                                                           : DOCTOR_NOT_APPLICABLE;
    return (struct doctor_finding){
        .id = check->id,
        .theme = theme,
        .state = state,
        .found = text_take(&found),
        .wanted = must_strdup(check->wanted),
        .why = check->why,
        .source = check->source,
        .fix = expand(check->fix, p),
        .fix_for_good = expand(check->fix_for_good, p),
        .cost = expand(check->cost, p),
        .critical = check->severity == DOCTOR_CRITICAL,
    };
}

/* "id (found)" of the first few critical checks in that state. */
static unsigned name_critical(const struct doctor_report *report, enum doctor_state state, struct text *out)
{
    enum { NAMED = 4 };
    unsigned count = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_finding *f = &report->finding[i];
        if (!f->critical || f->state != state)
            continue;
        if (count++ < NAMED)
            text_printf(out, "%s%s (%s)", count > 1 ? ", " : "", f->id, f->found);
    }
    if (count > NAMED)
        text_printf(out, " and %u more", count - NAMED);
    return count;
}

static void conclude(struct doctor_report *report, const struct host *host)
{
    struct text because = {0};
    unsigned warnings = 0;
    for (size_t i = 0; i < report->count; i++)
        warnings += report->finding[i].state == DOCTOR_WARNING;
    if (name_critical(report, DOCTOR_CRITICAL, &because) > 0) {
        report->fit = DOCTOR_NOT_FIT;
    } else if (host->virtualized == HOST_YES) {
        report->fit = DOCTOR_UNKNOWN;
        text_append(&because, "this machine is itself virtual: not real hardware");
    } else if (name_critical(report, DOCTOR_UNREADABLE, &because) > 0) {
        report->fit = DOCTOR_UNKNOWN;
    } else if (host->virtualized == HOST_UNKNOWN) {
        report->fit = DOCTOR_UNKNOWN;
        text_append(&because, "it is not known whether this is real hardware");
    } else {
        report->fit = DOCTOR_FIT;
        text_printf(&because, "nothing critical stands in the way; %u warning%s", warnings, warnings == 1 ? "" : "s");
    }
    report->because = text_take(&because);
}

void doctor_examine(const char *root, const struct host *host, unsigned sample_ms, struct doctor_report *ret_report)
{
    struct patient *p = must_calloc(1, sizeof *p);
    patient_read(p, root, host);
    sample_counters(p, sample_ms);
    *ret_report = (struct doctor_report){.rt_cpus = p->rt, .housekeeping = p->housekeeping};
    size_t total = 0;
    for (size_t t = 0; t < ARRAY_SIZE(TABLES); t++)
        total += TABLES[t]->count;
    ret_report->finding = must_calloc(total, sizeof *ret_report->finding);
    for (size_t t = 0; t < ARRAY_SIZE(TABLES); t++)
        for (size_t i = 0; i < TABLES[t]->count; i++)
            ret_report->finding[ret_report->count++] = run_check(p, TABLES[t]->theme, &TABLES[t]->check[i]);
    conclude(ret_report, host);
    patient_finish(p);
    free(p);
}

void doctor_report_finish(struct doctor_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->finding[i].found);
        free(report->finding[i].wanted);
        free(report->finding[i].fix);
        free(report->finding[i].fix_for_good);
        free(report->finding[i].cost);
    }
    free(report->finding);
    free(report->because);
    *report = (struct doctor_report){0};
}
