/* One check of the doctor, and what the checks share; private to the doctor. To add a check: one row in the table of
 * its theme (check_THEME.c), one small function, and for a file not read yet one line in hostprobe/files.c. */
#pragma once

#include "hostprobe/files.h"
#include "runtime/tune/doctor.h"
#include "runtime/tune/interrupts.h"
#include "runtime/tune/tasks.h"

enum verdict { VERDICT_OK, VERDICT_BAD, VERDICT_UNKNOWN, VERDICT_NOT_APPLICABLE };

/* Everything a check may look at, read once. */
struct patient {
    struct files files;
    bool live;
    const struct host *host;
    struct cpuset rt;           /* CPUs of real-time vCPUs */
    struct cpuset housekeeping; /* the online rest */
    char *command_line;         /* " ro isolcpus=… " with a blank at both ends; NULL unknown */
    char *build_options;        /* the kernel's .config; NULL unknown */
    char *cpu_flags;            /* " fpu vme … " of the first CPU; NULL unknown */
    struct task_list tasks;
    struct interrupts before; /* counters at the start, and the later ones, sample_ms after */
    struct interrupts after;
    unsigned sample_ms; /* 0: read once */
};

struct check {
    const char *id;
    enum doctor_state severity; /* when bad: info, warning or critical */
    /* Says what it found as a short clause; the verdict compares that with `wanted`. */
    enum verdict (*look)(const struct patient *p, struct text *found);
    const char *wanted;
    const char *why;
    const char *source;
    /* {rt} {hk}: CPU lists, {rt each}: "2 3 4", {hk mask}: "f" */
    const char *fix;
    const char *fix_for_good;
    const char *cost;
};

struct check_table {
    const char *theme;
    const struct check *check;
    size_t count;
};
extern const struct check_table CHECKS_KERNEL;
extern const struct check_table CHECKS_SCHED;
extern const struct check_table CHECKS_ISOLATION;
extern const struct check_table CHECKS_INTERRUPTS;
extern const struct check_table CHECKS_NOISE;
extern const struct check_table CHECKS_POWER;
extern const struct check_table CHECKS_MEMORY;
extern const struct check_table CHECKS_KVM;
extern const struct check_table CHECKS_DAEMONS;

/* ---- looking. Each fills found and gives the verdict. */

/* The file is absent: unknown on a recorded tree, "this kernel lacks it" on a live machine. */
enum verdict look_absent(const struct patient *p, struct text *found, const char *path);
/* A number in [low, high]. */
enum verdict look_int(const struct patient *p, struct text *found, int64_t low, int64_t high, const char *path);
/* The first line equals one of the words (blank-separated). */
enum verdict look_word(const struct patient *p, struct text *found, const char *words, const char *path);
/* "always [madvise] never": the bracketed word is one of the words. */
enum verdict look_choice(const struct patient *p, struct text *found, const char *words, const char *path);
/* A module or kernel parameter that is Y, N, 1 or 0. */
enum verdict look_switch(const struct patient *p, struct text *found, bool on, const char *path);
/* A CPU mask ("f"), or a list ("0-3"), that has no real-time CPU in it. */
enum verdict look_mask(const struct patient *p, struct text *found, const char *path);
enum verdict look_list(const struct patient *p, struct text *found, const char *path);
/* A file below each real-time CPU's folder, judged by good(); the CPUs that fail are named. */
enum verdict look_each(const struct patient *p, struct text *found, const char *name, bool (*good)(const char *value));
/* A boot option is given (with this value, unless NULL). */
enum verdict look_boot_option(const struct patient *p, struct text *found, const char *option);
/* An answer of the host probe. */
enum verdict look_answer(const struct patient *p, struct text *found, enum host_answer answer, const char *because);
/* Kernel build option: 'y' or 'n' wanted. */
enum verdict look_build_option(const struct patient *p, struct text *found, const char *option, char wanted);

bool has_boot_option(const struct patient *p, const char *option);
/* The value of "option=value"; false when not given. */
bool boot_option_value(const struct patient *p, const char *option, char *ret_value, size_t size);
bool has_cpu_flag(const struct patient *p, const char *flag);
/* "CPU 3" or "CPUs 3-5". */
void text_cpus(struct text *out, const struct cpuset *cpus);
