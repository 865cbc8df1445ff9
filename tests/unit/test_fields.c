#include "runtime/spec/fields.c"

#include "tests/test.h"

/* What a reader of the table may count on, for every row. */
static void every_row_is_whole(void)
{
    for (size_t i = 0; i < fields_count(); i++) {
        const char *kind;
        const struct field *row = fields_row(i, &kind);
        const struct field_node *node = fields_find(kind, row->path);
        int failures = test_failures;
        CHECK(node && node->field == row); /* no second row for the path, and its parent has one */
        CHECK(row->doc && row->doc[0] >= 'A' && row->doc[0] <= 'z');
        CHECK(row->doc && !text_ends_with(row->doc, ".") && strlen(row->doc) < 160);
        CHECK((row->support == FIELD_DONE) == (row->because == NULL));
        CHECK(!row->because || !text_ends_with(row->because, "."));
        CHECK(!row->values || row->type == FIELD_STRING);
        if (failures != test_failures)
            printf("# in the row of %s %s\n", kind, row->path);
    }
    const char *kind;
    CHECK(fields_row(fields_count(), &kind) == NULL);
    CHECK(fields_count() > 600);
}

static void only_containers_have_children(void)
{
    for (size_t i = 0; i < fields_count(); i++) {
        const char *kind;
        const struct field *row = fields_row(i, &kind);
        const char *dot = strrchr(row->path, '.');
        if (!dot)
            continue;
        auto_free char *parent = must_strndup(row->path, (size_t)(dot - row->path));
        const struct field_node *node = fields_find(kind, parent);
        enum field_type type = node ? node->field->type : FIELD_ANY;
        CHECK(type == FIELD_OBJECT || type == FIELD_OBJECTS || type == FIELD_VMI_SPEC);
    }
}

static void defaults_have_the_type_of_their_field(void)
{
    for (size_t i = 0; i < fields_count(); i++) {
        const char *kind;
        const struct field *row = fields_row(i, &kind);
        struct error err;
        if (!row->def)
            continue;
        auto_json *value = json_from_text(row->def, strlen(row->def), &err);
        bool fits = row->type == FIELD_BOOL     ? json_is_boolean(value)
                    : row->type == FIELD_STRING ? json_is_string(value)
                                                : json_is_integer(value);
        if (!fits)
            printf("# default of %s\n", row->path);
        CHECK(fits);
    }
}

static void finds_by_path(void)
{
    static const struct {
        const char *kind;
        const char *path;
        const char *row;
    } CASES[] = {
        {"VirtualMachineInstance", "spec.domain.cpu.realtime.mask", "spec.domain.cpu.realtime.mask"},
        {"VirtualMachineInstance", "spec.volumes[3].hostDisk.path", "spec.volumes.hostDisk.path"},
        {"VirtualMachineInstance", "spec.volumes[].name", "spec.volumes.name"},
        {"VirtualMachine", "spec.template.spec.domain.cpu.cores", "spec.domain.cpu.cores"},
        {"VirtualMachine", "metadata.name", "metadata.name"},
        {"VirtualMachine", "spec.running", "spec.running"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct field_node *node = fields_find(CASES[i].kind, CASES[i].path);
        CHECK_TEXT(node ? node->field->path : NULL, CASES[i].row);
    }
    CHECK(fields_find("VirtualMachineInstance", "spec.running") == NULL);
    CHECK(fields_find("VirtualMachineInstance", "spec.domain.cpu.core") == NULL);
    CHECK(fields_find("VirtualMachineInstance", "spec.domain.cpu.coresx") == NULL);
    CHECK(fields_find("Pod", "spec") == NULL);
    CHECK(fields_find("VirtualMachine", "") == fields_root("VirtualMachine"));
}

static void support_is_inherited(void)
{
    const struct field_node *node = fields_find("VirtualMachineInstance", "spec.tolerations.key");
    CHECK_TEXT(node->unused->path, "spec.tolerations");
    CHECK(fields_find("VirtualMachineInstance", "spec.domain.cpu.cores")->unused == NULL);
}

static void writes_constant_defaults_where_the_parent_is(void)
{
    static const char BEFORE[] =
        "{\"spec\":{\"livenessProbe\":{\"periodSeconds\":0,\"timeoutSeconds\":7},\"domain\":{\"features\":{\"acpi\":{},"
        "\"smm\":{\"enabled\":false}},\"devices\":{\"disks\":[{\"cdrom\":{\"bus\":\"\"}},{\"disk\":{\"bus\":\"virtio\"}}]}}}}";
    static const char AFTER[] =
        "{\"spec\":{\"livenessProbe\":{\"periodSeconds\":10,\"timeoutSeconds\":7,\"successThreshold\":1,"
        "\"failureThreshold\":3},\"domain\":{\"features\":{\"acpi\":{\"enabled\":true},\"smm\":{\"enabled\":false}},"
        "\"devices\":{\"disks\":[{\"cdrom\":{\"bus\":\"sata\",\"readonly\":true,\"tray\":\"closed\"}},{\"disk\":{\"bus\":"
        "\"virtio\"}}]}},\"architecture\":\"amd64\"}}";
    struct error err;
    auto_json *vmi = json_from_text(BEFORE, strlen(BEFORE), &err);
    fields_apply_defaults(vmi);
    auto_free char *text = json_to_text(vmi);
    CHECK_TEXT(text, AFTER);
}

int main(void)
{
    RUN(every_row_is_whole);
    RUN(only_containers_have_children);
    RUN(defaults_have_the_type_of_their_field);
    RUN(finds_by_path);
    RUN(support_is_inherited);
    RUN(writes_constant_defaults_where_the_parent_is);
    return test_end();
}
