/* SPDX-License-Identifier: Apache-2.0 */
/* Sends alerts elsewhere, as outputs.yaml says: each output has a cursor in alerts.jsonl that moves
 * when the other side has answered, so that nothing is lost while it is away or guardd is not
 * there; what the log's rotation took meanwhile is counted and told. */
#ifndef GUARDD_OUTPUTS_H
#define GUARDD_OUTPUTS_H

#include "alerts.h"
#include "log_scan.h"

#include "common/outputs/document.h"
#include "common/outputs/sender.h"

enum {
    OUTPUT_WATCH_MS = 500,
    OUTPUT_SAVE_MS = 1000,
    OUTPUT_BODY_MAX = 512 * 1024,
    OUTPUT_LOOK_MAX = 200, /* lines that an output looks at in one turn */
    OUTPUT_WAIT_MS = 1000, /* before a batch is sent again, doubled up to */
    OUTPUT_WAIT_MAX_MS = 60000,
    OUTPUT_DRAIN_MS = 2000,
    OUTPUT_FAILURE_CAP = sizeof(((struct guard_err *)NULL)->text),
};

/* How far it is; kept in outputs/NAME.json. */
struct output_cursor {
    struct log_position at;
    uint64_t sequence;  /* of the last line that was sent, or that it doesn't want */
    uint64_t delivered; /* lines */
    uint64_t skipped;   /* lines that the rotation took */
    uint64_t refused;   /* lines that the other side will never take */
    uint64_t failures;  /* attempts */
    uint64_t sent_ms;   /* the last time that something was sent */
    uint64_t test_ms;   /* the last test, and what came of it: "" when it is well */
    char test_error[OUTPUT_FAILURE_CAP];
};

struct output {
    struct output_cfg cfg;
    struct output_sender *sender; /* NULL: couldn't be made, see failure */
    struct output_cursor cursor;
    bool dirty; /* the cursor differs from the file's */
    uint64_t saved_ms;
    /* The batch that is sent, or waits to be sent again; NULL: none. */
    char *body;
    size_t len;
    uint32_t count; /* alerts in it */
    bool testing;
    bool under_way;
    struct output_cursor after; /* when it has arrived */
    char delivery[96];
    uint32_t limit; /* alerts in a batch: lower when the other side says that they are too many */
    uint64_t wait_ms;
    uint64_t retry_ms;   /* not before */
    uint64_t failing_ms; /* since then; 0: it works */
    char failure[OUTPUT_FAILURE_CAP];
};

struct outputs {
    const char *state;
    struct alerts *alerts;
    char path[STATE_PATH_MAX];
    struct output *list[OUTPUTS_MAX];
    uint32_t count;
    uint64_t watched_ms;
    uint64_t seen[4];     /* of the document: inode, size, time */
    struct guard_err err; /* of a document that is refused; the last good one is in force */
};

/* Reads the document. Whatever is wrong is told in the log: guardd works without outputs. */
void outputs_open(struct outputs *outputs, const char *state, struct alerts *alerts);
/* A turn of all outputs, without waiting. */
void outputs_tick(struct outputs *outputs, uint64_t now_ms);
/* Sends what is there for at most OUTPUT_DRAIN_MS to those that answer, saves all cursors. */
void outputs_close(struct outputs *outputs);
/* Lines that it hasn't looked at or sent yet. */
uint64_t output_lag(const struct outputs *outputs, const struct output *output);

#endif
