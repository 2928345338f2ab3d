/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as expressions, and pieces of long ones. */
#include "common/generalise/skeleton.h"

#include <stdio.h>

enum { PIECES = 3, PIECE_MIN = 6, PIECE_MAX = 128, FREE_MAX = 256 };

static bool is_token(const uint8_t *tokens, size_t at)
{
    return tokens != NULL && tokens[at] != 0;
}

/* A letter or digit beside a token byte is of the same token, as is what differs by chance only. */
static size_t token_end(struct guard_span text, const uint8_t *tokens, size_t at)
{
    while (at < text.len && is_token(tokens, at))
        at++;
    return at;
}

static void add_free(struct growing *out, struct guard_span text, size_t end)
{
    char bound[16];
    if (end < text.len) {
        growing_literal(out, "[^");
        if (byte_is_letter(text.ptr[end]) || byte_is_digit(text.ptr[end]) ||
            byte_is_blank(text.ptr[end]))
            growing_literal(out, byte_is_blank(text.ptr[end]) ? "\\s" : "");
        if (!byte_is_blank(text.ptr[end]))
            growing_quoted(out, text.ptr[end]);
        growing_literal(out, "]");
        snprintf(bound, sizeof(bound), "{0,%d}", FREE_MAX);
        growing_literal(out, bound);
    }
}

/* Without an upper bound: the library writes a group out as often as its bound says. */
static size_t add_blanks(struct growing *out, struct guard_span text, size_t at)
{
    while (at < text.len && byte_is_blank(text.ptr[at]))
        at++;
    growing_literal(out, "(?:\\s|/\\*\\*/)+");
    return at;
}

static size_t add_digits(struct growing *out, struct guard_span text, const uint8_t *tokens,
                         size_t at)
{
    while (at < text.len && byte_is_digit(text.ptr[at]) && !is_token(tokens, at))
        at++;
    growing_literal(out, "[0-9]{1,32}");
    return at;
}

struct guard_span skeleton(struct work *work, struct guard_span text, const uint8_t *tokens,
                           bool anchored)
{
    struct growing out;
    size_t fixed = 0;
    size_t begin = 0;
    size_t end = text.len;
    while (!anchored && begin < end && (is_token(tokens, begin) || byte_is_blank(text.ptr[begin])))
        begin++;
    while (!anchored && end > begin &&
           (is_token(tokens, end - 1) || byte_is_blank(text.ptr[end - 1])))
        end--;
    text = span_cut(text, 0, end);
    if (!growing_begin(work, &out, GUARD_PATCH_EXPRESSION_MAX))
        return (struct guard_span){NULL, 0};
    if (anchored)
        growing_literal(&out, "^");
    for (size_t at = begin; at < text.len;) {
        if (is_token(tokens, at)) {
            at = token_end(text, tokens, at);
            if (at == text.len)
                growing_literal(&out, ".{1,256}");
            else
                add_free(&out, text, at);
        } else if (byte_is_blank(text.ptr[at])) {
            at = add_blanks(&out, text, at);
        } else if (byte_is_digit(text.ptr[at])) {
            at = add_digits(&out, text, tokens, at);
        } else {
            growing_quoted(&out, text.ptr[at++]);
            fixed++;
        }
    }
    if (anchored)
        growing_literal(&out, "$");
    return fixed == 0 || out.over ? (struct guard_span){NULL, 0} : growing_span(&out);
}

static bool ends_piece(struct guard_span text, const uint8_t *tokens, size_t at)
{
    return is_token(tokens, at) || byte_is_blank(text.ptr[at]) || text.ptr[at] == '\0';
}

/* What every document of a kind has says nothing. */
static bool says_nothing(struct guard_span piece)
{
    static const char *const common[] = {"w3.org",    "xmlsoap.org", "xml version", "boundary",
                                         "encoding=", "form-data",   "content-",    "filename="};
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (span_holds(piece, common[i]))
            return true;
    }
    return piece.len < PIECE_MIN;
}

/* Longer pieces take the place of the shortest. */
static void take_piece(struct guard_span best[PIECES], struct guard_span piece)
{
    size_t shortest = 0;
    if (piece.len > PIECE_MAX)
        piece.len = PIECE_MAX;
    if (says_nothing(piece))
        return;
    for (size_t i = 1; i < PIECES; i++) {
        if (best[i].len < best[shortest].len)
            shortest = i;
    }
    if (piece.len > best[shortest].len)
        best[shortest] = piece;
}

struct guard_patch_condition *skeleton_pieces(struct work *work, uint32_t place,
                                              struct guard_span name, struct guard_span text,
                                              const uint8_t *tokens)
{
    struct guard_span best[PIECES] = {{NULL, 0}};
    const struct guard_patch_condition *made[PIECES] = {NULL};
    size_t begin = 0;
    for (size_t at = 0; at <= text.len; at++) {
        if (at < text.len && !ends_piece(text, tokens, at))
            continue;
        take_piece(best, span_cut(text, begin, at));
        begin = at + 1;
    }
    for (size_t i = 0; i < PIECES; i++) {
        if (best[i].len > 0)
            made[i] = condition_text(work, GUARD_OPERATOR_CONTAINS, place, name, best[i]);
    }
    struct guard_patch_condition *all = condition_group(work, GUARD_OPERATOR_ALL, made, PIECES);
    return all;
}
