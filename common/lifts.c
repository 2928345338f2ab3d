/* SPDX-License-Identifier: Apache-2.0 */
/* The file is replaced whole; the client's own lift stands first. */
#include "common/lifts.h"

#include "common/client_name.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 512 * 1024 };

static void put_lift(struct json_writer *json, const char *client, int64_t until_ms,
                     const char *reason, const char *by)
{
    json_open(json, NULL, '{');
    json_text(json, "client", client);
    json_integer(json, "until_ms", until_ms);
    json_text(json, "reason", reason);
    json_text(json, "by", by);
    json_close(json, '}');
}

/* What is still in force of the file, without the client's own. */
static void put_others(struct json_writer *json, const char *path, const char *client)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    int kept = 1;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    if (document_load(&document, path, &arena, NULL) == GUARD_OK) {
        const struct document_node *list = member_of(document.root, "lifts");
        const struct document_node *node =
            list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
        for (; node != NULL && kept < LIFTS_MAX; node = node->next) {
            if (number_of(node, "until_ms") <= (double)clock_unix_ms() ||
                strcmp(text_of(node, "client"), client) == 0)
                continue;
            put_lift(json, text_of(node, "client"), whole_of(node, "until_ms"),
                     text_of(node, "reason"), text_of(node, "by"));
            kept++;
        }
    }
    guard_arena_reset(&arena);
}

static enum guard_rc write_lift(const struct change *change, const char *path, const char *client,
                                unsigned long seconds, struct guard_err *err)
{
    struct json_writer json;
    char *text = malloc(LIST_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    json_writer_init(&json, text, LIST_MAX);
    json_open(&json, NULL, '{');
    json_open(&json, "lifts", '[');
    put_lift(&json, client, (int64_t)(clock_unix_ms() + (uint64_t)seconds * 1000), change->reason,
             change->who.by);
    put_others(&json, path, client);
    json_close(&json, ']');
    json_close(&json, '}');
    enum guard_rc rc =
        json.overflow ? guard_fail(err, GUARD_E_LIMIT, "the reasons are too long")
                      : file_replace(path, (struct guard_span){(const uint8_t *)text, json.len},
                                     0640, true, err);
    free(text);
    return rc;
}

enum guard_rc change_lift(const struct change *change, const char *client, unsigned long seconds,
                          struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    char what[CLIENT_NAME_MAX + 32];
    if (seconds == 0 || seconds > LIFT_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "seconds: 1 to 90 days");
    GUARD_TRY(state_path(path, change->dir, "clients", change->service, ".lifts"));
    snprintf(what, sizeof(what), "%s for %lu s", client, seconds);
    GUARD_TRY(audit_append(change->dir, &change->who, change->service, "clients lift", "", what,
                           change->reason, err));
    return write_lift(change, path, client, seconds, err);
}
