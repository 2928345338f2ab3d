/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs are decoded byte by byte into two reused buffers, so that the reading can't depend on chunk
 * borders. */
#include "http/form.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "http/percent.h"

enum semicolon { SEMICOLON_NONE, SEMICOLON_SEEN, SEMICOLON_NAME };

struct gd_form {
    const struct gd_view *view;
    struct gd_buffer name;
    struct gd_buffer value;
    uint32_t names_left;
    uint64_t seen;   /* faults reported */
    uint64_t faults; /* of this pair */
    bool in_value;
    bool any; /* the pair has bytes */
    bool decoded_name;
    bool decoded_value;
    bool stopped;
    uint8_t escape; /* bytes of an escape that are pending: 0, 1 ('%') or 2 */
    uint8_t digit;  /* its first digit */
    uint8_t semicolon;
};

/* Bytes that don't just stand for themselves. */
static const uint8_t special[256] = {
    [0 ... 0x1f] = 1, [0x7f] = 1, ['&'] = 1, ['='] = 1, ['%'] = 1, ['+'] = 1, [';'] = 1,
};

enum guard_rc gd_form_begin(struct gd_form **out, const struct gd_view *view,
                            const struct gd_limits *limits, struct guard_arena *arena)
{
    struct gd_form *form = gd_arena_get(arena, sizeof(*form));
    if (form == NULL)
        return GUARD_E_NOMEM;
    memset(form, 0, sizeof(*form));
    form->view = view;
    gd_buffer_init(&form->name, arena, limits->value);
    gd_buffer_init(&form->value, arena, limits->value);
    form->names_left = limits->names;
    *out = form;
    return GUARD_OK;
}

static struct gd_buffer *current(struct gd_form *form)
{
    return form->in_value ? &form->value : &form->name;
}

static void bad_escape(struct gd_form *form)
{
    form->faults |= gd_fault_bit(GUARD_FAULT_BAD_ESCAPE);
    gd_buffer_add_byte(current(form), '%');
    if (form->escape == 2)
        gd_buffer_add_byte(current(form), form->digit);
    form->escape = 0;
}

/* The next byte inside an escape. False: it ends a bad escape and is to be read as ordinary. */
static bool feed_escape(struct gd_form *form, uint8_t byte)
{
    int digit = gd_hex_value(byte);
    if (digit < 0) {
        bad_escape(form);
        return false;
    }
    if (form->escape == 1) {
        form->digit = byte;
        form->escape = 2;
        return true;
    }
    gd_buffer_add_byte(current(form), (uint8_t)(gd_hex_value(form->digit) << 4 | digit));
    form->escape = 0;
    if (form->in_value)
        form->decoded_value = true;
    else
        form->decoded_name = true;
    return true;
}

static struct guard_span finish_text(struct gd_form *form, struct gd_buffer *buffer, bool decoded)
{
    struct guard_span text = gd_buffer_span(buffer);
    if (buffer->over) {
        form->faults |= gd_fault_bit(GUARD_FAULT_VALUE_LENGTH);
        text = gd_utf8_trim(text);
    }
    form->faults |= gd_text_faults(text, decoded);
    return text;
}

static void finish_pair(struct gd_form *form)
{
    if (form->escape != 0)
        bad_escape(form);
    if (form->any && !form->stopped) {
        if (!form->in_value)
            form->faults |= gd_fault_bit(GUARD_FAULT_FORM_SYNTAX);
        if (form->name.failed || form->value.failed) {
            form->faults |= gd_fault_bit(GUARD_FAULT_MEMORY);
            form->stopped = true;
        } else if (form->names_left-- == 0) {
            form->faults = gd_fault_bit(GUARD_FAULT_NAMES);
            form->stopped = true;
        }
        struct guard_span name = finish_text(form, &form->name, form->decoded_name);
        struct guard_span value = finish_text(form, &form->value, form->decoded_value);
        gd_fault_report(form->view, GUARD_LOCATION_FORM, form->faults, &form->seen);
        if (!form->stopped)
            form->view->value(form->view->ctx, GUARD_LOCATION_FORM, name, value);
    }
    gd_buffer_clear(&form->name);
    gd_buffer_clear(&form->value);
    form->faults = 0;
    form->in_value = false;
    form->any = false;
    form->decoded_name = false;
    form->decoded_value = false;
    form->semicolon = SEMICOLON_NONE;
}

static void feed_special(struct gd_form *form, uint8_t byte)
{
    if (byte == '&') {
        finish_pair(form);
        return;
    }
    form->any = true;
    if (byte == ';') {
        form->semicolon = SEMICOLON_SEEN;
    } else if (byte == '=') {
        if (form->semicolon == SEMICOLON_NAME)
            form->faults |= gd_fault_bit(GUARD_FAULT_SEMICOLON_PAIR);
        form->semicolon = SEMICOLON_NONE;
        if (!form->in_value) {
            form->in_value = true;
            return;
        }
    } else if (form->semicolon == SEMICOLON_SEEN) {
        form->semicolon = SEMICOLON_NAME;
    }
    if (byte == '%') {
        form->escape = 1;
        return;
    }
    if (byte < 0x20 || byte == 0x7f)
        form->faults |= gd_fault_bit(GUARD_FAULT_FORM_SYNTAX);
    gd_buffer_add_byte(current(form), byte == '+' ? ' ' : byte);
}

void gd_form_feed(struct gd_form *form, struct guard_span chunk)
{
    for (size_t at = 0; at < chunk.len && !form->stopped;) {
        if (form->escape != 0 && feed_escape(form, chunk.ptr[at])) {
            at++;
            continue;
        }
        size_t start = at;
        while (at < chunk.len && !special[chunk.ptr[at]])
            at++;
        if (at > start) {
            form->any = true;
            if (form->semicolon == SEMICOLON_SEEN)
                form->semicolon = SEMICOLON_NAME;
            gd_buffer_add(current(form), chunk.ptr + start, at - start);
        }
        if (at < chunk.len)
            feed_special(form, chunk.ptr[at++]);
    }
}

void gd_form_end(struct gd_form *form)
{
    finish_pair(form);
    form->stopped = true;
}
