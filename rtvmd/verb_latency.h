/* What the parts of rtvmd latency share. */
#pragma once

#include "rtvmd/remote.h"
#include "rtvmd/verb.h"
#include "runtime/latency/run.h"

int latency_host(int argc, char **argv);
int latency_vm(int argc, char **argv);
int latency_guest(int argc, char **argv);
int latency_watch(int argc, char **argv);
int latency_ab(int argc, char **argv);
int latency_list(int argc, char **argv);
int latency_show(int argc, char **argv);
int latency_compare(int argc, char **argv);
int latency_export(int argc, char **argv);

/* STATE/latency; state_dir NULL: this user's. The caller frees. */
char *latency_folder(const char *state_dir);
/* A bar on stderr when that is a terminal; 100 ends the line. Always true. */
bool latency_progress(unsigned percent, const char *what, void *arg);
/* Stores the run and prints it. json: the document; else for people. */
int latency_keep(const char *state_dir, const char *name, bool json, json_t *run, struct error *err);
/* SIGINT and SIGTERM end what is done in order: from now on they only set what the second function says. */
void latency_catch_interrupts(void);
bool latency_is_interrupted(void);

/* What the parts that ask the daemon have in common, their options' rows, and reading all options. */
struct latency_common {
    struct remote_options remote; /* output: NULL or "json" */
    const char *duration;
    uint64_t duration_ms;
    bool done; /* help was printed */
};
#define LATENCY_COMMON_OPTIONS(c)                                                                         \
    {.name = "duration", .value = "TIME", .text = &(c).duration, .help = "10s; several kinds share it"},  \
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &(c).remote.output, .help = "json"}, \
        REMOTE_NAMESPACE_OPTION((c).remote), REMOTE_SOCKET_OPTION((c).remote)
int latency_read_common(int argc, char **argv, const struct verb_option *options, size_t count,
                        struct latency_common *common, int *ret_positional, struct error *err);

/* For people: circumstances, verdict, a line per CPU and kind, what disturbed. */
/* Who disturbed: disturbance.h. */
void latency_write_disturbance(const json_t *disturbance, struct text *out);
void latency_write(const struct run *run, struct text *out);

#define LATENCY_STATE_OPTION(variable)                                                                          \
    {                                                                                                           \
        .name = "state-dir", .value = "DIR", .text = &(variable), .help = "Where runs are kept, in DIR/latency" \
    }
