// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <string.h>

extern const struct cmd cmd_doctor, cmd_generate, cmd_list_devices, cmd_pks_config, cmd_pks_list, cmd_pks_read,
	cmd_pks_remove, cmd_pks_write, cmd_rewrap, cmd_seal, cmd_unseal, cmd_validate, cmd_wrap;

const struct cmd *const commands[] = {
	&cmd_doctor,
	&cmd_generate,
	&cmd_list_devices,
	&cmd_pks_config,
	&cmd_pks_list,
	&cmd_pks_read,
	&cmd_pks_remove,
	&cmd_pks_write,
	&cmd_rewrap,
	&cmd_seal,
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
