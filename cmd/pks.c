// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PASSWORD_FILE_MAX = 4096, TYPED_MAX = 511 };	/* bytes: of a file, of a line that a terminal gives */

int pks_enumerate(struct hwkey *hw, struct err *e)
{
	device_free_list(hw->devices);
	hw->devices = NULL;
	hw->env.partitions = true;
	return device_enumerate(&hw->env, true, &hw->devices, e);
}

/* By its name, or BACKEND:NAME. */
static bool is_there(const struct device *list, const char *name)
{
	const char *colon = strchr(name, ':');

	for (; list; list = list->next)
		if (!strcmp(list->id, name) || (colon && !strcmp(list->id, colon + 1)))
			return true;
	return false;
}

int pks_open(struct hwkey *hw, const char *store, struct device **ret, const struct store_ops **ret_ops, struct err *e)
{
	const struct backend_ops *ops;
	struct device *dev;
	int r = store && !hw->env.partitions ? pks_enumerate(hw, e) : 0;

	if (r == 0)
		r = device_select(hw->devices, ROLE_STORE, store, &dev, e);
	if (r == -ENODEV && store && !is_there(hw->devices, store))
		r = err_set(e, ENOENT, "no keystore '%s'; see 'hwkey list-devices'", store);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r < 0)
		return r;
	*ret = dev;
	*ret_ops = ops->store;
	return 0;
}

void pks_label_format(const unsigned char *label, size_t len, char *ret)
{
	for (; len; len--, label++) {
		if (*label >= ' ' && *label < 0x7f && *label != '\\')
			*ret++ = (char)*label;
		else
			ret += snprintf(ret, 5, "\\x%02x", *label);
	}
	*ret = '\0';
}

int pks_read_password(const char *file, struct secret *ret, struct err *e)
{
	int r = read_secret_file(file, PASSWORD_FILE_MAX, ret, e);

	if (r == 0 && ret->len && ret->data[ret->len - 1] == '\n')
		ret->len--;
	return r;
}

int pks_give_password(struct hwkey *hw, const char *file, struct secret *password, struct err *e)
{
	int r = file ? pks_read_password(file, password, e) : 0;

	if (r == 0 && file)
		hw->env.pks_password = password;
	return r;
}

/* Wherever it comes from: it must be possible to type it, and that ends at a newline. */
static int check_passphrase(const struct secret *p, struct err *e)
{
	if (!p->len)
		return err_set(e, EINVAL, "an empty passphrase protects nothing");
	if (p->len > TYPED_MAX)
		return err_set(e, EINVAL, "new passphrase is longer than %d bytes: it could not be typed", TYPED_MAX);
	for (size_t i = 0; i < p->len; i++)
		if (p->data[i] < ' ' || p->data[i] == 0x7f)
			return err_set(e, EINVAL, "new passphrase has a control character in it: it could not be typed");
	return 0;
}

int pks_new_passphrase(struct hwkey *hw, const char *file, const char *credential, const char *prompt, struct secret *ret,
		       struct err *e)
{
	int r = file ? pks_read_password(file, ret, e) : ask_new_secret(&hw->env, credential, prompt, ret, e);

	if (r == -ENOKEY && !file)
		return err_set(e, EACCES, "no new passphrase: %s; or use --passphrase-file", strdupa(e->msg));
	return r < 0 ? r : check_passphrase(ret, e);
}

/* Into O's name and text. */
static int label_parse(const char *label, const struct pks_options *from, struct pks_object *o, struct err *e)
{
	size_t len = strlen(label), bytes = from->label_hex ? len / 2 : len;
	enum consumer consumer;
	int r = pks_consumer_find(from->consumer, &consumer, e);

	if (r < 0)
		return r;
	if (bytes < 1 || bytes > LABEL_MAX)
		return err_set(e, EINVAL, "a label has 1 to %d bytes, not %zu", LABEL_MAX, bytes);
	if (!from->label_hex)
		memcpy(o->bytes, label, len);
	else if (hex_decode(label, len, o->bytes) < 0)
		return err_set(e, EINVAL, "'%s' is not hexadecimal", label);
	o->name = (struct object_name){ consumer, o->bytes, bytes };
	pks_label_format(o->bytes, bytes, o->text);
	return 0;
}

int pks_open_object(struct hwkey *hw, const struct pks_options *o, const char *label, struct pks_object *ret, struct err *e)
{
	int r = label_parse(label, o, ret, e);

	if (r == 0)
		r = pks_open(hw, o->store, &ret->dev, &ret->ops, e);
	ret->hw = hw;
	return r < 0 ? r : pks_give_password(hw, o->password_file, &ret->password, e);
}

void pks_object_done(struct pks_object *o)
{
	if (o->hw)
		o->hw->env.pks_password = NULL;
	secret_done(&o->password);
}

int pks_find_object(const struct pks_object *o, struct object *ret, struct err *e)
{
	AUTO_FREE struct object *list = NULL;
	size_t n;
	int r = o->ops->list(o->dev, &list, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (list[i].consumer == o->name.consumer && list[i].label_len == o->name.len &&
		    !memcmp(list[i].label, o->name.label, o->name.len)) {
			*ret = list[i];
			return 0;
		}
	}
	return r < 0 ? r : err_set(e, ENOENT, "not found");
}

int pks_failed(const struct pks_object *o, struct err *e)
{
	return err_prefix(e, "object '%s'", o->text);
}

int pks_policy_parse(const char *list, uint32_t *ret, struct err *e)
{
	uint32_t policy = 0;

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		size_t len = strcspn(p, ",");
		uint32_t bit = pks_policy_find(p, len);

		if (!bit)
			return err_set(e, EINVAL, "no policy '%.*s'", (int)len, p);
		policy |= bit;
	}
	*ret = policy;
	return 0;
}

int pks_wrap_params(const char *wrapping_key, const char *policy, struct wrap_params *ret, struct err *e)
{
	int r = pks_policy_parse(policy, &ret->policy, e);

	if (r == 0 && !token_policy_is_valid(ret->policy))
		r = err_set(e, EINVAL, "--policy of what is wrapped: ossecbootaudit or ossecbootenforce, pwset, no other");
	if (r == 0 && wrapping_key && !*wrapping_key)
		r = err_set(e, EINVAL, "--wrapping-key is empty");
	ret->wrapping_key = wrapping_key;
	return r;
}

static const struct column info_columns[] = {
	{ "STORE", OUT_STRING, false }, { "UUID", OUT_STRING, false },
	{ "SLOTS", OUT_LIST, false }, { "PROTECTION", OUT_STRING, false },
	{ "SIZE", OUT_NUMBER, false }, { "MAX", OUT_NUMBER, false }, { "PENDING", OUT_NUMBER, false },
	{ "USED", OUT_NUMBER, false }, { "OBJECTS", OUT_NUMBER, false },
	{ "GENERATION", OUT_NUMBER, false }, { "PASSWORDS", OUT_LIST, false }, { "LOCKED", OUT_LIST, false },
	{ "UNCONFIRMED", OUT_NUMBER, false }, { "ROLLBACK", OUT_STRING, false }, { "DAMAGED", OUT_LIST, false },
	{ "HEALTH", OUT_STRING, false }, { 0 }
};

int pks_show_info(struct hwkey *hw, const struct device *dev, const struct store_ops *ops, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	char unconfirmed[24], max[24], pending[24], size[24], used[24], objects[24], generation[24];
	struct store_info info;
	int r = ops->info(dev, &info, e);

	if (r < 0)
		return r;
	hw->out.record = true;
	(void)snprintf(size, sizeof(size), "%zu", info.total);
	(void)snprintf(unconfirmed, sizeof(unconfirmed), "%llu", (unsigned long long)info.unconfirmed);
	(void)snprintf(max, sizeof(max), "%zu", info.max);
	(void)snprintf(pending, sizeof(pending), "%zu", info.pending);
	(void)snprintf(used, sizeof(used), "%zu", info.used);
	(void)snprintf(objects, sizeof(objects), "%zu", info.objects);
	(void)snprintf(generation, sizeof(generation), "%llu", (unsigned long long)info.generation);
	r = out_open(&out, "keystore", info_columns, &hw->out, e);
	if (r == 0)
		r = out_row(out, (const char *const[]){ dev->id, info.uuid, info.slots, info.protection, size, max,
							info.pending ? pending : NULL, used, objects,
							generation, info.passwords[0] ? info.passwords : NULL,
							info.locked[0] ? info.locked : NULL,
							info.unconfirmed ? unconfirmed : NULL,
							info.rollback[0] ? info.rollback : "not protected from",
							info.damaged[0] ? info.damaged : NULL, info.health }, e);
	return r < 0 ? r : out_print(out, e);
}
