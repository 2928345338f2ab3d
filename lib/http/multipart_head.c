/* SPDX-License-Identifier: Apache-2.0 */
/* Part headers are where parsers disagree most: of what comes twice the first is taken, and every
 * irregularity is the one fault. */
#include "http/multipart_head.h"

#include "base/span.h"
#include "http/media_type.h"
#include "http/percent.h"
#include "http/target.h"

struct parse {
    struct gd_part_head *out;
    struct guard_arena *arena;
    bool has_disposition;
    bool has_type;
    bool has_name;
    bool has_plain_file_name;
    bool has_extended_file_name;
};

static void irregular(struct parse *parse)
{
    parse->out->faults |= gd_fault_bit(GUARD_FAULT_MULTIPART_SYNTAX);
}

/* charset'language'text (RFC 8187); as it is when it isn't of this form. */
static struct guard_span decode_extended(struct parse *parse, struct guard_span value)
{
    struct guard_span rest = gd_span_from(value, gd_span_find(value, '\'') + 1);
    size_t second = gd_span_find(rest, '\'');
    if (second == rest.len) {
        irregular(parse);
        return value;
    }
    return gd_percent_decode(gd_span_from(rest, second + 1), false, parse->arena,
                             &parse->out->faults);
}

static void read_parameter(struct parse *parse, const struct gd_parameter *parameter)
{
    struct gd_part_head *out = parse->out;
    struct guard_span value = gd_parameter_text(parameter, parse->arena);
    if (!parameter->quoted && !gd_is_token(value))
        irregular(parse);
    if (gd_span_equal_nocase(parameter->name, GUARD_SPAN_LITERAL("name"))) {
        if (parse->has_name)
            irregular(parse);
        else
            out->name = value;
        parse->has_name = true;
    } else if (gd_span_equal_nocase(parameter->name, GUARD_SPAN_LITERAL("filename"))) {
        if (parse->has_plain_file_name || parse->has_extended_file_name)
            irregular(parse);
        if (!out->is_file)
            out->file_name = value;
        out->is_file = true;
        parse->has_plain_file_name = true;
    } else if (gd_span_equal_nocase(parameter->name, GUARD_SPAN_LITERAL("filename*"))) {
        if (parse->has_plain_file_name || parse->has_extended_file_name)
            irregular(parse);
        if (!parse->has_extended_file_name)
            out->file_name = decode_extended(parse, value);
        out->is_file = true;
        parse->has_extended_file_name = true;
    } else if (gd_span_find(parameter->name, '*') < parameter->name.len) {
        /* Continuations (name*0=) that some servers put together. */
        irregular(parse);
    }
}

static void read_disposition(struct parse *parse, struct guard_span value)
{
    size_t end = gd_span_find(value, ';');
    struct guard_span type = gd_span_trim(gd_span_head(value, end));
    if (parse->has_disposition || !gd_span_equal_nocase(type, GUARD_SPAN_LITERAL("form-data")))
        irregular(parse);
    parse->has_disposition = true;
    struct guard_span rest = gd_span_from(value, end);
    struct gd_parameter parameter;
    enum gd_parameter_result result;
    while ((result = gd_parameter_next(&rest, &parameter)) != GD_PARAMETER_END) {
        if (result == GD_PARAMETER_FOUND)
            read_parameter(parse, &parameter);
        else
            irregular(parse);
    }
}

/* Servers decode fields by it. */
static void read_charset(struct parse *parse, struct guard_span type)
{
    struct guard_span rest = gd_span_from(type, gd_span_find(type, ';'));
    struct gd_parameter parameter;
    enum gd_parameter_result result;
    while ((result = gd_parameter_next(&rest, &parameter)) != GD_PARAMETER_END) {
        if (result == GD_PARAMETER_FOUND &&
            gd_span_equal_nocase(parameter.name, GUARD_SPAN_LITERAL("charset")) &&
            !gd_charset_holds_ascii(parameter.value))
            irregular(parse);
    }
}

static void read_line(struct parse *parse, struct guard_span line)
{
    size_t colon = gd_span_find(line, ':');
    struct guard_span name = gd_span_head(line, colon);
    struct guard_span value = gd_span_trim(gd_span_from(line, colon + 1));
    if (colon == line.len || !gd_is_token(name) || gd_span_find(value, '\r') < value.len)
        irregular(parse);
    name = gd_span_trim(name);
    if (gd_span_equal_nocase(name, GUARD_SPAN_LITERAL("content-disposition"))) {
        read_disposition(parse, value);
    } else if (gd_span_equal_nocase(name, GUARD_SPAN_LITERAL("content-type"))) {
        if (parse->has_type)
            irregular(parse);
        else
            parse->out->content_type = value;
        parse->has_type = true;
    } else if (gd_span_equal_nocase(name, GUARD_SPAN_LITERAL("content-transfer-encoding"))) {
        /* RFC 7578 has done away with encodings; who decodes them sees other bytes than we do. */
        if (!gd_span_equal_nocase(value, GUARD_SPAN_LITERAL("binary")) &&
            !gd_span_equal_nocase(value, GUARD_SPAN_LITERAL("8bit")) &&
            !gd_span_equal_nocase(value, GUARD_SPAN_LITERAL("7bit")))
            irregular(parse);
    }
}

/* The end of the line at `at` (its line feed, or len), with folded lines joined to it. */
static size_t join_line(struct parse *parse, uint8_t *block, size_t len, size_t at)
{
    for (;;) {
        at += gd_span_find(gd_span(block + at, len - at), '\n');
        if (at + 1 >= len || (block[at + 1] != ' ' && block[at + 1] != '\t'))
            return at;
        irregular(parse);
        if (at > 0 && block[at - 1] == '\r')
            block[at - 1] = ' ';
        block[at] = ' ';
    }
}

void gd_part_head_parse(struct gd_part_head *out, uint8_t *block, size_t len,
                        struct guard_arena *arena)
{
    *out = (struct gd_part_head){.faults = 0};
    struct parse parse = {.out = out, .arena = arena};
    for (size_t at = 0; at < len;) {
        size_t end = join_line(&parse, block, len, at);
        size_t line_len = end - at;
        if (line_len > 0 && block[end - 1] == '\r')
            line_len--;
        else
            irregular(&parse);
        read_line(&parse, gd_span(block + at, line_len));
        at = end + 1;
    }
    if (!parse.has_name)
        irregular(&parse);
    if (!out->is_file)
        read_charset(&parse, out->content_type);
    out->faults |= gd_text_faults(out->name, false) | gd_text_faults(out->file_name, false);
}
