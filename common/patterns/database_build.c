/* SPDX-License-Identifier: Apache-2.0 */
/* Building databases: texts as expressions of escaped bytes, expressions in a form that misses
 * nothing in a stream of values, and those that the library can't look for put aside. */
#include "common/patterns/database.h"

#include "common/patterns/database_format.h"
#include "common/patterns/regexes.h"

#include <guard/crypto.h>

#include <hs/hs_compile.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REFUSALS_MAX = 64, /* patterns that the library refuses only together with the others */
    ESCAPED = 4,       /* bytes of one as \xHH */
};

/* The arrays that the library wants, of the patterns that it gets. */
struct build {
    const char **texts;
    unsigned *flags;
    unsigned *numbers;
    unsigned count;
    char *room; /* of the texts */
    size_t room_len;
    uint8_t *marks; /* of all patterns: 1 isn't looked for */
    size_t pattern_count;
    struct pattern_build told;
};

const char *pattern_platform(void)
{
    static char text[160];
    hs_platform_info_t info = {0};
    (void)hs_populate_platform(&info);
    (void)snprintf(text, sizeof(text), "%s, processor %x/%llx", hs_version(), info.tune,
                   info.cpu_features);
    return text;
}

static int by_id(const void *left, const void *right)
{
    const struct guard_pattern *a = left;
    const struct guard_pattern *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

size_t patterns_sort(struct guard_pattern *patterns, size_t count)
{
    size_t kept = 0;
    if (count > 0)
        qsort(patterns, count, sizeof(*patterns), by_id);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || patterns[kept - 1].id != patterns[i].id)
            patterns[kept++] = patterns[i];
    }
    return kept;
}

static void digest_number(struct guard_digest_state *state, uint64_t number)
{
    guard_digest_update(state, (struct guard_span){(const uint8_t *)&number, sizeof(number)});
}

void patterns_digest(uint8_t out[GUARD_DIGEST_BYTES], const struct guard_pattern *patterns,
                     size_t count)
{
    struct guard_digest_state state;
    const char *platform = pattern_platform();
    guard_digest_begin(&state);
    digest_number(&state, strlen(platform));
    guard_digest_update(&state, (struct guard_span){(const uint8_t *)platform, strlen(platform)});
    for (size_t i = 0; i < count; i++) {
        digest_number(&state, patterns[i].id);
        digest_number(&state, (uint64_t)patterns[i].regex << 1 | patterns[i].ignore_case);
        digest_number(&state, patterns[i].text.len);
        guard_digest_update(&state, patterns[i].text);
    }
    guard_digest_end(&state, out);
}

static void build_fini(struct build *build)
{
    free(build->texts);
    free(build->flags);
    free(build->numbers);
    free(build->room);
    free(build->marks);
}

static size_t room_for(const struct guard_pattern *pattern)
{
    return pattern->text.len * (pattern->regex ? 1 : ESCAPED) + 1;
}

static enum guard_rc build_init(struct build *build, const struct guard_pattern *patterns,
                                size_t count, struct guard_err *err)
{
    size_t bytes = 1;
    if (count > PATTERN_DATABASE_PATTERNS)
        return guard_fail(err, GUARD_E_LIMIT, "more than %d patterns", PATTERN_DATABASE_PATTERNS);
    for (size_t i = 0; i < count; i++) {
        if (patterns[i].text.len > GUARD_PATCH_EXPRESSION_MAX)
            return guard_fail(err, GUARD_E_LIMIT, "a pattern is too long");
        bytes += room_for(&patterns[i]);
    }
    if (bytes > PATTERN_DATABASE_TEXTS)
        return guard_fail(err, GUARD_E_LIMIT, "patterns of more than %d bytes",
                          PATTERN_DATABASE_TEXTS);
    build->texts = malloc((count + 1) * sizeof(*build->texts));
    build->flags = malloc((count + 1) * sizeof(*build->flags));
    build->numbers = malloc((count + 1) * sizeof(*build->numbers));
    build->room = malloc(bytes);
    build->marks = calloc(count + 1, 1);
    build->pattern_count = count;
    if (build->texts == NULL || build->flags == NULL || build->numbers == NULL ||
        build->room == NULL || build->marks == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    return GUARD_OK;
}

/* As an expression, terminated; NULL when it can't be one. */
static const char *write_text(struct build *build, const struct guard_pattern *pattern)
{
    static const char hex[] = "0123456789abcdef";
    char *text = build->room + build->room_len;
    size_t len = 0;
    if (pattern->regex) {
        if (memchr(pattern->text.ptr, '\0', pattern->text.len) != NULL)
            return NULL;
        memcpy(text, pattern->text.ptr, pattern->text.len);
        len = pattern->text.len;
    }
    for (size_t i = 0; !pattern->regex && i < pattern->text.len; i++) {
        uint8_t byte = pattern->text.ptr[i];
        text[len++] = '\\';
        text[len++] = 'x';
        text[len++] = hex[byte >> 4];
        text[len++] = hex[byte & 15];
    }
    text[len] = '\0';
    build->room_len += len + 1;
    return text;
}

/* What the library takes it with; false: with nothing. */
static bool flags_for(const struct guard_pattern *pattern, const char *text, unsigned *flags)
{
    const unsigned common = HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH |
                            (pattern->ignore_case ? HS_FLAG_CASELESS : 0u);
    const unsigned tried[] = {common, common | HS_FLAG_PREFILTER};
    for (size_t i = 0; i < (pattern->regex ? 2 : 1); i++) {
        hs_expr_info_t *info = NULL;
        hs_compile_error_t *refusal = NULL;
        *flags = tried[i];
        bool good = hs_expression_info(text, tried[i], &info, &refusal) == HS_SUCCESS;
        (void)hs_free_compile_error(refusal);
        free(info);
        if (good)
            return true;
    }
    return false;
}

static void mark(struct build *build, size_t pattern)
{
    build->marks[pattern] = 1;
    build->told.unfiltered++;
}

/* An expression that may be found in no bytes at all is in every stream. */
static void add(struct build *build, const struct guard_pattern *pattern, size_t number,
                bool doubtful)
{
    unsigned flags = 0;
    const char *text = NULL;
    if (!doubtful && pattern->text.len > 0 &&
        !(pattern->regex && regex_matches_empty(pattern->text, pattern->ignore_case)))
        text = write_text(build, pattern);
    if (text == NULL || !flags_for(pattern, text, &flags)) {
        mark(build, number);
        return;
    }
    build->told.approximate += (flags & HS_FLAG_PREFILTER) != 0;
    build->texts[build->count] = text;
    build->flags[build->count] = flags;
    build->numbers[build->count++] = (unsigned)number;
}

static void take_out(struct build *build, unsigned at)
{
    mark(build, build->numbers[at]);
    build->count--;
    memmove(&build->texts[at], &build->texts[at + 1],
            (build->count - at) * sizeof(build->texts[0]));
    memmove(&build->flags[at], &build->flags[at + 1],
            (build->count - at) * sizeof(build->flags[0]));
    memmove(&build->numbers[at], &build->numbers[at + 1],
            (build->count - at) * sizeof(build->numbers[0]));
}

/* NULL with GUARD_OK: there is nothing to compile. */
static enum guard_rc compile(struct build *build, hs_database_t **out, struct guard_err *err)
{
    *out = NULL;
    for (int refusals = 0; build->count > 0 && refusals <= REFUSALS_MAX; refusals++) {
        hs_compile_error_t *refusal = NULL;
        hs_error_t rc = hs_compile_multi(build->texts, build->flags, build->numbers, build->count,
                                         HS_MODE_BLOCK, NULL, out, &refusal);
        if (rc == HS_SUCCESS)
            return GUARD_OK;
        int at = refusal != NULL ? refusal->expression : -1;
        enum guard_rc failed =
            guard_fail(err, rc == HS_NOMEM ? GUARD_E_NOMEM : GUARD_E_RANGE, "the library: %s",
                       refusal != NULL ? refusal->message : "refused");
        (void)hs_free_compile_error(refusal);
        if (at < 0 || (unsigned)at >= build->count)
            return failed;
        take_out(build, (unsigned)at);
    }
    return build->count == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_RANGE, "the library refuses too many patterns");
}

static enum guard_rc put_together(const struct build *build, const struct guard_pattern *patterns,
                                  struct guard_span library, uint8_t **out, size_t *len,
                                  struct guard_err *err)
{
    const struct database_head head = {(uint32_t)build->pattern_count, build->told.unfiltered,
                                       library.len};
    size_t tables = build->pattern_count * (sizeof(uint64_t) + 1);
    *len = sizeof(head) + tables + library.len;
    if (*len > PATTERN_DATABASE_BYTES)
        return guard_fail(err, GUARD_E_LIMIT, "a database of more than %d bytes",
                          PATTERN_DATABASE_BYTES);
    *out = malloc(*len);
    if (*out == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    uint8_t *at = *out;
    memcpy(at, &head, sizeof(head));
    at += sizeof(head);
    for (size_t i = 0; i < build->pattern_count; i++, at += sizeof(uint64_t))
        memcpy(at, &patterns[i].id, sizeof(uint64_t));
    memcpy(at, build->marks, build->pattern_count);
    if (library.len > 0)
        memcpy(at + build->pattern_count, library.ptr, library.len);
    return GUARD_OK;
}

static enum guard_rc serialise(const struct build *build, const struct guard_pattern *patterns,
                               const hs_database_t *library, uint8_t **out, size_t *len,
                               struct guard_err *err)
{
    char *bytes = NULL;
    size_t bytes_len = 0;
    if (library != NULL && hs_serialize_database(library, &bytes, &bytes_len) != HS_SUCCESS)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    const struct guard_span whole = {(const uint8_t *)bytes, bytes_len};
    enum guard_rc rc = put_together(build, patterns, whole, out, len, err);
    free(bytes);
    return rc;
}

enum guard_rc pattern_database_build(const struct guard_pattern *patterns, size_t count,
                                     const bool *doubtful, uint8_t **out, size_t *len,
                                     struct pattern_build *told, struct guard_err *err)
{
    struct build build = {0};
    hs_database_t *library = NULL;
    if (!pattern_database_possible())
        return guard_fail(err, GUARD_E_STATE, "this processor can't run databases of patterns");
    enum guard_rc rc = build_init(&build, patterns, count, err);
    for (size_t i = 0; rc == GUARD_OK && i < count; i++)
        add(&build, &patterns[i], i, doubtful != NULL && doubtful[i]);
    if (rc == GUARD_OK)
        rc = compile(&build, &library, err);
    if (rc == GUARD_OK)
        rc = serialise(&build, patterns, library, out, len, err);
    if (library != NULL)
        (void)hs_free_database(library);
    *told = build.told;
    build_fini(&build);
    return rc;
}
