// SPDX-License-Identifier: MIT
#include "wrap-params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/tpm-policy.h"
#include "pks.h"

enum { VALUES_MAX = 1 << 16, KEY_FILE_MAX = 1 << 14 };	/* bytes */

struct given_option { const char *name; bool given; };

/* The first one that devices of the one kind do not take; NULL: none. */
static const char *odd_option(const struct wrap_options *o, bool measures)
{
	const struct given_option keystore[] = { { "wrapping-key", o->wrapping_key }, { "policy", o->policy } };
	const struct given_option tpm[] = {
		{ "pcrs", o->pcrs }, { "pcr-values", o->pcr_values }, { "pin", o->pin }, { "pin-file", o->pin_file },
		{ "public-key", o->public_key }, { "public-key-pcrs", o->public_key_pcrs },
		{ "device-key", o->device_key }, { "allow-clear-bus", o->allow_clear_bus },
		{ "allow-weak-pcrs", o->allow_weak_pcrs },
	};
	const struct given_option *rows = measures ? keystore : tpm;

	for (size_t i = 0; i < (measures ? ARRAY_SIZE(keystore) : ARRAY_SIZE(tpm)); i++)
		if (rows[i].given)
			return rows[i].name;
	return NULL;
}

bool wrap_options_of_tpm(const struct wrap_options *o)
{
	return odd_option(o, false);
}

static int pcrs_check(const char *option, const char *text, struct err *e)
{
	enum tpm_bank bank;
	uint32_t pcrs;
	int r = text ? tpm_pcrs_parse(text, &pcrs, &bank, e) : 0;

	return r < 0 ? err_prefix(e, "--%s", option) : 0;
}

int wrap_options_check(const struct wrap_options *o, struct err *e)
{
	struct wrap_params ignored = { 0 };
	const char *tpm = odd_option(o, false), *keystore = odd_option(o, true);
	int r = pks_wrap_params(o->wrapping_key, o->policy, &ignored, e);

	if (r == 0 && tpm && keystore)
		r = err_set(e, EINVAL, "--%s is for a TPM, --%s for a keystore: no trust source takes both", tpm, keystore);
	if (r == 0 && o->pin && o->pin_file)
		r = err_set(e, EINVAL, "--pin asks for the PIN that --pin-file has: give one of them");
	if (r == 0 && o->public_key_pcrs && !o->public_key)
		r = err_set(e, EINVAL, "--public-key-pcrs is about what --public-key signs: give that, too");
	if (r == 0)
		r = pcrs_check("pcrs", o->pcrs, e);
	return r < 0 ? r : pcrs_check("public-key-pcrs", o->public_key_pcrs, e);
}

int wrap_options_fit(const struct wrap_options *o, const struct device *dev, struct err *e)
{
	const char *odd = odd_option(o, dev->backend->measures);

	if (!odd)
		return 0;
	return err_set(e, EINVAL, "--%s is not for device '%s': %s", odd, dev->id, dev->backend->measures ?
		       "a TPM has no wrapping keys and takes --pcrs and --pin" : "only a TPM has PCRs and PINs");
}

/* --- which device ---------------------------------------------------------------------------------------------- */

static bool makes_type(const struct backend *b, const char *type)
{
	for (size_t i = 0; b->key_types && b->key_types[i]; i++)
		if (!strcmp(b->key_types[i], type))
			return true;
	return false;
}

static bool is_candidate(const struct device *d, enum role role, const char *type, const struct wrap_options *o)
{
	return d->roles & role && (!type || makes_type(d->backend, type)) && !odd_option(o, d->backend->measures);
}

/* The first one may be the wrong one: nobody sees which, and what it sealed the other does not open. */
static int check_only(const struct device *list, const struct device *dev, struct err *e)
{
	for (const struct device *d = dev->backend->measures ? list : NULL; d; d = d->next)
		if (d != dev && d->backend == dev->backend && d->state == DEVICE_ONLINE)
			return err_set(e, EINVAL, "there are several TPMs here: choose '%s' or '%s' by --device", dev->id,
				       d->id);
	return 0;
}

static int bad_type(const char *type, struct err *e)
{
	char list[200] = "";

	for (size_t i = 0; backends[i]; i++)
		for (size_t j = 0; backends[i]->key_types && backends[i]->key_types[j]; j++)
			(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "",
				       backends[i]->key_types[j]);
	return err_set(e, EINVAL, "invalid --type '%.40s': one of %s", type, list);
}

static int no_device(const char *type, const struct device *unusable, const struct wrap_options *o, struct err *e)
{
	if (unusable)
		return err_set(e, ENODEV, "device '%s' is not usable: %s", unusable->id, unusable->why);
	if (wrap_options_of_tpm(o))
		return err_set(e, ENODEV, "no TPM 2.0 here, which --%s is for; see 'hwkey doctor'", odd_option(o, false));
	for (size_t i = 0; type && backends[i]; i++)
		if (makes_type(backends[i], type))
			return err_set(e, ENODEV, "no device for keys of type '%s' here; see 'hwkey doctor'", type);
	if (type)
		return bad_type(type, e);
	return err_set(e, ENODEV, "no device online that can do this; see 'hwkey doctor'");
}

/* For another machine's TPM none is needed here: what stands for it opens nothing. */
static int device_elsewhere(struct hwkey *hw, struct device **ret, struct err *e)
{
	size_t i = 0;
	int r;

	while (backends[i] && !backends[i]->measures)
		i++;
	r = backends[i] ? device_add(&hw->devices, backends[i], &hw->env, "elsewhere", "", DEVICE_ONLINE, "", e)
			: err_set(e, EOPNOTSUPP, "no trust source takes --device-key");
	for (*ret = hw->devices; r == 0 && (*ret)->next;)
		*ret = (*ret)->next;
	return r;
}

int wrap_device(struct hwkey *hw, enum role role, const char *type, const char *id, const struct wrap_options *o,
		struct device **ret, struct err *e)
{
	const struct device *unusable = NULL;
	struct device *dev = NULL;
	int r = id ? device_select(hw->devices, role, id, &dev, e) : 0;

	if (r == 0 && dev && type && !makes_type(dev->backend, type))
		r = err_set(e, EINVAL, "device '%s' does not make keys of type '%s'", dev->id, type);
	if (r == 0 && dev)
		r = wrap_options_fit(o, dev, e);
	for (struct device *d = dev ? NULL : hw->devices; r == 0 && d && !dev; d = d->next) {
		if (is_candidate(d, role, type, o) && d->state == DEVICE_ONLINE)
			dev = d;
		else if (is_candidate(d, role, type, o))
			unusable = d;
	}
	if (r == 0 && !dev && o->device_key)
		r = device_elsewhere(hw, &dev, e);
	else if (r == 0 && !dev)
		r = no_device(type, unusable, o, e);
	if (r == 0 && !id && !o->device_key)
		r = check_only(hw->devices, dev, e);
	if (r == 0)
		*ret = dev;
	return r;
}

/* --- what it is told ------------------------------------------------------------------------------------------- */

/* With a NUL behind it. */
static int read_text(const char *file, size_t max, struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob bytes = { 0 };
	int r = file ? read_plain_file(file, max, &bytes, e) : 0;

	if (r < 0 || !file)
		return r;
	if (memchr(bytes.data, '\0', bytes.len))
		return err_set(e, EINVAL, "'%s' is no text", file);
	r = blob_alloc(ret, bytes.len + 1, e);
	if (r == 0)
		memcpy(ret->data, bytes.data, bytes.len);
	return r;
}

void pcr_signature_take(struct hwkey *hw, const char *file)
{
	if (file)
		hw->env.pcr_signature = file;
}

static int read_key(const char *file, struct blob *storage, const struct blob **ret, struct err *e)
{
	int r = file ? read_plain_file(file, KEY_FILE_MAX, storage, e) : 0;

	if (r == 0 && file)
		*ret = storage;
	return r;
}

static int read_values(const char *file, const char *pcrs, struct blob *ret, struct err *e)
{
	struct tpm_branch branch[TPM_BRANCHES];
	enum tpm_bank bank = 0;
	uint32_t ignored;
	unsigned n;
	int r = read_text(file, VALUES_MAX, ret, e);

	if (r == 0 && file && pcrs)
		r = tpm_pcrs_parse(pcrs, &ignored, &bank, e);
	if (r == 0 && file)
		r = tpm_values_parse((const char *)ret->data, bank, branch, &n, e);
	return r < 0 && file ? err_prefix(e, "'%s'", file) : r;
}

static int take_pin(struct hwkey *hw, const struct wrap_options *o, struct secret *ret, struct err *e)
{
	int r = 0;

	if (o->pin_file)
		r = pks_read_password(o->pin_file, ret, e);
	else if (o->pin)
		r = ask_new_secret(&hw->env, "hwkey.tpm2-new-pin", "New PIN:", ret, e);
	if (r == 0 && (o->pin || o->pin_file) && !ret->len)
		r = err_set(e, EINVAL, "an empty PIN protects nothing");
	return r == -ENOKEY ? err_set(e, EACCES, "no new PIN: %.400s; or use --pin-file", strdupa(e->msg)) : r;
}

int wrap_given_take(struct hwkey *hw, const struct wrap_options *o, struct wrap_given *ret, struct err *e)
{
	struct tpm_params *t = &ret->tpm;
	int r = pks_wrap_params(o->wrapping_key, o->policy, &ret->params, e);

	if (r < 0 || !wrap_options_of_tpm(o))
		return r;
	r = read_values(o->pcr_values, o->pcrs, &ret->pcr_values, e);
	if (r == 0)
		r = read_key(o->public_key, &ret->public_key, &t->public_key, e);
	if (r == 0)
		r = read_key(o->device_key, &ret->device_key, &t->device_key, e);
	if (r == 0)
		r = take_pin(hw, o, &ret->pin, e);
	t->pcrs = o->pcrs;
	t->pcr_values = o->pcr_values ? (const char *)ret->pcr_values.data : NULL;
	t->signed_pcrs = o->public_key ? o->public_key_pcrs ? o->public_key_pcrs : "11" : NULL;
	t->pin = ret->pin.len ? &ret->pin : NULL;
	t->allow_clear_bus = o->allow_clear_bus;
	t->allow_weak = o->allow_weak_pcrs;
	ret->params.tpm = t;
	return r;
}

void wrap_given_done(struct wrap_given *g)
{
	secret_done(&g->pin);
	blob_done(&g->pcr_values);
	blob_done(&g->public_key);
	blob_done(&g->device_key);
}
