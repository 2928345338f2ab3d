/* SPDX-License-Identifier: Apache-2.0 */
/* Opening databases and scanning with them: the library's runtime alone, which is all that a gate
 * needs. */
#include "common/patterns/database.h"

#include "common/patterns/database_format.h"

#include <hs/hs_runtime.h>

#include <stdlib.h>
#include <string.h>

struct pattern_database {
    hs_database_t *libraries[DATABASE_LANES]; /* NULL: nothing to look for */
    hs_scratch_t *scratch;                    /* of both */
    uint64_t *ids;                            /* by the library's number, ascending */
    uint32_t *unfiltered;                     /* numbers of those that each scan names */
    struct pattern_database_info info;
};

/* The library's own bytes. */
struct parts {
    struct guard_span libraries[DATABASE_LANES];
    struct guard_span proofs[DATABASE_PROOFS];
};

/* Of one scan. */
struct scanning {
    const struct pattern_database *database;
    guard_pattern_hit *hit;
    void *hit_ctx;
};

bool pattern_database_possible(void)
{
    return hs_valid_platform() == HS_SUCCESS;
}

/* The library's own bytes, one behind the other. False: they aren't all that is left. */
static bool cut(struct guard_span bytes, const struct database_head *head, struct parts *out)
{
    for (int i = 0; i < DATABASE_LANES + DATABASE_PROOFS; i++) {
        bool lane = i < DATABASE_LANES;
        uint64_t len = lane ? head->library_bytes[i] : head->proof_bytes[i - DATABASE_LANES];
        if (len > bytes.len)
            return false;
        *(lane ? &out->libraries[i] : &out->proofs[i - DATABASE_LANES]) =
            (struct guard_span){bytes.ptr, (size_t)len};
        bytes = (struct guard_span){bytes.ptr + len, bytes.len - (size_t)len};
    }
    return bytes.len == 0;
}

/* Reads the head and the tables; bytes.ptr is anywhere. */
static enum guard_rc open_tables(struct pattern_database *database, struct guard_span bytes,
                                 struct parts *parts, struct guard_err *err)
{
    struct database_head head;
    if (bytes.len < sizeof(head))
        return guard_fail(err, GUARD_E_SYNTAX, "has no head");
    memcpy(&head, bytes.ptr, sizeof(head));
    size_t tables = (size_t)head.count * (sizeof(uint64_t) + 1);
    if (head.count > PATTERN_DATABASE_PATTERNS || head.unfiltered > head.count ||
        bytes.len - sizeof(head) < tables ||
        !cut((struct guard_span){bytes.ptr + sizeof(head) + tables,
                                 bytes.len - sizeof(head) - tables},
             &head, parts))
        return guard_fail(err, GUARD_E_SYNTAX, "its sizes contradict each other");
    database->ids = malloc(head.count * sizeof(uint64_t) + 1);
    database->unfiltered = malloc(head.unfiltered * sizeof(uint32_t) + 1);
    if (database->ids == NULL || database->unfiltered == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    memcpy(database->ids, bytes.ptr + sizeof(head), head.count * sizeof(uint64_t));
    const uint8_t *marks = bytes.ptr + sizeof(head) + head.count * sizeof(uint64_t);
    for (uint32_t i = 0; i < head.count; i++) {
        if (marks[i] != 0 && database->info.unfiltered < head.unfiltered)
            database->unfiltered[database->info.unfiltered++] = i;
    }
    database->info.patterns = head.count;
    return GUARD_OK;
}

/* *scratch is made, or made large enough. */
static enum guard_rc open_library(struct guard_span bytes, hs_database_t **library,
                                  hs_scratch_t **scratch, struct guard_err *err)
{
    if (bytes.len == 0)
        return GUARD_OK;
    if (!pattern_database_possible())
        return guard_fail(err, GUARD_E_VERSION, "this processor can't run it");
    hs_error_t rc = hs_deserialize_database((const char *)bytes.ptr, bytes.len, library);
    if (rc == HS_SUCCESS)
        rc = hs_alloc_scratch(*library, scratch);
    if (rc == HS_NOMEM)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    if (rc == HS_DB_VERSION_ERROR || rc == HS_DB_PLATFORM_ERROR)
        return guard_fail(err, GUARD_E_VERSION, "was made for another library or processor");
    if (rc != HS_SUCCESS)
        return guard_fail(err, GUARD_E_SYNTAX, "the library refuses it (%d)", rc);
    return GUARD_OK;
}

static enum guard_rc open_libraries(struct pattern_database *database, const struct parts *parts,
                                    struct guard_err *err)
{
    size_t scratch_bytes = 0;
    for (int i = 0; i < DATABASE_LANES; i++) {
        size_t database_bytes = 0;
        GUARD_TRY(
            open_library(parts->libraries[i], &database->libraries[i], &database->scratch, err));
        if (database->libraries[i] != NULL)
            (void)hs_database_size(database->libraries[i], &database_bytes);
        database->info.bytes += database_bytes;
    }
    if (database->scratch != NULL)
        (void)hs_scratch_size(database->scratch, &scratch_bytes);
    database->info.bytes += scratch_bytes;
    return GUARD_OK;
}

static int on_proof(unsigned int number, unsigned long long from, unsigned long long to,
                    unsigned int flags, void *ctx)
{
    (void)number;
    (void)from;
    (void)to;
    (void)flags;
    *(bool *)ctx = true;
    return 0;
}

/* At each place of a stream that goes on behind it, and at the end of one. */
static bool finds(const hs_database_t *library, hs_scratch_t *scratch, const char *value)
{
    enum { STREAM_BYTES = 256 }; /* several times what vector code takes at once */
    const unsigned len = (unsigned)strlen(value);
    for (unsigned at = 0; at + len <= STREAM_BYTES; at++) {
        char stream[STREAM_BYTES];
        memset(stream, '\n', sizeof(stream));
        memcpy(stream + at, value, len);
        const unsigned ends[] = {at + len, STREAM_BYTES};
        for (int i = 0; i < 2; i++) {
            bool found = false;
            if (hs_scan(library, stream, ends[i], 0, scratch, on_proof, &found) != HS_SUCCESS ||
                !found)
                return false;
        }
    }
    return true;
}

static enum guard_rc prove(const struct parts *parts, struct guard_err *err)
{
    hs_scratch_t *scratch = NULL;
    enum guard_rc rc = GUARD_OK;
    for (int i = 0; rc == GUARD_OK && i < DATABASE_PROOFS; i++) {
        hs_database_t *library = NULL;
        rc = open_library(parts->proofs[i], &library, &scratch, err);
        if (rc == GUARD_OK &&
            (library == NULL || !finds(library, scratch, DATABASE_PROVED_BY[i].value)))
            rc = guard_fail(err, GUARD_E_VERSION,
                            "the library misses what is there on this processor (%s in %s)",
                            DATABASE_PROVED_BY[i].expression, hs_version());
        if (library != NULL)
            (void)hs_free_database(library);
    }
    if (scratch != NULL)
        (void)hs_free_scratch(scratch);
    return rc;
}

enum guard_rc pattern_database_open(struct pattern_database **out, struct guard_span bytes,
                                    struct guard_err *err)
{
    struct parts parts = {0};
    struct pattern_database *database = calloc(1, sizeof(*database));
    if (database == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc = open_tables(database, bytes, &parts, err);
    if (rc == GUARD_OK)
        rc = prove(&parts, err);
    if (rc == GUARD_OK)
        rc = open_libraries(database, &parts, err);
    if (rc != GUARD_OK) {
        pattern_database_close(database);
        return rc;
    }
    database->info.bytes += sizeof(*database) + database->info.patterns * sizeof(uint64_t) +
                            database->info.unfiltered * sizeof(uint32_t);
    *out = database;
    return GUARD_OK;
}

void pattern_database_close(struct pattern_database *database)
{
    if (database == NULL)
        return;
    if (database->scratch != NULL)
        (void)hs_free_scratch(database->scratch);
    for (int i = 0; i < DATABASE_LANES; i++) {
        if (database->libraries[i] != NULL)
            (void)hs_free_database(database->libraries[i]);
    }
    free(database->ids);
    free(database->unfiltered);
    free(database);
}

void pattern_database_info(const struct pattern_database *database,
                           struct pattern_database_info *out)
{
    *out = database->info;
}

bool pattern_database_has(const struct pattern_database *database, uint64_t pattern)
{
    size_t low = 0;
    size_t high = database->info.patterns;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (database->ids[middle] < pattern)
            low = middle + 1;
        else
            high = middle;
    }
    return low < database->info.patterns && database->ids[low] == pattern;
}

static int on_match(unsigned int number, unsigned long long from, unsigned long long to,
                    unsigned int flags, void *ctx)
{
    const struct scanning *scanning = ctx;
    (void)from;
    (void)to;
    (void)flags;
    if (number < scanning->database->info.patterns)
        scanning->hit(scanning->hit_ctx, scanning->database->ids[number]);
    return 0;
}

bool pattern_database_scan(struct pattern_database *database, struct guard_span stream,
                           guard_pattern_hit *hit, void *hit_ctx)
{
    struct scanning scanning = {database, hit, hit_ctx};
    for (uint32_t i = 0; i < database->info.unfiltered; i++)
        hit(hit_ctx, database->ids[database->unfiltered[i]]);
    if (stream.len == 0)
        return true;
    bool done = stream.len <= UINT32_MAX;
    for (int i = 0; i < DATABASE_LANES && done; i++) {
        if (database->libraries[i] != NULL)
            done =
                hs_scan(database->libraries[i], (const char *)stream.ptr, (unsigned int)stream.len,
                        0, database->scratch, on_match, &scanning) == HS_SUCCESS;
    }
    return done;
}
