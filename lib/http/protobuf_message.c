/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a message without its schema. What a length-delimited field holds isn't said in it, so
 * one rule decides, by its bytes alone and always alike:
 *   1. What is valid UTF-8 without control characters is text. Short texts read as messages by
 *      accident ("hi": field 13, varint); messages rarely look like text, because the tags of their
 *      first fields are control characters.
 *   2. Of the line feed, tab and carriage return that text may hold and that are tags as well, one
 *      at the very beginning is a tag when the whole then reads as a message.
 *   3. Else it is a message when it reads as one to its end, and bytes when not (packed numbers,
 *      binary data).
 * No byte is looked at more than a few times, however deep messages nest. */
#include "http/protobuf_message.h"

#include "base/span.h"
#include "base/utf8.h"

enum wire_type { VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP = 3, GROUP_END = 4, FIXED32 = 5 };
enum { GROUPS_MAX = 64 };

struct wire {
    uint32_t number;
    enum wire_type type;
    uint64_t value;
    struct guard_span bytes;
};

/* UNFINISHED: more bytes could make it a field. */
enum wire_result { FIELD, UNFINISHED, NONE };

void gd_protobuf_report(struct gd_protobuf_reader *reader, enum guard_fault fault)
{
    uint64_t bit = UINT64_C(1) << (unsigned)fault;
    if ((reader->seen & bit) == 0)
        reader->handler->fault(reader->handler->ctx, fault);
    reader->seen |= bit;
}

static enum wire_result take_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at == end)
            return UNFINISHED;
        uint8_t byte = *(*at)++;
        /* Bits beyond the 64th are dropped, as decoders do. */
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            *out = value;
            return FIELD;
        }
    }
    return NONE;
}

/* An UNFINISHED one has its number when bytes has a pointer: those that came of its content. */
static enum wire_result take_field(const uint8_t **at, const uint8_t *end, struct wire *out)
{
    uint64_t tag = 0;
    out->bytes = gd_span(NULL, 0);
    enum wire_result result = take_varint(at, end, &tag);
    if (result != FIELD)
        return result;
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return NONE;
    out->number = (uint32_t)(tag >> 3);
    out->type = (enum wire_type)(tag & 7);
    uint64_t len = 0;
    switch (out->type) {
    case VARINT:
        return take_varint(at, end, &out->value);
    case GROUP:
    case GROUP_END:
        return FIELD;
    case FIXED64:
        len = 8;
        break;
    case FIXED32:
        len = 4;
        break;
    case BYTES:
        result = take_varint(at, end, &len);
        if (result != FIELD)
            return result;
        break;
    default:
        return NONE;
    }
    uint64_t left = (uint64_t)(end - *at);
    out->bytes = gd_span(*at, (size_t)(len < left ? len : left));
    *at += out->bytes.len;
    return len <= left ? FIELD : UNFINISHED;
}

/* Fields up to the end, of which there is one at least. What is inside of them isn't looked at. */
static bool is_message(struct guard_span bytes, bool cut)
{
    const uint8_t *at = bytes.ptr;
    const uint8_t *end = bytes.ptr + bytes.len;
    uint32_t groups[GROUPS_MAX];
    uint32_t depth = 0;
    while (at < end) {
        struct wire wire;
        enum wire_result result = take_field(&at, end, &wire);
        if (result == UNFINISHED && cut)
            return true;
        if (result != FIELD)
            return false;
        if (wire.type == GROUP) {
            if (depth == GROUPS_MAX)
                return false;
            groups[depth++] = wire.number;
        } else if (wire.type == GROUP_END && (depth == 0 || groups[--depth] != wire.number)) {
            return false;
        }
    }
    return depth == 0 || cut;
}

static bool is_break(uint8_t byte)
{
    return byte == '\t' || byte == '\n' || byte == '\r';
}

/* The first byte that isn't of text. */
static const uint8_t *find_odd(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (*at < 0x80) {
            if ((*at < 0x20 && !is_break(*at)) || *at == 0x7f)
                return at;
            at++;
            continue;
        }
        size_t used = gd_utf8_sequence(at, (size_t)(end - at));
        if (used == 0)
            return at;
        at += used;
    }
    return end;
}

/* Slices are asked for in the order of their beginnings, and each may lie in the one before: the
 * place found for one answers for the others. */
static bool is_text(struct gd_protobuf_reader *reader, struct guard_span bytes, bool cut)
{
    if (reader->odd == NULL || reader->odd < bytes.ptr)
        reader->odd = find_odd(bytes.ptr, reader->end);
    size_t whole = gd_utf8_trim(bytes).len; /* without half a character at its end */
    return (whole == bytes.len || cut) && reader->odd >= bytes.ptr + whole &&
           (bytes.ptr[0] & 0xc0) != 0x80;
}

static bool holds_message(struct gd_protobuf_reader *reader, struct guard_span bytes, bool cut)
{
    if (bytes.len == 0 || (is_text(reader, bytes, cut) && !is_break(bytes.ptr[0])))
        return false;
    return is_message(bytes, cut);
}

static bool push(struct gd_protobuf_reader *reader, const struct gd_protobuf_frame *frame)
{
    if (reader->depth == reader->depth_limit) {
        gd_protobuf_report(reader, GUARD_FAULT_DEPTH);
        return false;
    }
    reader->frames[reader->depth++] = *frame;
    if (frame->node != GD_PROTOBUF_SKIP)
        reader->handler->open(reader->handler->ctx, frame->node);
    return true;
}

static void pop(struct gd_protobuf_reader *reader)
{
    const struct gd_protobuf_frame *frame = &reader->frames[--reader->depth];
    if (frame->node != GD_PROTOBUF_SKIP)
        reader->handler->close(reader->handler->ctx, frame->node, frame->items);
}

static bool read_bytes(struct gd_protobuf_reader *reader, uint32_t node, struct guard_span bytes,
                       bool cut)
{
    if (holds_message(reader, bytes, cut) &&
        push(reader, &(struct gd_protobuf_frame){bytes.ptr + bytes.len, node, 0, 0, cut})) {
        reader->at = bytes.ptr;
        return true;
    }
    if (cut && is_text(reader, bytes, cut))
        bytes = gd_utf8_trim(bytes);
    if (node != GD_PROTOBUF_SKIP)
        reader->handler->bytes(reader->handler->ctx, node, bytes);
    return true;
}

/* False: the message can't be read further. */
static bool read_content(struct gd_protobuf_reader *reader, const struct wire *wire, uint32_t node,
                         bool cut)
{
    const struct gd_protobuf_frame *frame = &reader->frames[reader->depth - 1];
    const struct gd_protobuf_handler *handler = reader->handler;
    switch (wire->type) {
    case VARINT:
        if (node != GD_PROTOBUF_SKIP)
            handler->integer(handler->ctx, node, wire->value);
        return true;
    case FIXED32:
    case FIXED64:
        if (node != GD_PROTOBUF_SKIP)
            handler->fixed(handler->ctx, node, wire->bytes);
        return true;
    case BYTES:
        return read_bytes(reader, node, wire->bytes, cut);
    case GROUP:
        return push(reader,
                    &(struct gd_protobuf_frame){frame->end, node, 0, wire->number, frame->cut});
    case GROUP_END:
        break;
    }
    return false;
}

/* A field that was cut is still handed over as far as it came. */
static bool read_unfinished(struct gd_protobuf_reader *reader, const struct wire *wire)
{
    const struct gd_protobuf_frame *frame = &reader->frames[reader->depth - 1];
    if (!frame->cut) {
        gd_protobuf_report(reader, GUARD_FAULT_PROTOBUF_SYNTAX);
        return false;
    }
    if (wire->bytes.len == 0 || wire->type != BYTES || frame->node == GD_PROTOBUF_SKIP)
        return false;
    uint32_t node = reader->handler->field(reader->handler->ctx, frame->node, wire->number);
    return read_bytes(reader, node, wire->bytes, true);
}

/* One field of the innermost message. False: the message can't be read further. */
static bool read_field(struct gd_protobuf_reader *reader)
{
    struct gd_protobuf_frame *frame = &reader->frames[reader->depth - 1];
    struct wire wire = {.value = 0};
    enum wire_result result = take_field(&reader->at, frame->end, &wire);
    if (result == UNFINISHED)
        return read_unfinished(reader, &wire);
    if (result == NONE || (wire.type == GROUP_END && frame->group != wire.number)) {
        gd_protobuf_report(reader, GUARD_FAULT_PROTOBUF_SYNTAX);
        return false;
    }
    if (wire.type == GROUP_END) {
        pop(reader);
        return true;
    }
    if (reader->leaves == reader->leaf_limit) {
        gd_protobuf_report(reader, GUARD_FAULT_LEAVES);
        return false;
    }
    reader->leaves++;
    frame->items++;
    uint32_t node = GD_PROTOBUF_SKIP;
    if (frame->node != GD_PROTOBUF_SKIP)
        node = reader->handler->field(reader->handler->ctx, frame->node, wire.number);
    return read_content(reader, &wire, node, false);
}

void gd_protobuf_message(struct gd_protobuf_reader *reader, struct guard_span message, bool cut)
{
    reader->depth = 0;
    reader->leaves = 0;
    reader->odd = NULL;
    reader->at = message.ptr;
    reader->end = message.len == 0 ? message.ptr : message.ptr + message.len;
    if (!push(reader, &(struct gd_protobuf_frame){reader->end, GD_PROTOBUF_ROOT, 0, 0, cut}))
        return;
    while (reader->depth > 0) {
        const struct gd_protobuf_frame *frame = &reader->frames[reader->depth - 1];
        if (reader->at < frame->end) {
            if (!read_field(reader))
                break;
        } else {
            if (frame->group != 0 && !frame->cut)
                gd_protobuf_report(reader, GUARD_FAULT_PROTOBUF_SYNTAX);
            pop(reader);
        }
    }
    while (reader->depth > 0)
        pop(reader);
}
