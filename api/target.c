/* A path is cut at its slashes, each piece decoded, and read from the left:
 *   /api/v1/…  or  /apis/GROUP/VERSION/…   then   [namespaces/NS/] PLURAL [/NAME [/SUBRESOURCE [/…]]]
 * "namespaces" is a resource itself, so /api/v1/namespaces/NS stays one unless more follows. */
#include "api/target.h"

#include <ctype.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES_MAX = 12 };

/* Decoded pieces, one behind the other. */
struct pieces {
    size_t count;
    const char *piece[PIECES_MAX];
    char text[PIECES_MAX * (LIMIT_NAME_BYTES + 1)];
};

static int fail_piece(const char *at, size_t length, struct error *err)
{
    return fail(err, ERROR_BAD_REQUEST, "path: \"%.*s…\" is no name: at most %u bytes without \"/\" and NUL",
                (int)(length < 40 ? length : 40), at, LIMIT_NAME_BYTES);
}

/* One piece, decoded, to `to`, which has room for any name; -1 when it is none. Most need no decoding. */
static int decode_piece(const char *at, size_t length, char *to, size_t *ret_length)
{
    auto_free char *decoded = NULL;
    if (memchr(at, '%', length)) {
        auto_free char *raw = must_strndup(at, length);
        decoded = evhttp_uridecode(raw, 0, &length);
        if (!decoded)
            abort();
        at = decoded;
    }
    if (length > LIMIT_NAME_BYTES || memchr(at, '/', length) || memchr(at, '\0', length))
        return -1;
    memcpy(to, at, length);
    to[length] = '\0';
    *ret_length = length;
    return 0;
}

static int cut(const char *path, struct pieces *pieces, struct error *err)
{
    char *to = pieces->text;
    for (const char *at = path; *at;) {
        while (*at == '/')
            at++;
        size_t length = (size_t)(strchrnul(at, '/') - at), decoded;
        if (length == 0)
            break;
        if (pieces->count == PIECES_MAX)
            return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
        if (decode_piece(at, length, to, &decoded) < 0)
            return fail_piece(at, length, err);
        pieces->piece[pieces->count++] = to;
        to += decoded + 1;
        at += length;
    }
    return 0;
}

/* It fits: a piece is no longer than a name, and shorter ones are checked. */
static void copy(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}

static int not_found(struct error *err)
{
    return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
}

static int read_sub(struct target *target, const struct pieces *pieces, size_t at, struct error *err)
{
    char(*const into[])[64] = {&target->sub, &target->rest[0], &target->rest[1]};
    for (size_t i = 0; at < pieces->count; i++, at++) {
        if (i == ARRAY_SIZE(into) || strlen(pieces->piece[at]) >= sizeof *into[i])
            return not_found(err);
        copy(*into[i], pieces->piece[at]);
    }
    return 0;
}

int target_of_path(const char *path, struct target *ret_target, struct error *err)
{
    struct pieces pieces;
    pieces.count = 0;
    *ret_target = (struct target){0};
    if (cut(path, &pieces, err) < 0)
        return -1;
    if (pieces.count < 1)
        return not_found(err);
    bool is_core = strcmp(pieces.piece[0], "api") == 0;
    size_t at = is_core ? 2 : 3;
    if ((!is_core && strcmp(pieces.piece[0], "apis") != 0) || pieces.count <= at)
        return not_found(err);
    const char *group = is_core ? "" : pieces.piece[1];
    const char *version = pieces.piece[at - 1];
    if (strcmp(group, "subresources.kubevirt.io") == 0) {
        ret_target->subresources_group = true;
        group = "kubevirt.io";
    }
    if (strcmp(pieces.piece[at], "namespaces") == 0 && pieces.count > at + 2 &&
        resource_find(group, version, pieces.piece[at + 2])) {
        ret_target->has_namespace = true;
        copy(ret_target->namespace_, pieces.piece[at + 1]);
        at += 2;
    }
    ret_target->resource = resource_find(group, version, pieces.piece[at]);
    if (!ret_target->resource || (ret_target->has_namespace && !ret_target->resource->namespaced))
        return not_found(err);
    copy(ret_target->version, version);
    at++;
    if (at < pieces.count) {
        if (ret_target->resource->namespaced && !ret_target->has_namespace)
            return not_found(err);
        ret_target->has_name = true;
        copy(ret_target->name, pieces.piece[at++]);
    }
    return read_sub(ret_target, &pieces, at, err);
}

const char *name_check(const char *name)
{
    size_t length = strlen(name);
    if (length == 0)
        return "name or generateName is required";
    if (length > LIMIT_NAME_BYTES)
        return "must be no more than 253 bytes";
    for (const char *p = name; *p; p++) {
        bool inside = p != name && p[1] != '\0';
        bool plain = islower((unsigned char)*p) || isdigit((unsigned char)*p);
        bool dot = *p == '.' && inside && isalnum((unsigned char)p[-1]) && isalnum((unsigned char)p[1]);
        if (!plain && !dot && !(*p == '-' && inside))
            return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                   "must start and end with an alphanumeric character";
    }
    return NULL;
}
