/* SPDX-License-Identifier: MIT */
/*
 * The clear contents of a container: objects one after the other, sorted by consumer and label, then zeros up to the
 * configured size. Multi-byte fields are big-endian.
 *
 *   0 8 "HWKEYOBJ"   8 4 number of objects   12 4 bytes in use, these 16 included
 * each object:
 *   0 1 consumer     1 1 state: 1 present, 2 a revoked wrapping key         2 2 label length   4 4 policy
 *   8 4 data length  12 8 generation of the store that wrote it              20 ... label, data
 */
#ifndef HWKEY_SOFT_OBJECTS_H
#define HWKEY_SOFT_OBJECTS_H

#include <stdbool.h>

#include "lib/backend.h"

struct objects {
	unsigned char *data;	/* the caller's, SIZE bytes; NULL: no objects, and none can be added */
	size_t size, used;
	size_t whole;		/* bytes of the keystore: no object is larger */
	size_t limit;		/* bytes that may be charged: those, less what is charged elsewhere */
	unsigned count;
};

struct record {
	struct object_name name;	/* into the contents */
	uint32_t policy;
	bool revoked;
	uint64_t generation;
	const unsigned char *data;
	size_t len;
};

enum { OBJECTS_HEADER = 16 };

void objects_init(struct objects *ret, void *data, size_t size);	/* empty */
/* EBADMSG unless every length, the order and the counts are right. */
int objects_parse(void *data, size_t size, struct objects *ret, struct err *e);

/* *AT starts at 0. False: no more. */
bool objects_next(const struct objects *, size_t *at, struct record *ret);
bool objects_find(const struct objects *, const struct object_name *, struct record *ret);
size_t objects_charged(const struct objects *);		/* bytes as accounted: OBJECT_OVERHEAD, labels and data */

bool record_is_same(const struct record *, const struct record *);	/* policy and data; the name may be another */
int object_name_compare(const struct object_name *, const struct object_name *);	/* as they are sorted */

/* EFBIG: the object can never fit into SIZE bytes of objects. */
int objects_check_size(size_t size, const struct record *, struct err *e);
/* EFBIG as above; ENOSPC: does not fit now. */
int objects_fits(const struct objects *, const struct record *, struct err *e);
/* The name must not be there yet; RECORD points outside the contents. Errors as above. */
int objects_add(struct objects *, const struct record *, struct err *e);
void objects_remove(struct objects *, const struct object_name *);
void objects_revoke(struct objects *, const struct record *, bool revoked);	/* one of theirs */

#endif
