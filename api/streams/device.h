/* api/device: web sockets to what a VMI has: serial console, VNC, TCP ports of the guest. */
#pragma once

#include "api/call.h"

call_handler device_console;
call_handler device_vnc;
/* GET: the picture on the screen, PNG (or PPM of an old QEMU). moveCursor, which wakes a screen saver, is not heeded.
 */
call_handler device_screenshot;
call_handler device_port;
