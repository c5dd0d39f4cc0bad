/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_TPM2_NV_H
#define HWKEY_TPM2_NV_H

#include "tpm.h"

extern const struct counter_ops tpm2_counter_ops;

#endif
