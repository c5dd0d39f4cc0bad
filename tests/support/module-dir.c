// SPDX-License-Identifier: MIT
/* Where unit tests find the modules of the build tree. */
#include "lib/module.h"

const char module_dir[] = MODULE_DIR;
