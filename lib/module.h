/* SPDX-License-Identifier: MIT */
/*
 * Shared objects loaded when needed: so that a command pays only for the libraries it uses. Each is linked normally to
 * its libraries and exports one symbol, hwkey_module, a const table of a type both sides include.
 */
#ifndef HWKEY_MODULE_H
#define HWKEY_MODULE_H

struct err;

#define MODULE_EXPORT __attribute__((visibility("default")))

/* *ret points to the hwkey_module of NAME.so and lives until the process ends. ENOSYS if it cannot be loaded. */
int module_load(const char *name, const void **ret, struct err *e);

/* Where the modules are, relative to the binary or plug-in: "$ORIGIN/...". Defined by each object that loads modules. */
extern const char module_dir[];

#endif
