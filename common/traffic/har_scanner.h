/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where the entries of a HAR document begin and end while it streams by, so that a document
 * of any size needs the memory of one entry. What an entry holds is read elsewhere. */
#ifndef GUARD_COMMON_TRAFFIC_HAR_SCANNER_H
#define GUARD_COMMON_TRAFFIC_HAR_SCANNER_H

#include <guard/types.h>

enum har_event {
    HAR_MORE,        /* everything given was used */
    HAR_ENTRY_BEGIN, /* the byte used last is the entry's '{' */
    HAR_ENTRY_END,   /* the byte used last is the entry's '}' */
    HAR_FAULT,       /* no JSON document of this form; see wrong */
};

enum { HAR_DEPTH_MAX = 64, HAR_KEY_MAX = 8 };

struct har_scanner {
    uint64_t kinds;  /* of open brackets outside of entries, the innermost lowest: 1 = array */
    uint32_t depth;  /* outside of entries */
    uint32_t inside; /* open brackets of the entry; 0 = not in one */
    bool in_string;
    bool after_backslash;
    bool in_log;
    bool in_entries;
    bool done; /* the document's last bracket was seen */
    char text[HAR_KEY_MAX];
    uint32_t text_len; /* beyond HAR_KEY_MAX: too long to be a key that matters */
    bool is_key;       /* text stands before a colon */
    uint64_t line;     /* of the next byte, from 1 */
    uint64_t column;   /* in bytes, from 1 */
    uint64_t entries;  /* begun so far */
    const char *wrong;
};

void har_scanner_init(struct har_scanner *scanner);
/* Uses bytes up to the next event; *used says how many. Nothing may be fed after HAR_FAULT. */
enum har_event har_scanner_feed(struct har_scanner *scanner, struct guard_span bytes, size_t *used);
/* True when these first bytes of a file are a JSON object that has a member "log" which is an
 * object: a HAR document, not a line of exchange JSONL. */
bool har_recognize(struct guard_span bytes);

#endif
