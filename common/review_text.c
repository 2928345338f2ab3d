/* SPDX-License-Identifier: Apache-2.0 */
/* Words for things that wait. Of what clients sent only shapes and names are shown. */
#include "common/review_text.h"

#include "common/clean.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EPOCHS_NEEDED = 2 };

static const char *const meanings[GUARD_REVIEW_KINDS] = {
    [GUARD_REVIEW_PATH] = "segment",           [GUARD_REVIEW_METHOD] = "method",
    [GUARD_REVIEW_NAME] = "the name",          [GUARD_REVIEW_CONTENT_TYPE] = "content type",
    [GUARD_REVIEW_CHARACTER] = "character",    [GUARD_REVIEW_PAIR] = "neighbours",
    [GUARD_REVIEW_TYPE] = "values of type",    [GUARD_REVIEW_LIKENESS] = "values that read like",
    [GUARD_REVIEW_FAULT] = "malformed values", [GUARD_REVIEW_LEAK] = "leak",
};

const char *review_title(char out[REVIEW_LINE_MAX], const struct guard_review_element *element)
{
    char line[REVIEW_LINE_MAX];
    char word[REVIEW_WORD_MAX];
    bool service = element->method.len == 0 && element->template_text.len == 0 &&
                   element->kind != GUARD_REVIEW_PATH && element->kind != GUARD_REVIEW_METHOD;
    review_element_word(element, word);
    int len = snprintf(line, sizeof(line), "%.*s%s%.*s", (int)element->method.len,
                       (const char *)element->method.ptr, element->method.len > 0 ? " " : "",
                       (int)element->template_text.len, (const char *)element->template_text.ptr);
    if (service)
        len += snprintf(line + len, sizeof(line) - (size_t)len, "everywhere");
    if (element->status > 0)
        len += snprintf(line + len, sizeof(line) - (size_t)len, " response %" PRIu32 "xx",
                        element->status);
    if (element->location != GUARD_LOCATION_NONE)
        len += snprintf(line + len, sizeof(line) - (size_t)len, " %s %.*s",
                        guard_location_name(element->location), (int)element->name.len,
                        (const char *)element->name.ptr);
    if (element->kind == GUARD_REVIEW_PATH)
        len += snprintf(line + len, sizeof(line) - (size_t)len, "/%s", word);
    snprintf(line + len, sizeof(line) - (size_t)len, ": %s%s%s", meanings[element->kind],
             word[0] != '\0' ? " " : "", word);
    return clean(out, REVIEW_LINE_MAX, line, strlen(line));
}

const char *review_lacks(char out[REVIEW_LACKS_MAX], uint32_t support,
                         const struct guard_review_pending *pending)
{
    out[0] = '\0';
    if (pending->support < 2 * support)
        snprintf(out, REVIEW_LACKS_MAX, "%" PRIu32 " of %" PRIu32 " clients", pending->support / 2,
                 support);
    else if (pending->epochs < EPOCHS_NEEDED)
        snprintf(out, REVIEW_LACKS_MAX, "%" PRIu32 " more epoch", EPOCHS_NEEDED - pending->epochs);
    else /* screened */
        snprintf(out, REVIEW_LACKS_MAX, "clients that send nothing like attacks");
    return out;
}

void review_json_element(struct json_writer *json, struct guard_span service,
                         const struct guard_review_element *element)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char word[REVIEW_WORD_MAX];
    guard_review_id(id, service, element);
    review_element_word(element, word);
    json_string(json, "service", service);
    json_text(json, "id", id);
    json_text(json, "kind", guard_review_kind_name(element->kind));
    json_string(json, "method", element->method);
    json_string(json, "path", element->template_text);
    json_integer(json, "response", element->status);
    json_text(json, "in", guard_location_name(element->location));
    json_string(json, "name", element->name);
    json_text(json, "element", word);
}
