/* rtvmd image: the local image store. Works on the state folder itself, safely beside a running daemon (catalog.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/paths.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/image/image.h"

enum { BAR_WIDTH = 30 };

/* On a terminal one line is rewritten, with a bar where the sentence ends in percent; elsewhere only what is said once
 * is printed. */
static void show_progress(const char *sentence, void *arg)
{
    const bool *terminal = arg;
    bool repeated = text_ends_with(sentence, "%");
    if (!*terminal) {
        if (!repeated)
            fprintf(stderr, "%s\n", sentence);
        return;
    }
    const char *colon = repeated ? strrchr(sentence, ':') : NULL;
    unsigned long percent = colon ? strtoul(colon + 1, NULL, 10) : 0;
    if (!colon) {
        fprintf(stderr, "\r\033[K%s", sentence);
        return;
    }
    int full = (int)(percent * BAR_WIDTH / 100);
    fprintf(stderr, "\r\033[K%.*s [%.*s%*s] %lu %%", (int)(colon - sentence), sentence, full,
            "##############################", BAR_WIDTH - full, "", percent);
}

static const char *size_text(int64_t bytes, char *buffer, size_t size)
{
    if (bytes < INT64_C(10) << 20)
        snprintf(buffer, size, "%" PRId64 " KiB", (bytes + 1023) >> 10);
    else
        snprintf(buffer, size, "%" PRId64 " MiB", bytes >> 20);
    return buffer;
}

static void print_rows(const json_t *rows)
{
    static const char *const HEAD[] = {"NAME", "FILE", "FORMAT", "SIZE", "DISK", "SOURCE", "USED", "CREATED", "DIGEST"};
    struct text_table table = {.columns = ARRAY_SIZE(HEAD)};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char size[32];
        const char *path = json_text_at(row, "path", "");
        text_table_cell(&table, "%s", json_text_at(row, "name", ""));
        text_table_cell(&table, "%s", path[0] ? path : "-");
        text_table_cell(&table, "%s", json_text_at(row, "format", ""));
        text_table_cell(&table, "%s", size_text(json_int_at(row, "bytes", 0), size, sizeof size));
        text_table_cell(&table, "%s", size_text(json_int_at(row, "virtualBytes", 0), size, sizeof size));
        text_table_cell(&table, "%s", json_text_at(row, "source", ""));
        text_table_cell(&table, "%s", json_bool_at(row, "inUse", false) ? "yes" : "no");
        text_table_cell(&table, "%s", json_text_at(row, "created", ""));
        text_table_cell(&table, "%.19s", json_text_at(row, "digest", ""));
    }
    auto_text out = {0};
    text_table_write(&table, &out);
    fputs(text_cstr(&out), stdout);
}

/* Takes the rows over. */
static int print_rows_as(json_t *taken, const char *output, struct error *err)
{
    auto_json *rows = taken;
    if (strcmp(output, "json") == 0) {
        auto_text out = {0};
        json_write_pretty(rows, &out);
        fputs(text_cstr(&out), stdout);
    } else if (strcmp(output, "name") == 0) {
        size_t i;
        json_t *row;
        json_array_foreach(rows, i, row)
        {
            puts(json_text_at(row, "name", ""));
        }
    } else if (output[0] && strcmp(output, "wide") != 0) {
        return fail(err, ERROR_BAD_REQUEST, "-o %s: want json, name or wide", output);
    } else {
        print_rows(rows);
    }
    return 0;
}

static int print_list(const struct image_config *config, const char *output, struct error *err)
{
    json_t *rows = image_list(config, err);
    return rows ? print_rows_as(rows, output, err) : -1;
}

/* What a name means afterwards, for the person who imported it. */
static void print_imported(const struct image_config *config, const char *name)
{
    struct error ignored;
    auto_json *rows = image_list(config, &ignored);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(json_text_at(row, "name", ""), name) == 0)
            printf("%s %s %s\n", name, json_text_at(row, "format", ""), json_text_at(row, "digest", ""));
    }
}

/* source NULL: from the registry. */
static int bring(const struct image_config *config, const char *name, const char *path, const char *source,
                 struct error *err)
{
    bool terminal = isatty(STDERR_FILENO);
    int result = source ? image_import(config, name, path, source, show_progress, &terminal, err)
                        : image_pull(config, name, path, show_progress, &terminal, err);
    if (terminal)
        fputs("\r\033[K", stderr);
    if (result == 0)
        print_imported(config, name);
    return result;
}

static int run(int count, char **words, const char *state_dir, const char *path, const char *output, struct error *err)
{
    const char *action = count > 0 ? words[0] : "";
    bool importing = strcmp(action, "import") == 0;
    bool pulling = strcmp(action, "pull") == 0;
    bool listing = strcmp(action, "list") == 0;
    bool removing = strcmp(action, "remove") == 0;
    if (count != (importing ? 3 : listing ? 1 : pulling || removing ? 2 : -1))
        return fail(
            err, ERROR_BAD_REQUEST,
            "want import NAME FILE|oci:DIR|docker-archive:FILE, pull NAME, list, or remove NAME; see rtvmd image "
            "--help");
    if (path && !importing && !pulling)
        return fail(err, ERROR_BAD_REQUEST, "--path is for import and pull");
    if ((importing || pulling) && file_make_folders(state_dir, 0711, err) < 0)
        return -1;
    auto_free char *absolute = realpath(state_dir, NULL);
    if (!absolute && listing && errno == ENOENT)
        return print_rows_as(json_array(), output, err); /* nothing was ever imported here */
    if (!absolute)
        return fail_errno(err, "--state-dir %s", state_dir);
    const struct image_config config = {.state_dir = absolute};
    if (importing || pulling)
        return bring(&config, words[1], path, importing ? words[2] : NULL, err);
    return listing ? print_list(&config, output, err) : image_remove(&config, words[1], err);
}

int verb_image(int argc, char **argv)
{
    const char *state_dir = NULL;
    const char *path = NULL;
    const char *output = "";
    const struct verb_option options[] = {
        {.name = "state-dir", .value = "DIR", .text = &state_dir, .help = "state folder of the daemon"},
        {.name = "path", .value = "PATH", .text = &path, .help = "import, pull: the disk inside a container image"},
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &output, .help = "list: json, name or wide"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("image", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("image", &err);
    if (done)
        return 0;
    auto_free char *standard = paths_state_dir();
    if (run(positional, argv, state_dir ? state_dir : standard, path, output, &err) < 0)
        return verb_fail("image", &err);
    return 0;
}
