#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes lib/detect/leak_table.h from the words below, and checks that it is what they make.

usage: tools/check-leak-table.py            compare
       tools/check-leak-table.py --update   write the table
       tools/check-leak-table.py --self-test

The table is that of Wu and Manber with pairs of bytes: a window of five bytes moves over the text, the last pair in it says how
far it can move on without passing a word, and where that is not at all, words that end with this pair are compared. Of a longer
word, the five bytes with the rarest pairs are looked for. A word of four bytes stands behind any byte: texts begin with a line end.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = "lib/detect/leak_table.h"
WINDOW = 5
WORD_MAX = 45
HASHES = 8192
MULTIPLIER = 0x9E3779B1
ANY = None
COMPARISON = 8  # what comparing words costs, in bytes not skipped
DIGITS = b"0123456789"
LETTERS = bytes(byte for byte in range(256) if chr(byte).isalpha() and byte < 128)
# What may stand before a word of four bytes, by its rule: a secret doesn't begin inside a word, but behind an escaped line end.
OUTSIDE = sorted(set(range(256)) - set(LETTERS + DIGITS + b"_") | set(b"nrt"))
PADS = {"AWS": OUTSIDE, "GOOGLE": OUTSIDE, "TOKEN_36": OUTSIDE, "CARD": OUTSIDE, "ORACLE": OUTSIDE,
        "CLASS": sorted(set(OUTSIDE) - set(b".$")), "V8": sorted(set(range(33, 256)) - set(b'"(<>')),
        "JVM_LINE": sorted(LETTERS + DIGITS + b"_.$"), "SHADOW": sorted(LETTERS + DIGITS + b"_-")}

# (kind, rule, word): the rule, a function of leak_rule.c, says what must stand around the word. A word ends its window never with a
# digit: runs of digits are skipped in search of card numbers.
WORDS = [
    ("STACK_TRACE", "ALONE", "Traceback (most recent call last)"),
    ("STACK_TRACE", "PYTHON", '", line '),
    ("STACK_TRACE", "JVM_LINE", ".java:"),
    ("STACK_TRACE", "JVM_LINE", ".kt:"),
    ("STACK_TRACE", "JVM_LINE", ".scala:"),
    ("STACK_TRACE", "JVM_METHOD", "(Native Method)"),
    ("STACK_TRACE", "JVM_METHOD", "(Unknown Source)"),
    ("STACK_TRACE", "JVM_THREAD", "Exception in thread "),
    ("STACK_TRACE", "JVM_CAUSE", "Caused by: "),
    ("STACK_TRACE", "V8", ".js:"),
    ("STACK_TRACE", "V8", ".mjs:"),
    ("STACK_TRACE", "V8", ".cjs:"),
    ("STACK_TRACE", "V8", ".ts:"),
    ("STACK_TRACE", "V8", ".tsx:"),
    ("STACK_TRACE", "V8_INTERNAL", "node:internal/"),
    ("STACK_TRACE", "RUBY", ".rb:"),
    ("STACK_TRACE", "GO_LINE", ".go:"),
    ("STACK_TRACE", "GO_ROUTINE", "goroutine "),
    ("STACK_TRACE", "ALONE", "panic: runtime error: "),
    ("STACK_TRACE", "DIGIT", ".cs:line "),
    ("STACK_TRACE", "CALL", "   at System."),
    ("STACK_TRACE", "CALL", "   at Microsoft."),
    ("STACK_TRACE", "ALONE", "--- End of inner exception stack trace ---"),
    ("STACK_TRACE", "ALONE", "--- End of stack trace from previous"),
    ("STACK_TRACE", "ALONE", "PHP Fatal error:  "),
    ("STACK_TRACE", "ALONE", "<b>Fatal error</b>:  "),
    ("STACK_TRACE", "ALONE", "Fatal error: Uncaught "),
    ("STACK_TRACE", "ALONE", ".php</b> on line <b>"),
    ("STACK_TRACE", "DIGIT", ".php on line "),
    ("STACK_TRACE", "PHP_TRACE", "Stack trace:"),
    ("STACK_TRACE", "PHP_FRAME", ".php("),
    ("SQL_ERROR", "ALONE", "You have an error in your SQL syntax"),
    ("SQL_ERROR", "ORACLE", "ORA-"),
    ("SQL_ERROR", "SQLSTATE", "SQLSTATE["),
    ("SQL_ERROR", "CLASS", "PG::"),
    ("SQL_ERROR", "NEAR", '": syntax error'),
    ("SQL_ERROR", "QUOTED", "unrecognized token: "),
    ("SQL_ERROR", "NAME", "no such table: "),
    ("SQL_ERROR", "NAME", "no such column: "),
    ("SQL_ERROR", "QUOTED", "syntax error at or near "),
    ("SQL_ERROR", "QUOTED", "unterminated quoted string at or near "),
    ("SQL_ERROR", "EXIST", '" does not exist'),
    ("SQL_ERROR", "ALONE", "invalid input syntax for type "),
    ("SQL_ERROR", "ALONE", "invalid input syntax for integer: "),
    ("SQL_ERROR", "DIGIT", "ORDER BY position "),
    ("SQL_ERROR", "ALONE", "each UNION query must have the same number of"),
    ("SQL_ERROR", "ALONE", "SELECTs to the left and right of UNION "),
    ("SQL_ERROR", "ALONE", "The used SELECT statements have a different"),
    ("SQL_ERROR", "ALONE", "' in 'field list'"),
    ("SQL_ERROR", "ALONE", "' in 'where clause'"),
    ("SQL_ERROR", "ALONE", "' in 'order clause'"),
    ("SQL_ERROR", "ALONE", "Unclosed quotation mark after the character"),
    ("SQL_ERROR", "ALONE", "Incorrect syntax near '"),
    ("SQL_ERROR", "ALONE", "Incorrect syntax near the keyword"),
    ("SQL_ERROR", "CLASS", "psycopg2.errors."),
    ("SQL_ERROR", "CLASS", "psycopg2."),
    ("SQL_ERROR", "CLASS", "sqlite3."),
    ("SQL_ERROR", "CLASS", "pymysql.err."),
    ("SQL_ERROR", "CLASS", "sqlalchemy.exc."),
    ("SQL_ERROR", "CLASS", "MySQLdb._exceptions."),
    ("SQL_ERROR", "CLASS", "java.sql."),
    ("SQL_ERROR", "CLASS", "com.mysql.jdbc."),
    ("SQL_ERROR", "CLASS", "com.mysql.cj.jdbc."),
    ("SQL_ERROR", "CLASS", "org.postgresql.util."),
    ("SQL_ERROR", "CLASS", "com.microsoft.sqlserver.jdbc."),
    ("SQL_ERROR", "CLASS", "org.hibernate.exception."),
    ("SQL_ERROR", "CLASS", "System.Data.SqlClient."),
    ("SQL_ERROR", "CLASS", "Microsoft.Data.SqlClient."),
    ("SQL_ERROR", "CLASS", "Npgsql."),
    ("SQL_ERROR", "ALONE", "SQLITE_ERROR: "),
    ("SQL_ERROR", "ALONE", "ER_PARSE_ERROR"),
    ("SQL_ERROR", "ALONE", "Microsoft OLE DB Provider for "),
    ("SQL_ERROR", "ALONE", "][ODBC SQL Server Driver]"),
    ("SQL_ERROR", "CALL", "Warning: mysqli_"),
    ("SQL_ERROR", "CALL", "Warning: pg_"),
    ("SQL_ERROR", "CALL", "Warning</b>:  mysqli_"),
    ("SQL_ERROR", "CALL", "Warning</b>:  pg_"),
    ("SQL_ERROR", "ALONE", "E11000 duplicate key error collection: "),
    ("SOURCE_CODE", "BLANK", "<?php"),
    ("SOURCE_CODE", "BLANK", "u003c?php"),
    ("SOURCE_CODE", "BLANK", "u003C?php"),
    ("SOURCE_CODE", "BLANK", "<%@ page"),
    ("SOURCE_CODE", "BLANK", "<%@ Page"),
    ("SOURCE_CODE", "BLANK", "<%@page"),
    ("SOURCE_CODE", "BLANK", "<%@ taglib"),
    ("SOURCE_CODE", "BLANK", "<%@ include"),
    ("SOURCE_CODE", "BLANK", "<%@ Import"),
    ("SOURCE_CODE", "BLANK", "<%@ Control"),
    ("SOURCE_CODE", "BLANK", "<%@ WebService"),
    ("SOURCE_CODE", "LINE", "#!/bin/"),
    ("SOURCE_CODE", "LINE", "#!/usr/bin/"),
    ("SOURCE_CODE", "LINE", "#!\\/bin\\/"),
    ("SOURCE_CODE", "LINE", "#!\\/usr\\/bin\\/"),
    ("PRIVATE_KEY", "PEM", "PRIVATE KEY-----"),
    ("PRIVATE_KEY", "PEM", "PRIVATE KEY BLOCK-----"),
    ("CREDENTIAL", "AWS", "AKIA"),
    ("CREDENTIAL", "AWS", "ASIA"),
    ("CREDENTIAL", "TOKEN_36", "ghp_"),
    ("CREDENTIAL", "TOKEN_36", "gho_"),
    ("CREDENTIAL", "TOKEN_36", "ghu_"),
    ("CREDENTIAL", "TOKEN_36", "ghs_"),
    ("CREDENTIAL", "TOKEN_36", "ghr_"),
    ("CREDENTIAL", "TOKEN_36", "github_pat_"),
    ("CREDENTIAL", "TOKEN_20", "xoxb-"),
    ("CREDENTIAL", "TOKEN_20", "xoxp-"),
    ("CREDENTIAL", "TOKEN_20", "xoxa-"),
    ("CREDENTIAL", "TOKEN_20", "xoxr-"),
    ("CREDENTIAL", "TOKEN_20", "xoxs-"),
    ("CREDENTIAL", "GOOGLE", "AIza"),
    ("CREDENTIAL", "TOKEN_20", "sk_live_"),
    ("CREDENTIAL", "TOKEN_20", "rk_live_"),
    ("CREDENTIAL", "TOKEN_20", "glpat-"),
    ("PASSWD", "ROOT", "root:x:0:0:"),
    ("PASSWD", "ACCOUNT", ":/bin/"),
    ("PASSWD", "ACCOUNT", ":/usr/bin/"),
    ("PASSWD", "ACCOUNT", ":/sbin/"),
    ("PASSWD", "ACCOUNT", ":/usr/sbin/"),
    ("PASSWD", "ACCOUNT", ":\\/bin\\/"),
    ("PASSWD", "ACCOUNT", ":\\/usr\\/sbin\\/"),
    ("PASSWD", "SHADOW", ":$1$"),
    ("PASSWD", "SHADOW", ":$5$"),
    ("PASSWD", "SHADOW", ":$6$"),
    ("PASSWD", "SHADOW", ":$y$"),
    ("DIRECTORY", "ALONE", "<title>Index of /"),
    ("DIRECTORY", "ALONE", "<title>Directory listing for /"),
    ("DIRECTORY", "ALONE", "<title>Directory Listing For "),
    ("DIRECTORY", "ALONE", "<title>listing directory /"),
    ("DIRECTORY", "ALONE", ">[To Parent Directory]<"),
]

# What texts look like, roughly: it only decides which part of a word is looked for.
SAMPLE = b"""{"id":10482,"name":"Garden table","price":129.90,"tags":["wood","outdoor","new"],"created_at":"2026-03-14T09:26:53Z","stock":
{"warehouse":"north","count":17},"description":"A table for six persons, made of oiled acacia. It stands outside in summer and inside when
the winter comes. Please note that delivery takes between three and five working days.","links":{"self":"/api/v1/items/10482","image":
"https://static.example.org/images/items/10482/large.jpg"},"active":true,"owner":null,"email":"anna.miller@example.com"}
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Welcome to the shop</title><link rel="stylesheet" href="/style.css">
<script src="/assets/main.js"></script></head><body class="page container"><div class="row item-list"><p>The quick brown fox jumps over
the lazy dog and is not interested in the question of how many things one could know about the administration of this company.</p>
<a href="/products?page=2&amp;sort=name">Next page</a><ul><li>First item of the list</li><li>Another one</li></ul></div></body></html>
function render(options) { var element = document.getElementById("main"); if (options.visible === false) { return null; } for (var i = 0;
i < options.items.length; i++) { element.appendChild(createNode(options.items[i], "text", function (error) { console.log(error); })); }
font-size:14px;margin:0 auto;background-color:#f5f5f5;display:inline-block;error message: the user could not be found, internal error
"""
BYTES = [SAMPLE.count(byte) for byte in range(256)]
PAIRS = {}
for _pair in zip(SAMPLE, SAMPLE[1:]):
    PAIRS[_pair] = PAIRS.get(_pair, 0) + 1


def frequency(pair):
    """Of all pairs with this hash; partly as if bytes came independently, for the sample is short."""
    group = range(pair[0] & ~7, (pair[0] | 7) + 1)
    return sum(PAIRS.get((byte, pair[1]), 0) + 0.3 * BYTES[byte] * BYTES[pair[1]] / len(SAMPLE) for byte in group)


def hash13(pair):
    """Of the first byte the upper five bits: a word behind any byte fills a row of 32 and no more, and digits share with no letter."""
    return pair[1] << 5 | pair[0] >> 3


def windows(word):
    """All windows of a word: (its five bytes, the place of the last one in the word)."""
    pad = max(0, WINDOW - len(word))
    padded = [ANY] * pad + list(word)
    for start in range(len(padded) - WINDOW + 1):
        part = padded[start:start + WINDOW]
        if part[-1] not in DIGITS:
            yield part, start + WINDOW - 1 - pad


def moves_of(part, pad):
    """{pair: how far the window can move when it ends with it}"""
    moves = {}
    for i in range(WINDOW - 1):
        for first in pad if part[i] is ANY else [part[i]]:
            moves[first, part[i + 1]] = WINDOW - 2 - i
    return moves


def lower(table, moves):
    """What a window costs: how much it lowers the moves, weighted by how often its pairs come."""
    cost, seen = 0, {}
    for pair, move in moves.items():
        key = hash13(pair)
        before = min(table[key], seen.get(key, WINDOW))
        if move < before:
            cost += frequency(pair) * (before - move + (COMPARISON if move == 0 else 0))
            seen[key] = move
    return cost


def merge(table, moves):
    for pair, move in moves.items():
        table[hash13(pair)] = min(move, table[hash13(pair)])


def choose(words):
    """([(kind, rule, word, end)], moves by hash). Words without a choice first, then all once more, when the others are known."""
    fixed, chosen = {}, {}
    for digit in DIGITS:
        fixed.update({(other, digit): WINDOW - 2 for other in PADS["CARD"]})
        fixed.update({(other, digit): 0 for other in DIGITS})
    order = sorted(words, key=lambda w: (len(w[2]), w))
    for word in order * 3:
        others = [WINDOW - 1] * HASHES
        merge(others, fixed)
        for text, (moves, _) in chosen.items():
            if text != word[2]:
                merge(others, moves)
        options = [(moves_of(part, PADS.get(word[1], range(256))), end) for part, end in windows(word[2].encode())]
        chosen[word[2]] = min(options, key=lambda option: (lower(others, option[0]), option[1]))
    table = [WINDOW - 1] * HASHES
    for moves in [fixed] + [moves for moves, _ in chosen.values()]:
        merge(table, moves)
    return [(kind, rule, text, chosen[text][1]) for kind, rule, text in words], table


def escape(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tail(row):
    """The last four bytes of the window, as a number of the least first."""
    return int.from_bytes(row[2].encode()[row[3] - 3:row[3] + 1], "little")


def bucket(row):
    return (tail(row) * MULTIPLIER & 0xFFFFFFFF) >> 24


def numbers(values):
    text, line = "", "   "
    for value in values:
        piece = f" {value},"
        if len(line) + len(piece) > 100:
            text, line = text + line + "\n", "   "
        line += piece
    return text + line + "\n"


def table(words):
    rows, moves = choose(words)
    rows = sorted(rows, key=lambda row: (bucket(row), words.index(row[:3])))
    first = [sum(bucket(row) < at for row in rows) for at in range(257)]
    out = ["/* SPDX-License-Identifier: Apache-2.0 */",
           "/* The words that tell leaks and how to skip what holds none; made by tools/check-leak-table.py,",
           " * which explains it. Only leak.c includes it. */",
           "#ifndef GD_DETECT_LEAK_TABLE_H", "#define GD_DETECT_LEAK_TABLE_H", "", '#include "detect/leak_rule.h"', "",
           "/* clang-format off */",
           f"enum {{ LEAK_MOVE_MAX = {WINDOW - 1}, LEAK_WORDS = {len(rows)} }};",
           f"#define LEAK_MULTIPLIER UINT32_C({MULTIPLIER:#x})", "",
           "/* Sorted by the hash of the last four bytes of their windows. */",
           "static const struct gd_leak_word leak_words[LEAK_WORDS] = {"]
    for kind, rule, text, end in rows:
        out.append(f"    {{{escape(text)}, {len(text)}, {end}, GUARD_LEAK_{kind}, GD_LEAK_{rule}}},")
    out += ["};", "", "/* These four bytes, the first one lowest. */", "static const uint32_t leak_tails[LEAK_WORDS] = {",
            numbers([f"{tail(row):#x}" for row in rows]) + "};", "", "/* The words from [hash] to [hash + 1]. */", "static const uint8_t leak_first[257] = {",
            numbers(first) + "};", "", "/* How far a window that ends with a pair can move; 0: look closely. */",
            "static const uint8_t leak_moves[8192] = {", numbers(moves) + "};", "/* clang-format on */", "", "#endif", ""]
    assert len(rows) < 256 and all(len(text) <= WORD_MAX for _, _, text, _ in rows), "too many or too long"
    return "\n".join(out)


def self_test():
    text = table([("SQL_ERROR", "ALONE", "ORA-"), ("CARD", "ALONE", "abcdefgh")])
    assert '{"ORA-", 4, 3, GUARD_LEAK_SQL_ERROR, GD_LEAK_ALONE}' in text, text
    _, moves = choose([("CARD", "ALONE", "xy#zz")])
    found = [moves[hash13(pair.encode())] for pair in ("xy", "y#", "#z", "zz", "12", "-1", "H1", "ee")]
    assert found == [3, 2, 1, 0, 0, 3, 4, 4], found
    try:
        choose([("CARD", "ALONE", "1234")])
    except ValueError:
        return
    raise AssertionError("a word that can only end with a digit must be refused")


def main():
    if "--self-test" in sys.argv:
        self_test()
        print("check-leak-table self-test: ok")
        return 0
    path = os.path.join(ROOT, PATH)
    text = table(WORDS)
    if "--update" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    with open(path, encoding="utf-8") as file:
        if file.read() != text:
            print(f"{PATH} isn't what tools/check-leak-table.py makes: run it with --update", file=sys.stderr)
            return 1
    print("check-leak-table: ok")
    return 0


sys.exit(main())
