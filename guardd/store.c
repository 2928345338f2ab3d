/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store. synchronous=NORMAL in WAL mode: a killed process loses nothing that was
 * committed; a power cut may lose the last commits, never the database. */
#include "store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STORE_VERSION = 4 };

enum statement {
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
    STATEMENT_COUNT
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* At once or not at all; tables without a version are those of one that was killed here. Every
 * statement also suits a database of an older version, which lacks the tables that came later. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS service (name TEXT PRIMARY KEY, key BLOB NOT NULL, "
    "generation INTEGER NOT NULL, pile BLOB) STRICT;"
    "CREATE TABLE IF NOT EXISTS position (ring TEXT PRIMARY KEY, incarnation INTEGER "
    "NOT NULL, sequence INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS generation (service TEXT NOT NULL, number INTEGER NOT NULL, "
    "created_ms INTEGER NOT NULL, exchanges INTEGER NOT NULL, pile BLOB NOT NULL, "
    "PRIMARY KEY (service, number)) STRICT;"
    "CREATE TABLE IF NOT EXISTS revision (service TEXT NOT NULL, number INTEGER NOT NULL, "
    "text TEXT NOT NULL, seen_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, "
    "PRIMARY KEY (service, number)) STRICT;"
    "CREATE TABLE IF NOT EXISTS note (kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, "
    "PRIMARY KEY (kind, name)) STRICT;"
    "CREATE TABLE IF NOT EXISTS delta (service TEXT NOT NULL, number INTEGER NOT NULL, "
    "pile BLOB NOT NULL, PRIMARY KEY (service, number)) STRICT;"
    "PRAGMA user_version=4;"
    "COMMIT;";

static const char *const texts[STATEMENT_COUNT] = {
    [SAVE_SERVICE] = "INSERT INTO service (name, key, generation, pile) VALUES (?1, ?2, ?3, ?4) ON "
                     "CONFLICT (name) DO UPDATE "
                     "SET generation = excluded.generation, pile = excluded.pile",
    [LOAD_SERVICES] = "SELECT name, key, generation, pile FROM service ORDER BY name",
    [SAVE_POSITION] = "INSERT INTO position (ring, incarnation, sequence) VALUES (?1, ?2, ?3) ON "
                      "CONFLICT (ring) DO UPDATE "
                      "SET incarnation = excluded.incarnation, sequence = excluded.sequence",
    [LOAD_POSITION] = "SELECT incarnation, sequence FROM position WHERE ring = ?1",
    [FORGET_POSITION] = "DELETE FROM position WHERE ring = ?1",
    [SAVE_GENERATION] = "INSERT OR REPLACE INTO generation (service, number, created_ms, "
                        "exchanges, pile) VALUES (?1, ?2, ?3, ?4, ?5)",
    [DROP_GENERATION] = "DELETE FROM generation WHERE service = ?1 AND number = ?2",
    [LIST_GENERATIONS] = "SELECT number, created_ms, exchanges FROM generation "
                         "WHERE service = ?1 ORDER BY number",
    [LOAD_GENERATION] = "SELECT pile FROM generation WHERE service = ?1 AND number = ?2",
    [SAVE_REVISION] = "INSERT INTO revision (service, number, text, seen_ms, until_ms) "
                      "VALUES (?1, ?2, ?3, ?4, ?5)",
    [DROP_REVISIONS] = "DELETE FROM revision WHERE service = ?1",
    [LIST_REVISIONS] = "SELECT text, seen_ms, until_ms FROM revision WHERE service = ?1 "
                       "ORDER BY number",
    [SAVE_NOTE] = "INSERT OR REPLACE INTO note (kind, name, value) VALUES (?1, ?2, ?3)",
    [DROP_NOTE] = "DELETE FROM note WHERE kind = ?1 AND name = ?2",
    [LIST_NOTES] = "SELECT name, value FROM note WHERE kind = ?1 ORDER BY name",
    [ADD_DELTA] = "INSERT OR REPLACE INTO delta (service, number, pile) VALUES (?1, ?2, ?3)",
    [DROP_DELTAS] = "DELETE FROM delta WHERE service = ?1 AND number <= ?2",
    [LIST_DELTAS] = "SELECT number, pile FROM delta WHERE service = ?1 ORDER BY number",
};

static enum guard_rc failure(const struct store *store, const char *what, struct guard_err *err)
{
    const char *text = store->db != NULL ? sqlite3_errmsg(store->db) : "no memory";
    return guard_fail(err, GUARD_E_IO, "store: %s: %s", what, text);
}

static int scalar(sqlite3 *db, const char *sql, char *out, size_t cap)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        snprintf(out, cap, "%s", text != NULL ? (const char *)text : "");
    }
    sqlite3_finalize(statement);
    return rc;
}

/* It holds the keys of services: nobody else reads it, whatever umask and folder say. The files
 * that SQLite lays beside it get its mode. */
static void keep_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return; /* SQLite will say why */
    (void)fchmod(fd, 0600);
    close(fd);
}

static enum guard_rc open_database(struct store *store, const char *path, struct guard_err *err)
{
    keep_private(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return failure(store, path, err);
    sqlite3_busy_timeout(store->db, 2000);
    return GUARD_OK;
}

/* GUARD_E_CHECKSUM when the file is no sound database. */
static enum guard_rc prepare_database(struct store *store, struct guard_err *err)
{
    char text[64] = "";
    int rc = scalar(store->db, "PRAGMA journal_mode=WAL", text, sizeof(text));
    if (rc == SQLITE_ROW)
        rc = scalar(store->db, "PRAGMA quick_check(1)", text, sizeof(text));
    if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ||
        (rc == SQLITE_ROW && strcmp(text, "ok") != 0))
        return guard_fail(err, GUARD_E_CHECKSUM, "store: the database is damaged: %s", text);
    if (rc != SQLITE_ROW)
        return failure(store, "can't be checked", err);
    if (scalar(store->db, "PRAGMA user_version", text, sizeof(text)) != SQLITE_ROW)
        return failure(store, "has no version", err);
    int version = (int)strtol(text, NULL, 10);
    if (version > STORE_VERSION)
        return guard_fail(err, GUARD_E_VERSION, "store: written by a newer guardd (version %d)",
                          version);
    if (version < STORE_VERSION && sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return failure(store, "can't be set up", err);
    if (sqlite3_exec(store->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) != SQLITE_OK)
        return failure(store, "can't be set up", err);
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(store->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK)
            return guard_fail(err, GUARD_E_CHECKSUM, "store: the database is damaged: %s",
                              sqlite3_errmsg(store->db));
    }
    return GUARD_OK;
}

static void close_database(struct store *store)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close_v2(store->db);
    store->db = NULL;
}

static enum guard_rc put_aside(const char *path, struct guard_err *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char from[2048];
        char to[2048];
        snprintf(from, sizeof(from), "%s%s", path, suffixes[i]);
        snprintf(to, sizeof(to), "%s.damaged-%lld%s", path, (long long)time(NULL), suffixes[i]);
        if (rename(from, to) != 0 && i == 0)
            return guard_fail(err, GUARD_E_IO, "%s: damaged, and can't be put aside", path);
    }
    return GUARD_OK;
}

static enum guard_rc open_and_prepare(struct store *store, const char *path, struct guard_err *err)
{
    GUARD_TRY(open_database(store, path, err));
    return prepare_database(store, err);
}

enum guard_rc store_open(struct store **out, const char *path, bool *damaged, struct guard_err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    *damaged = false;
    if (store == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "store: no memory");
    enum guard_rc rc = open_and_prepare(store, path, err);
    if (rc == GUARD_E_CHECKSUM) {
        *damaged = true;
        close_database(store);
        rc = put_aside(path, err);
        if (rc == GUARD_OK)
            rc = open_and_prepare(store, path, err);
    }
    if (rc != GUARD_OK) {
        store_close(store);
        return rc;
    }
    *out = store;
    return GUARD_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    close_database(store);
    free(store);
}

enum guard_rc store_begin(struct store *store, struct guard_err *err)
{
    return sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK
               ? GUARD_OK
               : failure(store, "can't begin to save", err);
}

enum guard_rc store_commit(struct store *store, struct guard_err *err)
{
    return sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
               ? GUARD_OK
               : failure(store, "can't save", err);
}

void store_rollback(struct store *store)
{
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

static enum guard_rc finish_step(struct store *store, sqlite3_stmt *statement, const char *what,
                                 struct guard_err *err)
{
    int rc = sqlite3_step(statement);
    enum guard_rc result = rc == SQLITE_DONE ? GUARD_OK : failure(store, what, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

static void bind_service(sqlite3_stmt *statement, struct guard_span service)
{
    sqlite3_bind_text64(statement, 1, (const char *)service.ptr, service.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

enum guard_rc store_save_service(struct store *store, const struct store_service *service,
                                 struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[SAVE_SERVICE];
    bind_service(statement, service->name);
    sqlite3_bind_blob64(statement, 2, service->key, GUARD_KEY_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)service->generation);
    if (service->pile.len > 0)
        sqlite3_bind_blob64(statement, 4, service->pile.ptr, service->pile.len, SQLITE_STATIC);
    return finish_step(store, statement, "a service can't be saved", err);
}

static bool read_service(sqlite3_stmt *statement, struct store_service *out)
{
    const void *key = sqlite3_column_blob(statement, 1);
    if (key == NULL || sqlite3_column_bytes(statement, 1) != GUARD_KEY_BYTES)
        return false;
    *out = (struct store_service){
        .name = {sqlite3_column_text(statement, 0), (size_t)sqlite3_column_bytes(statement, 0)},
        .generation = (uint64_t)sqlite3_column_int64(statement, 2),
        .pile = {sqlite3_column_blob(statement, 3), (size_t)sqlite3_column_bytes(statement, 3)}};
    memcpy(out->key, key, GUARD_KEY_BYTES);
    return out->name.ptr != NULL;
}

enum guard_rc store_load_services(struct store *store,
                                  enum guard_rc (*take)(void *ctx,
                                                        const struct store_service *service),
                                  void *ctx, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LOAD_SERVICES];
    enum guard_rc result = GUARD_OK;
    int rc;
    while (result == GUARD_OK && (rc = sqlite3_step(statement)) != SQLITE_DONE) {
        struct store_service service;
        if (rc != SQLITE_ROW)
            result = failure(store, "services can't be read", err);
        else if (read_service(statement, &service))
            result = take(ctx, &service);
    }
    sqlite3_reset(statement);
    return result;
}

enum guard_rc store_save_generation(struct store *store, const struct store_generation *generation,
                                    struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[SAVE_GENERATION];
    bind_service(statement, generation->service);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)generation->number);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)generation->created_ms);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)generation->exchanges);
    sqlite3_bind_blob64(statement, 5, generation->pile.ptr, generation->pile.len, SQLITE_STATIC);
    return finish_step(store, statement, "a generation can't be saved", err);
}

enum guard_rc store_drop_generation(struct store *store, struct guard_span service, uint64_t number,
                                    struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[DROP_GENERATION];
    bind_service(statement, service);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
    return finish_step(store, statement, "a generation can't be dropped", err);
}

enum guard_rc store_list_generations(struct store *store, struct guard_span service,
                                     void (*take)(void *ctx,
                                                  const struct store_generation *generation),
                                     void *ctx, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LIST_GENERATIONS];
    int rc;
    bind_service(statement, service);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_generation generation = {
            .service = service,
            .number = (uint64_t)sqlite3_column_int64(statement, 0),
            .created_ms = (uint64_t)sqlite3_column_int64(statement, 1),
            .exchanges = (uint64_t)sqlite3_column_int64(statement, 2)};
        take(ctx, &generation);
    }
    enum guard_rc result =
        rc == SQLITE_DONE ? GUARD_OK : failure(store, "generations can't be read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

enum guard_rc store_load_generation(struct store *store, struct guard_span service, uint64_t number,
                                    enum guard_rc (*take)(void *ctx, struct guard_span pile,
                                                          struct guard_err *err),
                                    void *ctx, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LOAD_GENERATION];
    enum guard_rc result;
    bind_service(statement, service);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        result = take(ctx,
                      (struct guard_span){sqlite3_column_blob(statement, 0),
                                          (size_t)sqlite3_column_bytes(statement, 0)},
                      err);
    else if (rc == SQLITE_DONE)
        result = guard_fail(err, GUARD_E_RANGE, "generation %llu isn't kept",
                            (unsigned long long)number);
    else
        result = failure(store, "a generation can't be read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

static enum guard_rc save_revision(struct store *store, struct guard_span service, uint32_t number,
                                   const struct store_revision *revision, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[SAVE_REVISION];
    bind_service(statement, service);
    sqlite3_bind_int64(statement, 2, number);
    sqlite3_bind_text64(statement, 3, (const char *)revision->text.ptr, revision->text.len,
                        SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)revision->seen_ms);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)revision->until_ms);
    return finish_step(store, statement, "a revision can't be saved", err);
}

enum guard_rc store_save_revisions(struct store *store, struct guard_span service,
                                   const struct store_revision *revisions, uint32_t count,
                                   struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[DROP_REVISIONS];
    bind_service(statement, service);
    GUARD_TRY(finish_step(store, statement, "revisions can't be dropped", err));
    for (uint32_t i = 0; i < count; i++)
        GUARD_TRY(save_revision(store, service, i, &revisions[i], err));
    return GUARD_OK;
}

enum guard_rc store_list_revisions(struct store *store, struct guard_span service,
                                   void (*take)(void *ctx, const struct store_revision *revision),
                                   void *ctx, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LIST_REVISIONS];
    int rc;
    bind_service(statement, service);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_revision revision = {
            .text = {sqlite3_column_text(statement, 0), (size_t)sqlite3_column_bytes(statement, 0)},
            .seen_ms = (uint64_t)sqlite3_column_int64(statement, 1),
            .until_ms = (uint64_t)sqlite3_column_int64(statement, 2)};
        if (revision.text.ptr != NULL)
            take(ctx, &revision);
    }
    enum guard_rc result =
        rc == SQLITE_DONE ? GUARD_OK : failure(store, "revisions can't be read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

enum guard_rc store_save_position(struct store *store, const char *ring, uint64_t incarnation,
                                  uint64_t sequence, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[SAVE_POSITION];
    sqlite3_bind_text(statement, 1, ring, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)incarnation);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)sequence);
    return finish_step(store, statement, "a position can't be saved", err);
}

enum guard_rc store_forget_position(struct store *store, const char *ring, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[FORGET_POSITION];
    sqlite3_bind_text(statement, 1, ring, -1, SQLITE_STATIC);
    return finish_step(store, statement, "a position can't be forgotten", err);
}

enum guard_rc store_load_position(struct store *store, const char *ring, uint64_t *incarnation,
                                  uint64_t *sequence, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LOAD_POSITION];
    *incarnation = 0;
    *sequence = 0;
    sqlite3_bind_text(statement, 1, ring, -1, SQLITE_STATIC);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *incarnation = (uint64_t)sqlite3_column_int64(statement, 0);
        *sequence = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    enum guard_rc result = rc == SQLITE_ROW || rc == SQLITE_DONE
                               ? GUARD_OK
                               : failure(store, "a position can't be read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

enum guard_rc store_durable(struct store *store, struct guard_err *err)
{
    return sqlite3_exec(store->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL) == SQLITE_OK
               ? GUARD_OK
               : failure(store, "can't be made durable", err);
}

static void bind_span(sqlite3_stmt *statement, int index, struct guard_span bytes)
{
    sqlite3_bind_blob64(statement, index, bytes.len > 0 ? (const void *)bytes.ptr : "", bytes.len,
                        SQLITE_STATIC);
}

enum guard_rc store_save_note(struct store *store, const char *kind, struct guard_span name,
                              struct guard_span value, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[SAVE_NOTE];
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text64(statement, 2, (const char *)name.ptr, name.len, SQLITE_STATIC, SQLITE_UTF8);
    bind_span(statement, 3, value);
    return finish_step(store, statement, "a note can't be saved", err);
}

enum guard_rc store_drop_note(struct store *store, const char *kind, struct guard_span name,
                              struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[DROP_NOTE];
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text64(statement, 2, (const char *)name.ptr, name.len, SQLITE_STATIC, SQLITE_UTF8);
    return finish_step(store, statement, "a note can't be dropped", err);
}

enum guard_rc store_list_notes(struct store *store, const char *kind,
                               enum guard_rc (*take)(void *ctx, struct guard_span name,
                                                     struct guard_span value),
                               void *ctx, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LIST_NOTES];
    enum guard_rc result = GUARD_OK;
    int rc = SQLITE_ROW;
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
    while (result == GUARD_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct guard_span name = {sqlite3_column_text(statement, 0),
                                  (size_t)sqlite3_column_bytes(statement, 0)};
        struct guard_span value = {sqlite3_column_blob(statement, 1),
                                   (size_t)sqlite3_column_bytes(statement, 1)};
        result = take(ctx, name, value);
    }
    if (result == GUARD_OK && rc != SQLITE_DONE)
        result = failure(store, "notes can't be read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

enum guard_rc store_add_delta(struct store *store, struct guard_span service, uint64_t number,
                              struct guard_span pile, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[ADD_DELTA];
    bind_service(statement, service);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
    bind_span(statement, 3, pile);
    return finish_step(store, statement, "a delta can't be saved", err);
}

enum guard_rc store_drop_deltas(struct store *store, struct guard_span service, uint64_t up_to,
                                struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[DROP_DELTAS];
    bind_service(statement, service);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)up_to);
    return finish_step(store, statement, "deltas can't be dropped", err);
}

enum guard_rc store_list_deltas(struct store *store, struct guard_span service,
                                enum guard_rc (*take)(void *ctx, uint64_t number,
                                                      struct guard_span pile),
                                void *ctx, struct guard_err *err)
{
    sqlite3_stmt *statement = store->statements[LIST_DELTAS];
    enum guard_rc result = GUARD_OK;
    int rc = SQLITE_ROW;
    bind_service(statement, service);
    while (result == GUARD_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct guard_span pile = {sqlite3_column_blob(statement, 1),
                                  (size_t)sqlite3_column_bytes(statement, 1)};
        result = take(ctx, (uint64_t)sqlite3_column_int64(statement, 0), pile);
    }
    if (result == GUARD_OK && rc != SQLITE_DONE)
        result = failure(store, "deltas can't be read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}
