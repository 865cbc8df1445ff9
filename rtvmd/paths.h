/* Where things are when nobody says otherwise. One place, so that the daemon and its clients agree. All return new
 * strings the caller frees.
 *                 root               anybody else
 *   state         /var/lib/rtvmd     $XDG_STATE_HOME/rtvmd, else ~/.local/state/rtvmd
 *   run           /run/rtvmd         $XDG_RUNTIME_DIR/rtvmd, else STATE/run
 *   socket        RUN/rtvmd.sock     the same, or, where only that is there, root's (its group may use it);
 *                                    $RTVMD_SOCKET comes first, for clients
 * As the XDG base directory rules ask, a relative path in those variables counts as unset. */
#pragma once

char *paths_state_dir(void);
char *paths_run_dir(void);
char *paths_socket(void);
