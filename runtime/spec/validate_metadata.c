/* Labels and annotations of the VMI, or of a VM's template. */
#include <string.h>

#include "runtime/spec/annotations.h"
#include "runtime/spec/similar.h"
#include "runtime/spec/validate.h"

static void reserved_labels(struct admission *a)
{
    static const char *const RESERVED[] = {
        "kubevirt.io/created-by",  "kubevirt.io/migrationJobUID",  "kubevirt.io/nodeName",
        "kubevirt.io/schedulable", "kubevirt.io/install-strategy", "kubevirt.io/migrationTargetNodeName",
    };
    const json_t *labels = json_object_get(a->metadata, "labels");
    auto_free char *field = must_format("%s.labels", a->metadata_at);
    for (size_t i = 0; i < ARRAY_SIZE(RESERVED); i++) {
        if (!json_object_get(labels, RESERVED[i]))
            continue;
        findings_cause(a->findings, CAUSE_NOT_SUPPORTED, field,
                       "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited");
        return;
    }
}

static void gated_annotations(struct admission *a)
{
    static const struct {
        const char *key;
        const char *gate;
    } GATED[] = {{"kubevirt.io/ignitiondata", "ExperimentalIgnitionSupport"},
                 {"hooks.kubevirt.io/hookSidecars", "sidecar"}};
    const json_t *annotations = json_object_get(a->metadata, "annotations");
    auto_free char *field = must_format("%s.annotations", a->metadata_at);
    for (size_t i = 0; i < ARRAY_SIZE(GATED); i++) {
        const json_t *value = json_object_get(annotations, GATED[i].key);
        if (value && json_string_length(value) > 0)
            findings_cause(a->findings, CAUSE_INVALID, field,
                           "%s feature gate is not enabled in kubevirt-config, invalid entry %s.%s", GATED[i].gate,
                           field, GATED[i].key);
    }
}

static bool is_known(const char *key)
{
    size_t count;
    const struct annotation *table = annotation_table(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].key, key) == 0)
            return true;
    return false;
}

static void warn_unknown(struct admission *a, const char *field, const char *key)
{
    size_t count;
    const struct annotation *table = annotation_table(&count);
    struct similar similar = similar_to(key);
    for (size_t i = 0; i < count; i++)
        similar_consider(&similar, table[i].key);
    if (similar.best)
        findings_warn(a->findings, "%s.%s: unknown annotation; did you mean %s?", field, key, similar.best);
    else
        findings_warn(a->findings, "%s.%s: unknown annotation; rtvmd explain annotations lists ours", field, key);
}

static void our_annotations(struct admission *a)
{
    struct vm_spec scratch = {0};
    auto_free char *field = must_format("%s.annotations", a->metadata_at);
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(a->metadata, "annotations"), key, value)
    {
        struct error err;
        if (annotation_apply(key, json_string_value(value), &scratch, &err) < 0)
            findings_cause(a->findings, CAUSE_INVALID, field, "%s.%s: %s", field, key, err.text);
        else if (text_starts_with(key, "rtvmd.io/") && !is_known(key))
            warn_unknown(a, field, key);
    }
}

static rule *const METADATA[] = {reserved_labels, gated_annotations, our_annotations};
const struct rules RULES_METADATA = {METADATA, ARRAY_SIZE(METADATA)};
