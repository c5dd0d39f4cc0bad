/* SPDX-License-Identifier: MIT */
/* What must hold to open what is wrapped: the options for it, which commands share, and what a trust source is told. */
#ifndef HWKEY_CMD_WRAP_PARAMS_H
#define HWKEY_CMD_WRAP_PARAMS_H

#include "cmd.h"

struct wrap_options {
	char *wrapping_key, *policy;	/* of a keystore; all else of a TPM */
	char *pcrs, *pcr_values, *pin_file, *public_key, *public_key_pcrs, *device_key;
	bool pin, allow_clear_bus, allow_weak_pcrs;
};

#define WRAP_OPTS_KEYSTORE(s, m) \
	OPT_STR(s, m.wrapping_key, "wrapping-key", 0, "LABEL", \
		"Under this one of pks-genkey (default: the trust source's own)", .complete = COMPLETE_OBJECT), \
	OPT_STR(s, m.policy, "policy", 0, "NAME,...", \
		"What must hold to open it: ossecbootaudit, ossecbootenforce, pwset", .complete = COMPLETE_WRAP_POLICY)

/* VALUES: the name of the option with a file of PCR values. */
#define WRAP_OPTS_TPM(s, m, values) \
	OPT_STR(s, m.pcrs, "pcrs", 0, "PCRS", "Opens while these PCRs are as now: 7 or 7+11:sha256"), \
	OPT_STR(s, m.pcr_values, values, 0, "FILE", "Opens also, or only, with the PCR values in FILE", \
		.complete = COMPLETE_FILE), \
	OPT_FLAG(s, m.pin, "pin", 0, "Opens only with a PIN, asked for twice now"), \
	OPT_STR(s, m.pin_file, "pin-file", 0, "FILE", "Opens only with the PIN in FILE ('-': standard input)", \
		.complete = COMPLETE_FILE), \
	OPT_STR(s, m.public_key, "public-key", 0, "FILE", "Opens in states that the owner of this key (PEM) signs", \
		.complete = COMPLETE_FILE), \
	OPT_STR(s, m.public_key_pcrs, "public-key-pcrs", 0, "PCRS", "What he signs are these PCRs (default: 11)"), \
	OPT_FLAG(s, m.allow_clear_bus, "allow-clear-bus", 0, "Also if the TPM cannot encrypt what goes to it"), \
	OPT_FLAG(s, m.allow_weak_pcrs, "allow-weak-pcrs", 0, "Also PCRs that firmware does not extend, and SHA-1")

#define WRAP_OPT_DEVICE_KEY(s, m) \
	OPT_STR(s, m.device_key, "device-key", 0, "FILE", "For the TPM whose storage root key is in FILE", \
		.complete = COMPLETE_FILE)

/* How signed states are named to what opens. */
#define PCR_SIGNATURE_OPT(s) \
	OPT_STR(s, pcr_signature, "pcr-signature", 0, "FILE", "Signed states of PCRs, as systemd-measure writes them", \
		.complete = COMPLETE_FILE)
/* FILE, a path that is read when a policy needs it, stays the caller's. NULL: as without the option. */
void pcr_signature_take(struct hwkey *, const char *file);

/* Whether any is given that a device of such a backend does not take. */
bool wrap_options_of_tpm(const struct wrap_options *);
/* What can be said before any device is looked for: EINVAL. */
int wrap_options_check(const struct wrap_options *, struct err *e);
/* EINVAL: DEV does not take them. */
int wrap_options_fit(const struct wrap_options *, const struct device *, struct err *e);
/*
 * The device called ID; without ID the first one online that plays ROLE, makes keys of TYPE (NULL: of any) and takes the
 * options. EINVAL: it is one of several TPMs.
 */
int wrap_device(struct hwkey *, enum role, const char *type, const char *id, const struct wrap_options *,
		struct device **ret, struct err *e);

struct wrap_given {			/* all zero at first; does not move: .params points into it */
	struct wrap_params params;
	struct tpm_params tpm;
	struct secret pin;
	struct blob pcr_values, public_key, device_key;
};

#define AUTO_WRAP_GIVEN AUTO(wrap_given_done)

/* Reads the files and asks for a new PIN. */
int wrap_given_take(struct hwkey *, const struct wrap_options *, struct wrap_given *ret, struct err *e);
void wrap_given_done(struct wrap_given *);

#endif
