/* SPDX-License-Identifier: Apache-2.0 */
/* What another mode or another budget of false alarms would have blocked, by the alerts that are
 * kept. An alert says what was decided whatever the mode, so that the mode is exact; of another
 * budget only bounds can be told, for what scored too little to be told isn't kept. */
#ifndef GUARDD_PREVIEW_H
#define GUARDD_PREVIEW_H

#include "common/json_writer.h"

#include <guard/policy.h>

enum {
    PREVIEW_CLIENTS_MAX = 4096, /* that are told apart; what more there are isn't known */
    PREVIEW_SLOTS = 2 * PREVIEW_CLIENTS_MAX,
    PREVIEW_EXAMPLES = 10,
    PREVIEW_LINE_MAX = 4096, /* bytes of one */
};

struct preview_wanted {
    uint64_t since_ms;
    enum guard_mode mode;
    bool tighter;                       /* a smaller budget than that in force */
    bool wider;                         /* a larger one */
    struct guard_thresholds thresholds; /* of the wanted budget */
};

/* How sure it is that a request would have been blocked. */
enum preview_would { PREVIEW_PASSES, PREVIEW_MAYBE, PREVIEW_BLOCKS };

struct preview_client {
    uint64_t hash; /* 0: the slot is free */
    bool blocked;
    enum preview_would would;
};

struct preview {
    struct preview_wanted wanted;
    uint64_t told;        /* alerts, with their repetitions */
    uint64_t blocked;     /* of these: were */
    uint64_t would_least; /* would have been, for sure */
    uint64_t would_most;  /* at most */
    uint64_t suppressed;  /* not told, by the quotas of clients: nothing is known of them */
    uint32_t clients;
    uint32_t clients_blocked;
    uint32_t clients_least;
    uint32_t clients_most;
    bool more_clients;
    struct preview_client slots[PREVIEW_SLOTS];
    /* The newest lines of what would have been blocked. */
    uint32_t example_count;
    uint16_t example_len[PREVIEW_EXAMPLES];
    char examples[PREVIEW_EXAMPLES][PREVIEW_LINE_MAX];
};

/* About 300 KiB: on the heap. */
void preview_begin(struct preview *preview, const struct preview_wanted *wanted);
/* Takes a line of alerts.jsonl, the newest first. False: it is older than what is asked for. */
bool preview_line(struct preview *preview, struct guard_span line);
/* The counts as members of an object that is open. */
void preview_json(const struct preview *preview, struct json_writer *json);

#endif
