#include <stdlib.h>
#include <string.h>

#include "runtime/image/image.h"
#include "tests/scenario/fake.h"

/* The two functions of runtime/image that touch the disk. */

static char *having[256]; /* domain names with something on disk */

void fake_image_reset(void);
void fake_image_reset(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(having); i++)
        free(take(having[i]));
}

static char **slot_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(having); i++)
        if (having[i] && strcmp(having[i], name) == 0)
            return &having[i];
    return NULL;
}

bool fake_has_disks(const char *name)
{
    return slot_of(name) != NULL;
}

int image_prepare_disks(const struct image_config *config, const struct vm_spec *spec, struct disk_source *disks,
                        void (*progress)(const char *sentence, void *arg), void *arg, struct error *err)
{
    (void)config;
    (void)disks;
    progress("pulling it", arg);
    progress("reading the disk: 50 %", arg);
    if (!fake_call("prepare", err))
        return -1;
    auto_text name = {0};
    domain_name(spec->namespace_, spec->name, &name);
    const struct observed_domain *domain = fake_domain(text_cstr(&name));
    bool is_added = spec->disk_count == 1 && text_equal(spec->disk[0].bus, "scsi") &&
                    !strstr(fake_disks(text_cstr(&name)), spec->disk[0].name);
    if (!is_added && domain && (domain->state == DOMAIN_RUNNING || domain->state == DOMAIN_PAUSED))
        fake_complain("volumes of %s are made anew while it runs", text_cstr(&name));
    for (size_t i = 0; i < ARRAY_SIZE(having) && !slot_of(text_cstr(&name)); i++)
        if (!having[i])
            having[i] = must_strdup(text_cstr(&name));
    return 0;
}

int image_release_disks(const struct image_config *config, const char *namespace_, const char *name, bool all,
                        struct error *err)
{
    (void)config;
    (void)all;
    if (!fake_call("release", err))
        return -1;
    auto_text domain = {0};
    domain_name(namespace_, name, &domain);
    const struct observed_domain *seen = fake_domain(text_cstr(&domain));
    if (seen && seen->state != DOMAIN_OFF)
        fake_complain("volumes of %s are taken away while it runs", text_cstr(&domain));
    char **slot = slot_of(text_cstr(&domain));
    if (slot)
        free(take(*slot));
    return 0;
}
