// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <string.h>

extern const struct cmd cmd_capture, cmd_change, cmd_check, cmd_copy, cmd_crypttab, cmd_doctor, cmd_export,
	cmd_generate, cmd_import, cmd_list, cmd_list_devices, cmd_luks_enroll, cmd_luks_format, cmd_luks_open,
	cmd_luks_recovery, cmd_luks_status, cmd_luks_unenroll, cmd_pks_backup, cmd_pks_check, cmd_pks_config,
	cmd_pks_confirm, cmd_pks_export, cmd_pks_genkey, cmd_pks_import, cmd_pks_list, cmd_pks_lock, cmd_pks_password,
	cmd_pks_read, cmd_pks_remove, cmd_pks_restore, cmd_pks_tsk, cmd_pks_write, cmd_remove, cmd_rename, cmd_rewrap,
	cmd_seal, cmd_secure_erase, cmd_setvp, cmd_show, cmd_unseal, cmd_validate, cmd_wrap;

const struct cmd *const commands[] = {
	&cmd_capture,
	&cmd_change,
	&cmd_check,
	&cmd_copy,
	&cmd_crypttab,
	&cmd_doctor,
	&cmd_export,
	&cmd_generate,
	&cmd_import,
	&cmd_list,
	&cmd_list_devices,
	&cmd_luks_enroll,
	&cmd_luks_format,
	&cmd_luks_open,
	&cmd_luks_recovery,
	&cmd_luks_status,
	&cmd_luks_unenroll,
	&cmd_pks_backup,
	&cmd_pks_check,
	&cmd_pks_config,
	&cmd_pks_confirm,
	&cmd_pks_export,
	&cmd_pks_genkey,
	&cmd_pks_import,
	&cmd_pks_list,
	&cmd_pks_lock,
	&cmd_pks_password,
	&cmd_pks_read,
	&cmd_pks_remove,
	&cmd_pks_restore,
	&cmd_pks_tsk,
	&cmd_pks_write,
	&cmd_remove,
	&cmd_rename,
	&cmd_rewrap,
	&cmd_seal,
	&cmd_secure_erase,
	&cmd_setvp,
	&cmd_show,
	&cmd_unseal,
	&cmd_validate,
	&cmd_wrap,
	NULL
};

const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}
