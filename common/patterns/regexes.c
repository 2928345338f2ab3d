/* SPDX-License-Identifier: Apache-2.0 */
/* PCRE2, interpreted, with a callout before each item of an expression: it counts what the search
 * has taken, since PCRE2's own limits begin anew at each byte of the value. */
#include "common/patterns/regexes.h"

#include "common/patterns/regex_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>
#include <time.h>

enum {
    SETS = 1024, /* of the cache, by the pattern's id */
    WAYS = 4,
    CODE_BYTES_MAX = 32 * 1024 * 1024, /* of all expressions in memory */
    NEST_MAX = 64,                     /* parentheses in each other */
    HEAP_KIB_MAX = 16 * 1024,          /* of one search */
    STEPS_OF_ITEM = 8,
    STEPS_OF_PASS = 16 * 1024, /* what a single pass over any value may take, */
    STEPS_OF_BYTE = 10,        /* and for each of its bytes */
    VALUE_KEPT = 64 * 1024,    /* a search in a longer one may leave much memory */
    REPEAT_LIGHT = 64,         /* bytes that an item may look at without being counted */
    CLOCK_EVERY = 64,          /* items, when it may look at more */
    CPU_NS_OF_STEP = 3,        /* then, at most */
};

struct entry {
    uint64_t pattern; /* 0: empty */
    pcre2_code *code; /* NULL: PCRE2 refuses it */
    size_t bytes;
    uint64_t used;
    bool heavy; /* an item may look at many bytes without being counted */
};

struct regexes {
    struct guard_alloc alloc;
    pcre2_general_context *general;
    pcre2_compile_context *compiling;
    pcre2_match_context *matching;
    pcre2_match_data *data; /* NULL: made when it is needed */
    struct entry sets[SETS][WAYS];
    uint64_t uses;
    uint32_t hand;       /* where room is looked for next */
    uint64_t steps_left; /* of the message, beyond passes */
    uint64_t total_left;
    struct regexes_counts counts;
};

/* One search under way. */
struct search {
    size_t at;
    uint64_t steps;
    uint64_t limit;
    bool heavy;
    uint32_t items;
    uint64_t cpu_ns_begin;
    uint64_t cpu_ns_max;
};

static void *take(size_t size, void *ctx)
{
    const struct guard_alloc *alloc = ctx;
    return alloc->alloc(alloc->ctx, size);
}

static void give(void *ptr, void *ctx)
{
    const struct guard_alloc *alloc = ctx;
    if (ptr != NULL)
        alloc->free(alloc->ctx, ptr);
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool overdue(struct search *search)
{
    if (!search->heavy || ++search->items % CLOCK_EVERY != 0)
        return false;
    return cpu_ns() - search->cpu_ns_begin > search->cpu_ns_max;
}

/* Before an item: what lies between here and the last one was looked at. */
static int on_item(pcre2_callout_block *block, void *ctx)
{
    struct search *search = ctx;
    size_t at = block->current_position;
    search->steps += STEPS_OF_ITEM + (at > search->at ? at - search->at : 0);
    search->at = at;
    return search->steps > search->limit || overdue(search) ? PCRE2_ERROR_CALLOUT : 0;
}

static uint32_t compile_options(bool ignore_case)
{
    uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
                       PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE | PCRE2_AUTO_CALLOUT;
    return ignore_case ? options | PCRE2_CASELESS : options;
}

static pcre2_compile_context *new_compiling(pcre2_general_context *general)
{
    pcre2_compile_context *compiling = pcre2_compile_context_create(general);
    if (compiling == NULL)
        return NULL;
    (void)pcre2_set_parens_nest_limit(compiling, NEST_MAX);
    (void)pcre2_set_max_pattern_length(compiling, GUARD_PATCH_EXPRESSION_MAX);
    (void)pcre2_set_newline(compiling, PCRE2_NEWLINE_LF);
    return compiling;
}

/* error: PCRE2's number, when NULL is returned. */
static pcre2_code *compile(pcre2_compile_context *compiling, struct guard_span expression,
                           bool ignore_case, int *error, size_t *offset)
{
    static const uint8_t nothing[1];
    PCRE2_SIZE where = 0;
    pcre2_code *code = pcre2_compile(expression.len > 0 ? expression.ptr : nothing, expression.len,
                                     compile_options(ignore_case), error, &where, compiling);
    *offset = where < expression.len ? where : expression.len;
    return code;
}

static enum guard_rc refuse(struct guard_err *err, int error, size_t offset)
{
    PCRE2_UCHAR reason[160] = "";
    if (error == PCRE2_ERROR_HEAP_FAILED)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the expression");
    (void)pcre2_get_error_message(error, reason, sizeof(reason));
    return guard_fail(err, error == PCRE2_ERROR_PATTERN_TOO_LARGE ? GUARD_E_LIMIT : GUARD_E_SYNTAX,
                      "byte %zu: %s", offset, (const char *)reason);
}

enum guard_rc regex_check(struct guard_span expression, bool ignore_case, size_t *offset,
                          struct guard_err *err)
{
    int error = 0;
    *offset = 0;
    if (expression.len == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "an empty expression matches everything");
    if (expression.len > GUARD_PATCH_EXPRESSION_MAX) {
        *offset = GUARD_PATCH_EXPRESSION_MAX;
        return guard_fail(err, GUARD_E_LIMIT, "has more than %d bytes", GUARD_PATCH_EXPRESSION_MAX);
    }
    const char *forbidden = regex_forbidden(expression, offset);
    if (forbidden != NULL)
        return guard_fail(err, GUARD_E_SYNTAX, "byte %zu: %s", *offset, forbidden);
    pcre2_compile_context *compiling = new_compiling(NULL);
    if (compiling == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the expression");
    pcre2_code *code = compile(compiling, expression, ignore_case, &error, offset);
    pcre2_compile_context_free(compiling);
    if (code == NULL)
        return refuse(err, error, *offset);
    pcre2_code_free(code);
    *offset = 0;
    return GUARD_OK;
}

bool regex_matches_empty(struct guard_span expression, bool ignore_case)
{
    int error = 0;
    size_t offset = 0;
    uint32_t empty = 0;
    pcre2_compile_context *compiling = new_compiling(NULL);
    if (compiling == NULL)
        return false;
    pcre2_code *code = compile(compiling, expression, ignore_case, &error, &offset);
    pcre2_compile_context_free(compiling);
    if (code == NULL)
        return false;
    bool good = pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &empty) == 0;
    pcre2_code_free(code);
    return good && empty != 0;
}

static void contexts_free(struct regexes *regexes)
{
    pcre2_match_data_free(regexes->data);
    pcre2_match_context_free(regexes->matching);
    pcre2_compile_context_free(regexes->compiling);
    pcre2_general_context_free(regexes->general);
}

enum guard_rc regexes_new(struct regexes **out, const struct guard_alloc *alloc)
{
    struct regexes *regexes = alloc->alloc(alloc->ctx, sizeof(*regexes));
    if (regexes == NULL)
        return GUARD_E_NOMEM;
    memset(regexes, 0, sizeof(*regexes));
    regexes->alloc = *alloc;
    regexes->general = pcre2_general_context_create(take, give, &regexes->alloc);
    if (regexes->general != NULL) {
        regexes->compiling = new_compiling(regexes->general);
        regexes->matching = pcre2_match_context_create(regexes->general);
    }
    if (regexes->compiling == NULL || regexes->matching == NULL) {
        regexes_free(regexes);
        return GUARD_E_NOMEM;
    }
    (void)pcre2_set_heap_limit(regexes->matching, HEAP_KIB_MAX);
    regexes_refill(regexes);
    *out = regexes;
    return GUARD_OK;
}

static void empty_entry(struct regexes *regexes, struct entry *entry)
{
    if (entry->pattern == 0)
        return;
    pcre2_code_free(entry->code);
    regexes->counts.bytes -= entry->bytes;
    regexes->counts.kept--;
    *entry = (struct entry){0};
}

void regexes_free(struct regexes *regexes)
{
    if (regexes == NULL)
        return;
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
        empty_entry(regexes, &regexes->sets[i / WAYS][i % WAYS]);
    contexts_free(regexes);
    const struct guard_alloc alloc = regexes->alloc;
    alloc.free(alloc.ctx, regexes);
}

/* Whether a repeat demands so many that looking for them is work by itself: "{1000,". */
static bool is_heavy(struct guard_span expression)
{
    for (size_t i = 0; i < expression.len; i++) {
        uint32_t count = 0;
        size_t digit = i + 1;
        while (expression.ptr[i] == '{' && digit < expression.len && count < 100000 &&
               expression.ptr[digit] >= '0' && expression.ptr[digit] <= '9')
            count = count * 10 + (uint32_t)(expression.ptr[digit++] - '0');
        if (count > REPEAT_LIGHT)
            return true;
    }
    return false;
}

/* The one of its set that was used longest ago, emptied; and as much room for code as is missing.
 */
static struct entry *make_room(struct regexes *regexes, struct entry *set)
{
    struct entry *oldest = &set[0];
    for (size_t i = 1; i < WAYS; i++) {
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    empty_entry(regexes, oldest);
    while (regexes->counts.bytes > CODE_BYTES_MAX) {
        uint32_t place = regexes->hand++ % ((uint32_t)SETS * WAYS);
        empty_entry(regexes, &regexes->sets[place / WAYS][place % WAYS]);
    }
    return oldest;
}

/* NULL: no memory. */
static struct entry *add(struct regexes *regexes, struct entry *set, uint64_t pattern,
                         struct guard_span expression, bool ignore_case)
{
    int error = 0;
    size_t offset = 0;
    size_t bytes = 0;
    pcre2_code *code = compile(regexes->compiling, expression, ignore_case, &error, &offset);
    if (code == NULL && error == PCRE2_ERROR_HEAP_FAILED)
        return NULL;
    if (code != NULL)
        (void)pcre2_pattern_info(code, PCRE2_INFO_SIZE, &bytes);
    else
        regexes->counts.refused++;
    struct entry *entry = make_room(regexes, set);
    *entry = (struct entry){pattern, code, bytes, 0, is_heavy(expression)};
    regexes->counts.bytes += bytes;
    regexes->counts.kept++;
    regexes->counts.compiled += code != NULL;
    return entry;
}

static struct entry *find_entry(struct regexes *regexes, uint64_t pattern,
                                struct guard_span expression, bool ignore_case)
{
    struct entry *set = regexes->sets[pattern % SETS];
    struct entry *entry = NULL;
    for (size_t i = 0; i < WAYS && entry == NULL; i++) {
        if (set[i].pattern == pattern)
            entry = &set[i];
    }
    if (entry == NULL)
        entry = add(regexes, set, pattern, expression, ignore_case);
    if (entry != NULL)
        entry->used = ++regexes->uses;
    return entry;
}

static bool prepare_data(struct regexes *regexes)
{
    if (regexes->data == NULL)
        regexes->data = pcre2_match_data_create(1, regexes->general);
    return regexes->data != NULL;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int run(struct regexes *regexes, const struct entry *entry, struct guard_span value)
{
    static const uint8_t nothing[1];
    uint64_t pass = STEPS_OF_PASS + (uint64_t)STEPS_OF_BYTE * value.len;
    uint64_t beyond = smaller(regexes->steps_left, REGEX_STEPS_MAX);
    struct search search = {.limit = smaller(pass + beyond, regexes->total_left),
                            .heavy = entry->heavy};
    if (entry->heavy) {
        search.cpu_ns_begin = cpu_ns();
        search.cpu_ns_max = search.limit * CPU_NS_OF_STEP;
    }
    (void)pcre2_set_callout(regexes->matching, on_item, &search);
    int rc = pcre2_match(entry->code, value.len > 0 ? value.ptr : nothing, value.len, 0, 0,
                         regexes->data, regexes->matching);
    regexes->total_left -= smaller(search.steps, regexes->total_left);
    if (search.steps > pass)
        regexes->steps_left -= smaller(search.steps - pass, regexes->steps_left);
    return rc;
}

enum guard_match regexes_find(struct regexes *regexes, uint64_t pattern,
                              struct guard_span expression, bool ignore_case,
                              struct guard_span value)
{
    const struct entry *entry = find_entry(regexes, pattern, expression, ignore_case);
    if (entry == NULL || !prepare_data(regexes)) {
        regexes->counts.aborted++;
        return GUARD_MATCH_ABORTED;
    }
    if (entry->code == NULL)
        return GUARD_MATCH_NO;
    int rc = run(regexes, entry, value);
    bool aborted = rc < 0 && rc != PCRE2_ERROR_NOMATCH;
    if (aborted || value.len > VALUE_KEPT) {
        pcre2_match_data_free(regexes->data);
        regexes->data = NULL;
    }
    regexes->counts.aborted += aborted;
    return aborted ? GUARD_MATCH_ABORTED : rc >= 0 ? GUARD_MATCH_YES : GUARD_MATCH_NO;
}

void regexes_refill(struct regexes *regexes)
{
    regexes->steps_left = REGEXES_STEPS_MAX;
    regexes->total_left = REGEXES_TOTAL_MAX;
}

void regexes_count(const struct regexes *regexes, struct regexes_counts *out)
{
    *out = regexes->counts;
}

static enum guard_match matcher_find(void *ctx, uint64_t pattern, struct guard_span expression,
                                     bool ignore_case, struct guard_span value)
{
    return regexes_find(ctx, pattern, expression, ignore_case, value);
}

struct guard_matcher regexes_matcher(struct regexes *regexes)
{
    return (struct guard_matcher){.ctx = regexes, .scan = NULL, .find = matcher_find};
}
