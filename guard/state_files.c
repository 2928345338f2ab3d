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
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    enum guard_rc rc = file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, &err);
    if (rc == GUARD_E_IO && errno == ENOENT && quiet)
        return false;
    if (rc == GUARD_OK)
        rc = document_parse(out, path, (struct guard_span){bytes, len}, arena, &err);
    free(bytes);
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

const struct document_node *member_of(const struct document_node *mapping, const char *name)
{
    if (mapping == NULL || mapping->kind != DOCUMENT_MAPPING)
        return NULL;
    for (const struct document_node *node = mapping->first; node != NULL; node = node->next) {
        if (strcmp((const char *)node->key->text.ptr, name) == 0)
            return node;
    }
    return NULL;
}

const char *text_of(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = member_of(mapping, name);
    return node != NULL && node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
}

double number_of(const struct document_node *mapping, const char *name)
{
    return strtod(text_of(mapping, name), NULL);
}

bool state_guardian(const char *dir, struct guard_span service, struct guard_arena *arena,
                    struct guard_guardian *out)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    if (service.len == 0 || state_path(path, dir, "guardians", service, ".yaml") != GUARD_OK)
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        guard_guardian_default(out, service);
        return true;
    }
    return guardian_load(out, path, arena, &err) == GUARD_OK || complain(0, "%s", err.text) != 0;
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

void state_line_begin(struct state_line *line)
{
    char user[128];
    user_name(user, sizeof(user));
    json_writer_init(&line->json, line->text, sizeof(line->text));
    json_open(&line->json, NULL, '{');
    json_integer(&line->json, "time_ms", (int64_t)clock_unix_ms());
    json_text(&line->json, "by", user);
}

bool state_line_append(struct state_line *line, const char *dir, const char *file)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    json_close(&line->json, '}');
    if (line->json.overflow)
        return complain(0, "the reason is too long") != 0;
    if (state_path(path, dir, "", (struct guard_span){NULL, 0}, file) != GUARD_OK)
        return complain(0, "the path is too long") != 0;
    if (file_append_line(path, (struct guard_span){(const uint8_t *)line->text, line->json.len},
                         &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return true;
}

bool state_audit(const char *dir, struct guard_span service, const char *action, const char *before,
                 const char *after, const char *reason)
{
    struct state_line line;
    state_line_begin(&line);
    json_text(&line.json, "action", action);
    json_string(&line.json, "service", service);
    json_text(&line.json, "before", before);
    json_text(&line.json, "after", after);
    json_text(&line.json, "reason", reason);
    return state_line_append(&line, dir, "audit.jsonl");
}
