/* rtvmd restore: a backup in the place of what the store holds. Not beside a daemon: that one holds the lock. */
#include <stdio.h>
#include <stdlib.h>

#include "rtvmd/paths.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "store/store.h"

static int restore(const char *dir, const char *file, struct error *err)
{
    struct store_restored restored;
    if (store_restore(dir, file, &restored, err) < 0)
        return -1;
    printf("restored %zu objects into %s\n", restored.objects, dir);
    if (restored.replaced)
        printf("what was there before is %s\n", restored.replaced);
    if (!restored.journal_kept)
        fprintf(stderr,
                "rtvmd restore: warning: the old store cannot be read: changes to this host that it knew of are "
                "not undone by `rtvmd tune undo`; a reboot undoes them\n");
    free(restored.replaced);
    return 0;
}

int verb_restore(int argc, char **argv)
{
    const char *state_dir = NULL;
    const struct verb_option options[] = {
        {.name = "state-dir",
         .value = "DIR",
         .text = &state_dir,
         .help = "State folder of the daemon, which is stopped"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("restore", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("restore", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "want one FILE that rtvmd backup wrote");
        return verb_fail("restore", &err);
    }
    auto_free char *dir = state_dir ? must_strdup(state_dir) : paths_state_dir();
    return restore(dir, argv[0], &err) < 0 ? verb_fail("restore", &err) : 0;
}
