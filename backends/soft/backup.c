// SPDX-License-Identifier: MIT
#include "backup.h"

#include <errno.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/secret.h"

static int check_together(const struct backup *b, struct err *e)
{
	uint32_t kind = b->header.flags & (CONTAINER_BACKUP | CONTAINER_EXPORT);

	if (b->slot.type != SLOT_PASSPHRASE && b->slot.type != SLOT_TSK)
		return err_set(e, EBADMSG, "its root key is in a slot that no backup has");
	if (kind != CONTAINER_BACKUP && kind != CONTAINER_EXPORT)
		return err_set(e, EBADMSG, "neither a backup nor an export");
	if (memcmp(b->slot.root_id, b->header.root_id, ROOT_ID) != 0)
		return err_set(e, EBADMSG, "put together of two files: what is in it is under another root key");
	return b->header.size > PARTITION_SIZE_MAX ? err_set(e, EBADMSG, "larger than a keystore can be") : 0;
}

int backup_parse(const void *data, size_t len, struct backup *ret, struct err *e)
{
	struct backup b = { .slot_data = data };
	int r;

	if (!slot_whole_len(data, len, &b.slot_len))
		return err_set(e, EBADMSG, "not a backup of the keystore, or cut");
	b.container_data = b.slot_data + b.slot_len;
	r = slot_parse(data, b.slot_len, &b.slot, e);
	if (r == 0)
		r = container_parse(b.container_data, len - b.slot_len, &b.header, e);
	if (r == 0)
		r = check_together(&b, e);
	if (r == 0)
		*ret = b;
	return r;
}

int backup_make(const struct blob *slot, const struct container *c, const unsigned char root[ROOT_KEY], const void *plain,
		struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob box = { 0 }, b = { 0 };
	struct container header = *c;
	int r = root_id(root, header.root_id, e);

	if (r == 0)
		r = random_bytes(header.salt, sizeof(header.salt), e);
	if (r == 0)
		r = container_seal(&header, root, plain, &box, e);
	if (r == 0)
		r = blob_alloc(&b, slot->len + box.len, e);
	if (r < 0)
		return r;
	memcpy(b.data, slot->data, slot->len);
	memcpy(b.data + slot->len, box.data, box.len);
	*ret = TAKE(b);
	return 0;
}
