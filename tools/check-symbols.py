#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What libguard.a exports, imports and keeps: exactly the functions of lib/guard.sym, only the harmless functions of
lib/imports.allow, and no data that can be written.

usage: tools/check-symbols.py LIBGUARD.a   compare (also the default: build/lib/libguard.a)
       tools/check-symbols.py --update [LIBGUARD.a]   write what is exported to lib/guard.sym
       tools/check-symbols.py --self-test
The library must be built without sanitizers and without link-time optimisation.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SYM = os.path.join(ROOT, "lib", "guard.sym")
ALLOW = os.path.join(ROOT, "lib", "imports.allow")
WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss)(?!\.rel\.ro)(\.|$)|^COMMON$")


def readelf(option, library):
    return subprocess.run(["readelf", option, "--wide", library], capture_output=True, text=True, check=True).stdout


def symbols(library):
    """({exported}, {hidden}, {imported}) names."""
    exported, hidden, imported = set(), set(), set()
    for line in readelf("--syms", library).splitlines():
        parts = line.split()
        if len(parts) < 8 or parts[4] not in ("GLOBAL", "WEAK"):
            continue
        name = parts[7].split("@")[0]
        if parts[6] == "UND":
            imported.add(name)
        elif parts[5] == "DEFAULT":
            exported.add(name)
        else:
            hidden.add(name)
    return exported, hidden, imported - exported - hidden


def writable(library):
    member = "?"
    for line in readelf("--sections", library).splitlines():
        if line.startswith("File: "):
            member = line.split("(")[-1].rstrip(")")
        match = re.match(r"\s*\[\s*\d+\]\s+(\S+)\s+\S+\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)", line)
        if match and WRITABLE.match(match.group(1)) and int(match.group(2), 16) != 0:
            yield f"{member}: {match.group(1)} has {int(match.group(2), 16)} bytes of data that can be written"


def names(path):
    if not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        return {line.split("#")[0].strip() for line in file} - {""}


def problems(library, exports, allowed):
    exported, hidden, imported = symbols(library)
    for name in sorted(exported - exports):
        yield f"exported but not in lib/guard.sym: {name} (new interface? tools/check-symbols.py --update)"
    for name in sorted(exports - exported):
        yield f"in lib/guard.sym but not exported: {name}"
    for name in sorted(exported):
        if not name.startswith("guard_"):
            yield f"public names begin with guard_: {name}"
    for name in sorted(hidden):
        if not name.startswith("gd_"):
            yield f"internal names begin with gd_: {name}"
    patterns = [re.compile(name.replace("*", ".*") + "$") for name in allowed]
    for name in sorted(imported):
        if not any(pattern.match(name) for pattern in patterns):
            yield f"the library may not call {name} (lib/imports.allow)"
    yield from writable(library)


def self_test():
    good = "int gd_a(void); int gd_a(void) { return 1; }\n" + \
        '__attribute__((visibility("default"))) int guard_a(void); int guard_a(void) { return gd_a(); }\n'
    cases = [
        (good, None),
        (good + '__attribute__((visibility("default"))) int guard_b; ', "not in lib/guard.sym: guard_b"),
        ("int gd_a(void); int gd_a(void) { return 1; }\n", "not exported: guard_a"),
        (good + "int helper(void); int helper(void) { return 1; }\n", "begin with gd_: helper"),
        (good + "void *malloc(unsigned long); void *gd_m(void); void *gd_m(void) { return malloc(3); }\n", "may not call malloc"),
        (good + "int gd_n(void); int gd_n(void) { static int n; return n++; }\n", "can be written"),
        (good + "static const char *const t[] = {\"a\", \"b\"}; const char *gd_t(int i);"
                "const char *gd_t(int i) { return t[i]; }\n", None),
    ]
    failed = 0
    for source, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["gcc", "-xc", "-O1", "-fPIC", "-fvisibility=hidden", "-c", "-o", folder + "/a.o", "-"],
                           input=source, text=True, check=True)
            subprocess.run(["ar", "rcs", folder + "/a.a", folder + "/a.o"], check=True)
            found = list(problems(folder + "/a.a", {"guard_a"}, {"_GLOBAL_OFFSET_TABLE_", "memcpy"}))
        if bool(found) != bool(expected) or expected and not any(expected in text for text in found):
            failed += 1
            print(f"self-test: expected {expected}: {found}", file=sys.stderr)
    print(f"check-symbols: self-test: {len(cases) - failed} of {len(cases)}")
    return failed


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        return self_test()
    update = arguments[:1] == ["--update"]
    rest = arguments[1:] if update else arguments
    library = rest[0] if rest else os.path.join(ROOT, "build", "lib", "libguard.a")
    if update:
        with open(SYM, "w", encoding="utf-8") as file:
            file.write("# What libguard exports; tools/check-symbols.py --update writes it, a review reads it.\n")
            file.writelines(name + "\n" for name in sorted(symbols(library)[0]))
        print(f"check-symbols: lib/guard.sym has {len(names(SYM))} names")
        return 0
    found = list(problems(library, names(SYM), names(ALLOW)))
    for text in found:
        print(f"lib: {text}", file=sys.stderr)
    print(f"check-symbols: {'ok' if not found else f'{len(found)} violations'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
