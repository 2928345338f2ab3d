/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of gates into alerts.jsonl: the first of a kind at once, its repetitions folded into a
 * line with a count each window, and a last line when a window went by without one. Lines are
 * numbered, so that whoever reads them knows what is missing. */
#ifndef GUARDD_ALERTS_H
#define GUARDD_ALERTS_H

#include "patch_hits.h"

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

/* A series of alerts of one kind. */
struct alert_fold {
    uint64_t key;      /* 0 = free */
    uint64_t since_ms; /* when it began */
    uint64_t told_ms;  /* its last line */
    uint64_t total;    /* alerts since it began */
    uint64_t number;   /* with since_ms its name */
    uint64_t first_ms; /* since the last line, as the others */
    uint64_t last_ms;
    uint64_t count;
    uint64_t suppressed; /* by quotas of gates */
    size_t len;
    char *line; /* the last alert of the kind, without its closing brace */
    /* Of those since the last line: a client may quote any of them. */
    char ids[ALERT_IDS_MAX][ALERT_ID_CHARS + 1];
    uint32_t id_count;
    /* After a kill: so many alerts, and suppressed ones, were told and come again by the rings. */
    uint64_t again;
    uint64_t again_suppressed;
    bool ended; /* only for what comes again: the next one begins a series */
    bool later; /* while it is restored */
};

/* How far a ring of alerts was read. */
struct alert_position {
    char ring[128];
    uint64_t incarnation;
    uint64_t sequence;
};

enum { ALERT_POSITIONS_MAX = 512 }; /* as many as there may be rings */

enum { ALERT_ACTIONS = 3, ALERT_PARTS = 6 };
extern const char *const alert_action_names[ALERT_ACTIONS]; /* pass, alert, block */
extern const char *const alert_part_names[ALERT_PARTS];     /* the last one: others and none */

struct document_node;

struct alerts {
    char path[STATE_PATH_MAX];
    uint64_t sequence;  /* of the last line that was written; 0: none yet */
    uint64_t window_ms; /* ALERT_WINDOW_MS unless people say otherwise */
    uint64_t series;    /* that were begun */
    struct alert_fold folds[ALERT_FOLDS_MAX];
    uint32_t fold_count; /* of them that were ever used: to look at others takes their memory */
    uint64_t written;
    uint64_t folded;
    uint64_t hostile;
    uint64_t counts[ALERT_ACTIONS][ALERT_PARTS]; /* alerts that were taken */
    struct patch_hits patches;
    struct patch_hits exceptions; /* by their ids: alerts that would have been blocks */
    uint64_t suppressed;          /* that gates only counted */
    uint64_t failed;              /* lines that couldn't be written and are lost */
    struct alert_position *positions;
    uint32_t position_count;
    bool changed; /* since it was saved (alert_series.h) */
    bool unsaved; /* it couldn't be */
    bool failing; /* the last one couldn't be written: what is folded waits */
    /* Who else is told of each that was taken; NULL: nobody. */
    void (*heard)(void *ctx, struct guard_span service, bool blocked, uint64_t count);
    void *heard_ctx;
    /* Who gets each of a gate beside us; NULL: nobody. */
    void (*found)(void *ctx, const struct document_node *alert);
    void *found_ctx;
};

/* alerts: all zeros. They aren't cleared here, since that would take the memory of all that may be
 * folded. */
GUARD_MUST_USE enum guard_rc alerts_open(struct alerts *alerts, const char *state,
                                         struct guard_err *err);
/* One JSON text of a gate; hostile input. */
void alerts_take(struct alerts *alerts, struct guard_span text);
/* One line of an alerts.jsonl of a node below, as a document; hostile input. It must be of the
 * service; its count is kept, and who told it. */
void alerts_relay(struct alerts *alerts, const char *agent, struct guard_span service,
                  const struct document_node *alert);
/* Writes the counts of windows that ended, and ends series of which nothing came in one; all of
 * them when now_ms is UINT64_MAX. */
void alerts_flush(struct alerts *alerts, uint64_t now_ms);
void alerts_close(struct alerts *alerts);

/* What makes two alerts the same; the open series of them, NULL: there is none. */
uint64_t alerts_key(const struct document_node *alert);
struct alert_fold *alerts_fold(struct alerts *alerts, uint64_t key);
/* One for another kind, all zeros; NULL: all are open. */
struct alert_fold *alerts_free_fold(struct alerts *alerts);
/* All that was in the rings when guardd began was read: nothing comes again. */
void alerts_caught_up(struct alerts *alerts);

#endif
