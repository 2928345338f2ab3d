#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The architecture as include lines: layers, who may see what, and each third-party header in one file only."""
import os
import re

import checklib

# A layer may include itself and what stands before its group; groups stand side by side.
GROUPS = [["base"], ["sketch", "http"], ["profile", "detect"], ["patch"], ["policy"], ["learn", "decide"], ["client", "pods"]]
ALLOWED = {layer: {layer} | {below for group in GROUPS[:rank] for below in group}
           for rank, group in enumerate(GROUPS) for layer in group}

# Third-party headers and the one file of the product that may include each; tests, tools and the demo are not the product.
THIRD_PARTY = {
    "sodium.h": "lib/base/crypto.c",
    # What of it takes memory of its own, which lib/ may not.
    "sodium/core.h": "common/secret.c",
    "sodium/crypto_pwhash.h": "common/secret.c",
    "sodium/utils.h": "common/secret.c",
    "sodium/crypto_auth_hmacsha256.h": "common/hmac.c",  # others' signatures, which lib/ doesn't make
    "sodium/crypto_hash_sha256.h": "common/sha256.c",  # as others name files
    "xxhash.h": "lib/base/hash.c",
    "sqlite3.h": "guardd/store/sqlite.c",
    "libpq-fe.h": "guardd/store/postgres.c",
    "curl/curl.h": "common/http_client.c",
    "microhttpd.h": "guardd/api/server.c",
    "jansson.h": "common/",
    "yaml.h": "common/",
    "pcre2.h": "common/patterns/regexes.c",
    "hs/hs_runtime.h": "common/patterns/database.c",
    "hs/hs_compile.h": "common/patterns/database_build.c",
    "openssl/err.h": "common/certificates.c",
    "openssl/evp.h": "common/certificates.c",
    "openssl/pem.h": "common/certificates.c",
    "openssl/rand.h": "common/certificates.c",
    "openssl/x509.h": "common/certificates.c",
    "openssl/x509v3.h": "common/certificates.c",
    "bpf/bpf.h": "common/bpf/kernel_object.c",
    "bpf/btf.h": "common/bpf/kernel_object.c",
    "bpf/libbpf.h": "common/bpf/kernel_object.c",
    "bpf/bpf_core_read.h": "podwatch/bpf/podwatch.bpf.c",
    "bpf/bpf_helpers.h": ("podwatch/bpf/podwatch.bpf.c", "responder/bpf/contain.bpf.c"),
    "bpf/bpf_tracing.h": "podwatch/bpf/podwatch.bpf.c",
    "zlib.h": ("guard/traffic_file.c", "common/decoder_zlib.c"),  # its files, and its streams
    "brotli/decode.h": "common/decoder_brotli.c",
    "zstd.h": "common/decoder_zstd.c",
    "zstd_errors.h": "common/decoder_zstd.c",
}
# What of the C library is left for code without I/O, clock, threads and heap.
LIB_SYSTEM = {
    "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h",  # vsnprintf only: check-banned and check-symbols see the rest
    "string.h", "sanitizer/asan_interface.h",
    "emmintrin.h", "immintrin.h", "smmintrin.h", "tmmintrin.h", "arm_neon.h",
}
SYSTEM = re.compile(
    r"(assert|complex|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|ftw|getopt|glob|grp|ifaddrs|libgen|limits|locale|malloc|math|netdb|poll|"
    r"pthread|pwd|regex|sched|setjmp|signal|spawn|stdio|stdlib|string|strings|syslog|termios|time|ucontext|unistd|wait|float|"
    r"inttypes|iso646|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdnoreturn|threads|uchar|wchar)\.h$"
    r"|(sys|linux|arpa|net|netinet|asm|sanitizer)/|[a-z]+intrin\.h$|arm_neon\.h$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
PROGRAMS = ("guardd/", "guard/", "hosts/", "podwatch/", "responder/")
PRODUCT = ("lib/", "include/", "common/") + PROGRAMS


def includes(root, path):
    text = checklib.blank(checklib.read(root, path), strings=False)
    return [(checklib.line_of(text, m.start()), m.group(1) == '"', m.group(2)) for m in INCLUDE.finditer(text)]


def exists(root, path):
    return os.path.isfile(os.path.join(root, path))


def check_quoted(root, path, target):
    """The reason why this file may not include "target", or None."""
    folder = os.path.dirname(path)
    if ".." in target.split("/"):
        return "no '..' in includes"
    if path.startswith("include/"):
        return "public headers include only <...>"
    if path.startswith("lib/"):
        if "/" not in target or not exists(root, "lib/" + target):
            return f'"{target}" is not spelled from the root of lib/'
        layer = folder.split("/")[1] if "/" in folder else ""
        if target.split("/")[0] not in ALLOWED.get(layer, ()):
            return f"layer {layer} may not include layer {target.split('/')[0]}"
        return None
    if path.startswith("common/"):
        return None if target.startswith("common/") and exists(root, target) else "common/ includes only <guard/...> and common/"
    if path.startswith(PROGRAMS):
        if target.startswith("common/") and exists(root, target) or exists(root, os.path.join(folder, target)):
            return None
        # "guard/x.h" would be taken for a public header.
        if target.startswith(path.split("/")[0] + "/") and not target.startswith("guard/") and exists(root, target):
            return None
        return "programs and hosts include only <guard/...>, \"common/...\" and their own headers"
    return None


def check_angle(root, path, target, users):
    if target.startswith("guard/"):
        return None if exists(root, "include/" + target) else f"<{target}> is not a public header"
    if not path.startswith(PRODUCT):
        return None
    if target in THIRD_PARTY:
        users.setdefault(target, []).append(path)
        owner = THIRD_PARTY[target]
        if isinstance(owner, tuple):
            return None if path in owner else f"<{target}> belongs to {' and '.join(owner)} alone"
        fits = path.startswith(owner) if owner.endswith("/") else path == owner
        return None if fits and not path.endswith(".h") else f"<{target}> belongs to {owner} alone"
    if path.startswith(("lib/", "include/")):
        return None if target in LIB_SYSTEM else f"<{target}> has no place in the library"
    if path.startswith("hosts/nginx/") and target.startswith("ngx_"):
        return None
    return None if SYSTEM.match(target) else f"<{target}> is a third-party header without an owner (tools/check-includes.py)"


def own_header(root, path):
    stem = path[:-2]
    if exists(root, stem + ".h"):
        return stem + ".h"
    public = "include/guard/" + os.path.basename(stem) + ".h"
    return public if path.startswith("lib/") and exists(root, public) else None


def same_header(path, own, quoted, target):
    if own.startswith("include/"):
        return not quoted and "include/" + target == own
    return quoted and own in ("lib/" + target, target, os.path.join(os.path.dirname(path), target))


def check(root):
    users = {}
    for path in checklib.files(root, ".c", ".h"):
        found = includes(root, path)
        for line, quoted, target in found:
            reason = check_quoted(root, path, target) if quoted else check_angle(root, path, target, users)
            if reason:
                yield path, line, reason
        own = own_header(root, path) if path.endswith(".c") and path.startswith(PRODUCT) else None
        # nginx wants its own configuration before anything else.
        if own and not path.startswith("hosts/nginx/") and not (found and same_header(path, own, *found[0][1:])):
            yield path, 1, f"includes its own header ({own}) first"
    for path in checklib.files(root, ".h"):
        # Whether <guard/x.h> means it would hang on the order of -I options.
        if path.startswith("guard/") and exists(root, "include/" + path):
            yield path, 1, "a public header has the same name; call it something else"
    for target, paths in users.items():
        if len(paths) > 1 and not isinstance(THIRD_PARTY[target], tuple):
            for path in paths:
                yield path, 1, f"<{target}> is included by {len(paths)} files; one owns it"


PUBLIC = {"include/guard/error.h": "", "lib/base/span.h": "", "lib/http/json.h": "", "common/file.h": ""}
FIXTURES = [
    (PUBLIC | {"guard/error.h": ""}, "a public header has the same name"),
    (PUBLIC | {"lib/http/x.c": '#include "base/span.h"\n#include <guard/error.h>\n#include <string.h>\n'}, None),
    (PUBLIC | {"lib/base/x.c": '#include "http/json.h"\n'}, "layer base may not include layer http"),
    (PUBLIC | {"lib/sketch/x.c": '#include "http/json.h"\n'}, "layer sketch may not include layer http"),
    (PUBLIC | {"lib/http/x.c": '#include "json.h"\n'}, "not spelled from the root"),
    (PUBLIC | {"lib/http/x.c": '#include "../base/span.h"\n'}, "no '..'"),
    (PUBLIC | {"lib/http/x.c": '#include "common/file.h"\n'}, "not spelled from the root"),
    (PUBLIC | {"lib/http/x.c": "#include <unistd.h>\n"}, "no place in the library"),
    (PUBLIC | {"lib/http/x.c": "#include <sodium.h>\n"}, "belongs to lib/base/crypto.c"),
    (PUBLIC | {"lib/http/x.c": "/* #include <unistd.h> */\n"}, None),
    (PUBLIC | {"lib/http/json.c": '#include <string.h>\n#include "http/json.h"\n'}, "own header"),
    (PUBLIC | {"lib/base/error.c": '#include "base/span.h"\n'}, "own header"),
    (PUBLIC | {"common/file.c": '#include "common/file.h"\n#include <errno.h>\n'}, None),
    (PUBLIC | {"common/a.c": '#include "base/span.h"\n'}, "common/ includes only"),
    (PUBLIC | {"common/a.c": "#include <yaml.h>\n", "common/b.c": "#include <yaml.h>\n"}, "included by 2 files"),
    (PUBLIC | {"guardd/a.c": '#include "base/span.h"\n'}, "programs and hosts include only"),
    (PUBLIC | {"guardd/a.c": "#include <lz4.h>\n"}, "without an owner"),
    (PUBLIC | {"guardd/a.c": "#include <guard/none.h>\n"}, "not a public header"),
    (PUBLIC | {"guard/a.h": "", "guard/a.c": '#include "a.h"\n'}, None),
    (PUBLIC | {"guard/a.h": "", "guard/b.c": '#include "guard/a.h"\n'}, "programs and hosts include only"),
    (PUBLIC | {"include/guard/a.h": '#include "base/span.h"\n'}, "public headers include only"),
]

if __name__ == "__main__":
    checklib.main(check, FIXTURES)
