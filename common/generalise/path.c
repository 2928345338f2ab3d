/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as templates and conditions. */
#include "common/generalise/path.h"

#include "common/generalise/skeleton.h"

#include <string.h>

enum { PATH_EXPRESSION_CAP = GUARD_PATCH_EXPRESSION_MAX };

static bool plain_byte(uint8_t byte)
{
    return byte_is_letter(byte) || byte_is_digit(byte) ||
           (byte != '\0' && strchr("._-@~,+=:!$/ ", byte) != NULL);
}

/* ".", ".." and segments of other things than names aren't what templates are made of. */
static bool plain_segment(struct guard_span segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        if (!plain_byte(segment.ptr[i]))
            return false;
    }
    bool dots = segment.len > 0 && segment.ptr[0] == '.' &&
                (segment.len == 1 || (segment.len == 2 && segment.ptr[1] == '.'));
    return !dots;
}

static bool next_segment(struct guard_span path, size_t *at, struct guard_span *segment)
{
    if (*at >= path.len)
        return false;
    size_t begin = *at + 1;
    size_t end = begin;
    while (end < path.len && path.ptr[end] != '/')
        end++;
    *segment = span_cut(path, begin, end);
    *at = end;
    return true;
}

/* How much of the path, from its beginning, is plain. */
static size_t plain_len(struct guard_span path)
{
    struct guard_span segment;
    size_t at = 0;
    size_t begin = 0;
    while (next_segment(path, &at, &segment)) {
        bool last = at >= path.len;
        if (!plain_segment(segment) || (segment.len == 0 && !last))
            return begin;
        begin = at;
    }
    return path.len;
}

static bool all_digits(struct guard_span segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        if (!byte_is_digit(segment.ptr[i]))
            return false;
    }
    return segment.len > 0;
}

static bool has_token(const uint8_t *tokens, size_t begin, size_t end)
{
    for (size_t i = begin; tokens != NULL && i < end; i++) {
        if (tokens[i] != 0)
            return true;
    }
    return false;
}

static void make_template(struct work *work, const struct message_value *value, struct path *out)
{
    struct growing text;
    struct guard_span segment;
    struct guard_span path = value->value.text;
    if (!growing_begin(work, &text, path.len * 3 + 2))
        return;
    for (size_t at = 0; next_segment(path, &at, &segment);) {
        bool free = all_digits(segment) || has_token(value->tokens, at - segment.len, at);
        growing_literal(&text, "/");
        if (free)
            growing_literal(&text, "{}");
        else
            growing_add(&text, segment);
        out->wild = out->wild || free;
    }
    out->template_text = growing_span(&text);
}

static bool ends_with(struct guard_span text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && span_equal_nocase(span_cut(text, text.len - len, text.len),
                                                (struct guard_span){(const uint8_t *)end, len});
}

static bool without_case(struct guard_span path)
{
    static const char *const ends[] = {".asp", ".aspx", ".asmx", ".ashx", ".dll", ".svc"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (ends_with(path, ends[i]))
            return true;
    }
    return false;
}

/* One static segment that says nothing of the product. */
static bool is_generic(struct guard_span template_text)
{
    static const char *const names[] = {"index", "default", "main",   "home", "login", "api",
                                        "admin", "search",  "upload", "user", "users", "graphql"};
    struct guard_span only = {NULL, 0};
    struct guard_span segment;
    uint32_t fixed = 0;
    for (size_t at = 0; next_segment(template_text, &at, &segment);) {
        if (segment.len == 0 || segment.ptr[0] == '{')
            continue;
        fixed++;
        only = segment;
    }
    for (size_t i = 0; i < only.len; i++) {
        if (only.ptr[i] == '.')
            only.len = i;
    }
    bool known = fixed == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && fixed == 1; i++)
        known = known || span_equal_nocase(only, (struct guard_span){(const uint8_t *)names[i],
                                                                     strlen(names[i])});
    return known;
}

/* Steps up in whichever coding. */
static bool has_traversal(struct guard_span path, enum guard_construct construct)
{
    return span_holds(path, "../") || span_holds(path, "..\\") || ends_with(path, "/..") ||
           construct == GUARD_CONSTRUCT_PATH_UP || construct == GUARD_CONSTRUCT_PATH_UP_TO;
}

/* NULL: nothing that isn't told better by the path's own bytes, as names of files are. */
static struct guard_patch_condition *recognise(struct work *work, uint32_t request,
                                               struct guard_span path)
{
    enum guard_construct construct;
    struct guard_span none = {NULL, 0};
    uint32_t classes = guard_likeness_read(path, false, &construct);
    if (has_traversal(path, construct)) {
        work_tell(work, request, true, "path: steps up out of its folder");
        return condition_new(work, GUARD_OPERATOR_TRAVERSAL, GUARD_PLACE_PATH, none);
    }
    if (classes == 0 || guard_construct_degree(construct) < 150 ||
        guard_construct_likeness(construct) == GUARD_LIKENESS_PATH)
        return NULL;
    work_tell(work, request, true, "path: reads like %s (%s)",
              guard_likeness_words(guard_construct_likeness(construct)),
              guard_construct_words(construct));
    struct guard_patch_condition *made =
        condition_new(work, GUARD_OPERATOR_LIKENESS, GUARD_PLACE_PATH, none);
    if (made != NULL)
        made->likeness = UINT32_C(1) << guard_construct_likeness(construct);
    return made;
}

static void read_syntax(struct work *work, uint32_t request, const struct message_value *value,
                        size_t plain, struct path *out)
{
    struct guard_span none = {NULL, 0};
    struct guard_span path = value->value.text;
    const struct guard_patch_condition *parts[2] = {NULL, NULL};
    size_t odd = plain < path.len ? plain : 0;
    const uint8_t *tokens = value->tokens != NULL ? value->tokens + odd : NULL;
    struct guard_patch_condition *found = recognise(work, request, path);
    out->recognised = found != NULL;
    if (found == NULL) {
        struct guard_span rest = span_cut(path, odd, path.len);
        if (rest.len <= SKELETON_TEXT_MAX) {
            struct guard_span expression = skeleton(work, rest, tokens, false);
            if (expression.len > 0)
                found =
                    condition_text(work, GUARD_OPERATOR_REGEX, GUARD_PLACE_PATH, none, expression);
        } else {
            found = skeleton_pieces(work, GUARD_PLACE_PATH, none, rest, tokens);
        }
        if (found != NULL)
            work_tell(work, request, true, "path: odd, and kept as it is written");
    }
    parts[0] = found;
    if (plain > 1 && !has_token(value->tokens, 0, plain)) {
        struct guard_span prefix = span_cut(path, 0, plain < GUARD_PATCH_TEXT_MAX ? plain : 0);
        if (prefix.len > 0)
            parts[1] = condition_text(work, GUARD_OPERATOR_BEGINS, GUARD_PLACE_PATH, none, prefix);
        work_tell(work, request, true, "path: begins with %.*s", (int)prefix.len,
                  (const char *)prefix.ptr);
    }
    out->syntax = found != NULL ? condition_group(work, GUARD_OPERATOR_ALL, parts, 2) : NULL;
}

bool path_read(struct work *work, uint32_t request, const struct message *message, struct path *out)
{
    const struct message_value *value = message_find(message, GUARD_PLACE_PATH);
    *out = (struct path){.generic = true};
    if (value == NULL)
        return !work->failed;
    out->text = value->value.text;
    size_t plain = plain_len(out->text);
    if (plain < out->text.len) {
        read_syntax(work, request, value, plain, out);
        out->generic = out->syntax == NULL;
        return !work->failed;
    }
    if (out->text.len > GUARD_PATCH_TEXT_MAX / 2)
        return true;
    make_template(work, value, out);
    if (work->known->path != NULL) {
        struct guard_span known = work->known->path(work->known->ctx, request);
        if (known.len > 0) {
            out->template_text = known;
            out->wild = span_holds(known, "{");
        }
    }
    out->ignore_case = without_case(out->template_text);
    out->generic = is_generic(out->template_text);
    return !work->failed;
}

static void add_template(struct growing *text, struct guard_span template_text)
{
    struct guard_span segment;
    for (size_t at = 0; next_segment(template_text, &at, &segment);) {
        growing_literal(text, "/");
        bool wild = segment.len > 0 && segment.ptr[0] == '{';
        if (wild && segment.len > 1 && segment.ptr[1] == '*') {
            growing_literal(text, ".{0,1024}");
            return;
        }
        if (wild)
            growing_literal(text, "[^/]{1,256}");
        for (size_t i = 0; i < segment.len && !wild; i++)
            growing_quoted(text, segment.ptr[i]);
    }
}

struct guard_patch_condition *path_condition(struct work *work, const struct path *const *paths,
                                             uint32_t count)
{
    struct guard_span none = {NULL, 0};
    struct guard_span *texts = work_get(work, (count + 1) * sizeof(*texts));
    const struct guard_patch_condition *ways[2] = {NULL, NULL};
    struct growing expression;
    uint32_t fixed = 0;
    bool fold = false;
    if (texts == NULL || !growing_begin(work, &expression, PATH_EXPRESSION_CAP))
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        fold = fold || paths[i]->ignore_case;
    for (uint32_t i = 0; i < count; i++) {
        if (!paths[i]->wild) {
            texts[fixed++] = paths[i]->template_text;
            continue;
        }
        growing_literal(&expression, expression.len == 0 ? "^(?:" : "|");
        add_template(&expression, paths[i]->template_text);
    }
    if (expression.len > 0) {
        growing_literal(&expression, ")$");
        struct guard_patch_condition *regex =
            expression.over ? NULL
                            : condition_text(work, GUARD_OPERATOR_REGEX, GUARD_PLACE_PATH, none,
                                             growing_span(&expression));
        if (regex != NULL)
            regex->ignore_case = fold;
        ways[0] = regex;
    }
    if (fixed > 0) {
        struct guard_patch_condition *equals =
            condition_new(work, GUARD_OPERATOR_EQUALS, GUARD_PLACE_PATH, none);
        if (equals != NULL) {
            equals->texts = texts;
            equals->text_count = fixed;
            equals->ignore_case = fold;
        }
        ways[1] = equals;
    }
    return condition_group(work, GUARD_OPERATOR_ANY, ways, 2);
}
