/* SPDX-License-Identifier: Apache-2.0 */
/* See within.h. */
#include "common/secrule/within.h"

#include <string.h>

static bool refuse_operator(struct secrule_builder *builder, const struct secrule_test *test)
{
    return builder_good(builder) &&
           secrule_refuse(builder, test->at, SECRULE_CAUSE_OPERATOR,
                          "of a part of the target this operator can't be said");
}

static bool rewritten(struct secrule_builder *builder, const struct secrule_string *text,
                      struct secrule_test *test)
{
    struct guard_span span = secrule_string_span(text);
    return secrule_expression_made(builder, span, test->expression.ignore_case, &test->expression);
}

/* Without the anchor in front. */
static void add_inner(struct secrule_string *text, const struct secrule_expression *expression,
                      bool begins)
{
    struct guard_span inner = expression->text;
    secrule_add_text(text, "(?:");
    secrule_add(text, (struct guard_span){inner.ptr + begins, inner.len - begins});
    secrule_add_text(text, ")");
}

/* Behind the first '?'; without one the query string is empty. */
static bool in_query_string(struct secrule_builder *builder, struct secrule_test *test)
{
    struct secrule_string text = {.builder = builder};
    bool found = test->op == GUARD_OPERATOR_CONTAINS;
    if (!secrule_test_expression(builder, test))
        return refuse_operator(builder, test);
    bool begins = test->expression.begins;
    if (test->expression.anchors)
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_EXPRESSION,
                              "^ or $ inside of an expression over the query string");
    secrule_add_text(&text, found ? "\\?.*" : begins ? "^[^?]*(?:\\?|$)" : "^[^?]*(?:\\?|$).*");
    add_inner(&text, &test->expression, begins);
    return rewritten(builder, &text, test);
}

static bool has_separator(struct guard_span text)
{
    return text.len > 0 &&
           (memchr(text.ptr, '/', text.len) != NULL || memchr(text.ptr, '\\', text.len) != NULL);
}

/* A list of texts that end in the base name's text. */
static bool whole_basenames(struct secrule_builder *builder, struct secrule_test *test)
{
    struct guard_span *texts = secrule_get(builder, 2 * sizeof(*texts) * test->text_count);
    if (texts == NULL)
        return false;
    for (uint32_t i = 0; i < test->text_count; i++) {
        struct guard_span text = test->texts[i];
        uint8_t *both = secrule_get(builder, 2 * (text.len + 1));
        if (both == NULL)
            return false;
        for (uint32_t k = 0; k < 2; k++) {
            uint8_t *one = both + k * (text.len + 1);
            one[0] = k == 0 ? '/' : '\\';
            if (text.len > 0)
                memcpy(one + 1, text.ptr, text.len);
            texts[2 * i + k] = (struct guard_span){one, text.len + 1};
        }
    }
    test->op = GUARD_OPERATOR_ENDS;
    test->texts = texts;
    test->text_count *= 2;
    return true;
}

static bool in_basename(struct secrule_builder *builder, struct secrule_test *test)
{
    struct secrule_string text = {.builder = builder};
    for (uint32_t i = 0; i < test->text_count; i++) {
        if (has_separator(test->texts[i]))
            return secrule_refuse(builder, test->at, SECRULE_CAUSE_NEVER,
                                  "a base name has no slash");
    }
    if (test->op == GUARD_OPERATOR_EQUALS)
        return whole_basenames(builder, test);
    if (test->op == GUARD_OPERATOR_ENDS)
        return true;
    if (!secrule_test_expression(builder, test))
        return refuse_operator(builder, test);
    struct secrule_expression *expression = &test->expression;
    if (expression->anchors || expression->slashes || expression->looks)
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_EXPRESSION,
                              "over the base name an expression must not find a slash (as . and "
                              "[^...] do), nor have ^ or $ inside");
    if (expression->begins)
        secrule_add_text(&text, "[/\\\\]");
    add_inner(&text, expression, expression->begins);
    if (!expression->ends)
        secrule_add_text(&text, "[^/\\\\]*$");
    return rewritten(builder, &text, test);
}

/* The method and the target are looked at apart. */
static bool in_request_line(struct secrule_builder *builder, const struct secrule_look *look,
                            bool negated, struct secrule_test *test)
{
    bool fits = test->op == GUARD_OPERATOR_CONTAINS ||
                (test->op == GUARD_OPERATOR_REGEX && !test->expression.begins &&
                 !test->expression.ends && !test->expression.anchors);
    if (!fits || negated)
        return secrule_refuse(builder, look->at, SECRULE_CAUSE_VARIABLE,
                              "of the request line, patches have the method and the target: no ^, "
                              "no $, and no negation");
    secrule_note(builder, look->at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                 "of the request line, the method and the target are looked at, each by itself");
    return true;
}

bool secrule_write_within(struct secrule_builder *builder, const struct secrule_look *look,
                          bool negated, struct secrule_test *test)
{
    switch (look->within) {
    case SECRULE_QUERY_STRING:
        return test->op == GUARD_OPERATOR_PRESENT || in_query_string(builder, test);
    case SECRULE_BASENAME:
        return test->op == GUARD_OPERATOR_PRESENT || in_basename(builder, test);
    case SECRULE_REQUEST_LINE:
        return test->op == GUARD_OPERATOR_PRESENT || in_request_line(builder, look, negated, test);
    case SECRULE_WHOLE:
        break;
    }
    return true;
}
