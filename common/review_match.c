/* SPDX-License-Identifier: Apache-2.0 */
/* An alert names a place, a rule and what was observed in words; these are compared with the words
 * that a finding of the element would have. */
#include "common/review_match.h"

#include <guard/likeness.h>

#include <stdio.h>
#include <string.h>

static bool is_text(struct guard_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static bool rule_fits(enum guard_review_kind kind, const char *rule)
{
    static const char *const rules[GUARD_REVIEW_KINDS][2] = {
        [GUARD_REVIEW_PATH] = {"path", "path"},
        [GUARD_REVIEW_METHOD] = {"method", "method"},
        [GUARD_REVIEW_NAME] = {"name", "name"},
        [GUARD_REVIEW_CONTENT_TYPE] = {"content-type", "content-type"},
        [GUARD_REVIEW_CHARACTER] = {"character", "alphabet"},
        [GUARD_REVIEW_PAIR] = {"transition", "transitions"},
        [GUARD_REVIEW_TYPE] = {"type", "type"},
        [GUARD_REVIEW_LIKENESS] = {"likeness", "likeness"},
        [GUARD_REVIEW_FAULT] = {"fault", "fault"},
        [GUARD_REVIEW_LEAK] = {"leak", "leak"},
    };
    return strcmp(rule, rules[kind][0]) == 0 || strcmp(rule, rules[kind][1]) == 0;
}

/* What a finding of the element shows as observed, before " in ". */
static bool observed_fits(const struct guard_review_element *element, const char *observed)
{
    char first[16];
    char second[16];
    char text[64];
    switch ((int)element->kind) {
    case GUARD_REVIEW_CHARACTER:
        guard_class_name((enum guard_class)element->code, first);
        return strcmp(observed, first) == 0;
    case GUARD_REVIEW_PAIR:
        guard_class_name((enum guard_class)(element->code >> 6), first);
        guard_class_name((enum guard_class)(element->code & 63), second);
        snprintf(text, sizeof(text), "%s before %s", first, second);
        return strcmp(observed, text) == 0;
    case GUARD_REVIEW_TYPE:
        return strcmp(observed, guard_type_name((enum guard_type)element->code)) == 0;
    case GUARD_REVIEW_LIKENESS:
        snprintf(text, sizeof(text), "%s",
                 guard_likeness_words((enum guard_likeness)element->code));
        return strncmp(observed, text, strlen(text)) == 0;
    case GUARD_REVIEW_FAULT:
        return strcmp(observed, guard_fault_name((enum guard_fault)(element->code & 255))) == 0;
    case GUARD_REVIEW_LEAK:
        return strcmp(observed, guard_leak_name((enum guard_leak)element->code)) == 0;
    case GUARD_REVIEW_CONTENT_TYPE:
        return is_text(element->text, observed);
    default:
        return true;
    }
}

/* Below a template a path ends where nobody knows it, so that only what stands before is the same.
 */
static bool below(struct guard_span path, const char *whole)
{
    return strlen(whole) >= path.len && strncmp(whole, (const char *)path.ptr, path.len) == 0 &&
           (whole[path.len] == '/' || whole[path.len] == '\0');
}

static bool place_fits(const struct guard_review_element *element, const struct review_seen *seen)
{
    if (element->kind == GUARD_REVIEW_PATH)
        return element->template_text.len == 0 || below(element->template_text, seen->path);
    if (element->kind == GUARD_REVIEW_METHOD)
        return is_text(element->template_text, seen->path) && is_text(element->text, seen->method);
    bool service = element->method.len == 0; /* headers and cookies are everywhere's */
    if (!service &&
        (!is_text(element->method, seen->method) || !is_text(element->template_text, seen->path)))
        return false;
    return element->location == GUARD_LOCATION_NONE ||
           (strcmp(seen->location, guard_location_name(element->location)) == 0 &&
            is_text(element->name, seen->name));
}

bool review_tells_of(const struct review_seen *seen, const struct guard_review_element *element)
{
    return rule_fits(element->kind, seen->rule) &&
           (element->status > 0) == (strcmp(seen->part, "response") == 0) &&
           place_fits(element, seen) && observed_fits(element, seen->observed);
}

void review_observed(char *out, size_t cap, const char *text)
{
    const char *end = strstr(text, " in ");
    snprintf(out, cap, "%.*s", end != NULL ? (int)(end - text) : (int)strlen(text), text);
}

enum review_untaught review_untaught(const struct review_seen *seen)
{
    static const char *const learned[] = {"path",        "method",   "name",  "content-type",
                                          "character",   "alphabet", "type",  "transition",
                                          "transitions", "likeness", "fault", "leak"};
    if (strncmp(seen->rule, "patch", 5) == 0 || strcmp(seen->rule, "exception-expiry") == 0)
        return REVIEW_OF_PEOPLE;
    if (strcmp(seen->part, "client") == 0 || strncmp(seen->rule, "client-", 7) == 0)
        return REVIEW_OF_CLIENT;
    for (size_t i = 0; i < sizeof(learned) / sizeof(learned[0]); i++) {
        if (strcmp(seen->rule, learned[i]) == 0)
            return REVIEW_NOT_WAITING;
    }
    return REVIEW_OF_LIMIT;
}

const char *review_untaught_text(enum review_untaught why)
{
    static const char *const texts[] = {
        [REVIEW_OF_PEOPLE] = "a patch or a person decided it, not what was learned",
        [REVIEW_OF_CLIENT] = "it is about how the client behaves: lift that",
        [REVIEW_OF_LIMIT] = "it crosses a limit, and limits aren't accepted one by one: say it in "
                            "the Guardian, or let it pass for a while",
        [REVIEW_NOT_WAITING] = "nothing waits there: too few clients did it, what is blocked "
                               "teaches nothing, or it was decided",
    };
    return texts[why];
}
