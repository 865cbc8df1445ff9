/* api/write: create, replace, patch, delete. */
#pragma once

#include "api/call.h"

call_handler write_create;
call_handler write_replace;
call_handler write_patch;
call_handler write_delete;
call_handler write_delete_collection;
