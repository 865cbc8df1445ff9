#include <stdlib.h>
#include <string.h>

#include "runtime/image/image.h"
#include "tests/scenario/fake.h"

/* The two functions of runtime/image that touch the disk. */

static char *having[256]; /* domain names with something on disk */
static char *kept[256];   /* … and with what outlives a run */

void fake_image_reset(void);
void fake_image_reset(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(having); i++) {
        free(take(having[i]));
        free(take(kept[i]));
    }
}

static char **slot_of(char *list[], const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(having); i++)
        if (list[i] && strcmp(list[i], name) == 0)
            return &list[i];
    return NULL;
}

static void put(char *list[], const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(having) && !slot_of(list, name); i++)
        if (!list[i])
            list[i] = must_strdup(name);
}

static void drop(char *list[], const char *name)
{
    char **slot = slot_of(list, name);
    if (slot)
        free(take(*slot));
}

bool fake_has_disks(const char *name)
{
    return slot_of(having, name) != NULL;
}

bool fake_keeps_disks(const char *name)
{
    return slot_of(kept, name) != NULL;
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
    put(having, text_cstr(&name));
    put(kept, text_cstr(&name));
    return 0;
}

int image_release_disks(const struct image_config *config, const char *namespace_, const char *name, bool all,
                        struct error *err)
{
    (void)config;
    if (!fake_call("release", err))
        return -1;
    auto_text domain = {0};
    domain_name(namespace_, name, &domain);
    const struct observed_domain *seen = fake_domain(text_cstr(&domain));
    if (seen && seen->state != DOMAIN_OFF)
        fake_complain("volumes of %s are taken away while it runs", text_cstr(&domain));
    drop(having, text_cstr(&domain));
    if (all)
        drop(kept, text_cstr(&domain));
    return 0;
}
