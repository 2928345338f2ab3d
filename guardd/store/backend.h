/* SPDX-License-Identifier: Apache-2.0 */
/* What a database must be able to do to be guardd's store: transactions, and the statements of
 * statements.h. All that is said of services, generations and rings is store.c's matter. */
#ifndef GUARDD_STORE_BACKEND_H
#define GUARDD_STORE_BACKEND_H

#include "statements.h"

#include "guardd/store.h"

enum { STORE_COLUMNS_MAX = 8, STORE_NODE_MAX = 64 };

/* Of a parameter the letter of its statement says which; of a column both may be asked for. */
struct store_value {
    struct guard_span span; /* texts and bytes; ptr NULL: none */
    uint64_t number;
};

/* A row; its values live until it returns. A failure stops the statement and is returned. */
typedef enum guard_rc (*store_row)(void *ctx, const struct store_value *columns);

struct store_backend {
    void (*close)(struct store *store);
    enum guard_rc (*begin)(struct store *store, struct guard_err *err);
    enum guard_rc (*commit)(struct store *store, struct guard_err *err);
    void (*rollback)(struct store *store);
    enum guard_rc (*durable)(struct store *store, struct guard_err *err);
    /* Runs the statement and calls row for each row (NULL: there are none). what: for people, what
     * can't be done when it fails. */
    enum guard_rc (*run)(struct store *store, enum store_statement statement,
                         const struct store_value *parameters, store_row row, void *ctx,
                         const char *what, struct guard_err *err);
};

/* The first member of each back end's own. */
struct store {
    const struct store_backend *backend;
    char node[STORE_NODE_MAX]; /* "": the database is of this guardd alone */
    uint64_t session;
    enum store_outcome outcome;
    bool watched; /* somebody wants to know what becomes of this transaction */
};

#endif
