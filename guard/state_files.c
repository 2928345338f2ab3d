/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and changes the files of the state directory. */
#include "state_files.h"

#include "command.h"
#include "common/file.h"
#include "common/guardian.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *state_dir(const char *option)
{
    if (option != NULL)
        return option;
    const char *environment = getenv("GUARD_STATE");
    return environment != NULL && environment[0] != '\0' ? environment : "/var/lib/guard";
}

bool state_document(const char *path, struct guard_arena *arena, struct document *out, bool quiet)
{
    struct guard_err err;
    enum guard_rc rc = document_load(out, path, arena, &err);
    if (rc == GUARD_E_IO && errno == ENOENT && quiet)
        return false;
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

bool state_guardian(const char *dir, struct guard_span service, struct guard_arena *arena,
                    struct guard_guardian *out)
{
    struct guard_err err;
    return change_guardian_of(dir, service, arena, out, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

bool state_guardian_save(const char *dir, const struct guard_guardian *guardian,
                         struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    struct guard_span text;
    if (state_path(path, dir, "guardians", guardian->service, ".yaml") != GUARD_OK)
        return complain(0, "the path is too long") != 0;
    if (guardian_write(guardian, arena, &text, &err) != GUARD_OK ||
        file_replace(path, text, 0640, true, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return true;
}

void state_share(void)
{
    umask(027);
}

void user_name(char *out, size_t cap)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *account = getpwuid(getuid());
    if (sudo != NULL && sudo[0] != '\0')
        snprintf(out, cap, "%s", sudo);
    else if (account != NULL)
        snprintf(out, cap, "%s", account->pw_name);
    else
        snprintf(out, cap, "uid %ld", (long)getuid());
}

bool state_change(struct state_change *out, const char *dir, struct guard_span service,
                  const char *reason)
{
    user_name(out->user, sizeof(out->user));
    out->change = (struct change){.dir = dir,
                                  .service = service,
                                  .who = {.by = out->user, .uid = (int64_t)getuid(), .via = "cli"},
                                  .reason = reason != NULL ? reason : ""};
    state_share();
    return state_service_valid(service) ||
           complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
}

bool state_audit(const char *dir, struct guard_span service, const char *action, const char *before,
                 const char *after, const char *reason)
{
    struct state_change who;
    struct guard_err err;
    return state_change(&who, dir, service, reason) &&
           (audit_append(dir, &who.change.who, service, action, before, after, who.change.reason,
                         &err) == GUARD_OK ||
            complain(0, "%s", err.text) != 0);
}

bool state_learns(const char *dir)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document status;
    bool learns = true;
    guard_arena_init(&arena, &heap, (size_t)96 << 20);
    if (state_path(path, dir, "", (struct guard_span){NULL, 0}, "status.json") == GUARD_OK &&
        document_load(&status, path, &arena, NULL) == GUARD_OK) {
        const char *parent = text_of(member_of(status.root, "parent"), "server");
        learns = parent[0] == '\0';
        if (!learns)
            complain(
                0, "%s: guardd is an agent here, and its parent learns and publishes: do it at %s",
                dir, parent);
    }
    guard_arena_reset(&arena);
    return learns;
}

bool state_lock(int *out, const char *dir, const char *folder)
{
    struct guard_err err;
    bool decides = strcmp(folder, "guardians") == 0 || strcmp(folder, "reviews") == 0;
    if (decides && !state_learns(dir))
        return false;
    return change_lock(out, dir, folder, true, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}
