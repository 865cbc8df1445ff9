/* api/device: web sockets to what a VMI has: serial console, VNC, TCP ports of the guest. */
#pragma once

#include "api/call.h"

call_handler device_console;
call_handler device_vnc;
call_handler device_port;
