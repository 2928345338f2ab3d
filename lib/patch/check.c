/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that every patch is held to, whoever made it. */
#include <guard/exchange.h>
#include <guard/likeness.h>
#include <guard/patch.h>
#include <guard/txn.h>

#include "base/span.h"
#include "patch/byte_set.h"
#include "patch/expression.h"

#include <stdio.h>

enum { METHOD_MAX = 16, PATH_MAX = 192 };

struct check {
    struct guard_err *err;
    enum guard_patch_part part;
    uint32_t conditions;
    size_t len;
    char path[PATH_MAX]; /* of the member at work */
};

static enum guard_rc fail(const struct check *check, enum guard_rc rc, const char *what)
{
    return guard_fail(check->err, rc, "%.*s: %s", (int)check->len, check->path, what);
}

/* Goes to a member below; returns where the path ended. */
static size_t enter(struct check *check, const char *member, uint32_t index, bool indexed)
{
    size_t before = check->len;
    int len = indexed ? snprintf(check->path + before, PATH_MAX - before, "%s%s[%u]",
                                 before > 0 ? "." : "", member, index)
                      : snprintf(check->path + before, PATH_MAX - before, "%s%s",
                                 before > 0 ? "." : "", member);
    if (len > 0)
        check->len = before + (size_t)len < PATH_MAX ? before + (size_t)len : PATH_MAX - 1;
    return before;
}

static bool has_controls(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

/* Words for people: one line. */
static enum guard_rc check_line(struct check *check, const char *member, struct guard_span text,
                                size_t most)
{
    size_t before = enter(check, member, 0, false);
    if (text.len > most)
        return fail(check, GUARD_E_LIMIT, "is too long");
    if (has_controls(text))
        return fail(check, GUARD_E_SYNTAX, "holds a line break or another control character");
    check->len = before;
    return GUARD_OK;
}

typedef const char *text_rule(struct guard_span text); /* NULL, or what is wrong */

static enum guard_rc check_list(struct check *check, const char *member,
                                const struct guard_span *list, uint32_t count, size_t most,
                                text_rule *rule)
{
    size_t before = enter(check, member, 0, false);
    if (count > GUARD_PATCH_LIST_MAX)
        return fail(check, GUARD_E_LIMIT, "has more than 64 entries");
    check->len = before;
    for (uint32_t i = 0; i < count; i++) {
        (void)enter(check, member, i, true);
        if (list[i].len > most)
            return fail(check, GUARD_E_LIMIT, "is too long");
        const char *wrong = rule == NULL ? NULL : rule(list[i]);
        if (wrong != NULL)
            return fail(check, GUARD_E_SYNTAX, wrong);
        check->len = before;
    }
    return GUARD_OK;
}

static const char *not_empty(struct guard_span text)
{
    return text.len == 0 ? "is empty" : NULL;
}

static const char *one_line(struct guard_span text)
{
    return text.len == 0 ? "is empty" : has_controls(text) ? "holds a control character" : NULL;
}

static const char *template_rule(struct guard_span text)
{
    if (text.len == 0 || text.ptr[0] != '/')
        return "is no path template: it begins with \"/\"";
    return one_line(text);
}

static bool is_token(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte > ' ' && byte < 0x7f && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static const char *method_rule(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token(text.ptr[i]))
            return "is no method";
    }
    return not_empty(text);
}

static const char *media_rule(struct guard_span text)
{
    size_t slashes = 0;
    for (size_t i = 0; i < text.len; i++) {
        slashes += text.ptr[i] == '/';
        if (text.ptr[i] != '/' && !is_token(text.ptr[i]))
            return "is no media type, as \"application/json\"";
    }
    if (slashes != 1 || text.ptr[0] == '/' || text.ptr[text.len - 1] == '/')
        return "is no media type, as \"application/json\"";
    return NULL;
}

/* --- conditions --- */

static bool is_inner(enum guard_patch_operator op)
{
    return op == GUARD_OPERATOR_ALL || op == GUARD_OPERATOR_ANY || op == GUARD_OPERATOR_NOT;
}

static bool takes_texts(enum guard_patch_operator op)
{
    return op == GUARD_OPERATOR_CONTAINS || op == GUARD_OPERATOR_EQUALS ||
           op == GUARD_OPERATOR_BEGINS || op == GUARD_OPERATOR_ENDS;
}

static enum guard_rc check_places(struct check *check,
                                  const struct guard_patch_condition *condition)
{
    const uint32_t nameless = GUARD_PLACE_METHOD | GUARD_PLACE_PATH | GUARD_PLACE_TARGET |
                              GUARD_PLACE_BODY | GUARD_PLACE_STATUS;
    const uint32_t requests = GUARD_PLACE_METHOD | GUARD_PLACE_PATH | GUARD_PLACE_TARGET |
                              GUARD_PLACE_QUERY | GUARD_PLACE_GRAPHQL;
    uint32_t places = condition->places;
    bool answer = check->part == GUARD_PATCH_RESPONSE;
    (void)enter(check, "in", 0, false);
    if ((places & ~(uint32_t)GUARD_PLACE_ALL) != 0)
        return fail(check, GUARD_E_SYNTAX, "is no place");
    for (uint32_t place = 1; place <= places; place <<= 1) {
        if ((places & place & (answer ? requests : GUARD_PLACE_STATUS)) != 0)
            return guard_fail(check->err, GUARD_E_SYNTAX, "%.*s: a %s has no %s", (int)check->len,
                              check->path, answer ? "response" : "request",
                              guard_place_name(place));
    }
    bool named = places == 0 || (places & ~nameless) != 0;
    if (!named && (condition->name_count > 0 || condition->on_names))
        return fail(check, GUARD_E_SYNTAX, "these places have no names");
    return GUARD_OK;
}

static enum guard_rc check_texts(struct check *check, const struct guard_patch_condition *condition)
{
    const char *member = guard_operator_name(condition->op);
    if (takes_texts(condition->op)) {
        if (condition->text_count == 0) {
            (void)enter(check, member, 0, false);
            return fail(check, GUARD_E_SYNTAX, "has no text");
        }
        return check_list(check, member, condition->texts, condition->text_count,
                          GUARD_PATCH_TEXT_MAX,
                          condition->op == GUARD_OPERATOR_EQUALS ? NULL : not_empty);
    }
    (void)enter(check, member, 0, false);
    bool regex = condition->op == GUARD_OPERATOR_REGEX;
    if (!regex && condition->op != GUARD_OPERATOR_CHARSET)
        return condition->text_count == 0 ? GUARD_OK
                                          : fail(check, GUARD_E_SYNTAX, "takes no texts");
    if (condition->text_count != 1 || condition->texts[0].len == 0)
        return fail(check, GUARD_E_SYNTAX, "is exactly one text");
    struct guard_span text = condition->texts[0];
    if (text.len > (regex ? GUARD_PATCH_EXPRESSION_MAX : GUARD_PATCH_TEXT_MAX))
        return fail(check, GUARD_E_LIMIT, "is too long");
    size_t at = 0;
    struct gd_byte_set set;
    const char *wrong = regex ? gd_expression_check(text, &at) : gd_byte_set_parse(&set, text);
    if (wrong != NULL && regex)
        return guard_fail(check->err, GUARD_E_SYNTAX, "%.*s: %s (at byte %zu)", (int)check->len,
                          check->path, wrong, at);
    return wrong == NULL ? GUARD_OK : fail(check, GUARD_E_SYNTAX, wrong);
}

static bool takes_bounds(enum guard_patch_operator op)
{
    return op == GUARD_OPERATOR_LENGTH || op == GUARD_OPERATOR_COUNT || op == GUARD_OPERATOR_RANGE;
}

static enum guard_rc check_bounds(struct check *check,
                                  const struct guard_patch_condition *condition)
{
    int64_t min = condition->min;
    int64_t max = condition->max;
    bool said = min != -1 || max != -1;
    (void)enter(check, guard_operator_name(condition->op), 0, false);
    if (condition->op == GUARD_OPERATOR_PRESENT)
        return !said || (min == 0 && max == 0)
                   ? GUARD_OK
                   : fail(check, GUARD_E_SYNTAX, "is true or false: count counts");
    if (!takes_bounds(condition->op))
        return GUARD_OK; /* nobody asks for them */
    if (!said)
        return fail(check, GUARD_E_SYNTAX, "has neither min nor max");
    if (condition->op != GUARD_OPERATOR_RANGE && (min < -1 || max < -1))
        return fail(check, GUARD_E_SYNTAX, "is never negative");
    if (min != -1 && max != -1 && min > max)
        return fail(check, GUARD_E_SYNTAX, "has a min above its max");
    return GUARD_OK;
}

static enum guard_rc check_kinds(struct check *check, const struct guard_patch_condition *condition)
{
    bool types = condition->op == GUARD_OPERATOR_TYPE;
    bool likeness = condition->op == GUARD_OPERATOR_LIKENESS;
    (void)enter(check, guard_operator_name(condition->op), 0, false);
    if ((condition->types != 0) != types || (condition->likeness != 0) != likeness)
        return fail(check, GUARD_E_SYNTAX,
                    types || likeness ? "names nothing" : "takes no types or classes");
    if (condition->types >> GUARD_TYPE_COUNT != 0 ||
        condition->likeness >> GUARD_LIKENESS_COUNT != 0)
        return fail(check, GUARD_E_SYNTAX, "names what isn't known");
    return GUARD_OK;
}

static enum guard_rc check_leaf(struct check *check, const struct guard_patch_condition *condition)
{
    size_t before = check->len;
    if (condition->child_count > 0)
        return fail(check, GUARD_E_SYNTAX, "has conditions below it");
    if ((unsigned)condition->view > GUARD_VIEW_RAW)
        return fail(check, GUARD_E_SYNTAX, "has an unknown view");
    if (condition->ignore_case && !takes_texts(condition->op) &&
        condition->op != GUARD_OPERATOR_REGEX)
        return fail(check, GUARD_E_SYNTAX, "has no case to ignore");
    GUARD_TRY(check_places(check, condition));
    check->len = before;
    GUARD_TRY(check_list(check, "names", condition->names, condition->name_count,
                         GUARD_PATCH_TEXT_MAX, not_empty));
    GUARD_TRY(check_texts(check, condition));
    check->len = before;
    GUARD_TRY(check_bounds(check, condition));
    check->len = before;
    GUARD_TRY(check_kinds(check, condition));
    check->len = before;
    return GUARD_OK;
}

static enum guard_rc check_condition(struct check *check,
                                     const struct guard_patch_condition *condition, uint32_t depth);

static enum guard_rc check_inner(struct check *check, const struct guard_patch_condition *condition,
                                 uint32_t depth)
{
    const char *member = guard_operator_name(condition->op);
    bool one = condition->op == GUARD_OPERATOR_NOT;
    if (depth == GUARD_PATCH_DEPTH_MAX)
        return fail(check, GUARD_E_LIMIT, "is nested deeper than 8");
    size_t before = enter(check, member, 0, false);
    if (condition->text_count + condition->name_count > 0)
        return fail(check, GUARD_E_SYNTAX, "takes conditions alone");
    if (condition->child_count == 0)
        return fail(check, GUARD_E_SYNTAX, "has no condition");
    if (one && condition->child_count != 1)
        return fail(check, GUARD_E_SYNTAX, "is of exactly one condition");
    check->len = before;
    for (uint32_t i = 0; i < condition->child_count; i++) {
        (void)enter(check, member, i, !one);
        GUARD_TRY(check_condition(check, &condition->children[i], depth + 1));
        check->len = before;
    }
    return GUARD_OK;
}

static enum guard_rc check_condition(struct check *check,
                                     const struct guard_patch_condition *condition, uint32_t depth)
{
    if (++check->conditions > GUARD_PATCH_CONDITIONS_MAX)
        return fail(check, GUARD_E_LIMIT, "a patch has at most 64 conditions");
    if ((unsigned)condition->op >= GUARD_OPERATORS)
        return fail(check, GUARD_E_SYNTAX, "has an unknown operator");
    return is_inner(condition->op) ? check_inner(check, condition, depth)
                                   : check_leaf(check, condition);
}

/* --- the patch --- */

static enum guard_rc check_id(struct check *check, struct guard_span id)
{
    (void)enter(check, "id", 0, false);
    if (id.len == 0)
        return fail(check, GUARD_E_SYNTAX, "is missing");
    if (id.len > GUARD_PATCH_ID_MAX)
        return fail(check, GUARD_E_LIMIT, "is longer than 64 bytes");
    for (size_t i = 0; i < id.len; i++) {
        uint8_t byte = id.ptr[i];
        bool letter = (byte >= '0' && byte <= '9') ||
                      ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '_';
        if (!letter && (i == 0 || (byte != '-' && byte != '.')))
            return fail(check, GUARD_E_SYNTAX,
                        "has letters, digits, '.', '_' and '-', the first one no '-' or '.'");
    }
    check->len = 0;
    return GUARD_OK;
}

static enum guard_rc check_words(struct check *check, const struct guard_patch *patch)
{
    GUARD_TRY(check_line(check, "title", patch->title, GUARD_PATCH_TEXT_MAX));
    GUARD_TRY(check_line(check, "author", patch->author, GUARD_PATCH_TEXT_MAX));
    GUARD_TRY(check_line(check, "reason", patch->reason, GUARD_PATCH_TEXT_MAX));
    GUARD_TRY(check_line(check, "fixedIn", patch->fixed_in, GUARD_REVISION_MAX));
    return check_list(check, "references", patch->references, patch->reference_count,
                      GUARD_PATCH_TEXT_MAX, one_line);
}

static enum guard_rc check_scope(struct check *check, const struct guard_patch *patch)
{
    GUARD_TRY(check_list(check, "scope.endpoints", patch->endpoints, patch->endpoint_count,
                         GUARD_PATCH_TEXT_MAX, template_rule));
    GUARD_TRY(check_list(check, "scope.methods", patch->methods, patch->method_count, METHOD_MAX,
                         method_rule));
    return check_list(check, "scope.contentTypes", patch->media_types, patch->media_count,
                      GUARD_PATCH_TEXT_MAX, media_rule);
}

static enum guard_rc check_words_of_state(const struct check *check,
                                          const struct guard_patch *patch)
{
    if ((unsigned)patch->part > GUARD_PATCH_RESPONSE)
        return guard_fail(check->err, GUARD_E_SYNTAX, "part: is request or response");
    if ((unsigned)patch->mode > GUARD_PATCH_ENFORCE)
        return guard_fail(check->err, GUARD_E_SYNTAX, "mode: is off, shadow or enforce");
    if ((unsigned)patch->action > GUARD_PATCH_BLOCK)
        return guard_fail(check->err, GUARD_E_SYNTAX, "action: is block or alert");
    return GUARD_OK;
}

enum guard_rc guard_patch_check(const struct guard_patch *patch, struct guard_err *err)
{
    struct check check = {.err = err, .part = patch->part};
    GUARD_TRY(check_id(&check, patch->id));
    GUARD_TRY(check_words(&check, patch));
    GUARD_TRY(check_words_of_state(&check, patch));
    GUARD_TRY(check_scope(&check, patch));
    check.len = 0;
    (void)enter(&check, "when", 0, false);
    return check_condition(&check, &patch->when, 0);
}
