#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C file of a file's bytes, since gcc 12 and clang 14 have no #embed.

usage: tools/embed.py SOURCE OUTPUT HEADER BYTES LENGTH
HEADER declares both: extern const unsigned char BYTES[]; extern const size_t LENGTH;
"""
import pathlib
import sys

source, output, header, bytes_name, length_name = sys.argv[1:]
content = pathlib.Path(source).read_bytes()
lines = [", ".join(str(byte) for byte in content[i:i + 24]) for i in range(0, len(content), 24)]
pathlib.Path(output).write_text(
    f"/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by tools/embed.py. */\n#include \"{header}\"\n\n"
    f"_Alignas(8) const unsigned char {bytes_name}[] = {{\n" + ",\n".join(lines) + "};\n"
    f"const size_t {length_name} = {len(content)};\n")
