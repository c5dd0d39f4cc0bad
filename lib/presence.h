/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_PRESENCE_H
#define HWKEY_PRESENCE_H

struct env;
struct err;

/*
 * EPERM unless the caller's terminal is one of this machine: a virtual terminal, a serial line, the kernel's console. One
 * over the network, of a window or of screen(1) is a pty. Software cannot prove more: root can take any terminal.
 */
int presence_check(const struct env *, struct err *e);

#endif
