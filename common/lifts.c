/* SPDX-License-Identifier: Apache-2.0 */
/* The file is replaced whole; what is new of a client stands first in its list. */
#include "common/lifts.h"

#include "common/client_name.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MAX = 1024 * 1024, ARENA_MAX = 16 << 20 };
enum { SKEW_MS = 60000 }; /* of the clock of who wrote the file */

/* --- reading --- */

static bool read_block(const struct document_node *node, uint64_t now_ms, struct client_block *out)
{
    const uint64_t longest_ms = (uint64_t)BLOCK_SECONDS_MAX * 1000 + SKEW_MS;
    const char *why;
    int64_t until = whole_of(node, "until_ms");
    int64_t since = whole_of(node, "since_ms");
    if (until < 0 || (uint64_t)until > now_ms + longest_ms ||
        !client_name_of_one(text_of(node, "client"), out->client, &why))
        return false;
    out->until_ms = (uint64_t)until;
    out->since_ms = since > 0 ? (uint64_t)since : 0;
    snprintf(out->why, sizeof(out->why), "blocked by hand (%.128s): %s", text_of(node, "by"),
             text_of(node, "reason"));
    return true;
}

uint32_t blocks_read(const struct document_node *list, uint64_t now_ms, struct client_block *out,
                     uint32_t most, uint32_t *refused)
{
    uint32_t count = 0;
    *refused = 0;
    const struct document_node *node =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    for (; node != NULL; node = node->next) {
        if (count == most || !read_block(node, now_ms, &out[count]))
            (*refused)++;
        else if (out[count].until_ms > now_ms)
            count++;
    }
    return count;
}

/* --- changing --- */

enum decided { LIFT, BLOCK, END };

/* One client's decision among those that are there. */
struct edit {
    const struct change *change;
    const char *client;
    enum decided decided;
    uint64_t seconds;
    uint64_t now_ms;
    char path[STATE_PATH_MAX];
    struct guard_arena arena;
    const struct document_node *root; /* NULL: there is no file, or a damaged one */
};

static const struct document_node *first_of(const struct edit *edit, const char *name)
{
    const struct document_node *list = edit->root != NULL ? member_of(edit->root, name) : NULL;
    return list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
}

static bool is_over(const struct edit *edit, const struct document_node *node)
{
    return number_of(node, "until_ms") <= (double)edit->now_ms;
}

static bool is_own(const struct edit *edit, const struct document_node *node)
{
    return strcmp(text_of(node, "client"), edit->client) == 0;
}

/* --- writing --- */

static void put_own(const struct edit *edit, struct json_writer *json)
{
    json_open(json, NULL, '{');
    json_text(json, "client", edit->client);
    if (edit->decided == BLOCK)
        json_integer(json, "since_ms", (int64_t)edit->now_ms);
    json_integer(json, "until_ms", (int64_t)(edit->now_ms + edit->seconds * 1000));
    json_text(json, "reason", edit->change->reason);
    json_text(json, "by", edit->change->who.by);
    json_close(json, '}');
}

static void put_other(struct json_writer *json, const struct document_node *node)
{
    json_open(json, NULL, '{');
    json_text(json, "client", text_of(node, "client"));
    if (member_of(node, "since_ms") != NULL)
        json_integer(json, "since_ms", whole_of(node, "since_ms"));
    json_integer(json, "until_ms", whole_of(node, "until_ms"));
    json_text(json, "reason", text_of(node, "reason"));
    json_text(json, "by", text_of(node, "by"));
    json_close(json, '}');
}

static void put_list(const struct edit *edit, struct json_writer *json, const char *name, bool own,
                     int most)
{
    int kept = 0;
    json_open(json, name, '[');
    if (own) {
        put_own(edit, json);
        kept++;
    }
    for (const struct document_node *node = first_of(edit, name); node != NULL && kept < most;
         node = node->next) {
        if (is_over(edit, node) || is_own(edit, node))
            continue;
        put_other(json, node);
        kept++;
    }
    json_close(json, ']');
}

static enum guard_rc write_file(const struct edit *edit, struct guard_err *err)
{
    struct json_writer json;
    char *text = malloc(LIST_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    json_writer_init(&json, text, LIST_MAX);
    json_open(&json, NULL, '{');
    put_list(edit, &json, "lifts", edit->decided == LIFT, LIFTS_MAX);
    put_list(edit, &json, "blocks", edit->decided == BLOCK, BLOCKS_MAX);
    json_close(&json, '}');
    enum guard_rc rc =
        json.overflow
            ? guard_fail(err, GUARD_E_LIMIT, "the reasons are too long")
            : file_replace(edit->path, (struct guard_span){(const uint8_t *)text, json.len}, 0640,
                           true, err);
    free(text);
    return rc;
}

/* --- the whole --- */

/* The arena is the caller's to reset, in any case. */
static enum guard_rc begin(struct edit *edit, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct document document;
    guard_arena_init(&edit->arena, &heap, ARENA_MAX);
    edit->now_ms = clock_unix_ms();
    edit->root = NULL;
    GUARD_TRY(
        state_path(edit->path, edit->change->dir, "clients", edit->change->service, ".lifts"));
    if (access(edit->path, F_OK) != 0)
        return GUARD_OK;
    GUARD_TRY(document_load(&document, edit->path, &edit->arena, err));
    edit->root = document.root;
    return GUARD_OK;
}

static enum guard_rc finish(const struct edit *edit, const char *action, struct guard_err *err)
{
    char what[CLIENT_NAME_MAX + 32];
    if (edit->decided == END)
        snprintf(what, sizeof(what), "%s", edit->client);
    else
        snprintf(what, sizeof(what), "%s for %llu s", edit->client,
                 (unsigned long long)edit->seconds);
    GUARD_TRY(audit_append(edit->change->dir, &edit->change->who, edit->change->service, action, "",
                           what, edit->change->reason, err));
    return write_file(edit, err);
}

enum guard_rc change_lift(const struct change *change, const char *client, unsigned long seconds,
                          struct guard_err *err)
{
    struct edit edit = {.change = change, .client = client, .decided = LIFT, .seconds = seconds};
    if (seconds == 0 || seconds > LIFT_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "seconds: 1 to 90 days");
    enum guard_rc rc = begin(&edit, err);
    if (rc == GUARD_E_SYNTAX) /* somebody waits to be let in */
        rc = GUARD_OK;
    if (rc == GUARD_OK)
        rc = finish(&edit, "clients lift", err);
    guard_arena_reset(&edit.arena);
    return rc;
}

static enum guard_rc room_for(const struct edit *edit, struct guard_err *err)
{
    int others = 0;
    for (const struct document_node *node = first_of(edit, "blocks"); node != NULL;
         node = node->next)
        others += !is_over(edit, node) && !is_own(edit, node);
    return others < BLOCKS_MAX
               ? GUARD_OK
               : guard_fail(err, GUARD_E_LIMIT,
                            "client: %d others are blocked by hand already: end some of them",
                            others);
}

enum guard_rc change_block(const struct change *change, const char *client, unsigned long seconds,
                           bool dry, struct guard_err *err)
{
    struct edit edit = {.change = change, .client = client, .decided = BLOCK, .seconds = seconds};
    if (seconds == 0 || seconds > BLOCK_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "seconds: 1 to 30 days");
    enum guard_rc rc = begin(&edit, err);
    if (rc == GUARD_OK)
        rc = room_for(&edit, err);
    if (rc == GUARD_OK && !dry)
        rc = finish(&edit, "clients block", err);
    guard_arena_reset(&edit.arena);
    return rc;
}

enum guard_rc change_block_end(const struct change *change, const char *client,
                               struct guard_err *err)
{
    struct edit edit = {.change = change, .client = client, .decided = END};
    bool there = false;
    enum guard_rc rc = begin(&edit, err);
    for (const struct document_node *node = first_of(&edit, "blocks"); node != NULL && !there;
         node = node->next)
        there = is_own(&edit, node) && !is_over(&edit, node);
    if (rc == GUARD_OK && !there)
        rc = guard_fail(err, GUARD_E_STATE, "%s isn't blocked by hand", client);
    if (rc == GUARD_OK)
        rc = finish(&edit, "clients unblock", err);
    guard_arena_reset(&edit.arena);
    return rc;
}
