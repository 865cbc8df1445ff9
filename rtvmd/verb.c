#include "rtvmd/verb.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"

int verb_fail(const char *verb, const struct error *err)
{
    fprintf(stderr, "rtvmd %s: %s\n", verb, err->text);
    return error_kind_info(err->kind)->exit_code;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(VERBS[i].name, name) == 0)
            return &VERBS[i];
    return NULL;
}

static void print_help(const char *name, const struct verb_option *options, size_t option_count)
{
    const struct verb *verb = find_verb(name);
    if (verb)
        printf("usage: rtvmd %s %s\n\n%s.\n", name, verb->arguments, verb->summary);
    struct text_table table = {.columns = 2};
    for (size_t i = 0; i < option_count; i++) {
        const struct verb_option *o = &options[i];
        char letter[8] = "    ";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        text_table_cell(&table, "  %s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
        text_table_cell(&table, "%s", o->help);
    }
    auto_text out = {0};
    text_table_write(&table, &out);
    printf("%s%s", option_count ? "\n" : "", text_cstr(&out));
}

/* For completion: every spelling of every option, one line. */
static void print_option_words(const struct verb_option *options, size_t option_count)
{
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].letter)
            printf("-%c ", options[i].letter);
        printf("--%s ", options[i].name);
    }
}

/* For the manual page, as mdoc(7). */
static void print_option_manual(const struct verb_option *options, size_t option_count)
{
    if (option_count == 0)
        return;
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < option_count; i++) {
        const struct verb_option *o = &options[i];
        printf(".It");
        if (o->letter)
            printf(" Fl %c ,", o->letter);
        printf(" Fl -%s%s%s\n%s.\n", o->name, o->value ? " Ar " : "", o->value ? o->value : "", o->help);
    }
    puts(".El");
}

static bool answer_about_options(const char *verb, const char *word, const struct verb_option *options,
                                 size_t option_count)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        print_help(verb, options, option_count);
    else if (strcmp(word, "--help=words") == 0)
        print_option_words(options, option_count);
    else if (strcmp(word, "--help=manual") == 0)
        print_option_manual(options, option_count);
    else
        return false;
    return true;
}

static const struct verb_option *find_option(const struct verb_option *options, size_t option_count, const char *word,
                                             const char **ret_inline_value)
{
    *ret_inline_value = NULL;
    for (size_t i = 0; i < option_count; i++) {
        const struct verb_option *o = &options[i];
        if (word[1] == '-') {
            size_t n = strlen(o->name);
            if (strncmp(word + 2, o->name, n) != 0 || (word[2 + n] != '\0' && word[2 + n] != '='))
                continue;
            *ret_inline_value = word[2 + n] == '=' ? word + 3 + n : NULL;
            return o;
        }
        if (o->letter && word[1] == o->letter) {
            *ret_inline_value = word[2] ? word + 2 : NULL;
            return o;
        }
    }
    return NULL;
}

static int store_value(const struct verb_option *o, const char *word, const char *value, struct error *err)
{
    if (o->text) {
        *o->text = value;
        return 0;
    }
    for (size_t i = 0; i < o->list_max; i++) {
        if (!o->list[i]) {
            o->list[i] = value;
            return 0;
        }
    }
    return fail(err, ERROR_BAD_REQUEST, "%s given more than %zu times", word, o->list_max);
}

int verb_options(const char *verb, int argc, char **argv, const struct verb_option *options, size_t option_count,
                 int *ret_positional, bool *ret_done, struct error *err)
{
    int kept = 0;
    bool only_positional = false;
    *ret_done = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (only_positional || word[0] != '-' || word[1] == '\0') {
            argv[kept++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_positional = true;
            continue;
        }
        if (answer_about_options(verb, word, options, option_count)) {
            *ret_done = true;
            return 0;
        }
        const char *value;
        const struct verb_option *o = find_option(options, option_count, word, &value);
        if (!o)
            return fail(err, ERROR_BAD_REQUEST, "unknown option %s; see rtvmd %s --help", word, verb);
        if (!o->value) {
            if (value)
                return fail(err, ERROR_BAD_REQUEST, "option --%s takes no value", o->name);
            *o->flag = true;
            continue;
        }
        if (!value) {
            if (i + 1 >= argc)
                return fail(err, ERROR_BAD_REQUEST, "option --%s needs a value (%s)", o->name, o->value);
            value = argv[++i];
        }
        if (store_value(o, word, value, err) < 0)
            return -1;
    }
    *ret_positional = kept;
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int is_manifest(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return name[0] != '.' &&
           (text_ends_with(name, ".yaml") || text_ends_with(name, ".yml") || text_ends_with(name, ".json"));
}

int verb_each_file(const char *path, int (*callback)(const char *file, void *arg, struct error *err), void *arg,
                   struct error *err)
{
    if (!is_folder(path))
        return callback(path, arg, err);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_manifest, alphasort);
    if (count < 0)
        return fail_errno(err, "%s", path);
    int r = count ? 0 : fail(err, ERROR_BAD_REQUEST, "%s: no *.yaml, *.yml or *.json in this folder", path);
    for (int i = 0; i < count; i++) {
        bool ends = text_ends_with(path, "/");
        auto_free char *file = must_format("%s%s%s", path, ends ? "" : "/", entries[i]->d_name);
        if (r == 0)
            r = callback(file, arg, err);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int verb_read_file(const char *path, struct text *ret_text, struct error *err)
{
    if (strstr(path, "://"))
        return fail(err, ERROR_BAD_REQUEST, "URLs are not fetched: fetch %s yourself and pipe it into -f -", path);
    if (is_folder(path))
        return fail(err, ERROR_BAD_REQUEST, "%s is a folder: name a file in it", path);
    if (strcmp(path, "-") != 0)
        return file_read(NULL, path, LIMIT_MANIFEST_BYTES, ret_text, err);
    char chunk[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, "read standard input");
        text_append_n(ret_text, chunk, (size_t)n);
        if (ret_text->length > LIMIT_MANIFEST_BYTES)
            return fail(err, ERROR_TOO_LARGE, "standard input is larger than %u bytes", LIMIT_MANIFEST_BYTES);
    }
    return 0;
}
