/* The doctor's report, for programs and for people. */
#include <string.h>

#include "runtime/tune/doctor.h"

static const char *const FIT[] = {"unknown", "no", "yes"};
static const char *const SEVERITY[DOCTOR_STATE_COUNT] = {"ok",       "info",    "warning",
                                                         "critical", "unknown", "not-applicable"};

static json_t *set_to_json(const struct cpuset *set)
{
    struct cpuset_text text;
    return json_string(cpuset_format(set, &text));
}

json_t *doctor_report_to_json(const struct doctor_report *report)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_finding *f = &report->finding[i];
        json_array_append_new(checks, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", f->id,
                                                "theme", f->theme, "found", f->found, "wanted", f->wanted, "severity",
                                                SEVERITY[f->state], "why", f->why, "source", f->source, "fix", f->fix,
                                                "fixForGood", f->fix_for_good, "cost", f->cost));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "fit", FIT[report->fit], "because", report->because, "rtCpus",
                     set_to_json(&report->rt_cpus), "housekeepingCpus", set_to_json(&report->housekeeping), "checks",
                     checks);
}

static unsigned count_of(const struct doctor_report *report, enum doctor_state state)
{
    unsigned count = 0;
    for (size_t i = 0; i < report->count; i++)
        count += report->finding[i].state == state;
    return count;
}

/* A label and its text, broken at blanks so that lines stay within a wide terminal. */
static void write_line(const char *label, const char *value, struct text *out)
{
    enum { INDENT = 16, WIDTH = 116 };
    if (!value[0])
        return;
    text_printf(out, "      %-9s", label);
    size_t column = INDENT - 1;
    for (const char *p = value; *p;) {
        size_t word = strcspn(p, " ");
        if (column + 1 + word > WIDTH && column > INDENT) {
            text_printf(out, "\n%*s", INDENT - 1, "");
            column = INDENT - 1;
        }
        text_append(out, " ");
        text_append_n(out, p, word);
        column += 1 + word;
        p += word;
        p += strspn(p, " ");
    }
    text_append(out, "\n");
}

/* Everything that is not as wanted, in full. */
static void write_findings(const struct doctor_report *report, enum doctor_state state, const char *heading,
                           struct text *out)
{
    if (count_of(report, state) == 0)
        return;
    text_printf(out, "\n%s\n", heading);
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_finding *f = &report->finding[i];
        if (f->state != state)
            continue;
        text_printf(out, "  %s: %s; wanted: %s\n", f->id, f->found, f->wanted);
        auto_free char *why = must_format("%s (%s)", f->why, f->source);
        write_line("why", why, out);
        write_line("now", f->fix, out);
        write_line("for good", f->fix_for_good, out);
        write_line("cost", f->cost, out);
    }
}

/* The rest, a line each. */
static void write_rest(const struct doctor_report *report, enum doctor_state state, const char *heading,
                       struct text *out)
{
    if (count_of(report, state) == 0)
        return;
    text_printf(out, "\n%s\n", heading);
    for (size_t i = 0; i < report->count; i++)
        if (report->finding[i].state == state)
            text_printf(out, "  %s: %s\n", report->finding[i].id, report->finding[i].found);
}

void doctor_report_write(const struct doctor_report *report, bool all, struct text *out)
{
    struct cpuset_text text;
    text_printf(out, "fit for real time: %s, because %s\n", FIT[report->fit], report->because);
    text_printf(out, "\nreal-time CPUs %s, ", cpuset_format(&report->rt_cpus, &text));
    text_printf(out, "housekeeping %s\n", cpuset_format(&report->housekeeping, &text));
    text_printf(out, "%zu checks: %u critical, %u warnings, %u to know, %u ok, %u unknown, %u do not apply\n",
                report->count, count_of(report, DOCTOR_CRITICAL), count_of(report, DOCTOR_WARNING),
                count_of(report, DOCTOR_INFO), count_of(report, DOCTOR_OK), count_of(report, DOCTOR_UNREADABLE),
                count_of(report, DOCTOR_NOT_APPLICABLE));
    write_findings(report, DOCTOR_CRITICAL, "CRITICAL", out);
    write_findings(report, DOCTOR_WARNING, "WARNINGS", out);
    if (!all) {
        text_append(out, "\n-o wide shows the rest as well.\n");
        return;
    }
    write_findings(report, DOCTOR_INFO, "TO KNOW", out);
    write_rest(report, DOCTOR_UNREADABLE, "UNKNOWN", out);
    write_rest(report, DOCTOR_OK, "OK", out);
    write_rest(report, DOCTOR_NOT_APPLICABLE, "DOES NOT APPLY", out);
}
