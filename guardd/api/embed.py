#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C file of a text file's bytes: embed.py SOURCE OUTPUT. gcc 12 and clang 14 have no #embed."""
import pathlib
import sys

text = pathlib.Path(sys.argv[1]).read_bytes()
lines = [", ".join(str(byte) for byte in text[i:i + 24]) for i in range(0, len(text), 24)]
pathlib.Path(sys.argv[2]).write_text(
    "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by embed.py. */\n#include \"guardd/api/openapi.h\"\n\n"
    "const unsigned char api_openapi_text[] = {\n" + ",\n".join(lines) + "};\n"
    f"const size_t api_openapi_len = {len(text)};\n")
