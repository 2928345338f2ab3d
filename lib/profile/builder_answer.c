/* SPDX-License-Identifier: Apache-2.0 */
/* What a response has that a request hasn't: it belongs to a request, and it sets cookies. */
#include "profile/builder.h"

#include "base/span.h"
#include "profile/field_table.h"

enum guard_rc gd_builder_begin_answer(struct gd_builder **out, const struct guard_txn_cfg *cfg,
                                      uint32_t status, struct guard_arena *arena)
{
    GUARD_TRY(gd_builder_begin(out, cfg, arena));
    struct gd_builder *builder = *out;
    builder->profile.answer = true;
    builder->profile.status = status;
    builder->body_limit = cfg->response_limit == 0 ? GD_ANSWER_MAX : cfg->response_limit;
    return GUARD_OK;
}

static struct guard_span trimmed(struct guard_span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = gd_span_from(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Name and value stand first; the attributes behind them are for browsers. The same cookie may be
 * set for several paths. */
void gd_builder_set_cookie(struct gd_builder *builder, struct guard_span value)
{
    const uint8_t *end = value.len > 0 ? memchr(value.ptr, ';', value.len) : NULL;
    if (end != NULL)
        value.len = (size_t)(end - value.ptr);
    const uint8_t *equals = value.len > 0 ? memchr(value.ptr, '=', value.len) : NULL;
    if (equals == NULL) {
        gd_builder_fault(builder, GUARD_LOCATION_COOKIE, GUARD_FAULT_FORM_SYNTAX);
        return;
    }
    size_t name_len = (size_t)(equals - value.ptr);
    struct guard_span name = trimmed(gd_span_head(value, name_len));
    if (builder->capture != NULL)
        gd_capture_value(builder->capture, GUARD_PLACE_COOKIE, name,
                         trimmed(gd_span_from(value, name_len + 1)), 0);
    uint32_t index =
        gd_builder_field(builder, GUARD_LOCATION_COOKIE, GD_NO_FIELD, name, GD_LIFE_EXCHANGE);
    if (index != GD_NO_FIELD)
        gd_builder_value(builder, index, trimmed(gd_span_from(value, name_len + 1)), 0,
                         GD_LIFE_EXCHANGE);
}
