/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic in lines: exchange JSONL and access logs, told apart line by line. */
#include "command.h"
#include "traffic_walk.h"

#include <string.h>

enum { PROGRESS_LINES = 4096 };

/* The next line without its end; false at the end of the file. A line beyond the maximum ends the
 * file as failed. */
static bool next_line(struct traffic_input *input, struct guard_span *line)
{
    size_t seen = 0;
    for (;;) {
        uint8_t *from = input->bytes + input->start;
        size_t len = input->end - input->start;
        uint8_t *newline = len > seen ? memchr(from + seen, '\n', len - seen) : NULL;
        if (newline != NULL) {
            *line = (struct guard_span){from, (size_t)(newline - from)};
            input->start += line->len + 1;
            return true;
        }
        seen = len;
        if (input->eof || len > TRAFFIC_LINE_MAX || !traffic_fill(input)) {
            from = input->bytes + input->start;
            *line = (struct guard_span){from, len};
            input->start = input->end;
            return len > 0 && !input->failed && len <= TRAFFIC_LINE_MAX;
        }
    }
}

static bool blank(struct guard_span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r')
            return false;
    }
    return true;
}

static bool walk_line(struct walk *walk, struct guard_span line, struct traffic_place *place)
{
    struct traffic *traffic = walk->traffic;
    struct guard_exchange exchange;
    struct guard_err err;
    bool skipped = false;
    enum guard_rc rc;
    enum traffic_kind kind = traffic_line_kind(line, traffic->format_is_json);
    guard_arena_reset(&traffic->arena);
    if (kind == TRAFFIC_JSONL)
        rc = guard_exchange_read(&exchange, line, &traffic->arena, &err);
    else
        rc = access_log_read(traffic->log, &exchange, &skipped, line, &traffic->arena, &err);
    if (rc != GUARD_OK) {
        if (walk_unreadable(walk))
            complain(0, "%s:%llu: unreadable: %s", place->path, (unsigned long long)place->line,
                     err.text);
        return true;
    }
    if (skipped) {
        traffic->without_request++;
        return true;
    }
    return walk_exchange(walk, kind, &exchange, place);
}

bool walk_lines(struct walk *walk, struct traffic_input *input, struct traffic_place *place)
{
    struct guard_span line;
    while (next_line(input, &line)) {
        place->line++;
        walk->traffic->bytes += line.len + 1;
        if (blank(line))
            continue;
        place->text = line;
        if (!walk_line(walk, line, place))
            return false;
        if (place->line % PROGRESS_LINES == 0)
            walk_draw(walk, input);
    }
    if (input->failed || input->start != input->end || !input->eof)
        return complain(0,
                        "%s:%llu: can't be read further: damaged, or a line longer than %d bytes",
                        place->path, (unsigned long long)place->line + 1, TRAFFIC_LINE_MAX) != 0;
    return true;
}
