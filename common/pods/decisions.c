/* SPDX-License-Identifier: Apache-2.0 */
/* The file is read strictly and replaced whole, under its folder's lock. */
#include "common/pods/decisions.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = DOCUMENT_BYTES_MAX };

static enum guard_rc path_of(char out[STATE_PATH_MAX], const char *dir, struct guard_span service,
                             struct guard_err *err)
{
    enum guard_rc rc = state_path(out, dir, "pods", service, ".decisions");
    return rc == GUARD_OK ? rc : guard_fail(err, rc, "%s", "no name of a service, or too long");
}

bool pod_thing_id_read(const char *text, uint64_t *out)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *out = strtoull(text, NULL, 16);
    return true;
}

/* --- reading --- */

static enum guard_rc read_decision(const struct document *document,
                                   const struct document_node *node, struct pod_decision *out,
                                   struct guard_err *err)
{
    const char *word = text_of(node, "decision");
    *out = (struct pod_decision){.time_ms = (uint64_t)whole_of(node, "time_ms"),
                                 .what = text_of(node, "what"),
                                 .why = text_of(node, "reason"),
                                 .by = text_of(node, "by")};
    if (!pod_thing_id_read(text_of(node, "id"), &out->id))
        return document_fail(document, node, GUARD_E_RANGE, err, "id: sixteen digits of 0-9a-f");
    if (whole_of(node, "time_ms") <= 0)
        return document_fail(document, node, GUARD_E_RANGE, err, "time_ms: no time");
    if (strcmp(word, "approve") == 0)
        out->review = GUARD_POD_APPROVED;
    else if (strcmp(word, "refuse") == 0)
        out->review = GUARD_POD_REFUSED;
    else
        return document_fail(document, node, GUARD_E_RANGE, err, "decision: approve or refuse");
    return GUARD_OK;
}

static enum guard_rc read_session(const struct document *document, const struct document_node *node,
                                  struct pod_session *out, struct guard_err *err)
{
    *out = (struct pod_session){.name_space = text_of(node, "namespace"),
                                .pod = text_of(node, "pod"),
                                .until_ms = (uint64_t)whole_of(node, "until_ms"),
                                .why = text_of(node, "reason"),
                                .by = text_of(node, "by")};
    return out->name_space[0] != '\0' && out->pod[0] != '\0' && whole_of(node, "until_ms") > 0
               ? GUARD_OK
               : document_fail(document, node, GUARD_E_RANGE, err,
                               "a session has namespace, pod and until_ms");
}

static const struct document_node *list_of(const struct document *document, const char *name)
{
    const struct document_node *list = member_of(document->root, name);
    return list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
}

static enum guard_rc read_all(struct pod_decisions *out, const struct document *document,
                              struct guard_err *err)
{
    for (const struct document_node *node = list_of(document, "decisions"); node != NULL;
         node = node->next) {
        if (out->count == POD_DECISIONS_MAX)
            return document_fail(document, node, GUARD_E_LIMIT, err, "more than %d decisions",
                                 POD_DECISIONS_MAX);
        GUARD_TRY(read_decision(document, node, &out->list[out->count++], err));
    }
    for (const struct document_node *node = list_of(document, "sessions"); node != NULL;
         node = node->next) {
        if (out->session_count == POD_SESSIONS_MAX)
            return document_fail(document, node, GUARD_E_LIMIT, err, "more than %d sessions",
                                 POD_SESSIONS_MAX);
        GUARD_TRY(read_session(document, node, &out->sessions[out->session_count++], err));
    }
    return GUARD_OK;
}

enum guard_rc pod_decisions_load(struct pod_decisions **out, const char *dir,
                                 struct guard_span service, struct guard_arena *arena,
                                 struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct document document;
    struct pod_decisions *decisions = guard_arena_get(arena, sizeof(*decisions));
    if (decisions == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    memset(decisions, 0, sizeof(*decisions));
    *out = decisions;
    GUARD_TRY(path_of(path, dir, service, err));
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return GUARD_OK;
    GUARD_TRY(document_load(&document, path, arena, err));
    return read_all(decisions, &document, err);
}

/* --- writing --- */

static void write_decision(struct json_writer *json, const struct pod_decision *decision)
{
    char id[17];
    snprintf(id, sizeof(id), "%016" PRIx64, decision->id);
    json_open(json, NULL, '{');
    json_text(json, "id", id);
    json_text(json, "decision", decision->review == GUARD_POD_APPROVED ? "approve" : "refuse");
    json_integer(json, "time_ms", (int64_t)decision->time_ms);
    json_text(json, "what", decision->what);
    json_text(json, "reason", decision->why);
    json_text(json, "by", decision->by);
    json_close(json, '}');
}

static void write_session(struct json_writer *json, const struct pod_session *session)
{
    json_open(json, NULL, '{');
    json_text(json, "namespace", session->name_space);
    json_text(json, "pod", session->pod);
    json_integer(json, "until_ms", (int64_t)session->until_ms);
    json_text(json, "reason", session->why);
    json_text(json, "by", session->by);
    json_close(json, '}');
}

static enum guard_rc save(const char *path, const struct pod_decisions *decisions,
                          struct guard_err *err)
{
    struct json_writer json;
    char *text = malloc(TEXT_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    json_writer_init(&json, text, TEXT_MAX);
    json_open(&json, NULL, '{');
    json_open(&json, "decisions", '[');
    for (uint32_t i = 0; i < decisions->count; i++)
        write_decision(&json, &decisions->list[i]);
    json_close(&json, ']');
    json_open(&json, "sessions", '[');
    for (uint32_t i = 0; i < decisions->session_count; i++)
        write_session(&json, &decisions->sessions[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    enum guard_rc rc =
        json.overflow ? guard_fail(err, GUARD_E_LIMIT, "the reasons are too long")
                      : file_replace(path, (struct guard_span){(const uint8_t *)text, json.len},
                                     0640, true, err);
    free(text);
    return rc;
}

/* In front of the others, without what it takes the place of. */
static enum guard_rc put_decision(struct pod_decisions *decisions, const struct pod_decision *new,
                                  struct guard_err *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < decisions->count; i++) {
        if (decisions->list[i].id != new->id)
            decisions->list[kept++] = decisions->list[i];
    }
    if (kept == POD_DECISIONS_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "there are %d decisions already", POD_DECISIONS_MAX);
    memmove(decisions->list + 1, decisions->list, kept * sizeof(decisions->list[0]));
    decisions->list[0] = *new;
    decisions->count = kept + 1;
    return GUARD_OK;
}

static enum guard_rc put_session(struct pod_decisions *decisions, const struct pod_session *new,
                                 uint64_t now_ms, struct guard_err *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < decisions->session_count; i++) {
        const struct pod_session *session = &decisions->sessions[i];
        bool same = strcmp(session->name_space, new->name_space) == 0 &&
                    strcmp(session->pod, new->pod) == 0;
        if (!same && session->until_ms > now_ms)
            decisions->sessions[kept++] = *session;
    }
    decisions->session_count = kept;
    if (new->until_ms <= now_ms)
        return GUARD_OK;
    if (kept == POD_SESSIONS_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "there are %d sessions already", POD_SESSIONS_MAX);
    decisions->sessions[decisions->session_count++] = *new;
    return GUARD_OK;
}

/* One of the two is NULL. Found good first, then audited, then written. */
static enum guard_rc change_under_lock(const struct change *change,
                                       const struct pod_decision *decision,
                                       const struct pod_session *session, const char *action,
                                       const char *after, struct guard_arena *arena,
                                       struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct pod_decisions *decisions = NULL;
    GUARD_TRY(path_of(path, change->dir, change->service, err));
    GUARD_TRY(pod_decisions_load(&decisions, change->dir, change->service, arena, err));
    GUARD_TRY(decision != NULL ? put_decision(decisions, decision, err)
                               : put_session(decisions, session, clock_unix_ms(), err));
    GUARD_TRY(audit_append(change->dir, &change->who, change->service, action, "", after,
                           change->reason, err));
    return save(path, decisions, err);
}

static enum guard_rc change_file(const struct change *change, const struct pod_decision *decision,
                                 const struct pod_session *session, const char *action,
                                 const char *after, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    int lock = -1;
    GUARD_TRY(change_lock(&lock, change->dir, "pods", true, err));
    guard_arena_init(&arena, &heap, POD_DECISIONS_ARENA);
    enum guard_rc rc = change_under_lock(change, decision, session, action, after, &arena, err);
    guard_arena_reset(&arena);
    close(lock);
    return rc;
}

enum guard_rc change_pod_decision(const struct change *change, const struct pod_decision *decision,
                                  struct guard_err *err)
{
    char after[POD_DECISION_WHAT_MAX + 32];
    struct pod_decision written = *decision;
    written.time_ms = clock_unix_ms();
    written.why = change->reason;
    written.by = change->who.by;
    snprintf(after, sizeof(after), "%016" PRIx64 " %.160s", decision->id, decision->what);
    return change_file(change, &written, NULL,
                       decision->review == GUARD_POD_APPROVED ? "pods approve" : "pods refuse",
                       after, err);
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("/\"\\", text[i]) != NULL)
            return false;
    }
    return len > 0 && len <= GUARD_POD_NAME_MAX;
}

enum guard_rc change_pod_session(const struct change *change, const char *name_space,
                                 const char *pod, unsigned long seconds, struct guard_err *err)
{
    char after[2 * GUARD_POD_NAME_MAX + 64];
    if (!is_name(name_space) || !is_name(pod))
        return guard_fail(err, GUARD_E_RANGE, "pod: say NAMESPACE/POD");
    if (seconds > POD_SESSION_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "seconds: at most a day");
    const struct pod_session session = {.name_space = name_space,
                                        .pod = pod,
                                        .until_ms = clock_unix_ms() + (uint64_t)seconds * 1000,
                                        .why = change->reason,
                                        .by = change->who.by};
    snprintf(after, sizeof(after), "%s/%s for %lu s", name_space, pod, seconds);
    return change_file(change, NULL, &session, "pods session", after, err);
}
