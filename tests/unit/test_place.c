#include "runtime/place/place.c"

#include "tests/test.h"
#include "tests/unit/synthetic.h"

static struct decision *plan(const struct synthetic *make, const struct vm_spec *spec, const struct claims *claims)
{
    static const struct claims none;
    struct host *host = synthetic_host(make);
    struct place_policy policy = {0};
    struct decision *decision = must_calloc(1, sizeof(*decision));
    place_plan(host, &policy, claims ? claims : &none, spec, NULL, decision);
    for (unsigned i = 0; i < decision->reason_count; i++)
        printf("# %s: %s\n", decision->reason[i].code, decision->reason[i].message);
    for (unsigned i = 0; i < decision->warning_count; i++)
        printf("# warning: %s\n", decision->warning[i]);
    free(host);
    return decision;
}

static const char *shown(const struct decision *decision)
{
    static char text[4096];
    auto_json *json = placement_to_json(&decision->placement);
    auto_free char *all = json_to_text(json);
    snprintf(text, sizeof(text), "%s", all);
    return text;
}

static void the_seed_fits_on_two_nodes(void)
{
    struct synthetic make = {.nodes = 2, .cores = 4, .threads = 2, .pages_1g = 4, .gigabytes = 16};
    make.isolated = synthetic_set("2-7,10-15");
    struct vm_spec spec = synthetic_realtime(2, 1);
    struct decision *decision = plan(&make, &spec, NULL);
    CHECK(decision->admitted);
    printf("# %s\n", shown(decision));
    free(decision);
}

static void the_seed_is_refused_on_two_cpus(void)
{
    struct synthetic make = {.nodes = 1, .cores = 2, .threads = 1, .gigabytes = 4};
    struct vm_spec spec = synthetic_realtime(2, 1);
    struct decision *decision = plan(&make, &spec, NULL);
    CHECK(!decision->admitted);
    CHECK_INT(decision->reason_count, 2);
    free(decision);
}

int main(void)
{
    RUN(the_seed_fits_on_two_nodes);
    RUN(the_seed_is_refused_on_two_cpus);
    return test_end();
}
