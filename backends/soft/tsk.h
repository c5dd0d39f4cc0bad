/* SPDX-License-Identifier: MIT */
/*
 * The trusted system key (TSK): 32 random bytes that the administrator keeps away from the machine, as the management
 * console of PowerVM does. The keystore never holds it. Its slot holds the root key wrapped under it: a copy of that slot
 * and of a container can be made without the key, and opens with the key alone.
 *
 * Payload of the slot:  0 16 id of the key   16 32 root key under AES-256-GCM   48 16 its tag
 * Id = HKDF-SHA256(TSK, "", "hwkey-pks/1 tsk-id"). Key = HKDF-SHA256(TSK, the slot's salt, "hwkey-rtk/1 tsk"), nonce the
 * slot's, AAD = system UUID, root-key id, epoch. The slot's own tag, under the root key, covers the payload.
 */
#ifndef HWKEY_SOFT_TSK_H
#define HWKEY_SOFT_TSK_H

#include "slot.h"

struct blob;
struct session;

enum { TSK_KEY = 32, TSK_ID = 16, TSK_PAYLOAD = TSK_ID + ROOT_KEY + CRYPTO_TAG };	/* bytes */

/* As a file of the user has it: 32 bytes, or 64 hexadecimal digits, with a newline or none. EINVAL. */
int tsk_parse(const struct secret *given, unsigned char ret[TSK_KEY], struct err *e);
int tsk_id(const unsigned char key[TSK_KEY], unsigned char ret[TSK_ID], struct err *e);

/* EACCES if the key given is another one than that of ID. */
int tsk_compare(const unsigned char id[TSK_ID], const struct secret *given, struct err *e);

/*
 * The slot of the keystore in DIR, checked to be made by who has its root key: its bytes (RET_FILE may be NULL), and the id
 * of the key that it is under. ENOENT: there is none; EBADMSG.
 */
int tsk_slot_read(int dir, const struct session *, struct blob *ret_file, unsigned char ret_id[TSK_ID],
		  struct err *e);

/* Of the table of slot.c. GIVEN as tsk_parse() takes it. Unwrap: EACCES if it is another key; EBADMSG. */
int tsk_wrap(const struct slot *, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
	     size_t *ret_len, struct err *e);
int tsk_unwrap(const struct slot *, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e);

#endif
