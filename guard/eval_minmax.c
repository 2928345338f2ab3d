/* SPDX-License-Identifier: Apache-2.0 */
/* The segments of paths share one key, as in the ancestor; a key or method that wasn't seen is a
 * violation, too. */
#include "eval_minmax.h"

#include "eval_key.h"
#include "eval_table.h"
#include "eval_values.h"

#include <stdlib.h>
#include <string.h>

enum kind { DIGITS, LETTERS, BLANKS, SPECIALS, CONTROLS, OTHERS, RUNS, KINDS };
enum { UNKNOWN_WEIGHS = 5 };

struct shape {
    uint32_t counts[KINDS];
    uint64_t specials[2]; /* bit per ASCII character */
    bool comment;
    bool hexadecimal;
};

struct range {
    struct shape least;
    struct shape most; /* its specials are all that were seen */
};

struct eval_minmax {
    struct eval_table keys; /* index into ranges, from 1 */
    struct eval_table methods;
    struct range *ranges;
    uint32_t count;
    uint32_t cap;
};

static enum kind kind_of(uint8_t c)
{
    if (c >= 0x80)
        return OTHERS;
    if (c >= '0' && c <= '9')
        return DIGITS;
    if ((uint8_t)((c | 32) - 'a') < 26)
        return LETTERS;
    return c == ' ' ? BLANKS : c < ' ' || c == 0x7f ? CONTROLS : SPECIALS;
}

static uint8_t folded(uint8_t c)
{
    return c == '(' ? ')' : c == '<' ? '>' : c == '[' ? ']' : c == '{' ? '}' : c;
}

static void shape_of(struct shape *out, struct guard_span value)
{
    uint8_t before = 0;
    enum kind last = KINDS;
    *out = (struct shape){.comment = false};
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if ((c & 0xc0) == 0x80)
            continue; /* the rest of a character */
        enum kind kind = kind_of(c);
        if (kind == SPECIALS)
            out->specials[folded(c) >> 6] |= 1ull << (folded(c) & 63);
        out->comment |= (before == '*' && c == '/') || (before == '/' && c == '*') ||
                        (before == '-' && c == '-');
        out->hexadecimal |= before == '0' && (c | 32) == 'x';
        out->counts[kind]++;
        out->counts[RUNS] += kind != last;
        last = kind;
        before = c;
    }
}

static uint64_t key_of(const char *location, struct guard_span name)
{
    uint64_t place = eval_hash(1, (struct guard_span){(const uint8_t *)location, strlen(location)});
    return strcmp(location, "path") == 0 ? place : eval_hash(place, name);
}

static void widen(struct range *range, const struct shape *shape)
{
    for (int i = 0; i < KINDS; i++) {
        if (shape->counts[i] < range->least.counts[i])
            range->least.counts[i] = shape->counts[i];
        if (shape->counts[i] > range->most.counts[i])
            range->most.counts[i] = shape->counts[i];
    }
    range->most.specials[0] |= shape->specials[0];
    range->most.specials[1] |= shape->specials[1];
    range->most.comment |= shape->comment;
    range->most.hexadecimal |= shape->hexadecimal;
}

static void learn_value(void *ctx, const char *location, struct guard_span name,
                        struct guard_span value)
{
    struct eval_minmax *minmax = ctx;
    struct shape shape;
    if (minmax->count == minmax->cap) {
        uint32_t cap = minmax->cap == 0 ? 64 : minmax->cap * 2;
        struct range *ranges =
            cap <= EVAL_MINMAX_KEYS ? realloc(minmax->ranges, cap * sizeof(*ranges)) : NULL;
        if (ranges == NULL)
            return;
        minmax->ranges = ranges;
        minmax->cap = cap;
    }
    uint32_t *index = eval_table_at(&minmax->keys, key_of(location, name), NULL);
    if (index == NULL)
        return;
    shape_of(&shape, value);
    if (*index == 0) {
        minmax->ranges[minmax->count] = (struct range){shape, shape};
        *index = ++minmax->count;
    } else {
        widen(&minmax->ranges[*index - 1], &shape);
    }
}

struct eval_minmax *eval_minmax_new(void)
{
    return calloc(1, sizeof(struct eval_minmax));
}

void eval_minmax_free(struct eval_minmax *minmax)
{
    if (minmax == NULL)
        return;
    eval_table_free(&minmax->keys);
    eval_table_free(&minmax->methods);
    free(minmax->ranges);
    free(minmax);
}

void eval_minmax_learn(struct eval_minmax *minmax, const struct guard_exchange *exchange,
                       struct guard_arena *arena)
{
    uint32_t *known = eval_table_at(&minmax->methods, eval_hash(1, exchange->method), NULL);
    if (known != NULL)
        *known = 1;
    eval_values(exchange, arena, learn_value, minmax);
}

struct judging {
    struct eval_minmax *minmax;
    struct guard_arena *arena;
    struct eval_said *out;
    uint32_t worst;
};

static uint32_t violations(const struct range *range, const struct shape *shape)
{
    uint32_t count = 0;
    for (int i = 0; i < KINDS; i++)
        count +=
            shape->counts[i] < range->least.counts[i] || shape->counts[i] > range->most.counts[i];
    for (int i = 0; i < 2; i++)
        count += (uint32_t)__builtin_popcountll(shape->specials[i] & ~range->most.specials[i]);
    return count + (shape->comment && !range->most.comment) +
           (shape->hexadecimal && !range->most.hexadecimal);
}

static void judge_value(void *ctx, const char *location, struct guard_span name,
                        struct guard_span value)
{
    struct judging *judging = ctx;
    struct shape shape;
    uint32_t *index = eval_table_at(&judging->minmax->keys, key_of(location, name), NULL);
    uint32_t count = UNKNOWN_WEIGHS;
    if (index != NULL && *index != 0) {
        shape_of(&shape, value);
        count = violations(&judging->minmax->ranges[*index - 1], &shape);
    }
    if (count <= judging->worst)
        return;
    uint8_t *copy = guard_arena_get(judging->arena, name.len + 1);
    if (copy != NULL && name.len > 0)
        memcpy(copy, name.ptr, name.len);
    judging->worst = count;
    judging->out->block = true;
    judging->out->placed = true;
    judging->out->location = (struct guard_span){(const uint8_t *)location, strlen(location)};
    judging->out->name = (struct guard_span){copy, copy != NULL ? name.len : 0};
}

void eval_minmax_judge(struct eval_minmax *minmax, const struct guard_exchange *exchange,
                       struct guard_arena *arena, struct eval_said *out)
{
    struct judging judging = {.minmax = minmax, .arena = arena, .out = out};
    *out = (struct eval_said){.block = false};
    eval_values(exchange, arena, judge_value, &judging);
    uint32_t *known = eval_table_at(&minmax->methods, eval_hash(1, exchange->method), NULL);
    out->block |= known == NULL || *known == 0;
}
