/* SPDX-License-Identifier: MIT */
/* How programs reach Crypto Express cards and protected keys: /dev/pkey, /dev/z90crypt and nodes with fewer rights. */
#ifndef HWKEY_CEX_NODES_H
#define HWKEY_CEX_NODES_H

#include <stdbool.h>

struct backend;
struct device;
struct env;
struct err;
struct examination;

/* BUS: else there can be /dev/pkey alone. NEEDED: there are cards, and a node that is missing is told. */
int nodes_add(const struct env *, const struct backend *, bool bus, bool needed, struct device **list, struct err *e);
int nodes_examine(const struct env *, struct examination *);

/* Before Linux 6.12 pkey was one module; since then a handler for each kind of key is missed in silence. */
bool pkey_is_split(const struct env *);

#endif
