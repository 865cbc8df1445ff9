#include "runtime/latency/run_files.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"

static const char END[] = ".json";

static int check_name(const char *name, struct error *err)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("-_.", name[i])))
            return fail(err, ERROR_BAD_REQUEST, "run name \"%.80s\": want letters, digits, '-', '_' and '.'", name);
    if (length == 0 || length > LIMIT_LABEL_BYTES)
        return fail(err, ERROR_BAD_REQUEST, "run name: %zu bytes; want 1 to %u", length, LIMIT_LABEL_BYTES);
    return 0;
}

static char *file_of(const char *folder, const char *name)
{
    return must_format("%s/%s%s", folder, name, END);
}

/* "2026-11-23T12:40:00Z" is "20261123-124000" in a name; a VM's is without its namespace. */
static char *made_name(const char *folder, const json_t *run)
{
    const char *target = json_text_at(run, "target", "run");
    const char *slash = strrchr(target, '/');
    auto_text name = {0};
    text_printf(&name, "%.40s-", slash ? slash + 1 : target);
    for (const char *c = json_text_at(run, "time", ""); *c; c++)
        if (isdigit((unsigned char)*c) || *c == 'T')
            text_append_n(&name, *c == 'T' ? "-" : c, 1);
    size_t length = name.length;
    for (unsigned n = 2;; n++) {
        auto_free char *path = file_of(folder, text_cstr(&name));
        if (access(path, F_OK) < 0)
            return text_take(&name);
        name.length = length;
        text_printf(&name, "-%u", n);
    }
}

struct entry {
    struct timespec changed;
    char *name;
};

static int by_age(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
    if (x->changed.tv_nsec != y->changed.tv_nsec)
        return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static bool look_at(const char *folder, const char *file, struct entry *ret_entry)
{
    struct stat status;
    auto_free char *path = must_format("%s/%s", folder, file);
    if (!text_ends_with(file, END) || file[0] == '.' || stat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return false;
    *ret_entry = (struct entry){.changed = status.st_mtim, .name = must_strndup(file, strlen(file) - strlen(END))};
    return true;
}

char **run_files_list(const char *folder)
{
    struct entry *entries = NULL;
    size_t count = 0;
    DIR *directory = opendir(folder);
    const struct dirent *file;
    struct entry entry;
    while (directory && (file = readdir(directory)))
        if (look_at(folder, file->d_name, &entry)) {
            entries = must_realloc(entries, count + 1, sizeof *entries);
            entries[count++] = entry;
        }
    if (directory)
        closedir(directory);
    if (count > 0)
        qsort(entries, count, sizeof *entries, by_age);
    char **names = must_calloc(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = entries[i].name;
    free(entries);
    return names;
}

void run_files_list_free(char **names)
{
    for (size_t i = 0; names[i]; i++)
        free(names[i]);
    free(names);
}

static void drop_oldest(const char *folder)
{
    char **names = run_files_list(folder);
    size_t count = 0;
    while (names[count])
        count++;
    for (size_t i = 0; i + LIMIT_LATENCY_RUNS < count; i++) {
        auto_free char *path = file_of(folder, names[i]);
        unlink(path);
    }
    run_files_list_free(names);
}

char *run_files_add(const char *folder, const char *name, json_t *run, struct error *err)
{
    bool given = name && name[0];
    if ((given && check_name(name, err) < 0) || file_make_folders(folder, 0755, err) < 0)
        return NULL;
    auto_free char *chosen = given ? must_strdup(name) : made_name(folder, run);
    auto_free char *path = file_of(folder, chosen);
    if (given && access(path, F_OK) == 0) {
        fail(err, ERROR_ALREADY_EXISTS, "run %s exists; choose another name or remove %s", chosen, path);
        return NULL;
    }
    json_object_set_new(run, "name", json_string(chosen));
    auto_text text = {0};
    json_write_pretty(run, &text);
    if (file_write_atomic(path, text_cstr(&text), text.length, 0644, err) < 0)
        return NULL;
    drop_oldest(folder);
    return take(chosen);
}

json_t *run_files_get(const char *folder, const char *name, struct error *err)
{
    bool is_path = strchr(name, '/') != NULL;
    if (!is_path && check_name(name, err) < 0)
        return NULL;
    auto_free char *path = is_path ? must_strdup(name) : file_of(folder, name);
    auto_text text = {0};
    struct error why;
    if (file_read(NULL, path, LIMIT_LATENCY_RUN_BYTES, &text, &why) < 0) {
        if (why.kind == ERROR_NOT_FOUND && !is_path)
            fail(err, ERROR_NOT_FOUND, "run %s not found; rtvmd latency list shows what there is", name);
        else
            *err = why;
        return NULL;
    }
    json_t *run = json_from_text(text_cstr(&text), text.length, err);
    if (!run)
        error_prefix(err, "%s", path);
    return run;
}
