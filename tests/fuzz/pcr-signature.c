// SPDX-License-Identifier: MIT
/* A file of signatures, and a public key: what is found is genuine. */
#include "backends/tpm2/tpm.h"

#include <stdlib.h>
#include <string.h>

/* Of the key and the policy in tests/unit/tpm-policy.c. */
static const char pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1Took5twqyyY3MQuc3n\n"
	"1No6ia7dpP/nHzBxbCDDPoXMz0kqXnuPrc6RJrEjuIupLlKNvQK8kZf+v7BDl5gB\n"
	"kjwakCFo/0ia568nxxF855wkxDCMGhfcM84CW7l6pQfNn/yxVvD6TdD5DczXzy4l\n"
	"yAItB6ZsGmlr8S90XfBocDEFjRUR7GaBvy+9EXWCEr63bMlNX+ndqtGIOsmVFt3c\n"
	"eea1LJ+4eVVGdIGU/SuQeWbNm69wmBKE5EpXy5ZAoFqtPKfVVk8608WHVZFM3nGa\n"
	"vKs1hAUczCpjtr7T9iomJXb2nPraMyIi49GJkYUjXIr8DOxnmCU0SpWRC8RW3ntg\n"
	"EwIDAQAB\n"
	"-----END PUBLIC KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blob text = { (unsigned char *)(uintptr_t)pem, sizeof(pem) - 1 };
	struct blob its = { (unsigned char *)(uintptr_t)data, size };
	static struct blob der;			/* once: decoding it takes the longest */
	struct blob other = { 0 };
	struct pcr_signature s = { 0 };
	TPM2B_DIGEST policy = { .size = 32 };
	char *json = calloc(1, size + 1);
	TPM2B_PUBLIC public;
	struct err e;

	if (!json)
		return 0;
	if (size)
		memcpy(json, data, size);
	if ((!der.data && signer_from_pem(&text, &der, &e) < 0) ||
	    hex_decode("c8c49d35c96b0b1e087c9e65a395e50401d1cc6d8d3b0b1325279326c6fee30a", 64, policy.buffer) < 0)
		abort();
	if (pcr_signature_find(json, &der, TPM_SHA256, 1 << 11, &policy, &s, &e) == 0 &&
	    (s.signature.len != 256 || memcmp(s.policy.buffer, policy.buffer, 32) != 0))
		abort();
	if (size && data[0] == '-' && signer_from_pem(&its, &other, &e) == 0 && signer_public(&other, &public, &e) < 0)
		abort();
	if (size && data[0] == 0x30)
		(void)signer_public(&its, &public, &e);
	pcr_signature_done(&s);
	blob_done(&other);
	free(json);
	return 0;
}
