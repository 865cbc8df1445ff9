# rtvmd: the only build file. `make help` lists the targets.
#
# Sources are found by folder, in layer order; objects go to $(BUILD). Variables a packager or a test sets: CC CFLAGS
# LDFLAGS BUILD SANITIZE DESTDIR PREFIX V (V=1 shows the commands).

BUILD ?= build
PREFIX ?= /usr/local
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
STATIC_CFLAGS ?= -Os
TEST_JOBS ?= $(shell nproc)
# For a make below this one whose work is long: all CPUs, unless the user has said how many.
ALL_CPUS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(TEST_JOBS))
LAYERS := rtvmd/base hostprobe store runtime api rtvmd
PACKAGES := libvirt libvirt-qemu yaml-0.1 sqlite3 jansson libxml-2.0 libisofs-1 libarchive numa libevent_core libevent_extra libseccomp
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PACKAGE_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lmbedtls -lmbedx509 -lmbedcrypto

# STATIC=1: everything into one static-pie file. libvirt's client and a small libxml2 come from rtvmd/static/build.sh, the
# rest from Debian's archives; name services and library loading are wrapped (name_services.c there), parts nobody uses
# are left out (left_out.c, no_unwinding.ld).
ifdef STATIC
STATIC_LIBS ?= build/static-libs
PACKAGE_CFLAGS := -isystem $(STATIC_LIBS)/include -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
comma := ,
WRAPPED := getaddrinfo freeaddrinfo getnameinfo getpwuid getpwuid_r getpwnam getpwnam_r getgrgid getgrgid_r getgrnam \
	getgrnam_r getgrouplist initgroups getprotobynumber getservbyname dlopen dlsym dlclose dlerror
PACKAGE_LIBS := -static-pie -s -Wl,--gc-sections -Wl,--no-eh-frame-hdr -Wl,-T,rtvmd/static/no_unwinding.ld -Wl,-z,pack-relative-relocs -Wl,--fatal-warnings $(WRAPPED:%=-Wl$(comma)--wrap=%) -Wl,--start-group \
	$(STATIC_LIBS)/lib/libvirt.a $(STATIC_LIBS)/lib/libxml2.a -lglib-2.0 -lgobject-2.0 -lgio-2.0 -lgmodule-2.0 \
	-lpcre2-8 -lffi -ltirpc -lyaml -lsqlite3 -ljansson -lisofs -ljte -larchive -lacl -lnettle -llzma -lzstd -llz4 -lbz2 -lz \
	-lnuma -levent_core -levent_extra -lseccomp -lmbedtls -lmbedx509 -lmbedcrypto -lm -Wl,--end-group
STATIC_SOURCES := rtvmd/static/gnutls_standin.c rtvmd/static/name_services.c rtvmd/static/left_out.c
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wno-format-truncation -Wvla \
	-Wconversion -Wno-sign-conversion -Wundef -Wwrite-strings -Wimplicit-fallthrough
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE
OUR_CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. $(WARN) $(HARDEN) -pthread $(if $(WERROR),-Werror)
OUR_LDFLAGS := $(if $(STATIC),,-pie) -pthread -Wl,-z,relro,-z,now,-z,noexecstack
ifdef SANITIZE
SANITIZER := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(findstring -O0,$(CFLAGS)),)
OUR_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

SOURCES := $(wildcard rtvmd/base/*.c hostprobe/*.c store/*.c runtime/*.c runtime/*/*.c api/*.c api/*/*.c rtvmd/*.c)
OBJ := $(BUILD)/obj
LIB_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(filter-out rtvmd/main.c,$(SOURCES)))
LIBRARY := $(OBJ)/librtvmd.a
PROGRAM := $(BUILD)/rtvmd
STATIC_OBJECTS := $(STATIC_SOURCES:%.c=$(OBJ)/%.o)

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/scenario/test_*.c))
GOLDEN_TESTS := $(wildcard tests/golden/test_*.sh)
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/bench_*.c))
# Fakes stand in for the real thing: linked before the archive, so the archive's member is never pulled in.
FAKES := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/scenario/fake_*.c))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))
define link
$(call say,LINK,$@)
$(Q)mkdir -p $(@D)
$(Q)$(CC) $(CFLAGS) $(SANITIZER) $(LDFLAGS) $(OUR_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS)
endef

all: $(PROGRAM) ## Build $(BUILD)/rtvmd (the default)

$(PROGRAM): $(OBJ)/rtvmd/main.o $(STATIC_OBJECTS) $(LIBRARY)
	$(link)

$(LIBRARY): $(LIB_OBJECTS) $(OBJ)/linked.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(OBJ)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(OUR_CFLAGS) $(PACKAGE_CFLAGS) $(CFLAGS) $(SANITIZER) -MMD -MP -c -o $@ $<

$(OBJ)/linked.c: rtvmd/dist/linked.sh $(if $(STATIC),$(STATIC_LIBS)/built)
	$(Q)mkdir -p $(@D)
	$(Q)rtvmd/dist/linked.sh c $(if $(STATIC),$(STATIC_LIBS)) >$@
$(OBJ)/linked.o: $(OBJ)/linked.c
	$(Q)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(SANITIZER) -c -o $@ $<

# A test program includes the .c it tests; the archive gives it everything else.
$(BUILD)/tests/unit/%: $(OBJ)/tests/unit/%.o $(LIBRARY)
	$(link)
$(BUILD)/tests/bench/%: $(OBJ)/tests/bench/%.o $(LIBRARY)
	$(link)
$(BUILD)/tests/integration/%: $(OBJ)/tests/integration/%.o $(LIBRARY)
	$(link)
$(BUILD)/tests/fuzz/%: $(OBJ)/tests/fuzz/%.o $(LIBRARY) # by tests/fuzz/run.sh, with clang
	$(link)
$(BUILD)/tests/scenario/%: $(OBJ)/tests/scenario/%.o $(FAKES) $(LIBRARY)
	$(link)

# The probe guest: a bare-metal 32-bit program, assembled into a raw disk image that probe_image.c embeds. It has its
# own flags: no library, no hardening that needs one, nothing of CFLAGS or SANITIZE.
GUEST := runtime/latency/guest
GUEST_OBJECTS := $(patsubst %,$(OBJ)/%.o,$(wildcard $(GUEST)/*.S $(GUEST)/*.c))
GUEST_CFLAGS := -m32 -march=i686 -Os -std=gnu17 -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only -I. $(WARN)
PROBE_IMAGE := $(OBJ)/$(GUEST)/probe.img

$(OBJ)/$(GUEST)/%.o: $(GUEST)/%
	$(call say,GUEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) $(if $(WERROR),-Werror) -MMD -MP -c -o $@ $<
$(OBJ)/$(GUEST)/probe.elf: $(GUEST)/guest.ld $(GUEST_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(LD) -m elf_i386 -T $^ -o $@
$(PROBE_IMAGE): $(OBJ)/$(GUEST)/probe.elf
	$(Q)$(OBJCOPY) -O binary --gap-fill 0 -j .boot -j .program $< $@
$(OBJ)/runtime/latency/probe_image.o: $(PROBE_IMAGE)
$(OBJ)/runtime/latency/probe_image.o: OUR_CFLAGS += -Wa,-I$(OBJ)/$(GUEST)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

static: ## Build $(BUILD)/static/rtvmd: one static-pie file that needs nothing of the host
	@sh tests/setup/deps.sh static
	@rtvmd/static/build.sh $(BUILD)/static-libs
	+@$(MAKE) --no-print-directory $(ALL_CPUS) BUILD=$(BUILD)/static STATIC=1 STATIC_LIBS=$(BUILD)/static-libs CFLAGS="$(STATIC_CFLAGS)" all
	@rtvmd/static/check.sh $(BUILD)/static/rtvmd

reproducible: ## Two static builds from clean checkouts, compared byte by byte; FULL=1 compiles libvirt twice as well
	@rtvmd/static/reproduce.sh $(if $(FULL),full)

deps: ## Install what building, running and testing need (Debian packages; root or sudo)
	@sh tests/setup/deps.sh

demo: ## Install, build, and run a real-time VM from a KubeVirt manifest, proven thread by thread
	@sh tests/setup/demo.sh

test: ## Unit, golden, scenario and integration tests, then a sanitizer build of the unit tests
	@sh tests/setup/deps.sh
	+@sh tests/setup/test.sh

test-fast: $(PROGRAM) $(UNIT_TESTS) ## Only what needs no root and no daemon: unit, scenario, golden
	@BUILD=$(BUILD) TEST_JOBS=$(TEST_JOBS) tests/run $(UNIT_TESTS) $(GOLDEN_TESTS)

unit: $(UNIT_TESTS)
	@BUILD=$(BUILD) TEST_JOBS=$(TEST_JOBS) tests/run $(UNIT_TESTS)

golden: $(PROGRAM) ## Rewrite the expected files of the golden tests; review the diff
	@for t in $(GOLDEN_TESTS); do BUILD=$(BUILD) GOLDEN=rewrite $$t; done

asan: ## The unit and golden tests with address and undefined-behavior sanitizers
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined CFLAGS='-O1 -g' test-fast

fuzz: ## Each fuzz target for FUZZ_SECONDS (60) with libFuzzer
	+@sh tests/fuzz/run.sh

bench: $(PROGRAM) $(BENCHES) ## Measurements against their budgets; PART="place scale" runs those only
	@sh tests/setup/deps.sh bench
	@BUILD=$(BUILD) PART="$(PART)" sh tests/bench/run.sh

test-static: $(PROGRAM) static ## All integration tests with the static binary
	@BUILD=$(BUILD) RTVMD_BINARY=$(abspath $(BUILD))/static/rtvmd tests/run $(wildcard tests/integration/test_*.sh)

test-fresh: static ## The static binary, and the package under systemd, on a minimal Debian with libvirt and QEMU
	@BUILD=$(BUILD) TEST_TIMEOUT=1800 tests/run tests/fresh/plain.sh tests/fresh/package.sh

test-edge: static ## The edge host: a two-node PREEMPT_RT machine in a VM, end to end; PART=tune: its tuning, PART=shapes: VMs over nodes and siblings
	@BUILD=$(BUILD) PART="$(PART)" sh tests/edge/run.sh

lint: ## Layers, house rules, formatting, clang-tidy, cppcheck, shellcheck
	@BUILD=$(BUILD) sh tests/lint/lint.sh

format: ## Run clang-format over our sources
	@clang-format -i $$(git ls-files '*.c' '*.h')

# What is installed: INSTALLED=build/static/rtvmd takes the static program. The configuration is written once and kept.
INSTALLED ?= $(PROGRAM)
SHARE := $(DESTDIR)$(PREFIX)/share
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system
CONFIGURATION := $(DESTDIR)/etc/rtvmd/rtvmd.yaml
INSTALLED_FILES := $(DESTDIR)$(PREFIX)/bin/rtvmd $(SHARE)/man/man8/rtvmd.8 $(SHARE)/man/man5/rtvmd.yaml.5 \
	$(SHARE)/man/man5/rtvmd-manifest.5 $(SHARE)/bash-completion/completions/rtvmd $(SHARE)/zsh/site-functions/_rtvmd \
	$(UNITS)/rtvmd.service $(UNITS)/rtvmd.socket $(DESTDIR)$(PREFIX)/lib/sysusers.d/rtvmd.conf \
	$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/rtvmd.conf $(SHARE)/doc/rtvmd/unprivileged.conf

install: $(INSTALLED) ## Install below $(DESTDIR)$(PREFIX): program, manual pages, completions, unit files
	install -d $(dir $(INSTALLED_FILES))
	install -m 0755 $(INSTALLED) $(DESTDIR)$(PREFIX)/bin/rtvmd
	$(INSTALLED) manual rtvmd >$(SHARE)/man/man8/rtvmd.8
	$(INSTALLED) manual rtvmd.yaml >$(SHARE)/man/man5/rtvmd.yaml.5
	$(INSTALLED) manual rtvmd-manifest >$(SHARE)/man/man5/rtvmd-manifest.5
	$(INSTALLED) completion bash >$(SHARE)/bash-completion/completions/rtvmd
	$(INSTALLED) completion zsh >$(SHARE)/zsh/site-functions/_rtvmd
	sed 's|/usr/bin/rtvmd|$(PREFIX)/bin/rtvmd|' rtvmd/dist/rtvmd.service >$(UNITS)/rtvmd.service
	install -m 0644 rtvmd/dist/rtvmd.socket $(UNITS)/rtvmd.socket
	install -m 0644 rtvmd/dist/rtvmd.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/rtvmd.conf
	install -m 0644 rtvmd/dist/rtvmd.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/rtvmd.conf
	install -m 0644 rtvmd/dist/unprivileged.conf $(SHARE)/doc/rtvmd/unprivileged.conf
	[ -e $(CONFIGURATION) ] || { install -d $(dir $(CONFIGURATION)) && $(INSTALLED) manual sample >$(CONFIGURATION); }
	@[ -n "$(DESTDIR)" ] || echo "next: systemd-sysusers; systemctl daemon-reload; systemctl enable --now rtvmd"

uninstall: ## Remove what install put there; a changed configuration and the state folder stay
	@if [ -x $(DESTDIR)$(PREFIX)/bin/rtvmd ] && $(DESTDIR)$(PREFIX)/bin/rtvmd manual sample | cmp -s - $(CONFIGURATION); then \
		rm -f $(CONFIGURATION); rmdir $(dir $(CONFIGURATION)); \
	elif [ -e $(CONFIGURATION) ]; then echo "kept: $(CONFIGURATION), which was changed"; fi
	rm -f $(INSTALLED_FILES)

deb: static ## A Debian package of the static program, and its bill of materials, in $(BUILD)/deb
	@rtvmd/dist/deb.sh $(BUILD)/static/rtvmd $(BUILD)/deb
	@rtvmd/dist/linked.sh spdx $(BUILD)/static-libs >$(BUILD)/deb/rtvmd.spdx.json

clean: ## Remove $(BUILD)
	rm -rf $(BUILD)

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: all static reproducible deps demo test test-fast unit golden asan fuzz bench test-static test-fresh test-edge lint format install uninstall deb clean help
.DELETE_ON_ERROR:
.SECONDARY:
