# SPDX-License-Identifier: MIT
# 'make help' lists the targets.  Variables: V=1  WERROR=1  SANITIZE=address,undefined  B=builddir  CC=clang
# For another architecture: CC='s390x-linux-gnu-gcc --sysroot=DIR', PKG_CONFIG_SYSROOT_DIR and PKG_CONFIG_LIBDIR as pkg-config
# has them, and RUN='qemu-s390x -L DIR': what runs its programs here, if not the kernel.
PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
MODULEDIR   ?= $(LIBDIR)/hwkey
DATADIR     ?= $(PREFIX)/share
MANDIR      ?= $(DATADIR)/man
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPDIR  ?= $(DATADIR)/zsh/site-functions
FISHCOMPDIR ?= $(DATADIR)/fish/vendor_completions.d
EXAMPLEDIR  ?= $(DATADIR)/doc/hwkey/examples
DESTDIR     ?=
PKG_CONFIG  ?= pkg-config
B           ?= build
VERSION     := 0.1.0

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.SECONDARY:

# What depends on this machine's compiler and libraries is found out once: $(B)/config.mk.
-include $(B)/config.mk
ifeq ($(origin AR),default)
AR = $(CONFIG_AR)
endif

arches := s390x ppc64le arm64

# These goals install what is missing first; it is needed even to look at the libraries.
ifneq ($(filter deps demo check check-asan check-valgrind check-faults check-kernel check-stock-kernel check-arch $(arches:%=check-%) deps-lab deps-arch bench fuzz lab lint,$(MAKECMDGOALS)),)
$(B)/config.mk: $(B)/deps.stamp
endif

$(B)/config.mk: Makefile .ci/config
	@mkdir -p $(@D) && CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' .ci/config > $@.tmp && mv $@.tmp $@

$(B)/deps.stamp: .ci/deps
	@mkdir -p $(@D) && .ci/deps && touch $@

# ---------------------------------------------------------------------------------------------------------------------
warn := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef -Wpointer-arith -Wwrite-strings \
	-Wno-missing-field-initializers -Wformat=2 -Werror=format-security
harden := -fstack-protector-strong -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing $(CONFIG_CFLAGS)
fortify := $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
CFLAGS ?= -O2 -g
all_cflags = -std=gnu11 -fPIC -fvisibility=hidden $(warn) $(if $(WERROR),-Werror) $(harden) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) $(CFLAGS)
all_cppflags = -I. -I$(B) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(fortify) $(CPPFLAGS)
all_ldflags = -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
ifneq ($(SANITIZE),)
all_ldflags := $(filter-out -Wl$(comma)-z%,$(subst -z$(comma)defs,,$(all_ldflags)))
endif

# The build tree is an image of the installed one, so that the binary finds its modules in both: relative to itself.
root    := $(B)/root
bin     := $(root)$(BINDIR)/hwkey
moddir  := $(root)$(MODULEDIR)
plugin  := $(root)$(TOKENDIR)/libcryptsetup-token-hwkey.so

lib_src  := $(wildcard lib/*.c)
face_src := $(wildcard backends/*.c)
cmd_src  := $(wildcard cmd/*.c)
out_src  := $(wildcard lib/out/*.c)
seal_src := $(wildcard lib/seal/*.c)
keyring_src := $(wildcard lib/keyring/*.c)
udev_src := $(wildcard lib/udev/*.c)
luks_src := $(filter-out lib/luks/plugin.c,$(wildcard lib/luks/*.c))
# A backend without a directory has no body: it can only be listed. Linked are those that need no library of their own.
backend_names := $(patsubst backends/%/,%,$(wildcard backends/*/))
$(foreach b,$(backend_names),$(eval $(b)_src := $(wildcard backends/$(b)/*.c)))
body_src := $(foreach b,$(backend_names),$($(b)_src))
linked   := soft
linked_src := $(face_src) $(foreach b,$(linked),$($(b)_src))
plugin_src := $(wildcard lib/luks/plugin.c lib/luks/luks-token.c)
all_src  := $(lib_src) $(face_src) $(cmd_src) $(out_src) $(seal_src) $(keyring_src) $(udev_src) $(luks_src) $(body_src) lib/luks/plugin.c
modules  := out keyring udev luks $(filter-out $(linked),$(backend_names))
module_so := $(modules:%=$(moddir)/%.so)
objs      = $(patsubst %.c,$(B)/%.o,$(1))

out_libs  = $(LIBS_smartcols)
keyring_libs = $(LIBS_keyutils)
udev_libs = $(LIBS_udev)
tpm2_libs = $(LIBS_tss2) $(LIBS_json) $(LIBS_crypto)
luks_libs = $(LIBS_cryptsetup) $(LIBS_json) $(LIBS_blkid)

ifneq ($(V),1)
Q = @printf '  %-7s %s\n' $1 $(patsubst $(B)/%,%,$@);
endif

all: $(bin) $(module_so) $(plugin) $(B)/hwkey $(B)/hwkey.bash ## the binary, its modules and the token plug-in

$(B)/hwkey: $(bin)
	@ln -sfn $(patsubst $(B)/%,%,$(bin)) $@

# The words that never change stand in the bash completion itself: completing them runs nothing.
$(B)/hwkey.bash: completions/hwkey.bash $(bin)
	$(call Q,GEN)$(RUN) $(bin) --complete > $@.words && sed -e '/^@WORDS@$$/{r $@.words' -e 'd;}' $< > $@ && rm $@.words

$(bin): $(call objs,$(cmd_src) $(seal_src) $(linked_src)) $(B)/libhwkey.a
	$(call Q,LD)mkdir -p $(@D) && $(CC) $(all_cflags) $(all_ldflags) -pie -o $@ $^ $(LIBS_popt) $(LIBS_md)

$(B)/libhwkey.a: $(call objs,$(lib_src))
	$(call Q,AR)rm -f $@ && $(AR) rcs $@ $^

define module_rule
$(moddir)/$(1).so: $(call objs,$($(1)_src)) $(B)/libhwkey.a
	$$(call Q,SO)mkdir -p $$(@D) && $$(CC) $$(all_cflags) $$(all_ldflags) -shared -Wl,--exclude-libs,ALL -o $$@ $$^ $$($(1)_libs)
endef
$(foreach m,$(modules),$(eval $(call module_rule,$(m))))

$(plugin): $(call objs,$(plugin_src) $(linked_src)) $(B)/libhwkey.a lib/luks/plugin.sym
	$(call Q,SO)mkdir -p $(@D) && $(CC) $(all_cflags) $(all_ldflags) -shared -Wl,--version-script=lib/luks/plugin.sym \
		-o $@ $(filter %.o %.a,$^) $(LIBS_cryptsetup) $(LIBS_json)

# Where the modules are, seen from the two objects that load them. (A sanitizer's dlopen() takes itself for the origin.)
rel_bin    := $(shell realpath -m --relative-to='$(BINDIR)' '$(MODULEDIR)')
rel_plugin := $(shell realpath -m --relative-to='$(or $(TOKENDIR),/)' '$(MODULEDIR)')
module_dir  = $(if $(SANITIZE),$(abspath $(moddir)),$$ORIGIN/$(1))
$(B)/cmd/main.o: extra = -DMODULE_DIR='"$(call module_dir,$(rel_bin))"' -DHWKEY_VERSION='"$(VERSION)"'
$(B)/lib/luks/plugin.o: extra = -DMODULE_DIR='"$(call module_dir,$(rel_plugin))"' -DHWKEY_VERSION='"$(VERSION)"'
$(B)/lib/crypto.o: extra := -DLIBCRYPTO='"$(LIBCRYPTO)"'
$(B)/cmd/dlopen-notes.o: extra := -DSONAME_SMARTCOLS='"$(SONAME_smartcols)"' -DSONAME_CRYPTO='"$(SONAME_crypto)"' \
	-DSONAME_CRYPTSETUP='"$(SONAME_cryptsetup)"' -DSONAME_KEYUTILS='"$(SONAME_keyutils)"' \
	-DSONAME_UDEV='"$(SONAME_udev)"'
$(B)/cmd/doctor.o: extra := -DTOKENDIR='"$(TOKENDIR)"'

$(B)/%.o: %.c $(B)/flags
	$(call Q,CC)mkdir -p $(@D) && $(CC) $(all_cppflags) $(all_cflags) $(extra) -MMD -MP -c -o $@ $<

# Rebuild everything when the compiler, the flags or the places change.
flags_now := $(CC) $(all_cppflags) $(all_cflags) $(all_ldflags) $(rel_bin) $(rel_plugin) $(VERSION)
ifneq ($(file <$(B)/flags),$(flags_now))
$(B)/flags: FORCE
endif
$(B)/flags:
	@mkdir -p $(@D)
	$(file >$@,$(flags_now))

# ---------------------------------------------------------------------------------------------------------------------
# Unit tests: tests/unit/NAME.c is linked with the whole library, the objects of every module and the simulated hardware.
unit_src := $(wildcard tests/unit/*.c)
units    := $(unit_src:tests/unit/%.c=$(B)/unit/%)
sim_src  := $(wildcard tests/sim/*.c)
support_src := $(wildcard tests/support/*.c)
unit_objs = $(call objs,$(support_src) $(sim_src) $(seal_src) $(luks_src) $(body_src) $(face_src)) $(B)/libhwkey.a
$(B)/tests/support/module-dir.o: extra := -DMODULE_DIR='"$(abspath $(moddir))"'
unit_libs = $(LIBS_cmocka) $(LIBS_tss2) $(LIBS_cryptsetup) $(LIBS_json) $(LIBS_blkid) $(LIBS_crypto) $(LIBS_md) $(LIBS_popt)

$(B)/unit/%: tests/unit/%.c $(unit_objs)
	$(call Q,LD)mkdir -p $(@D) && $(CC) $(all_cppflags) $(all_cflags) -Wno-missing-prototypes -MMD -MP -MF $@.d $(all_ldflags) -o $@ \
		$< -Wl,--allow-multiple-definition $(filter %.o %.a,$^) $(unit_libs)

export B
check: deps all $(units) check-unit check-cli check-faults-quick check-kernel ## build all and run every test; LAB=off: none that boots a kernel

check-unit: all $(units)
	@set -e; for t in $(units); do $(RUN) $$t; done

check-cli: all $(B)/fault/tpmat
	tests/named $(or $(CLI),tests/cli)

# Faults and figures. What runs with other compilers or flags has a build tree of its own.
fault_tools := $(B)/fault/faultat $(B)/fault/naive $(B)/fault/tpmat
$(B)/fault/%: tests/fault/%.c
	$(call Q,LD)mkdir -p $(@D) && $(CC) -D_GNU_SOURCE $(warn) -O2 -o $@ $<

check-faults-quick: all $(fault_tools)
	tests/fault/all --quick

check-faults: deps all $(fault_tools) ## a fault at every system call, every state after a power cut, writers, cores (an hour or two)
	tests/fault/all

$(B)/bench/%: tests/bench/%.c $(call objs,tests/support/module-dir.c $(linked_src)) $(B)/libhwkey.a
	$(call Q,LD)mkdir -p $(@D) && $(CC) $(all_cppflags) $(all_cflags) -MMD -MP $(all_ldflags) -o $@ $(filter %.c %.o %.a,$^)

bench: deps all $(B)/bench/commits ## figures against tests/bench/budget.tsv; WRITE=1 makes them the budget
	tests/bench/bench $(if $(WRITE),--write)

# Each kernel of the lab is made once, in the user's cache.
lab: deps ## the test kernel that 'make check-kernel' boots (4 min, once)
	tests/kernel/modules-build

# The simulated cards of IBM Z as a program for a guest, and clients of them.
sim_tools := $(B)/sim/cards $(B)/sim/pkey $(B)/sim/rewrap
$(B)/sim/%: tests/kernel/%.c $(call objs,$(sim_src)) $(B)/libhwkey.a
	$(call Q,LD)mkdir -p $(@D) && $(CC) $(all_cppflags) $$($(PKG_CONFIG) --cflags fuse3) $(all_cflags) -MMD -MP -MF $@.d \
		$(all_ldflags) -o $@ $< $(filter %.o %.a,$^) $$($(PKG_CONFIG) --libs fuse3) $(LIBS_crypto)

check-kernel: deps all $(sim_tools) ## tests in kernels of their own (User-mode Linux), as root of a guest; LAB=off leaves them out
ifeq ($(LAB),off)
	@echo 'LAB=off: NOT RUN: tests/kernel, all that needs a kernel of its own'
else
	kernel=$$(tests/kernel/modules-build) && LAB_KERNEL=$$kernel tests/named $(filter-out %/stock.bats,$(wildcard tests/kernel/*.bats))
endif

# And what is tagged 'stock' of the tests of the other ring.
check-stock-kernel: deps-lab all ## tests on Debian's own kernel in an emulated machine (QEMU), which takes 8 s to start
	@tests/kernel/stock-build >/dev/null
	RING=stock tests/named --filter-tags stock $(patsubst %,tests/kernel/%.bats,stock luks tpm2)

# Other architectures: by Debian's cross compilers, with the libraries of its packages for them. CLI=tests/cli: all command
# tests; without it those that tell architectures apart and do not take an emulator minutes.
arch_cli := $(patsubst %,tests/cli/%.bats,core doctor exit-status keys plugin seal)
check-s390x check-ppc64le check-arm64: check-%: deps-arch all ## tests of a cross build, emulated; and files taken to and fro
	+tests/kernel/arch/in $* tests/kernel/arch/build $* all check-unit check-cli CLI='$(or $(CLI),$(arch_cli))'
	tests/kernel/arch/in $* bats tests/kernel/arch

check-arch: deps-arch all ## Debian's kernels for s390x, ppc64le and arm64 booted in QEMU, with a cross build
	+set -e; for a in $(arches); do tests/kernel/arch/build $$a all; tests/kernel/arch/boot $$a; done

check-asan: ## unit and command tests with AddressSanitizer and UBSan
	+ASAN_OPTIONS=detect_odr_violation=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		$(MAKE) B=build-asan SANITIZE=address,undefined deps all check-unit run-asan

# Plain cryptsetup would load a plug-in made for AddressSanitizer without its run-time library: those tests are left out.
run-asan: $(B)/fault/tpmat
	@echo 'not run with sanitizers: tests/cli/plugin.bats, which loads the plug-in into plain cryptsetup'
	timeout 1800 tests/named $(filter-out %/plugin.bats,$(wildcard tests/cli/*.bats))

check-valgrind: ## unit tests and some commands under memcheck
	+$(MAKE) B=build-valgrind CFLAGS='-Og -g' deps all run-valgrind

fuzz: ## each parser for FUZZ_SECONDS (600); findings in build-fuzz/found; T=NAME: only that one
	+$(MAKE) B=build-fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined deps run-fuzz

run-valgrind: $(units)
	tests/valgrind $(units)

FUZZ_SECONDS ?= 600
fuzzers := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/$(or $(T),*).c))
run-fuzz: $(fuzzers)
	@for t in $(fuzzers); do n=$${t##*/}; log=$(B)/found/$$n.log; mkdir -p $(B)/found $(B)/corpus/$$n; \
		ASAN_OPTIONS=detect_odr_violation=0 $$t -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$(B)/found/$$n- \
			$(B)/corpus/$$n tests/fuzz/corpus/$$n >$$log 2>&1 || { tail -n 40 $$log; echo "$$n: see $(B)/found"; exit 1; }; \
		echo "$$n: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) executions, no finding"; done

# Each module's hwkey_module is in these programs; the first one wins, and none is used.
$(B)/fuzz/%: tests/fuzz/%.c $(unit_objs)
	$(call Q,LD)mkdir -p $(@D) && $(CC) $(all_cppflags) $(all_cflags) -fsanitize=fuzzer -Wno-missing-prototypes $(all_ldflags) -o $@ \
		$< -Wl,--allow-multiple-definition $(filter %.o %.a,$^) $(unit_libs)

# cmd -> lib <- backends: the layers may not include each other the other way round.
lint: all ## layers, style, shell, man pages, symbols of the product; and that clang has nothing to say
	+$(MAKE) B=build-clang CC=clang WERROR=1 all
	.ci/lint

deps: $(B)/deps.stamp ## install what is missing to build and test (needs root, else prints the command)

deps-lab: deps ## and what emulates other machines for the tests
	.ci/deps lab

deps-arch: deps ## and what compiles for other architectures and emulates them (180 MB)
	.ci/deps arch

demo: deps all ## the main job on real input, step by step
	examples/demo

examples := $(wildcard examples/*.service examples/*.timer examples/tpm-*)

install: all ## to DESTDIR and PREFIX
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MODULEDIR) $(DESTDIR)$(TOKENDIR) $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR) $(DESTDIR)$(FISHCOMPDIR)
	install -m 755 $(bin) $(DESTDIR)$(BINDIR)/hwkey
	install -m 644 $(module_so) $(DESTDIR)$(MODULEDIR)
	install -m 644 $(plugin) $(DESTDIR)$(TOKENDIR)
	install -m 644 $(wildcard man/*.5) $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(wildcard man/*.7) $(DESTDIR)$(MANDIR)/man7
	install -m 644 $(wildcard man/*.8) $(DESTDIR)$(MANDIR)/man8
	install -m 644 $(B)/hwkey.bash $(DESTDIR)$(BASHCOMPDIR)/hwkey
	install -m 644 completions/_hwkey $(DESTDIR)$(ZSHCOMPDIR)/_hwkey
	install -m 644 completions/hwkey.fish $(DESTDIR)$(FISHCOMPDIR)/hwkey.fish
	install -d $(DESTDIR)$(EXAMPLEDIR)
	install -m 644 $(examples) $(DESTDIR)$(EXAMPLEDIR)

uninstall: ## what install put there
	rm -f $(DESTDIR)$(BINDIR)/hwkey $(module_so:$(moddir)/%=$(DESTDIR)$(MODULEDIR)/%) \
		$(DESTDIR)$(TOKENDIR)/libcryptsetup-token-hwkey.so $(patsubst man/%,$(DESTDIR)$(MANDIR)/man5/%,$(wildcard man/*.5)) \
		$(patsubst man/%,$(DESTDIR)$(MANDIR)/man7/%,$(wildcard man/*.7)) \
		$(patsubst man/%,$(DESTDIR)$(MANDIR)/man8/%,$(wildcard man/*.8)) $(DESTDIR)$(BASHCOMPDIR)/hwkey \
		$(DESTDIR)$(ZSHCOMPDIR)/_hwkey $(DESTDIR)$(FISHCOMPDIR)/hwkey.fish $(examples:examples/%=$(DESTDIR)$(EXAMPLEDIR)/%)
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(MODULEDIR) $(DESTDIR)$(EXAMPLEDIR)

clean: ## remove the build tree
	rm -rf $(B)

help: ## this list
	@sed -nE 's/^([a-z0-9 -]+):.*## (.*)/  \1@\2/p' Makefile | column -t -s @

FORCE:
.PHONY: all check check-unit check-cli check-kernel check-stock-kernel check-arch $(arches:%=check-%) deps-lab deps-arch check-faults check-faults-quick check-asan run-asan check-valgrind run-valgrind fuzz run-fuzz bench lab lint deps demo install uninstall clean help FORCE
-include $(patsubst %.c,$(B)/%.d,$(all_src) $(sim_src) $(support_src)) $(units:%=%.d) $(sim_tools:%=%.d)
