#include "runtime/spec/names.c"

#include "runtime/spec/address.c"
#include "runtime/spec/similar.c"
#include "tests/test.h"

static void names_are_kubernetes_names(void)
{
    static const struct {
        enum name_kind kind;
        const char *name;
        bool valid;
    } CASES[] = {
        {NAME_DNS_LABEL, "a", true},
        {NAME_DNS_LABEL, "my-name-1", true},
        {NAME_DNS_LABEL, "", false},
        {NAME_DNS_LABEL, "-a", false},
        {NAME_DNS_LABEL, "a-", false},
        {NAME_DNS_LABEL, "A", false},
        {NAME_DNS_LABEL, "a.b", false},
        {NAME_DNS_LABEL, "a_b", false},
        {NAME_DNS_SUBDOMAIN, "a.b-c.1", true},
        {NAME_DNS_SUBDOMAIN, "a..b", false},
        {NAME_DNS_SUBDOMAIN, ".a", false},
        {NAME_DNS_SUBDOMAIN, "a.", false},
        {NAME_PORT, "http", true},
        {NAME_PORT, "fifteen-letters", true},
        {NAME_PORT, "sixteen-letters1", false},
        {NAME_PORT, "80", false},
        {NAME_PORT, "a--b", false},
        {NAME_PORT, "-a", false},
        {NAME_PORT, "", false},
        {NAME_LABEL_KEY, "a", true},
        {NAME_LABEL_KEY, "Example.com/My_name.1", false},
        {NAME_LABEL_KEY, "example.com/My_name.1", true},
        {NAME_LABEL_KEY, "/a", false},
        {NAME_LABEL_KEY, "a/", false},
        {NAME_LABEL_KEY, "a/b/c", false},
        {NAME_LABEL_VALUE, "", true},
        {NAME_LABEL_VALUE, "My_value.1", true},
        {NAME_LABEL_VALUE, "_a", false},
        {NAME_LABEL_VALUE, "a b", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        if (name_is_valid(CASES[i].kind, CASES[i].name) != CASES[i].valid)
            printf("# %s\n", CASES[i].name);
        CHECK(name_is_valid(CASES[i].kind, CASES[i].name) == CASES[i].valid);
    }
}

static void one_past_each_length_is_too_long(void)
{
    char name[300];
    memset(name, 'a', sizeof name);
    static const struct {
        enum name_kind kind;
        size_t max;
    } CASES[] = {{NAME_DNS_LABEL, 63}, {NAME_DNS_SUBDOMAIN, 253}, {NAME_PORT, 15}, {NAME_LABEL_VALUE, 63}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_free char *fits = must_strndup(name, CASES[i].max);
        auto_free char *too_long = must_strndup(name, CASES[i].max + 1);
        auto_text text = {0};
        CHECK(name_is_valid(CASES[i].kind, fits));
        CHECK_INT(name_complaints(CASES[i].kind, too_long, &text), 1);
        CHECK(strstr(text_cstr(&text), "must be no more than") != NULL);
    }
}

static void addresses_have_their_forms(void)
{
    CHECK(address_is_pci("0000:81:01.0"));
    CHECK(address_is_pci("abCD:ef:1f.7"));
    static const char *const NO_PCI[] = {"", "81:01.0", "0000:81:01.8", "0000:81:01.0 ", "0000:81:01", "0000-81:01.0"};
    for (size_t i = 0; i < ARRAY_SIZE(NO_PCI); i++)
        CHECK(!address_is_pci(NO_PCI[i]));
    static const struct {
        const char *text;
        size_t length;
    } MACS[] = {
        {"02:00:00:00:00:01", 6},
        {"DE-AD-00-00-BE-EF", 6},
        {"dead.0000.beef", 6},
        {"00:00:00:00:fe:80:00:00", 8},
        {"0000.0000.fe80.0000", 8},
        {"00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01", 20},
        {"", 0},
        {"02:00:00:00:00", 0},
        {"02:00:00:00:00:0", 0},
        {"02:00:00:00:00:01:", 0},
        {"02:00-00:00:00:01", 0},
        {"zz:00:00:00:00:01", 0},
        {"020000000001", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(MACS); i++)
        CHECK_INT(address_mac_length(MACS[i].text), MACS[i].length);
    CHECK(address_is_ip("10.0.0.1") && address_is_ip("fe80::1") && address_is_ipv4("10.0.0.1"));
    CHECK(!address_is_ip("10.0.0") && !address_is_ip("") && !address_is_ipv4("fe80::1"));
    CHECK(address_is_serial("A_b-1.2+3") && !address_is_serial("") && !address_is_serial("a b"));
}

static const char *nearest(const char *word, const char *const candidates[], size_t count)
{
    struct similar similar = similar_to(word);
    for (size_t i = 0; i < count; i++)
        similar_consider(&similar, candidates[i]);
    return similar.best ? similar.best : "(none)";
}

static void near_words_are_found(void)
{
    static const char *const FIELDS[] = {"cores", "sockets", "threads", "dedicatedCpuPlacement", "numa"};
    static const struct {
        const char *word;
        const char *best;
    } CASES[] = {
        {"core", "cores"},        {"Sockets", "sockets"},
        {"trheads", "threads"},   {"dedicateCPUPlacement", "dedicatedCpuPlacement"},
        {"frobnicate", "(none)"}, {"", "(none)"},
        {"nuam", "numa"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        CHECK_TEXT(nearest(CASES[i].word, FIELDS, ARRAY_SIZE(FIELDS)), CASES[i].best);
    char giant[1000];
    memset(giant, 'x', sizeof giant - 1);
    giant[sizeof giant - 1] = '\0';
    CHECK_TEXT(nearest(giant, FIELDS, ARRAY_SIZE(FIELDS)), "(none)");
    const char *const giants[] = {giant};
    CHECK_TEXT(nearest("x", giants, 1), "(none)");
}

int main(void)
{
    RUN(names_are_kubernetes_names);
    RUN(one_past_each_length_is_too_long);
    RUN(addresses_have_their_forms);
    RUN(near_words_are_found);
    return test_end();
}
