/* SPDX-License-Identifier: MIT */
/* What a TPM says of itself when asked, with no library: three GetCapability commands. */
#ifndef HWKEY_TPM_H
#define HWKEY_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;

struct tpm_state {
	char manufacturer[5];		/* "IFX"; "": not told */
	bool locked_out;		/* dictionary-attack lockout: no authorisation value is taken now */
	bool has_srk;			/* persistent storage root key 0x81000001 */
	uint32_t tries, tries_max;	/* failed authorisations counted, and until lockout; 0: not told */
	uint32_t recovery;		/* seconds until one is forgotten */
};

/*
 * Asks TPM N, a TPM 2.0, through its resource manager. Of a captured machine: what its /answers/tpmN says, lines of
 * "manufacturer WORD", "lockout 0|1", "srk 0|1", "tries N", "tries-max N", "recovery N". 0 or -errno.
 */
int tpm_ask(const struct env *, unsigned n, struct tpm_state *ret);
int tpm_ask_fd(int fd, struct tpm_state *ret);
void tpm_parse_answers(const char *text, struct tpm_state *ret);
void tpm_format_answers(const struct tpm_state *, char *ret, size_t size);

struct tpm_pair { uint32_t name, value; };
enum { TPM_PAIRS = 64 };
/* The reply of GetCapability: properties (name and value), or handles (name alone). Number of them; -EBADMSG; pure. */
int tpm_parse_capability(const unsigned char *reply, size_t len, struct tpm_pair ret[TPM_PAIRS]);

#endif
