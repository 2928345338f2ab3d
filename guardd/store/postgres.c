/* SPDX-License-Identifier: Apache-2.0 */
/* The store on PostgreSQL. The loop of guardd is never held for long, whatever the database does:
 * connecting goes on in slices, an answer is waited for two seconds, then the connection is given
 * up. The server ends sessions of a guardd that was stopped, so that another one can take over. */
#include "postgres.h"

#include "backend.h"

#include "common/file.h"

#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ANSWER_MS = 2000,
    SLICE_MS = 50,      /* of connecting, in each call */
    CONNECT_MS = 10000, /* for the whole of it */
    OPEN_MS = 10000,    /* at the start */
    PAUSE_MIN_MS = 250, /* between two attempts */
    PAUSE_MAX_MS = 4000,
    WHY_MAX = 200,
    BINARY = 1,
};
/* Types of PostgreSQL's catalogue, which never change. */
enum { OID_BYTES = 17, OID_INTEGER = 20, OID_TEXT = 25 };

/* guardd says something every two seconds, so a session without a word is that of a stopped one. */
static const char session_options[] =
    "-c search_path=guard -c statement_timeout=5000 -c lock_timeout=1500 "
    "-c idle_session_timeout=6000 -c idle_in_transaction_session_timeout=6000 "
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 "
    "-c tcp_user_timeout=6000 -c bytea_output=hex -c client_min_messages=warning";

static const char setup[] =
    "CREATE SCHEMA IF NOT EXISTS guard;"
    "CREATE TABLE IF NOT EXISTS guard.service (name text PRIMARY KEY, key bytea NOT NULL, "
    "generation bigint NOT NULL, pile bytea);"
    "CREATE TABLE IF NOT EXISTS guard.position (ring text PRIMARY KEY, incarnation bigint NOT "
    "NULL, sequence bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS guard.generation (service text NOT NULL, number bigint NOT NULL, "
    "created_ms bigint NOT NULL, exchanges bigint NOT NULL, pile bytea NOT NULL, "
    "PRIMARY KEY (service, number));"
    "CREATE TABLE IF NOT EXISTS guard.revision (service text NOT NULL, number bigint NOT NULL, "
    "text text NOT NULL, seen_ms bigint NOT NULL, until_ms bigint NOT NULL, "
    "PRIMARY KEY (service, number));"
    "CREATE TABLE IF NOT EXISTS guard.note (kind text NOT NULL, name text NOT NULL, "
    "value bytea NOT NULL, PRIMARY KEY (kind, name));"
    "CREATE TABLE IF NOT EXISTS guard.delta (service text NOT NULL, number bigint NOT NULL, "
    "pile bytea NOT NULL, PRIMARY KEY (service, number));"
    "CREATE TABLE IF NOT EXISTS guard.node (name text PRIMARY KEY, saves bigint NOT NULL, "
    "seen timestamptz NOT NULL DEFAULT now());"
    "CREATE TABLE IF NOT EXISTS guard.learner (service text PRIMARY KEY, fence bigint NOT NULL, "
    "node text NOT NULL, seen timestamptz NOT NULL DEFAULT now());"
    "CREATE TABLE IF NOT EXISTS guard.feed (service text NOT NULL, node text NOT NULL, "
    "number bigint NOT NULL, pile bytea NOT NULL, PRIMARY KEY (service, node, number));"
    "ALTER TABLE guard.feed ADD COLUMN IF NOT EXISTS taken bigint NOT NULL DEFAULT 0;"
    "CREATE TABLE IF NOT EXISTS guard.policy (service text PRIMARY KEY, generation bigint NOT "
    "NULL, bytes bytea NOT NULL);"
    "ALTER TABLE guard.policy ADD COLUMN IF NOT EXISTS ready bigint NOT NULL DEFAULT 0;"
    "CREATE TABLE IF NOT EXISTS guard.told (id bigserial PRIMARY KEY, moment bigint NOT NULL "
    "DEFAULT (pg_current_xact_id()::text)::bigint, at timestamptz NOT NULL DEFAULT "
    "clock_timestamp(), service text NOT NULL, node text NOT NULL, reporter text NOT NULL, "
    "document bytea NOT NULL);"
    "CREATE INDEX IF NOT EXISTS told_moment ON guard.told (moment);"
    "CREATE TABLE IF NOT EXISTS guard.document (kind text NOT NULL, service text NOT NULL, "
    "revision bigint NOT NULL, content bytea, PRIMARY KEY (kind, service));"
    "CREATE TABLE IF NOT EXISTS guard.change (kind text NOT NULL, service text NOT NULL, "
    "revision bigint NOT NULL, content bytea, node text NOT NULL, who text NOT NULL, "
    "why text NOT NULL, time_ms bigint NOT NULL, PRIMARY KEY (kind, service, revision));"
    "CREATE TABLE IF NOT EXISTS guard.history (service text NOT NULL, node text NOT NULL, "
    "at bigint NOT NULL, counts bytea NOT NULL, PRIMARY KEY (service, node, at));"
    "CREATE TABLE IF NOT EXISTS guard.pod_records (service text NOT NULL, id bigserial NOT NULL, "
    "at_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
    "node text NOT NULL, size bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (service, id));"
    "CREATE TABLE IF NOT EXISTS guard.version (number bigint NOT NULL);"
    "DELETE FROM guard.version;"
    "INSERT INTO guard.version VALUES (8);";

struct postgres_store {
    struct store base;
    char *where;
    PGconn *connection; /* NULL: away */
    bool ready;         /* else it is being connected */
    PostgresPollingStatusType polling;
    uint64_t since_ms; /* when connecting began */
    uint64_t again_ms; /* when to connect again */
    uint64_t pause_ms;
    uint64_t sessions; /* that there were */
    uint64_t saving;   /* the number of the transaction that is open or was the last */
    bool unknown;      /* whether that one was committed */
    char why[WHY_MAX]; /* it is away */
};

static struct postgres_store *own(struct store *store)
{
    return (struct postgres_store *)store;
}

static void remember_why(struct postgres_store *store, const char *text)
{
    snprintf(store->why, sizeof(store->why), "%.*s", (int)strcspn(text, "\n"), text);
}

static void disconnect(struct postgres_store *store)
{
    PQfinish(store->connection);
    store->connection = NULL;
    store->ready = false;
    store->base.session = 0;
    store->again_ms = clock_monotonic_ms() + store->pause_ms;
    store->pause_ms = store->pause_ms * 2 < PAUSE_MAX_MS ? store->pause_ms * 2 : PAUSE_MAX_MS;
}

static enum guard_rc away(const struct postgres_store *store, struct guard_err *err)
{
    return guard_fail(err, GUARD_E_IO, "store: PostgreSQL is away: %s", store->why);
}

/* --- answers --- */

static bool wait_for_socket(const PGconn *connection, short events, uint64_t until_ms)
{
    uint64_t now = clock_monotonic_ms();
    struct pollfd wanted = {.fd = PQsocket(connection), .events = events};
    return now < until_ms && poll(&wanted, 1, (int)(until_ms - now)) > 0;
}

/* False: the time is over, or the connection. */
static bool wait_for_result(PGconn *connection, uint64_t until_ms)
{
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0)
            return false;
        if (unsent == 0 && !PQisBusy(connection))
            return true;
        short events = (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN);
        if (!wait_for_socket(connection, events, until_ms) || !PQconsumeInput(connection))
            return false;
    }
}

/* The last result of what was sent: to be cleared by the caller. NULL: the connection is lost, and
 * nobody knows what became of it. */
static PGresult *collect(struct postgres_store *store)
{
    uint64_t until = clock_monotonic_ms() + ANSWER_MS;
    PGresult *last = NULL;
    for (;;) {
        if (!wait_for_result(store->connection, until)) {
            const char *text = PQerrorMessage(store->connection);
            remember_why(store, text[0] != '\0' ? text : "it doesn't answer");
            break;
        }
        PGresult *result = PQgetResult(store->connection);
        if (result == NULL) {
            if (PQstatus(store->connection) == CONNECTION_OK)
                return last;
            remember_why(store, PQerrorMessage(store->connection));
            break;
        }
        if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(result); /* the first failure tells */
        } else {
            PQclear(last);
            last = result;
        }
    }
    if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR)
        remember_why(store, PQresultErrorMessage(last));
    PQclear(last);
    disconnect(store);
    return NULL;
}

static bool good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static enum guard_rc failed(struct postgres_store *store, PGresult *result, const char *what,
                            struct guard_err *err)
{
    if (result == NULL)
        return away(store, err);
    const char *text = PQresultErrorMessage(result);
    enum guard_rc rc =
        guard_fail(err, GUARD_E_IO, "store: %s: %.*s", what, (int)strcspn(text, "\n"), text);
    PQclear(result);
    return rc;
}

/* Texts without parameters. The result is the caller's; NULL as collect. */
static PGresult *query(struct postgres_store *store, const char *sql)
{
    if (!PQsendQuery(store->connection, sql)) {
        remember_why(store, PQerrorMessage(store->connection));
        disconnect(store);
        return NULL;
    }
    return collect(store);
}

static enum guard_rc execute(struct postgres_store *store, const char *sql, const char *what,
                             struct guard_err *err)
{
    PGresult *result = query(store, sql);
    if (!good(result))
        return failed(store, result, what, err);
    PQclear(result);
    return GUARD_OK;
}

/* --- connecting --- */

static void ignore_notice(void *ctx, const PGresult *result)
{
    (void)ctx;
    (void)result;
}

static void start_connecting(struct postgres_store *store)
{
    const char *const names[] = {"dbname", "options", "application_name", "client_encoding", NULL};
    const char *const values[] = {store->where, session_options, "guardd", "UTF8", NULL};
    store->since_ms = clock_monotonic_ms();
    store->connection = PQconnectStartParams(names, values, 1);
    if (store->connection == NULL) {
        remember_why(store, "no memory");
        disconnect(store);
    } else if (PQstatus(store->connection) == CONNECTION_BAD) {
        remember_why(store, PQerrorMessage(store->connection));
        disconnect(store);
    } else {
        store->polling = PGRES_POLLING_WRITING;
        PQsetNoticeReceiver(store->connection, ignore_notice, NULL);
    }
}

/* True when there is a connection, not prepared yet. */
static bool go_on_connecting(struct postgres_store *store)
{
    uint64_t until = clock_monotonic_ms() + SLICE_MS;
    while (clock_monotonic_ms() - store->since_ms < CONNECT_MS) {
        short events = store->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!wait_for_socket(store->connection, events, until)) {
            if (store->why[0] == '\0')
                remember_why(store, "it doesn't answer");
            return false;
        }
        store->polling = PQconnectPoll(store->connection);
        if (store->polling == PGRES_POLLING_OK)
            return true;
        if (store->polling == PGRES_POLLING_FAILED)
            break;
    }
    const char *text = PQerrorMessage(store->connection);
    remember_why(store, text[0] != '\0' ? text : "it doesn't answer");
    disconnect(store);
    return false;
}

/* -1: there are no tables; the version else. */
static enum guard_rc read_version(struct postgres_store *store, long *version,
                                  struct guard_err *err)
{
    *version = -1;
    PGresult *result = query(store, "SELECT to_regclass('guard.version') IS NOT NULL");
    if (!good(result))
        return failed(store, result, "has no version", err);
    bool there = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (!there)
        return GUARD_OK;
    result = query(store, "SELECT number FROM guard.version");
    if (!good(result))
        return failed(store, result, "has no version", err);
    if (PQntuples(result) == 1)
        *version = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return GUARD_OK;
}

/* One guardd at a time makes the tables, at once or not at all. */
static enum guard_rc prepare_tables(struct postgres_store *store, struct guard_err *err)
{
    long version = -1;
    GUARD_TRY(read_version(store, &version, err));
    if (version > STORE_SHARED_VERSION)
        return guard_fail(err, GUARD_E_VERSION, "store: written by a newer guardd (version %ld)",
                          version);
    if (version == STORE_SHARED_VERSION)
        return GUARD_OK;
    GUARD_TRY(execute(store, "BEGIN; SELECT pg_advisory_xact_lock(7310579603010203)",
                      "can't be set up", err));
    GUARD_TRY(read_version(store, &version, err));
    if (version < STORE_SHARED_VERSION)
        GUARD_TRY(execute(store, setup, "can't be set up", err));
    return execute(store, "COMMIT", "can't be set up", err);
}

static void name_of(enum store_statement which, char out[16])
{
    snprintf(out, 16, "s%d", (int)which);
}

static enum guard_rc prepare_statement(struct postgres_store *store, enum store_statement which,
                                       struct guard_err *err)
{
    Oid types[STORE_COLUMNS_MAX];
    char name[16];
    int count = 0;
    for (const char *kind = store_texts[which].parameters; *kind != '\0'; kind++)
        types[count++] = *kind == 'i' ? OID_INTEGER : *kind == 't' ? OID_TEXT : OID_BYTES;
    name_of(which, name);
    PGresult *result = NULL;
    if (PQsendPrepare(store->connection, name, store_texts[which].sql, count, types))
        result = collect(store);
    else
        disconnect(store);
    if (!good(result))
        return failed(store, result, store_texts[which].sql, err);
    PQclear(result);
    return GUARD_OK;
}

static enum guard_rc prepare_session(struct postgres_store *store, struct guard_err *err)
{
    PQsetnonblocking(store->connection, 1);
    GUARD_TRY(prepare_tables(store, err));
    for (int i = 0; i < STORE_STATEMENTS; i++)
        GUARD_TRY(prepare_statement(store, (enum store_statement)i, err));
    return GUARD_OK;
}

static enum guard_rc connect_somewhat(struct postgres_store *store, struct guard_err *err)
{
    if (store->ready && PQstatus(store->connection) == CONNECTION_OK)
        return GUARD_OK;
    if (store->ready) {
        remember_why(store, PQerrorMessage(store->connection));
        disconnect(store);
    }
    if (store->connection == NULL && clock_monotonic_ms() >= store->again_ms)
        start_connecting(store);
    if (store->connection == NULL || !go_on_connecting(store))
        return away(store, err);
    enum guard_rc rc = prepare_session(store, err);
    if (rc != GUARD_OK) {
        if (store->connection != NULL) {
            remember_why(store, err->text);
            disconnect(store);
        }
        return rc;
    }
    store->ready = true;
    store->pause_ms = PAUSE_MIN_MS;
    store->why[0] = '\0';
    store->base.session = ++store->sessions;
    return GUARD_OK;
}

/* --- statements --- */

struct wire {
    const char *values[STORE_COLUMNS_MAX];
    int lengths[STORE_COLUMNS_MAX];
    int formats[STORE_COLUMNS_MAX];
    uint64_t numbers[STORE_COLUMNS_MAX];
    int count;
};

static bool encode(struct wire *wire, const char *kinds, const struct store_value *parameters)
{
    for (int i = 0; kinds[i] != '\0'; i++) {
        const struct guard_span *span = &parameters[i].span;
        wire->formats[i] = BINARY;
        if (kinds[i] == 'i') {
            wire->numbers[i] = htobe64(parameters[i].number);
            wire->values[i] = (const char *)&wire->numbers[i];
            wire->lengths[i] = sizeof(wire->numbers[i]);
        } else if (span->len > 1 << 30) {
            return false;
        } else {
            wire->values[i] = (const char *)span->ptr;
            wire->lengths[i] = (int)span->len;
        }
        wire->count = i + 1;
    }
    return true;
}

static enum guard_rc each_row(const PGresult *result, store_row row, void *ctx)
{
    int columns = PQnfields(result);
    for (int i = 0; row != NULL && i < PQntuples(result); i++) {
        struct store_value values[STORE_COLUMNS_MAX] = {0};
        for (int k = 0; k < columns && k < STORE_COLUMNS_MAX; k++) {
            const char *bytes = PQgetvalue(result, i, k);
            size_t len = (size_t)PQgetlength(result, i, k);
            if (PQgetisnull(result, i, k))
                continue;
            if (PQftype(result, k) == OID_INTEGER && len == sizeof(uint64_t)) {
                memcpy(&values[k].number, bytes, len);
                values[k].number = be64toh(values[k].number);
            } else {
                values[k].span = (struct guard_span){(const uint8_t *)bytes, len};
            }
        }
        GUARD_TRY(row(ctx, values));
    }
    return GUARD_OK;
}

static enum guard_rc run(struct store *base, enum store_statement which,
                         const struct store_value *parameters, store_row row, void *ctx,
                         const char *what, struct guard_err *err)
{
    struct postgres_store *store = own(base);
    struct wire wire = {0};
    char name[16];
    PGresult *result = NULL;
    if (!store->ready)
        return away(store, err);
    if (!encode(&wire, store_texts[which].parameters, parameters))
        return guard_fail(err, GUARD_E_LIMIT, "store: %s: it is too long", what);
    name_of(which, name);
    if (PQsendQueryPrepared(store->connection, name, wire.count, wire.values, wire.lengths,
                            wire.formats, BINARY)) {
        result = collect(store);
    } else {
        remember_why(store, PQerrorMessage(store->connection));
        disconnect(store);
    }
    if (!good(result))
        return failed(store, result, what, err);
    enum guard_rc rc = each_row(result, row, ctx);
    PQclear(result);
    return rc;
}

/* --- transactions --- */

static enum guard_rc take_saves(void *ctx, const struct store_value *columns)
{
    *(uint64_t *)ctx = columns[0].number;
    return GUARD_OK;
}

/* Each transaction of a node has a number, the first thing that it saves: so one whose answer never
 * came is known by it, and one that may still end is waited for by its lock. */
static enum guard_rc number_transaction(struct postgres_store *store, struct guard_err *err)
{
    static const char what[] = "can't begin to save";
    const struct guard_span node = {(const uint8_t *)store->base.node, strlen(store->base.node)};
    struct store_value parameters[] = {{.span = node}, {.number = 0}};
    uint64_t saves = 0;
    GUARD_TRY(run(&store->base, READ_NODE, parameters, take_saves, &saves, what, err));
    if (store->unknown && store->base.watched)
        store->base.outcome = saves >= store->saving ? STORE_DONE : STORE_UNDONE;
    store->unknown = false;
    store->base.watched = false;
    store->saving = saves + 1;
    parameters[1].number = store->saving;
    return run(&store->base, SAVE_NODE, parameters, NULL, NULL, what, err);
}

static void rollback(struct store *base)
{
    struct postgres_store *store = own(base);
    if (store->ready && PQtransactionStatus(store->connection) != PQTRANS_IDLE)
        PQclear(query(store, "ROLLBACK"));
}

static enum guard_rc begin(struct store *base, struct guard_err *err)
{
    struct postgres_store *store = own(base);
    GUARD_TRY(connect_somewhat(store, err));
    GUARD_TRY(execute(store, "BEGIN", "can't begin to save", err));
    enum guard_rc rc = number_transaction(store, err);
    if (rc != GUARD_OK)
        rollback(base);
    return rc;
}

static enum guard_rc commit(struct store *base, struct guard_err *err)
{
    struct postgres_store *store = own(base);
    if (!store->ready)
        return away(store, err);
    PGresult *result = query(store, "COMMIT");
    store->unknown = result == NULL;
    if (!good(result))
        return failed(store, result, "can't save", err);
    /* A transaction that failed is rolled back instead. */
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    return committed ? GUARD_OK : guard_fail(err, GUARD_E_IO, "store: can't save");
}

static enum guard_rc durable(struct store *base, struct guard_err *err)
{
    (void)base;
    (void)err;
    return GUARD_OK; /* synchronous_commit is the server's default */
}

static void close_store(struct store *base)
{
    struct postgres_store *store = own(base);
    PQfinish(store->connection);
    free(store->where);
    free(store);
}

static const struct store_backend backend = {.close = close_store,
                                             .begin = begin,
                                             .commit = commit,
                                             .rollback = rollback,
                                             .durable = durable,
                                             .run = run};

/* Whoever lists processes reads their arguments. */
static enum guard_rc check_where(const char *where, struct guard_err *err)
{
    char *text = NULL;
    PQconninfoOption *options = PQconninfoParse(where, &text);
    PQfreemem(text);
    if (options == NULL)
        return guard_fail(err, GUARD_E_RANGE, "store: that isn't the URI of a database");
    bool secret = false;
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        secret = secret || (strcmp(option->keyword, "password") == 0 && option->val != NULL);
    PQconninfoFree(options);
    return secret ? guard_fail(err, GUARD_E_RANGE,
                               "store: a password has no place in the URI: say "
                               "?passfile=FILE, or set PGPASSFILE")
                  : GUARD_OK;
}

enum guard_rc postgres_open(struct store **out, const char *where, const char *node,
                            struct guard_err *err)
{
    GUARD_TRY(check_where(where, err));
    if (node[0] == '\0' || strlen(node) >= STORE_NODE_MAX)
        return guard_fail(err, GUARD_E_RANGE, "store: a node needs a name");
    struct postgres_store *store = calloc(1, sizeof(*store));
    if (store != NULL)
        store->where = strdup(where);
    if (store == NULL || store->where == NULL) {
        free(store);
        return guard_fail(err, GUARD_E_NOMEM, "store: no memory");
    }
    store->base.backend = &backend;
    store->pause_ms = PAUSE_MIN_MS;
    snprintf(store->base.node, sizeof(store->base.node), "%s", node);
    /* A guardd of this name that was killed may have left a commit that comes yet, by a session
     * that stands still: what is read before that isn't where to go on. */
    uint64_t until = clock_monotonic_ms() + OPEN_MS;
    enum guard_rc rc;
    while ((rc = begin(&store->base, err)) == GUARD_E_IO && clock_monotonic_ms() < until)
        (void)poll(NULL, 0, SLICE_MS);
    if (rc != GUARD_OK) {
        close_store(&store->base);
        return rc;
    }
    rollback(&store->base);
    *out = &store->base;
    return GUARD_OK;
}
