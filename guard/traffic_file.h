/* SPDX-License-Identifier: Apache-2.0 */
/* Reads traffic files: exchange JSONL, plain or gzip, "-" for standard input; bounded memory
 * whatever their length. Unreadable lines are named, counted and skipped. */
#ifndef GUARD_CLI_TRAFFIC_FILE_H
#define GUARD_CLI_TRAFFIC_FILE_H

#include <guard/exchange.h>

enum { TRAFFIC_LINE_MAX = 16 << 20, TRAFFIC_COMPLAINTS_MAX = 10 };

struct traffic {
    char **paths;
    int count;
    const char *label; /* of the progress bar */
    struct guard_arena arena;
    uint64_t exchanges;
    uint64_t unreadable;
    uint64_t bytes; /* of text, unpacked */
};

struct traffic_place {
    const char *path;
    int file;         /* index of the file among the paths */
    uint64_t line;    /* from 1 */
    uint64_t ordinal; /* readable exchanges of this file so far, from 1 */
};

/* Calls take for every readable exchange; its spans live until take returns. take returns false to
 * stop with failure. False when a file can't be read (said on standard error) or take stopped. */
bool traffic_read(struct traffic *traffic,
                  bool (*take)(void *ctx, const struct guard_exchange *exchange,
                               const struct traffic_place *place),
                  void *ctx);
/* The client as a transaction wants it: an address gives PREFIX, another text SUBJECT, nothing
 * ANONYMOUS. */
struct guard_client traffic_client(const struct guard_exchange *exchange);
/* Makes of a seed a number for a file's content: equal files give equal numbers. False when it
 * can't be read or is no regular file. It only keeps a file from being learned twice, so the fast
 * checksum does: who wanted another file to count as held already would have to write all of its
 * bytes, ids and times of other clients included, and know the seed, which comes from the service's
 * key. */
bool traffic_fingerprint(const char *path, uint64_t *number);

#endif
