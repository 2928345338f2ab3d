/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the first bytes of files and lines. */
#include "common/traffic/sniff.h"

#include "common/traffic/har_scanner.h"

#include <string.h>

size_t traffic_mark(struct guard_span first)
{
    return first.len >= 3 && memcmp(first.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static struct guard_span after_blanks(struct guard_span text)
{
    size_t at = traffic_mark(text);
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' || text.ptr[at] == '\r' ||
                             text.ptr[at] == '\n'))
        at++;
    return (struct guard_span){text.ptr + at, text.len - at};
}

bool traffic_format_is_json(const char *log_format)
{
    if (log_format == NULL)
        return false;
    const char *at = log_format + strspn(log_format, " \t\r\n");
    if (strncmp(at, "escape=", 7) == 0)
        at += strcspn(at, " \t\r\n");
    return at[strspn(at, " \t\r\n'")] == '{';
}

bool traffic_is_har(struct guard_span first, const char *log_format)
{
    struct guard_span text = after_blanks(first);
    return text.len > 0 && text.ptr[0] == '{' && !traffic_format_is_json(log_format) &&
           har_recognize(text);
}

enum traffic_kind traffic_line_kind(struct guard_span line, bool format_is_json)
{
    struct guard_span text = format_is_json ? line : after_blanks(line);
    return !format_is_json && text.len > 0 && text.ptr[0] == '{' ? TRAFFIC_JSONL : TRAFFIC_LOG;
}
