/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions come from people, and what the library makes of one may be large and take long. The
 * child has limits of time and memory; when it dies, the next one tries each expression alone, and
 * the one after that goes without. */
#include "patterns.h"

#include "limited.h"

#include "common/file.h"
#include "common/log.h"
#include "common/patterns/database.h"
#include "common/patterns/gather.h"
#include "common/patterns/sealed.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOK_MS = 500,
    BUILD_MS_MAX = 120 * 1000,                           /* of one child, by the clock */
    BUILD_CPU_S_MAX = 60,                                /* and of the processor */
    TRY_CPU_S_MAX = 1,                                   /* of one expression alone */
    BUILD_MEMORY_MAX = 2 * 1024 * 1024 * UINT64_C(1024), /* bytes beyond guardd's own */
    RETRY_MS = 5000, /* at least, and four times what the build took */
};

/* How the child ends. */
enum { BUILT = 0, NOT_BUILT = 1, NOT_WRITTEN = 2 };

static const struct guard_span nobody = {NULL, 0};

/* Said once. */
static void open_key(struct patterns *patterns)
{
    struct guard_err err;
    patterns->key_known = node_key_open(&patterns->key, patterns->state, &err) == GUARD_OK;
    if (!patterns->key_known && !patterns->key_missed)
        log_event("alarm", "patterns-not-built", nobody, "%s; patches cost more", err.text);
    patterns->key_missed = !patterns->key_known;
}

void patterns_open(struct patterns *patterns, const char *state)
{
    patterns->state = state;
    open_key(patterns);
}

static bool database_path(char path[STATE_PATH_MAX], const char *state)
{
    return state_path(path, state, "patterns", nobody, "patterns.db") == GUARD_OK;
}

static uint64_t file_seen(const struct patterns *patterns)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    return database_path(path, patterns->state) && stat(path, &info) == 0 ? file_stamp(&info) : 1;
}

/* Of a policy with patches: 0 for another. */
static uint64_t policy_seen(const struct guard_policy *policy)
{
    struct guard_pattern pattern;
    struct guard_policy_info info;
    uint64_t seen = 0;
    if (policy == NULL || !guard_policy_pattern(policy, 0, &pattern))
        return 0;
    guard_policy_info(policy, &info);
    memcpy(&seen, info.digest, sizeof(seen));
    return seen | 1;
}

/* Which documents and policies the patterns come from, and which file is there. */
static uint64_t state_seen(const struct patterns *patterns, const struct services *services)
{
    uint64_t seen = file_seen(patterns);
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service *service = services->list[i];
        const uint64_t part[] = {(uint64_t)(uintptr_t)service, service->guardian_stamp,
                                 service->guardian.patch_count,
                                 policy_seen(service->clients.policy)};
        if (part[2] > 0 || part[3] != 0)
            seen = guard_checksum(seen, (struct guard_span){(const uint8_t *)part, sizeof(part)});
    }
    return seen == 0 ? 1 : seen;
}

/* What gates have in force, which a parent may have made; and what is about to be, so that the
 * database is there early. */
static enum guard_rc gather_all(struct pattern_list *list, const struct services *services)
{
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service *service = services->list[i];
        const struct guard_guardian *guardian = &service->guardian;
        GUARD_TRY(patterns_gather(list, guardian->patches, guardian->patch_count));
        if (service->clients.policy != NULL)
            GUARD_TRY(patterns_gather_policy(list, service->clients.policy));
    }
    list->count = patterns_sort(list->list, list->count);
    return GUARD_OK;
}

/* Whether the file that is there is ours, whole, and has this name. */
static bool is_there(struct patterns *patterns, const uint8_t name[GUARD_DIGEST_BYTES])
{
    char path[STATE_PATH_MAX];
    uint8_t *file = NULL;
    size_t len = 0;
    struct sealed sealed;
    struct guard_span database;
    if (!database_path(path, patterns->state) ||
        file_read(path, SEALED_HEAD_BYTES + (size_t)PATTERN_DATABASE_BYTES, &file, &len, NULL) !=
            GUARD_OK)
        return false;
    bool good = sealed_read(&sealed, (struct guard_span){file, len}, patterns->key.public_key,
                            &database, NULL) == GUARD_OK &&
                memcmp(sealed.name, name, sizeof(sealed.name)) == 0;
    free(file);
    patterns->bytes = len;
    return good;
}

/* In the child. */
static void become_builder(void)
{
    const struct limited limited = {.cpu_s = BUILD_CPU_S_MAX, .memory = BUILD_MEMORY_MAX, .fd = -1};
    limited_become(&limited);
}

/* In a child of the child. */
static bool builds_alone(const struct guard_pattern *pattern)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        struct pattern_build told;
        limited_to(RLIMIT_CPU, TRY_CPU_S_MAX);
        _exit(pattern_database_build(pattern, 1, NULL, &bytes, &len, &told, NULL) != GUARD_OK);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* NULL: no memory. */
static bool *find_doubtful(const struct pattern_list *list, enum patterns_care care)
{
    bool *doubtful = calloc(list->count + 1, sizeof(*doubtful));
    for (size_t i = 0; doubtful != NULL && care != PATTERNS_ALL && i < list->count; i++)
        doubtful[i] =
            list->list[i].regex && (care == PATTERNS_TEXTS || !builds_alone(&list->list[i]));
    return doubtful;
}

static enum guard_rc build(const struct patterns *patterns, const struct pattern_list *list,
                           struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *database = NULL;
    uint8_t *file = NULL;
    size_t len = 0;
    struct pattern_build told;
    bool *doubtful = find_doubtful(list, patterns->care);
    if (doubtful == NULL || !database_path(path, patterns->state))
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    GUARD_TRY(
        pattern_database_build(list->list, list->count, doubtful, &database, &len, &told, err));
    GUARD_TRY(seal((struct guard_span){database, len}, patterns->wanted, patterns->key.secret,
                   &file, &len));
    GUARD_TRY(file_replace(path, (struct guard_span){file, len}, 0640, true, err));
    log_event("info", "patterns-built", nobody,
              "%zu patterns, %zu bytes; %u that each scan names, %u approximate", list->count, len,
              told.unfiltered, told.approximate);
    return GUARD_OK;
}

/* Ends. */
static void be_builder(const struct patterns *patterns, const struct pattern_list *list)
{
    struct guard_err err = {""};
    become_builder();
    enum guard_rc rc = build(patterns, list, &err);
    if (rc != GUARD_OK)
        log_event("warn", "patterns-not-built", nobody, "%s: %s", guard_rc_name(rc), err.text);
    _exit(rc == GUARD_OK ? BUILT : rc == GUARD_E_IO ? NOT_WRITTEN : NOT_BUILT);
}

static void begin_build(struct patterns *patterns, const struct pattern_list *list, uint64_t now_ms)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_builder(patterns, list);
    if (child < 0) {
        log_event("alarm", "patterns-not-built", nobody, "%s", strerror(errno));
        patterns->seen = 0; /* tried again */
        return;
    }
    patterns->child = child;
    patterns->child_since_ms = now_ms;
}

static void tell_failure(struct patterns *patterns)
{
    static const char *const next[] = {
        [PATTERNS_EACH_TRIED] = "each expression is tried alone",
        [PATTERNS_TEXTS] = "tried without expressions",
        [PATTERNS_GIVEN_UP] = "patches cost more until they change",
    };
    patterns->care++;
    log_event(patterns->care == PATTERNS_GIVEN_UP ? "alarm" : "warn", "patterns-not-built", nobody,
              "the build failed or took more than its limits; %s", next[patterns->care]);
}

static void end_build(struct patterns *patterns, uint64_t now_ms)
{
    int status = 0;
    pid_t ended = waitpid(patterns->child, &status, WNOHANG);
    if (ended == 0 && now_ms - patterns->child_since_ms > BUILD_MS_MAX)
        kill(patterns->child, SIGKILL); /* seen at the next look */
    if (ended == 0)
        return;
    patterns->child = 0;
    patterns->build_ms = now_ms - patterns->child_since_ms;
    patterns->seen = 0; /* looked at again: they may have changed meanwhile */
    if (ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == NOT_WRITTEN)
        patterns->retry_ms = now_ms + RETRY_MS + 4 * patterns->build_ms; /* no fault of patterns */
    else if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != BUILT)
        tell_failure(patterns);
}

/* A clock that was set back doesn't make it longer. */
static bool waits(const struct patterns *patterns, uint64_t now_ms)
{
    return now_ms < patterns->retry_ms &&
           patterns->retry_ms - now_ms <= RETRY_MS + 4 * patterns->build_ms;
}

static void look(struct patterns *patterns, const struct services *services, uint64_t now_ms)
{
    struct pattern_list list = {0};
    uint8_t name[GUARD_DIGEST_BYTES];
    enum guard_rc rc = gather_all(&list, services);
    if (rc != GUARD_OK) {
        log_event("alarm", "patterns-not-built", nobody, "%s: too many patterns of patches",
                  guard_rc_name(rc));
        pattern_list_free(&list);
        return;
    }
    patterns_digest(name, list.list, list.count);
    patterns->count = list.count;
    if (memcmp(name, patterns->wanted, sizeof(name)) != 0)
        patterns->care = PATTERNS_ALL;
    /* A file that was looked at isn't read again for policies that have the same patches. */
    bool same = memcmp(name, patterns->wanted, sizeof(name)) == 0 && patterns->up_to_date;
    uint64_t file = file_seen(patterns);
    memcpy(patterns->wanted, name, sizeof(name));
    if (!same || file != patterns->file)
        patterns->up_to_date = is_there(patterns, name);
    patterns->file = file;
    /* Where there never were patches there needn't be a database. */
    if (!patterns->up_to_date && patterns->care != PATTERNS_GIVEN_UP &&
        (list.count > 0 || patterns->bytes > 0))
        begin_build(patterns, &list, now_ms);
    pattern_list_free(&list);
}

void patterns_tick(struct patterns *patterns, const struct services *services, uint64_t now_ms)
{
    if (patterns->child != 0)
        end_build(patterns, now_ms);
    if (patterns->child != 0 || waits(patterns, now_ms) ||
        (now_ms >= patterns->looked_ms && now_ms - patterns->looked_ms < LOOK_MS))
        return;
    patterns->looked_ms = now_ms;
    if (!patterns->key_known)
        open_key(patterns); /* there was no room for it, say */
    if (!patterns->key_known)
        return;
    uint64_t seen = state_seen(patterns, services);
    if (seen == patterns->seen)
        return;
    patterns->seen = seen;
    look(patterns, services, now_ms);
}

void patterns_close(struct patterns *patterns)
{
    if (patterns->child == 0)
        return;
    kill(patterns->child, SIGKILL);
    (void)waitpid(patterns->child, NULL, 0);
    patterns->child = 0;
}
