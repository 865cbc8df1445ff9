#include "runtime/image/name.h"

#include <ctype.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "runtime/image/image.h"

int image_name_check(const char *name, struct error *err)
{
    size_t n = strlen(name);
    bool plain = n > 0 && n <= LIMIT_IMAGE_NAME_BYTES && isalnum((unsigned char)name[0]) && !strstr(name, "//") &&
                 !strstr(name, "..") && name[n - 1] != '/' && name[n - 1] != ':' && name[n - 1] != '@';
    for (size_t i = 0; plain && i < n; i++)
        plain = isalnum((unsigned char)name[i]) || strchr("._-/:@", name[i]);
    if (plain)
        return 0;
    return fail(err, ERROR_INVALID,
                "image name \"%.100s\": want at most %u letters, digits and . _ - / : @, like quay.io/org/disk:tag",
                name, LIMIT_IMAGE_NAME_BYTES);
}

/* Where the tag's colon stands, or the end: a colon before the last slash belongs to a port. */
static size_t repository_length(const char *name)
{
    size_t n = strcspn(name, "@");
    const char *slash = memrchr(name, '/', n);
    const char *from = slash ? slash : name;
    const char *colon = memchr(from, ':', n - (size_t)(from - name));
    return colon ? (size_t)(colon - name) : n;
}

bool image_name_has_digest(const char *name)
{
    return strchr(name, '@') != NULL;
}

char *image_name_repository(const char *name)
{
    return must_strndup(name, repository_length(name));
}

static const char *rest_of(const char *name)
{
    const char *rest = name + repository_length(name);
    return *rest ? rest : ":latest";
}

bool image_name_equal(const char *a, const char *b)
{
    size_t n = repository_length(a);
    return n == repository_length(b) && strncmp(a, b, n) == 0 && strcmp(rest_of(a), rest_of(b)) == 0;
}

bool image_name_is_probe(const char *name)
{
    return repository_length(name) == strlen(IMAGE_PROBE_NAME) && text_starts_with(name, IMAGE_PROBE_NAME);
}

enum image_policy image_policy_of(const json_t *source)
{
    const char *policy = json_text_at(source, "imagePullPolicy", "");
    const char *image = json_text_at(source, "image", "");
    if (strcmp(policy, "Always") == 0)
        return IMAGE_ALWAYS;
    if (strcmp(policy, "Never") == 0)
        return IMAGE_NEVER;
    if (policy[0])
        return IMAGE_IF_NOT_PRESENT;
    return text_ends_with(image, ":latest") || !strpbrk(image, ":@") ? IMAGE_ALWAYS : IMAGE_IF_NOT_PRESENT;
}
