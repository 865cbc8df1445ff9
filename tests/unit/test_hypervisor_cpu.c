/* libvirt's words about guests' CPUs. */
#include "runtime/hypervisor/cpu.c"
#include "tests/test.h"

static const char CAPABILITIES[] =
    "<domainCapabilities><domain>kvm</domain><cpu>"
    "<mode name='host-passthrough' supported='yes'/>"
    "<mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model><vendor>AMD</vendor>"
    "<feature policy='require' name='x2apic'/><feature policy='disable' name='sha-ni'/></mode>"
    "<mode name='custom' supported='yes'><model usable='yes' vendor='unknown'>qemu64</model>"
    "<model usable='no' vendor='Intel'>Snowridge</model><model usable='yes' vendor='AMD'>EPYC</model>"
    "<model usable='yes' vendor='Intel'>Westmere</model></mode></cpu></domainCapabilities>";

static void reads_capabilities(void)
{
    struct error err;
    auto_json *cpu = read_capabilities(CAPABILITIES, &err);
    CHECK_TEXT(json_text_at(cpu, "hostModel", ""), "EPYC");
    CHECK_TEXT(json_text_at(cpu, "vendor", ""), "AMD");
    CHECK_INT(json_array_size(json_at(cpu, "models")), 2); /* neither the obsolete nor the unusable one */
    CHECK_TEXT(json_text_at(cpu, "models.1", ""), "Westmere");
    CHECK_INT(json_array_size(json_at(cpu, "required")), 1);
    CHECK_TEXT(json_text_at(cpu, "required.0", ""), "x2apic");
    CHECK(read_capabilities("<domainCapabilities>", &err) == NULL);
    auto_json *none = read_capabilities("<domainCapabilities><cpu/></domainCapabilities>", &err);
    CHECK_INT(json_array_size(json_at(none, "models")), 0);
    CHECK(json_at(none, "hostModel") == NULL);
}

static void asks_about_the_own_model(void)
{
    struct error err;
    auto_text xml = {0};
    CHECK_INT(write_own_model(CAPABILITIES, &xml, &err), 0);
    CHECK_TEXT(text_cstr(&xml), "<cpu mode=\"custom\" match=\"exact\">\n"
                                "  <model>EPYC</model>\n"
                                "  <vendor>AMD</vendor>\n"
                                "  <feature policy=\"require\" name=\"x2apic\"/>\n"
                                "  <feature policy=\"disable\" name=\"sha-ni\"/>\n"
                                "</cpu>\n");
    CHECK_INT(write_own_model("<domainCapabilities/>", &xml, &err), -1);
    auto_json *features = read_baseline("<cpu><model>EPYC</model><feature policy='require' name='avx2'/>"
                                        "<feature policy='disable' name='vme'/></cpu>");
    CHECK_INT(json_array_size(features), 1);
    CHECK_TEXT(json_string_value(json_array_get(features, 0)), "avx2");
}

int main(void)
{
    RUN(reads_capabilities);
    RUN(asks_about_the_own_model);
    return test_end();
}
