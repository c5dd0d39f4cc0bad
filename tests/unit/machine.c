// SPDX-License-Identifier: MIT
/* Key Locker's registers, device-tree properties, and a TPM's own answers: swtpm's, where it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/env.h"
#include "lib/keylocker.h"
#include "lib/sys.h"
#include "lib/tpm.h"

static void registers_are_decoded(void **state)
{
	struct keylocker k;
	struct cpuid c;

	(void)state;
	assert_true(cpuid_parse("1.0 0 0 80000000 0\n7.0 0 0 800000 0\n19.0 5 11 1 0\n", &c));
	keylocker_decode(&c, &k);
	assert_true(k.cpu && k.active && k.backup && k.hypervisor && k.cpl0_only && k.no_decrypt && k.raw);
	assert_false(k.wide || k.no_encrypt);
	assert_true(cpuid_parse("7.0 0 0 0 0\n19.0 ff ff ff ff\n", &c));
	keylocker_decode(&c, &k);
	assert_false(k.cpu || k.active || k.wide || k.backup);	/* leaf 0x19 says nothing without the bit */
	assert_false(cpuid_parse("19.0 7 15 3 0\nnonsense\n", &c));
}

static void words_of_a_property(void **state)
{
	static const char list[] = "hcall-pft\0hcall-pks-x\0hcall-pks\0";

	(void)state;
	assert_true(bytes_have_string(list, sizeof(list) - 1, "hcall-pks"));
	assert_false(bytes_have_string(list, 21, "hcall-pks"));
	assert_false(bytes_have_string("hcall-pks", 9, "hcall-pks"));	/* cut: no NUL */
	assert_false(bytes_have_string("", 0, "hcall-pks"));
	assert_true(text_has_word("flags : fpu aeskle", "aeskle"));
	assert_false(text_has_word("flags : fpu aeskles xaeskle", "aeskle"));
}

static void numbers_are_whole(void **state)
{
	static const struct { const char *text; int base, r; long v; } rows[] = {
		{ "0", 10, 0, 0 }, { "-5", 10, 0, -5 }, { "0xF2800000", 16, 0, 0xf2800000 }, { "ff", 16, 0, 255 },
		{ "", 10, -EINVAL, 0 }, { "-", 10, -EINVAL, 0 }, { " 1", 10, -EINVAL, 0 }, { "1 ", 10, -EINVAL, 0 },
		{ "+1", 10, -EINVAL, 0 }, { "99999999999999999999", 10, -EINVAL, 0 }, { "ff", 10, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		long v = 0;

		assert_int_equal(text_number(rows[i].text, rows[i].base, &v), rows[i].r);
		assert_int_equal(v, rows[i].v);
	}
}

static void a_reply_is_whole_or_refused(void **state)
{
	unsigned char reply[27] = "\x80\x01\0\0\0\x1b\0\0\0\0\0\0\0\0\x06\0\0\0\x01\0\0\x01\x05IBM";
	struct tpm_pair pairs[TPM_PAIRS];

	(void)state;
	assert_int_equal(tpm_parse_capability(reply, sizeof(reply), pairs), 1);
	assert_int_equal(pairs[0].name, 0x105);
	for (size_t n = 0; n < sizeof(reply); n++)
		assert_int_equal(tpm_parse_capability(reply, n, pairs), -EBADMSG);
	reply[18] = 2;					/* more than there are */
	assert_int_equal(tpm_parse_capability(reply, sizeof(reply), pairs), -EBADMSG);
	reply[18] = 1;
	reply[9] = 1;					/* the TPM says no */
	assert_int_equal(tpm_parse_capability(reply, sizeof(reply), pairs), -EBADMSG);
}

static int tpm_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	for (int i = 0; i < 200; i++) {
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		(void)usleep(25000);
	}
	(void)close(fd);
	return -1;
}

static void a_tpm_answers(void **state)
{
	char dir[] = "/tmp/hwkey-tpm.XXXXXX", server[128], states[64], path[64], command[64];
	AUTO_CLOSE int fd = -1;
	struct tpm_state tpm;
	pid_t pid;

	(void)state;
	if (access("/usr/bin/swtpm", X_OK) < 0)
		skip();
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	(void)snprintf(states, sizeof(states), "dir=%s", dir);
	pid = fork();
	if (pid == 0) {
		(void)execl("/usr/bin/swtpm", "swtpm", "socket", "--tpm2", "--server", server, "--tpmstate", states, "--flags",
			    "not-need-init,startup-clear", NULL);
		_exit(127);
	}
	fd = tpm_connect(path);
	assert_true(fd >= 0);
	assert_int_equal(tpm_ask_fd(fd, &tpm), 0);
	assert_string_equal(tpm.manufacturer, "IBM");
	assert_false(tpm.locked_out);
	assert_false(tpm.has_srk);
	assert_int_equal(tpm.tries, 0);
	assert_true(tpm.tries_max > 0);
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void answers_come_back(void **state)
{
	struct tpm_state tpm = { "IFX", true, false, 3, 32, 7200 }, again;
	char text[256];

	(void)state;
	tpm_format_answers(&tpm, text, sizeof(text));
	tpm_parse_answers(text, &again);
	assert_string_equal(again.manufacturer, "IFX");
	assert_true(again.locked_out && !again.has_srk);
	assert_int_equal(again.tries, 3);
	assert_int_equal(again.tries_max, 32);
	assert_int_equal(again.recovery, 7200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_decoded),
		cmocka_unit_test(words_of_a_property),
		cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(a_reply_is_whole_or_refused),
		cmocka_unit_test(a_tpm_answers),
		cmocka_unit_test(answers_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
