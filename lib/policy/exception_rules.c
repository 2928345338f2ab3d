/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that every exception is held to, whoever made it. */
#include <guard/exception.h>

#include "base/span.h"

#include <stdio.h>

enum { METHOD_MAX = 16, DAY_MS = 86400000 };

static enum guard_rc fail(struct guard_err *err, enum guard_rc rc, const char *member,
                          const char *what)
{
    return guard_fail(err, rc, "%s: %s", member, what);
}

static bool has_controls(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static bool is_id(struct guard_span id)
{
    for (size_t i = 0; i < id.len; i++) {
        uint8_t byte = id.ptr[i];
        bool letter = (byte >= '0' && byte <= '9') ||
                      ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '_';
        if (!letter && (i == 0 || (byte != '-' && byte != '.')))
            return false;
    }
    return id.len > 0 && id.len <= GUARD_EXCEPTION_ID_MAX;
}

static enum guard_rc check_id(struct guard_span id, const char *member, struct guard_err *err)
{
    if (id.len == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "an exception needs \"%s\"", member);
    if (id.len > GUARD_EXCEPTION_ID_MAX)
        return fail(err, GUARD_E_LIMIT, member, "is longer than 64 bytes");
    return is_id(id) ? GUARD_OK
                     : fail(err, GUARD_E_SYNTAX, member,
                            "has letters, digits, '.', '_' and '-', the first one no '-' or '.'");
}

static enum guard_rc check_line(struct guard_span text, const char *member, struct guard_err *err)
{
    if (text.len == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "an exception needs \"%s\"", member);
    if (text.len > GUARD_EXCEPTION_TEXT_MAX)
        return fail(err, GUARD_E_LIMIT, member, "is longer than 512 bytes");
    return has_controls(text) ? fail(err, GUARD_E_SYNTAX, member,
                                     "holds a line break or another control character")
                              : GUARD_OK;
}

static enum guard_rc check_time(const struct guard_exception *exception, struct guard_err *err)
{
    const uint64_t longest = (uint64_t)GUARD_EXCEPTION_DAYS_MAX * DAY_MS;
    if (exception->created_ms == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "an exception needs \"created\"");
    if (exception->expires_ms == 0)
        return guard_fail(
            err, GUARD_E_SYNTAX,
            "an exception needs \"expires\": it ends by itself, 366 days after it was "
            "created at the latest");
    if (exception->expires_ms <= exception->created_ms)
        return fail(err, GUARD_E_RANGE, "expires", "isn't after \"created\"");
    if (exception->expires_ms - exception->created_ms > longest)
        return fail(err, GUARD_E_RANGE, "expires", "is more than 366 days after \"created\"");
    return GUARD_OK;
}

typedef const char *text_rule(struct guard_span text); /* NULL, or what is wrong */

static const char *name_rule(struct guard_span text)
{
    size_t stars = 0;
    for (size_t i = 0; i < text.len; i++)
        stars += text.ptr[i] == '*';
    if (text.len > 0 && stars == text.len)
        return "is every name: leave it out";
    return has_controls(text) ? "holds a control character" : NULL;
}

static const char *template_rule(struct guard_span text)
{
    if (text.ptr[0] != '/')
        return "is no path template: it begins with \"/\"";
    return has_controls(text) ? "holds a control character" : NULL;
}

static const char *method_rule(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        bool letter =
            (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
        if (!letter && (byte <= ' ' || byte >= 0x7f || strchr("!#$%&'*+-.^_`|~", byte) == NULL))
            return "is no method";
    }
    return text.len > METHOD_MAX ? "is no method: it has more than 16 bytes" : NULL;
}

static const char *patch_rule(struct guard_span text)
{
    return is_id(text) ? NULL : "is no patch's id";
}

static enum guard_rc check_list(const struct guard_span *list, uint32_t count, const char *name,
                                text_rule *rule, struct guard_err *err)
{
    char member[48];
    snprintf(member, sizeof(member), "scope.%s", name);
    if (count > GUARD_EXCEPTION_LIST_MAX)
        return fail(err, GUARD_E_LIMIT, member, "has more than 64 entries");
    for (uint32_t i = 0; i < count; i++) {
        snprintf(member, sizeof(member), "scope.%s[%u]", name, i);
        if (list[i].len == 0)
            return fail(err, GUARD_E_SYNTAX, member, "is empty");
        if (list[i].len > GUARD_EXCEPTION_NAME_MAX)
            return fail(err, GUARD_E_LIMIT, member, "is longer than 192 bytes");
        const char *wrong = rule(list[i]);
        if (wrong != NULL)
            return fail(err, GUARD_E_SYNTAX, member, wrong);
    }
    return GUARD_OK;
}

static bool prefix_ok(const struct guard_address_prefix *prefix)
{
    if ((prefix->address_len != 4 && prefix->address_len != 16) || prefix->bits == 0 ||
        prefix->bits > 8 * prefix->address_len)
        return false;
    for (uint32_t bit = prefix->bits; bit < 8 * sizeof(prefix->address); bit++) {
        if ((prefix->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    }
    return true;
}

static enum guard_rc check_clients(const struct guard_exception *exception, struct guard_err *err)
{
    if (exception->client_count > GUARD_EXCEPTION_LIST_MAX)
        return fail(err, GUARD_E_LIMIT, "scope.clients", "has more than 64 entries");
    for (uint32_t i = 0; i < exception->client_count; i++) {
        char member[48];
        snprintf(member, sizeof(member), "scope.clients[%u]", i);
        if (!prefix_ok(&exception->clients[i]))
            return fail(err, GUARD_E_RANGE, member, "is no prefix of addresses, as 192.0.2.0/24");
    }
    return GUARD_OK;
}

bool guard_exception_rule(enum guard_rule rule)
{
    return (unsigned)rule < GUARD_RULE_COUNT || rule == GUARD_RULE_CLIENT_VERDICT;
}

static enum guard_rc check_bits(const struct guard_exception *exception, struct guard_err *err)
{
    for (unsigned rule = 0; rule < GUARD_EXCEPTION_RULES; rule++) {
        if ((exception->rules[rule / 64] >> rule % 64 & 1) != 0 &&
            !guard_exception_rule((enum guard_rule)rule))
            return fail(err, GUARD_E_RANGE, "scope.rules",
                        "names a rule that blocks nothing, or patches, which are named by ids");
    }
    return exception->locations >> GUARD_LOCATION_COUNT == 0 &&
                   (exception->locations & 1u << GUARD_LOCATION_NONE) == 0
               ? GUARD_OK
               : fail(err, GUARD_E_RANGE, "scope.in", "names no place");
}

/* A service that blocks nothing at all is a mode, not an exception. */
static enum guard_rc check_whole(const struct guard_exception *exception, struct guard_err *err)
{
    bool rules = (exception->rules[0] | exception->rules[1]) != 0;
    bool places = exception->locations != 0 || exception->name_count > 0;
    if (exception->patch_count > 0 && (rules || places))
        return fail(err, GUARD_E_SYNTAX, "scope.patches",
                    "stands without \"rules\", \"in\" and \"names\": a patch's hit is one thing");
    if (exception->endpoint_count + exception->client_count + exception->name_count +
                exception->patch_count ==
            0 &&
        !rules)
        return fail(err, GUARD_E_SYNTAX, "scope",
                    "must say endpoints, clients, names, rules or patches: an exception of "
                    "everything is the mode \"alert\"");
    return GUARD_OK;
}

enum guard_rc guard_exception_check(const struct guard_exception *exception, struct guard_err *err)
{
    GUARD_TRY(check_id(exception->id, "id", err));
    GUARD_TRY(check_line(exception->reason, "reason", err));
    GUARD_TRY(check_line(exception->author, "author", err));
    GUARD_TRY(check_time(exception, err));
    GUARD_TRY(check_list(exception->endpoints, exception->endpoint_count, "endpoints",
                         template_rule, err));
    GUARD_TRY(check_list(exception->methods, exception->method_count, "methods", method_rule, err));
    GUARD_TRY(check_clients(exception, err));
    GUARD_TRY(check_bits(exception, err));
    GUARD_TRY(check_list(exception->names, exception->name_count, "names", name_rule, err));
    GUARD_TRY(check_list(exception->patches, exception->patch_count, "patches", patch_rule, err));
    return check_whole(exception, err);
}
