#include "rtvmd/remote.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "runtime/spec/spec.h"
#include "runtime/spec/yaml.h"

static const struct remote_resource RESOURCES[] = {
    {" vm vms virtualmachine virtualmachines ", "/apis/kubevirt.io/v1", "virtualmachines", "VirtualMachine", true},
    {" vmi vmis virtualmachineinstance virtualmachineinstances ", "/apis/kubevirt.io/v1", "virtualmachineinstances",
     "VirtualMachineInstance", true},
    {" placement placements ", "/apis/rtvmd.io/v1alpha1", "placements", "Placement", true},
    {" lt latencytest latencytests ", "/apis/rtvmd.io/v1alpha1", "latencytests", "LatencyTest", true},
    {" hostchange hostchanges ", "/apis/rtvmd.io/v1alpha1", "hostchanges", "HostChange", false},
    {" no node nodes ", "/api/v1", "nodes", "Node", false},
    {" ns namespace namespaces ", "/api/v1", "namespaces", "Namespace", false},
    {" ev event events ", "/api/v1", "events", "Event", true},
    {" secret secrets ", "/api/v1", "secrets", "Secret", true},
    {" cm configmap configmaps ", "/api/v1", "configmaps", "ConfigMap", true},
    {" pvc persistentvolumeclaim persistentvolumeclaims ", "/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim",
     true},
};

const struct remote_resource *remote_resource(const char *word, struct error *err)
{
    char lower[64];
    size_t n = 0;
    lower[n++] = ' ';
    for (; *word && n < sizeof lower - 2; word++)
        lower[n++] = (char)tolower((unsigned char)*word);
    lower[n++] = ' ';
    lower[n] = '\0';
    auto_text known = {0};
    for (size_t i = 0; i < ARRAY_SIZE(RESOURCES); i++) {
        if (strstr(RESOURCES[i].words, lower))
            return &RESOURCES[i];
        text_printf(&known, "%s%s", i ? ", " : "", RESOURCES[i].plural);
    }
    fail(err, ERROR_BAD_REQUEST, "unknown resource \"%.*s\"; there are %s (and vm, vmi, no, ns, ev, cm, pvc)",
         (int)n - 2, lower + 1, text_cstr(&known));
    return NULL;
}

const struct remote_resource *remote_resource_of(const json_t *object, struct error *err)
{
    const char *kind = json_text_at(object, "kind", "");
    for (size_t i = 0; i < ARRAY_SIZE(RESOURCES); i++)
        if (strcmp(RESOURCES[i].kind, kind) == 0)
            return &RESOURCES[i];
    fail(err, ERROR_BAD_REQUEST, "kind \"%s\" is none that rtvmd keeps", kind);
    return NULL;
}

char *remote_path(const struct remote_resource *resource, const char *namespace_, const char *name,
                  const char *subresource)
{
    auto_text path = {0};
    text_append(&path, resource->base);
    if (resource->namespaced && namespace_)
        text_printf(&path, "/namespaces/%s", namespace_);
    text_printf(&path, "/%s", resource->plural);
    if (name)
        text_printf(&path, "/%s", name);
    if (subresource)
        text_printf(&path, "/%s", subresource);
    return text_take(&path);
}

char *remote_subresource_path(const char *plural, const char *namespace_, const char *name, const char *subresource)
{
    return must_format("/apis/subresources.kubevirt.io/v1/namespaces/%s/%s/%s/%s", namespace_, plural, name,
                       subresource);
}

int remote_output(const char *text, enum remote_output *ret_output, struct error *err)
{
    static const char *const WORDS[] = {"", "wide", "json", "yaml", "name"};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
        if (strcmp(text ? text : "", WORDS[i]) == 0) {
            *ret_output = (enum remote_output)i;
            return 0;
        }
    }
    return fail(err, ERROR_BAD_REQUEST, "output \"%s\" is none of json, yaml, wide, name", text);
}

char *remote_name(const json_t *object)
{
    auto_text name = {0};
    for (const char *c = json_text_at(object, "kind", "object"); *c; c++)
        text_printf(&name, "%c", tolower((unsigned char)*c));
    const char *version = json_text_at(object, "apiVersion", "");
    const char *slash = strchr(version, '/');
    if (slash)
        text_printf(&name, ".%.*s", (int)(slash - version), version);
    text_printf(&name, "/%s", json_text_at(object, "metadata.name", ""));
    return text_take(&name);
}

static void print_names(const json_t *value)
{
    const json_t *items = json_object_get(value, "items");
    if (!items) {
        auto_free char *name = remote_name(value);
        puts(name);
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) print_names(item);
}

void remote_print(const json_t *value, enum remote_output output)
{
    if (output == REMOTE_NAME) {
        print_names(value);
        return;
    }
    auto_text out = {0};
    if (output == REMOTE_YAML)
        yaml_write(value, &out);
    else
        json_write_pretty(value, &out);
    fputs(text_cstr(&out), stdout);
}

static void add_cell(struct text_table *table, const json_t *cell)
{
    if (json_is_string(cell))
        text_table_cell(table, "%s", json_string_value(cell));
    else if (json_is_null(cell) || !cell)
        text_table_cell(table, "%s", "");
    else {
        auto_free char *text = json_to_text(cell);
        text_table_cell(table, "%s", text);
    }
}

void remote_print_table(const json_t *table, bool wide, bool with_namespace, bool with_header)
{
    const json_t *columns = json_object_get(table, "columnDefinitions");
    struct text_table out = {0};
    auto_text heads = {0};
    size_t i;
    json_t *column;
    out.columns = with_namespace;
    json_array_foreach(columns, i, column) out.columns += wide || json_int_at(column, "priority", 0) == 0;
    if (out.columns == 0)
        return;
    if (with_header && with_namespace)
        text_table_cell(&out, "NAMESPACE");
    json_array_foreach(columns, i, column)
    {
        if (!with_header || (!wide && json_int_at(column, "priority", 0) != 0))
            continue;
        auto_free char *name = must_strdup(json_text_at(column, "name", ""));
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        text_table_cell(&out, "%s", name);
    }
    size_t r;
    json_t *row;
    json_array_foreach(json_object_get(table, "rows"), r, row)
    {
        if (with_namespace)
            text_table_cell(&out, "%s", json_text_at(row, "object.metadata.namespace", ""));
        json_array_foreach(columns, i, column) if (wide || json_int_at(column, "priority", 0) == 0)
            add_cell(&out, json_array_get(json_object_get(row, "cells"), i));
    }
    auto_text text = {0};
    text_table_write(&out, &text);
    fputs(text_cstr(&text), stdout);
    fflush(stdout);
}

void remote_escape(struct text *out, const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (isalnum(c) || strchr("-_.~", c))
            text_append_n(out, value, 1);
        else
            text_printf(out, "%%%02X", c);
    }
}

int remote_finish(const char *verb, const struct client_reply *reply, int result, const struct error *err)
{
    for (const char *line = reply && reply->warnings ? reply->warnings : ""; *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(stderr, "Warning: %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    return result < 0 ? verb_fail(verb, err) : 0;
}

static int read_objects(const char *file, void *arg, struct error *err)
{
    auto_text text = {0};
    if (verb_read_file(file, &text, err) < 0)
        return -1;
    auto_json *objects = manifest_parse(text_cstr(&text), text.length, err);
    if (!objects)
        return error_prefix(err, "%s", file);
    json_array_extend(arg, objects);
    return 0;
}

json_t *remote_read_files(const char *const *files, struct error *err)
{
    if (!files[0]) {
        fail(err, ERROR_BAD_REQUEST, "say which manifest: -f FILE, or -f - for standard input");
        return NULL;
    }
    auto_json *all = json_array();
    for (; *files; files++)
        if (verb_each_file(*files, read_objects, all, err) < 0)
            return NULL;
    if (json_array_size(all) == 0) {
        fail(err, ERROR_BAD_REQUEST, "no objects in the given files");
        return NULL;
    }
    return json_incref(all);
}
