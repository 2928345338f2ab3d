/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of protocol buffers, named by their numbers. */
#include "http/protobuf.h"
#include "profile/builder_tree.h"
#include "profile/field_table.h"

enum { NUMBER_MAX = 20 }; /* decimal digits of 2^64, and so of -2^63 with its sign */

static struct guard_span decimal(uint64_t number, uint8_t room[NUMBER_MAX])
{
    size_t at = NUMBER_MAX;
    do {
        room[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return gd_span(room + at, NUMBER_MAX - at);
}

static uint32_t on_field(void *ctx, uint32_t message, uint32_t number)
{
    uint8_t room[NUMBER_MAX];
    return gd_tree_child(ctx, GUARD_LOCATION_PROTOBUF, message, decimal(number, room));
}

/* Most schemas have signed integers; what would be beyond them is negative. */
static void on_integer(void *ctx, uint32_t node, uint64_t value)
{
    uint8_t room[NUMBER_MAX];
    bool minus = value > INT64_MAX;
    struct guard_span text = decimal(minus ? 0 - value : value, room);
    if (minus) {
        uint8_t *sign = room + (text.ptr - room) - 1;
        *sign = '-';
        text = gd_span(sign, text.len + 1);
    }
    uint32_t field = gd_tree_field(ctx, GUARD_LOCATION_PROTOBUF, node);
    struct gd_features features;
    gd_features_number(&features, text.len, minus, false);
    if (((struct gd_builder *)ctx)->capture != NULL)
        gd_capture_leaf(((struct gd_builder *)ctx)->capture, GUARD_PLACE_JSON, field, text, 0);
    if (field != GD_NO_FIELD)
        gd_builder_features(ctx, field, &features, text, false, GD_LIFE_CALL);
}

/* A number of known size whose digits aren't known. */
static void on_fixed(void *ctx, uint32_t node, struct guard_span bytes)
{
    struct gd_builder *builder = ctx;
    uint32_t field = gd_tree_field(builder, GUARD_LOCATION_PROTOBUF, node);
    const struct gd_features features = {.len = (uint32_t)bytes.len, .type = GUARD_TYPE_DECIMAL};
    if (field != GD_NO_FIELD)
        gd_summary_merge(&builder->profile.fields[field].summary, &features, bytes, false);
}

static void on_bytes(void *ctx, uint32_t node, struct guard_span bytes)
{
    gd_tree_value(ctx, GUARD_LOCATION_PROTOBUF, node, bytes, 0);
}

static void on_open(void *ctx, uint32_t node)
{
    gd_tree_open(ctx, GUARD_LOCATION_PROTOBUF, node, GUARD_TYPE_OBJECT);
}

static void on_close(void *ctx, uint32_t node, uint32_t items)
{
    gd_tree_close(ctx, GUARD_LOCATION_PROTOBUF, node, items);
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    struct gd_builder *builder = ctx;
    builder->sink.view.fault(ctx, fault, GUARD_LOCATION_PROTOBUF);
}

static void on_trailer(void *ctx, struct guard_span name, struct guard_span value)
{
    gd_builder_trailer(ctx, name, value);
}

void gd_builder_protobuf_sink(struct gd_builder *builder, struct gd_protobuf_handler *out)
{
    *out = (struct gd_protobuf_handler){builder, on_field, on_integer, on_fixed,  on_bytes,
                                        on_open, on_close, on_fault,   on_trailer};
}
