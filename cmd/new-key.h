/* SPDX-License-Identifier: MIT */
/* What generate and wrap share: from their options to a new entry of the repository. */
#ifndef HWKEY_NEW_KEY_H
#define HWKEY_NEW_KEY_H

#include "wrap-params.h"

struct new_key {		/* options of both commands */
	char *type, *device, *description, *volumes, *volume_type, *sector_size;
	struct wrap_options must;
	uint32_t bits;
	bool xts;
};

#define NEW_KEY_OPTS(s) \
	OPT_STR(s, key.type, "type", 't', "TYPE", "Type of the key (default: the strongest usable here)", \
		.complete = COMPLETE_KEY_TYPE), \
	OPT_STR(s, key.device, "device", 'd', "ID", "Trust source that protects it", .complete = COMPLETE_DEVICE), \
	WRAP_OPTS_KEYSTORE(s, key.must), \
	WRAP_OPTS_TPM(s, key.must, "pcr-values"), \
	OPT_FLAG(s, key.xts, "xts", 'x', "Two keys, for XTS"), \
	OPT_STR(s, key.description, "description", 'D', "TEXT", "Description of the key"), \
	OPT_STR(s, key.volumes, "volumes", 'l', "VOL:DM,...", "Volumes that it is for, with their device-mapper names"), \
	OPT_STR(s, key.volume_type, "volume-type", 0, "TYPE", "Type of these volumes: luks2 (default) or plain", \
		.choices = volume_types), \
	OPT_STR(s, key.sector_size, "sector-size", 'S', "BYTES", \
		"Sector size of these volumes: 512, 1024, 2048, 4096; 0 (default): the system's", .choices = sector_sizes)

/* The device that makes keys of o->type, its operations, and what to ask of them, which points into GIVEN. */
int new_key_device(struct hwkey *, const struct new_key *o, struct device **ret_dev, const struct key_ops **ret_ops,
		   struct key_params *ret_params, struct wrap_given *given, struct err *e);
/* Whether there can be such an entry, before the trust source is asked for anything: a refused one creates no keystore. */
int new_key_check(struct hwkey *, const struct new_key *o, const char *name, struct err *e);
/*
 * Proves that TOKEN opens by computing its pattern, and once more under the repository's lock, adds it to the repository
 * as NAME, says which type was chosen.
 */
int new_key_store(struct hwkey *, const struct new_key *o, const char *name, struct device *, const struct key_ops *,
		  const struct blob *token, struct err *e);

#endif
