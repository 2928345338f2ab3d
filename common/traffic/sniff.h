/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of traffic a file or a line holds, by its bytes and never by a name. */
#ifndef GUARD_COMMON_TRAFFIC_SNIFF_H
#define GUARD_COMMON_TRAFFIC_SNIFF_H

#include <guard/types.h>

enum traffic_kind { TRAFFIC_JSONL, TRAFFIC_HAR, TRAFFIC_LOG, TRAFFIC_KINDS };

/* The bytes of a byte order mark that stand in front: 0 or 3. */
size_t traffic_mark(struct guard_span first);
/* first: as much of a file as there is, up to a block. A JSON object that has a "log" is a HAR
 * document; everything else is lines. log_format (NULL: none given) that itself begins with '{'
 * makes it lines, too. */
bool traffic_is_har(struct guard_span first, const char *log_format);
/* The kind of a line: JSON objects are exchanges unless log_format begins with '{', all else is of
 * a log. */
enum traffic_kind traffic_line_kind(struct guard_span line, bool format_is_json);
/* Whether lines of this log format begin with '{'. NULL: no. */
bool traffic_format_is_json(const char *log_format);

#endif
