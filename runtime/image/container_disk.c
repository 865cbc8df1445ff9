#include "runtime/image/container_disk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/file.h"
#include "runtime/image/catalog.h"
#include "runtime/image/name.h"
#include "runtime/image/pull.h"
#include "runtime/latency/probe_image.h"

static int write_probe(const char *path, const char *name, struct error *err)
{
    struct probe_parameters asked;
    unlink(path);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "create %s", path);
    if (probe_image_write(fd, probe_image_parameters(name, &asked) ? &asked : NULL, err) == 0)
        return 0;
    unlink(path);
    return -1;
}

/* imagePullSecret of type kubernetes.io/dockerconfigjson, as a file for skopeo. NULL with *ret_result 0: none asked
 * for. */
static char *write_auth_file(const struct image_config *config, const struct vm_spec *spec, const json_t *source,
                             const char *path, int *ret_result, struct error *err)
{
    const char *name = json_text_at(source, "imagePullSecret", "");
    *ret_result = 0;
    if (!name[0])
        return NULL;
    *ret_result = -1;
    auto_json *secret = config->lookup ? config->lookup("Secret", spec->namespace_, name, config->lookup_arg) : NULL;
    if (!secret) {
        fail(err, ERROR_NOT_FOUND, "imagePullSecret %s/%s not found: create it first", spec->namespace_, name);
        return NULL;
    }
    const json_t *encoded = json_object_get(json_object_get(secret, "data"), ".dockerconfigjson");
    auto_text bytes = {0};
    if (!json_is_string(encoded) ||
        base64_decode(json_string_value(encoded), json_string_length(encoded), &bytes, err) < 0) {
        fail(err, ERROR_INVALID, "imagePullSecret %s has no valid key .dockerconfigjson", name);
        return NULL;
    }
    char *file = must_format("%s.auth", path);
    *ret_result = file_write_atomic(file, text_cstr(&bytes), bytes.length, 0600, err);
    explicit_bzero(bytes.data, bytes.length);
    if (*ret_result < 0)
        free(take(file));
    return file;
}

static bool may_pull(const json_t *row, const char *image, enum image_policy policy)
{
    if (!row)
        return policy != IMAGE_NEVER;
    return policy == IMAGE_ALWAYS && !image_name_has_digest(image) &&
           strcmp(json_text_at(row, "source", ""), "imported") != 0;
}

/* The row as it should be before the run; pulls under the name's lock, so that whoever waits finds it done. */
static int bring(struct import_job *job, const struct vm_spec *spec, const json_t *source, const char *base_path,
                 struct error *err)
{
    enum image_policy policy = image_policy_of(source);
    struct error why;
    auto_json *row = catalog_find(job->config->state_dir, job->name, job->path, &why);
    if (!row && why.kind != ERROR_NOT_FOUND)
        return fail(err, why.kind, "%s", why.text);
    if (!row && policy == IMAGE_NEVER)
        return fail(err, ERROR_NOT_FOUND, "%s, and imagePullPolicy is Never: bring it with rtvmd image import",
                    why.text);
    if (!may_pull(row, job->name, policy))
        return 0;
    auto_close int lock = catalog_lock_name(job->config->state_dir, job->name, err);
    if (lock < 0)
        return -1;
    auto_json *again = catalog_find(job->config->state_dir, job->name, job->path, &why);
    if (again && !row && !may_pull(again, job->name, IMAGE_IF_NOT_PRESENT))
        return 0; /* somebody pulled it while we waited */
    int result;
    auto_free char *auth_file = write_auth_file(job->config, spec, source, base_path, &result, err);
    if (result < 0)
        return -1;
    enum pull_failure failure = PULL_REFUSED;
    const char *known = again ? json_text_at(again, "manifest", NULL) : NULL;
    result = pull_image(job, known, auth_file, &failure, &why);
    if (auth_file)
        unlink(auth_file);
    if (result == 0)
        return 0;
    if (!again || failure != PULL_OFFLINE)
        return fail(err, why.kind, "%s", why.text);
    import_say(job, "using the copy of %s from %s: %s", job->name, json_text_at(again, "created", "before"), why.text);
    return 0;
}

int container_disk_prepare(const struct image_config *config, const struct vm_spec *spec, const json_t *source,
                           const char *base_path, bool *ret_qcow2, void (*progress)(const char *sentence, void *arg),
                           void *arg, struct error *err)
{
    struct import_job job = {.config = config,
                             .name = json_text_at(source, "image", ""),
                             .path = json_text_at(source, "path", ""),
                             .pulled = true,
                             .progress = progress,
                             .progress_arg = arg};
    *ret_qcow2 = false;
    if (image_name_is_probe(job.name))
        return write_probe(base_path, job.name, err);
    if (image_name_check(job.name, err) < 0 || bring(&job, spec, source, base_path, err) < 0)
        return -1;
    auto_json *row = catalog_link(config->state_dir, job.name, job.path, base_path, err);
    if (!row)
        return -1;
    *ret_qcow2 = strcmp(json_text_at(row, "format", ""), "qcow2") == 0;
    return 0;
}

int container_file_prepare(const struct image_config *config, const struct vm_spec *spec, const json_t *source,
                           const char *path, const char *link_path, void (*progress)(const char *sentence, void *arg),
                           void *arg, struct error *err)
{
    struct import_job job = {.config = config,
                             .name = json_text_at(source, "image", ""),
                             .path = path,
                             .pulled = true,
                             .any_file = true,
                             .progress = progress,
                             .progress_arg = arg};
    if (image_name_check(job.name, err) < 0 || bring(&job, spec, source, link_path, err) < 0)
        return -1;
    auto_json *row = catalog_link(config->state_dir, job.name, job.path, link_path, err);
    return row ? 0 : -1;
}

int image_pull(const struct image_config *config, const char *name, const char *path,
               void (*progress)(const char *sentence, void *arg), void *arg, struct error *err)
{
    struct import_job job = {.config = config,
                             .name = name,
                             .path = path ? path : "",
                             .pulled = true,
                             .progress = progress,
                             .progress_arg = arg};
    if (image_name_check(name, err) < 0)
        return -1;
    if (image_name_is_probe(name))
        return fail(err, ERROR_INVALID, "image %s is built into rtvmd", name);
    auto_close int lock = catalog_lock_name(config->state_dir, name, err);
    if (lock < 0)
        return -1;
    struct error none;
    auto_json *row = catalog_find(config->state_dir, name, job.path, &none);
    if (row && strcmp(json_text_at(row, "source", ""), "imported") == 0)
        return fail(err, ERROR_CONFLICT, "image %s was imported and is never pulled: rtvmd image remove it first",
                    name);
    enum pull_failure failure;
    return pull_image(&job, row ? json_text_at(row, "manifest", NULL) : NULL, NULL, &failure, err);
}
