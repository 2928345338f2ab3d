/* SPDX-License-Identifier: Apache-2.0 */
/* Building databases: texts as expressions of escaped bytes, expressions in a form that misses
 * nothing in a stream of values, and those that the library can't look for put aside. */
#include "common/patterns/database.h"

#include "common/patterns/database_format.h"
#include "common/patterns/regex_sign.h"
#include "common/patterns/regexes.h"

#include <guard/crypto.h>

#include <hs/hs_compile.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REFUSALS_MAX = 64, /* patterns that the library refuses only together with the others */
    ESCAPED = 4,       /* bytes of one as \xHH */
    LONG_LEAST = 5,    /* bytes of texts: then the library steps by four */
    SIGN_LEAST = 8,    /* bytes of a text that stands for an expression */
};

/* The arrays that the library wants, of the patterns that it gets. */
struct lane {
    const char **texts;
    unsigned *flags;
    unsigned *numbers;
    unsigned count;
};

/* What the library makes of something; malloc'd. */
struct library_bytes {
    char *bytes;
    size_t len;
};

struct build {
    struct lane lanes[DATABASE_LANES]; /* long texts only; and the others */
    char *room;                        /* of the texts */
    size_t room_len;
    uint8_t *marks; /* of all patterns: 1 isn't looked for */
    size_t pattern_count;
    struct pattern_build told;
};

/* What all of the last ten years' processors have, and the tools that count instructions know: a
 * database goes on when its machine is moved to another one, and is the same on all nodes. */
static hs_platform_info_t platform(void)
{
    hs_platform_info_t info = {0};
    (void)hs_populate_platform(&info);
    info.tune = HS_TUNE_FAMILY_GENERIC;
    info.cpu_features &= HS_CPU_FEATURES_AVX2;
    return info;
}

const char *pattern_platform(void)
{
    static char text[160];
    const hs_platform_info_t info = platform();
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
    digest_number(&state, DATABASE_FORMAT);
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
    for (int i = 0; i < DATABASE_LANES; i++) {
        free(build->lanes[i].texts);
        free(build->lanes[i].flags);
        free(build->lanes[i].numbers);
    }
    free(build->room);
    free(build->marks);
}

static size_t room_for(const struct guard_pattern *pattern)
{
    return pattern->text.len * ESCAPED + 1;
}

static bool lane_init(struct lane *lane, size_t count)
{
    lane->texts = malloc((count + 1) * sizeof(*lane->texts));
    lane->flags = malloc((count + 1) * sizeof(*lane->flags));
    lane->numbers = malloc((count + 1) * sizeof(*lane->numbers));
    return lane->texts != NULL && lane->flags != NULL && lane->numbers != NULL;
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
    build->room = malloc(bytes);
    build->marks = calloc(count + 1, 1);
    build->pattern_count = count;
    if (!lane_init(&build->lanes[0], count) || !lane_init(&build->lanes[1], count) ||
        build->room == NULL || build->marks == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    return GUARD_OK;
}

static size_t write_bytes(char *to, struct guard_span bytes)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        to[len++] = '\\';
        to[len++] = 'x';
        to[len++] = hex[bytes.ptr[i] >> 4];
        to[len++] = hex[bytes.ptr[i] & 15];
    }
    return len;
}

/* As an expression, terminated; NULL when it can't be one. *plain: the bytes of text that it stands
 * for, 0: it isn't one. */
static const char *write_text(struct build *build, const struct guard_pattern *pattern,
                              size_t *plain)
{
    uint8_t sign[GUARD_PATCH_EXPRESSION_MAX];
    char *text = build->room + build->room_len;
    struct guard_span bytes = pattern->text;
    if (pattern->regex)
        bytes = (struct guard_span){sign, regex_sign(pattern->text, sign)};
    *plain = !pattern->regex || bytes.len >= SIGN_LEAST ? bytes.len : 0;
    if (*plain == 0 && memchr(pattern->text.ptr, '\0', pattern->text.len) != NULL)
        return NULL;
    size_t len = *plain > 0 ? write_bytes(text, bytes) : regex_relax(pattern->text, text);
    text[len] = '\0';
    build->room_len += len + 1;
    return text;
}

/* What the library takes it with; false: with nothing. */
static bool flags_for(const struct guard_pattern *pattern, const char *text, bool plain,
                      unsigned *flags)
{
    const unsigned common = HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH |
                            (pattern->ignore_case ? HS_FLAG_CASELESS : 0u);
    const unsigned tried[] = {common, common | HS_FLAG_PREFILTER};
    *flags = common;
    for (size_t i = 0; !plain && i < sizeof(tried) / sizeof(tried[0]); i++) {
        hs_expr_info_t *info = NULL;
        hs_compile_error_t *refusal = NULL;
        *flags = tried[i];
        bool good = hs_expression_info(text, tried[i], &info, &refusal) == HS_SUCCESS;
        (void)hs_free_compile_error(refusal);
        free(info);
        if (good)
            return true;
    }
    return plain;
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
    size_t plain = 0;
    const char *text = NULL;
    if (!doubtful && pattern->text.len > 0 &&
        !(pattern->regex && regex_matches_empty(pattern->text, pattern->ignore_case)))
        text = write_text(build, pattern, &plain);
    if (text == NULL || !flags_for(pattern, text, plain > 0, &flags)) {
        mark(build, number);
        return;
    }
    struct lane *lane = &build->lanes[plain >= LONG_LEAST ? 0 : 1];
    build->told.approximate += (flags & HS_FLAG_PREFILTER) != 0 || (pattern->regex && plain > 0);
    lane->texts[lane->count] = text;
    lane->flags[lane->count] = flags;
    lane->numbers[lane->count++] = (unsigned)number;
}

static void take_out(struct build *build, struct lane *lane, unsigned at)
{
    mark(build, lane->numbers[at]);
    lane->count--;
    size_t behind = lane->count - at;
    memmove(&lane->texts[at], &lane->texts[at + 1], behind * sizeof(lane->texts[0]));
    memmove(&lane->flags[at], &lane->flags[at + 1], behind * sizeof(lane->flags[0]));
    memmove(&lane->numbers[at], &lane->numbers[at + 1], behind * sizeof(lane->numbers[0]));
}

/* Frees it. */
static enum guard_rc tell_refusal(hs_error_t rc, hs_compile_error_t *refusal, struct guard_err *err)
{
    enum guard_rc failed =
        guard_fail(err, rc == HS_NOMEM ? GUARD_E_NOMEM : GUARD_E_RANGE, "the library: %s",
                   refusal != NULL ? refusal->message : "refused");
    (void)hs_free_compile_error(refusal);
    return failed;
}

/* NULL with GUARD_OK: there is nothing to compile. */
static enum guard_rc compile(struct build *build, struct lane *lane, hs_database_t **out,
                             struct guard_err *err)
{
    const hs_platform_info_t target = platform();
    *out = NULL;
    for (int refusals = 0; lane->count > 0 && refusals <= REFUSALS_MAX; refusals++) {
        hs_compile_error_t *refusal = NULL;
        hs_error_t rc = hs_compile_multi(lane->texts, lane->flags, lane->numbers, lane->count,
                                         HS_MODE_BLOCK, &target, out, &refusal);
        if (rc == HS_SUCCESS)
            return GUARD_OK;
        int at = refusal != NULL ? refusal->expression : -1;
        enum guard_rc failed = tell_refusal(rc, refusal, err);
        if (at < 0 || (unsigned)at >= lane->count)
            return failed;
        take_out(build, lane, (unsigned)at);
    }
    return lane->count == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_RANGE, "the library refuses too many patterns");
}

/* Frees the library, which may be NULL. *out is malloc'd. */
static enum guard_rc to_bytes(hs_database_t *library, struct library_bytes *out,
                              struct guard_err *err)
{
    if (library == NULL)
        return GUARD_OK;
    bool good = hs_serialize_database(library, &out->bytes, &out->len) == HS_SUCCESS;
    (void)hs_free_database(library);
    return good ? GUARD_OK : guard_fail(err, GUARD_E_NOMEM, "no memory");
}

/* None: nothing is to be looked for. */
static enum guard_rc compile_lane(struct build *build, struct lane *lane, struct library_bytes *out,
                                  struct guard_err *err)
{
    hs_database_t *library = NULL;
    GUARD_TRY(compile(build, lane, &library, err));
    return to_bytes(library, out, err);
}

/* As the patterns themselves are compiled. */
static enum guard_rc compile_proof(const struct database_proof *proof, struct library_bytes *out,
                                   struct guard_err *err)
{
    const hs_platform_info_t target = platform();
    hs_database_t *library = NULL;
    hs_compile_error_t *refusal = NULL;
    hs_error_t rc =
        hs_compile(proof->expression, HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH,
                   HS_MODE_BLOCK, &target, &library, &refusal);
    return rc == HS_SUCCESS ? to_bytes(library, out, err) : tell_refusal(rc, refusal, err);
}

static enum guard_rc put_together(const struct build *build, const struct guard_pattern *patterns,
                                  const struct library_bytes libraries[], uint8_t **out,
                                  size_t *len, struct guard_err *err)
{
    struct database_head head = {.count = (uint32_t)build->pattern_count,
                                 .unfiltered = build->told.unfiltered};
    *len = sizeof(head) + build->pattern_count * (sizeof(uint64_t) + 1);
    for (int i = 0; i < DATABASE_LANES + DATABASE_PROOFS; i++) {
        *(i < DATABASE_LANES ? &head.library_bytes[i] : &head.proof_bytes[i - DATABASE_LANES]) =
            libraries[i].len;
        *len += libraries[i].len;
    }
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
    at += build->pattern_count;
    for (int i = 0; i < DATABASE_LANES + DATABASE_PROOFS; at += libraries[i++].len) {
        if (libraries[i].len > 0)
            memcpy(at, libraries[i].bytes, libraries[i].len);
    }
    return GUARD_OK;
}

/* A library that misses what is there builds nothing that anybody could open. */
static enum guard_rc try_out(struct guard_span bytes, struct guard_err *err)
{
    struct pattern_database *database = NULL;
    enum guard_rc rc = pattern_database_open(&database, bytes, err);
    if (rc == GUARD_OK)
        pattern_database_close(database);
    return rc == GUARD_E_VERSION ? GUARD_E_STATE : rc;
}

enum guard_rc pattern_database_build(const struct guard_pattern *patterns, size_t count,
                                     const bool *doubtful, uint8_t **out, size_t *len,
                                     struct pattern_build *told, struct guard_err *err)
{
    struct build build = {0};
    struct library_bytes libraries[DATABASE_LANES + DATABASE_PROOFS] = {{NULL, 0}};
    if (!pattern_database_possible())
        return guard_fail(err, GUARD_E_STATE, "this processor can't run databases of patterns");
    enum guard_rc rc = build_init(&build, patterns, count, err);
    for (size_t i = 0; rc == GUARD_OK && i < count; i++)
        add(&build, &patterns[i], i, doubtful != NULL && doubtful[i]);
    for (int i = 0; rc == GUARD_OK && i < DATABASE_LANES; i++)
        rc = compile_lane(&build, &build.lanes[i], &libraries[i], err);
    for (int i = 0; rc == GUARD_OK && i < DATABASE_PROOFS; i++)
        rc = compile_proof(&DATABASE_PROVED_BY[i], &libraries[DATABASE_LANES + i], err);
    *out = NULL;
    if (rc == GUARD_OK)
        rc = put_together(&build, patterns, libraries, out, len, err);
    if (rc == GUARD_OK)
        rc = try_out((struct guard_span){*out, *len}, err);
    for (int i = 0; i < DATABASE_LANES + DATABASE_PROOFS; i++)
        free(libraries[i].bytes);
    if (rc != GUARD_OK) {
        free(*out);
        *out = NULL;
    }
    *told = build.told;
    build_fini(&build);
    return rc;
}
