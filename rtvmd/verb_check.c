/* rtvmd check: what admission would say of a manifest, without a daemon and without a host. Each object goes through
 * schema, defaults and validation; the answer is the Kubernetes Status a server would give, with every cause at once.
 *
 * -o json prints one document: a Status when there is exactly one object, else a List of them in the order of the
 * files. Objects of other kinds (a Secret beside the VM) are let pass with a warning. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/spec/fields.h"
#include "runtime/spec/similar.h"
#include "runtime/spec/spec.h"

enum { FILES_MAX = 64, CAUSES_IN_MESSAGE = 10 };

struct check {
    const char *files[FILES_MAX + 1];
    const char *output;
    bool strict;
    bool bad;
    json_t *statuses;
    struct text shown;
};

static json_t *texts(char *const *list, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(list[i]));
    return array;
}

static json_t *status_of(const json_t *object)
{
    json_t *status = json_pack("{s:s, s:s, s:{}, s:s, s:{}}", "kind", "Status", "apiVersion", "v1", "metadata",
                               "status", "Success", "details");
    json_t *details = json_object_get(status, "details");
    const char *const values[] = {json_text_at(object, "metadata.name", ""), json_text_at(object, "kind", "")};
    static const char *const KEYS[] = {"name", "kind"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
        if (*values[i])
            json_object_set_new(details, KEYS[i], json_string(values[i]));
    return status;
}

static void set_failure(json_t *status, enum error_kind kind, const char *message)
{
    const struct error_kind_info *info = error_kind_info(kind);
    json_object_set_new(status, "status", json_string("Failure"));
    json_object_set_new(status, "reason", json_string(info->reason));
    json_object_set_new(status, "code", json_integer(info->http_status));
    json_t *text = json_string(message);
    json_object_set_new(status, "message", text ? text : json_string("(the message is not UTF-8)"));
}

/* KubeVirt joins at most ten causes and counts the rest. */
static void set_causes(json_t *status, const struct findings *findings)
{
    json_t *causes = json_array();
    auto_text message = {0};
    for (size_t i = 0; i < findings->cause_count; i++) {
        const struct cause *c = &findings->cause[i];
        if (i < CAUSES_IN_MESSAGE)
            text_printf(&message, "%s%s", i ? ", " : "", c->message);
        json_array_append_new(
            causes, json_pack("{s:s, s:s, s:s}", "reason", c->reason, "message", c->message, "field", c->field));
    }
    if (findings->cause_count > CAUSES_IN_MESSAGE)
        text_printf(&message, ", and %zu more validation errors", findings->cause_count - CAUSES_IN_MESSAGE);
    json_object_set_new(json_object_get(status, "details"), "causes", causes);
    if (!json_object_get(status, "code"))
        set_failure(status, ERROR_INVALID, text_cstr(&message));
}

/* fieldValidation=Strict: what a server says then. */
static void set_strict_failure(json_t *status, const struct findings *findings)
{
    auto_text message = {0};
    text_append(&message, "strict decoding error: ");
    for (size_t i = 0; i < findings->unknown_count; i++)
        text_printf(&message, "%sunknown field \"%s\"", i ? ", " : "", findings->unknown[i]);
    set_failure(status, ERROR_BAD_REQUEST, text_cstr(&message));
}

/* ---- for people */

static void show_hint(struct text *out, const char *kind, const char *path)
{
    const struct field_node *node = fields_find(kind, path);
    if (node && node->field)
        text_printf(out, "      %s: %s%s%s%s\n", node->name, node->field->doc, node->field->values ? " (" : "",
                    node->field->values ? node->field->values : "", node->field->values ? ")" : "");
}

static void show(struct check *check, const char *file, const json_t *object, const json_t *status,
                 const struct findings *findings)
{
    const char *kind = json_text_at(object, "kind", "object");
    const char *name = json_text_at(object, "metadata.name", "(no name)");
    size_t causes = findings->cause_count;
    bool ok = text_equal(json_text_at(status, "status", NULL), "Success");
    text_printf(&check->shown, "%s: %s %s: ", file, *kind ? kind : "object", name);
    if (ok)
        text_append(&check->shown, "ok\n");
    else if (causes == 0)
        text_printf(&check->shown, "%s\n", json_text_at(status, "message", ""));
    else
        text_printf(&check->shown, "%zu problem%s\n", causes, causes == 1 ? "" : "s");
    for (size_t i = 0; i < causes; i++) {
        const struct cause *c = &findings->cause[i];
        auto_free char *text = cause_text(c);
        text_printf(&check->shown, "  %s\n", text);
        if (i + 1 == causes || strcmp(c->field, c[1].field) != 0)
            show_hint(&check->shown, kind, c->field);
    }
    for (size_t i = 0; i < findings->warning_count && !check->output; i++)
        fprintf(stderr, "warning: %s: %s %s: %s\n", file, kind, name, findings->warning[i]);
}

/* ---- one object */

static bool is_machine(const char *kind)
{
    return strcmp(kind, "VirtualMachine") == 0 || strcmp(kind, "VirtualMachineInstance") == 0;
}

/* 0: it may pass unchecked. */
static int check_other_kind(const json_t *object, struct findings *findings, struct error *err)
{
    const char *kind = json_text_at(object, "kind", "");
    const char *version = json_text_at(object, "apiVersion", "");
    struct similar similar = similar_to(kind);
    similar_consider(&similar, "VirtualMachine");
    similar_consider(&similar, "VirtualMachineInstance");
    if (!*kind || !*version)
        return fail(err, ERROR_BAD_REQUEST,
                    "%s is missing: a manifest starts with apiVersion: kubevirt.io/v1 and "
                    "kind: VirtualMachine or VirtualMachineInstance",
                    *version ? "kind" : "apiVersion");
    if (similar.best && similar.distance <= 3)
        return fail(err, ERROR_BAD_REQUEST, "kind: \"%s\" is not known; did you mean %s?", kind, similar.best);
    if (text_starts_with(version, "kubevirt.io/"))
        return fail(err, ERROR_BAD_REQUEST,
                    "kind: \"%s\" of %s is not known here; VirtualMachine and "
                    "VirtualMachineInstance are",
                    kind, version);
    findings_warn(findings, "%s objects are not checked", kind);
    return 0;
}

static void check_object(struct check *check, const char *file, json_t *object)
{
    auto_findings findings = {0};
    struct error err;
    json_t *status = status_of(object);
    int result = is_machine(json_text_at(object, "kind", "")) ? spec_admit(object, &findings, &err)
                                                              : check_other_kind(object, &findings, &err);
    if (result < 0)
        set_failure(status, err.kind, err.text);
    else if (check->strict && findings.unknown_count > 0)
        set_strict_failure(status, &findings);
    if (findings.cause_count > 0)
        set_causes(status, &findings);
    if (findings.warning_count > 0)
        json_object_set_new(status, "warnings", texts(findings.warning, findings.warning_count));
    check->bad |= !text_equal(json_text_at(status, "status", NULL), "Success");
    show(check, file, object, status, &findings);
    json_array_append_new(check->statuses, status);
}

/* A file that is no manifest is one failure of its own; the other files are still looked at. */
static void file_failed(struct check *check, enum error_kind kind, const char *message)
{
    json_t *status = status_of(NULL);
    set_failure(status, kind, message);
    json_array_append_new(check->statuses, status);
    text_printf(&check->shown, "%s\n", message);
    check->bad = true;
}

static int check_file(const char *file, void *arg, struct error *err)
{
    struct check *check = arg;
    auto_text text = {0};
    auto_json *objects = NULL;
    if (verb_read_file(file, &text, err) == 0)
        objects = manifest_parse(text_cstr(&text), text.length, err);
    if (objects && json_array_size(objects) == 0)
        fail(err, ERROR_BAD_REQUEST, "no object in it");
    if (!objects || json_array_size(objects) == 0) {
        auto_free char *message = must_format("%s: %s", file, err->text);
        file_failed(check, err->kind, message);
        return 0;
    }
    for (size_t i = 0; i < json_array_size(objects); i++)
        check_object(check, file, json_array_get(objects, i));
    return 0;
}

static void print_json(const struct check *check)
{
    auto_json *list =
        json_pack("{s:s, s:s, s:{}, s:O}", "kind", "List", "apiVersion", "v1", "metadata", "items", check->statuses);
    auto_text out = {0};
    const json_t *only = json_array_size(check->statuses) == 1 ? json_array_get(check->statuses, 0) : NULL;
    json_write_pretty(only ? only : list, &out);
    fputs(text_cstr(&out), stdout);
}

static int run(struct check *check)
{
    check->statuses = json_array();
    struct error err;
    for (size_t i = 0; check->files[i]; i++)
        if (verb_each_file(check->files[i], check_file, check, &err) < 0)
            file_failed(check, err.kind, err.text);
    if (check->output)
        print_json(check);
    else
        fputs(text_cstr(&check->shown), stdout);
    json_decref(check->statuses);
    text_finish(&check->shown);
    return check->bad ? 2 : 0;
}

int verb_check(int argc, char **argv)
{
    struct check check = {0};
    const struct verb_option options[] = {
        {'f', "file", "FILE", .list = check.files, .list_max = FILES_MAX,
         .help = "YAML or JSON, or a folder of them; - reads standard input; may be given several times"},
        {'o', "output", "json", .text = &check.output,
         .help = "print a Status; a List of them when there are several objects"},
        {0, "strict", NULL, .flag = &check.strict, .help = "unknown fields are failures, as for kubectl apply"},
    };
    struct error err;
    bool done;
    int positional;
    if (verb_options("check", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("check", &err);
    if (done)
        return 0;
    if (check.output && strcmp(check.output, "json") != 0)
        fail(&err, ERROR_BAD_REQUEST, "-o %s: only json is known", check.output);
    else if (positional > 0)
        fail(&err, ERROR_BAD_REQUEST, "%s: files are named with -f", argv[0]);
    else if (!check.files[0])
        fail(&err, ERROR_BAD_REQUEST, "name a manifest: -f FILE (- for standard input)");
    else
        return run(&check);
    return verb_fail("check", &err);
}
