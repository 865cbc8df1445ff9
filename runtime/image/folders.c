#include "runtime/image/folders.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "rtvmd/base/limits.h"

bool folder_name_is_plain(const char *name)
{
    return name && name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= LIMIT_NAME_BYTES;
}

static int want_plain(const char *what, const char *name, struct error *err)
{
    if (folder_name_is_plain(name))
        return 0;
    return fail(err, ERROR_INVALID, "%s \"%.80s\": want a name without / that does not start with a dot", what,
                name ? name : "");
}

char *folder_of_images(const char *state_dir)
{
    return must_format("%s/images", state_dir);
}

/* Namespaces and names of Kubernetes objects hold no underscore, so the pair is unambiguous. */
char *folder_of_vm(const char *state_dir, const char *namespace_, const char *name, struct error *err)
{
    if (want_plain("namespace", namespace_, err) < 0 || want_plain("name", name, err) < 0)
        return NULL;
    return must_format("%s/vms/%s_%s", state_dir, namespace_, name);
}

char *folder_of_run(const char *state_dir, const char *namespace_, const char *name, struct error *err)
{
    auto_free char *vm = folder_of_vm(state_dir, namespace_, name, err);
    return vm ? must_format("%s/run", vm) : NULL;
}

char *folder_run_file(const char *state_dir, const char *namespace_, const char *name, const char *volume,
                      const char *suffix, struct error *err)
{
    if (want_plain("volume", volume, err) < 0)
        return NULL;
    auto_free char *run = folder_of_run(state_dir, namespace_, name, err);
    return run ? must_format("%s/%s%s", run, volume, suffix) : NULL;
}

char *folder_claim_file(const char *state_dir, const char *namespace_, const char *claim, struct error *err)
{
    if (want_plain("namespace", namespace_, err) < 0 || want_plain("claim", claim, err) < 0)
        return NULL;
    return must_format("%s/volumes/%s/%s.img", state_dir, namespace_, claim);
}

int folder_make(const char *path, struct error *err)
{
    if (mkdir(path, 0711) == 0)
        return chmod(path, 0711) < 0 ? fail_errno(err, "make folder %s", path) : 0;
    struct stat status;
    if (errno != EEXIST || stat(path, &status) < 0)
        return fail_errno(err, "make folder %s", path);
    return S_ISDIR(status.st_mode) ? 0 : fail(err, ERROR_INVALID, "%s exists and is not a folder", path);
}

int folder_make_run(const char *state_dir, const char *namespace_, const char *name, struct error *err)
{
    auto_free char *run = folder_of_run(state_dir, namespace_, name, err);
    if (!run)
        return -1;
    for (char *slash = run + strlen(state_dir); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = folder_make(run, err);
        *slash = '/';
        if (made < 0)
            return -1;
    }
    return folder_make(run, err);
}
