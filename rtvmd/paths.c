#include "rtvmd/paths.h"

#include <stdlib.h>
#include <unistd.h>

#include "rtvmd/base/base.h"

static const char *absolute_variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] == '/' ? value : NULL;
}

char *paths_state_dir(void)
{
    if (geteuid() == 0)
        return must_strdup("/var/lib/rtvmd");
    const char *state = absolute_variable("XDG_STATE_HOME");
    if (state)
        return must_format("%s/rtvmd", state);
    const char *home = absolute_variable("HOME");
    return must_format("%s/.local/state/rtvmd", home ? home : "");
}

char *paths_run_dir(void)
{
    if (geteuid() == 0)
        return must_strdup("/run/rtvmd");
    const char *run = absolute_variable("XDG_RUNTIME_DIR");
    if (run)
        return must_format("%s/rtvmd", run);
    auto_free char *state = paths_state_dir();
    return must_format("%s/run", state);
}

char *paths_socket(void)
{
    const char *given = getenv("RTVMD_SOCKET");
    if (given && given[0])
        return must_strdup(given);
    static const char SYSTEM[] = "/run/rtvmd/rtvmd.sock";
    auto_free char *run = paths_run_dir();
    char *own = must_format("%s/rtvmd.sock", run);
    if (access(own, F_OK) == 0 || access(SYSTEM, F_OK) < 0)
        return own;
    free(own);
    return must_strdup(SYSTEM);
}
