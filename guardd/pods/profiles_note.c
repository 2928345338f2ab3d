/* SPDX-License-Identifier: Apache-2.0 */
/* Magic, version, count, then each profile's length and its canonical bytes, which have a checksum
 * of their own. */
#include "profiles.h"

#include "common/file.h"

#include <stdlib.h>
#include <string.h>

static const char magic[4] = {'G', 'L', 'P', 'N'};

enum { VERSION = 1, HEAD_BYTES = 12, LEN_BYTES = 4, NOTE_BYTES_MAX = 64 << 20 };

static void put_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < LEN_BYTES; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static enum guard_rc append(uint8_t **note, size_t *len, const struct guard_pods *profile,
                            struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    GUARD_TRY(guard_pods_encode(profile, &bytes, &count, err));
    enum guard_rc rc = GUARD_OK;
    uint8_t *more = NULL;
    if (*len + LEN_BYTES > NOTE_BYTES_MAX || count > NOTE_BYTES_MAX - *len - LEN_BYTES)
        rc = guard_fail(err, GUARD_E_LIMIT, "what pods do has more than %d bytes", NOTE_BYTES_MAX);
    else if ((more = realloc(*note, *len + LEN_BYTES + count)) == NULL)
        rc = guard_fail(err, GUARD_E_NOMEM, "no memory to save what pods do");
    if (more != NULL) {
        put_u32(more + *len, (uint32_t)count);
        memcpy(more + *len + LEN_BYTES, bytes, count);
        *note = more;
        *len += LEN_BYTES + count;
    }
    free(bytes);
    return rc;
}

enum guard_rc pods_note_write(const struct service_pods *pods, uint8_t **out, size_t *len,
                              struct guard_err *err)
{
    uint8_t *note = malloc(HEAD_BYTES);
    size_t filled = HEAD_BYTES;
    if (note == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to save what pods do");
    memcpy(note, magic, sizeof(magic));
    put_u32(note + 4, VERSION);
    put_u32(note + 8, pods->count);
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; rc == GUARD_OK && i < pods->count; i++)
        rc = append(&note, &filled, pods->list[i], err);
    if (rc != GUARD_OK) {
        free(note);
        return rc;
    }
    *out = note;
    *len = filled;
    return GUARD_OK;
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The last one is of the same as another. */
static bool is_twice(const struct service_pods *pods)
{
    struct guard_pod_rules rules;
    struct guard_pods_stats last, other;
    guard_pod_rules_default(&rules);
    guard_pods_stats(pods->list[pods->count - 1], &rules, &last);
    for (uint32_t i = 0; i + 1 < pods->count; i++) {
        guard_pods_stats(pods->list[i], &rules, &other);
        if (same(last.name_space, other.name_space) && same(last.workload, other.workload) &&
            same(last.container, other.container))
            return true;
    }
    return false;
}

static enum guard_rc read_all(struct service_pods *pods, const uint8_t key[GUARD_KEY_BYTES],
                              struct guard_span note, struct guard_err *err)
{
    struct guard_pods_cfg cfg = {.alloc = heap_alloc()};
    memcpy(cfg.key, key, sizeof(cfg.key));
    if (note.len < HEAD_BYTES || memcmp(note.ptr, magic, sizeof(magic)) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "no note of pods");
    if (get_u32(note.ptr + 4) != VERSION)
        return guard_fail(err, GUARD_E_VERSION, "version %u", get_u32(note.ptr + 4));
    uint32_t count = get_u32(note.ptr + 8);
    if (count > POD_PROFILES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%u workloads", count);
    size_t at = HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (note.len - at < LEN_BYTES || get_u32(note.ptr + at) > note.len - at - LEN_BYTES)
            return guard_fail(err, GUARD_E_SYNTAX, "cut at workload %u", i);
        struct guard_span bytes = {note.ptr + at + LEN_BYTES, get_u32(note.ptr + at)};
        GUARD_TRY(guard_pods_decode(&pods->list[pods->count], &cfg, bytes, err));
        pods->count++;
        if (is_twice(pods))
            return guard_fail(err, GUARD_E_SYNTAX, "workload %u is there twice", i);
        at += LEN_BYTES + bytes.len;
    }
    return at == note.len ? GUARD_OK : guard_fail(err, GUARD_E_SYNTAX, "more than it says");
}

enum guard_rc pods_note_read(struct service_pods *pods, const uint8_t key[GUARD_KEY_BYTES],
                             struct guard_span note, struct guard_err *err)
{
    enum guard_rc rc = read_all(pods, key, note, err);
    if (rc != GUARD_OK)
        pods_free(pods);
    return rc;
}

void pods_free(struct service_pods *pods)
{
    for (uint32_t i = 0; i < pods->count; i++)
        guard_pods_free(pods->list[i]);
    *pods = (struct service_pods){.count = 0};
}
