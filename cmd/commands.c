// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <string.h>

extern const struct cmd cmd_change, cmd_check, cmd_copy, cmd_doctor, cmd_export, cmd_generate,
	cmd_import, cmd_list, cmd_list_devices, cmd_pks_config, cmd_pks_list, cmd_pks_read, cmd_pks_remove,
	cmd_pks_write, cmd_remove, cmd_rename, cmd_rewrap, cmd_seal, cmd_show, cmd_unseal, cmd_validate,
	cmd_wrap;

const struct cmd *const commands[] = {
	&cmd_change,
	&cmd_check,
	&cmd_copy,
	&cmd_doctor,
	&cmd_export,
	&cmd_generate,
	&cmd_import,
	&cmd_list,
	&cmd_list_devices,
	&cmd_pks_config,
	&cmd_pks_list,
	&cmd_pks_read,
	&cmd_pks_remove,
	&cmd_pks_write,
	&cmd_remove,
	&cmd_rename,
	&cmd_rewrap,
	&cmd_seal,
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
