/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of traffic share: the bytes of a file as they stream by, and where exchanges go.
 * traffic_file.c opens files and picks the reader; each reader is a file of its own. */
#ifndef GUARD_CLI_TRAFFIC_WALK_H
#define GUARD_CLI_TRAFFIC_WALK_H

#include "traffic_file.h"

#include <sys/types.h>

struct gzFile_s;

/* A growing buffer; what is unread lies between start and end. */
struct traffic_input {
    struct gzFile_s *file;
    uint8_t *bytes;
    size_t cap;
    size_t start;
    size_t end;
    size_t max; /* unread bytes that may be asked for */
    bool eof;
    bool failed;
};

struct walk {
    struct traffic *traffic;
    bool (*take)(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place);
    void *ctx;
    off_t total;
    off_t before; /* bytes of the files that are done */
};

/* Reads another block behind end. False at the end of the file, and, with failed set, when it can't
 * be read or more than max bytes are unread. */
bool traffic_fill(struct traffic_input *input);
/* Hands an exchange on and counts it, or passes it over when it is of another host. False to stop.
 */
bool walk_exchange(struct walk *walk, enum traffic_kind kind, const struct guard_exchange *exchange,
                   struct traffic_place *place);
/* Counts what can't be read. True for the first ones, which are to be said. */
bool walk_unreadable(struct walk *walk);
void walk_draw(const struct walk *walk, const struct traffic_input *input);

/* The readers: from the first unread byte to the end of the file. False when it can't be read
 * further (said) or take stopped. */
bool walk_lines(struct walk *walk, struct traffic_input *input, struct traffic_place *place);
bool walk_har(struct walk *walk, struct traffic_input *input, struct traffic_place *place);

#endif
