/* SPDX-License-Identifier: Apache-2.0 */
/* The destination of a call that the service makes: the first segment of its path, so that what is
 * learned of paths is learned of destinations. Host comes after the target, so the segment's place
 * is taken first and filled when the headers are complete. */
#include "base/span.h"
#include "http/target.h"
#include "profile/destination.h"
#include "profile/field_table.h"
#include "profile/segments.h"

static bool is_https(struct guard_span target)
{
    return target.len > 8 &&
           gd_span_equal_nocase(gd_span_head(target, 8), GUARD_SPAN_LITERAL("https://"));
}

struct guard_span gd_builder_destination_begin(struct gd_builder *builder, struct guard_span target)
{
    struct gd_profile *profile = &builder->profile;
    builder->tls = is_https(target);
    profile->segments[0] = (struct gd_segment){GUARD_SPAN_LITERAL("-"), false};
    profile->segment_count = 1;
    (void)gd_builder_field(builder, GUARD_LOCATION_PATH, GD_NO_FIELD, gd_segment_name(0),
                           GD_LIFE_EXCHANGE);
    if (!gd_span_equal(profile->method, GUARD_SPAN_LITERAL("CONNECT")))
        return target;
    builder->authority = target; /* and nothing else */
    return gd_span(NULL, 0);
}

void gd_builder_destination_host(struct gd_builder *builder, struct guard_span value)
{
    if (builder->hosts++ == 0)
        builder->host = value;
    else
        gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME);
}

void gd_builder_destination_end(struct gd_builder *builder)
{
    struct gd_profile *profile = &builder->profile;
    uint8_t room[GD_NAME_MAX];
    bool absolute = builder->authority.len > 0;
    struct guard_span text =
        gd_destination(absolute ? builder->authority : builder->host, builder->tls, room);
    text = gd_builder_keep(builder, text);
    if (text.ptr == NULL) {
        gd_builder_full(builder, GUARD_LOCATION_PATH);
        return;
    }
    profile->segments[0].text = text;
    if (profile->field_count > 0 && profile->fields[0].location == GUARD_LOCATION_PATH)
        gd_builder_value(builder, 0, text, 0, GD_LIFE_EXCHANGE);
}
