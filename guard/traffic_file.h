/* SPDX-License-Identifier: Apache-2.0 */
/* Reads traffic files: exchange JSONL, HAR documents and access logs, plain or gzip, "-" for
 * standard input, told apart by what they hold; bounded memory whatever their length. Unreadable
 * lines and entries are named, counted and skipped. */
#ifndef GUARD_CLI_TRAFFIC_FILE_H
#define GUARD_CLI_TRAFFIC_FILE_H

#include "common/traffic/access_log.h"
#include "common/traffic/sniff.h"

#include <guard/exchange.h>

#include <stdio.h>

enum { TRAFFIC_HOST_MAX = 256 };
enum { TRAFFIC_LINE_MAX = 16 << 20, TRAFFIC_COMPLAINTS_MAX = 10 };

struct traffic {
    char **paths;
    int count;
    const char *label;      /* of the progress bar */
    const char *log_format; /* of access logs; NULL: the well-known ones */
    const char *host;       /* only exchanges with this host, with or without port; NULL: all */
    bool format_is_json;
    struct access_log *log;
    struct guard_arena arena;
    uint64_t exchanges;
    uint64_t of_kind[TRAFFIC_KINDS];
    uint64_t unreadable;
    uint64_t without_request; /* lines of a log that tell of a connection without a request */
    uint64_t no_http;         /* entries of HAR documents that are data:, ws: and the like */
    uint64_t other_hosts;
    char har_host[TRAFFIC_HOST_MAX]; /* the first that a HAR document names */
    bool several_hosts;
    uint64_t bytes; /* of text, unpacked */
};

struct traffic_place {
    const char *path;
    int file;               /* index of the file among the paths */
    uint64_t line;          /* from 1; of a HAR document's entry where it begins */
    uint64_t ordinal;       /* readable exchanges of this file so far, from 1 */
    struct guard_span text; /* the line, where exchanges are lines; as long as the exchange */
};

/* Whether traffic->log_format can be read, said on standard error if not. traffic_read does it by
 * itself; commands ask before they do anything. */
bool traffic_format_good(const char *log_format);
/* Calls take for every readable exchange; its spans live until take returns. take returns false to
 * stop with failure. False when a file can't be read (said on standard error) or take stopped. */
bool traffic_read(struct traffic *traffic,
                  bool (*take)(void *ctx, const struct guard_exchange *exchange,
                               const struct traffic_place *place),
                  void *ctx);
/* Says in lines what the traffic didn't tell and what of it was left out: prefix, a sentence. */
void traffic_notes(const struct traffic *traffic, FILE *out, const char *prefix);
/* Makes of a seed a number for a file's content: equal files give equal numbers. False when it
 * can't be read or is no regular file. It only keeps a file from being learned twice, so the fast
 * checksum does: who wanted another file to count as held already would have to write all of its
 * bytes, ids and times of other clients included, and know the seed, which comes from the service's
 * key. */
bool traffic_fingerprint(const char *path, uint64_t *number);

#endif
