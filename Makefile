# The two commands are `make demo` and `make test`; the rest is what they are made of.

BUILD := .build
NESTLING := $(BUILD)/nestling/nestling.elf
LODGER := $(BUILD)/lodger/lodger
# The demo makes a network namespace and a tap of its own.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
# With the Swift runtime inside, the VMM starts sooner, takes less memory, and runs on hosts that
# have no Swift.
RELEASE := -c release --static-swift-stdlib
SOURCES := Package.swift Sources Tests Benchmarks Fuzz

# Where `install` puts things; DESTDIR goes before all of them, for those who make packages.
PREFIX ?= /usr/local
BIN := $(DESTDIR)$(PREFIX)/bin/martlet
BASH_COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions/martlet
ZSH_COMPLETION := $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_martlet
FISH_COMPLETION := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/martlet.fish
SCRIPT := $(BUILD)/release/martlet --generate-completion-script

.PHONY: install uninstall demo test soak golden build nestling lodger lab lab-bench bench fuzz lint format model setup clean help

help: ## Lists these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Installs the Debian packages that are missing
	@Tools/setup

build: setup nestling ## Builds martlet (release) and the test guest
	swift build $(RELEASE) --product martlet

install: ## Installs what `make build` built, and completions, below PREFIX (/usr/local)
	@test -x $(BUILD)/release/martlet || { echo "make build comes first" >&2; exit 1; }
	install -D -m 755 $(BUILD)/release/martlet "$(BIN)"
	@$(SCRIPT) bash >$(BUILD)/martlet.bash
	@$(SCRIPT) zsh >$(BUILD)/martlet.zsh
	@$(SCRIPT) fish >$(BUILD)/martlet.fish
	install -D -m 644 $(BUILD)/martlet.bash "$(BASH_COMPLETION)"
	install -D -m 644 $(BUILD)/martlet.zsh "$(ZSH_COMPLETION)"
	install -D -m 644 $(BUILD)/martlet.fish "$(FISH_COMPLETION)"

uninstall: ## Removes what `install` put there
	rm -f "$(BIN)" "$(BASH_COMPLETION)" "$(ZSH_COMPLETION)" "$(FISH_COMPLETION)"

nestling: setup ## Builds the test guest
	@$(MAKE) --no-print-directory -C Guests/Nestling OUT=$(CURDIR)/$(BUILD)/nestling

lodger: setup ## Builds what works inside Linux guests
	@$(MAKE) --no-print-directory -C Guests/Lodger OUT=$(CURDIR)/$(BUILD)/lodger

demo: build ## Boots a guest and moves it live, for a person to watch
	$(AS_ROOT) $(BUILD)/release/martlet demo --guest $(NESTLING)

test: build lodger ## Runs all tests that this machine can run
	@Tools/test

soak: ## Runs SOAK_SEEDS (10000) random migrations in the simulation, or only SEED
	SOAK_SEEDS=$(or $(SOAK_SEEDS),10000) $(if $(SEED),MARTLET_SIMULATION_SEED=$(SEED)) \
		swift test -c release -Xswiftc -enable-testing --scratch-path .build-test \
		--filter MigrationTests.RandomMigrationTests

golden: ## Records the streams of this version anew, as long as it is not released
	MARTLET_RECORD_STREAMS=1 swift test --filter 'GoldenStreamTests/record\('

lab: build lodger ## Runs Linux guests in the nested lab, or only SCENARIO
	@Lab/lab $(SCENARIO)

lab-bench: build lodger ## Measures Linux guests beside those of QEMU, in ROUNDS (20)
	@Lab/compare --rounds $(or $(ROUNDS),20)

bench: build ## Runs every benchmark, or those in BENCH: `name value unit goal met|missed`
	swift build $(RELEASE) --product MartletBench
	@Tools/bench $(BENCH)

fuzz: ## Builds the fuzz targets and runs each for FUZZ_SECONDS (10)
	@Tools/fuzz

model: ## Checks the ownership protocol exhaustively
	@Tools/model/run

lint: ## Checks formatting and rules of style
	swift format lint --strict --recursive --parallel $(wildcard $(SOURCES)) Guests

format: ## Formats all Swift code
	swift format --in-place --recursive --parallel $(wildcard $(SOURCES)) Guests

clean: ## Removes what was built
	rm -rf $(BUILD)
