/* SPDX-License-Identifier: MIT */
/*
 * Sealed data, format 1: bytes that only the trust source that sealed them opens again. A header in text, of lines in
 * this order, each once, then the body in binary:
 *
 *	hwkey-sealed/1
 *	backend: soft
 *	device: local
 *	created: 2025-01-31T12:00:00Z
 *	label: what a person wrote			(left out if there is none)
 *	salt: 64 lower-case hex digits
 *	key: base64 of the data key (32 random bytes) as the backend sealed it
 *	---
 *
 * The whole header is authenticated. The data key is bound by the backend to the lines above "key"; the body's key is
 * HKDF-SHA256(data key, salt, "hwkey-sealed/1 stream" || SHA-256 of the header up to and with "---\n").
 *
 * The body is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and its
 * Nonce-Reuse Misuse-Resistance, 2015) over AES-256-GCM: segments of SEALED_SEGMENT bytes, the last one 0 to
 * SEALED_SEGMENT, each followed by its 16-byte tag. Nonce: 7 zero bytes, 4 bytes number of the segment, big-endian, 1
 * byte that is 1 for the last. Reordered, doubled, dropped, cut or appended bytes do not open.
 */
#ifndef HWKEY_SEAL_H
#define HWKEY_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/blob.h"
#include "lib/utc.h"

struct device;
struct err;
struct output_to;
struct seal_ops;
struct wrap_params;

enum {
	SEALED_VERSION = 1,
	SEALED_SEGMENT = 65536,		/* bytes of clear data */
	SEALED_KEY_MAX = 8192,		/* bytes of the sealed data key */
	SEALED_HEADER_MAX = 12288,	/* bytes: the longest of each field fits */
	SEALED_LABEL_MAX = 255,
};

struct sealed_header {
	char backend[32], device[64], created[UTC_SIZE];
	char label[SEALED_LABEL_MAX + 1];	/* "" for none */
	unsigned char salt[32];
	const char *key;			/* base64, into the parsed bytes */
	size_t key_len;
	size_t bound;				/* bytes above the key line */
	size_t len;				/* bytes of the header; the body follows */
};

/*
 * DATA starts with a header and may go on. EBADMSG with a reason unless it is well-formed, EOPNOTSUPP if it is of another
 * version. Pure.
 */
int sealed_parse(const void *data, size_t len, struct sealed_header *ret, struct err *e);
/* The lines above "key". A field that would not parse again: EINVAL. */
int sealed_format(const struct sealed_header *, struct blob *ret, struct err *e);

struct sealed {				/* a sealed file whose header is read; SEALED_NONE = empty */
	int fd;
	const char *name;		/* for messages */
	struct sealed_header header;
	struct blob head;		/* what was read so far: the header and the beginning of the body */
};

#define SEALED_NONE { .fd = -1 }

/* FILE NULL or "-" is standard input. LABEL may be NULL. */
int data_seal(const struct device *, const struct seal_ops *, const struct wrap_params *, const char *file,
	      const char *label, const struct output_to *, struct err *e);
int sealed_open(const char *file, struct sealed *ret, struct err *e);
/* The data key as the trust source sealed it. */
int sealed_key(const struct sealed *, struct blob *ret, struct err *e);
/* Once per open. EBADMSG: another machine or keystore, or changed bytes. */
int data_unseal(const struct device *, const struct seal_ops *, const struct sealed *, const struct output_to *,
		struct err *e);
void sealed_done(struct sealed *);

#endif
