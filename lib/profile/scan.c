/* SPDX-License-Identifier: Apache-2.0 */
/* See scan.h. The loop has one table look-up per byte; what costs more happens only where the class
 * changes, and what costs much only where a neighbourhood is new. */
#include "profile/scan.h"

#include "base/arena.h"
#include "base/block.h"
#include "base/utf8.h"
#include "profile/transition.h"
#include "profile/word_skip.h"

/* The class of a byte, for those below 0x80. */
const uint8_t gd_class_of_byte[256] = {
    [0 ... 8] = GUARD_CLASS_CONTROL,
    ['\t'] = GUARD_CLASS_BREAK,
    ['\n'] = GUARD_CLASS_BREAK,
    [11 ... 12] = GUARD_CLASS_CONTROL,
    ['\r'] = GUARD_CLASS_BREAK,
    [14 ... 31] = GUARD_CLASS_CONTROL,
    [' '] = GUARD_CLASS_SPACE,
    ['!'] = 6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    ['0' ... '9'] = GUARD_CLASS_DIGIT,
    [':'] = 21,
    22,
    23,
    24,
    25,
    26,
    27,
    ['A' ... 'Z'] = GUARD_CLASS_UPPER,
    ['['] = 28,
    29,
    30,
    31,
    32,
    33,
    ['a' ... 'z'] = GUARD_CLASS_LOWER,
    ['{'] = 34,
    35,
    36,
    37,
    [127] = GUARD_CLASS_CONTROL,
    [128 ... 255] = GD_SCAN_HIGH,
};

/* What a byte below 0x80 brings: its class as a bit, and a count. */
#define CLASS(cls) (UINT64_C(1) << (cls))
#define CLASSES5(cls)                                                                              \
    CLASS(cls), CLASS((cls) + 1), CLASS((cls) + 2), CLASS((cls) + 3), CLASS((cls) + 4)
const uint64_t gd_class_bit[128] = {
    [0 ... 8] = CLASS(GUARD_CLASS_CONTROL),
    ['\t'] = CLASS(GUARD_CLASS_BREAK),
    ['\n'] = CLASS(GUARD_CLASS_BREAK),
    [11 ... 12] = CLASS(GUARD_CLASS_CONTROL),
    ['\r'] = CLASS(GUARD_CLASS_BREAK),
    [14 ... 31] = CLASS(GUARD_CLASS_CONTROL),
    [' '] = CLASS(GUARD_CLASS_SPACE),
    ['!'] = CLASSES5(6),
    CLASSES5(11),
    CLASSES5(16),
    ['0' ... '9'] = CLASS(GUARD_CLASS_DIGIT),
    [':'] = CLASSES5(21),
    CLASS(26),
    CLASS(27),
    ['A' ... 'Z'] = CLASS(GUARD_CLASS_UPPER),
    ['['] = CLASSES5(28),
    CLASS(33),
    ['a' ... 'z'] = CLASS(GUARD_CLASS_LOWER),
    ['{'] = CLASS(34),
    CLASS(35),
    CLASS(36),
    CLASS(37),
    [127] = CLASS(GUARD_CLASS_CONTROL),
};

#define SPECIAL (UINT64_C(1) << 32)
const uint64_t gd_count_of_byte[128] = {
    ['0' ... '9'] = 1,       ['!' ... '/'] = SPECIAL, [':' ... '@'] = SPECIAL,
    ['[' ... '`'] = SPECIAL, ['{' ... '~'] = SPECIAL,
};

const uint8_t gd_frequent_of_byte[256] = {
    [0 ... 31] = GD_FREQUENT_NONE,     [' '] = GD_FREQUENT_SPACE,
    ['!' ... ','] = GD_FREQUENT_NONE,  ['-'] = GD_FREQUENT_DASH,
    ['.'] = GD_FREQUENT_POINT,         ['/'] = GD_FREQUENT_SLASH,
    ['0' ... '9'] = GD_FREQUENT_DIGIT, [':' ... '@'] = GD_FREQUENT_NONE,
    ['A' ... 'Z'] = GD_FREQUENT_UPPER, ['[' ... '`'] = GD_FREQUENT_NONE,
    ['a' ... 'z'] = GD_FREQUENT_LOWER, ['{' ... 255] = GD_FREQUENT_NONE,
};

const uint8_t gd_class_of_frequent[8] = {
    GUARD_CLASS_LOWER,
    GUARD_CLASS_UPPER,
    GUARD_CLASS_DIGIT,
    GUARD_CLASS_SPACE,
    GUARD_CLASS_PUNCTUATION + '-' - '!',
    GUARD_CLASS_PUNCTUATION + '.' - '!',
    GUARD_CLASS_PUNCTUATION + '/' - '!',
};

const uint8_t gd_frequent_of_class[GUARD_CLASS_COUNT] = {
    GD_FREQUENT_LOWER,
    GD_FREQUENT_UPPER,
    GD_FREQUENT_DIGIT,
    GD_FREQUENT_SPACE,
    [4 ... 17] = GD_FREQUENT_NONE,
    GD_FREQUENT_DASH,
    GD_FREQUENT_POINT,
    GD_FREQUENT_SLASH,
    [21 ... 47] = GD_FREQUENT_NONE,
};

static inline uint64_t bit(uint32_t cls)
{
    return UINT64_C(1) << (cls & 63);
}

enum {
    FEW = GD_TRANSITIONS_INLINE, /* so many transitions are searched one by one */
};

static bool grow(struct gd_summary *summary, struct guard_arena *arena)
{
    uint32_t cap = summary->transition_cap * 2u;
    if (cap > GD_TRANSITIONS_MAX)
        cap = GD_TRANSITIONS_MAX;
    if (cap <= summary->transition_cap)
        return false;
    uint16_t *list = gd_arena_get(arena, cap * sizeof(*list));
    if (list == NULL)
        return false;
    memcpy(list, summary->transitions, summary->transition_count * sizeof(*list));
    summary->transitions = list;
    summary->transition_cap = (uint16_t)cap;
    return true;
}

static __attribute__((noinline)) void fill_rows(struct gd_scan *scan)
{
    const struct gd_summary *summary = scan->summary;
    memset(scan->rows, 0, sizeof(scan->rows));
    for (uint32_t i = 0; i < summary->transition_count; i++)
        scan->rows[summary->transitions[i] >> 6] |= bit(summary->transitions[i]);
    scan->many = true;
}

/* Adds a transition to a summary that has many. */
static inline void add_to_many(struct gd_scan *scan, uint32_t from, uint32_t to)
{
    struct gd_summary *summary = scan->summary;
    if (!scan->many)
        fill_rows(scan);
    if (scan->rows[from] & bit(to))
        return;
    if (summary->transition_count == summary->transition_cap && !grow(summary, scan->arena)) {
        summary->transitions_full = true;
        return;
    }
    scan->rows[from] |= bit(to);
    summary->transitions[summary->transition_count++] = (uint16_t)(from << 6 | to);
}

/* Of other classes than the frequent ones. */
static void add_rare(struct gd_scan *scan, uint32_t from, uint32_t to)
{
    struct gd_summary *summary = scan->summary;
    uint32_t count = summary->transition_count;
    /* Blanks, controls and punctuation are neighbours of themselves, letters and digits aren't. */
    if (from == to && from - GUARD_CLASS_SPACE >= GUARD_CLASS_LATIN - GUARD_CLASS_SPACE)
        return;
    if (count >= FEW) {
        add_to_many(scan, from, to);
        return;
    }
    uint32_t transition = from << 6 | to;
    for (uint32_t i = 0; i < count; i++) {
        if (summary->inline_transitions[i] == transition)
            return;
    }
    summary->inline_transitions[count] = (uint16_t)transition;
    summary->transition_count = (uint16_t)(count + 1);
}

static inline void add_transition(struct gd_scan *scan, uint32_t from, uint32_t to)
{
    uint32_t first = gd_frequent_of_class[from];
    uint32_t second = gd_frequent_of_class[to];
    if (first != GD_FREQUENT_NONE && second != GD_FREQUENT_NONE)
        scan->summary->frequent |= GD_FREQUENT_PAIR(first, second) & GD_FREQUENT_ALL;
    else
        add_rare(scan, from, to);
}

/* Up to the first high byte or the end. */
static const uint8_t *scan_ascii(struct gd_scan *scan, const uint8_t *at, const uint8_t *end)
{
    uint64_t classes = scan->classes;
    uint64_t tally = scan->tally;
    uint64_t frequent = scan->summary->frequent | GD_FREQUENT_RUNS;
    const uint8_t *begin = at;
    if (scan->previous == GD_SCAN_START) {
        if (at == end || *at >= 0x80)
            return at;
        classes |= gd_class_bit[*at];
        tally += gd_count_of_byte[*at];
        scan->previous = gd_class_of_byte[*at];
        begin = ++at;
    }
    uint64_t from = gd_frequent_of_class[scan->previous];
    for (; at < end; at++) {
        uint64_t byte = *at;
        uint64_t to = gd_frequent_of_byte[byte];
        uint64_t pair = from * 8 + to;
        if (__builtin_expect(!(frequent >> pair & 1), 0)) {
            if (byte >= 0x80)
                break;
            if (from != GD_FREQUENT_NONE && to != GD_FREQUENT_NONE)
                frequent |= bit((uint32_t)pair);
            else
                add_rare(scan, at == begin ? scan->previous : gd_class_of_byte[at[-1]],
                         gd_class_of_byte[byte]);
        }
        classes |= gd_class_bit[byte];
        tally += gd_count_of_byte[byte];
        from = to;
    }
    if (at > begin)
        scan->previous = gd_class_of_byte[at[-1]];
    scan->classes = classes;
    scan->tally = tally;
    scan->summary->frequent = frequent & GD_FREQUENT_ALL;
    return at;
}

/* One block of lower case letters and blanks, or its head; returns how many bytes of it are such.
 * The byte before it is one too, or none. */
static inline uint32_t scan_words_block(struct gd_scan *scan, const uint8_t *at, size_t len)
{
    struct gd_block block = gd_block_load(at, len);
    uint32_t lower = GD_BLOCK_BETWEEN(&block, 'a', 'z');
    uint32_t space = GD_BLOCK_BETWEEN(&block, ' ', ' ');
    uint32_t count = (uint32_t)__builtin_ctz(~(lower | space));
    uint32_t some = (1u << count) - 1;
    if (count == 0)
        return 0;
    lower &= some;
    space &= some;
    uint32_t after_lower = lower << 1 | (scan->previous == GUARD_CLASS_LOWER);
    uint32_t after_space = space << 1 | (scan->previous == GUARD_CLASS_SPACE);
    uint64_t met = 0;
    if (after_lower & space)
        met |= GD_FREQUENT_PAIR(GD_FREQUENT_LOWER, GD_FREQUENT_SPACE);
    if (after_space & lower)
        met |= GD_FREQUENT_PAIR(GD_FREQUENT_SPACE, GD_FREQUENT_LOWER);
    if (after_space & space)
        met |= GD_FREQUENT_PAIR(GD_FREQUENT_SPACE, GD_FREQUENT_SPACE);
    scan->summary->frequent |= met;
    scan->classes |=
        (lower != 0 ? bit(GUARD_CLASS_LOWER) : 0) | (space != 0 ? bit(GUARD_CLASS_SPACE) : 0);
    scan->previous = lower >> (count - 1) & 1 ? GUARD_CLASS_LOWER : GUARD_CLASS_SPACE;
    return count;
}

/* Words, which long values mostly are. Once a value has shown both neighbourhoods of letters and
 * blanks they bring nothing new and are skipped. */
static const uint8_t *scan_words(struct gd_scan *scan, const uint8_t *at, const uint8_t *end)
{
    const uint64_t both = GD_FREQUENT_PAIR(GD_FREQUENT_LOWER, GD_FREQUENT_SPACE) |
                          GD_FREQUENT_PAIR(GD_FREQUENT_SPACE, GD_FREQUENT_LOWER);
    const uint64_t classes = 1u << GUARD_CLASS_LOWER | 1u << GUARD_CLASS_SPACE;
    if (scan->previous != GD_SCAN_START && scan->previous != GUARD_CLASS_LOWER &&
        scan->previous != GUARD_CLASS_SPACE)
        return at;
    while (at < end) {
        size_t len = end - at < GD_BLOCK ? (size_t)(end - at) : (size_t)GD_BLOCK;
        uint32_t count = scan_words_block(scan, at, len);
        at += count;
        if (count < len)
            break;
        if ((scan->classes & classes) == classes && (scan->summary->frequent & both) == both) {
            bool blank = scan->previous == GUARD_CLASS_SPACE;
            at = GD_WORD_SKIP(at, end, &blank);
            scan->previous = blank ? GUARD_CLASS_SPACE : GUARD_CLASS_LOWER;
        }
    }
    return at;
}

/* A long value by pieces, between which words are read as such. */
static const uint8_t *scan_long(struct gd_scan *scan, const uint8_t *at, const uint8_t *end)
{
    while ((at = scan_words(scan, at, end)) < end) {
        const uint8_t *stop = end - at > GD_BLOCK ? at + GD_BLOCK : end;
        at = scan_ascii(scan, at, stop);
        if (at < stop)
            return at;
    }
    return at;
}

int gd_sequence(const uint8_t *at, const uint8_t *end, uint32_t *code)
{
    uint32_t lead = at[0];
    int len = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    uint32_t value = lead & (0x7fu >> len);
    for (int i = 1; i < len; i++) {
        if (at + i >= end)
            return -1;
        uint32_t byte = at[i];
        /* Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte. */
        if ((byte & 0xc0) != 0x80 ||
            (i == 1 && ((lead == 0xe0 && byte < 0xa0) || (lead == 0xed && byte > 0x9f) ||
                        (lead == 0xf0 && byte < 0x90) || (lead == 0xf4 && byte > 0x8f))))
            return 0;
        value = value << 6 | (byte & 0x3f);
    }
    *code = value;
    return len;
}

/* First code point of each range; sorted. Blocks that few services meet go with a neighbour. */
static const struct {
    uint16_t first;
    uint8_t cls;
} ranges[] = {
    {0x0080, GUARD_CLASS_CONTROL},  {0x00a0, GUARD_CLASS_SYMBOL},   {0x00aa, GUARD_CLASS_LATIN},
    {0x00ab, GUARD_CLASS_SYMBOL},   {0x00b5, GUARD_CLASS_LATIN},    {0x00b6, GUARD_CLASS_SYMBOL},
    {0x00ba, GUARD_CLASS_LATIN},    {0x00bb, GUARD_CLASS_SYMBOL},   {0x00c0, GUARD_CLASS_LATIN},
    {0x00d7, GUARD_CLASS_SYMBOL},   {0x00d8, GUARD_CLASS_LATIN},    {0x00f7, GUARD_CLASS_SYMBOL},
    {0x00f8, GUARD_CLASS_LATIN},    {0x0370, GUARD_CLASS_GREEK},    {0x0400, GUARD_CLASS_CYRILLIC},
    {0x0590, GUARD_CLASS_SEMITIC},  {0x0900, GUARD_CLASS_INDIC},    {0x10a0, GUARD_CLASS_CYRILLIC},
    {0x1100, GUARD_CLASS_HANGUL},   {0x1200, GUARD_CLASS_SEMITIC},  {0x13a0, GUARD_CLASS_INDIC},
    {0x1c80, GUARD_CLASS_CYRILLIC}, {0x1cc0, GUARD_CLASS_INDIC},    {0x1d00, GUARD_CLASS_LATIN},
    {0x1f00, GUARD_CLASS_GREEK},    {0x2000, GUARD_CLASS_SYMBOL},   {0x2c00, GUARD_CLASS_CYRILLIC},
    {0x2c60, GUARD_CLASS_LATIN},    {0x2c80, GUARD_CLASS_GREEK},    {0x2d00, GUARD_CLASS_CYRILLIC},
    {0x2d30, GUARD_CLASS_SEMITIC},  {0x2de0, GUARD_CLASS_CYRILLIC}, {0x2e00, GUARD_CLASS_SYMBOL},
    {0x2e80, GUARD_CLASS_CJK},      {0x3000, GUARD_CLASS_SYMBOL},   {0x3005, GUARD_CLASS_CJK},
    {0x3008, GUARD_CLASS_SYMBOL},   {0x3021, GUARD_CLASS_CJK},      {0x3130, GUARD_CLASS_HANGUL},
    {0x3190, GUARD_CLASS_CJK},      {0xa4d0, GUARD_CLASS_LATIN},    {0xa640, GUARD_CLASS_CYRILLIC},
    {0xa6a0, GUARD_CLASS_LATIN},    {0xa800, GUARD_CLASS_INDIC},    {0xa960, GUARD_CLASS_HANGUL},
    {0xa980, GUARD_CLASS_INDIC},    {0xab00, GUARD_CLASS_SEMITIC},  {0xab30, GUARD_CLASS_LATIN},
    {0xabc0, GUARD_CLASS_INDIC},    {0xac00, GUARD_CLASS_HANGUL},   {0xd800, GUARD_CLASS_SYMBOL},
    {0xf900, GUARD_CLASS_CJK},      {0xfb00, GUARD_CLASS_LATIN},    {0xfb13, GUARD_CLASS_CYRILLIC},
    {0xfb1d, GUARD_CLASS_SEMITIC},  {0xfe00, GUARD_CLASS_SYMBOL},   {0xfe70, GUARD_CLASS_SEMITIC},
    {0xfeff, GUARD_CLASS_SYMBOL},   {0xff21, GUARD_CLASS_CJK},      {0xff3b, GUARD_CLASS_SYMBOL},
    {0xff41, GUARD_CLASS_CJK},      {0xff5b, GUARD_CLASS_SYMBOL},   {0xff66, GUARD_CLASS_CJK},
    {0xffa0, GUARD_CLASS_HANGUL},   {0xffe0, GUARD_CLASS_SYMBOL},
};

enum guard_class gd_class_of_code(uint32_t code)
{
    if (code > 0xffff)
        return GUARD_CLASS_EMOJI;
    size_t low = 0;
    size_t high = sizeof(ranges) / sizeof(ranges[0]);
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].first <= code)
            low = middle;
        else
            high = middle;
    }
    return (enum guard_class)ranges[low].cls;
}

/* One sequence of high bytes; at is advanced unless it is unfinished. */
static const uint8_t *scan_high(struct gd_scan *scan, const uint8_t *at, const uint8_t *end)
{
    uint32_t cls = GUARD_CLASS_INVALID;
    int len = 1;
    if (scan->utf8 != GD_SCAN_UTF8_INVALID) {
        uint32_t code;
        len = gd_sequence(at, end, &code);
        if (len < 0)
            return NULL;
        if (len > 0)
            cls = (uint32_t)gd_class_of_code(code);
        else
            len = 1;
    }
    scan->classes |= bit(cls);
    if (scan->previous != GD_SCAN_START)
        add_transition(scan, scan->previous, cls);
    scan->previous = cls;
    return at + len;
}

size_t gd_scan_bytes(struct gd_scan *scan, struct guard_span bytes)
{
    const uint8_t *at = bytes.ptr;
    const uint8_t *end = bytes.len == 0 ? at : at + bytes.len;
    while ((at = end - at > GD_BLOCK ? scan_long(scan, at, end) : scan_ascii(scan, at, end)) <
           end) {
        if (scan->utf8 == GD_SCAN_UTF8_UNKNOWN)
            scan->utf8 = gd_utf8_check(gd_span(at, (size_t)(end - at))) == GD_UTF8_VALID
                             ? GD_SCAN_UTF8_VALID
                             : GD_SCAN_UTF8_INVALID;
        const uint8_t *next = scan_high(scan, at, end);
        if (next == NULL)
            return (size_t)(at - bytes.ptr);
        at = next;
    }
    return bytes.len;
}

void gd_scan_invalid(struct gd_scan *scan)
{
    static const uint8_t broken = 0xff;
    (void)scan_high(scan, &broken, &broken + 1);
}
