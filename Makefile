# SPDX-License-Identifier: Apache-2.0
# A thin front: what to build is said by meson.build, how each step goes by tools/.
.PHONY: all build ui run test test-gcc mutants faults vulnerable legs check format bench soak fuzz install setup clean

# Another build folder, when the clone can't be written.
GUARD_BUILD ?= build
export GUARD_BUILD

all: build

setup:
	@tools/setup.sh build test

build:
	@tools/build.sh "$(GUARD_BUILD)" -Dtests=false
	@tools/ui.sh build "$(GUARD_BUILD)" || [ $$? = 77 ]

# The web console alone, into GUARD_BUILD/console.
ui:
	@tools/ui.sh build "$(GUARD_BUILD)"

run: build
	@tools/run.sh

test:
	@tools/test.sh

# The tests in C under gcc's sanitizers, which find much the same as clang's that `make test` has.
test-gcc:
	@tools/setup.sh build test
	@tools/build.sh build-asan -Db_sanitize=address,undefined
	@meson test -C build-asan --no-rebuild --print-errorlogs --timeout-multiplier 10

# The gate in an nginx built with sanitizers, and in nginx of newer Debian releases, where these can be had; takes half an hour.
legs: build
	@tools/legs/nginx-asan.sh; tools/legs/newer-nginx.sh

# Plants each defect of tests/mutants in a copy and sees that the tests notice it; takes half an hour.
mutants: build
	@tools/setup.sh test
	@tools/mutants.py

# Kills, stops, full disks, databases that go away, hostile peers: the tests of docs/internals/faults.md, and its table with what they said.
faults: build
	@tools/setup.sh test
	@tools/faults.py

# Really vulnerable services and published exploits of them; prints the table of docs/guide/patches.md.
vulnerable: build
	@tools/setup.sh test
	@tools/vulnerable.py

check:
	@tools/setup.sh build test
	@tools/check.sh

format:
	@tools/check-format.sh --fix

bench: build
	@tools/setup.sh bench
	@bench/run.sh

soak:
	@tools/soak.sh

fuzz:
	@tools/fuzz.sh $(SECONDS_EACH)

# Programs, module, library and headers, below DESTDIR and the prefix given to meson (default /usr/local).
install: build
	@meson install -C "$(GUARD_BUILD)" --no-rebuild

clean:
	rm -rf ui/node_modules ui/dist build build-asan build-clang build-fuzz build-results build-victims
