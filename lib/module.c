// SPDX-License-Identifier: MIT
#include "module.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "err.h"

int module_load(const char *name, const void **ret, struct err *e)
{
	char path[512];
	void *so;

	(void)snprintf(path, sizeof(path), "%s/%s.so", module_dir, name);
	errno = 0;
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);	/* never closed: the libraries below keep state */
	if (!so)
		return err_set(e, err_is_resource(errno) ? errno : ENOSYS, "cannot load module '%s': %s", name, dlerror());
	*ret = dlsym(so, "hwkey_module");
	return *ret ? 0 : err_set(e, ENOSYS, "module '%s' exports no hwkey_module", name);
}
