#include "rtvmd/paths.c"

#include "tests/test.h"

/* The rules for root and for others are both tested: the effective uid is what differs. */
static bool as_root(void)
{
    return geteuid() == 0;
}

static void root_uses_the_system_folders(void)
{
    unsetenv("RTVMD_SOCKET");
    setenv("XDG_STATE_HOME", "/home/somebody/state", 1);
    auto_free char *state = paths_state_dir();
    auto_free char *run = paths_run_dir();
    auto_free char *socket = paths_socket();
    CHECK_TEXT(state, "/var/lib/rtvmd");
    CHECK_TEXT(run, "/run/rtvmd");
    CHECK_TEXT(socket, "/run/rtvmd/rtvmd.sock");
}

static void others_follow_xdg(void)
{
    unsetenv("RTVMD_SOCKET");
    setenv("HOME", "/home/x", 1);
    setenv("XDG_STATE_HOME", "relative", 1);
    unsetenv("XDG_RUNTIME_DIR");
    auto_free char *state = paths_state_dir();
    auto_free char *run = paths_run_dir();
    CHECK_TEXT(state, "/home/x/.local/state/rtvmd");
    CHECK_TEXT(run, "/home/x/.local/state/rtvmd/run");
    setenv("XDG_STATE_HOME", "/s", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    auto_free char *state2 = paths_state_dir();
    auto_free char *socket = paths_socket();
    CHECK_TEXT(state2, "/s/rtvmd");
    bool only_roots = access("/run/rtvmd/rtvmd.sock", F_OK) == 0;
    CHECK_TEXT(socket, only_roots ? "/run/rtvmd/rtvmd.sock" : "/run/user/7/rtvmd/rtvmd.sock");
}

static void clients_are_told_by_the_environment(void)
{
    setenv("RTVMD_SOCKET", "/tmp/s.sock", 1);
    auto_free char *socket = paths_socket();
    CHECK_TEXT(socket, "/tmp/s.sock");
    setenv("RTVMD_SOCKET", "", 1);
    auto_free char *other = paths_socket();
    CHECK(strstr(other, "/rtvmd/") != NULL);
}

int main(void)
{
    bool started_as_root = as_root();
    if (as_root())
        RUN(root_uses_the_system_folders);
    else
        SKIP("root_uses_the_system_folders", "not root");
    if (as_root() && seteuid(65534) < 0)
        SKIP("others_follow_xdg", "cannot become somebody else");
    else
        RUN(others_follow_xdg);
    RUN(clients_are_told_by_the_environment);
    /* The leak checker attaches to this process at exit, which the kernel allows only to its owner. */
    CHECK(!started_as_root || seteuid(0) == 0);
    return test_end();
}
