// SPDX-License-Identifier: MIT
/* This module loads another one (keyring), which is beside it. */
#include "lib/module.h"

const char module_dir[] = MODULE_DIR;
