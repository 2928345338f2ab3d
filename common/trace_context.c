/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_context.h. */
#include "common/trace_context.h"

#include "common/hex.h"

#include <string.h>

enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= bytes[i];
    return all == 0;
}

bool trace_parent_read(struct trace_parent *out, struct guard_span value)
{
    uint8_t version;
    const uint8_t *text = value.ptr;
    if (value.len < TRACE_PARENT_CHARS || !hex_read(&version, 1, text) || version == 0xff)
        return false;
    /* Later versions may go on behind another dash. */
    if (value.len > TRACE_PARENT_CHARS && (version == 0 || text[TRACE_PARENT_CHARS] != '-'))
        return false;
    return text[TRACE_AT - 1] == '-' && text[SPAN_AT - 1] == '-' && text[FLAGS_AT - 1] == '-' &&
           hex_read(out->trace, TRACE_ID_BYTES, text + TRACE_AT) &&
           hex_read(out->span, TRACE_SPAN_BYTES, text + SPAN_AT) &&
           hex_read(&out->flags, 1, text + FLAGS_AT) && !is_zero(out->trace, TRACE_ID_BYTES) &&
           !is_zero(out->span, TRACE_SPAN_BYTES);
}

static void write_hex(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void trace_parent_write(char out[TRACE_PARENT_CHARS], const struct trace_parent *parent)
{
    memcpy(out, "00-", TRACE_AT);
    write_hex(out + TRACE_AT, parent->trace, TRACE_ID_BYTES);
    out[SPAN_AT - 1] = '-';
    write_hex(out + SPAN_AT, parent->span, TRACE_SPAN_BYTES);
    out[FLAGS_AT - 1] = '-';
    write_hex(out + FLAGS_AT, &parent->flags, 1);
}
