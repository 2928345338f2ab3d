/* SPDX-License-Identifier: Apache-2.0 */
/* See knative_value.h. Counts are held in eight bits there, and end at 255. */
#include "common/knative_value.h"

#include "common/document_members.h"
#include "common/guardian_words.h"

#include <stdlib.h>
#include <string.h>

enum { SATURATED = 255, UTF8_MAX = 4, NUMBER_MAX = 16 };

const char *knative_loss_text(enum knative_loss loss)
{
    static const char *const texts[KNATIVE_LOSS_COUNT] = {
        [KNATIVE_LOSS_SEQUENCES] =
            "how often kinds of characters alternate: which follow which is learned instead",
        [KNATIVE_LOSS_BLOCKS] = "blocks of Unicode: characters beyond ASCII are allowed together",
        [KNATIVE_LOSS_LEAST] = "a least count, or a gap between ranges: only the greatest is held",
        [KNATIVE_LOSS_COUNTS] =
            "how many of each kind of character: their sum is held as the greatest length",
        [KNATIVE_LOSS_PAIRS] = "comments and 0x: what reads like an attack is found by other means",
        [KNATIVE_LOSS_SATURATED] = "counts end at 255, so that no greatest length follows"};
    return texts[loss];
}

bool knative_none(const struct document_node *node)
{
    if (node == NULL)
        return true;
    if (node->kind != DOCUMENT_SCALAR)
        return node->count == 0;
    return !node->quoted &&
           (node->text.len == 0 || strcmp((const char *)node->text.ptr, "~") == 0 ||
            strcmp((const char *)node->text.ptr, "null") == 0);
}

/* -1: it is no whole number that any of the counts could be. */
static int64_t whole(const struct document_node *node)
{
    if (node == NULL || node->kind != DOCUMENT_SCALAR || node->quoted || node->text.len == 0 ||
        node->text.len >= NUMBER_MAX)
        return -1;
    for (size_t i = 0; i < node->text.len; i++) {
        if (node->text.ptr[i] < '0' || node->text.ptr[i] > '9')
            return -1;
    }
    return (int64_t)strtoull((const char *)node->text.ptr, NULL, 10);
}

int64_t knative_most(const struct document_node *node, bool *least)
{
    int64_t most = 0, reached = 0;
    if (knative_none(node))
        return 0;
    if (node->kind != DOCUMENT_SEQUENCE)
        return whole(node);
    for (const struct document_node *range = node->first; range != NULL; range = range->next) {
        int64_t from = whole(member_of(range, "min")), to = whole(member_of(range, "max"));
        if (from < 0 || to < 0)
            return -1;
        /* A count of zero is always allowed there. */
        *least = *least || from > reached + 1;
        reached = to;
        most = to > most ? to : most;
    }
    return most;
}

static void lose(struct knative_losses *losses, enum knative_loss loss,
                 const struct document_node *at)
{
    if (losses->counts[loss]++ == 0)
        losses->first[loss] = at;
}

static uint64_t class_range(enum guard_class first, enum guard_class last)
{
    uint64_t classes = 0;
    for (unsigned cls = first; cls <= (unsigned)last; cls++)
        classes |= UINT64_C(1) << cls;
    return classes;
}

/* Bits of the special characters, in the order of their table there. */
static uint64_t flag_classes(uint32_t flags)
{
    static const char *const characters[28] = {"!",  "\"", "#", "$", "%", "&", "'",  "()", "*", "+",
                                               ",",  "-",  ".", "/", ":", ";", "<>", "=",  "?", "@",
                                               "\\", "[]", "^", "_", "`", "|", "{}", "~"};
    uint64_t classes = 0;
    for (unsigned bit = 0; bit < 28; bit++) {
        for (const char *at = characters[bit]; (flags >> bit & 1) != 0 && *at != '\0'; at++)
            classes |= guardian_class_bit((struct guard_span){(const uint8_t *)at, 1});
    }
    return classes;
}

struct kind {
    const char *name;
    uint64_t classes;
    uint32_t bytes; /* of one character */
};

/* Comments are "*" beside "/" and "-" twice; the other pair is "0x". */
static bool forbids_pairs(uint32_t flags, bool special, int64_t letters, int64_t digits)
{
    enum { ASTERISK = 1 << 8, MINUS = 1 << 11, SLASH = 1 << 13 };
    const uint32_t comments = UINT32_C(1) << 30, hex = UINT32_C(1) << 31;
    bool could =
        special && ((flags & (ASTERISK | SLASH)) == (ASTERISK | SLASH) || (flags & MINUS) != 0);
    return (could && (flags & comments) == 0) || (letters > 0 && digits > 0 && (flags & hex) == 0);
}

static enum guard_rc special_classes(struct guard_criterion *out, const struct document_node *node,
                                     const int64_t counts[6], struct knative_losses *losses,
                                     const struct document_node **bad)
{
    enum { DIGITS, LETTERS, SPACES, SPECIALS };
    const struct document_node *said = member_of(node, "flags");
    int64_t flags = knative_none(said) ? 0 : whole(said);
    if (flags < 0 || flags > UINT32_MAX) {
        *bad = said;
        return GUARD_E_SYNTAX;
    }
    if (counts[SPECIALS] > 0)
        out->classes |= flag_classes((uint32_t)flags);
    if (forbids_pairs((uint32_t)flags, counts[SPECIALS] > 0, counts[LETTERS], counts[DIGITS]))
        lose(losses, KNATIVE_LOSS_PAIRS, node);
    return GUARD_OK;
}

enum guard_rc knative_value(struct guard_criterion *out, const struct document_node *node,
                            struct knative_losses *losses, const struct document_node **bad)
{
    const struct kind kinds[6] = {
        {"digits", class_range(GUARD_CLASS_DIGIT, GUARD_CLASS_DIGIT), 1},
        {"letters", class_range(GUARD_CLASS_LOWER, GUARD_CLASS_UPPER), 1},
        {"spaces", class_range(GUARD_CLASS_SPACE, GUARD_CLASS_SPACE), 1},
        {"schars", 0, 1},
        {"nonreadables", UINT64_C(1) << GUARD_CLASS_BREAK | UINT64_C(1) << GUARD_CLASS_CONTROL, 1},
        {"unicodes", class_range(GUARD_CLASS_LATIN, GUARD_CLASS_EMOJI), UTF8_MAX}};
    int64_t counts[6], len = 0;
    uint32_t several = 0;
    bool saturated = false, least = false;
    if (node->kind != DOCUMENT_MAPPING) {
        *bad = node;
        return GUARD_E_SYNTAX;
    }
    out->classes_said = true;
    out->classes = 0;
    for (size_t i = 0; i < 6; i++) {
        const struct document_node *count = member_of(node, kinds[i].name);
        counts[i] = knative_most(count, &least);
        if (counts[i] < 0) {
            *bad = count;
            return GUARD_E_SYNTAX;
        }
        out->classes |= counts[i] > 0 ? kinds[i].classes : 0;
        len += counts[i] * kinds[i].bytes;
        several += counts[i] > 0;
        saturated = saturated || counts[i] >= SATURATED;
    }
    GUARD_TRY(special_classes(out, node, counts, losses, bad));
    out->length_max = saturated ? -1 : len;
    if (saturated)
        lose(losses, KNATIVE_LOSS_SATURATED, node);
    if (several > 1)
        lose(losses, KNATIVE_LOSS_COUNTS, node);
    if (least)
        lose(losses, KNATIVE_LOSS_LEAST, node);
    if (!knative_none(member_of(node, "sequences")))
        lose(losses, KNATIVE_LOSS_SEQUENCES, member_of(node, "sequences"));
    if (!knative_none(member_of(node, "unicodeFlags")))
        lose(losses, KNATIVE_LOSS_BLOCKS, member_of(node, "unicodeFlags"));
    return GUARD_OK;
}
