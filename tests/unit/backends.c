// SPDX-License-Identifier: MIT
/* A backend's face (in the binary) and body say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/backend.h"
#include "lib/err.h"

static void every_backend_has_a_body_with_the_roles_it_claims(void **state)
{
	(void)state;
	for (size_t i = 0; backends[i]; i++) {
		const struct device dev = { .backend = backends[i] };
		const struct backend_ops *ops;
		struct err e = { 0 };
		unsigned roles;

		assert_ptr_equal(backend_find(backends[i]->name), backends[i]);
		if (!backends[i]->roles) {
			assert_int_not_equal(backend_ops(&dev, &ops, &e), 0);
			assert_null(backends[i]->key_types);
			continue;
		}
		assert_int_equal(backend_ops(&dev, &ops, &e), 0);
		roles = (ops->key ? ROLE_KEY : 0) | (ops->seal ? ROLE_SEAL : 0) | (ops->store ? ROLE_STORE : 0);
		assert_int_equal(backends[i]->roles, roles);
		assert_int_equal(backends[i]->key_types != NULL, ops->key != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_backend_has_a_body_with_the_roles_it_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
