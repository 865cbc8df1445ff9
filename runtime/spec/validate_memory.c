/* Memory and CPU amounts asked for: requests, limits, guest memory, huge pages. */
#include <inttypes.h>

#include "runtime/spec/annotations.h"
#include "runtime/spec/validate.h"

static void not_negative(struct admission *a, const char *path)
{
    struct amount amount = rule_amount(a->spec, path);
    if (amount.value >= 0)
        return;
    auto_free char *field = rule_path(a, "%s", path);
    findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s': must be greater than or equal to 0.", field,
                   amount.text.text);
}

static void not_above_limit(struct admission *a, const char *request_path, const char *limit_path)
{
    struct amount request = rule_amount(a->spec, request_path);
    struct amount limit = rule_amount(a->spec, limit_path);
    if (limit.q.nano <= 0 || quantity_compare(&request.q, &limit.q) <= 0)
        return;
    auto_free char *field = rule_path(a, "%s", request_path);
    auto_free char *other = rule_path(a, "%s", limit_path);
    findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s' is greater than %s '%s'", field, request.text.text,
                   other, limit.text.text);
}

static void memory_request(struct admission *a)
{
    not_negative(a, "domain.resources.requests.memory");
    struct amount request = rule_amount(a->spec, "domain.resources.requests.memory");
    if (request.value <= 0 || request.value >= 1000000)
        return;
    auto_free char *field = rule_path(a, "domain.resources.requests.memory");
    findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s': must be greater than or equal to 1M.", field,
                   request.text.text);
}

static void memory_limit(struct admission *a)
{
    not_negative(a, "domain.resources.limits.memory");
    not_above_limit(a, "domain.resources.requests.memory", "domain.resources.limits.memory");
}

/* What the page size is compared with: KubeVirt prints the request even when it took the guest's memory; here the
 * amount that was taken is printed. */
static struct amount backed_memory(const struct admission *a)
{
    static const char *const SOURCES[] = {"domain.resources.requests.memory", "domain.memory.guest",
                                          "domain.resources.limits.memory"};
    struct amount amount = {.text = {"0"}};
    for (size_t i = 0; i < ARRAY_SIZE(SOURCES) && amount.value == 0; i++)
        amount = rule_amount(a->spec, SOURCES[i]);
    return amount;
}

static void huge_pages(struct admission *a)
{
    const json_t *hugepages = json_at(a->spec, "domain.memory.hugepages");
    if (!hugepages)
        return;
    const char *page_text = rule_text(hugepages, "pageSize");
    auto_free char *page_field = rule_path(a, "domain.memory.hugepages.pageSize");
    auto_free char *memory_field = rule_path(a, "domain.resources.requests.memory");
    struct quantity page;
    struct error err;
    if (quantity_parse(page_text, &page, &err) < 0) {
        findings_cause(a->findings, CAUSE_INVALID, page_field,
                       "%s '%s': quantities must match the regular expression "
                       "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                       page_field, page_text);
        return;
    }
    int64_t page_bytes = quantity_value(&page);
    if (page_bytes <= 0) { /* KubeVirt divides by it */
        findings_cause(a->findings, CAUSE_INVALID, page_field, "%s '%s': must be greater than 0.", page_field,
                       page_text);
        return;
    }
    struct amount memory = backed_memory(a);
    const char *complaint = NULL;
    if (memory.value != 0 && memory.value < page_bytes)
        complaint = "must be equal to or larger than page size";
    else if (memory.value % page_bytes != 0)
        complaint = "is not a multiple of the page size";
    if (complaint)
        findings_cause(a->findings, CAUSE_INVALID, memory_field, "%s '%s' %s %s '%s'", memory_field, memory.text.text,
                       complaint, page_field, page_text);
}

/* Guest memory is shared out in whole pages: a size that does not divide it can never be used. */
static void other_page_sizes(struct admission *a)
{
    static const char KEY[] = "rtvmd.io/page-sizes";
    const char *value = json_string_value(json_object_get(json_object_get(a->metadata, "annotations"), KEY));
    struct amount memory = backed_memory(a);
    struct vm_spec scratch = {0};
    struct error err;
    if (!value || !json_at(a->spec, "domain.memory.hugepages") || annotation_apply(KEY, value, &scratch, &err) < 0)
        return;
    for (unsigned i = 0; i < scratch.other_page_sizes.count; i++) {
        int64_t bytes = (int64_t)scratch.other_page_sizes.bytes[i];
        if (memory.value % bytes)
            findings_warn(
                a->findings,
                "%s.annotations.%s: pages of %lld MiB are never used: guest memory (%s) is no multiple of them",
                a->metadata_at, KEY, (long long)bytes >> 20, memory.text.text);
    }
}

/* KubeVirt dropped this for clusters whose VMs grow while they run; here they do not. */
static void guest_within_limit(struct admission *a)
{
    struct amount guest = rule_amount(a->spec, "domain.memory.guest");
    struct amount limit = rule_amount(a->spec, "domain.resources.limits.memory");
    struct amount request = rule_amount(a->spec, "domain.resources.requests.memory");
    bool copied = request.given && quantity_compare(&request.q, &guest.q) == 0; /* then memory_limit complained */
    if (limit.value == 0 || limit.value >= guest.value || copied)
        return;
    auto_free char *field = rule_path(a, "domain.memory.guest");
    auto_free char *other = rule_path(a, "domain.resources.limits.memory");
    findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s' must be equal to or less than the memory limit %s '%s'",
                   field, guest.text.text, other, limit.text.text);
}

static rule *const MEMORY[] = {memory_request, memory_limit, huge_pages, other_page_sizes, guest_within_limit};
const struct rules RULES_MEMORY = {MEMORY, ARRAY_SIZE(MEMORY)};
