// SPDX-License-Identifier: MIT
#include "lib/module.h"
#include "volume.h"

#define TABLE { \
	.found = luks_found, .format_check = luks_format_check, .format = luks_format, .open = luks_open, \
	.free = luks_free, .info = luks_info, \
	.enroll = luks_enroll, .unenroll = luks_unenroll, .recovery = luks_recovery, \
	.recovery_end = luks_recovery_end, .status = luks_status, \
	.repair = luks_repair, .test = luks_test, .activate = luks_activate, .set_pattern = luks_set_pattern, \
	.plugin_dir = crypt_token_external_path, \
	.erase = luks_erase, \
}

const struct luks_module luks_module = TABLE;

extern const struct luks_module hwkey_module;
MODULE_EXPORT const struct luks_module hwkey_module = TABLE;
