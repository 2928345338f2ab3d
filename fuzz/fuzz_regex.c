/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions as people may write them, held against any value: refused or searched within limits,
 * and what is found by itself is found by the scan, alone in a stream and between other values. The
 * input is a byte of flags, the expression, a NUL and the value. */
#include "common/file.h"
#include "common/patterns/database.h"
#include "common/patterns/regex_sign.h"
#include "common/patterns/regexes.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library takes time for large ones; guardd builds in a process with limits. */
enum { SCANNED_MAX = 48, VALUE_MAX = 4096 };

struct found {
    uint64_t id;
    bool told;
};

static void on_hit(void *ctx, uint64_t pattern)
{
    struct found *found = ctx;
    found->told = found->told || pattern == found->id;
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static void broken(const char *law)
{
    fprintf(stderr, "%s\n", law);
    abort();
}

/* A value stands in a stream with line feeds around it. */
static void expect_told(struct pattern_database *database, uint64_t id, struct guard_span value,
                        const char *before, const char *behind)
{
    static uint8_t stream[VALUE_MAX + 64];
    struct found found = {.id = id};
    size_t len = strlen(before);
    memcpy(stream, before, len);
    if (value.len > 0)
        memcpy(stream + len, value.ptr, value.len);
    len += value.len;
    memcpy(stream + len, behind, strlen(behind));
    len += strlen(behind);
    if (pattern_database_scan(database, (struct guard_span){stream, len}, on_hit, &found) &&
        !found.told)
        broken("the scan misses what is there");
}

static void scan(struct guard_span expression, bool ignore_case, struct guard_span value)
{
    const struct guard_pattern pattern = {.id = guard_pattern_id(expression, true, ignore_case),
                                          .text = expression,
                                          .regex = true,
                                          .ignore_case = ignore_case};
    struct pattern_database *database = NULL;
    struct pattern_build told;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (pattern_database_build(&pattern, 1, NULL, &bytes, &len, &told, NULL) != GUARD_OK)
        return;
    if (pattern_database_open(&database, (struct guard_span){bytes, len}, NULL) != GUARD_OK)
        broken("what was built can't be opened");
    if (!pattern_database_has(database, pattern.id))
        broken("what was built isn't known");
    expect_told(database, pattern.id, value, "\n", "\n");
    expect_told(database, pattern.id, value, "\nother value\n", "\n$a^\nb\n");
    pattern_database_close(database);
    free(bytes);
}

/* What an expression is told by stands in what it matches. */
static void expect_sign(struct guard_span expression, bool ignore_case, struct guard_span value)
{
    uint8_t sign[VALUE_MAX];
    size_t len = regex_sign(expression, sign);
    for (size_t at = 0; at + len <= value.len; at++) {
        size_t same = 0;
        while (same < len && (sign[same] == value.ptr[at + same] ||
                              (ignore_case && is_letter(sign[same]) &&
                               (sign[same] ^ value.ptr[at + same]) == 0x20)))
            same++;
        if (same == len)
            return;
    }
    broken("a value has what is looked for without its sign");
}

static void hold(struct guard_span expression, bool ignore_case, struct guard_span value)
{
    const struct guard_alloc alloc = heap_alloc();
    const struct guard_span nothing = {(const uint8_t *)"", 0};
    struct regexes *regexes = NULL;
    struct regexes_counts counts;
    uint64_t id = guard_pattern_id(expression, true, ignore_case);
    if (regexes_new(&regexes, &alloc) != GUARD_OK)
        return;
    enum guard_match match = regexes_find(regexes, id, expression, ignore_case, value);
    enum guard_match again = regexes_find(regexes, id, expression, ignore_case, value);
    regexes_refill(regexes);
    enum guard_match empty = regexes_find(regexes, id, expression, ignore_case, nothing);
    regexes_count(regexes, &counts);
    regexes_free(regexes);
    if (counts.refused > 0)
        broken("what is good can't be compiled");
    if (match != again && again != GUARD_MATCH_ABORTED)
        broken("the same search finds something else");
    if (empty == GUARD_MATCH_YES && !regex_matches_empty(expression, ignore_case))
        broken("it is in a value of no bytes, and that isn't known");
    if (match == GUARD_MATCH_YES)
        expect_sign(expression, ignore_case, value);
    if (match == GUARD_MATCH_YES && expression.len <= SCANNED_MAX &&
        memchr(expression.ptr, '{', expression.len) == NULL)
        scan(expression, ignore_case, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_err err = {""};
    size_t offset = 0;
    const uint8_t *end = size > 1 ? memchr(data + 1, '\0', size - 1) : NULL;
    if (end == NULL || size > VALUE_MAX)
        return 0;
    const struct guard_span expression = {data + 1, (size_t)(end - data - 1)};
    const struct guard_span value = {end + 1, size - expression.len - 2};
    bool ignore_case = (data[0] & 1) != 0;
    if (regex_check(expression, ignore_case, &offset, &err) == GUARD_OK)
        hold(expression, ignore_case, value);
    else if (err.text[0] == '\0' || offset > expression.len)
        broken("it is refused without a reason or a place");
    return 0;
}
