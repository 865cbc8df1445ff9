/* The doctor: is this host fit for real time, and what stands in the way? A table of checks over what can be read; it
 * changes nothing and reads only files on the one list (hostprobe/files.c).
 *
 * Checks go by feature, not by kernel number. What cannot be read is "unknown" and said so; a host that is itself
 * virtual is never declared fit, because nothing measured on it is about hardware. */
#pragma once

#include "hostprobe/hostprobe.h"

enum doctor_fit { DOCTOR_UNKNOWN, DOCTOR_NOT_FIT, DOCTOR_FIT };

/* What one check came to. */
enum doctor_state {
    DOCTOR_OK,
    DOCTOR_INFO,     /* not as wanted; worth knowing */
    DOCTOR_WARNING,  /* costs latency or safety margin */
    DOCTOR_CRITICAL, /* alone makes the host unfit */
    DOCTOR_UNREADABLE,
    DOCTOR_NOT_APPLICABLE,
    DOCTOR_STATE_COUNT,
};

struct doctor_finding {
    const char *id;
    const char *theme;
    enum doctor_state state;
    bool critical; /* would be critical when bad */
    char *found;
    char *wanted;
    const char *why;    /* one sentence */
    const char *source; /* where that is written */
    char *fix;          /* now, "" when only for good */
    char *fix_for_good; /* over a reboot, "" when that is not known to help */
    char *cost;         /* what it costs, safety and security included; "" nothing to speak of */
};

struct doctor_report {
    enum doctor_fit fit;
    char *because;
    struct cpuset rt_cpus; /* the CPUs that real-time vCPUs get: the isolated ones, else all but housekeeping */
    struct cpuset housekeeping;
    size_t count;
    struct doctor_finding *finding; /* in the order of the tables */
};

/* Examines the machine below root ("": live), whose facts are host. On the live machine counters are read twice,
 * sample_ms apart. Never fails: what cannot be read is a finding. */
void doctor_examine(const char *root, const struct host *host, unsigned sample_ms, struct doctor_report *ret_report);
void doctor_report_finish(struct doctor_report *report);

/* {"fit","because","rtCpus","housekeepingCpus","checks":[{"id","theme","found","wanted","severity","why","source","fix",
 * "fixForGood","cost"}]}; severity is ok, info, warning, critical, unknown or not-applicable. */
json_t *doctor_report_to_json(const struct doctor_report *report);
/* "fit for real time: yes|no|unknown, because …", then what is not as wanted, worst first; all: every check. */
void doctor_report_write(const struct doctor_report *report, bool all, struct text *out);
