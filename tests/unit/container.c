// SPDX-License-Identifier: MIT
#include "backends/soft/container.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backends/soft/objects.h"
#include "lib/blob.h"
#include "lib/err.h"

enum { SIZE = 4096 };

static unsigned char root[ROOT_KEY], plain[SIZE], back[SIZE];

static void bytes(unsigned char *p, unsigned first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(first + i);
}

static struct container example(void)
{
	struct container c = { .generation = 7, .counter = 7, .size = SIZE };
	struct err e;

	bytes(root, 0, sizeof(root));
	bytes(c.partition, 0x10, sizeof(c.partition));
	bytes(c.salt, 0x80, sizeof(c.salt));
	assert_int_equal(root_id(root, c.root_id, &e), 0);
	memset(plain, 0, sizeof(plain));
	memcpy(plain, "empty store", 11);
	return c;
}

static int reopen(const void *data, size_t len)
{
	struct container c;
	struct err e = { 0 };
	int r = container_parse(data, len, &c, &e);

	if (r == 0)
		r = container_open(&c, data, root, back, &e);
	assert_int_equal(-r, e.code);
	return r;
}

static void vector(void **state)
{
	struct container c = example(), parsed;
	AUTO_BLOB struct blob b = { 0 };
	unsigned char sum[CRYPTO_HASH];
	char hex[65];
	struct err e;

	(void)state;
	assert_int_equal(container_seal(&c, root, plain, &b, &e), 0);
	assert_int_equal(b.len, CONTAINER_HEADER + SIZE);
	hex_encode(b.data + 240, CRYPTO_TAG, hex);
	assert_string_equal(hex, "2f319ff48ffdb6a34fe314376e58c619");
	assert_int_equal(crypto_sha256(b.data, CONTAINER_HEADER, sum, &e), 0);
	hex_encode(sum, sizeof(sum), hex);
	assert_string_equal(hex, "764f935bd7f29384910b5ad72abfe1ba12604970931bb2ed3872785c808ea47a");
	assert_int_equal(container_parse(b.data, b.len, &parsed, &e), 0);
	assert_memory_equal(&parsed, &c, sizeof(c));
	assert_int_equal(reopen(b.data, b.len), 0);
	assert_memory_equal(back, plain, SIZE);
}

static void every_header_bit_counts(void **state)
{
	struct container c = example();
	AUTO_BLOB struct blob b = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(container_seal(&c, root, plain, &b, &e), 0);
	for (unsigned bit = 0; bit < 8 * CONTAINER_HEADER; bit++) {
		b.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(reopen(b.data, b.len), -EBADMSG);
		b.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	for (size_t at = CONTAINER_HEADER; at < b.len; at += 97) {
		b.data[at] ^= 1;
		assert_int_equal(reopen(b.data, b.len), -EBADMSG);
		b.data[at] ^= 1;
	}
	assert_int_equal(reopen(b.data, b.len), 0);
}

static void every_truncation_is_refused(void **state)
{
	struct container c = example();
	AUTO_BLOB struct blob b = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(container_seal(&c, root, plain, &b, &e), 0);
	for (size_t len = 0; len < b.len; len++) {
		AUTO_BLOB struct blob cut = { 0 };	/* its own allocation, so that reading past it is seen */

		assert_int_equal(blob_copy(&cut, b.data, len, &e), 0);
		assert_int_equal(reopen(cut.data, len), -EBADMSG);
	}
}

/* An old container overwritten in place, stopped after any byte: refused, or still the old one, byte for byte. */
static void every_torn_write_is_refused(void **state)
{
	struct container c = example(), older = example();
	AUTO_BLOB struct blob new = { 0 }, old = { 0 }, mix = { 0 };
	struct err e;

	(void)state;
	older.generation = 5;
	older.counter = 5;
	older.salt[0] ^= 1;
	assert_int_equal(container_seal(&c, root, plain, &new, &e), 0);
	assert_int_equal(container_seal(&older, root, plain, &old, &e), 0);
	assert_int_equal(blob_copy(&mix, old.data, old.len, &e), 0);
	for (size_t n = 1; n < new.len; n++) {
		mix.data[n - 1] = new.data[n - 1];
		if (memcmp(mix.data, old.data, old.len) != 0)
			assert_int_equal(reopen(mix.data, mix.len), -EBADMSG);
	}
	mix.data[mix.len - 1] = new.data[mix.len - 1];
	assert_int_equal(reopen(mix.data, mix.len), 0);
}

/* --- objects ----------------------------------------------------------------------------------------------------- */

static struct record object(enum consumer consumer, const char *label, const void *data, size_t len)
{
	return (struct record){ .name = { consumer, (const unsigned char *)label, strlen(label) }, .generation = 3,
				.data = data, .len = len };
}

static void objects_stay_sorted(void **state)
{
	static const char *const labels[] = { "m", "a", "z", "ab", "m2", "l" }, *const sorted[] = { "a", "ab", "l", "m", "m2", "z" };
	struct objects o, again;
	struct record r;
	struct err e;
	size_t at = 0;

	(void)state;
	objects_init(&o, plain, SIZE);
	for (size_t i = 0; i < 6; i++) {
		r = object(CONSUMER_OS, labels[i], labels[i], strlen(labels[i]));
		assert_int_equal(objects_add(&o, &r, &e), 0);
		assert_int_equal(objects_parse(plain, SIZE, &again, &e), 0);
		assert_int_equal(again.count, i + 1);
		assert_int_equal(again.used, o.used);
	}
	r = object(CONSUMER_FIRMWARE, "z", "1", 1);
	assert_int_equal(objects_add(&o, &r, &e), 0);
	assert_true(objects_next(&o, &at, &r));
	assert_int_equal(r.name.consumer, CONSUMER_FIRMWARE);
	for (size_t i = 0; i < 6; i++) {
		assert_true(objects_next(&o, &at, &r));
		assert_int_equal(r.name.len, strlen(sorted[i]));
		assert_memory_equal(r.name.label, sorted[i], r.name.len);
		assert_memory_equal(r.data, sorted[i], r.len);
		assert_int_equal(r.generation, 3);
	}
	assert_false(objects_next(&o, &at, &r));
	for (size_t i = 0; i < 6; i++) {
		r = object(CONSUMER_OS, labels[i], NULL, 0);
		objects_remove(&o, &r.name);
		assert_false(objects_find(&o, &r.name, &r));
		assert_int_equal(objects_parse(plain, SIZE, &again, &e), 0);
	}
	assert_int_equal(o.count, 1);
	assert_int_equal(objects_charged(&o), OBJECT_OVERHEAD + 2);
}

static void accounting(void **state)
{
	struct objects o, again;
	struct record r;
	struct err e;

	(void)state;
	objects_init(&o, plain, SIZE);
	r = object(CONSUMER_OS, "x", back, SIZE - OBJECT_OVERHEAD);
	assert_int_equal(objects_add(&o, &r, &e), -EFBIG);
	r.len--;
	assert_int_equal(objects_add(&o, &r, &e), 0);
	assert_int_equal(objects_charged(&o), SIZE);
	assert_int_equal(objects_parse(plain, SIZE, &again, &e), 0);
	r = object(CONSUMER_OS, "y", "1", 1);
	assert_int_equal(objects_add(&o, &r, &e), -ENOSPC);
	/* as many small ones as the accounting lets in */
	objects_init(&o, plain, SIZE);
	for (unsigned n = 0;; n++) {
		char label[3] = { (char)('a' + n / 26), (char)('a' + n % 26), 0 };

		r = object(CONSUMER_OS, label, "1", 1);
		if (objects_add(&o, &r, &e) < 0)
			break;
	}
	assert_int_equal(e.code, ENOSPC);
	assert_int_equal(o.count, SIZE / (OBJECT_OVERHEAD + 3));
	assert_int_equal(objects_parse(plain, SIZE, &again, &e), 0);
}

/* No bit of the structure can be changed into something that reads outside (run under the address sanitizer). */
static void hostile_objects(void **state)
{
	struct objects o;
	struct record r;
	struct err e;
	size_t used;

	(void)state;
	objects_init(&o, plain, SIZE);
	r = object(CONSUMER_OS, "label", "data", 4);
	assert_int_equal(objects_add(&o, &r, &e), 0);
	r = object(CONSUMER_OS, "other", "data", 4);
	assert_int_equal(objects_add(&o, &r, &e), 0);
	used = o.used;
	for (unsigned bit = 0; bit < 8 * used; bit++) {
		plain[bit / 8] ^= (unsigned char)(1U << bit % 8);
		if (objects_parse(plain, SIZE, &o, &e) == 0)
			for (size_t at = 0; objects_next(&o, &at, &r);)
				assert_true(r.data + r.len <= plain + used);
		plain[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	for (unsigned bit = 0; bit < 8 * OBJECTS_HEADER; bit++) {
		plain[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(objects_parse(plain, SIZE, &o, &e), -EBADMSG);
		plain[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	assert_int_equal(objects_parse(plain, used - 1, &o, &e), -EBADMSG);
	assert_int_equal(objects_parse(plain, 0, &o, &e), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vector), cmocka_unit_test(every_header_bit_counts),
		cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(every_torn_write_is_refused),
		cmocka_unit_test(objects_stay_sorted), cmocka_unit_test(accounting), cmocka_unit_test(hostile_objects),
	};

	return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
