/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens are known by their bytes in the request, conditions are about decoded values. So the
 * request is read twice, once with other letters in the tokens: where values differ, they are
 * tokens. */
#include "common/generalise/message.h"

#include <string.h>

/* Another byte of the same kind: hexadecimal digits stay such, or escapes would break. */
static uint8_t other_byte(uint8_t byte)
{
    uint8_t lower = (uint8_t)(byte | 0x20);
    if (byte_is_digit(byte))
        return byte == '9' ? '0' : (uint8_t)(byte + 1);
    if (!byte_is_letter(byte))
        return byte;
    if (lower == 'f' || lower == 'z')
        return (uint8_t)(byte - (lower == 'f' ? 5 : 19));
    return (uint8_t)(byte + 1);
}

static struct guard_span other_text(struct work *work, const struct exploit_request *request,
                                    enum exploit_part part, uint32_t header, struct guard_span text)
{
    uint8_t *copy = NULL;
    for (uint32_t i = 0; i < request->token_count; i++) {
        const struct exploit_token *token = &request->tokens[i];
        if (token->part != part || (part == EXPLOIT_HEADER && token->header != header))
            continue;
        if (copy == NULL) {
            copy = work_get(work, text.len);
            if (copy == NULL)
                return text;
            memcpy(copy, text.ptr, text.len);
        }
        for (uint32_t k = token->begin; k < token->begin + token->len && k < text.len; k++)
            copy[k] = other_byte(copy[k]);
    }
    return copy != NULL ? (struct guard_span){copy, text.len} : text;
}

static bool fill(struct work *work, const struct exploit_request *request, bool other,
                 struct guard_exchange *out)
{
    struct guard_header *headers = work_get(work, (request->header_count + 1) * sizeof(*headers));
    if (headers == NULL)
        return false;
    for (uint32_t i = 0; i < request->header_count; i++) {
        headers[i].name = request->headers[i].name;
        headers[i].value = request->headers[i].value;
        if (other)
            headers[i].value =
                other_text(work, request, EXPLOIT_HEADER, i, request->headers[i].value);
    }
    *out = (struct guard_exchange){.method = request->method,
                                   .target = request->target,
                                   .version = 11,
                                   .headers = headers,
                                   .header_count = request->header_count,
                                   .body_known = true,
                                   .body = request->body};
    if (other) {
        out->target = other_text(work, request, EXPLOIT_TARGET, 0, request->target);
        out->body = other_text(work, request, EXPLOIT_BODY, 0, request->body);
    }
    return !work->failed;
}

static const uint8_t *differences(struct work *work, struct guard_span a, struct guard_span b)
{
    if (a.len != b.len || a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0)
        return NULL;
    uint8_t *marks = work_get(work, a.len);
    for (size_t i = 0; marks != NULL && i < a.len; i++)
        marks[i] = a.ptr[i] != b.ptr[i];
    return marks;
}

bool message_read(struct work *work, const struct exploit_request *request, struct message *out)
{
    struct guard_exchange twin;
    struct guard_values values;
    struct guard_values others = {.values = NULL};
    *out = (struct message){.values = NULL};
    if (!fill(work, request, false, &out->exchange) || !fill(work, request, true, &twin))
        return false;
    if (guard_request_values(&out->exchange, work->arena, &values) != GUARD_OK ||
        (request->token_count > 0 &&
         guard_request_values(&twin, work->arena, &others) != GUARD_OK)) {
        work->failed = true;
        return false;
    }
    out->values = work_get(work, (values.count + 1) * sizeof(*out->values));
    if (out->values == NULL)
        return false;
    bool alike = others.count == values.count;
    for (uint32_t i = 0; i < values.count; i++) {
        struct message_value *value = &out->values[i];
        *value = (struct message_value){.value = values.values[i]};
        if (!alike)
            continue;
        value->tokens = differences(work, values.values[i].text, others.values[i].text);
        value->name_tokens = differences(work, values.values[i].name, others.values[i].name);
    }
    out->count = values.count;
    out->body_kind = values.body_kind;
    return !work->failed;
}

const struct message_value *message_find(const struct message *message,
                                         enum guard_patch_place place)
{
    for (uint32_t i = 0; i < message->count; i++) {
        if (message->values[i].value.place == place)
            return &message->values[i];
    }
    return NULL;
}
