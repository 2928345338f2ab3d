#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes lib/detect/likeness_keywords.h of the sets of words in likeness_sets.h, and checks that it is what they make: one
table of all words by first byte and length, each with the sets that hold it.

usage: tools/check-likeness-words.py            compare
       tools/check-likeness-words.py --update   write the table
       tools/check-likeness-words.py --self-test
"""

import pathlib
import re
import sys

DETECT = pathlib.Path(__file__).resolve().parent.parent / "lib" / "detect"
HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/* Words of all sets, by first byte; made by tools/check-likeness-words.py, not to be edited. */
#ifndef GD_DETECT_LIKENESS_KEYWORDS_H
#define GD_DETECT_LIKENESS_KEYWORDS_H

#include <stdint.h>

enum { GD_LK_KEYWORD_MAX = 31 };

struct gd_lk_keyword {
    char text[GD_LK_KEYWORD_MAX];
    uint8_t len;
    uint64_t sets; /* bit per enum gd_lk_set */
};

"""


def slot(word):
    """As gd_lk_slot: letters, then '_', then digits."""
    if word[0].isalpha():
        return ord(word[0]) - ord("a")
    return 26 if word[0] == "_" else 27


def table(source):
    sets = re.findall(r'GD_LK_SET\(\s*(\w+),\s*((?:"[^"]*"\s*)+)\)', source)
    words = {}
    for number, (_, texts) in enumerate(sets):
        for word in "".join(re.findall(r'"([^"]*)"', texts)).split():
            words[word] = words.get(word, 0) | 1 << number
    assert len(sets) <= 64 and max(map(len, words)) < 31
    order = sorted(words, key=lambda word: (slot(word), len(word), word))
    text = HEAD + "/* clang-format off */\nstatic const struct gd_lk_keyword gd_lk_keywords[] = {\n"
    for word in order:
        text += f'    {{"{word}", {len(word)}, UINT64_C(0x{words[word]:x})}},\n'
    text += "};\n\n/* The first word of each slot and length; the last entry is the end. */\n"
    text += "static const uint16_t gd_lk_keyword_first[28 * 32 + 1] = {\n"
    firsts = [sum((slot(word), len(word)) < divmod(at, 32) for word in order) for at in range(28 * 32 + 1)]
    for at in range(0, len(firsts), 16):
        text += "    " + " ".join(f"{first}," for first in firsts[at:at + 16]) + "\n"
    text += "};\n\n#endif\n"
    return text


def self_test():
    text = table('GD_LK_SET(A, "or and")\nGD_LK_SET(B, "or "\n"_x")')
    assert '{"or", 2, UINT64_C(0x3)}' in text and '{"and", 3, UINT64_C(0x1)}' in text, text
    assert text.index('"and"') < text.index('"or"') < text.index('"_x"'), text


def main():
    if "--self-test" in sys.argv:
        self_test()
        print("check-likeness-words self-test: ok")
        return 0
    path = DETECT / "likeness_keywords.h"
    text = table((DETECT / "likeness_sets.h").read_text())
    if "--update" in sys.argv:
        path.write_text(text)
    elif path.read_text() != text:
        print(f"{path.name} isn't what tools/check-likeness-words.py makes: run it with --update", file=sys.stderr)
        return 1
    print("check-likeness-words: ok")
    return 0


sys.exit(main())
