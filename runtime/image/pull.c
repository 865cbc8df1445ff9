#include "runtime/image/pull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/file.h"
#include "rtvmd/base/process.h"
#include "runtime/image/catalog.h"
#include "runtime/image/name.h"

enum { MANIFEST_DIGEST_MAX = sizeof "sha256:" - 1 + DIGEST_TEXT_MAX };

/* What skopeo (that is, Go's network code and the registries) says, and what to do about it. The first match counts. */
static const struct {
    const char *part;
    enum error_kind kind;
    enum pull_failure failure;
    const char *meaning;
} MESSAGES[] = {
    {"no space left on device", ERROR_UNAVAILABLE, PULL_REFUSED, "the disk for images is full: remove images"},
    {"permission denied", ERROR_UNAVAILABLE, PULL_REFUSED, "skopeo may not use a file it needs on this host"},
    {"manifest unknown", ERROR_NOT_FOUND, PULL_REFUSED, "the registry has no such image: check name and tag"},
    {"name unknown", ERROR_NOT_FOUND, PULL_REFUSED, "the registry has no such image: check name and tag"},
    {"repository does not exist", ERROR_NOT_FOUND, PULL_REFUSED, "the registry has no such image: check name and tag"},
    {"unauthorized", ERROR_UNAVAILABLE, PULL_REFUSED, "the registry wants a login: skopeo login, or imagePullSecret"},
    {"authentication required", ERROR_UNAVAILABLE, PULL_REFUSED,
     "the registry wants a login: skopeo login, or imagePullSecret"},
    {"denied", ERROR_UNAVAILABLE, PULL_REFUSED, "the registry refuses this user: skopeo login, or imagePullSecret"},
    {"toomanyrequests", ERROR_UNAVAILABLE, PULL_REFUSED, "the registry has had too many requests: wait, or log in"},
    {"policy", ERROR_UNAVAILABLE, PULL_REFUSED, "the signature policy of this host (policy.json) refuses it"},
    {"x509:", ERROR_UNAVAILABLE, PULL_REFUSED, "the registry's certificate is not trusted on this host"},
    {"no such host", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry's name cannot be resolved"},
    {"server misbehaving", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry's name cannot be resolved"},
    {"dial tcp", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"i/o timeout", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"connection refused", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"network is unreachable", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"no route to host", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"TLS handshake timeout", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"connection reset", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry cannot be reached"},
    {"EOF", ERROR_UNAVAILABLE, PULL_OFFLINE, "the connection to the registry broke"},
    {"did not finish within", ERROR_UNAVAILABLE, PULL_OFFLINE, "the registry is too slow"},
    {"", ERROR_UNAVAILABLE, PULL_REFUSED, "the pull failed"},
};

int pull_judge(const char *name, const char *message, enum pull_failure *ret_failure, struct error *err)
{
    /* skopeo's log line: time="…" level=fatal msg="…" */
    const char *text = strstr(message, "msg=\"");
    text = text ? text + strlen("msg=\"") : message;
    size_t i = 0;
    while (!strstr(text, MESSAGES[i].part))
        i++;
    *ret_failure = MESSAGES[i].failure;
    return fail(err, MESSAGES[i].kind, "cannot pull %s: %s (%.400s)", name, MESSAGES[i].meaning, text);
}

static int run_skopeo(const struct import_job *job, const char *const argv[], unsigned deadline_ms,
                      struct text *ret_output, enum pull_failure *ret_failure, struct error *err)
{
    if (process_run(argv, deadline_ms, LIMIT_IMAGE_MANIFEST_BYTES, ret_output, err) == 0)
        return 0;
    *ret_failure = PULL_REFUSED;
    if (err->kind == ERROR_NOT_FOUND)
        return fail(err, ERROR_UNAVAILABLE,
                    "image %s is not in the local store, and skopeo, which would pull it, is not installed: install "
                    "skopeo, or bring the image with rtvmd image import",
                    job->name);
    return pull_judge(job->name, err->text, ret_failure, err);
}

/* The digest of what the registry has under the name: the manifest, or the index of several. */
static int ask_digest(const struct import_job *job, const char *auth_file, char ret_digest[MANIFEST_DIGEST_MAX],
                      enum pull_failure *ret_failure, struct error *err)
{
    auto_free char *source = must_format("docker://%s", job->name);
    const char *with_auth[] = {"skopeo", "inspect", "--raw", "--authfile", auth_file, source, NULL};
    const char *plain[] = {"skopeo", "inspect", "--raw", source, NULL};
    auto_text manifest = {0};
    if (run_skopeo(job, auth_file ? with_auth : plain, LIMIT_IMAGE_TOOL_MS, &manifest, ret_failure, err) < 0)
        return -1;
    struct digest *digest = digest_new();
    digest_add(digest, text_cstr(&manifest), manifest.length);
    char hex[DIGEST_TEXT_MAX];
    digest_finish(digest, hex);
    snprintf(ret_digest, MANIFEST_DIGEST_MAX, "sha256:%s", hex);
    return 0;
}

static int copy(const struct import_job *job, const char *digest, const char *auth_file, const char *dir,
                enum pull_failure *ret_failure, struct error *err)
{
    auto_free char *repository = image_name_repository(job->name);
    auto_free char *source = must_format("docker://%s@%s", repository, digest);
    auto_free char *target = must_format("oci:%s:image", dir);
    const char *with_auth[] = {"skopeo", "copy", "--quiet", "--authfile", auth_file, source, target, NULL};
    const char *plain[] = {"skopeo", "copy", "--quiet", source, target, NULL};
    return run_skopeo(job, auth_file ? with_auth : plain, LIMIT_IMAGE_PULL_MS, NULL, ret_failure, err);
}

int pull_image(struct import_job *job, const char *known_manifest, const char *auth_file,
               enum pull_failure *ret_failure, struct error *err)
{
    char digest[MANIFEST_DIGEST_MAX];
    if (strchr(job->config->state_dir, ':'))
        return fail(err, ERROR_INVALID, "state folder %s: skopeo cannot write to a path with a colon",
                    job->config->state_dir);
    if (ask_digest(job, auth_file, digest, ret_failure, err) < 0)
        return -1;
    if (text_equal(digest, known_manifest))
        return 0;
    int staging_fd = -1;
    auto_free char *staging = catalog_stage(job->config->state_dir, &staging_fd, err);
    if (!staging)
        return -1;
    auto_free char *dir = must_format("%s/oci", staging);
    import_say(job, "pulling %s", job->name);
    int result = copy(job, digest, auth_file, dir, ret_failure, err);
    if (result == 0) {
        job->manifest = digest;
        result = import_layout(job, dir, err);
        job->manifest = NULL;
    }
    struct error ignored;
    file_remove_tree(staging, &ignored);
    close(staging_fd);
    return result;
}
