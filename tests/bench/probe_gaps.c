/* What the probe guest measured in a window of time, from pieces of its serial log: the first report of each piece is
 * where the window begins, the last one where it ends. Prints for all pieces together:
 *   measured_ns=N gaps=N lost_ns=N max_ns=N p9999_ns=N
 * gaps and lost_ns are those of at least the guest's threshold; p9999_ns: 99.99 % of the time passed in gaps no longer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/file.h"
#include "runtime/latency/probe_report.h"

enum { LOG_BYTES = 16 << 20 };

static void die(const char *path, const char *why)
{
    fprintf(stderr, "probe_gaps: %s: %s\n", path, why);
    exit(1);
}

static void subtract(struct probe_cpu_report *from, const struct probe_cpu_report *what)
{
    from->measured_ns -= what->measured_ns;
    from->samples -= what->samples;
    from->over -= what->over;
    from->lost_ns -= what->lost_ns;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
        from->bucket[b] -= what->bucket[b];
}

static void add(struct probe_cpu_report *to, const struct probe_cpu_report *what)
{
    to->measured_ns += what->measured_ns;
    to->samples += what->samples;
    to->over += what->over;
    to->lost_ns += what->lost_ns;
    to->max_ns = what->run_max_ns > to->max_ns ? what->run_max_ns : to->max_ns;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
        to->bucket[b] += what->bucket[b];
}

/* One piece, summed over its vCPUs into cpu[0] of the sum. */
static void take_piece(const char *path, struct probe_report **sum)
{
    struct error err;
    auto_text text = {0};
    if (file_read(NULL, path, LOG_BYTES, &text, &err) < 0)
        die(path, err.text);
    struct probe_report *first = NULL;
    struct probe_report *last = NULL;
    uint64_t max_ns = 0;
    const char *all = text_cstr(&text);
    for (const char *end = all; (end = strstr(end, PROBE_MARK "end "));) {
        end += strcspn(end, "\n");
        struct probe_report *next = probe_report_parse(all, (size_t)(end - all), &err);
        if (!next || (last && next->number == last->number)) { /* cut off at the beginning of the piece */
            free(next);
            continue;
        }
        for (uint32_t i = 0; first && i < next->cpu_count; i++)
            max_ns = next->cpu[i].run_max_ns > max_ns ? next->cpu[i].run_max_ns : max_ns;
        if (!first)
            first = next;
        else if (last != first)
            free(last);
        last = next;
    }
    if (!first || first == last || first->cpu_count != last->cpu_count)
        die(path, "two reports at least make a window");
    if (!*sum)
        *sum = must_calloc(1, sizeof **sum + sizeof(*sum)->cpu[0]);
    (*sum)->tsc_khz = last->tsc_khz;
    for (uint32_t i = 0; i < last->cpu_count; i++) {
        subtract(&last->cpu[i], &first->cpu[i]);
        last->cpu[i].run_max_ns = max_ns;
        add(&(*sum)->cpu[0], &last->cpu[i]);
    }
    free(first);
    free(last);
}

int main(int argc, char **argv)
{
    struct probe_report *sum = NULL;
    for (int i = 1; i < argc; i++)
        take_piece(argv[i], &sum);
    if (!sum)
        die("usage", "probe_gaps FILE…");
    printf("measured_ns=%llu gaps=%llu lost_ns=%llu max_ns=%llu p9999_ns=%llu\n",
           (unsigned long long)sum->cpu[0].measured_ns, (unsigned long long)sum->cpu[0].over,
           (unsigned long long)sum->cpu[0].lost_ns, (unsigned long long)sum->cpu[0].max_ns,
           (unsigned long long)probe_gap_by_time_ns(sum, 0, 999900));
    free(sum);
    return 0;
}
