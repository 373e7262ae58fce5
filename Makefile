# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tcpward: "make help" lists the targets. Everything that is made lies below build/.
VERSION := 0.1.0
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share

CC := gcc
O := build
NO_LIBXDP ?=
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
MAKEFLAGS += --no-print-directory -r

# One short line per product; V=1 shows the commands.
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-5s %s\n' $(1) $(2);
endif

.PHONY: all deps run test test-kernels unit tests real soak fuzz fuzz-short fuzz-selftest bench install install-unit uninstall man docs vmlinux clean format help
all: $(O)/tcpward

help:
	@echo 'make             builds build/tcpward'
	@echo 'make run         installs what is missing, builds, and shows a lab of real connections (root)'
	@echo 'make run DEV=X   the same, then watches interface X'
	@echo 'make test        installs what is missing, builds, and runs all tests (root)'
	@echo 'make test-kernels  boots other kernels under QEMU, and watches a connection in each (root)'
	@echo 'make fuzz-short  installs clang'"'"'s fuzzer, and fuzzes each target for 60 s'
	@echo 'make fuzz        the same for FUZZ_TIME=600 s each; fuzz-selftest: mistakes are planted, which it must find'
	@echo 'make unit        builds and runs the tests that need no privilege'
	@echo 'make real        the tracker against the sockets of this kernel for 80 s: random use, hostile segments (root)'
	@echo 'make soak        two hours of 1,000 connections a second on the clock of replay: some minutes (root)'
	@echo 'make bench       measures (root)'
	@echo 'make bench-peers measures beside other tools; QUICK=1: a minute of it (root)'
	@echo 'make NO_LIBXDP=1 the program, as where there is no libxdp: it joins no other XDP program; O=DIR: not into build/'
	@echo 'make deps        installs what is missing'
	@echo 'make install     DESTDIR= PREFIX=/usr/local; also: uninstall'
	@echo 'make man docs    man pages; docs/ from the tables of include/tcpward.h'
	@echo 'make examples    the examples of findings in README.md, from the tests (root)'
	@echo 'make vmlinux     vmlinux/vmlinux.h anew, from this kernel'
	@echo 'make format clean'

# ---- targets that may have to install things first: they call make again for the rest ----
AGAIN = $(MAKE) $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc))
as_root = @[ "$$(id -u)" = 0 ] || { echo 'make: this needs root: sudo make $@' >&2; exit 1; }

deps:
	@packaging/deps.sh

run:
	$(as_root)
	@packaging/deps.sh
	@$(AGAIN) all
	@$(O)/tcpward $(if $(DEV),run $(DEV),lab)

test:
	$(as_root)
	@packaging/deps.sh
	@$(AGAIN) all tests
	@tests/run.sh

# What QEMU or a kernel lacks is told by the tests, which are skipped then. Guests wait for timers now and then: one more of them
# than there are processors keeps these at work.
test-kernels:
	$(as_root)
	@packaging/deps.sh
	@packaging/deps.sh vm || true
	@$(AGAIN) all tests
	@tests/vm/fetch
	@TEST_JOBS=$${TEST_JOBS:-$$(($$(nproc) + 1))} tests/run.sh vm

# What fuzzing has found stays in build/fuzz/, and so does what it has learnt: the next run goes on from there.
FUZZ_TIME ?= 600
fuzz fuzz-short fuzz-selftest:
	@packaging/deps.sh
	@packaging/deps.sh fuzz
	@$(AGAIN) $(if $(filter fuzz-selftest,$@),fuzz-planted,fuzz-targets)
	@$(if $(filter fuzz-selftest,$@),,tests/fuzz/run $(if $(filter fuzz,$@),$(FUZZ_TIME),60))

unit:
	@$(AGAIN) unit-tests
	@tests/run.sh unit

real:
	$(as_root)
	@$(AGAIN) all tests
	@REAL_SECONDS=80 REAL_COMPARE=0 tests/run.sh real

soak:
	$(as_root)
	@$(AGAIN) all tests
	@TIME_LIMIT_S=3600 tests/run.sh soak

clean:
	rm -rf $(O)

vmlinux:
	@packaging/tools.sh bpftool >/dev/null || { echo 'make: no bpftool that works - run: sudo make deps' >&2; exit 1; }
	BPFTOOL=$$(packaging/tools.sh bpftool) vmlinux/trim >vmlinux/vmlinux.h.new
	mv vmlinux/vmlinux.h.new vmlinux/vmlinux.h

format:
	clang-format -i $$(find bpf include user tests docs -name '*.[ch]')

# ---- the tools: found once, asked for again when tools.sh changes, or what it is told ----
ifneq ($(filter-out deps run test test-kernels unit real soak fuzz fuzz-short fuzz-selftest bench bench-peers clean vmlinux format help,$(or $(MAKECMDGOALS),all)),)
tools_error := $(shell mkdir -p $(O); { [ $(O)/tools.mk -nt packaging/tools.sh ] && grep -qx '# NO_LIBXDP=$(NO_LIBXDP)' $(O)/tools.mk; } || { \
	CC='$(CC)' NO_LIBXDP='$(NO_LIBXDP)' packaging/tools.sh 2>&1 >$(O)/tools.new && mv $(O)/tools.new $(O)/tools.mk; })
ifneq ($(tools_error),)
$(error $(tools_error))
endif
include $(O)/tools.mk
endif

# ---- BPF programs: each compiled, all linked into one object, its skeleton ----
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -fno-strict-aliasing -Wall -Werror -Iinclude -Ibpf -Ivmlinux $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),-DWARD_X86)
BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJ := $(BPF_SRC:bpf/%.c=$(O)/bpf/%.o)

$(O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile | $(O)/tools.mk
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# Lists of objects, touched when they change: a source that goes away must not stay in what was linked of it.
$(O)/list/%: FORCE
	@mkdir -p $(@D)
	@echo '$($*)' | cmp -s - $@ || echo '$($*)' >$@
.PHONY: FORCE

$(O)/tcpward.bpf.o: $(BPF_OBJ) $(O)/list/BPF_OBJ
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJ)

$(O)/tcpward.skel.h: $(O)/tcpward.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name tcpward_bpf >$@

# ---- the program ----
HARDEN := -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
C_FLAGS = -std=gnu11 -fno-strict-aliasing $(CFLAGS) $(WARN) -D_GNU_SOURCE -DTCPWARD_VERSION='"$(VERSION)"' -Iinclude -Iuser -I$(O) $(LIB_CFLAGS)
LD_FLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS)
USER_SRC := $(sort $(wildcard user/*.c user/*/*.c))
USER_OBJ := $(USER_SRC:%.c=$(O)/%.o)
LIBRARY := $(O)/libtcpward.a

$(O)/user/%.o: user/%.c Makefile $(O)/tools.mk | $(O)/tcpward.skel.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(C_FLAGS) $(HARDEN) -MMD -MP -c $< -o $@

$(LIBRARY): $(filter-out $(O)/user/main.o,$(USER_OBJ)) $(O)/list/USER_OBJ
	$(Q)rm -f $@
	$(Q)ar rcs $@ $(filter %.o,$^)

$(O)/tcpward: $(O)/user/main.o $(LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LD_FLAGS) $^ -o $@ $(LIBS)

# ---- tests: files with a main() are programs; what lies beside them, and in tests/lib, is linked to each ----
# unit: sanitised, against the part of user/ that knows no kernel; the others: against all of user/
SANITISE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
TEST_FLAGS = -std=gnu11 -fno-strict-aliasing $(WARN) -D_GNU_SOURCE -DTCPWARD_VERSION='"$(VERSION)"' -Iinclude -Iuser -Itests -I$(O) -I$(O)/tests $(LIB_CFLAGS)
UNIT_SRC := $(sort $(wildcard user/report/*.c user/capture/*.c user/policy/*.c user/detect/*.c) user/verify/explain.c)
UNIT_OBJ := $(UNIT_SRC:%.c=$(O)/tests/san/%.o)
sources = $(filter-out %.bpf.c,$(wildcard tests/$(1)/*.c))
has_main := ^(int )?main\(
programs = $(if $(call sources,$(1)),$(shell grep -lE '$(has_main)' $(call sources,$(1))))
helpers = $(filter-out $(call programs,$(1)),$(call sources,$(1))) $(wildcard tests/lib/*.c) $($(1)_uses)
find_uses := tests/prog/wire.c
prog_uses := $(wildcard tests/native/*.c)
soak_uses := tests/prog/wire.c tests/prog/rig.c
binaries = $(patsubst tests/$(1)/%.c,$(O)/tests/%,$(call programs,$(1)))
TEST_BPF := $(wildcard tests/*/*.bpf.c)
TEST_SKEL := $(foreach f,$(TEST_BPF),$(O)/tests/$(notdir $(f:.bpf.c=.skel.h)))

unit-tests: $(call binaries,unit)
tests: unit-tests $(addprefix $(O)/tests/tcpward-,rebuilt relaid noxdp) $(call binaries,prog) $(call binaries,find) $(call binaries,net) $(call binaries,real) $(call binaries,soak) $(call binaries,vm) $(O)/gendoc
.PHONY: unit-tests

$(O)/tests/san/%.o: %.c Makefile $(O)/tools.mk
	@mkdir -p $(@D)
	$(call say,CC,"$< (sanitised)")
	$(Q)$(CC) $(TEST_FLAGS) $(SANITISE) -MMD -MP -c $< -o $@

$(O)/tests/obj/%.o: tests/%.c Makefile $(O)/tools.mk | $(O)/tcpward.skel.h $(TEST_SKEL)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(TEST_FLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(O)/tests/libunit.a: $(UNIT_OBJ) $(O)/list/UNIT_OBJ
	$(Q)rm -f $@
	$(Q)ar rcs $@ $(filter %.o,$^)

define unit_program
$(O)/tests/$(notdir $(1:.c=)): $(O)/tests/san/$(1:.c=.o) $(patsubst %.c,$(O)/tests/san/%.o,$(call helpers,unit)) $(O)/tests/libunit.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(SANITISE) $$^ -o $$@ -lcmocka -ljson-c -lpcap -lfyaml -lmnl -lm
endef
$(foreach p,$(call programs,unit),$(eval $(call unit_program,$(p))))

# 1: folder 2: source
define program
$(O)/tests/$(notdir $(2:.c=)): $(2:tests/%.c=$(O)/tests/obj/%.o) $(patsubst tests/%.c,$(O)/tests/obj/%.o,$(call helpers,$(1))) $(LIBRARY)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ -lcmocka $$(LIBS) -lm -lpthread
endef
$(foreach d,prog find net real soak vm bench,$(foreach p,$(call programs,$(d)),$(eval $(call program,$(d),$(p)))))

# Other builds of tcpward, for tests/net/upgrade.sh: of the same layout of the pinned maps, and of another.
$(O)/tests/tcpward-rebuilt: OTHER := -DTCPWARD_VERSION='"0.0.8"'
$(O)/tests/tcpward-relaid: OTHER := -DTCPWARD_VERSION='"0.0.9"' -DWARD_LAYOUT_VERSION=999
$(O)/tests/tcpward-%: user/ward/layout.c $(O)/user/main.o $(LIBRARY)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out -DTCPWARD_VERSION%,$(C_FLAGS)) $(OTHER) $(HARDEN) $(LD_FLAGS) $^ -o $@ $(LIBS)

# ... and as make NO_LIBXDP=1 has it, for tests/net/neighbours.sh and tests/vm.
$(O)/tests/tcpward-noxdp: user/ward/dispatch.c $(O)/user/main.o $(LIBRARY)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out -DWARD_LIBXDP,$(C_FLAGS)) $(HARDEN) $(LD_FLAGS) $^ -o $@ $(filter-out -lxdp,$(LIBS))

define test_skeleton
$(O)/tests/$(notdir $(1:.c=.o)): $(1) Makefile | $(O)/tools.mk
	@mkdir -p $$(@D)
	$$(call say,BPF,$$<)
	$$(Q)$$(CLANG) $$(BPF_CFLAGS) -MMD -MP -c $$< -o $$@
$(O)/tests/$(notdir $(1:.bpf.c=.skel.h)): $(O)/tests/$(notdir $(1:.c=.o))
	$$(Q)$$(BPFTOOL) gen skeleton $$< name $(notdir $(1:.bpf.c=_bpf)) >$$@
endef
$(foreach f,$(TEST_BPF),$(eval $(call test_skeleton,$(f))))

# tests/native compiles headers of bpf/ natively, against words that stand in for libbpf's; frames are read where they lie.
NATIVE := -Itests/native -Ibpf -Ivmlinux
FUZZ_NATIVE := $(NATIVE) -fno-sanitize=alignment
$(O)/tests/obj/native/native.o: TEST_FLAGS := $(TEST_FLAGS) $(NATIVE)
$(O)/fuzz/obj/tests/native/native.o: FUZZ_MORE := $(FUZZ_NATIVE)

# ---- fuzzing: each tests/fuzz/NAME.c is a target for libFuzzer, with the part of user/ that knows no kernel ----
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Wno-unneeded-internal-declaration
FUZZ_LINK = $(CLANG) -fsanitize=fuzzer,address,undefined
FUZZ_LIBS := -ljson-c -lpcap -lfyaml -lm
FUZZ_SRC := $(UNIT_SRC) $(wildcard tests/native/*.c) tests/prog/wire.c
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(O)/fuzz/obj/%.o)
fuzz-targets: $(FUZZ:%=$(O)/fuzz/%)
.PHONY: fuzz-targets fuzz-planted

$(O)/fuzz/obj/%.o: %.c Makefile $(O)/tools.mk
	@mkdir -p $(@D)
	$(call say,CC,"$< (fuzzed)")
	$(Q)$(CLANG) $(TEST_FLAGS) $(FUZZ_CFLAGS) $(FUZZ_MORE) -MMD -MP -c $< -o $@

$(O)/fuzz/libfuzzed.a: $(FUZZ_OBJ) $(O)/list/FUZZ_OBJ
	$(Q)rm -f $@
	$(Q)ar rcs $@ $(filter %.o,$^)

$(O)/fuzz/policy: FUZZ_LD := -Wl,--wrap=open # no file is read but what the target gives
$(FUZZ:%=$(O)/fuzz/%): $(O)/fuzz/%: $(O)/fuzz/obj/tests/fuzz/%.o $(O)/fuzz/libfuzzed.a
	$(call say,LD,$@)
	$(Q)$(FUZZ_LINK) $(FUZZ_LD) $^ -o $@ $(FUZZ_LIBS)

fuzz-planted: fuzz-targets
	@FUZZ_CC='$(CLANG) $(TEST_FLAGS) $(FUZZ_CFLAGS)' FUZZ_NATIVE='$(FUZZ_NATIVE)' FUZZ_LINK='$(FUZZ_LINK)' FUZZ_LIBS='$(FUZZ_LIBS)' tests/fuzz/selftest $(PLANTED)

# ---- bench: every program in turn, then the floods ----
bench-programs: $(call binaries,bench) $(addprefix $(O)/tests/,crowd flood connects opened requests sink.bpf.o shot.bpf.o pass.bpf.o)
.PHONY: bench-programs

bench:
	$(as_root)
	@$(AGAIN) all bench-programs
	@for b in $(call binaries,bench); do $$b || exit; done
	@tests/bench/synflood.sh

# Beside other tools; QUICK=1: a few turns, PARTS="forward:10000 report": these only, WRITE=1: into docs/
bench-peers:
	$(as_root)
	@$(AGAIN) all bench-programs
	@tests/bench/peers.sh $(if $(WRITE),--write) $(PARTS)
.PHONY: bench-peers

# ---- man pages and docs: lines like "@flags@" become tables made from the headers ----
MAN_SRC := $(wildcard man/*.scd)
MAN := $(MAN_SRC:man/%.scd=$(O)/man/%)

GENDOC_SRC := $(wildcard docs/*.c user/detect/*.c) user/report/names.c user/report/nearest.c user/report/tuple.c \
	user/policy/prefix.c user/policy/schema.c user/policy/value.c

$(O)/gendoc: $(GENDOC_SRC) $(wildcard docs/*.h include/*.h user/detect/*.h user/policy/*.h) user/verify/verify.h user/cmd/metrics.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -fno-strict-aliasing $(CFLAGS) $(WARN) -D_GNU_SOURCE -Iinclude -Iuser -Idocs $(GENDOC_SRC) -o $@

# A single word in a cell makes its column as wide as it is, which no text block does, and rows are not held together over the ends
# of pages that nobody prints: else groff warns. ".nh" ends with the next paragraph, but names are searched for whole.
$(O)/man/%: man/%.scd $(O)/gendoc
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)$(O)/gendoc scdoc $< >$@.scd
	$(Q)scdoc <$@.scd | sed -z 's/T{\n\([^ \n][^ \n]*\)\nT}/\1/g' | sed 's/^\.nh$$/.nh\n.nr HY 0/; s/^\.TS$$/.TS\nnokeep;/' >$@

man: $(MAN)

docs: $(patsubst %.in,%.md,$(wildcard docs/*.in))
docs/%.md: docs/%.in $(O)/gendoc
	$(call say,DOC,$@)
	$(Q)$(O)/gendoc markdown $< >$@.new && mv $@.new $@

# README's examples of findings, out of the captures of the tests
examples: all tests
	$(as_root)
	docs/examples.sh README.md
.PHONY: examples

# ---- install ----
EXAMPLES := web-server.yaml router.yaml strict.yaml blocklist.txt trace.pcap
COMPLETIONS := bash-completion/completions/tcpward zsh/site-functions/_tcpward fish/vendor_completions.d/tcpward.fish
UNIT := tcpward@.service
ETCDIR = /etc/tcpward
UNITDIR ?= $(or $(shell pkg-config --variable=systemdsystemunitdir systemd 2>/dev/null),$(PREFIX)/lib/systemd/system)
install: all man install-unit
	install -Dm755 $(O)/tcpward $(DESTDIR)$(SBINDIR)/tcpward
	for m in $(notdir $(MAN)); do install -Dm644 $(O)/man/$$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$$m || exit; done
	for c in $(COMPLETIONS); do mkdir -p $(DESTDIR)$(DATADIR)/$${c%/*} && \
		$(O)/tcpward completion $$(echo $$c | sed 's/[^a-z].*//') >$(DESTDIR)$(DATADIR)/$$c || exit; done
	for e in $(EXAMPLES); do install -Dm644 docs/examples/$$e $(DESTDIR)$(DATADIR)/doc/tcpward/examples/$$e || exit; done

install-unit:
	mkdir -p $(DESTDIR)$(UNITDIR) $(DESTDIR)$(ETCDIR)
	sed 's,@SBINDIR@,$(SBINDIR),' packaging/systemd/$(UNIT) >$(DESTDIR)$(UNITDIR)/$(UNIT)

uninstall:
	rm -f $(DESTDIR)$(UNITDIR)/$(UNIT)
	-[ ! -d $(DESTDIR)$(ETCDIR) ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(ETCDIR)
	rm -f $(DESTDIR)$(SBINDIR)/tcpward $(COMPLETIONS:%=$(DESTDIR)$(DATADIR)/%) $(EXAMPLES:%=$(DESTDIR)$(DATADIR)/doc/tcpward/examples/%)
	for m in $(notdir $(MAN)); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$$m; done

-include $(shell find $(O) -name '*.d' 2>/dev/null)
