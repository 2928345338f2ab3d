/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a database, in an SQL that all back ends read, so that the meaning of the store
 * is written once. Tables are each back end's own matter. */
#ifndef GUARDD_STORE_STATEMENTS_H
#define GUARDD_STORE_STATEMENTS_H

#include <stdbool.h>

/* Of the tables of all back ends, and of those that shared databases have. */
enum { STORE_VERSION = 7, STORE_SHARED_VERSION = 8 };

enum store_statement {
    SAVE_SERVICE,
    LOAD_SERVICES,
    SAVE_POSITION,
    LOAD_POSITION,
    FORGET_POSITION,
    SAVE_GENERATION,
    DROP_GENERATION,
    LIST_GENERATIONS,
    LOAD_GENERATION,
    SAVE_REVISION,
    DROP_REVISIONS,
    LIST_REVISIONS,
    SAVE_NOTE,
    DROP_NOTE,
    LIST_NOTES,
    ADD_DELTA,
    DROP_DELTAS,
    LIST_DELTAS,
    FORGET_SERVICE,
    FORGET_GENERATIONS,
    FORGET_DELTAS,
    LOAD_HISTORY,
    SAVE_HISTORY,
    LIST_HISTORY,
    LIST_FINE_HISTORY,
    DROP_FINE_HISTORY,
    LIST_UNTOLD_HISTORY,
    DROP_UNTOLD_HISTORY,
    DROP_HISTORY,
    FORGET_HISTORY,
    RAISE_NOTE,
    DROP_LOW_NOTES,
    /* Of shared databases alone: */
    STORE_SHARED_STATEMENTS,
    READ_NODE = STORE_SHARED_STATEMENTS,
    SAVE_NODE,
    LOCK_SERVICE,
    CLAIM_SERVICE,
    CONFIRM_SERVICE,
    ADD_SERVICE,
    READ_SERVICE_KEY,
    LOAD_ONE_SERVICE,
    SAVE_FEED,
    LIST_FEEDS,
    LIST_FED,
    TAKE_FEED,
    DROP_TAKEN,
    SAVE_POLICY,
    LIST_POLICIES,
    LOAD_POLICY,
    FORGET_FEEDS,
    FORGET_POLICY,
    BIND_PRODUCERS,
    READ_PRODUCERS,
    SAVE_TOLD,
    LIST_TOLD,
    READ_TOLD_END,
    DROP_TOLD,
    FORGET_TOLD,
    SAVE_DOCUMENT,
    LIST_DOCUMENTS,
    LOAD_DOCUMENT,
    ADD_CHANGE,
    PRUNE_CHANGES,
    FIND_CHANGE,
    LIST_CHANGES,
    FORGET_DOCUMENTS,
    FORGET_CHANGES,
    ADD_POD_RECORDS,
    COUNT_POD_RECORDS,
    LIST_POD_RECORDS,
    DROP_POD_RECORDS,
    FORGET_POD_RECORDS,
    READ_NOTE,
    READ_LEARNER,
    STORE_STATEMENTS
};

struct store_text {
    const char *sql;
    const char *parameters; /* a letter each: 'i' an integer, 't' a text, 'b' bytes */
};
extern const struct store_text store_texts[STORE_STATEMENTS];

#endif
