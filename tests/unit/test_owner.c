#include "runtime/hypervisor/owner.c"

#include "tests/test.h"

static void reads_the_owner_from_capabilities(void)
{
    static const struct {
        const char *capabilities;
        long uid, gid;
    } CASES[] = {
        {"<capabilities><host><secmodel><model>apparmor</model><doi>0</doi></secmodel><secmodel><model>dac</model>"
         "<doi>0</doi><baselabel type='kvm'>+64055:+109</baselabel><baselabel type='qemu'>+64055:+109</baselabel>"
         "</secmodel></host></capabilities>",
         64055, 109},
        {"<capabilities><host><secmodel><model>dac</model><baselabel>+0:+0</baselabel></secmodel></host>"
         "</capabilities>",
         0, 0},
        {"<capabilities><host><secmodel><model>dac</model><baselabel>64055:109</baselabel></secmodel></host>"
         "</capabilities>",
         -1, -1},
        {"<capabilities><host><secmodel><model>dac</model></secmodel></host></capabilities>", -1, -1},
        {"<capabilities><host/></capabilities>", -1, -1},
        {"not XML", -1, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct hypervisor_owner owner = {-1, -1};
        find_label(CASES[i].capabilities, &owner);
        CHECK_INT(owner.uid, CASES[i].uid);
        CHECK_INT(owner.gid, CASES[i].gid);
    }
}

static void asks_once_per_connection(void)
{
    struct error err;
    struct hypervisor *hypervisor = hypervisor_new("test:///default", NULL, NULL, NULL);
    struct hypervisor_owner owner;
    CHECK_INT(hypervisor_owner(hypervisor, &owner, &err), 0);
    CHECK_INT(owner.uid, -1);
    CHECK(hypervisor->owner_is_known);
    hypervisor->owner.uid = 7;
    CHECK_INT(hypervisor_owner(hypervisor, &owner, &err), 0);
    CHECK_INT(owner.uid, 7);
    hypervisor_free(hypervisor);
    hypervisor = hypervisor_new("nosuch:///", NULL, NULL, NULL);
    CHECK_INT(hypervisor_owner(hypervisor, &owner, &err), -1);
    CHECK_INT(owner.uid, -1);
    hypervisor_free(hypervisor);
}

int main(void)
{
    RUN(reads_the_owner_from_capabilities);
    RUN(asks_once_per_connection);
    return test_end();
}
