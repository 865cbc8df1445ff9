/* rtvmd explain: the field table, for people. A path shows a field and what is below it; --matrix prints every field
 * with how far it is supported. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/spec/annotations.h"
#include "runtime/spec/fields.h"
#include "runtime/spec/similar.h"

static const char *support_word(const struct field_node *node)
{
    if (!node->unused)
        return "yes";
    return node->unused->support == FIELD_REFUSED ? "refused" : "ignored";
}

static json_t *field_json(const char *kind, const struct field_node *node)
{
    const struct field *field = node->field;
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", kind, "path", field->path, "type",
                             field_type_text(field->type), "support", support_word(node), "doc", field->doc);
    const struct {
        const char *key;
        const char *value;
    } rows[] = {{"because", node->unused ? node->unused->because : NULL},
                {"values", field->values},
                {"default", field->def},
                {"otherwise", field->otherwise}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value)
            json_object_set_new(json, rows[i].key, json_string(rows[i].value));
    if (field->required == FIELD_NEEDED)
        json_object_set_new(json, "required", json_true());
    return json;
}

/* How much of the path, in whole parts, is known. */
static size_t known_part(const char *kind, const char *path)
{
    auto_free char *part = must_strdup(path);
    for (char *dot = strrchr(part, '.'); dot; dot = strrchr(part, '.')) {
        *dot = '\0';
        if (fields_find(kind, part))
            return strlen(part);
    }
    return 0;
}

/* "vm.spec.running" -> kind and path; without a kind the field is looked for in a VMI, then in a VM. */
static const struct field_node *find(const char *text, const char **ret_kind, const char **ret_path)
{
    static const struct {
        const char *word;
        const char *kind;
    } KINDS[] = {
        {"vmi", "VirtualMachineInstance"},
        {"virtualmachineinstance", "VirtualMachineInstance"},
        {"VirtualMachineInstance", "VirtualMachineInstance"},
        {"vm", "VirtualMachine"},
        {"virtualmachine", "VirtualMachine"},
        {"VirtualMachine", "VirtualMachine"},
    };
    size_t length = strcspn(text, ".");
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (strlen(KINDS[i].word) != length || strncmp(text, KINDS[i].word, length) != 0)
            continue;
        *ret_kind = KINDS[i].kind;
        *ret_path = text + length + (text[length] == '.');
        return fields_find(*ret_kind, *ret_path);
    }
    *ret_path = text;
    *ret_kind = "VirtualMachineInstance";
    const struct field_node *node = fields_find(*ret_kind, text);
    if (node)
        return node;
    node = fields_find("VirtualMachine", text);
    if (node || known_part("VirtualMachine", text) > known_part("VirtualMachineInstance", text))
        *ret_kind = "VirtualMachine";
    return node;
}

static void explain_children(const struct field_node *node, struct text *out)
{
    struct text_table table = {.columns = 4};
    text_table_cell(&table, "  FIELD");
    text_table_cell(&table, "TYPE");
    text_table_cell(&table, "USED");
    text_table_cell(&table, "WHAT");
    for (size_t i = 0; i < node->child_count; i++) {
        const struct field *field = node->child[i]->field;
        text_table_cell(&table, "  %s", node->child[i]->name);
        text_table_cell(&table, "%s", field_type_text(field->type));
        text_table_cell(&table, "%s", support_word(node->child[i]));
        text_table_cell(&table, "%s", field->doc);
    }
    text_append(out, "\n");
    text_table_write(&table, out);
}

static void line(struct text *out, const char *head, const char *value)
{
    if (value)
        text_printf(out, "%-10s%s\n", head, value);
}

static void explain_field(const char *kind, const char *path, const struct field_node *node, struct text *out)
{
    text_printf(out, "%s%s%s\n", kind, *path ? "." : "", path);
    if (node->field) {
        text_printf(out, "%s.\n\n", node->field->doc);
        line(out, "type", field_type_text(node->field->type));
        line(out, "values", node->field->values);
        line(out, "default", node->field->def ? node->field->def : node->field->otherwise);
        line(out, "required", node->field->required == FIELD_NEEDED ? "yes" : NULL);
        line(out, "used", support_word(node));
        line(out, "because", node->unused ? node->unused->because : NULL);
    }
    if (node->child_count > 0)
        explain_children(node, out);
}

/* The nearest field below the part of the path that is right. */
static int not_found(const char *kind, const char *path, struct error *err)
{
    size_t known = known_part(kind, path);
    auto_free char *parent = must_strndup(path, known);
    const struct field_node *node = fields_find(kind, parent);
    const char *wrong = path + known + (known > 0);
    auto_free char *word = must_strndup(wrong, strcspn(wrong, "."));
    struct similar similar = similar_to(word);
    for (size_t i = 0; i < node->child_count; i++)
        similar_consider(&similar, node->child[i]->name);
    if (similar.best)
        return fail(err, ERROR_NOT_FOUND, "%s has no field %s; did you mean %s%s%s?", kind, path, parent,
                    *parent ? "." : "", similar.best);
    return fail(err, ERROR_NOT_FOUND, "%s has no field %s; rtvmd explain %s%s%s lists what there is", kind, path,
                strcmp(kind, "VirtualMachine") == 0 ? "vm" : "vmi", *parent ? "." : "", parent);
}

static void explain_annotations(struct text *out)
{
    size_t count;
    const struct annotation *table = annotation_table(&count);
    struct text_table shown = {.columns = 3};
    text_table_cell(&shown, "ANNOTATION");
    text_table_cell(&shown, "VALUE");
    text_table_cell(&shown, "WHAT");
    for (size_t i = 0; i < count; i++) {
        text_table_cell(&shown, "%s", table[i].key);
        text_table_cell(&shown, "%s", table[i].values);
        text_table_cell(&shown, "%s", table[i].doc);
    }
    text_table_write(&shown, out);
}

static void write_matrix(struct text *out)
{
    struct text_table table = {.columns = 4};
    text_table_cell(&table, "FIELD");
    text_table_cell(&table, "TYPE");
    text_table_cell(&table, "USED");
    text_table_cell(&table, "WHAT, OR WHY NOT");
    for (size_t i = 0; i < fields_count(); i++) {
        const char *kind;
        const struct field *field = fields_row(i, &kind);
        const struct field_node *node = fields_find(kind, field->path);
        text_table_cell(&table, "%s.%s", strcmp(kind, "VirtualMachine") == 0 ? "vm" : "vmi", field->path);
        text_table_cell(&table, "%s", field_type_text(field->type));
        text_table_cell(&table, "%s", support_word(node));
        text_table_cell(&table, "%s", node->unused ? node->unused->because : field->doc);
    }
    text_table_write(&table, out);
}

static void matrix_json(struct text *out)
{
    auto_json *fields = json_array();
    for (size_t i = 0; i < fields_count(); i++) {
        const char *kind;
        const struct field *field = fields_row(i, &kind);
        json_array_append_new(fields, field_json(kind, fields_find(kind, field->path)));
    }
    json_write_pretty(fields, out);
}

static int explain_path(const char *text, bool as_json, struct text *out, struct error *err)
{
    if (strcmp(text, "annotations") == 0 && !as_json) {
        explain_annotations(out);
        return 0;
    }
    const char *kind;
    const char *path;
    const struct field_node *node = find(text, &kind, &path);
    if (!node)
        return not_found(kind, path, err);
    if (!as_json) {
        explain_field(kind, path, node, out);
        return 0;
    }
    auto_json *json = node->field ? field_json(kind, node) : json_pack("{s:s}", "kind", kind);
    json_t *below = json_array();
    for (size_t i = 0; i < node->child_count; i++)
        json_array_append_new(below, field_json(kind, node->child[i]));
    json_object_set_new(json, "fields", below);
    json_write_pretty(json, out);
    return 0;
}

int verb_explain(int argc, char **argv)
{
    const char *output = NULL;
    bool matrix = false;
    const struct verb_option options[] = {
        {0, "matrix", NULL, .flag = &matrix, .help = "every field and how far it is supported"},
        {'o', "output", "json", .text = &output, .help = "print JSON"},
    };
    struct error err;
    bool done;
    int positional;
    if (verb_options("explain", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("explain", &err);
    if (done)
        return 0;
    auto_text out = {0};
    if (output && strcmp(output, "json") != 0)
        fail(&err, ERROR_BAD_REQUEST, "-o %s: only json is known", output);
    else if (positional != (matrix ? 0 : 1))
        fail(&err, ERROR_BAD_REQUEST,
             "name one field, such as vmi.spec.domain.cpu.realtime, or annotations, or --matrix");
    else if (matrix)
        (output ? matrix_json : write_matrix)(&out);
    else if (explain_path(argv[0], output != NULL, &out, &err) < 0)
        return verb_fail("explain", &err);
    if (out.length == 0)
        return verb_fail("explain", &err);
    fputs(text_cstr(&out), stdout);
    return 0;
}
