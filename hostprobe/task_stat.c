#include "hostprobe/task_stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/text.h"

enum { FLAG_KERNEL_THREAD = 0x00200000, FLAG_NO_SETAFFINITY = 0x04000000 };

/* The fields after the command, counted as man 5 proc counts them: state is 3. */
enum { FIELD_STATE = 3, FIELD_FLAGS = 9, FIELD_START = 22, FIELD_CPU = 39, FIELD_PRIORITY = 40, FIELD_POLICY = 41 };

static void keep_field(int field, unsigned long value, struct task_stat *stat)
{
    switch (field) {
    case FIELD_FLAGS:
        stat->kernel = value & FLAG_KERNEL_THREAD;
        stat->bound = value & FLAG_NO_SETAFFINITY;
        break;
    case FIELD_START:
        stat->start_ticks = value;
        break;
    case FIELD_CPU:
        stat->last_cpu = (int)value;
        break;
    case FIELD_PRIORITY:
        stat->priority = (int)value;
        break;
    case FIELD_POLICY:
        stat->policy = (int)value;
        break;
    default:
        break;
    }
}

bool task_stat_parse(const char *line, struct task_stat *ret_stat)
{
    const char *open = strchr(line, '(');
    const char *close = strrchr(line, ')'); /* the command itself may hold brackets */
    if (!open || !close || close < open)
        return false;
    snprintf(ret_stat->name, sizeof ret_stat->name, "%.*s", (int)(close - open - 1), open + 1);
    const char *p = close + 1;
    for (int field = FIELD_STATE; field <= FIELD_POLICY; field++) {
        p += strspn(p, " ");
        if (*p == '\0' || *p == '\n')
            return false;
        keep_field(field, strtoul(p, NULL, 10), ret_stat);
        p += strcspn(p, " \n");
    }
    return true;
}

int task_status_cpus(const char *status, struct cpuset *ret_cpus, struct error *err)
{
    static const char KEY[] = "Cpus_allowed_list:";
    const char *line = status;
    while (line && !text_starts_with(line, KEY)) {
        line = strchr(line, '\n');
        line += line != NULL;
    }
    if (!line)
        return fail(err, ERROR_NOT_FOUND, "no %s in a thread's status", KEY);
    line += strlen(KEY);
    auto_free char *list = must_strndup(line, strcspn(line, "\n"));
    return cpuset_parse(list, ret_cpus, err);
}
