/* The verbs of the one binary: a row each in main.c, a file each beside it (verb_NAME.c). A verb gets its own
 * arguments (argv[0] is its name), prints results on stdout and errors on stderr, and returns the exit code:
 * 0 ok, 1 failure, 2 bad input, 3 not found, 4 conflict, 5 refused by admission, 7 daemon unreachable. */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments; /* "-f FILE [-o json]" */
    const char *summary;
    const char *group; /* heading in the usage text */
};

extern const struct verb VERBS[];
extern const size_t VERB_COUNT;

/* Prints "rtvmd VERB: TEXT" and gives the exit code of the error's kind. */
int verb_fail(const char *verb, const struct error *err);

/* Command line options of a verb, table-driven: long and short names, one value each. Positional arguments are left in
 * argv[0..*ret_positional-1]. "--help" prints the table and the verb's row, "--help=words" and "--help=manual" the same
 * for completion and the manual page; ret_done is set then, and a verb must have done nothing before. */
struct verb_option {
    char letter;       /* 0: none */
    const char *name;  /* without dashes */
    const char *value; /* placeholder in help; NULL: a switch */
    const char **text; /* where a value goes (last one wins), or */
    const char **list; /* every value, up to list_max, NULL-terminated, or */
    size_t list_max;
    bool *flag; /* where a switch goes */
    const char *help;
};
int verb_options(const char *verb, int argc, char **argv, const struct verb_option *options, size_t option_count,
                 int *ret_positional, bool *ret_done, struct error *err);

/* Reads a manifest argument: a path, or "-" for standard input. URLs and folders are refused. */
int verb_read_file(const char *path, struct text *ret_text, struct error *err);
/* The callback for each manifest an argument names: itself, or the *.yaml, *.yml and *.json of a folder in the order of
 * their names, until it says -1. A folder without any is an error. */
int verb_each_file(const char *path, int (*callback)(const char *file, void *arg, struct error *err), void *arg,
                   struct error *err);
