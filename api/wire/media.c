#include "api/wire/media.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum media_type type;
} TYPES[] = {
    {"application/json", MEDIA_MANIFEST},
    {"application/yaml", MEDIA_MANIFEST},
    {"application/x-yaml", MEDIA_MANIFEST},
    {"text/yaml", MEDIA_MANIFEST},
    {"text/x-yaml", MEDIA_MANIFEST},
    {"text/plain", MEDIA_MANIFEST},
    {"application/octet-stream", MEDIA_MANIFEST},
    {"application/x-www-form-urlencoded", MEDIA_MANIFEST}, /* curl --data-binary without a header */
    {"application/json-patch+json", MEDIA_JSON_PATCH},
    {"application/merge-patch+json", MEDIA_MERGE_PATCH},
    {"application/strategic-merge-patch+json", MEDIA_STRATEGIC_PATCH},
    {"application/apply-patch+yaml", MEDIA_APPLY},
    {"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
};

enum media_type media_type_of(const char *content_type)
{
    if (!content_type)
        return MEDIA_MANIFEST;
    size_t length = strcspn(content_type, "; \t");
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++)
        if (strlen(TYPES[i].name) == length && strncasecmp(content_type, TYPES[i].name, length) == 0)
            return TYPES[i].type;
    return length == 0 ? MEDIA_MANIFEST : MEDIA_OTHER;
}

/* What `as`, `v` and `g` say together. */
static const struct {
    const char *as;
    const char *version;
    const char *group;
    enum media_form form;
} FORMS[] = {
    {"", "", "", FORM_OBJECT},
    {"Table", "v1", "meta.k8s.io", FORM_TABLE},
    {"Table", "v1beta1", "meta.k8s.io", FORM_TABLE},
    {"PartialObjectMetadata", "v1", "meta.k8s.io", FORM_METADATA},
    {"PartialObjectMetadataList", "v1", "meta.k8s.io", FORM_METADATA},
    {"APIGroupDiscoveryList", "v2", "apidiscovery.k8s.io", FORM_DISCOVERY},
    {"APIGroupDiscoveryList", "v2beta1", "apidiscovery.k8s.io", FORM_DISCOVERY_OLD},
};

struct wish {
    char type[64];
    char as[64];
    char version[16];
    char group[64];
};

static void copy_word(char *to, size_t size, const char *from, size_t length)
{
    while (length > 0 && isspace((unsigned char)*from))
        from++, length--;
    while (length > 0 && isspace((unsigned char)from[length - 1]))
        length--;
    if (length >= size)
        length = 0; /* nothing we know is that long */
    memcpy(to, from, length);
    to[length] = '\0';
}

/* One element of the header, up to its comma. */
static struct wish read_wish(const char *text, size_t length)
{
    struct wish wish = {0};
    size_t part = 0;
    for (size_t begin = 0; begin <= length; part++) {
        size_t end = begin;
        while (end < length && text[end] != ';')
            end++;
        const char *word = text + begin;
        size_t n = end - begin;
        while (n > 0 && isspace((unsigned char)*word))
            word++, n--;
        if (part == 0)
            copy_word(wish.type, sizeof wish.type, word, n);
        else if (n > 3 && strncasecmp(word, "as=", 3) == 0)
            copy_word(wish.as, sizeof wish.as, word + 3, n - 3);
        else if (n > 2 && strncasecmp(word, "v=", 2) == 0)
            copy_word(wish.version, sizeof wish.version, word + 2, n - 2);
        else if (n > 2 && strncasecmp(word, "g=", 2) == 0)
            copy_word(wish.group, sizeof wish.group, word + 2, n - 2);
        begin = end + 1;
    }
    return wish;
}

static bool is_json(const char *type)
{
    return strcasecmp(type, "application/json") == 0 || strcmp(type, "*/*") == 0 ||
           strcasecmp(type, "application/*") == 0 || type[0] == '\0';
}

int media_choose(const char *accept, unsigned offered, enum media_form *ret_form, struct error *err)
{
    const char *at = accept ? accept : "";
    do {
        size_t length = strcspn(at, ",");
        struct wish wish = read_wish(at, length);
        for (size_t i = 0; is_json(wish.type) && i < ARRAY_SIZE(FORMS); i++) {
            if (strcmp(wish.as, FORMS[i].as) == 0 && strcmp(wish.version, FORMS[i].version) == 0 &&
                strcmp(wish.group, FORMS[i].group) == 0 && (offered & 1u << FORMS[i].form)) {
                *ret_form = FORMS[i].form;
                return 0;
            }
        }
        at += length + (at[length] == ',');
    } while (*at);
    return fail(err, ERROR_NOT_ACCEPTABLE,
                "only the following media types are accepted: application/json; the request accepts \"%.200s\"",
                accept);
}
