/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of one message in memory. */
#ifndef GD_HTTP_PROTOBUF_MESSAGE_H
#define GD_HTTP_PROTOBUF_MESSAGE_H

#include "http/protobuf.h"

struct gd_protobuf_frame {
    const uint8_t *end;
    uint32_t node;
    uint32_t items;
    uint32_t group; /* number of the group that this is, 0 for messages */
    bool cut;       /* more was to come behind `end` */
};

struct gd_protobuf_reader {
    const struct gd_protobuf_handler *handler;
    struct gd_protobuf_frame *frames; /* depth_limit */
    uint32_t depth_limit;
    uint32_t leaf_limit;
    /* Of the message being read. */
    uint32_t depth;
    uint32_t leaves;
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t
        *odd;      /* the first byte from the place last asked for on that isn't text, or end */
    uint64_t seen; /* faults reported, of all messages */
};

void gd_protobuf_report(struct gd_protobuf_reader *reader, enum guard_fault fault);
/* cut: the message goes on behind these bytes. */
void gd_protobuf_message(struct gd_protobuf_reader *reader, struct guard_span message, bool cut);

#endif
