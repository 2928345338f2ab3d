/* SPDX-License-Identifier: Apache-2.0 */
/* What every run leaves to functions, and the runs of receivers that have none of their own. */
#include "http/json_run.h"

enum gd_json_state gd_json_stamp_apart(struct gd_json *json, uint32_t node, uint32_t instance)
{
    bool alive = node == GD_JSON_SKIP || gd_json_stamp(json, node & ~GD_JSON_APART, instance);
    return alive ? GD_JSON_AT_COLON : GD_JSON_AT_DEAD;
}

#include "base/utf8.h"

const uint8_t *gd_json_plain_string_slow(const struct gd_json *json, const uint8_t *at,
                                         const uint8_t *end)
{
    unsigned high = 0;
    const uint8_t *stop = GD_SCAN_TEXT(at, end, &high);
    if (stop == end || *stop != '"' || (size_t)(stop - at) > json->value_limit)
        return NULL;
    if (high != 0 && gd_utf8_check((struct guard_span){at, (size_t)(stop - at)}) != GD_UTF8_VALID)
        return NULL;
    return stop;
}

static uint32_t member(struct gd_json *json, uint32_t object, struct guard_span key)
{
    return json->handler.member(json->handler.ctx, object, key);
}

static void string(struct gd_json *json, uint32_t node, struct guard_span text)
{
    json->handler.scalar(json->handler.ctx, node, GD_JSON_STRING, text);
}

static void number(struct gd_json *json, uint32_t node, const struct gd_json_plain_number *number)
{
    json->handler.scalar(json->handler.ctx, node, GD_JSON_NUMBER, number->text);
}

static void literal(struct gd_json *json, uint32_t node, enum gd_json_type type)
{
    json->handler.scalar(json->handler.ctx, node, type, (struct guard_span){NULL, 0});
}

static void open_object(struct gd_json *json, uint32_t node)
{
    json->handler.open(json->handler.ctx, node, false);
}

static void close_object(struct gd_json *json, uint32_t node, uint32_t items)
{
    json->handler.close(json->handler.ctx, node, false, items);
}

static const struct gd_json_run_calls calls = {member,  string,      number,
                                               literal, open_object, close_object};

const uint8_t *gd_json_any_members(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    return gd_json_run_members(json, &calls, at, end);
}

const uint8_t *gd_json_any_elements(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    return gd_json_run_elements(json, &calls, at, end);
}
