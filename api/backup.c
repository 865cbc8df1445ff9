#include "api/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include "rtvmd/base/log.h"

int backup_get(struct call *call, struct error *err)
{
    if (call->who.role < AUTH_ADMIN)
        return fail(err, ERROR_FORBIDDEN, "backups are for the role %s; \"%s\" has not got it",
                    auth_role_text(AUTH_ADMIN), call->who.user);
    auto_free char *file = must_format("%s/rtvmd.db.backup", store_dir(call->api->store));
    if (store_backup(call->api->store, file, err) < 0)
        return -1;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    unlink(file); /* it lives until it is sent */
    if (fd < 0)
        return fail_errno(err, "%s", file);
    log_info("audit user=\"%s\" verb=backup status=200", call->who.user);
    http_reply_file(call->http, 200, "application/vnd.sqlite3", fd);
    call_end(call, 200);
    return 0;
}
