/* SPDX-License-Identifier: Apache-2.0 */
/* Audits, then replaces or removes one file of the state directory. */
#include "common/changes.h"

#include "common/file.h"
#include "common/guardian.h"
#include "common/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct guard_span no_service = {NULL, 0};

static enum guard_rc path_of(char out[STATE_PATH_MAX], const char *dir, const char *folder,
                             struct guard_span service, const char *suffix, struct guard_err *err)
{
    if (!state_service_valid(service))
        return guard_fail(err, GUARD_E_RANGE,
                          "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (state_path(out, dir, folder, service, suffix) != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    return GUARD_OK;
}

static enum guard_rc audit(const struct change *change, const char *action, const char *before,
                           const char *after, struct guard_err *err)
{
    return audit_append(change->dir, &change->who, change->service, action, before, after,
                        change->reason, err);
}

enum guard_rc change_lock(int *out, const char *dir, const char *folder, bool wait,
                          struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(state_prepare(dir, err));
    if (state_path(path, dir, folder, no_service, "") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0 && flock(lock, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) {
        *out = lock;
        return GUARD_OK;
    }
    enum guard_rc rc =
        lock >= 0 && errno == EWOULDBLOCK
            ? guard_fail(err, GUARD_E_STATE, "somebody else is changing such a document just now")
            : guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    if (lock >= 0)
        close(lock);
    return rc;
}

enum guard_rc change_guardian_of(const char *dir, struct guard_span service,
                                 struct guard_arena *arena, struct guard_guardian *out,
                                 struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(path_of(path, dir, "guardians", service, ".yaml", err));
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        guard_guardian_default(out, service);
        return GUARD_OK;
    }
    return guardian_load(out, path, arena, err);
}

static enum guard_rc save(const struct change *change, struct guard_span text,
                          struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(path_of(path, change->dir, "guardians", change->service, ".yaml", err));
    return file_replace(path, text, 0640, true, err);
}

enum guard_rc change_mode(const struct change *change, struct guard_guardian *guardian,
                          enum guard_mode mode, struct guard_arena *arena, struct guard_err *err)
{
    struct guard_span text;
    const char *before = guard_mode_name(guardian->request_mode);
    guard_guardian_set_mode(guardian, mode);
    GUARD_TRY(guardian_write(guardian, arena, &text, err));
    GUARD_TRY(audit(change, "mode", before, guard_mode_name(mode), err));
    return save(change, text, err);
}

enum guard_rc change_learning(const struct change *change, struct guard_guardian *guardian,
                              bool learn, struct guard_arena *arena, struct guard_err *err)
{
    struct guard_span text;
    const char *before = guardian->learn ? "on" : "paused";
    guardian->learn = learn;
    GUARD_TRY(guardian_write(guardian, arena, &text, err));
    GUARD_TRY(audit(change, "learning", before, learn ? "on" : "paused", err));
    return save(change, text, err);
}

enum guard_rc change_guardian(const struct change *change, struct guard_span text,
                              const char *before, const char *after, struct guard_err *err)
{
    GUARD_TRY(audit(change, "guardian", before, after, err));
    return save(change, text, err);
}

enum guard_rc change_guardian_patches(const struct change *change, struct guard_span text,
                                      const char *before, const char *after, struct guard_err *err)
{
    GUARD_TRY(audit(change, "patch", before, after, err));
    return save(change, text, err);
}

enum guard_rc change_guardian_exceptions(const struct change *change, struct guard_span text,
                                         const char *before, const char *after,
                                         struct guard_err *err)
{
    GUARD_TRY(audit(change, "exception", before, after, err));
    return save(change, text, err);
}

static uint64_t end_of(unsigned long seconds)
{
    return seconds == 0 ? 0 : clock_unix_ms() + (uint64_t)seconds * 1000;
}

/* {"generation"?,"until_ms","reason","by"} */
static enum guard_rc write_request(const struct change *change, const char *path,
                                   uint64_t generation, uint64_t until_ms, struct guard_err *err)
{
    char text[8192];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    if (generation > 0)
        json_integer(&json, "generation", (int64_t)generation);
    json_integer(&json, "until_ms", (int64_t)until_ms);
    json_text(&json, "reason", change->reason);
    json_text(&json, "by", change->who.by);
    json_close(&json, '}');
    if (json.overflow)
        return guard_fail(err, GUARD_E_LIMIT, "reason: is too long");
    return file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, true,
                        err);
}

/* Before anything is audited: what the request couldn't hold. */
static enum guard_rc check_reason(const struct change *change, struct guard_err *err)
{
    return strlen(change->reason) <= CHANGE_REASON_MAX && strlen(change->who.by) <= CHANGE_BY_MAX
               ? GUARD_OK
               : guard_fail(err, GUARD_E_LIMIT, "reason: the reason is too long (at most %d bytes)",
                            CHANGE_REASON_MAX);
}

static enum guard_rc remove_file(const char *path, struct guard_err *err)
{
    return unlink(path) == 0 || errno == ENOENT
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
}

enum guard_rc change_bypass(const struct change *change, unsigned long seconds,
                            struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    char after[48];
    GUARD_TRY(path_of(path, change->dir, "bypass", change->service, ".json", err));
    if (seconds == 0 || seconds > BYPASS_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "a bypass lasts from 1s to 24h");
    GUARD_TRY(check_reason(change, err));
    snprintf(after, sizeof(after), "for %lu s", seconds);
    GUARD_TRY(audit(change, "bypass", "", after, err));
    return write_request(change, path, 0, end_of(seconds), err);
}

enum guard_rc change_bypass_end(const struct change *change, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(path_of(path, change->dir, "bypass", change->service, ".json", err));
    GUARD_TRY(audit(change, "bypass", "", "ended", err));
    return remove_file(path, err);
}

enum guard_rc change_withdraw(const struct change *change, unsigned long seconds,
                              struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    char after[48];
    GUARD_TRY(path_of(path, change->dir, "withdrawn", change->service, ".json", err));
    if (seconds == 0 || seconds > BYPASS_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "a withdrawal lasts from 1s to 24h");
    GUARD_TRY(check_reason(change, err));
    snprintf(after, sizeof(after), "for %lu s", seconds);
    GUARD_TRY(audit(change, "withdraw", "", after, err));
    return write_request(change, path, 0, end_of(seconds), err);
}

enum guard_rc change_withdraw_end(const struct change *change, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(path_of(path, change->dir, "withdrawn", change->service, ".json", err));
    GUARD_TRY(audit(change, "withdraw", "", "ended", err));
    return remove_file(path, err);
}

enum guard_rc change_rollback(const struct change *change, const char *before, uint64_t generation,
                              unsigned long seconds, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    char after[24];
    GUARD_TRY(path_of(path, change->dir, "rollback", change->service, ".json", err));
    if (generation == 0 || generation > INT64_MAX || seconds > ROLLBACK_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "a rollback lasts from 1s to 30d");
    GUARD_TRY(check_reason(change, err));
    snprintf(after, sizeof(after), "%" PRIu64, generation);
    GUARD_TRY(audit(change, "rollback", before, after, err));
    return write_request(change, path, generation, end_of(seconds), err);
}

enum guard_rc change_rollback_end(const struct change *change, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(path_of(path, change->dir, "rollback", change->service, ".json", err));
    if (access(path, F_OK) != 0)
        return guard_fail(err, GUARD_E_STATE, "no rollback is in force");
    GUARD_TRY(audit(change, "rollback", "", "ended", err));
    return remove_file(path, err);
}

const char *triage_state(const char *text)
{
    static const char *const states[] = {"true", "false", "rare"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(text, states[i]) == 0)
            return states[i];
    }
    return NULL;
}

enum guard_rc change_triage(const struct change *change, const char *id, const char *state,
                            struct guard_err *err)
{
    struct audit_line line;
    if (triage_state(state) == NULL || strlen(id) > TRIAGE_ID_MAX ||
        strlen(change->reason) >= TRIAGE_TEXT_MAX)
        return guard_fail(err, GUARD_E_RANGE, "a reason is at most %d bytes", TRIAGE_TEXT_MAX - 1);
    char after[TRIAGE_ID_MAX + 16];
    snprintf(after, sizeof(after), "%s %s", state, id);
    GUARD_TRY(audit(change, "triage", "", after, err));
    audit_line_begin(&line, &change->who);
    json_text(&line.json, "id", id);
    json_string(&line.json, "service", change->service);
    json_text(&line.json, "state", state);
    json_text(&line.json, "reason", change->reason);
    return audit_line_append(&line, change->dir, "triage.jsonl", err);
}
