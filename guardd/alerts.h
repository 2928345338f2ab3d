/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of gates into alerts.jsonl: the first of a kind at once, its repetitions folded into one
 * line with a count. */
#ifndef GUARDD_ALERTS_H
#define GUARDD_ALERTS_H

#include "common/state.h"

enum {
    ALERT_BYTES_MAX = 16 * 1024,
    ALERT_FOLDS_MAX = 512,
    ALERT_WINDOW_MS = 60000,
    ALERT_IDS_MAX = 64, /* that a line names; more are counted only */
    ALERT_ID_CHARS = 32,
    ALERT_FILES_OLDER = 4,
    ALERT_FILE_MAX = 64 << 20, /* then alerts.jsonl becomes alerts.jsonl.1, up to .4 */
};

struct alert_fold {
    uint64_t key; /* 0 = free */
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t count;      /* since the last line */
    uint64_t suppressed; /* by quotas of gates, likewise */
    size_t len;
    char *line; /* the last alert of the kind, without its closing brace */
    /* Of those since the last line: a client may quote any of them. */
    char ids[ALERT_IDS_MAX][ALERT_ID_CHARS + 1];
    uint32_t id_count;
};

struct alerts {
    char path[STATE_PATH_MAX];
    struct alert_fold folds[ALERT_FOLDS_MAX];
    uint64_t written;
    uint64_t folded;
    uint64_t hostile;
    uint64_t failed; /* lines that couldn't be written and are lost */
    bool failing;    /* the last one couldn't be written: what is folded waits */
};

GUARD_MUST_USE enum guard_rc alerts_open(struct alerts *alerts, const char *state,
                                         struct guard_err *err);
/* One JSON text of a gate; hostile input. */
void alerts_take(struct alerts *alerts, struct guard_span text);
/* One line of an alerts.jsonl of a node below, as a document; hostile input. It must be of the
 * service; its count is kept, and who told it. */
struct document_node;
void alerts_relay(struct alerts *alerts, const char *agent, struct guard_span service,
                  const struct document_node *alert);
/* Writes the counts of windows that ended; all of them when now_ms is UINT64_MAX. */
void alerts_flush(struct alerts *alerts, uint64_t now_ms);
void alerts_close(struct alerts *alerts);

#endif
