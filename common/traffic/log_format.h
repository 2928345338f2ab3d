/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a line in an access log, in nginx's log_format syntax, and taking lines apart by it.
 */
#ifndef GUARD_COMMON_TRAFFIC_LOG_FORMAT_H
#define GUARD_COMMON_TRAFFIC_LOG_FORMAT_H

#include <guard/types.h>

enum { LOG_PIECES_MAX = 64, LOG_FORMAT_BYTES_MAX = 4096 };

enum log_variable {
    LOG_OTHER, /* read over */
    LOG_CLIENT,
    LOG_TIME_LOCAL,
    LOG_TIME_ISO8601,
    LOG_MSEC,
    LOG_REQUEST,
    LOG_METHOD,
    LOG_REQUEST_URI,
    LOG_URI, /* decoded and without arguments: only when there is no request_uri */
    LOG_ARGS,
    LOG_PROTOCOL,
    LOG_STATUS,
    LOG_REQUEST_TIME,
    LOG_UPSTREAM_TIME,
    LOG_REQUEST_ID,
    LOG_HOST,
    LOG_NUMBER, /* read over; digits, dots or '-' */
    LOG_REQUEST_HEADER,
    LOG_RESPONSE_HEADER,
};

enum log_escape { LOG_ESCAPE_DEFAULT, LOG_ESCAPE_JSON, LOG_ESCAPE_NONE };

/* A variable and the text behind it; the first piece of a format may have none. */
struct log_piece {
    bool has_variable;
    enum log_variable variable;
    struct guard_span name; /* of a header, with '-' */
    struct guard_span literal;
};

struct log_format {
    enum log_escape escape;
    struct log_piece pieces[LOG_PIECES_MAX];
    uint32_t count;
    uint32_t bytes_used;
    uint8_t bytes[LOG_FORMAT_BYTES_MAX];
};

/* text: what stands behind the name in a log_format directive ("escape=json" may come first, the
 * quoted parts may be several), or the text alone, or the name of a well-known format: common,
 * combined, main (that of nginx's packages), vhost_combined. text needn't live on. GUARD_E_SYNTAX
 * with what is wrong in err, GUARD_E_LIMIT. */
GUARD_MUST_USE enum guard_rc log_format_read(struct log_format *out, struct guard_span text,
                                             struct guard_err *err);
/* Takes a line apart: values[i] is that of pieces[i], as it stands in the line. False when the line
 * has another form. */
bool log_format_match(const struct log_format *format, struct guard_span line,
                      struct guard_span values[LOG_PIECES_MAX]);
/* The idx-th well-known format's name, in the order in which they are tried when none is given;
 * NULL behind the last. */
const char *log_format_name(uint32_t idx);
/* A value without its escapes; out has room for value.len bytes. Returns the length. */
size_t log_unescape(uint8_t *out, struct guard_span value, enum log_escape escape);

#endif
