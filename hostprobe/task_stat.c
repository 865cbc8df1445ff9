#include "hostprobe/task_stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_KERNEL_THREAD = 0x00200000, FLAG_NO_SETAFFINITY = 0x04000000 };

/* The fields after the command, counted as man 5 proc counts them: state is 3. */
enum { FIELD_FLAGS = 9, FIELD_CPU = 39, FIELD_PRIORITY = 40, FIELD_POLICY = 41 };

bool task_stat_parse(const char *line, struct task_stat *ret_stat)
{
    const char *open = strchr(line, '(');
    const char *close = strrchr(line, ')'); /* the command itself may hold brackets */
    if (!open || !close || close < open)
        return false;
    snprintf(ret_stat->name, sizeof ret_stat->name, "%.*s", (int)(close - open - 1), open + 1);
    const char *p = close + 1;
    for (int field = 3; field <= FIELD_POLICY; field++) {
        p += strspn(p, " ");
        if (*p == '\0')
            return false;
        unsigned long value = strtoul(p, NULL, 10);
        if (field == FIELD_FLAGS) {
            ret_stat->kernel = value & FLAG_KERNEL_THREAD;
            ret_stat->bound = value & FLAG_NO_SETAFFINITY;
        } else if (field == FIELD_CPU) {
            ret_stat->last_cpu = (int)value;
        } else if (field == FIELD_PRIORITY) {
            ret_stat->priority = (int)value;
        } else if (field == FIELD_POLICY) {
            ret_stat->policy = (int)value;
        }
        p += strcspn(p, " ");
    }
    return true;
}
