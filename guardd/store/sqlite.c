/* SPDX-License-Identifier: Apache-2.0 */
/* The store as an SQLite database in a file. synchronous=NORMAL in WAL mode: a killed process loses
 * nothing that was committed; a power cut may lose the last commits, never the database. */
#include "sqlite.h"

#include "backend.h"
#include "backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct sqlite_store {
    struct store base;
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_STATEMENTS];
};

static struct sqlite_store *own(struct store *store)
{
    return (struct sqlite_store *)store;
}

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
    "CREATE TABLE IF NOT EXISTS history (service TEXT NOT NULL, node TEXT NOT NULL, at INTEGER "
    "NOT NULL, counts BLOB NOT NULL, PRIMARY KEY (service, node, at)) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version=7;"
    "COMMIT;";

static enum guard_rc failure(const struct sqlite_store *store, const char *what,
                             struct guard_err *err)
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

static enum guard_rc open_database(struct sqlite_store *store, const char *path,
                                   struct guard_err *err)
{
    keep_private(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return failure(store, path, err);
    sqlite3_busy_timeout(store->db, 2000);
    return GUARD_OK;
}

/* Before a database of an older version becomes one of ours: what we couldn't read is left to those
 * who can. */
static enum guard_rc check_piles(const struct sqlite_store *store, struct guard_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum guard_rc rc = GUARD_OK;
    if (sqlite3_prepare_v2(store->db, "SELECT name, substr(pile, 1, 64) FROM service", -1,
                           &statement, NULL) != SQLITE_OK)
        return GUARD_OK; /* there are no tables yet */
    while (rc == GUARD_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const struct guard_span name = {sqlite3_column_blob(statement, 0),
                                        (size_t)sqlite3_column_bytes(statement, 0)};
        const struct guard_span pile = {sqlite3_column_blob(statement, 1),
                                        (size_t)sqlite3_column_bytes(statement, 1)};
        rc = store_check_pile(name, pile, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

/* GUARD_E_CHECKSUM when the file is no sound database. */
static enum guard_rc prepare_database(struct sqlite_store *store, struct guard_err *err)
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
    if (version < STORE_VERSION)
        GUARD_TRY(check_piles(store, err));
    if (version < STORE_VERSION && sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return failure(store, "can't be set up", err);
    if (sqlite3_exec(store->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) != SQLITE_OK)
        return failure(store, "can't be set up", err);
    for (int i = 0; i < STORE_SHARED_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(store->db, store_texts[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK)
            return guard_fail(err, GUARD_E_CHECKSUM, "store: the database is damaged: %s",
                              sqlite3_errmsg(store->db));
    }
    return GUARD_OK;
}

static void close_database(struct sqlite_store *store)
{
    for (int i = 0; i < STORE_STATEMENTS; i++) {
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

static enum guard_rc open_and_prepare(struct sqlite_store *store, const char *path,
                                      struct guard_err *err)
{
    GUARD_TRY(open_database(store, path, err));
    return prepare_database(store, err);
}

/* --- the back end --- */

static void close_store(struct store *base)
{
    close_database(own(base));
    free(base);
}

static enum guard_rc begin(struct store *base, struct guard_err *err)
{
    return sqlite3_exec(own(base)->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK
               ? GUARD_OK
               : failure(own(base), "can't begin to save", err);
}

static enum guard_rc commit(struct store *base, struct guard_err *err)
{
    return sqlite3_exec(own(base)->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
               ? GUARD_OK
               : failure(own(base), "can't save", err);
}

static void rollback(struct store *base)
{
    sqlite3_exec(own(base)->db, "ROLLBACK", NULL, NULL, NULL);
}

static enum guard_rc durable(struct store *base, struct guard_err *err)
{
    return sqlite3_exec(own(base)->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL) == SQLITE_OK
               ? GUARD_OK
               : failure(own(base), "can't be made durable", err);
}

static void bind(sqlite3_stmt *statement, const char *kinds, const struct store_value *parameters)
{
    for (int i = 0; kinds[i] != '\0'; i++) {
        const struct store_value *value = &parameters[i];
        if (kinds[i] == 'i')
            sqlite3_bind_int64(statement, i + 1, (sqlite3_int64)value->number);
        else if (kinds[i] == 't')
            sqlite3_bind_text64(statement, i + 1, (const char *)value->span.ptr, value->span.len,
                                SQLITE_STATIC, SQLITE_UTF8);
        else if (value->span.ptr != NULL)
            sqlite3_bind_blob64(statement, i + 1, value->span.ptr, value->span.len, SQLITE_STATIC);
    }
}

static void read_row(sqlite3_stmt *statement, struct store_value columns[STORE_COLUMNS_MAX])
{
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count && i < STORE_COLUMNS_MAX; i++) {
        if (sqlite3_column_type(statement, i) == SQLITE_INTEGER)
            columns[i].number = (uint64_t)sqlite3_column_int64(statement, i);
        else
            columns[i].span = (struct guard_span){sqlite3_column_blob(statement, i),
                                                  (size_t)sqlite3_column_bytes(statement, i)};
    }
}

static enum guard_rc run(struct store *base, enum store_statement which,
                         const struct store_value *parameters, store_row row, void *ctx,
                         const char *what, struct guard_err *err)
{
    sqlite3_stmt *statement = own(base)->statements[which];
    enum guard_rc result = GUARD_OK;
    int rc = SQLITE_ROW;
    if (statement == NULL)
        return guard_fail(err, GUARD_E_STATE, "store: the database isn't shared");
    bind(statement, store_texts[which].parameters, parameters);
    while (result == GUARD_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_value columns[STORE_COLUMNS_MAX] = {0};
        read_row(statement, columns);
        if (row != NULL)
            result = row(ctx, columns);
    }
    if (result == GUARD_OK && rc != SQLITE_DONE)
        result = failure(own(base), what, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

static const struct store_backend backend = {.close = close_store,
                                             .begin = begin,
                                             .commit = commit,
                                             .rollback = rollback,
                                             .durable = durable,
                                             .run = run};

enum guard_rc sqlite_open(struct store **out, const char *path, bool *damaged,
                          struct guard_err *err)
{
    struct sqlite_store *store = calloc(1, sizeof(*store));
    *damaged = false;
    if (store == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "store: no memory");
    store->base.backend = &backend;
    enum guard_rc rc = open_and_prepare(store, path, err);
    if (rc == GUARD_E_CHECKSUM) {
        *damaged = true;
        close_database(store);
        rc = put_aside(path, err);
        if (rc == GUARD_OK)
            rc = open_and_prepare(store, path, err);
    }
    if (rc != GUARD_OK) {
        close_store(&store->base);
        return rc;
    }
    *out = &store->base;
    return GUARD_OK;
}

/* --- beside a guardd --- */

static enum guard_rc open_beside(sqlite3 **out, const char *path, int flags, struct guard_err *err)
{
    if (sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return guard_fail(err, GUARD_E_IO, "%s: %s", path,
                          *out != NULL ? sqlite3_errmsg(*out) : "no memory");
    sqlite3_busy_timeout(*out, 10000);
    return GUARD_OK;
}

static bool is_sound(sqlite3 *db, char trouble[128])
{
    int rc = scalar(db, "PRAGMA integrity_check(1)", trouble, 128);
    if (rc != SQLITE_ROW)
        snprintf(trouble, 128, "%s", sqlite3_errmsg(db));
    return rc == SQLITE_ROW && strcmp(trouble, "ok") == 0;
}

/* In one step: a snapshot of the log, so that guardd neither waits nor makes it begin anew. */
static enum guard_rc copy_database(sqlite3 *from, sqlite3 *to, const char *path,
                                   struct guard_err *err)
{
    char trouble[128];
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int rc = backup != NULL ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
    int ended = sqlite3_backup_finish(backup);
    if (rc != SQLITE_DONE || ended != SQLITE_OK)
        return guard_fail(err, GUARD_E_IO, "%s: can't be copied: %s", path, sqlite3_errmsg(to));
    /* The copy is one file, without a log beside it. */
    if (sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK ||
        !is_sound(to, trouble))
        return guard_fail(err, GUARD_E_CHECKSUM, "%s: the copy isn't sound: %s", path, trouble);
    return GUARD_OK;
}

enum guard_rc sqlite_backup(const char *path, const char *out, struct guard_err *err)
{
    sqlite3 *from = NULL;
    sqlite3 *to = NULL;
    int fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return guard_fail(err, GUARD_E_IO, "%s: can't be made", out);
    close(fd);
    /* Not read-only: then the log of a guardd that was killed couldn't be read. */
    enum guard_rc rc = open_beside(&from, path, SQLITE_OPEN_READWRITE, err);
    if (rc == GUARD_OK)
        rc = open_beside(&to, out, SQLITE_OPEN_READWRITE, err);
    if (rc == GUARD_OK)
        rc = copy_database(from, to, path, err);
    sqlite3_close_v2(from);
    sqlite3_close_v2(to);
    if (rc != GUARD_OK)
        (void)unlink(out);
    return rc;
}

static int64_t count(sqlite3 *db, const char *sql)
{
    char text[64] = "0";
    return scalar(db, sql, text, sizeof(text)) == SQLITE_ROW ? strtoll(text, NULL, 10) : -1;
}

enum guard_rc sqlite_health(const char *path, struct store_health *out, struct guard_err *err)
{
    sqlite3 *db = NULL;
    static const char *const suffixes[] = {"", "-wal"};
    *out = (struct store_health){.sound = false};
    enum guard_rc rc = open_beside(&db, path, SQLITE_OPEN_READWRITE, err);
    if (rc == GUARD_OK) {
        out->sound = is_sound(db, out->trouble);
        out->version = count(db, "PRAGMA user_version");
        out->services = count(db, "SELECT count(*) FROM service");
        out->pile_bytes = count(db, "SELECT coalesce(sum(length(pile)), 0) FROM service");
        out->generations = count(db, "SELECT count(*) FROM generation");
        out->generation_bytes = count(db, "SELECT coalesce(sum(length(pile)), 0) FROM generation");
    }
    sqlite3_close_v2(db);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char file[2048];
        struct stat info;
        snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
        if (stat(file, &info) == 0)
            out->file_bytes += info.st_size;
    }
    return rc;
}
