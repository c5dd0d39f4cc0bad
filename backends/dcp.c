// SPDX-License-Identifier: MIT
/* NXP's DCP (i.MX6ULL, i.MX28), as far as listing goes: the kernel makes blobs with it for its trusted keys. */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/sys.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_dcp = {
	.name = "dcp",
	.summary = "NXP data co-processor (DCP)",
	.probe = probe,
	.examine = examine,
	.subsystems = (const char *const[]){ "platform", NULL },
};

static int probe(const struct env *env, struct device **list, struct err *e)
{
	char device[64];
	int r;

	if (!sys_bound(env, "mxs-dcp", device, sizeof(device)))
		return -ENODEV;
	r = device_add(list, &backend_dcp, env, "dcp", "DCP", DEVICE_ONLINE, "key of this chip, if its fuses are closed",
		       e);
	if (r == 0)
		r = device_detail(*list, e, "device: %s", device);
	if (r == 0)
		r = device_detail(*list, e, "key: %s",
				  sys_module_flag(env, "trusted", "dcp_use_otp_key") ? "OTP" : "UNIQUE");
	return r;
}

static int examine(const struct env *env, struct examination *x)
{
	char device[64];
	int r;

	if (!sys_bound(env, "mxs-dcp", device, sizeof(device)))
		return x->tell(x, VERDICT_ABSENT, "no device at driver 'mxs-dcp': no such chip, or module mxs-dcp is not "
			       "loaded");
	r = x->tell(x, VERDICT_OK, "DCP '%s': its trusted keys need a kernel with CONFIG_TRUSTED_KEYS_DCP and "
		    "'trusted.source=dcp'", device);
	if (r == 0 && sys_module_flag(env, "trusted", "dcp_skip_zk_test"))
		r = x->tell(x, VERDICT_BAD, "the test for the all-zero key is switched off (trusted.dcp_skip_zk_test): "
			    "keys may be anybody's");
	return r;
}
