/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters stand in the order of their numbers in each text: SQLite takes them for names. */
#include "statements.h"

const struct store_text store_texts[STORE_STATEMENTS] = {
    [SAVE_SERVICE] = {"INSERT INTO service (name, key, generation, pile) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT (name) DO UPDATE "
                      "SET generation = excluded.generation, pile = excluded.pile",
                      "tbib"},
    [LOAD_SERVICES] = {"SELECT name, key, generation, pile FROM service ORDER BY name", ""},
    [SAVE_POSITION] = {"INSERT INTO position (ring, incarnation, sequence) VALUES ($1, $2, $3) "
                       "ON CONFLICT (ring) DO UPDATE "
                       "SET incarnation = excluded.incarnation, sequence = excluded.sequence",
                       "tii"},
    [LOAD_POSITION] = {"SELECT incarnation, sequence FROM position WHERE ring = $1", "t"},
    [FORGET_POSITION] = {"DELETE FROM position WHERE ring = $1", "t"},
    [SAVE_GENERATION] = {"INSERT INTO generation (service, number, created_ms, exchanges, pile) "
                         "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (service, number) DO UPDATE "
                         "SET created_ms = excluded.created_ms, exchanges = excluded.exchanges, "
                         "pile = excluded.pile",
                         "tiiib"},
    [DROP_GENERATION] = {"DELETE FROM generation WHERE service = $1 AND number = $2", "ti"},
    [LIST_GENERATIONS] = {"SELECT number, created_ms, exchanges FROM generation "
                          "WHERE service = $1 ORDER BY number",
                          "t"},
    [LOAD_GENERATION] = {"SELECT pile FROM generation WHERE service = $1 AND number = $2", "ti"},
    [SAVE_REVISION] = {"INSERT INTO revision (service, number, text, seen_ms, until_ms) "
                       "VALUES ($1, $2, $3, $4, $5)",
                       "titii"},
    [DROP_REVISIONS] = {"DELETE FROM revision WHERE service = $1", "t"},
    [LIST_REVISIONS] = {"SELECT text, seen_ms, until_ms FROM revision WHERE service = $1 "
                        "ORDER BY number",
                        "t"},
    [SAVE_NOTE] = {"INSERT INTO note (kind, name, value) VALUES ($1, $2, $3) "
                   "ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value",
                   "ttb"},
    [DROP_NOTE] = {"DELETE FROM note WHERE kind = $1 AND name = $2", "tt"},
    [LIST_NOTES] = {"SELECT name, value FROM note WHERE kind = $1 ORDER BY name", "t"},
    [ADD_DELTA] = {"INSERT INTO delta (service, number, pile) VALUES ($1, $2, $3) "
                   "ON CONFLICT (service, number) DO UPDATE SET pile = excluded.pile",
                   "tib"},
    [DROP_DELTAS] = {"DELETE FROM delta WHERE service = $1 AND number <= $2", "ti"},
    [LIST_DELTAS] = {"SELECT number, pile FROM delta WHERE service = $1 ORDER BY number", "t"},
    [FORGET_SERVICE] = {"DELETE FROM service WHERE name = $1", "t"},
    [FORGET_GENERATIONS] = {"DELETE FROM generation WHERE service = $1", "t"},
    [FORGET_DELTAS] = {"DELETE FROM delta WHERE service = $1", "t"},
    [LOAD_HISTORY] = {"SELECT counts FROM history WHERE service = $1 AND node = $2 AND at = $3",
                      "tti"},
    [SAVE_HISTORY] = {"INSERT INTO history (service, node, at, counts) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT (service, node, at) DO UPDATE SET counts = excluded.counts",
                      "ttib"},
    [LIST_HISTORY] = {"SELECT at, counts FROM history WHERE service = $1 AND at >= $2 AND at < $3 "
                      "AND node <> '>' ORDER BY at",
                      "tii"},
    [LIST_FINE_HISTORY] = {"SELECT at, counts FROM history WHERE service = $1 AND node = $2 "
                           "AND at < $3 AND at % 3600 <> 0 ORDER BY at",
                           "tti"},
    [DROP_FINE_HISTORY] = {"DELETE FROM history WHERE service = $1 AND node = $2 AND at < $3 "
                           "AND at % 3600 <> 0",
                           "tti"},
    [LIST_UNTOLD_HISTORY] = {"SELECT at, counts FROM history WHERE service = $1 AND node = '>' "
                             "ORDER BY at LIMIT 64",
                             "t"},
    [DROP_UNTOLD_HISTORY] = {"DELETE FROM history WHERE service = $1 AND node = '>' AND at <= $2",
                             "ti"},
    [DROP_HISTORY] = {"DELETE FROM history WHERE service = $1 AND at < $2", "ti"},
    [FORGET_HISTORY] = {"DELETE FROM history WHERE service = $1", "t"},
    /* Of several who raise it to the same value one is told so. */
    [RAISE_NOTE] = {"INSERT INTO note (kind, name, value) VALUES ($1, $2, $3) "
                    "ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value "
                    "WHERE note.value < excluded.value RETURNING name",
                    "ttb"},
    [DROP_LOW_NOTES] = {"DELETE FROM note WHERE kind = $1 AND value < $2", "tb"},
    /* Whoever has begun to save under a node's name is waited for: what became of it is then
     * known. */
    [READ_NODE] = {"SELECT saves FROM node WHERE name = $1 FOR UPDATE", "t"},
    [SAVE_NODE] = {"INSERT INTO node (name, saves) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE "
                   "SET saves = excluded.saves, seen = now()",
                   "ti"},
    [LOCK_SERVICE] = {"SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1::bigint ELSE 0::bigint END",
                      "i"},
    [CLAIM_SERVICE] = {"INSERT INTO learner (service, fence, node) VALUES ($1, 1, $2) "
                       "ON CONFLICT (service) DO UPDATE SET fence = learner.fence + 1, "
                       "node = excluded.node, seen = now() RETURNING fence",
                       "tt"},
    [CONFIRM_SERVICE] = {"UPDATE learner SET seen = now() WHERE service = $1 AND fence = $2 "
                         "RETURNING fence",
                         "ti"},
    [ADD_SERVICE] = {"INSERT INTO service (name, key, generation) VALUES ($1, $2, 0) "
                     "ON CONFLICT (name) DO NOTHING",
                     "tb"},
    [READ_SERVICE_KEY] = {"SELECT key FROM service WHERE name = $1", "t"},
    [LOAD_ONE_SERVICE] = {"SELECT name, key, generation, pile FROM service WHERE name = $1", "t"},
    /* taken: the fence of the learner that has it in its pile already, until that is saved. */
    [SAVE_FEED] = {"INSERT INTO feed (service, node, number, pile, taken) "
                   "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (service, node, number) DO NOTHING",
                   "ttibi"},
    [LIST_FEEDS] = {"SELECT node, number, pile FROM feed WHERE service = $1 AND taken <> $2 "
                    "ORDER BY node, number LIMIT 64",
                    "ti"},
    [LIST_FED] = {"SELECT DISTINCT feed.service FROM feed LEFT JOIN learner "
                  "ON learner.service = feed.service WHERE feed.taken IS DISTINCT FROM "
                  "learner.fence",
                  ""},
    [TAKE_FEED] = {"UPDATE feed SET taken = $4 WHERE service = $1 AND node = $2 AND number = $3",
                   "ttii"},
    [DROP_TAKEN] = {"DELETE FROM feed WHERE service = $1 AND taken = $2", "ti"},
    [SAVE_POLICY] = {"INSERT INTO policy (service, generation, bytes, ready) "
                     "VALUES ($1, $2, $3, $4) "
                     "ON CONFLICT (service) DO UPDATE SET generation = excluded.generation, "
                     "bytes = excluded.bytes, ready = excluded.ready",
                     "tibi"},
    [LIST_POLICIES] = {"SELECT service.name, coalesce(policy.generation, 0), "
                       "coalesce(policy.ready, 0) FROM service "
                       "LEFT JOIN policy ON policy.service = service.name ORDER BY service.name",
                       ""},
    [LOAD_POLICY] = {"SELECT bytes FROM policy WHERE service = $1", "t"},
    [FORGET_FEEDS] = {"DELETE FROM feed WHERE service = $1", "t"},
    [FORGET_POLICY] = {"DELETE FROM policy WHERE service = $1", "t"},
    /* Of many at once, separated by commas: whoever came first has them. */
    [BIND_PRODUCERS] = {"INSERT INTO note (kind, name, value) "
                        "SELECT $1, unnest(string_to_array($2, ',')), $3 "
                        "ON CONFLICT (kind, name) DO NOTHING",
                        "ttb"},
    [READ_PRODUCERS] = {"SELECT name, value FROM note WHERE kind = $1 "
                        "AND name = ANY(string_to_array($2, ','))",
                        "tt"},
    [SAVE_TOLD] = {"INSERT INTO told (service, node, reporter, document) VALUES ($1, $2, $3, $4)",
                   "tttb"},
    /* A transaction that is still open may commit rows before those of younger ones: none of them
     * is read before all that are older have ended. */
    [LIST_TOLD] = {"SELECT moment, service, reporter, document, "
                   "greatest(0, (extract(epoch FROM clock_timestamp() - at) * 1000))::bigint "
                   "FROM told WHERE moment >= $1 AND moment < $2 AND node <> $3 "
                   "ORDER BY moment, id LIMIT 1024",
                   "iit"},
    [READ_TOLD_END] = {"SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint", ""},
    [DROP_TOLD] = {"DELETE FROM told WHERE at < now() - interval '5 minutes'", ""},
    [FORGET_TOLD] = {"DELETE FROM told WHERE service = $1", "t"},
    /* The row is locked by whoever changes it: of two at once the second one sees the first one's
     * revision, and changes nothing. */
    [SAVE_DOCUMENT] = {"INSERT INTO document (kind, service, revision, content) "
                       "VALUES ($1, $2, $3, $4) ON CONFLICT (kind, service) DO UPDATE "
                       "SET revision = excluded.revision, content = excluded.content "
                       "WHERE document.revision = excluded.revision - 1 RETURNING revision",
                       "ttib"},
    [LIST_DOCUMENTS] = {"SELECT kind, service, revision FROM document", ""},
    [LOAD_DOCUMENT] = {"SELECT revision, content FROM document WHERE kind = $1 AND service = $2",
                       "tt"},
    [ADD_CHANGE] =
        {"INSERT INTO change (kind, service, revision, content, node, who, why, time_ms) "
         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
         "ON CONFLICT (kind, service, revision) DO NOTHING",
         "ttibttti"},
    [PRUNE_CHANGES] = {"DELETE FROM change WHERE kind = $1 AND service = $2 AND revision <= $3",
                       "tti"},
    [FIND_CHANGE] = {"SELECT coalesce(max(revision), 0) FROM change WHERE kind = $1 "
                     "AND service = $2 AND revision > $3 AND content = $4",
                     "ttib"},
    [LIST_CHANGES] = {"SELECT kind, revision, node, who, why, time_ms, "
                      "CASE WHEN content IS NULL THEN 1::bigint ELSE 0::bigint END FROM change "
                      "WHERE service = $1 ORDER BY time_ms DESC, revision DESC LIMIT 200",
                      "t"},
    /* What was decided of what was learned goes with it; how to judge stays. */
    [FORGET_DOCUMENTS] = {"UPDATE document SET revision = revision + 1, content = NULL "
                          "WHERE service = $1 AND kind IN ('review', 'rollback', 'lifts')",
                          "t"},
    [FORGET_CHANGES] = {"DELETE FROM change WHERE service = $1 "
                        "AND kind IN ('review', 'rollback', 'lifts')",
                        "t"},
    [ADD_POD_RECORDS] = {"INSERT INTO pod_records (service, node, size, bytes) "
                         "VALUES ($1, $2, $3, $4)",
                         "ttib"},
    [COUNT_POD_RECORDS] = {"SELECT service, count(*), sum(size)::bigint FROM pod_records "
                           "GROUP BY service",
                           ""},
    /* Whoever was answered sends what follows, so that has a number that was drawn later. */
    [LIST_POD_RECORDS] = {"SELECT id, at_ms, bytes FROM pod_records WHERE service = $1 "
                          "AND id <> ALL(string_to_array($2, ',')::bigint[]) ORDER BY id LIMIT 8",
                          "tt"},
    [DROP_POD_RECORDS] = {"DELETE FROM pod_records WHERE service = $1 "
                          "AND id = ANY(string_to_array($2, ',')::bigint[])",
                          "tt"},
    [FORGET_POD_RECORDS] = {"DELETE FROM pod_records WHERE service = $1", "t"},
    [READ_NOTE] = {"SELECT value FROM note WHERE kind = $1 AND name = $2", "tt"},
    [READ_LEARNER] = {"SELECT node FROM learner WHERE service = $1", "t"},
};
