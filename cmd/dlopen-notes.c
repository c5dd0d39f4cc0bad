// SPDX-License-Identifier: MIT
/*
 * For packagers: libcrypto and the libraries behind the modules, which this binary loads when it needs them, as ELF notes
 * in the format that systemd defined (section .note.dlopen, owner "FDO", type 0x407c0c0a, a JSON array; readelf -n shows
 * them).
 */
#include <stdint.h>

#define NOTE(id, feature, what, soname)                                                                             \
	static const struct {                                                                                       \
		uint32_t name_size, size, type;                                                                     \
		char name[4];                                                                                       \
		char json[sizeof("[{\"feature\":\"" feature "\",\"description\":\"" what "\","                      \
				 "\"priority\":\"recommended\",\"soname\":[\"" soname "\"]}]")];                    \
	} note_##id __attribute__((used, section(".note.dlopen"), aligned(4))) = {                                  \
		4, sizeof(note_##id.json), 0x407c0c0a, "FDO",                                                       \
		"[{\"feature\":\"" feature "\",\"description\":\"" what "\","                                       \
		"\"priority\":\"recommended\",\"soname\":[\"" soname "\"]}]",                                       \
	}

NOTE(out, "out", "Tables and JSON", SONAME_SMARTCOLS);
NOTE(soft, "soft", "The software keystore, sealed data", SONAME_CRYPTO);
NOTE(keyring, "keyring", "Keystore passwords in the user keyring", SONAME_KEYUTILS);
NOTE(udev, "udev", "Events of devices: list-devices --watch", SONAME_UDEV);
NOTE(luks, "luks", "LUKS2 volumes", SONAME_CRYPTSETUP);
