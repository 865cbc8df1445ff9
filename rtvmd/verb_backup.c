/* rtvmd backup: a copy of the running daemon's store. The daemon makes it, this end writes it: so the file belongs to
 * who asked, also where the daemon is another user. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

static const char PATH[] = "/rtvmd/v1/backup";

static int write_out(const struct text *backup, struct error *err)
{
    if (isatty(STDOUT_FILENO))
        return fail(err, ERROR_BAD_REQUEST, "a backup is no text for a terminal; name a FILE or redirect");
    if (fwrite(text_cstr(backup), 1, backup->length, stdout) != backup->length || fflush(stdout) != 0)
        return fail_errno(err, "write the backup");
    return 0;
}

static int backup(const struct client *client, const char *file, struct error *err)
{
    struct client_request request = {.method = "GET", .path = PATH, .accept = "application/vnd.sqlite3, */*"};
    auto_reply reply = {0};
    struct size_text size;
    if (client_call(client, &request, &reply, err) < 0)
        return -1;
    if (strcmp(file, "-") == 0)
        return write_out(&reply.text, err);
    if (file_write_atomic(file, text_cstr(&reply.text), reply.text.length, 0600, err) < 0)
        return -1;
    printf("%s: %s. Disks, images and certificates are not in it: they are files of the state folder.\n", file,
           size_format(reply.text.length, &size));
    return 0;
}

int verb_backup(int argc, char **argv)
{
    const char *socket = NULL;
    const struct verb_option options[] = {
        {.name = "socket", .value = "PATH", .text = &socket, .help = "The daemon's socket; else $RTVMD_SOCKET"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("backup", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("backup", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "want one FILE to write to, or - for standard output");
        return verb_fail("backup", &err);
    }
    auto_client client;
    client_init(&client, socket);
    return backup(&client, argv[0], &err) < 0 ? verb_fail("backup", &err) : 0;
}
