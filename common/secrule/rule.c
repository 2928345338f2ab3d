/* SPDX-License-Identifier: Apache-2.0 */
/* See rule.h. */
#include "common/secrule/rule.h"

#include <string.h>

/* How many pieces a text has at most that are apart by this byte. */
static size_t pieces(struct secrule_text text, uint8_t separator)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == separator;
    return count < SECRULE_VARIABLES_MAX ? count : SECRULE_VARIABLES_MAX;
}

/* Where the variable at `from` ends: at a bar that no expression or quote holds. */
static size_t variable_end(struct secrule_text text, size_t from)
{
    bool in_regex = false;
    bool in_quote = false;
    for (size_t i = from; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (in_regex && byte == '\\' && i + 1 < text.len)
            i++;
        else if (byte == '\'')
            in_quote = !in_quote;
        else if (byte == '/' && in_regex && !in_quote)
            in_regex = i + 1 < text.len && text.ptr[i + 1] != '|' && text.ptr[i + 1] != '\'' &&
                       text.ptr[i + 1] != ',';
        else if (byte == '/' && i > from && (text.ptr[i - 1] == ':' || text.ptr[i - 1] == '\''))
            in_regex = true;
        else if ((byte == '|' || byte == ',') && !in_regex && !in_quote)
            return i;
    }
    return text.len;
}

static struct secrule_text unquoted(struct secrule_text text)
{
    if (text.len >= 2 && text.ptr[0] == '\'' && text.ptr[text.len - 1] == '\'')
        return secrule_part(text, 1, text.len - 2);
    return text;
}

static bool is_name_byte(uint8_t byte)
{
    return secrule_is_letter(byte) || secrule_is_digit(byte) || byte == '_';
}

static bool parse_variable(struct secrule_builder *builder, struct secrule_text text,
                           struct secrule_variable *out)
{
    *out = (struct secrule_variable){.name = secrule_trimmed(text)};
    while (out->name.len > 0 && (out->name.ptr[0] == '!' || out->name.ptr[0] == '&')) {
        out->excluded = out->excluded || out->name.ptr[0] == '!';
        out->counted = out->counted || out->name.ptr[0] == '&';
        out->name = secrule_part(out->name, 1, out->name.len - 1);
    }
    const uint8_t *colon = out->name.len > 0 ? memchr(out->name.ptr, ':', out->name.len) : NULL;
    if (colon != NULL) {
        size_t at = (size_t)(colon - out->name.ptr);
        out->selector = unquoted(secrule_part(out->name, at + 1, out->name.len - at - 1));
        out->name.len = at;
        if (out->selector.len >= 2 && out->selector.ptr[0] == '/' &&
            out->selector.ptr[out->selector.len - 1] == '/') {
            out->regex = true;
            out->selector = secrule_part(out->selector, 1, out->selector.len - 2);
        }
    }
    bool good = out->name.len > 0;
    for (size_t i = 0; i < out->name.len; i++)
        good = good && is_name_byte(out->name.ptr[i]);
    if (!good || (colon != NULL && out->selector.len == 0))
        return secrule_refuse(builder, out->name.at[0], SECRULE_CAUSE_FORM,
                              "a variable is NAME or NAME:SELECTOR");
    return true;
}

bool secrule_parse_variables(struct secrule_builder *builder, struct secrule_text text,
                             struct secrule_variables *out)
{
    size_t most = pieces(text, '|') + pieces(text, ',');
    bool good = true;
    out->count = 0;
    out->list = secrule_get(builder, most * sizeof(*out->list));
    if (out->list == NULL)
        return false;
    for (size_t from = 0; from <= text.len; from++) {
        size_t end = variable_end(text, from);
        if (out->count == SECRULE_VARIABLES_MAX || out->count == most)
            return secrule_refuse(builder, text.at[from], SECRULE_CAUSE_MAXIMUM,
                                  "more than %d variables", SECRULE_VARIABLES_MAX);
        if (parse_variable(builder, secrule_part(text, from, end - from), &out->list[out->count]))
            out->count++;
        else
            good = false;
        from = end;
    }
    return good && builder_good(builder);
}

bool secrule_parse_operator(struct secrule_builder *builder, struct secrule_text text,
                            struct secrule_operator *out)
{
    static const uint8_t rx[] = "rx";
    struct secrule_text rest = secrule_trimmed(text);
    *out = (struct secrule_operator){.name = {rx, text.at, 2}};
    if (rest.len > 0 && rest.ptr[0] == '!') {
        out->negated = true;
        rest = secrule_trimmed(secrule_part(rest, 1, rest.len - 1));
    }
    out->argument = rest;
    if (rest.len == 0 || rest.ptr[0] != '@')
        return true;
    size_t end = 1;
    while (end < rest.len && !secrule_is_space(rest.ptr[end]))
        end++;
    out->name = secrule_part(rest, 1, end - 1);
    out->argument = secrule_trimmed(secrule_part(rest, end, rest.len - end));
    return out->name.len > 0 || secrule_refuse(builder, rest.at[0], SECRULE_CAUSE_FORM,
                                               "an '@' without the name of an operator");
}

/* Where the action at `from` ends: at a comma outside of single quotes. */
static size_t action_end(struct secrule_text text, size_t from, bool *open)
{
    *open = false;
    for (size_t i = from; i < text.len; i++) {
        if (text.ptr[i] == '\\' && *open && i + 1 < text.len)
            i++;
        else if (text.ptr[i] == '\'')
            *open = !*open;
        else if (text.ptr[i] == ',' && !*open)
            return i;
    }
    return text.len;
}

static bool parse_action(struct secrule_builder *builder, struct secrule_text text,
                         struct secrule_action *out)
{
    *out = (struct secrule_action){.name = text};
    const uint8_t *colon = memchr(text.ptr, ':', text.len);
    if (colon != NULL) {
        size_t at = (size_t)(colon - text.ptr);
        out->name = secrule_trimmed(secrule_part(text, 0, at));
        out->value = unquoted(secrule_trimmed(secrule_part(text, at + 1, text.len - at - 1)));
    }
    bool good = out->name.len > 0;
    for (size_t i = 0; i < out->name.len; i++)
        good = good && is_name_byte(out->name.ptr[i]);
    return good || secrule_refuse(builder, text.at[0], SECRULE_CAUSE_FORM,
                                  "an action is NAME or NAME:VALUE");
}

bool secrule_parse_actions(struct secrule_builder *builder, struct secrule_text text,
                           struct secrule_actions *out)
{
    size_t most = pieces(text, ',');
    bool good = true;
    bool open = false;
    out->count = 0;
    out->list = secrule_get(builder, most * sizeof(*out->list));
    if (out->list == NULL)
        return false;
    for (size_t from = 0; from <= text.len; from++) {
        size_t end = action_end(text, from, &open);
        struct secrule_text action = secrule_trimmed(secrule_part(text, from, end - from));
        if (open)
            return secrule_refuse(builder, text.at[from], SECRULE_CAUSE_FORM,
                                  "an action whose quote doesn't close");
        if (action.len > 0 && out->count == most)
            return secrule_refuse(builder, action.at[0], SECRULE_CAUSE_MAXIMUM,
                                  "more than %d actions", SECRULE_VARIABLES_MAX);
        if (action.len > 0 && parse_action(builder, action, &out->list[out->count]))
            out->count++;
        else if (action.len > 0)
            good = false;
        from = end;
    }
    return good && builder_good(builder);
}

const struct secrule_action *secrule_action_named(const struct secrule_actions *actions,
                                                  const char *name)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        if (secrule_is(secrule_span(actions->list[i].name), name))
            return &actions->list[i];
    }
    return NULL;
}
