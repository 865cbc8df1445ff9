/* ssh: the system's ssh, on a connection that port-forward makes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct ssh {
    struct remote_options remote;
    const char *identity;
    const char *login;
    const char *port;
    const char *known_hosts;
    const char *option[16];
};

/* For the shell that ssh gives the command to, and for ssh, which replaces what follows a %. */
static void append_quoted(struct text *out, const char *word)
{
    text_append(out, "'");
    for (; *word; word++) {
        if (*word == '\'')
            text_append(out, "'\\''");
        else if (*word == '%')
            text_append(out, "%%");
        else
            text_append_n(out, word, 1);
    }
    text_append(out, "'");
}

static char *own_path(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    return n > 0 ? must_strndup(path, (size_t)n) : must_strdup("rtvmd");
}

static char *proxy_option(const struct ssh *ssh, const char *target)
{
    auto_free char *self = own_path();
    auto_text option = {0};
    text_append(&option, "ProxyCommand=");
    const char *const words[] = {self, "port-forward", "--stdio", "-n", ssh->remote.namespace_, target, ssh->port};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        append_quoted(&option, words[i]);
        text_append(&option, " ");
    }
    if (ssh->remote.socket) {
        text_append(&option, "--socket ");
        append_quoted(&option, ssh->remote.socket);
    }
    return text_take(&option);
}

/* A name goes to ssh as a host, and must be nothing else. */
static int check_name(const char *name, struct error *err)
{
    if (!name[0] || name[0] == '-' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")])
        return fail(err, ERROR_BAD_REQUEST, "\"%s\" is no name of a VM", name);
    return 0;
}

static int run(const struct ssh *ssh, int positional, char **argv, struct error *err)
{
    uint64_t port;
    if (positional < 1)
        return fail(err, ERROR_BAD_REQUEST, "say which: rtvmd ssh [USER@]NAME [-- COMMAND…]");
    if (!text_to_u64(ssh->port, &port) || port == 0 || port > UINT16_MAX)
        return fail(err, ERROR_BAD_REQUEST, "--port \"%s\": want a number from 1 to 65535", ssh->port);
    const char *at = strrchr(argv[0], '@');
    const char *target = at ? at + 1 : argv[0];
    const char *slash = strchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (check_name(name, err) < 0)
        return -1;
    auto_free char *login =
        at ? must_strndup(argv[0], (size_t)(at - argv[0])) : must_strdup(ssh->login ? ssh->login : "");
    if (login[0] == '-')
        return fail(err, ERROR_BAD_REQUEST, "\"%s\" is no user", login);
    auto_free char *proxy = proxy_option(ssh, target);
    auto_free char *alias = must_format("HostKeyAlias=%s.%s.rtvmd", name, ssh->remote.namespace_);
    auto_free char *hosts = must_format("UserKnownHostsFile=%s", ssh->known_hosts ? ssh->known_hosts : "");
    const char **words = must_calloc((size_t)positional + 2 * ARRAY_SIZE(ssh->option) + 16, sizeof *words);
    size_t n = 0;
    words[n++] = "ssh";
    words[n++] = "-o", words[n++] = proxy;
    words[n++] = "-o", words[n++] = alias;
    if (ssh->known_hosts)
        words[n++] = "-o", words[n++] = hosts;
    if (ssh->identity)
        words[n++] = "-i", words[n++] = ssh->identity;
    if (login[0])
        words[n++] = "-l", words[n++] = login;
    for (size_t i = 0; i < ARRAY_SIZE(ssh->option) && ssh->option[i]; i++)
        words[n++] = "-o", words[n++] = ssh->option[i];
    words[n++] = "--", words[n++] = name;
    for (int i = 1; i < positional; i++)
        words[n++] = argv[i];
    execvp("ssh", (char **)words);
    int why = errno;
    free(words);
    errno = why;
    return why == ENOENT ? fail(err, ERROR_NOT_FOUND, "there is no ssh in PATH; install it (openssh-client)")
                         : fail_errno(err, "ssh");
}

int verb_ssh(int argc, char **argv)
{
    struct ssh ssh = {.remote = {.namespace_ = "default"}, .port = "22"};
    const struct verb_option options[] = {
        {.letter = 'l', .name = "username", .value = "USER", .text = &ssh.login, .help = "Who to be in the guest"},
        {.letter = 'i', .name = "identity-file", .value = "FILE", .text = &ssh.identity, .help = "Private key"},
        {.letter = 'p', .name = "port", .value = "PORT", .text = &ssh.port, .help = "Port in the guest (22)"},
        {.name = "known-hosts", .value = "FILE", .text = &ssh.known_hosts, .help = "Where host keys are kept"},
        {.letter = 't',
         .name = "local-ssh-opts",
         .value = "OPTION",
         .list = ssh.option,
         .list_max = ARRAY_SIZE(ssh.option),
         .help = "An option for ssh -o, like StrictHostKeyChecking=no"},
        REMOTE_NAMESPACE_OPTION(ssh.remote),
        REMOTE_SOCKET_OPTION(ssh.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("ssh", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("ssh", &err);
    if (done)
        return 0;
    return run(&ssh, positional, argv, &err) < 0 ? verb_fail("ssh", &err) : 0;
}
