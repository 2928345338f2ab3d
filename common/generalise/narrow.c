/* SPDX-License-Identifier: Apache-2.0 */
/* Words are runs of letters, digits and underscores: codings leave them alone, or are undone. One
 * of them is enough, so that an exploit isn't let through for what it can do without, and however
 * it is spelled: SQL and PHP don't mind. */
#include "common/generalise/narrow.h"

enum { WORD_MIN = 6, WORD_MAX = 64, WORDS_MAX = 16 };

struct words {
    struct guard_span *list;
    uint32_t count;
};

static bool is_of_word(uint8_t byte)
{
    return byte_is_letter(byte) || byte_is_digit(byte) || byte == '_';
}

static bool has_token(const struct message_value *value, size_t begin, size_t end)
{
    for (size_t i = begin; value->tokens != NULL && i < end; i++) {
        if (value->tokens[i] != 0)
            return true;
    }
    return false;
}

static bool is_listed(const struct words *words, struct guard_span word)
{
    for (uint32_t i = 0; i < words->count; i++) {
        if (span_equal_nocase(words->list[i], word))
            return true;
    }
    return false;
}

/* The longest stay. */
static void take(struct words *words, struct guard_span word)
{
    uint32_t shortest = 0;
    if (words->count < WORDS_MAX) {
        words->list[words->count++] = word;
        return;
    }
    for (uint32_t i = 1; i < words->count; i++) {
        if (words->list[i].len < words->list[shortest].len)
            shortest = i;
    }
    if (words->list[shortest].len < word.len)
        words->list[shortest] = word;
}

static struct words words_of(struct work *work, const struct message_value *value)
{
    const struct guard_span text = value->value.text;
    struct words words = {.list = work_get(work, WORDS_MAX * sizeof(*words.list))};
    for (size_t at = 0; words.list != NULL && at < text.len;) {
        size_t end = at;
        while (end < text.len && is_of_word(text.ptr[end]))
            end++;
        struct guard_span word = span_cut(text, at, end);
        if (word.len >= WORD_MIN && word.len <= WORD_MAX && byte_is_letter(word.ptr[0]) &&
            !has_token(value, at, end) && !is_listed(&words, word) &&
            span_search(work->known->benign, word) == SIZE_MAX)
            take(&words, word);
        at = end + 1;
    }
    return words;
}

static struct guard_span named(struct work *work, const struct words *words)
{
    struct growing text;
    if (!growing_begin(work, &text, 256))
        return (struct guard_span){NULL, 0};
    for (uint32_t i = 0; i < words->count; i++) {
        growing_literal(&text, i > 0 ? ", " : "");
        growing_add(&text, words->list[i]);
    }
    return growing_span(&text);
}

void narrow(struct work *work, const struct message_value *value, struct evidence *evidence)
{
    const struct guard_patch_condition *condition = evidence->condition;
    if (work->known->benign.len == 0 || condition == NULL || condition->on_names)
        return;
    struct words words = words_of(work, value);
    struct guard_patch_condition *contains = work_get(work, sizeof(*contains));
    if (words.count == 0 || contains == NULL)
        return;
    *contains = (struct guard_patch_condition){.op = GUARD_OPERATOR_CONTAINS,
                                               .places = condition->places,
                                               .names = condition->names,
                                               .name_count = condition->name_count,
                                               .texts = words.list,
                                               .text_count = words.count,
                                               .ignore_case = true,
                                               .min = -1,
                                               .max = -1};
    const struct guard_patch_condition *const both[] = {condition, contains};
    struct guard_patch_condition *all = condition_group(work, GUARD_OPERATOR_ALL, both, 2);
    if (all == NULL)
        return;
    struct guard_span list = named(work, &words);
    evidence->condition = all;
    evidence->what = work_text(work, "%.*s, and holds a word that benign requests don't: %.*s",
                               (int)evidence->what.len, (const char *)evidence->what.ptr,
                               (int)list.len, (const char *)list.ptr);
}
