/* SPDX-License-Identifier: Apache-2.0 */
/* `guard backup` and `guard store check`: the store as it was at one moment, with what people
 * wrote, in a new folder that a fresh guardd can be started on; and how the store is. */
#include "command.h"
#include "common/file.h"
#include "daemon.h"
#include "state_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKUP_KEYS, BACKUP_STATE, BACKUP_STORE };
enum { FILE_BYTES_MAX = 256 << 20, PATH_ROOM = 2 * STATE_PATH_MAX };

static const struct option_spec backup_options[] = {
    {"with-keys", NULL, "also the key that signs policies: keep the backup as secret as it"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"store", "WHERE", "guardd's --store, if it isn't the default"},
    {NULL, NULL, NULL},
};

/* What of a folder is copied: names with this ending. */
struct part {
    const char *folder;
    const char *suffix;
};

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t end = strlen(suffix);
    return len > end && strcmp(text + len - end, suffix) == 0;
}

static bool copy_file(const char *from, const char *to)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct stat info;
    if (stat(from, &info) != 0 && errno == ENOENT)
        return true; /* gone meanwhile */
    enum guard_rc rc = file_read(from, FILE_BYTES_MAX, &bytes, &len, &err);
    if (rc == GUARD_OK)
        rc = file_replace(to, (struct guard_span){bytes, len}, info.st_mode & 0777, true, &err);
    free(bytes);
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

static bool copy_part(const char *state, const char *out, const struct part *part)
{
    char from[PATH_ROOM];
    char to[PATH_ROOM];
    bool good = true;
    snprintf(from, sizeof(from), "%s/%s", state, part->folder);
    snprintf(to, sizeof(to), "%s/%s", out, part->folder);
    DIR *dir = opendir(from);
    if (dir == NULL)
        return errno == ENOENT || complain(0, "%s: %s", from, strerror(errno)) != 0;
    if (mkdir(to, 0750) != 0 && errno != EEXIST)
        good = complain(0, "%s: %s", to, strerror(errno)) != 0;
    for (struct dirent *entry; good && (entry = readdir(dir)) != NULL;) {
        if (!ends_with(entry->d_name, part->suffix))
            continue;
        snprintf(from, sizeof(from), "%s/%s/%s", state, part->folder, entry->d_name);
        snprintf(to, sizeof(to), "%s/%s/%s", out, part->folder, entry->d_name);
        good = copy_file(from, to);
    }
    closedir(dir);
    return good;
}

static bool copy_parts(const char *state, const char *out, bool keys)
{
    static const struct part parts[] = {
        {"guardians", ".yaml"}, {"reviews", ".json"}, {"rollback", ".json"},  {"bypass", ".json"},
        {"clients", ".lifts"},  {"clients", ".norm"}, {"policies", ".policy"}};
    static const struct part secret = {"keys", ".key"};
    static const char *const files[] = {"triage.jsonl", "audit.jsonl"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!copy_part(state, out, &parts[i]))
            return false;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char from[PATH_ROOM];
        char to[PATH_ROOM];
        snprintf(from, sizeof(from), "%s/%s", state, files[i]);
        snprintf(to, sizeof(to), "%s/%s", out, files[i]);
        if (!copy_file(from, to))
            return false;
    }
    return !keys || copy_part(state, out, &secret);
}

static bool copy_store(const char *state, const char *out, const char *store)
{
    char task[PATH_ROOM];
    snprintf(task, sizeof(task), "backup=%s/guard.db", out);
    return daemon_task(state, store, task);
}

static int run_backup(const struct arguments *arguments)
{
    const char *state = state_dir(arguments->values[BACKUP_STATE]);
    const char *store = arguments->values[BACKUP_STORE];
    bool keys = arguments->values[BACKUP_KEYS] != NULL;
    if (arguments->count != 1 || arguments->operands[0][0] == '\0')
        return complain(EXIT_USAGE, "say `guard backup OUT`");
    const char *out = arguments->operands[0];
    if (strlen(out) + 16 > STATE_PATH_MAX || strlen(state) + 16 > STATE_PATH_MAX)
        return complain(EXIT_USAGE, "the path is too long");
    if (mkdir(out, 0700) != 0)
        return complain(EXIT_FAILED, "%s: %s", out,
                        errno == EEXIST ? "is there already; a backup goes into a new folder"
                                        : strerror(errno));
    if (!copy_store(state, out, store) || !copy_parts(state, out, keys))
        return complain(EXIT_FAILED, "%s isn't whole", out);
    printf("%s: the store, Guardians, reviews, rollbacks, bypasses, policies and the newest audit "
           "log\n%s\n"
           "not copied: alerts, rings, older logs\n"
           "to restore: copy it to an empty state directory and start guardd there\n",
           out,
           keys ? "with the key that signs policies: keep it secret"
                : "without the key that signs policies (--with-keys): gates take what a restored "
                  "guardd publishes once they have its new one");
    return EXIT_GOOD;
}

const struct command command_backup = {
    .name = "backup",
    .usage = "OUT",
    .operands = "FILE",
    .summary = "copy what was learned and what people wrote, while guardd runs",
    .details =
        "OUT is a new folder. The store in it is as it was at one moment, and was checked; it "
        "holds the keys of services.\n"
        "A database on PostgreSQL is copied by its own programs.",
    .options = backup_options,
    .run = run_backup,
    .files_only = true,
};

enum { STORE_STATE, STORE_WHERE };

static const struct option_spec store_options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"store", "WHERE", "guardd's --store, if it isn't the default"},
    {NULL, NULL, NULL},
};

static int run_store(const struct arguments *arguments)
{
    const char *state = state_dir(arguments->values[STORE_STATE]);
    if (arguments->count != 1 || strcmp(arguments->operands[0], "check") != 0)
        return complain(EXIT_USAGE, "say `guard store check`");
    return daemon_task(state, arguments->values[STORE_WHERE], "check") ? EXIT_GOOD : EXIT_FAILED;
}

const struct command command_store = {
    .name = "store",
    .usage = "check",
    .operands = "check",
    .summary = "check the store: whether it is sound, its version and sizes",
    .details =
        "Reads all of it, beside a guardd that runs. Prints a JSON object; the exit status is 1 "
        "when it isn't sound.",
    .options = store_options,
    .run = run_store,
    .files_only = true,
};
