/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the words of leak_table.h in a body that comes in pieces. Windows that can't end a word are
 * skipped; each stop is judged by a bounded part of the text around it, so the work is linear in
 * the body's length whatever it holds. */
#include "detect/leak.h"

#include "base/span.h"
#include "detect/leak_table.h"

enum { LEAK_CARD_MIN = 13 };

#define BIT(leak) ((uint32_t)1 << (leak))

/* The bytes that end with *last, the first one lowest: one load, where the processor has it so. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static unsigned pair_at(const uint8_t *last)
{
    uint16_t pair;
    memcpy(&pair, last - 1, sizeof(pair));
    return pair;
}
#else
static unsigned pair_at(const uint8_t *last)
{
    return (unsigned)last[-1] | (unsigned)last[0] << 8;
}
#endif

static uint32_t tail_at(const uint8_t *last)
{
    return (uint32_t)pair_at(last - 2) | (uint32_t)pair_at(last) << 16;
}

/* The upper five bits of the first byte below the second; see the script. */
static unsigned move_at(const uint8_t *last)
{
    return leak_moves[pair_at(last) >> 3];
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

/* What is found in a stretch of the body. */
struct finding {
    uint32_t found;
    uint64_t base; /* where in the body its text begins */
    struct gd_leak_numbers numbers;
};

/* Each number once, however the body is cut: those at the edge of a stretch are met twice. */
static void count_number(struct finding *finding, uint64_t number, uint64_t end, bool like)
{
    struct gd_leak_numbers *numbers = &finding->numbers;
    if (end <= numbers->end)
        return;
    numbers->end = end;
    numbers->unlike += !like && numbers->unlike < UINT32_MAX;
    for (uint32_t i = 0; like && i < numbers->like; i++)
        like = numbers->cards[i] != number;
    if (like && numbers->like < GD_LEAK_CARDS)
        numbers->cards[numbers->like++] = number;
}

/* Of random numbers that begin like cards one in ten looks like one; four of five do in one of
 * 2,000 bodies. */
static bool are_cards(const struct gd_leak_numbers *numbers)
{
    return numbers->like == GD_LEAK_CARDS && numbers->unlike <= 1;
}

/* Where the run of digits ends to which text[at] and the byte before it belong. Few runs have a
 * card's length, or the four digits of its first group. */
static size_t judge_digits(const uint8_t *text, size_t len, size_t at, struct finding *finding)
{
    uint64_t number;
    size_t begin = at - 1;
    size_t end = at + 1;
    while (end < len && digit(text[end]))
        end++;
    while (begin > 0 && end - begin < LEAK_CARD_MIN && digit(text[begin - 1]))
        begin--;
    if (end - begin != 4 && end - begin < LEAK_CARD_MIN)
        return end;
    enum gd_leak_card card = gd_leak_card(text, len, at, &number);
    if (card == GD_LEAK_CARD_SURE)
        finding->found |= BIT(GUARD_LEAK_CARD);
    else if (card != GD_LEAK_CARD_NONE)
        count_number(finding, number, finding->base + end, card == GD_LEAK_CARD_LIKE);
    return end;
}

/* Judges the stop at text[at]; returns where the next window may end. */
static size_t judge(const uint8_t *text, size_t len, size_t at, struct finding *finding)
{
    if (digit(text[at]) && digit(text[at - 1]))
        return judge_digits(text, len, at, finding);
    if (at < 3)
        return at + 1;
    uint32_t tail = tail_at(text + at);
    unsigned bucket = (tail * LEAK_MULTIPLIER) >> 24;
    for (unsigned i = leak_first[bucket]; i < leak_first[bucket + 1]; i++) {
        const struct gd_leak_word *word = &leak_words[i];
        if (leak_tails[i] == tail && (finding->found & BIT(word->leak)) == 0 &&
            word_fits(word, text, len, at))
            finding->found |= BIT(word->leak);
    }
    return at + 1;
}

/* All windows that end in text[from, to), from > 0. */
static void scan(const uint8_t *text, size_t len, size_t from, size_t to, struct finding *finding)
{
    if (from >= to)
        return;
    const uint8_t *last = text + from;
    const uint8_t *end = text + to;
    while (last < end) {
        /* A stop moves nothing: several moves can be made before one look. */
        while (end - last > 3 * LEAK_MOVE_MAX) {
            last += move_at(last);
            last += move_at(last);
            unsigned move = move_at(last);
            last += move;
            if (move == 0)
                break;
        }
        unsigned move = move_at(last);
        last = move == 0 ? text + judge(text, len, (size_t)(last - text), finding) : last + move;
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
    leaks->seen = 1;
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
    struct finding finding = {leaks->found, leaks->seen - leaks->len, leaks->numbers};
    memcpy(joint, leaks->tail, leaks->len);
    memcpy(joint + leaks->len, head.ptr, head.len);
    size_t len = leaks->len + head.len;
    scan(joint, len, undecided(leaks->len), undecided(len), &finding);
    if (bytes.len == head.len) {
        keep(leaks, joint, len);
    } else {
        finding.base = leaks->seen;
        scan(bytes.ptr, bytes.len, GD_LEAK_BEFORE, undecided(bytes.len), &finding);
        keep(leaks, bytes.ptr, bytes.len);
    }
    leaks->seen += bytes.len;
    leaks->found = finding.found;
    leaks->numbers = finding.numbers;
}

uint32_t gd_leaks_found(const struct gd_leaks *leaks)
{
    struct finding finding = {leaks->found, leaks->seen - leaks->len, leaks->numbers};
    scan(leaks->tail, leaks->len, undecided(leaks->len), leaks->len, &finding);
    return finding.found | (are_cards(&finding.numbers) ? BIT(GUARD_LEAK_CARD) : 0);
}
