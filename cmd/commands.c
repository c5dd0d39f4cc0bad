// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <string.h>

extern const struct cmd cmd_doctor, cmd_generate, cmd_list_devices, cmd_rewrap, cmd_seal, cmd_unseal,
	cmd_validate, cmd_wrap;
extern const struct cmd cmd_seal;
extern const struct cmd cmd_unseal;

const struct cmd *const commands[] = {
	&cmd_doctor,
	&cmd_generate,
	&cmd_list_devices,
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
