#include "api/wire/columns.c"

#include "runtime/place/place.h"
#include "tests/test.h"

/* The column of a Placement whose spec is what the store keeps. */
static const char *shown(char *(*column)(const json_t *), const struct placement *placement)
{
    static char text[128];
    auto_json *object = json_pack("{s:o}", "spec", placement_to_json(placement));
    auto_free char *cell = column(object);
    snprintf(text, sizeof text, "%s", cell);
    return text;
}

static void placements_show_cpus(void)
{
    struct placement *p = must_calloc(1, sizeof *p);
    p->vcpu_count = 3;
    p->vcpu_cpu[0] = 4;
    p->vcpu_cpu[1] = 5;
    p->vcpu_cpu[2] = -1;
    p->emulator = cpuset_of(6);
    CHECK_TEXT(shown(column_placement_cpus, p), "4-5");
    CHECK_TEXT(shown(column_placement_emulator, p), "6");
    p->shared = cpuset_range(0, 1);
    CHECK_TEXT(shown(column_placement_cpus, p), "0-1,4-5");
    p->vcpu_count = 2; /* none floats: the CPUs floating ones would have are nobody's */
    CHECK_TEXT(shown(column_placement_cpus, p), "4-5");
    p->page_count = 3;
    p->page[0] = (struct claimed_pages){.node = 0, .page_bytes = 1 << 30, .pages = 4};
    p->page[1] = (struct claimed_pages){.node = 1, .page_bytes = 2 << 20, .pages = 512};
    p->page[2] = (struct claimed_pages){.node = 1, .page_bytes = PLACE_ORDINARY_PAGE_BYTES, .pages = 100};
    CHECK_TEXT(shown(column_placement_pages, p), "0:4x1Gi,1:512x2Mi");
    free(p);
    auto_json *odd = json_pack("{s:{s:{s:i, s:s, s:i}}}", "spec", "vcpus", "0", -1, "1", "x", "2", CPUSET_MAX);
    auto_free char *cell = column_placement_cpus(odd);
    CHECK_TEXT(cell, "");
}

static void ages_are_short(void)
{
    static const struct {
        int64_t now_s;
        const char *text;
    } CASES[] = {{0, "0s"},          {119, "119s"},
                 {120, "2m"},        {125, "2m5s"},
                 {3 * 3600, "3h"},   {3 * 3600 + 60, "3h1m"},
                 {10 * 3600, "10h"}, {49 * 3600, "2d1h"},
                 {9 * 86400, "9d"},  {800 * 86400LL, "2y70d"},
                 {-5, "0s"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_free char *text = age_text("1970-01-02T00:00:00Z", 86400 + CASES[i].now_s);
        CHECK_TEXT(text, CASES[i].text);
    }
    auto_free char *unknown = age_text("yesterday", 0);
    CHECK_TEXT(unknown, "<unknown>");
}

int main(void)
{
    RUN(placements_show_cpus);
    RUN(ages_are_short);
    return test_end();
}
