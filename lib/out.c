// SPDX-License-Identifier: MIT
/* The face of module "out": a command that shows nothing does not load libsmartcols. */
#include "out.h"

#include "cleanup.h"
#include "err.h"
#include "module.h"

struct handle {			/* what struct out is outside the module */
	const struct out_module *module;
	struct out *out;
};

int out_open(struct out **ret, const char *name, const struct column *columns, const struct out_format *f, struct err *e)
{
	AUTO_FREE struct handle *h = calloc(1, sizeof(*h));
	const void *module;
	int r;

	if (!h)
		return err_nomem(e);
	r = module_load("out", &module, e);
	if (r < 0)
		return r;
	h->module = module;
	r = h->module->open(&h->out, name, columns, f, e);
	if (r < 0)
		return r;
	*ret = (struct out *)TAKE(h);
	return 0;
}

int out_row(struct out *o, const char *const *values, struct err *e)
{
	struct handle *h = (struct handle *)o;

	return h->module->row(h->out, false, values, e);
}

int out_row_inside(struct out *o, const char *const *values, struct err *e)
{
	struct handle *h = (struct handle *)o;

	return h->module->row(h->out, true, values, e);
}

int out_print(struct out *o, struct err *e)
{
	struct handle *h = (struct handle *)o;

	return h->module->print(h->out, e);
}

void out_free(struct out *o)
{
	struct handle *h = (struct handle *)o;

	if (h)
		h->module->free(h->out);
	free(h);
}
