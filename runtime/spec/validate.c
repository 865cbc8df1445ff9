#include "runtime/spec/validate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The order of KubeVirt's ValidateVirtualMachineInstanceSpec: it is the order of the causes. */
static const struct rules *const SPEC[] = {
    &RULES_NAMES,    &RULES_MEMORY,     &RULES_MACHINE,    &RULES_CPU,     &RULES_AFFINITY,
    &RULES_NETWORKS, &RULES_INTERFACES, &RULES_ATTACHMENT, &RULES_PROBES,  &RULES_DISKS,
    &RULES_FIRMWARE, &RULES_VOLUMES,    &RULES_ACCESS,     &RULES_DEVICES,
};

static void run(const struct rules *rules, struct admission *a)
{
    for (size_t i = 0; i < rules->count; i++)
        rules->rule[i](a);
}

static void run_spec(struct admission *a)
{
    for (size_t i = 0; i < ARRAY_SIZE(SPEC); i++)
        run(SPEC[i], a);
}

void validate(struct admission *a)
{
    if (a->vm) {
        run(&RULES_METADATA, a);
        run_spec(a);
        run(&RULES_VM, a);
        run(&RULES_VMI, a); /* KubeVirt says these at start; the VM would never run */
    } else {
        run_spec(a);
        run(&RULES_VMI, a);
        run(&RULES_METADATA, a);
    }
    run(&RULES_OURS, a);
}

char *rule_path(const struct admission *a, const char *format, ...)
{
    char path[512]; /* made for every rule of every manifest, seldom looked at */
    int length = snprintf(path, sizeof path, "%s.", a->at);
    va_list args;
    va_start(args, format);
    vsnprintf(path + length, sizeof path - (size_t)length, format, args);
    va_end(args);
    return must_strdup(path);
}

size_t rule_count(const struct admission *a, const char *path)
{
    return json_array_size(json_at(a->spec, path));
}

json_t *rule_item(const struct admission *a, const char *path, size_t index)
{
    return json_array_get(json_at(a->spec, path), index);
}

const char *rule_text(const json_t *object, const char *path)
{
    return json_text_at(object, path, "");
}

bool rule_is_one_of(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

struct amount rule_amount(const json_t *object, const char *path)
{
    struct amount amount = {.text = {"0"}};
    struct error ignored;
    const json_t *value = json_at(object, path);
    if (!value || quantity_from_json(value, &amount.q, &ignored) < 0)
        return amount;
    amount.given = true;
    amount.value = quantity_value(&amount.q);
    quantity_format(&amount.q, &amount.text);
    return amount;
}

int64_t rule_vcpus(const struct admission *a)
{
    static const char *const PARTS[] = {"domain.cpu.cores", "domain.cpu.sockets", "domain.cpu.threads"};
    int64_t vcpus = 0;
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        int64_t part = json_int_at(a->spec, PARTS[i], 0);
        if (part != 0 && __builtin_mul_overflow(vcpus ? vcpus : 1, part, &vcpus))
            return INT64_MAX;
    }
    return vcpus;
}
