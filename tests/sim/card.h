/* SPDX-License-Identifier: MIT */
/*
 * A model of the Crypto Express cards of one machine, for tests: cards, their queues (APQNs) with the master-key registers
 * of each, and what the kernel asks of them. No device, no ioctl, no sysfs: pkey.h and attr.h put those on top.
 *
 * What is as on real cards: the token formats, which register a key must be under, the verification patterns of CCA master
 * keys, which errno a failure gives. What is the model's own, because it is not published: how a key is wrapped inside a
 * token (wrap.c), the pattern of EP11 wrapping keys (SHA-256 of the key), and protected keys (protect.c).
 *
 * Everything returns 0 or the -errno that the kernel would give; only the state file has messages. No globals.
 */
#ifndef HWKEY_SIM_CARD_H
#define HWKEY_SIM_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { SIM_CARDS = 16, SIM_QUEUES = 64, SIM_ANY = 0xffff, SIM_MK = 32, SIM_TOKEN_MAX = 336, SIM_PROTECTED_MAX = 64 };

struct sim_apqn {
	uint16_t card, domain;		/* SIM_ANY in both: whichever will do */
};

enum sim_mode { SIM_CCA, SIM_EP11, SIM_ACCELERATOR };
enum sim_register { SIM_NEW, SIM_CUR, SIM_OLD, SIM_REGISTERS };
enum sim_fill { SIM_EMPTY, SIM_PART, SIM_FULL };	/* NEW is SIM_PART when partly loaded (CCA), uncommitted (EP11) */

struct sim_mk {
	enum sim_fill fill;
	unsigned char key[SIM_MK];
};

struct sim_fault {			/* the request after AFTER more ones fails with ERROR, and COUNT - 1 after it */
	unsigned after, count;
	int error;			/* positive errno */
};

struct sim_card {
	unsigned id, level;		/* level 8: CEX8 */
	enum sim_mode mode;
	char serial[17];
	bool online, config, checkstop;
};

struct sim_queue {
	struct sim_apqn id;
	bool online, config, checkstop;
	bool passed_through;		/* bound to vfio_ap: not ours to use */
	unsigned requests;
	struct sim_mk mk[SIM_REGISTERS];
	struct sim_fault fault;
};

struct sim_bus {			/* the kernel's settings: not saved */
	unsigned domain, config_time, poll_thread;
	unsigned long poll_timeout;
};

struct sim {
	struct sim_card cards[SIM_CARDS];
	struct sim_queue queues[SIM_QUEUES];	/* in order of card and domain */
	size_t n_cards, n_queues;
	struct sim_bus bus;
	unsigned char wrapping_key[64];		/* of protected keys: AES-256-XTS, made anew at each boot, never saved */
};

/* The machine. */
int sim_init(struct sim *);		/* no cards, a fresh wrapping key */
void sim_done(struct sim *);		/* wipes */
int sim_card_add(struct sim *, unsigned id, enum sim_mode, unsigned level, const char *serial);	/* EEXIST, ENOSPC */
int sim_queue_add(struct sim *, struct sim_apqn);	/* ENODEV without the card */
struct sim_card *sim_card_find(struct sim *, unsigned id);
struct sim_queue *sim_queue_find(struct sim *, struct sim_apqn);
bool sim_queue_usable(struct sim *, const struct sim_queue *);
/* One request to a queue: counted, then it may fail. ENODEV when the queue cannot be used, or the fault that is due. */
int sim_queue_request(struct sim *, struct sim_apqn, struct sim_queue **ret);

/* Master keys, as an administrator's workstation loads them. EINVAL when a register is not in the state for it. */
int sim_mk_load(struct sim_queue *, const unsigned char key[SIM_MK], enum sim_fill); /* into NEW; SIM_FULL makes it whole */
int sim_mk_commit(struct sim_queue *);			/* NEW: partial or uncommitted, to full or committed */
int sim_mk_activate(struct sim *, struct sim_queue *);	/* NEW to CUR; CUR to OLD, which EP11 does not have */
void sim_mk_clear(struct sim_queue *);			/* NEW becomes empty */
/* 8 bytes for CCA: SHA-256(01 || key), the leftmost; 32 for EP11, of which tokens hold 16. Returns that length. */
size_t sim_mkvp(enum sim_mode, const unsigned char key[SIM_MK], unsigned char ret[32]);

/* Tokens. The numbers are the kernel's. */
enum sim_type { SIM_CCA_DATA = 1, SIM_CCA_CIPHER = 2, SIM_EP11_OLD = 3, SIM_EP11_AES = 6 };
enum { SIM_SIZE_UNKNOWN = 0xffffffff };
enum { SIM_MATCH_CUR = 2, SIM_MATCH_OLD = 4 };

struct sim_token {			/* what a token says of itself */
	enum sim_type type;
	uint32_t bits;			/* or SIM_SIZE_UNKNOWN */
	size_t len;
	enum sim_mode mode;
	unsigned level;			/* the least card */
	unsigned char mkvp[16];
	size_t mkvp_len;
	bool exportable;		/* may become a protected key */
};

int sim_token_parse(const unsigned char *, size_t len, struct sim_token *ret);		/* EINVAL: not one */
/* FLAGS 0: what the kernel takes by itself. CLEAR has 16, 24 or 32 bytes. */
int sim_token_make(enum sim_type, uint32_t flags, const unsigned char *clear, size_t clear_len,
		   const unsigned char mk[SIM_MK], unsigned char ret[SIM_TOKEN_MAX], size_t *ret_len);
/* EIO, as a card says it, when the token is not under this master key or was tampered with. */
int sim_token_open(const unsigned char *token, const struct sim_token *, const unsigned char mk[SIM_MK],
		   unsigned char ret_clear[32], size_t *ret_len);
int sim_token_rewrap(unsigned char *token, const struct sim_token *, const unsigned char from[SIM_MK],
		     const unsigned char to[SIM_MK]);

/*
 * What is asked of the cards. A list of APQNs is tried in its order until one does it; an empty list, or the one entry
 * SIM_ANY.SIM_ANY, means all that fit.
 */
struct sim_list {
	const struct sim_apqn *apqns;
	size_t n;
};

/* CLEAR NULL: a random key of BITS. */
int sim_generate(struct sim *, struct sim_list, enum sim_type, uint32_t bits, uint32_t flags, const unsigned char *clear,
		 unsigned char ret[SIM_TOKEN_MAX], size_t *ret_len);

struct sim_verdict {
	struct sim_apqn apqn;		/* in: where, SIM_ANY for any; out: one that has the master key */
	enum sim_type type;
	uint32_t bits, flags;		/* SIM_MATCH_CUR or SIM_MATCH_OLD */
};

int sim_verify(struct sim *, const unsigned char *token, size_t len, struct sim_verdict *);
/* RET has room for SIM_QUEUES. FLAGS 0: both where there are both. ENODEV when there is none. */
int sim_apqns_for_key(struct sim *, const unsigned char *token, size_t len, uint32_t flags, struct sim_apqn *ret,
		      size_t *n);
int sim_apqns_for_type(struct sim *, enum sim_type, const unsigned char cur[32], const unsigned char old[32],
		       uint32_t flags, struct sim_apqn *ret, size_t *n);
enum sim_direction { SIM_TO_NEW, SIM_FROM_OLD };	/* CUR to NEW (CCA: full, EP11: committed); OLD to CUR, CCA only */
int sim_reencipher(struct sim *, struct sim_apqn, enum sim_direction, unsigned char *token, size_t len);

/* Protected keys: usable by this machine until its next boot. 16, 24 or 32 wrapped bytes, then a 32-byte pattern. */
int sim_protect(struct sim *, struct sim_list, const unsigned char *token, size_t len, unsigned char ret[SIM_PROTECTED_MAX],
		size_t *ret_len);
int sim_protect_clear(const struct sim *, const unsigned char *clear, size_t len, unsigned char ret[SIM_PROTECTED_MAX]);
/* What the CPU does with it. EKEYEXPIRED when it is another boot's. */
int sim_protected_open(const struct sim *, const unsigned char *protected, size_t len, unsigned char ret_clear[32]);
/*
 * The AES key that a volume's tokens stand for, through a protected key as the kernel does it. XTS: two tokens, two halves.
 * EINVAL: not tokens (a clear key, too), or under a master key that no queue has. ENODEV: there is no queue to ask. EIO:
 * the card refuses the token.
 */
int sim_effective_key(struct sim *, bool xts, const unsigned char *tokens, size_t len, unsigned char ret[64],
		      size_t *ret_len);

/* The state file: text, one card, queue or register a line. Written whole or not at all. */
int sim_load(struct sim *, int dirfd, const char *name, struct err *);	/* after sim_init(); ENOENT, EBADMSG */
int sim_save(const struct sim *, int dirfd, const char *name, struct err *);

#endif
