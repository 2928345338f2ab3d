/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the words of leak_table.h in a body that comes in pieces. Windows that can't end a word are
 * skipped; each stop is judged by a bounded part of the text around it, so the work is linear in
 * the body's length whatever it holds. */
#include "detect/leak.h"

#include "base/span.h"
#include "detect/leak_table.h"

#define BIT(leak) ((uint32_t)1 << (leak))

static unsigned pair_at(const uint8_t *last)
{
    return (unsigned)last[-1] | (unsigned)last[0] << 8;
}

/* The upper five bits of the first byte below the lower seven of the second; see the script. */
static unsigned hash(unsigned pair)
{
    return (pair << 17) >> 20;
}

static bool digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool word_fits(const struct gd_leak_word *word, const uint8_t *text, size_t len, size_t at)
{
    struct gd_leak_place place = {.text = text};
    place.low = at > GD_LEAK_BEFORE ? at - GD_LEAK_BEFORE : 0;
    place.high = len - at > GD_LEAK_AFTER ? at + GD_LEAK_AFTER : len;
    if (at < word->end)
        return false;
    place.begin = at - word->end;
    place.end = place.begin + word->len;
    if (place.begin < place.low || place.end > place.high)
        return false;
    return memcmp(text + place.begin, word->text, word->len) == 0 &&
           gd_leak_rule_fits((enum gd_leak_rule)word->rule, &place);
}

/* Judges the stop at text[at]; returns where the next window may end. */
static size_t judge(const uint8_t *text, size_t len, size_t at, uint32_t *found)
{
    unsigned pair = pair_at(text + at);
    if (digit(text[at]) && digit(text[at - 1])) {
        size_t next;
        if (gd_leak_card(text, len, at, &next))
            *found |= BIT(GUARD_LEAK_CARD);
        return next;
    }
    unsigned bucket = hash(pair) >> 4;
    for (unsigned i = leak_first[bucket]; i < leak_first[bucket + 1]; i++) {
        const struct gd_leak_word *word = &leak_words[i];
        if (pair_at((const uint8_t *)word->text + word->end) == pair &&
            (*found & BIT(word->leak)) == 0 && word_fits(word, text, len, at))
            *found |= BIT(word->leak);
    }
    return at + 1;
}

/* All windows that end in text[from, to), from > 0. */
static void scan(const uint8_t *text, size_t len, size_t from, size_t to, uint32_t *found)
{
    size_t at = from;
    while (at < to) {
        /* A stop moves nothing: four moves can be made before one look. */
        while (to - at > (size_t)4 * LEAK_MOVE_MAX) {
            at += leak_moves[hash(pair_at(text + at))];
            at += leak_moves[hash(pair_at(text + at))];
            at += leak_moves[hash(pair_at(text + at))];
            unsigned move = leak_moves[hash(pair_at(text + at))];
            at += move;
            if (move == 0)
                break;
        }
        unsigned move = leak_moves[hash(pair_at(text + at))];
        at = move == 0 ? judge(text, len, at, found) : at + move;
    }
}

static size_t undecided(size_t len)
{
    return len > GD_LEAK_AFTER ? len - GD_LEAK_AFTER : 1;
}

void gd_leaks_begin(struct gd_leaks *leaks)
{
    memset(leaks, 0, sizeof(*leaks));
    /* The body begins a line. */
    leaks->tail[0] = '\n';
    leaks->len = 1;
}

static void keep(struct gd_leaks *leaks, const uint8_t *text, size_t len)
{
    leaks->len = len < GD_LEAK_TAIL ? (uint32_t)len : GD_LEAK_TAIL;
    memcpy(leaks->tail, text + len - leaks->len, leaks->len);
}

void gd_leaks_feed(struct gd_leaks *leaks, struct guard_span bytes)
{
    uint8_t joint[2 * GD_LEAK_TAIL];
    struct guard_span head = gd_span_head(bytes, GD_LEAK_TAIL);
    if (bytes.len == 0)
        return;
    memcpy(joint, leaks->tail, leaks->len);
    memcpy(joint + leaks->len, head.ptr, head.len);
    size_t len = leaks->len + head.len;
    scan(joint, len, undecided(leaks->len), undecided(len), &leaks->found);
    if (bytes.len == head.len) {
        keep(leaks, joint, len);
        return;
    }
    scan(bytes.ptr, bytes.len, GD_LEAK_BEFORE, undecided(bytes.len), &leaks->found);
    keep(leaks, bytes.ptr, bytes.len);
}

uint32_t gd_leaks_found(const struct gd_leaks *leaks)
{
    uint32_t found = leaks->found;
    scan(leaks->tail, leaks->len, undecided(leaks->len), leaks->len, &found);
    return found;
}
