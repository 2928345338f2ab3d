/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the parts. A delimiter begins with a line feed and holds no other, so that after a mismatch
 * nothing but the byte at hand is looked at again. */
#include "http/multipart.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "http/multipart_head.h"
#include "http/percent.h"

enum state {
    STATE_DATA,    /* preamble or a part's content */
    STATE_LINE,    /* behind a boundary */
    STATE_DASH,    /* behind a boundary and '-' */
    STATE_PADDING, /* behind a boundary and blanks */
    STATE_RETURN,  /* behind a boundary and a carriage return */
    STATE_HEAD,
    STATE_EPILOGUE,
    STATE_STOPPED,
};

enum part { PART_NONE, PART_FIELD, PART_FILE };

struct gd_multipart {
    const struct gd_body_sink *sink;
    struct guard_arena *arena;
    uint8_t *delimiter; /* line feed, two dashes, boundary */
    size_t delimiter_len;
    size_t matched;    /* bytes of the delimiter seen */
    size_t line_len;   /* of the header line at hand, without carriage return */
    bool held_return;  /* a carriage return came before */
    bool virtual_line; /* the line break that was matched is none of the content's */
    uint8_t state;
    uint8_t part;
    uint64_t seen;          /* faults reported */
    struct gd_buffer block; /* headers */
    struct gd_buffer value;
    struct gd_part_head head;
    uint32_t names_left;
};

enum guard_rc gd_multipart_begin(struct gd_multipart **out, struct guard_span boundary,
                                 const struct gd_body_sink *sink, const struct gd_limits *limits,
                                 struct guard_arena *arena)
{
    struct gd_multipart *multipart = gd_arena_get(arena, sizeof(*multipart));
    if (multipart == NULL)
        return GUARD_E_NOMEM;
    memset(multipart, 0, sizeof(*multipart));
    multipart->delimiter_len = boundary.len + 3;
    multipart->delimiter = gd_arena_get(arena, multipart->delimiter_len);
    if (multipart->delimiter == NULL)
        return GUARD_E_NOMEM;
    memcpy(multipart->delimiter, "\n--", 3);
    if (boundary.len > 0)
        memcpy(multipart->delimiter + 3, boundary.ptr, boundary.len);
    multipart->sink = sink;
    multipart->arena = arena;
    /* The first boundary needs no line break before it. */
    multipart->matched = 1;
    multipart->held_return = true;
    multipart->virtual_line = true;
    gd_buffer_init(&multipart->block, arena, limits->value);
    gd_buffer_init(&multipart->value, arena, limits->value);
    multipart->names_left = limits->names;
    *out = multipart;
    return GUARD_OK;
}

static void report(struct gd_multipart *multipart, uint64_t faults)
{
    if ((faults & ~multipart->seen) != 0)
        gd_fault_report(&multipart->sink->view, GUARD_LOCATION_MULTIPART, faults, &multipart->seen);
}

static void irregular(struct gd_multipart *multipart)
{
    report(multipart, gd_fault_bit(GUARD_FAULT_MULTIPART_SYNTAX));
}

static void out_of_memory(struct gd_multipart *multipart)
{
    report(multipart, gd_fault_bit(GUARD_FAULT_MEMORY));
    multipart->state = STATE_STOPPED;
}

static void blob(struct gd_multipart *multipart, struct guard_span data, bool begin, bool end)
{
    const struct gd_part_head *head = &multipart->head;
    multipart->sink->blob(multipart->sink->view.ctx, head->name, head->file_name,
                          head->content_type, data, begin, end);
}

static void add_data(struct gd_multipart *multipart, const uint8_t *ptr, size_t len)
{
    if (len == 0)
        return;
    if (multipart->part == PART_FILE) {
        blob(multipart, gd_span(ptr, len), false, false);
    } else if (multipart->part == PART_FIELD) {
        gd_buffer_add(&multipart->value, ptr, len);
        if (multipart->value.failed)
            out_of_memory(multipart);
    } else {
        /* A preamble is allowed, but no form has one. */
        irregular(multipart);
    }
}

/* What was taken for the begin of a delimiter is content. */
static void unmatch(struct gd_multipart *multipart)
{
    size_t skip = multipart->virtual_line ? 1 : 0;
    size_t matched = multipart->matched;
    bool held = multipart->held_return && !multipart->virtual_line;
    multipart->matched = 0;
    multipart->held_return = false;
    multipart->virtual_line = false;
    multipart->state = STATE_DATA;
    if (held)
        add_data(multipart, (const uint8_t *)"\r", 1);
    if (matched > skip && multipart->state != STATE_STOPPED)
        add_data(multipart, multipart->delimiter + skip, matched - skip);
}

static void finish_part(struct gd_multipart *multipart)
{
    if (multipart->part == PART_FILE) {
        blob(multipart, gd_span(NULL, 0), false, true);
    } else if (multipart->part == PART_FIELD) {
        struct guard_span value = gd_buffer_span(&multipart->value);
        uint64_t faults = 0;
        if (multipart->value.over) {
            faults = gd_fault_bit(GUARD_FAULT_VALUE_LENGTH);
            value = gd_utf8_trim(value);
        }
        report(multipart, faults | gd_text_faults(value, false));
        multipart->sink->view.value(multipart->sink->view.ctx, GUARD_LOCATION_MULTIPART,
                                    multipart->head.name, value);
    }
    multipart->part = PART_NONE;
}

/* The headers are complete. */
static void begin_part(struct gd_multipart *multipart)
{
    if (multipart->block.failed) {
        out_of_memory(multipart);
        return;
    }
    if (multipart->names_left-- == 0) {
        report(multipart, gd_fault_bit(GUARD_FAULT_NAMES));
        multipart->state = STATE_STOPPED;
        return;
    }
    struct gd_part_head *head = &multipart->head;
    gd_part_head_parse(head, multipart->block.ptr, multipart->block.len, multipart->arena);
    if (multipart->block.over)
        head->faults |= gd_fault_bit(GUARD_FAULT_VALUE_LENGTH);
    report(multipart, head->faults);
    gd_buffer_clear(&multipart->value);
    multipart->part = head->is_file ? PART_FILE : PART_FIELD;
    multipart->state = STATE_DATA;
    multipart->matched = 1;
    multipart->held_return = true;
    multipart->virtual_line = true;
    if (head->is_file)
        blob(multipart, gd_span(NULL, 0), true, false);
}

/* Content up to what may be a delimiter. */
static const uint8_t *feed_run(struct gd_multipart *multipart, const uint8_t *at,
                               const uint8_t *end)
{
    const uint8_t *line = at;
    do {
        line = memchr(line, '\n', (size_t)(end - line));
        /* Most lines don't begin with a dash. */
    } while (line != NULL && ++line < end && *line != '-');
    const uint8_t *stop = end;
    multipart->matched = 0;
    if (line != NULL && (line == end || *line == '-')) {
        stop = line - 1;
        multipart->matched = 1;
    }
    multipart->held_return = stop > at && stop[-1] == '\r';
    add_data(multipart, at, (size_t)(stop - at) - (multipart->held_return ? 1 : 0));
    return stop + multipart->matched;
}

static const uint8_t *feed_data(struct gd_multipart *multipart, const uint8_t *at,
                                const uint8_t *end)
{
    while (at < end && multipart->state == STATE_DATA) {
        if (multipart->matched > 0) {
            if (*at != multipart->delimiter[multipart->matched]) {
                unmatch(multipart);
                continue;
            }
            at++;
            if (++multipart->matched == multipart->delimiter_len)
                multipart->state = STATE_LINE;
        } else if (multipart->held_return && *at == '\n') {
            multipart->matched = 1;
            at++;
        } else if (multipart->held_return) {
            unmatch(multipart);
        } else {
            at = feed_run(multipart, at, end);
        }
    }
    return at;
}

/* A whole delimiter was seen: it ends a part. */
static void accept_delimiter(struct gd_multipart *multipart, enum state next)
{
    /* A bare line feed before it, or no line break at all between head and boundary. */
    if (!multipart->held_return || (multipart->virtual_line && multipart->part != PART_NONE))
        irregular(multipart);
    finish_part(multipart);
    multipart->matched = 0;
    multipart->held_return = false;
    multipart->virtual_line = false;
    multipart->line_len = 0;
    gd_buffer_clear(&multipart->block);
    multipart->state = (uint8_t)next;
}

/* The rest of a boundary's line. Only a whole line is a delimiter: the bytes may be content that
 * begins alike. */
static void feed_line(struct gd_multipart *multipart, uint8_t byte)
{
    enum state state = (enum state)multipart->state;
    if (state == STATE_DASH && byte == '-') {
        accept_delimiter(multipart, STATE_EPILOGUE);
    } else if (state != STATE_DASH && byte == '\n') {
        if (state != STATE_RETURN)
            irregular(multipart);
        accept_delimiter(multipart, STATE_HEAD);
    } else if (state == STATE_LINE && byte == '-') {
        multipart->state = STATE_DASH;
    } else if ((state == STATE_LINE || state == STATE_PADDING) && byte == '\r') {
        multipart->state = STATE_RETURN;
    } else if ((state == STATE_LINE || state == STATE_PADDING) && (byte == ' ' || byte == '\t')) {
        /* Allowed, but no form has it, and for many parsers such a line is content. */
        irregular(multipart);
        multipart->state = STATE_PADDING;
    } else {
        irregular(multipart);
        unmatch(multipart);
        if (state == STATE_DASH && multipart->state == STATE_DATA)
            add_data(multipart, (const uint8_t *)"-", 1);
        if (state == STATE_RETURN && multipart->state == STATE_DATA)
            add_data(multipart, (const uint8_t *)"\r", 1);
        if (multipart->state == STATE_DATA)
            (void)feed_data(multipart, &byte, &byte + 1);
    }
}

static const uint8_t *feed_head(struct gd_multipart *multipart, const uint8_t *at,
                                const uint8_t *end)
{
    const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
    const uint8_t *stop = line == NULL ? end : line + 1;
    gd_buffer_add(&multipart->block, at, (size_t)(stop - at));
    /* A line of nothing but its end: one carriage return doesn't make it longer. */
    multipart->line_len += (size_t)(stop - at);
    if (line == NULL)
        return stop;
    bool has_return = line > at ? line[-1] == '\r' : multipart->held_return;
    size_t end_len = has_return ? 2 : 1;
    bool is_empty = multipart->line_len == end_len;
    multipart->line_len = 0;
    multipart->held_return = false;
    if (!is_empty)
        return stop;
    if (!has_return)
        irregular(multipart);
    if (!multipart->block.over && !multipart->block.failed)
        multipart->block.len -= end_len;
    begin_part(multipart);
    return stop;
}

void gd_multipart_feed(struct gd_multipart *multipart, struct guard_span chunk)
{
    const uint8_t *at = chunk.ptr;
    const uint8_t *end = chunk.len == 0 ? at : at + chunk.len;
    while (at < end) {
        switch ((enum state)multipart->state) {
        case STATE_DATA:
            at = feed_data(multipart, at, end);
            break;
        case STATE_LINE:
        case STATE_DASH:
        case STATE_PADDING:
        case STATE_RETURN:
            feed_line(multipart, *at++);
            break;
        case STATE_HEAD:
            at = feed_head(multipart, at, end);
            if (multipart->state == STATE_HEAD)
                multipart->held_return = at[-1] == '\r';
            break;
        case STATE_EPILOGUE:
            if (*at != '\r' && *at != '\n' && *at != ' ' && *at != '\t') {
                irregular(multipart);
                multipart->state = STATE_STOPPED;
            }
            at++;
            break;
        case STATE_STOPPED:
            return;
        }
    }
}

void gd_multipart_end(struct gd_multipart *multipart)
{
    enum state state = (enum state)multipart->state;
    if (state == STATE_STOPPED || state == STATE_EPILOGUE) {
        if (multipart->part == PART_FILE)
            finish_part(multipart);
        return;
    }
    report(multipart, gd_fault_bit(GUARD_FAULT_TRUNCATED));
    if (state == STATE_HEAD && multipart->block.len > 0)
        begin_part(multipart);
    else if (state == STATE_DATA)
        unmatch(multipart);
    if (multipart->state != STATE_STOPPED)
        finish_part(multipart);
    multipart->state = STATE_STOPPED;
}
