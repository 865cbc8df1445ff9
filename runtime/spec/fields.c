/* The rows become a tree at first use: one for VMIs, one for VMs, whose template points into the first. The trees live
 * as long as the process. */
#include "runtime/spec/fields.h"

#include <pthread.h>
#include <string.h>

#include "rtvmd/base/text.h"
#include "runtime/spec/fields_rows.h"

/* A parent stands before its children. */
static const struct field_table *const VMI_TABLES[] = {
    &FIELDS_METADATA, &FIELDS_LIFE,  &FIELDS_CPU,     &FIELDS_FIRMWARE, &FIELDS_FEATURES,
    &FIELDS_DEVICES,  &FIELDS_DISKS, &FIELDS_NETWORK, &FIELDS_VOLUMES,  &FIELDS_KUBERNETES,
};
static const struct field_table *const VM_TABLES[] = {&FIELDS_METADATA, &FIELDS_VM};

static struct field_node vmi_root;
static struct field_node vm_root;
static pthread_once_t built = PTHREAD_ONCE_INIT;

static const struct {
    const char *text;
    const char *openapi;
    int64_t min;
    int64_t max;
} TYPES[FIELD_TYPE_COUNT] = {
    [FIELD_OBJECT] = {"object", "object", 0, 0},
    [FIELD_OBJECTS] = {"array of objects", "array", 0, 0},
    [FIELD_STRING] = {"string", "string", 0, 0},
    [FIELD_STRINGS] = {"array of strings", "array", 0, 0},
    [FIELD_STRING_MAP] = {"map of strings", "object", 0, 0},
    [FIELD_QUANTITY_MAP] = {"map of quantities", "object", 0, 0},
    [FIELD_BOOL] = {"boolean", "boolean", 0, 0},
    [FIELD_INT32] = {"integer", "integer", INT32_MIN, INT32_MAX},
    [FIELD_INT64] = {"integer", "integer", INT64_MIN, INT64_MAX},
    [FIELD_UINT32] = {"integer from 0", "integer", 0, UINT32_MAX},
    [FIELD_UINT] = {"integer from 0", "integer", 0, INT64_MAX},
    [FIELD_QUANTITY] = {"quantity", "string", 0, 0},
    [FIELD_INT_OR_STRING] = {"integer or string", "string", 0, 0},
    [FIELD_TIME] = {"time", "string", 0, 0},
    [FIELD_ANY] = {"anything", "object", 0, 0},
    [FIELD_VMI_SPEC] = {"object", "object", 0, 0},
};

const char *field_type_text(enum field_type type)
{
    return TYPES[type].text;
}

const char *field_type_openapi(enum field_type type)
{
    return TYPES[type].openapi;
}

void field_type_range(enum field_type type, int64_t *ret_min, int64_t *ret_max)
{
    *ret_min = TYPES[type].min;
    *ret_max = TYPES[type].max;
}

const struct field_node *fields_child(const struct field_node *node, const char *name, size_t length)
{
    for (size_t i = 0; node && i < node->child_count; i++)
        if (strncmp(node->child[i]->name, name, length) == 0 && node->child[i]->name[length] == '\0')
            return node->child[i];
    return NULL;
}

static void add_row(struct field_node *root, const struct field *field)
{
    struct field_node *parent = root;
    const char *name = field->path;
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(name, '.')) {
        parent = (struct field_node *)fields_child(parent, name, (size_t)(dot - name));
        name = dot + 1;
    }
    struct field_node *node = must_calloc(1, sizeof *node);
    node->name = name;
    node->field = field;
    node->unused = parent->unused ? parent->unused : field->support != FIELD_DONE ? field : NULL;
    const struct field_node **list = must_realloc((void *)parent->child, parent->child_count + 1,
                                                  sizeof *list); // NOLINT(bugprone-sizeof-expression)
    list[parent->child_count++] = node;
    parent->child = list;
}

static void add_tables(struct field_node *root, const struct field_table *const tables[], size_t count)
{
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            add_row(root, &tables[t]->row[i]);
}

static void build(void)
{
    add_tables(&vmi_root, VMI_TABLES, ARRAY_SIZE(VMI_TABLES));
    add_tables(&vm_root, VM_TABLES, ARRAY_SIZE(VM_TABLES));
    const struct field_node *spec = fields_child(&vmi_root, "spec", 4);
    const struct field_node *at = fields_child(fields_child(&vm_root, "spec", 4), "template", 8);
    struct field_node *template_spec = (struct field_node *)fields_child(at, "spec", 4);
    template_spec->child = spec->child;
    template_spec->child_count = spec->child_count;
}

const struct field_node *fields_root(const char *kind)
{
    pthread_once(&built, build);
    if (text_equal(kind, "VirtualMachine"))
        return &vm_root;
    return text_equal(kind, "VirtualMachineInstance") ? &vmi_root : NULL;
}

const struct field_node *fields_find(const char *kind, const char *path)
{
    const struct field_node *node = fields_root(kind);
    while (node && *path) {
        size_t length = strcspn(path, ".[");
        node = fields_child(node, path, length);
        path += length;
        if (*path == '[')
            path += strcspn(path, ".");
        path += *path == '.';
    }
    return node;
}

size_t fields_count(void)
{
    size_t count = FIELDS_VM.count;
    for (size_t t = 0; t < ARRAY_SIZE(VMI_TABLES); t++)
        count += VMI_TABLES[t]->count;
    return count;
}

const struct field *fields_row(size_t index, const char **ret_kind)
{
    *ret_kind = "VirtualMachineInstance";
    for (size_t t = 0; t < ARRAY_SIZE(VMI_TABLES); t++) {
        if (index < VMI_TABLES[t]->count)
            return &VMI_TABLES[t]->row[index];
        index -= VMI_TABLES[t]->count;
    }
    *ret_kind = "VirtualMachine";
    return index < FIELDS_VM.count ? &FIELDS_VM.row[index] : NULL;
}

static void apply_default(json_t *object, const struct field_node *node)
{
    const json_t *there = json_object_get(object, node->name);
    bool empty_text = json_is_string(there) && json_string_length(there) == 0;
    bool below_one = json_is_integer(there) && json_integer_value(there) < 1; /* probes count from one */
    if (there && !empty_text && !below_one)
        return;
    struct error ignored;
    json_object_set_new(object, node->name, json_from_text(node->field->def, strlen(node->field->def), &ignored));
}

static void apply_below(json_t *value, const struct field_node *node)
{
    size_t index;
    json_t *item;
    json_array_foreach(value, index, item)
    {
        apply_below(item, node);
    }
    if (!json_is_object(value))
        return;
    for (size_t i = 0; i < node->child_count; i++) {
        if (node->child[i]->field->def)
            apply_default(value, node->child[i]);
        apply_below(json_object_get(value, node->child[i]->name), node->child[i]);
    }
}

void fields_apply_defaults(json_t *vmi)
{
    apply_below(vmi, fields_root("VirtualMachineInstance"));
}
