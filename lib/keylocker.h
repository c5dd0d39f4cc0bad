/* SPDX-License-Identifier: MIT */
/* What CPUID says of x86 Key Locker. The decoding is pure and built on every architecture. */
#ifndef HWKEY_KEYLOCKER_H
#define HWKEY_KEYLOCKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;

/* Registers: leaf 1 ECX, leaf 7.0 ECX, leaf 0x19 EAX, EBX, ECX. */
struct cpuid { uint32_t l1_ecx, l7_ecx, l19_eax, l19_ebx, l19_ecx; };

struct keylocker {
	bool cpu;		/* 7.0 ECX[23]: the CPU has it */
	bool active;		/* 0x19 EBX[0] AESKLE: firmware and kernel have switched it on */
	bool wide;		/* EBX[2] */
	bool backup;		/* EBX[4]: the key survives sleep */
	bool cpl0_only, no_encrypt, no_decrypt;	/* EAX[0..2]: restrictions that handles can have */
	bool hypervisor;	/* 1 ECX[31] */
	bool raw;		/* from registers; else from the flags in /proc/cpuinfo, which say less */
};

void keylocker_decode(const struct cpuid *, struct keylocker *ret);
/* Lines "LEAF.SUBLEAF EAX EBX ECX EDX", all hexadecimal; others are skipped. False: leaf 7.0 is not there. */
bool cpuid_parse(const char *text, struct cpuid *ret);
bool cpuid_read(struct cpuid *ret);			/* of this CPU; false: no x86 */
void cpuid_format(const struct cpuid *, char *ret, size_t size);	/* as cpuid_parse() takes it */
/* This CPU; of a captured machine /answers/cpuid, else the flags of its /proc/cpuinfo. False: no x86. */
bool keylocker_read(const struct env *, struct keylocker *ret);

#endif
