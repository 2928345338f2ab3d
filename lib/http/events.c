/* SPDX-License-Identifier: Apache-2.0 */
/* See events.h. */
#include "http/events.h"

#include "base/arena.h"
#include "base/span.h"

enum { NAME_MAX_LEN = 5 }; /* "event", "retry" */

enum state {
    AT_NAME,  /* a line begins, or its name goes on */
    AT_BLANK, /* behind the colon: one blank may come that doesn't count */
    AT_VALUE,
    AT_COMMENT,
};

struct gd_events {
    const struct gd_body_sink *sink;
    enum state state;
    struct guard_span name; /* of the value that has begun */
    uint8_t held_len;
    uint8_t held[NAME_MAX_LEN + 1];
    bool behind_return; /* a line feed now belongs to the line before */
};

enum guard_rc gd_events_begin(struct gd_events **out, const struct gd_body_sink *sink,
                              struct guard_arena *arena)
{
    struct gd_events *events = gd_arena_get(arena, sizeof(*events));
    if (events == NULL)
        return GUARD_E_NOMEM;
    memset(events, 0, sizeof(*events));
    events->sink = sink;
    *out = events;
    return GUARD_OK;
}

static void blob(const struct gd_events *events, struct guard_span data, bool begin, bool end)
{
    const struct guard_span none = {NULL, 0};
    events->sink->blob(events->sink->view.ctx, events->name, none, none, data, begin, end);
}

static struct guard_span known_name(struct guard_span name)
{
    static const char names[4][NAME_MAX_LEN + 1] = {"data", "event", "id", "retry"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gd_span_equal(name, gd_span(names[i], strlen(names[i]))))
            return gd_span(names[i], name.len);
    }
    return gd_span("", 0);
}

static void begin_value(struct gd_events *events, bool named)
{
    struct guard_span held = {events->held, events->held_len};
    events->name = named ? known_name(held) : gd_span("", 0);
    blob(events, gd_span(NULL, 0), true, false);
    /* What isn't a name is value. */
    if (events->name.len == 0 && held.len > 0)
        blob(events, held, false, false);
}

static void end_line(struct gd_events *events)
{
    if (events->state == AT_NAME && events->held_len > 0)
        begin_value(events, false);
    if (events->state == AT_VALUE || events->state == AT_BLANK ||
        (events->state == AT_NAME && events->held_len > 0))
        blob(events, gd_span(NULL, 0), false, true);
    events->state = AT_NAME;
    events->held_len = 0;
}

static struct guard_span take_name(struct gd_events *events, struct guard_span chunk)
{
    uint8_t byte = chunk.ptr[0];
    if (byte == ':' && events->held_len == 0) {
        events->state = AT_COMMENT;
    } else if (byte == ':' || events->held_len == sizeof(events->held)) {
        begin_value(events, byte == ':');
        events->state = AT_VALUE;
        if (byte == ':' && events->name.len > 0)
            events->state = AT_BLANK;
        else
            return chunk;
    } else {
        events->held[events->held_len++] = byte;
    }
    return gd_span_from(chunk, 1);
}

static struct guard_span line_rest(struct guard_span chunk)
{
    size_t len = 0;
    while (len < chunk.len && chunk.ptr[len] != '\n' && chunk.ptr[len] != '\r')
        len++;
    return gd_span_head(chunk, len);
}

static struct guard_span take(struct gd_events *events, struct guard_span chunk)
{
    uint8_t byte = chunk.ptr[0];
    bool second = events->behind_return && byte == '\n';
    events->behind_return = byte == '\r';
    if (byte == '\n' || byte == '\r') {
        if (!second)
            end_line(events);
        return gd_span_from(chunk, 1);
    }
    if (events->state == AT_NAME)
        return take_name(events, chunk);
    if (events->state == AT_BLANK) {
        events->state = AT_VALUE;
        return byte == ' ' ? gd_span_from(chunk, 1) : chunk;
    }
    struct guard_span rest = line_rest(chunk);
    if (events->state == AT_VALUE)
        blob(events, rest, false, false);
    return gd_span_from(chunk, rest.len);
}

void gd_events_feed(struct gd_events *events, struct guard_span chunk)
{
    while (chunk.len > 0)
        chunk = take(events, chunk);
}

void gd_events_end(struct gd_events *events)
{
    end_line(events);
}
