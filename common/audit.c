/* SPDX-License-Identifier: Apache-2.0 */
/* Appends to the audit log. */
#include "common/audit.h"

#include "common/file.h"
#include "common/state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const struct guard_span no_service = {NULL, 0};

void audit_line_begin(struct audit_line *line, const struct audit_who *who)
{
    json_writer_init(&line->json, line->text, sizeof(line->text));
    json_open(&line->json, NULL, '{');
    json_integer(&line->json, "time_ms", (int64_t)clock_unix_ms());
    json_text(&line->json, "by", who->by);
    json_integer(&line->json, "uid", who->uid);
    json_text(&line->json, "via", who->via);
    if (who->token != NULL && who->token[0] != '\0')
        json_text(&line->json, "token", who->token);
    if (who->subject != NULL && who->subject[0] != '\0')
        json_text(&line->json, "subject", who->subject);
}

int audit_lock(const char *dir)
{
    enum { TRIES = 100, PAUSE_NS = 10000000 };
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    char path[STATE_PATH_MAX];
    if (state_path(path, dir, "", no_service, "audit.lock") != GUARD_OK)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    for (int i = 0; fd >= 0 && i < TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

enum guard_rc audit_line_append(struct audit_line *line, const char *dir, const char *file,
                                struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    json_close(&line->json, '}');
    if (line->json.overflow)
        return guard_fail(err, GUARD_E_LIMIT, "reason: is too long");
    if (state_path(path, dir, "", no_service, file) != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    int lock = audit_lock(dir);
    file_rotate(path, AUDIT_FILE_MAX, AUDIT_FILES_OLDER);
    enum guard_rc rc = file_append_line(
        path, (struct guard_span){(const uint8_t *)line->text, line->json.len}, err);
    if (lock >= 0)
        close(lock);
    return rc;
}

enum guard_rc audit_append(const char *dir, const struct audit_who *who, struct guard_span service,
                           const char *action, const char *before, const char *after,
                           const char *reason, struct guard_err *err)
{
    struct audit_line line;
    audit_line_begin(&line, who);
    json_text(&line.json, "action", action);
    json_string(&line.json, "service", service);
    json_text(&line.json, "before", before);
    json_text(&line.json, "after", after);
    json_text(&line.json, "reason", reason);
    return audit_line_append(&line, dir, "audit.jsonl", err);
}
