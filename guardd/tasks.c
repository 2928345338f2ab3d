/* SPDX-License-Identifier: Apache-2.0 */
/* Without guardd's lock: only the store is opened, and nothing of it is changed. */
#include "tasks.h"

#include "store.h"
#include "store/backup.h"

#include "common/json_writer.h"
#include "common/state.h"

#include <stdio.h>
#include <string.h>

static const char backup[] = "backup=";

bool task_beside(const char *task)
{
    return strcmp(task, "check") == 0 ||
           (strncmp(task, backup, sizeof(backup) - 1) == 0 && task[sizeof(backup) - 1] != '\0');
}

static bool place(char out[STATE_PATH_MAX], const char *state, const char *where)
{
    static const char file[] = "sqlite:";
    if (where == NULL)
        return state_path(out, state, "", (struct guard_span){NULL, 0}, "guard.db") == GUARD_OK;
    if (strncmp(where, "postgres", 8) == 0)
        return false;
    if (strncmp(where, file, sizeof(file) - 1) == 0)
        where += sizeof(file) - 1;
    int len = snprintf(out, STATE_PATH_MAX, "%s", where);
    return len > 0 && len < STATE_PATH_MAX;
}

static int complain(const char *text)
{
    fprintf(stderr, "guardd: %s\n", text);
    return 1;
}

static int check(const char *path)
{
    char text[1024];
    struct store_health health;
    struct json_writer json;
    struct guard_err err;
    if (sqlite_health(path, &health, &err) != GUARD_OK)
        return complain(err.text);
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_bool(&json, "sound", health.sound);
    json_text(&json, "trouble", health.sound ? "" : health.trouble);
    json_integer(&json, "version", health.version);
    json_integer(&json, "services", health.services);
    json_integer(&json, "pile_bytes", health.pile_bytes);
    json_integer(&json, "generations", health.generations);
    json_integer(&json, "generation_bytes", health.generation_bytes);
    json_integer(&json, "file_bytes", health.file_bytes);
    json_close(&json, '}');
    printf("%.*s\n", (int)json.len, text);
    return health.sound ? 0 : 1;
}

int task_do_beside(const char *task, const char *state, const char *where)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    if (!place(path, state, where))
        return complain("PostgreSQL is copied by pg_dump and checked by pg_amcheck");
    if (strcmp(task, "check") == 0)
        return check(path);
    return sqlite_backup(path, task + sizeof(backup) - 1, &err) == GUARD_OK ? 0
                                                                            : complain(err.text);
}
