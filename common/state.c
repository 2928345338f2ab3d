/* SPDX-License-Identifier: Apache-2.0 */
/* Names inside the state directory. A service's name comes from people and from records of gates,
 * so it is checked here before it becomes a part of a path. */
#include "common/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool state_service_valid(struct guard_span service)
{
    if (service.len == 0 || service.len > STATE_SERVICE_MAX || service.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < service.len; i++) {
        uint8_t c = service.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

bool state_revision_valid(struct guard_span revision)
{
    static const char others[] = "._-:+/@";
    if (revision.len == 0 || revision.len > STATE_REVISION_MAX)
        return false;
    for (size_t i = 0; i < revision.len; i++) {
        uint8_t c = revision.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && memchr(others, c, sizeof(others) - 1) == NULL)
            return false;
    }
    return true;
}

enum guard_rc state_path(char out[STATE_PATH_MAX], const char *dir, const char *folder,
                         struct guard_span service, const char *suffix)
{
    if (service.len > 0 && !state_service_valid(service))
        return GUARD_E_RANGE;
    const char *slash = folder[0] != '\0' && (service.len > 0 || suffix[0] != '\0') ? "/" : "";
    int len = snprintf(out, STATE_PATH_MAX, "%s/%s%s%.*s%s", dir, folder, slash, (int)service.len,
                       service.len > 0 ? (const char *)service.ptr : "", suffix);
    return len > 0 && len < STATE_PATH_MAX ? GUARD_OK : GUARD_E_LIMIT;
}

static enum guard_rc make_folder(const char *path, mode_t mode, struct guard_err *err)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return GUARD_OK;
    return guard_fail(err, GUARD_E_IO, "%s: can't make the folder: %s", path, strerror(errno));
}

enum guard_rc state_prepare(const char *dir, struct guard_err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {{"rings", 0750},        {"policies", 0750},       {"bypass", 0750},
                   {"guardians", 0750},    {"keys", 0750},           {"piles", 0750},
                   {"rollback", 0750},     {"clients", 0750},        {"verdicts", 0750},
                   {"reviews", 0750},      {"forget", 0750},         {"outputs", 0750},
                   {"shared", 0750},       {"patterns", 0750},       {"pods", 0750},
                   {"pods/resumes", 0750}, {"pods/responder", 0750}, {"withdrawn", 0750}};
    GUARD_TRY(make_folder(dir, 0750, err));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[STATE_PATH_MAX];
        if (state_path(path, dir, folders[i].name, (struct guard_span){NULL, 0}, "") != GUARD_OK)
            return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
        GUARD_TRY(make_folder(path, folders[i].mode, err));
    }
    return GUARD_OK;
}
