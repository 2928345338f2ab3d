/* SPDX-License-Identifier: Apache-2.0 */
/* HAR documents of any length: one entry at a time is in memory. */
#include "command.h"
#include "common/traffic/har_entry.h"
#include "common/traffic/har_scanner.h"
#include "traffic_walk.h"

enum { PROGRESS_ENTRIES = 64 };

struct document {
    struct har_scanner scanner;
    size_t seen;   /* unread bytes that the scanner has had */
    uint64_t line; /* where the entry begins */
    uint64_t column;
    bool too_large;
};

static void complain_at(struct walk *walk, const struct document *document,
                        const struct traffic_place *place, const char *text)
{
    if (walk_unreadable(walk))
        complain(0, "%s:%llu:%llu: entry %llu: unreadable: %s", place->path,
                 (unsigned long long)document->line, (unsigned long long)document->column,
                 (unsigned long long)document->scanner.entries, text);
}

static bool walk_entry(struct walk *walk, const struct document *document, struct guard_span entry,
                       struct traffic_place *place)
{
    struct traffic *traffic = walk->traffic;
    struct guard_exchange exchange;
    struct guard_err err;
    bool skipped = false;
    guard_arena_reset(&traffic->arena);
    if (har_entry_read(&exchange, &skipped, entry, &traffic->arena, &err) != GUARD_OK) {
        complain_at(walk, document, place, err.text);
        return true;
    }
    if (skipped) {
        traffic->no_http++;
        return true;
    }
    return walk_exchange(walk, TRAFFIC_HAR, &exchange, place);
}

/* What the scanner has had and no entry needs. */
static void drop_seen(struct walk *walk, struct traffic_input *input, struct document *document)
{
    walk->traffic->bytes += document->seen;
    input->start += document->seen;
    document->seen = 0;
}

static bool end_entry(struct walk *walk, struct traffic_input *input, struct document *document,
                      struct traffic_place *place)
{
    struct guard_span entry = {input->bytes + input->start, document->seen};
    bool good = true;
    place->line = document->line;
    if (document->too_large || entry.len > HAR_ENTRY_MAX)
        complain_at(walk, document, place, "larger than 64 MiB");
    else
        good = walk_entry(walk, document, entry, place);
    drop_seen(walk, input, document);
    if (document->scanner.entries % PROGRESS_ENTRIES == 0)
        walk_draw(walk, input);
    return good;
}

/* True when there are more bytes for the scanner. */
static bool go_on(struct walk *walk, struct traffic_input *input, struct document *document)
{
    if (document->scanner.inside == 0 || document->too_large || document->seen > HAR_ENTRY_MAX) {
        document->too_large = document->scanner.inside > 0;
        drop_seen(walk, input, document);
    }
    return !input->eof && traffic_fill(input);
}

static bool finish(struct walk *walk, const struct traffic_input *input, struct document *document,
                   const struct traffic_place *place)
{
    const struct har_scanner *scanner = &document->scanner;
    const char *wrong = scanner->wrong != NULL ? scanner->wrong
                        : !scanner->done       ? "the document ends too early"
                                               : NULL;
    if (input->failed)
        return complain(0, "%s:%llu:%llu: can't be read further: damaged", place->path,
                        (unsigned long long)scanner->line,
                        (unsigned long long)scanner->column) != 0;
    if (wrong != NULL && walk_unreadable(walk))
        complain(0, "%s:%llu:%llu: after entry %llu: unreadable: %s", place->path,
                 (unsigned long long)scanner->line, (unsigned long long)scanner->column,
                 (unsigned long long)scanner->entries, wrong);
    return true;
}

bool walk_har(struct walk *walk, struct traffic_input *input, struct traffic_place *place)
{
    struct document document = {.seen = 0};
    har_scanner_init(&document.scanner);
    input->max = HAR_ENTRY_MAX;
    for (;;) {
        size_t used = 0;
        struct guard_span fresh = {input->bytes + input->start + document.seen,
                                   input->end - input->start - document.seen};
        enum har_event event = har_scanner_feed(&document.scanner, fresh, &used);
        document.seen += used;
        if (event == HAR_ENTRY_BEGIN) {
            document.seen--;
            drop_seen(walk, input, &document);
            document.seen = 1;
            document.line = document.scanner.line;
            document.column = document.scanner.column - 1;
            document.too_large = false;
        } else if (event == HAR_ENTRY_END) {
            if (!end_entry(walk, input, &document, place))
                return false;
        } else if (event == HAR_FAULT || !go_on(walk, input, &document)) {
            return finish(walk, input, &document, place);
        }
    }
}
