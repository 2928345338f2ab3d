#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing here has threads, so nothing is tested under ThreadSanitizer. This holds only as long as it is checked: the first
header, call or atomic of threads outside of what stands below is refused until its tests run under ThreadSanitizer."""
import re

import checklib

# File: what it may hold, and why ThreadSanitizer isn't needed for it.
ALLOWED = {
    # Between processes through a mapped file: what the reader copies may be overwritten meanwhile, which it detects.
    "common/ring.c": {"__atomic"},
    "common/ring_reader.c": {"__atomic"},
    # Between nginx's workers through memory that they share; what readers copy is checked by its sequence number.
    "common/join_table.c": {"__atomic"},
    # Programs in the kernel, which run on all processors at once; what they share are its maps.
    "podwatch/bpf/podwatch.bpf.c": {"__sync"},
    "responder/bpf/contain.bpf.c": {"__sync"},
    # The library's one thread; main() only waits for a signal.
    "demo/service.c": {"microhttpd.h", "MHD threads"},
    # guardd runs the library in its own loop: none of its flags for threads.
    "guardd/api/server.c": {"microhttpd.h"},
}
HEADERS = {"pthread.h", "threads.h", "stdatomic.h", "semaphore.h", "microhttpd.h", "uv.h", "ev.h", "ngx_thread.h", "ngx_thread_pool.h"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"](?:[^>"\n]*/)?([^>"/\n]+)[>"]', re.M)
WORD = re.compile(r"\b(?:(pthread|thrd|mtx|cnd|tss|atomic|ngx_thread)_\w+|(__atomic|__sync)_\w+|(_Atomic|_Thread_local|__thread|thread_local)\b"
                  r"|(MHD_USE_\w*THREAD\w*|MHD_OPTION_THREAD_POOL_SIZE)\b)")
MESON = re.compile(r"dependency\(\s*'(threads)'|-(pthread)\b|find_library\(\s*'(pthread)'")
C_FOLDERS = ("lib/", "include/", "common/", "hosts/", "guardd/", "guard/", "podwatch/", "responder/", "demo/", "tests/", "fuzz/", "bench/")
ADVICE = "means threads: run its tests under ThreadSanitizer (tools/test.sh), then allow it in tools/check-threads.py"


def found_in_c(text):
    for match in INCLUDE.finditer(checklib.blank(text, strings=False)):
        if match.group(1) in HEADERS:
            yield match.start(), match.group(1), match.group(1)
    blanked = checklib.blank(text)
    for match in WORD.finditer(blanked):
        family = next(group for group in match.groups() if group)
        yield match.start(), match.group(), "MHD threads" if family.startswith("MHD_") else family


def check(root):
    for path in checklib.files(root, ".c", ".h"):
        if not path.startswith(C_FOLDERS):
            continue
        text = checklib.read(root, path)
        for offset, what, family in found_in_c(text):
            if family not in ALLOWED.get(path, ()):
                yield path, checklib.line_of(text, offset), f"{what} {ADVICE}"
    for path in checklib.files(root, "meson.build"):
        text = checklib.read(root, path)
        for match in MESON.finditer(text):
            yield path, checklib.line_of(text, match.start()), f"{match.group()} {ADVICE}"


FIXTURES = [
    ({"guardd/a.c": "#include <pthread.h>\n"}, "a.c:1: pthread.h means threads"),
    ({"lib/base/a.c": "#include <stdint.h>\n#  include <stdatomic.h>\n"}, "a.c:2: stdatomic.h means threads"),
    ({"guardd/http.c": "#include <microhttpd.h>\n"}, "microhttpd.h means threads"),
    ({"demo/service.c": "#include <microhttpd.h>\nint f = MHD_USE_INTERNAL_POLLING_THREAD;\n"}, None),
    ({"guardd/api/server.c": "#include <microhttpd.h>\nint f = MHD_USE_EPOLL;\n"}, None),
    ({"guardd/api/server.c": "#include <microhttpd.h>\nint f = MHD_USE_INTERNAL_POLLING_THREAD;\n"}, "server.c:2: MHD_USE_INTERNAL_POLLING_THREAD means"),
    ({"demo/service.c": "#include <threads.h>\n"}, "threads.h means threads"),
    ({"common/a.c": "void f(void)\n{\n    pthread_create(&t, 0, g, 0);\n}\n"}, "a.c:3: pthread_create means threads"),
    ({"common/ring.c": "void f(void) { __atomic_store_n(&x, 1, __ATOMIC_RELEASE); }\n"}, None),
    ({"common/file.c": "void f(void) { __atomic_store_n(&x, 1, __ATOMIC_RELEASE); }\n"}, "__atomic_store_n means threads"),
    ({"common/ring.c": "static _Atomic int x;\n"}, "_Atomic means threads"),
    ({"guard/a.c": "static _Thread_local int x;\n"}, "_Thread_local means threads"),
    ({"hosts/nginx/a.c": "/* pthread_create */ char *s = \"#include <pthread.h>\"; int thread_count, my_pthread_x;\n"}, None),
    ({"hosts/nginx/a.c": "void f(void) { ngx_thread_task_post(pool, task); }\n"}, "ngx_thread_task_post means threads"),
    ({"guardd/meson.build": "executable('guardd', 'a.c', dependencies: [dependency('threads')])\n"}, "meson.build:1: dependency('threads' means"),
    ({"guardd/meson.build": "executable('guardd', 'threads.c')\n"}, None),
]

if __name__ == "__main__":
    checklib.main(check, FIXTURES)
