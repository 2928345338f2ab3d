#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions that are banned everywhere, and those that are banned in the library, which has no I/O, clock, heap or exit."""
import re

import checklib

EVERYWHERE = {
    "atoi", "atol", "atoll", "atof", "strtok", "sprintf", "vsprintf", "gets", "strcpy", "strcat", "stpcpy", "strncat", "alloca",
    "tmpnam", "mktemp", "system", "popen", "rand", "srand",
}
LIBRARY = {
    "malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "printf", "fprintf", "vprintf", "vfprintf", "puts",
    "fputs", "putchar", "fopen", "fread", "fwrite", "open", "read", "write", "close", "mmap", "time", "clock", "clock_gettime",
    "gettimeofday", "localtime", "gmtime", "abort", "exit", "_exit", "getenv", "setlocale", "getrandom", "random", "strtod",
    "pthread_create", "pthread_mutex_lock", "sleep", "usleep", "signal", "raise", "qsort_r", "strerror", "setjmp", "longjmp",
}
C_FOLDERS = ("lib/", "include/", "common/", "hosts/", "guardd/", "guard/", "podwatch/", "responder/", "demo/", "tests/", "fuzz/", "bench/")
# Not a member (x->free, x.free), not a part of a name.
CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
STATIC = re.compile(r"^static\b[^;{}()=]*?\b(\w+)\(", re.M)
EFFECT = re.compile(r"\bassert\s*\([^;]*(\+\+|--|[^=!<>]=[^=])[^;]*\)\s*;")


def check(root):
    for path in checklib.files(root, ".c", ".h"):
        if not path.startswith(C_FOLDERS):
            continue
        text = checklib.blank(checklib.read(root, path))
        # In the library a static function may be called `write`; what is imported check-symbols knows.
        banned = EVERYWHERE | (LIBRARY - set(STATIC.findall(text)) if path.startswith("lib/") else set())
        for match in CALL.finditer(text):
            if match.group(1) in banned:
                yield path, checklib.line_of(text, match.start()), f"{match.group(1)}() is banned here"
        for match in EFFECT.finditer(text):
            yield path, checklib.line_of(text, match.start()), "assert() with a side effect"


FIXTURES = [
    ({"common/a.c": "int f(void) { return atoi(x); }\n"}, "atoi() is banned"),
    ({"common/a.c": "/* atoi(x) */ char *s = \"atoi(x)\"; void f(void) { free(s); a_atoi(s); }\n"}, None),
    ({"lib/base/a.c": "void f(void) { source->free(source->ctx, p); arena.free(p); }\n"}, None),
    ({"lib/base/a.c": "void f(void) { free(p); }\n"}, "free() is banned"),
    ({"lib/base/a.c": "void f(void)\n{\n    x = malloc\n        (3);\n}\n"}, "a.c:3: malloc() is banned"),
    ({"lib/base/a.c": "static void write(int x)\n{\n}\nvoid f(void) { write(1); }\n"}, None),
    ({"lib/base/a.c": "static void f(int x)\n{\n    write(1);\n}\n"}, "write() is banned"),
    ({"lib/base/a.c": "void f(void) { assert(x == 3 && y <= 2); }\n"}, None),
    ({"lib/base/a.c": "void f(void) { assert(x = 3); }\n"}, "side effect"),
    ({"tests/a.c": "void f(void) { assert(x++ < 3); }\n"}, "side effect"),
]

if __name__ == "__main__":
    checklib.main(check, FIXTURES)
