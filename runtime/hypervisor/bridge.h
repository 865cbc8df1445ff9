/* The bridge between libvirt's event interface and our loop: libvirt's descriptors and timers are watched by the loop
 * thread's own base, so events arrive without a thread of their own and without polling. */
#pragma once

#include "rtvmd/base/loop.h"

/* Both are of the loop thread. Registers the event implementation with libvirt (once per process, before the first
 * connection) and starts to watch on this loop; a process has one loop at a time, several users of it are counted.
 * Detaching releases what libvirt has given up and parks the rest until the next attach. */
void bridge_attach(struct loop *loop);
void bridge_detach(void);
