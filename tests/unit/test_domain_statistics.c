/* libvirt's answer, parameter by parameter. */
#include "runtime/hypervisor/statistics.c"
#include "tests/test.h"

static virTypedParameter parameter(const char *name, unsigned long long value)
{
    virTypedParameter p = {.type = VIR_TYPED_PARAM_ULLONG, .value.ul = value};
    snprintf(p.field, sizeof p.field, "%s", name);
    return p;
}

static void give(struct domain_statistics *s, const char *name, unsigned long long value)
{
    virTypedParameter p = parameter(name, value);
    take_parameter(s, &p);
}

static void name(struct domain_statistics *s, const char *field, char *value)
{
    virTypedParameter p = {.type = VIR_TYPED_PARAM_STRING, .value.s = value};
    snprintf(p.field, sizeof p.field, "%s", field);
    take_parameter(s, &p);
}

static struct domain_statistics fresh(void)
{
    struct domain_statistics s = {0};
    forget(&s, BALLOON_FIELDS, ARRAY_SIZE(BALLOON_FIELDS));
    return s;
}

static void everything_finds_its_place(void)
{
    struct domain_statistics s = fresh();
    give(&s, "balloon.current", 65536);
    give(&s, "balloon.major_fault", 3);
    give(&s, "block.count", 2);
    name(&s, "block.1.name", (char[]){"vdb"});
    give(&s, "block.1.rd.bytes", 4096);
    give(&s, "block.1.fl.times", 12);
    give(&s, "net.count", 1);
    name(&s, "net.0.name", (char[]){"a name that is far too long for an interface"});
    give(&s, "net.0.tx.drop", 5);
    CHECK_INT(s.balloon_bytes, 65536 * 1024);
    CHECK_INT(s.major_faults, 3);
    CHECK(s.unused_bytes == STATISTIC_UNKNOWN);
    CHECK_INT(s.disk_count, 2);
    CHECK_TEXT(s.disk[1].target, "vdb");
    CHECK_INT(s.disk[1].read_bytes, 4096);
    CHECK_INT(s.disk[1].flush_ns, 12);
    CHECK(s.disk[0].read_bytes == STATISTIC_UNKNOWN);
    CHECK_TEXT(s.interface[0].name, "a name that is ");
    CHECK_INT(s.interface[0].sent_dropped, 5);
    domain_statistics_finish(&s);
}

static void nonsense_does_no_harm(void)
{
    struct domain_statistics s = fresh();
    give(&s, "block.0.rd.bytes", 1); /* before the count */
    give(&s, "block.count", UINT64_MAX);
    CHECK_INT(s.disk_count, 0);
    give(&s, "block.count", 1);
    give(&s, "block.count", 3); /* again */
    CHECK_INT(s.disk_count, 1);
    give(&s, "block.1.rd.bytes", 1);
    give(&s, "block..rd.bytes", 1);
    give(&s, "block.0", 1);
    give(&s, "block.99999999999999999999.rd.bytes", 1);
    give(&s, "block.-1.rd.bytes", 1);
    CHECK(s.disk[0].read_bytes == STATISTIC_UNKNOWN);
    give(&s, "balloon.current", UINT64_MAX / 2); /* does not fit as bytes */
    CHECK(s.balloon_bytes == STATISTIC_UNKNOWN);
    virTypedParameter negative = {.type = VIR_TYPED_PARAM_LLONG, .value.l = -1, .field = "block.0.wr.reqs"};
    take_parameter(&s, &negative);
    CHECK(s.disk[0].write_requests == STATISTIC_UNKNOWN);
    name(&s, "block.0.rd.bytes", (char[]){"text"});
    CHECK(s.disk[0].read_bytes == STATISTIC_UNKNOWN);
    domain_statistics_finish(&s);
}

static void records_are_matched_by_name(void)
{
    static const char *const NAMES[] = {"a", "b", "c"};
    CHECK_INT(find_name(NAMES, 3, 0, "a"), 0);
    CHECK_INT(find_name(NAMES, 3, 1, "a"), 0);
    CHECK_INT(find_name(NAMES, 3, 3, "c"), 2);
    CHECK_INT(find_name(NAMES, 3, 1, "z"), 3);
}

int main(void)
{
    RUN(everything_finds_its_place);
    RUN(nonsense_does_no_harm);
    RUN(records_are_matched_by_name);
    return test_end();
}
