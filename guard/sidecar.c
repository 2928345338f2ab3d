/* SPDX-License-Identifier: Apache-2.0 */
/* Reads these options, and looks after the Guardian's file. */
#include "sidecar.h"

#include "common/file.h"
#include "common/guardian.h"
#include "common/log.h"
#include "common/pods/withdrawals.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DRAIN_MAX_S = 3600, GUARDIAN_ARENA = 16 << 20 };

bool sidecar_is_upstream(const char *text)
{
    bool web = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    return web && strchr(strstr(text, "//") + 2, '/') == NULL && text[strlen(text) - 1] != '/';
}

/* Addresses stand in a configuration as they are. */
static bool is_address(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool alnum = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                     (text[i] >= '0' && text[i] <= '9');
        if (!alnum && strchr(".:/-_[]", text[i]) == NULL)
            return false;
    }
    return len > 0 && len < ADDRESS_CAP;
}

static bool add_also(struct sidecar *out, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || !is_address(text, (size_t)(equals - text)) ||
        !is_address(equals + 1, strlen(equals + 1)) || !sidecar_is_upstream(equals + 1))
        return complain(0, "--also is LISTEN=http://host:port") != 0;
    if (out->also_count == ALSO_MAX)
        return complain(0, "more than %d times --also", ALSO_MAX) != 0;
    int index = out->also_count++;
    snprintf(out->also[index].listen, ADDRESS_CAP, "%.*s", (int)(equals - text), text);
    snprintf(out->also[index].upstream, ADDRESS_CAP, "%s", equals + 1);
    return true;
}

static bool is_probe(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "/._~-";
    return path[0] == '/' && strspn(path, allowed) == strlen(path) && strlen(path) < ADDRESS_CAP;
}

bool sidecar_read(struct sidecar *out, const struct arguments *arguments,
                  const struct sidecar_options *options)
{
    const char *const *values = arguments->values;
    const char *drain = values[options->drain];
    struct pod_self pod;
    struct guard_err err;
    out->probe = values[options->probe];
    out->guardian = values[options->guardian];
    out->parent = values[options->parent];
    out->parent_token = values[options->parent_token];
    out->parent_ca = values[options->parent_ca];
    out->policy_key = values[options->policy_key];
    out->pod = values[options->pod];
    out->pod_sensor = values[options->pod_sensor];
    for (int i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == options->also &&
            !add_also(out, arguments->given[i].value))
            return false;
    }
    if (drain != NULL)
        out->drain_ms = (uint64_t)read_seconds(drain, DRAIN_MAX_S) * 1000;
    if (drain != NULL && out->drain_ms == 0)
        return complain(0, "--drain is a time, as 5s or 1m, of at most an hour") != 0;
    if (out->probe != NULL && !is_probe(out->probe))
        return complain(0, "--probe is a path of letters, digits and ._~-") != 0;
    if (out->pod != NULL && pod_self_read(&pod, out->pod, &err) != GUARD_OK)
        return complain(0, "--pod: %s", err.text) != 0;
    if (out->parent == NULL &&
        (out->parent_token != NULL || out->parent_ca != NULL || out->policy_key != NULL))
        return complain(0, "--parent-token, --parent-ca and --policy-key go with --parent") != 0;
    if (out->parent != NULL && (out->guardian != NULL || out->policy_key == NULL))
        return complain(0, out->policy_key == NULL
                               ? "--parent needs --policy-key, its public key"
                               : "with --parent the Guardian is the parent's") != 0;
    return true;
}

void sidecar_follow(struct sidecar *sidecar, const char *service, const char *outbound)
{
    snprintf(sidecar->follow, sizeof(sidecar->follow), "%s%s%s", service,
             outbound != NULL ? "," : "", outbound != NULL ? outbound : "");
}

void sidecar_daemon_arguments(const struct sidecar *sidecar, char **argv, int count)
{
    static char role[] = "--role=agent";
    const struct {
        const char *option;
        const char *value;
    } options[] = {{"--parent", sidecar->parent},
                   {"--parent-token", sidecar->parent_token},
                   {"--parent-ca", sidecar->parent_ca},
                   {"--policy-key", sidecar->policy_key},
                   {"--pod", sidecar->pod},
                   {"--pod-sensor", sidecar->pod_sensor},
                   {"--follow", sidecar->parent != NULL ? sidecar->follow : NULL}};
    if (sidecar->parent != NULL)
        argv[count++] = role;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (options[i].value == NULL)
            continue;
        argv[count++] = (char *)(uintptr_t)options[i].option; /* execv takes them, and keeps them */
        argv[count++] = (char *)(uintptr_t)options[i].value;
    }
    argv[count] = NULL;
}

static enum guard_rc install(const struct sidecar *sidecar, const char *state, const char *service,
                             const char *mode, struct guard_arena *arena, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct guard_guardian guardian;
    struct guard_span text;
    enum guard_mode wanted;
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    GUARD_TRY(guardian_load(&guardian, sidecar->guardian, arena, err));
    if (guardian.service.len != name.len || memcmp(guardian.service.ptr, name.ptr, name.len) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "%s: is for service \"%.*s\", not \"%s\"",
                          sidecar->guardian, (int)guardian.service.len,
                          (const char *)guardian.service.ptr, service);
    if (mode != NULL &&
        guard_mode_from_name((struct guard_span){(const uint8_t *)mode, strlen(mode)}, &wanted))
        guard_guardian_set_mode(&guardian, wanted);
    GUARD_TRY(guardian_write(&guardian, arena, &text, err));
    GUARD_TRY(state_path(path, state, "guardians", name, ".yaml"));
    return file_replace(path, text, 0640, true, err);
}

static bool take(struct sidecar *sidecar, const char *state, const char *service, const char *mode,
                 struct guard_err *err)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, GUARDIAN_ARENA);
    if (stat(sidecar->guardian, &sidecar->seen) != 0)
        sidecar->seen = (struct stat){.st_ino = 0};
    enum guard_rc rc = install(sidecar, state, service, mode, &arena, err);
    guard_arena_reset(&arena);
    return rc == GUARD_OK;
}

bool sidecar_guardian(struct sidecar *sidecar, const char *state, const char *service,
                      const char *mode)
{
    struct guard_err err = {{0}};
    return take(sidecar, state, service, mode, &err) || complain(0, "%s", err.text) != 0;
}

void sidecar_watch(struct sidecar *sidecar, const char *state, const char *service,
                   const char *mode)
{
    struct stat now;
    struct guard_err err = {{0}};
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    /* Mounted files are replaced by turning a link: for a moment there is none. */
    if (sidecar->guardian == NULL || stat(sidecar->guardian, &now) != 0 ||
        (now.st_ino == sidecar->seen.st_ino && now.st_size == sidecar->seen.st_size &&
         now.st_mtim.tv_sec == sidecar->seen.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == sidecar->seen.st_mtim.tv_nsec))
        return;
    if (take(sidecar, state, service, mode, &err))
        log_event("info", "guardian-taken", name, "%s", sidecar->guardian);
    else
        log_event("alarm", "guardian-refused", name, "%s; the last one stays", err.text);
}
