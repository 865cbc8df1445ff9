/* api/backup: a copy of the whole store over the API, for those with the admin role: it holds every secret. */
#pragma once

#include "api/call.h"

#define BACKUP_PATH "/rtvmd/v1/backup"

/* GET: the file that `rtvmd restore` takes. */
call_handler backup_get;
