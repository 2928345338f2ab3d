/* SPDX-License-Identifier: Apache-2.0 */
/* What people found alerts to be: triage.jsonl in the state directory, one line for each word, the
 * last one counts. */
#ifndef GUARD_CLI_TRIAGE_H
#define GUARD_CLI_TRIAGE_H

#include "state_files.h"

enum { TRIAGE_MAX = 65536 };

struct triage_word {
    char id[TRIAGE_ID_MAX + 1];
    const char *state; /* "true", "false" or "rare" */
    char by[TRIAGE_TEXT_MAX];
    char reason[TRIAGE_TEXT_MAX];
    double time_ms;
    uint64_t place; /* in the file: what stands later was said later */
};

struct triage {
    struct triage_word *words; /* sorted by id, then by place */
    size_t count;
    uint64_t read;
};

/* Reads what was said, the newest TRIAGE_MAX lines at most. False after a message; a file that
 * isn't there says nothing. triage_free in any case. */
bool triage_read(struct triage *triage, const char *dir);
void triage_free(struct triage *triage);
/* The word on an alert, by its own id or one that was folded into it; NULL: nobody looked at it
 * yet. */
const struct triage_word *triage_of(const struct triage *triage, const struct document_node *alert);

#endif
