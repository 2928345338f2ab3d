/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like SQL put into a value: the value ends a string or number that it didn't begin and
 * goes on with a condition, a clause, a query or a statement. Grammar after ISO/IEC 9075 and the
 * manuals of the common dialects. */
#include "detect/likeness_text.h"

enum operand {
    OPERAND_NONE,
    OPERAND_NUMBER, /* or true, false, null */
    OPERAND_STRING,
    OPERAND_NAME,
    OPERAND_CALL,
    OPERAND_QUERY,
};

enum { STRING_MAX = 48, DEPTH_MAX = 4, ITEMS_MAX = 8 };

static bool is_literal(enum operand operand)
{
    return operand == OPERAND_NUMBER || operand == OPERAND_STRING;
}

static size_t name_end(struct gd_likeness_text *text, size_t at)
{
    for (;;) {
        size_t end = gd_lk_word_end(text, at);
        if (end == at || gd_lk_at(text, end) != '.' || !gd_lk_word(gd_lk_at(text, end + 1)))
            return end;
        at = end + 1;
    }
}

static size_t string_end(struct gd_likeness_text *text, size_t at)
{
    char quote[2] = {(char)text->bytes[at], '\0'};
    size_t end = gd_lk_find(text, at + 1, quote, STRING_MAX);
    /* One that doesn't end is ended by what stands behind the value. */
    return end != 0 ? end + 1 : at + STRING_MAX < text->len ? at + 1 : text->len;
}

/* One operand of a comparison; *end becomes its end. */
static enum operand operand_at(struct gd_likeness_text *text, size_t at, size_t *end)
{
    at = gd_lk_skip_comments(text, at);
    for (int depth = 0; depth < DEPTH_MAX && gd_lk_at(text, at) == '('; depth++)
        at = gd_lk_skip_comments(text, at + 1);
    if (gd_lk_is_word(text, at, "not"))
        at = gd_lk_skip_comments(text, at + 3);
    while (gd_lk_at(text, at) == '-' || gd_lk_at(text, at) == '~' || gd_lk_at(text, at) == '!' ||
           gd_lk_at(text, at) == '@')
        at++;
    uint8_t byte = gd_lk_at(text, at);
    *end = at;
    if (gd_lk_quote(byte)) {
        *end = string_end(text, at);
        return OPERAND_STRING;
    }
    *end = name_end(text, at);
    if (*end == at)
        return OPERAND_NONE;
    if (gd_lk_digit(byte) || gd_lk_in(text, at, GD_LK_CONSTANTS))
        return OPERAND_NUMBER;
    if (gd_lk_is_word(text, at, "select"))
        return OPERAND_QUERY;
    return gd_lk_at(text, gd_lk_skip_comments(text, *end)) == '(' ? OPERAND_CALL : OPERAND_NAME;
}

/* Behind the operator of a comparison; `at` when there is none. */
static size_t comparison_end(struct gd_likeness_text *text, size_t at)
{
    size_t from = gd_lk_skip_comments(text, at);
    for (int depth = 0; depth < DEPTH_MAX && gd_lk_at(text, from) == ')'; depth++)
        from = gd_lk_skip_comments(text, from + 1);
    size_t end = from;
    while (end < from + 3 && gd_lk_at(text, end) != 0 && strchr("=<>!", gd_lk_at(text, end)))
        end++;
    if (end > from)
        return end;
    if (gd_lk_is_word(text, from, "not") || gd_lk_is_word(text, from, "is"))
        from = gd_lk_skip_comments(text, gd_lk_word_end(text, from));
    if (gd_lk_in(text, from, GD_LK_COMPARISONS))
        return gd_lk_word_end(text, from);
    return at;
}

static bool is_comment(const struct gd_likeness_text *text, size_t at)
{
    return gd_lk_is(text, at, "--") || gd_lk_is(text, at, "#") || gd_lk_is(text, at, "/*") ||
           gd_lk_is(text, at, ";%00");
}

enum condition { CONDITION_NONE, CONDITION_ANY, CONDITION_CALL, CONDITION_ALWAYS };

/* "1=1", "'a' like 'a", "sleep(5)", "name='x", "1 --" */
static enum condition condition_at(struct gd_likeness_text *text, size_t at, size_t *end)
{
    enum operand left = operand_at(text, at, end);
    if (left == OPERAND_NONE)
        return CONDITION_NONE;
    if (left == OPERAND_CALL || left == OPERAND_QUERY)
        return CONDITION_CALL;
    size_t right_at = comparison_end(text, *end);
    if (right_at == *end) {
        size_t behind = gd_lk_skip(text, *end);
        bool ends = is_comment(text, behind);
        return left == OPERAND_NUMBER && ends ? CONDITION_ALWAYS : CONDITION_NONE;
    }
    enum operand right = operand_at(text, right_at, end);
    if (right == OPERAND_NONE)
        return CONDITION_NONE;
    if (right == OPERAND_QUERY || right == OPERAND_CALL)
        return CONDITION_CALL;
    return is_literal(left) && left == right ? CONDITION_ALWAYS : CONDITION_ANY;
}

static size_t connective_end(struct gd_likeness_text *text, size_t at)
{
    if (gd_lk_is(text, at, "||") || gd_lk_is(text, at, "&&"))
        return at + 2;
    return gd_lk_in(text, at, GD_LK_CONNECTIVES) ? gd_lk_word_end(text, at) : at;
}

/* Behind a quote or number: "having 1=1", "order by 3", "limit 1" */
static bool is_clause(struct gd_likeness_text *text, size_t at)
{
    size_t end = gd_lk_word_end(text, at);
    size_t next = gd_lk_skip_comments(text, end);
    size_t behind;
    if (gd_lk_is_word(text, at, "having"))
        return condition_at(text, next, &behind) != CONDITION_NONE;
    if (gd_lk_in(text, at, GD_LK_ORDERS)) {
        if (!gd_lk_is_word(text, next, "by"))
            return false;
        enum operand by = operand_at(text, next + 2, &behind);
        return by == OPERAND_NUMBER || by == OPERAND_CALL || by == OPERAND_QUERY ||
               (by == OPERAND_NAME && is_comment(text, gd_lk_skip(text, behind)));
    }
    if (gd_lk_is_word(text, at, "limit"))
        return operand_at(text, next, &behind) == OPERAND_NUMBER;
    if (gd_lk_is_word(text, at, "procedure"))
        return gd_lk_is_word(text, next, "analyse");
    if (gd_lk_is_word(text, at, "into"))
        return gd_lk_in(text, next, GD_LK_FILES);
    if (gd_lk_in(text, at, GD_LK_MATCHES))
        return is_literal(operand_at(text, next, &behind));
    return false;
}

static void comment_behind(struct gd_likeness_text *text, size_t quote, size_t at)
{
    bool near = at == quote + 1 || gd_lk_at(text, at - 1) == ')';
    size_t end = at + (gd_lk_at(text, at) == '#' ? 1 : 2);
    uint8_t next = gd_lk_at(text, end);
    bool last = end + 3 >= text->len && !gd_lk_letter(next) && !gd_lk_quote(next);
    if (last || (near && gd_lk_at(text, at) == '-' && !gd_lk_word(next)))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_COMMENT);
}

static void concatenation(struct gd_likeness_text *text, size_t at)
{
    size_t end;
    bool bars = gd_lk_is(text, at, "||");
    if (!bars && gd_lk_at(text, at) != '+')
        return;
    enum operand operand = operand_at(text, at + (bars ? 2 : 1), &end);
    size_t next = gd_lk_skip(text, end);
    if (operand == OPERAND_QUERY || (bars && operand == OPERAND_CALL) ||
        (operand != OPERAND_NONE && bars && gd_lk_is(text, next, "||")))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_CONCATENATION);
}

void gd_likeness_sql_quote(struct gd_likeness_text *text, size_t quote)
{
    bool unopened = gd_lk_unopened(text, quote);
    size_t at = gd_lk_skip_comments(text, quote + 1);
    for (int depth = 0; depth < DEPTH_MAX && gd_lk_at(text, at) == ')'; depth++)
        at = gd_lk_skip_comments(text, at + 1);
    size_t end = connective_end(text, at);
    if (end != at) {
        enum condition condition = condition_at(text, end, &end);
        if (condition == CONDITION_ALWAYS)
            gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_TAUTOLOGY_QUOTE);
        else if (condition != CONDITION_NONE && unopened)
            gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_CONDITION_QUOTE);
        else if (unopened)
            concatenation(text, at);
        return;
    }
    if (!unopened)
        return;
    if (is_comment(text, at) || is_comment(text, quote + 1))
        comment_behind(text, quote, is_comment(text, at) ? at : quote + 1);
    else if (is_clause(text, at))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_CLAUSE);
    else if (gd_lk_at(text, at) == '+')
        concatenation(text, at);
    else if (quote > 0 && comparison_end(text, quote + 1) == at + 1 &&
             gd_lk_at(text, at + 1) == text->bytes[quote])
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_EQUALITY_QUOTE);
}

enum list { LIST_NONE, LIST_PLAIN, LIST_STRONG };

/* What SELECT asks for; prose has no list of names, functions and stars. *end: behind it. */
static enum list list_at(struct gd_likeness_text *text, size_t at, size_t *end)
{
    enum list list = LIST_PLAIN;
    for (int items = 0; items < ITEMS_MAX; items++) {
        at = gd_lk_skip_comments(text, at);
        if (gd_lk_in(text, at, GD_LK_QUANTIFIERS))
            at = gd_lk_skip_comments(text, gd_lk_word_end(text, at));
        if (gd_lk_at(text, at) == '*') {
            list = LIST_STRONG;
            *end = at + 1;
        } else {
            enum operand operand = operand_at(text, at, end);
            if (operand == OPERAND_NONE)
                return LIST_NONE;
            if (operand == OPERAND_CALL) {
                size_t close = gd_lk_find(text, *end, ")", STRING_MAX);
                *end = close != 0 ? close + 1 : *end;
            }
            bool name = operand == OPERAND_NAME && memchr(text->bytes + at, '_', *end - at) == NULL;
            list = name ? list : LIST_STRONG;
        }
        at = gd_lk_skip_comments(text, *end);
        if (gd_lk_at(text, at) != ',')
            return list;
        at++;
    }
    return list;
}

static bool from_behind(struct gd_likeness_text *text, size_t at, bool strong)
{
    at = gd_lk_skip_comments(text, at);
    if (!gd_lk_is_word(text, at, "from"))
        return false;
    at = gd_lk_skip_comments(text, at + 4);
    size_t end = name_end(text, at);
    if (end == at || strong)
        return end != at;
    size_t next = gd_lk_skip_comments(text, end);
    if (gd_lk_is_word(text, next, "where"))
        return condition_at(text, next + 5, &end) != CONDITION_NONE;
    return memchr(text->bytes + at, '_', end - at) != NULL || gd_lk_is(text, next, ";") ||
           is_comment(text, next);
}

static void union_at(struct gd_likeness_text *text, size_t at)
{
    size_t end;
    at = gd_lk_skip_comments(text, at);
    bool all = gd_lk_in(text, at, GD_LK_QUANTIFIERS);
    if (all)
        at = gd_lk_skip_comments(text, gd_lk_word_end(text, at));
    while (gd_lk_at(text, at) == '(' && gd_lk_burn(text, 1))
        at = gd_lk_skip_comments(text, at + 1);
    if (!gd_lk_is_word(text, at, "select"))
        return;
    enum list list = list_at(text, at + 6, &end);
    size_t next = gd_lk_skip_comments(text, end);
    if (all || list == LIST_STRONG ||
        (list == LIST_PLAIN && (gd_lk_is_word(text, next, "from") || is_comment(text, next))))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_UNION);
}

static void select_at(struct gd_likeness_text *text, size_t at)
{
    size_t end;
    enum list list = list_at(text, at, &end);
    if (list != LIST_NONE && from_behind(text, end, list == LIST_STRONG))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_QUERY);
}

static bool is_object(struct gd_likeness_text *text, size_t at)
{
    return gd_lk_in(text, at, GD_LK_OBJECTS);
}

/* "insert into x", "drop table x"; *end is behind the last name. */
static bool statement_at(struct gd_likeness_text *text, size_t at, size_t *end)
{
    size_t next = gd_lk_skip_comments(text, gd_lk_word_end(text, at));
    size_t after = gd_lk_skip_comments(text, gd_lk_word_end(text, next));
    bool is = false;
    if (gd_lk_is_word(text, at, "insert"))
        is = gd_lk_is_word(text, next, "into");
    else if (gd_lk_is_word(text, at, "delete"))
        is = gd_lk_is_word(text, next, "from");
    else if (gd_lk_in(text, at, GD_LK_CHANGES))
        is = is_object(text, next);
    else if (gd_lk_is_word(text, at, "update")) {
        *end = after + 3;
        return gd_lk_is_word(text, after, "set") && after > next;
    }
    *end = name_end(text, after);
    return is && *end > after;
}

void gd_likeness_sql_semicolon(struct gd_likeness_text *text, size_t semicolon)
{
    size_t at = gd_lk_skip_comments(text, semicolon + 1);
    size_t end = gd_lk_word_end(text, at);
    size_t next = gd_lk_skip_comments(text, end);
    bool is = false;
    if (end == at)
        return;
    if (gd_lk_is_word(text, at, "select")) {
        enum list list = list_at(text, end, &end);
        is = list == LIST_STRONG || (list == LIST_PLAIN && from_behind(text, end, true));
    } else if (gd_lk_in(text, at, GD_LK_EXECUTES)) {
        is = gd_lk_is(text, next, "xp_") || gd_lk_is(text, next, "sp_") ||
             gd_lk_is(text, next, "master") || gd_lk_at(text, next) == '(';
    } else if (gd_lk_is_word(text, at, "declare")) {
        is = gd_lk_at(text, next) == '@';
    } else if (gd_lk_is_word(text, at, "waitfor")) {
        is = gd_lk_in(text, next, GD_LK_DELAYS);
    } else if (gd_lk_is_word(text, at, "shutdown")) {
        is = next >= text->len || is_comment(text, next) || gd_lk_is_word(text, next, "with");
    } else {
        is = statement_at(text, at, &end);
    }
    if (is)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_STACKED);
}

void gd_likeness_sql_parenthesis(struct gd_likeness_text *text, size_t open)
{
    size_t at = gd_lk_skip_comments(text, open + 1);
    size_t end;
    if (!gd_lk_is_word(text, at, "select"))
        return;
    enum list list = list_at(text, at + 6, &end);
    size_t next = gd_lk_skip_comments(text, end);
    if (list == LIST_STRONG || (list == LIST_PLAIN && from_behind(text, next, true)))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_SUBQUERY);
}

/* Statements without a semicolon before them need more of their grammar. */
static void statement_word(struct gd_likeness_text *text, size_t at)
{
    size_t end, behind;
    if (!statement_at(text, at, &end))
        return;
    size_t next = gd_lk_skip_comments(text, end);
    bool is = false;
    if (gd_lk_is_word(text, at, "insert"))
        is = gd_lk_is_word(text, next, "values") || gd_lk_at(text, next) == '(';
    else if (gd_lk_is_word(text, at, "delete"))
        is = gd_lk_is_word(text, next, "where") &&
             condition_at(text, next + 5, &behind) != CONDITION_NONE;
    else if (gd_lk_is_word(text, at, "update"))
        is = condition_at(text, end, &behind) != CONDITION_NONE;
    else
        is = is_comment(text, next) || gd_lk_at(text, next) == ';';
    if (is)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_STATEMENT);
}

/* The byte before the word, blanks aside; 0 at the beginning. */
static uint8_t before(const struct gd_likeness_text *text, size_t at)
{
    while (at > 0 && gd_lk_blank(text->bytes[at - 1]))
        at--;
    return at > 0 ? text->bytes[at - 1] : 0;
}

static bool is_known_call(struct gd_likeness_text *text, size_t at)
{
    at = gd_lk_skip_comments(text, at);
    while (gd_lk_at(text, at) == '(' && gd_lk_burn(text, 1))
        at = gd_lk_skip_comments(text, at + 1);
    return gd_lk_in(text, at, GD_LK_KNOWN_CALLS);
}

static void connective_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    uint8_t previous = before(text, at);
    size_t behind;
    enum condition condition = condition_at(text, end, &behind);
    if (condition == CONDITION_ALWAYS)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_TAUTOLOGY);
    else if (condition == CONDITION_CALL && (gd_lk_digit(previous) || previous == ')') &&
             is_known_call(text, end))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_CONDITION);
}

static void function_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    size_t open = gd_lk_skip_comments(text, end);
    size_t next = gd_lk_skip_comments(text, open + 1);
    bool call = gd_lk_at(text, open) == '(' && (at == 0 || text->bytes[at - 1] != '.');
    bool is = call && gd_lk_in(text, at, GD_LK_INJECTED_CALLS);
    is |= call && gd_lk_in(text, at, GD_LK_NUMBER_CALLS) && gd_lk_digit(gd_lk_at(text, next));
    is |= gd_lk_in(text, at, GD_LK_PROCEDURES);
    is |= gd_lk_in(text, at, GD_LK_DBMS_PACKAGES) && gd_lk_at(text, end) == '.';
    is |= gd_lk_is_word(text, at, "waitfor") && gd_lk_in(text, open, GD_LK_DELAYS) &&
          gd_lk_quote(gd_lk_at(text, gd_lk_skip_comments(text, gd_lk_word_end(text, open))));
    if (is)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_FUNCTION);
}

static void catalog_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    bool is = gd_lk_in(text, at, GD_LK_CATALOG);
    is |= gd_lk_is_word(text, at, "mysql") && gd_lk_is(text, end, ".user");
    is |= at >= 2 && gd_lk_is(text, at - 2, "@@") && gd_lk_in(text, at, GD_LK_VARIABLES);
    if (is)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_CATALOG);
}

void gd_likeness_sql_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    if (gd_lk_in(text, at, GD_LK_CONDITIONS)) {
        connective_word(text, at, end);
    } else if (gd_lk_is_word(text, at, "union")) {
        union_at(text, end);
    } else if (gd_lk_is_word(text, at, "select")) {
        select_at(text, end);
    } else if (gd_lk_in(text, at, GD_LK_STATEMENTS)) {
        statement_word(text, at);
    } else {
        function_word(text, at, end);
        catalog_word(text, at, end);
    }
    uint8_t previous = before(text, at);
    if (gd_lk_in(text, at, GD_LK_CLAUSES) && (gd_lk_digit(previous) || previous == ')') &&
        is_clause(text, at))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SQL_CLAUSE);
}
