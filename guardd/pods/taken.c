/* SPDX-License-Identifier: Apache-2.0 */
/* Every look at the directory asks for each name that lies there, so they are found by a hash. */
#include "taken.h"

#include "common/log.h"
#include "common/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct guard_span no_service = {NULL, 0};

static uint32_t first_slot(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    return (uint32_t)(hash >> 32) % POD_TAKEN_SLOTS;
}

/* The name's, or the free one where it belongs: half of them are free. */
static uint32_t slot_of(const struct pod_taken *taken, const char *name)
{
    uint32_t at = first_slot(name);
    while (taken->slots[at] != 0 && strcmp(taken->files[taken->slots[at] - 1].name, name) != 0)
        at = (at + 1) % POD_TAKEN_SLOTS;
    return at;
}

bool pod_taken_has(const struct pod_taken *taken, const char *name)
{
    return taken->slots[slot_of(taken, name)] != 0;
}

bool pod_taken_has_room(const struct pod_taken *taken)
{
    return taken->count < POD_TAKEN_MAX;
}

void pod_taken_add(struct pod_taken *taken, const char *name, uint64_t mark)
{
    uint32_t slot = slot_of(taken, name);
    struct pod_taken_file *file = &taken->files[taken->count++];
    *file = (struct pod_taken_file){.mark = mark};
    memcpy(file->name, name, strlen(name) + 1);
    taken->slots[slot] = (uint16_t)taken->count;
    taken->removable++;
}

static void find_anew(struct pod_taken *taken, uint32_t count)
{
    memset(taken->slots, 0, sizeof(taken->slots));
    taken->count = 0;
    while (taken->count < count) {
        uint32_t slot = slot_of(taken, taken->files[taken->count].name);
        taken->slots[slot] = (uint16_t)++taken->count;
    }
}

/* False: it stays in the list. */
static bool remove_file(struct pod_taken_file *file, const char *dir)
{
    char path[STATE_PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, file->name);
    if (len < 0 || (size_t)len >= sizeof(path))
        errno = ENAMETOOLONG;
    else if (unlink(path) == 0 || errno == ENOENT)
        return true;
    log_event("warn", "pod-records-stay", no_service, "pods/%s: %s; it is passed over", file->name,
              strerror(errno));
    file->kept = true;
    return false;
}

void pod_taken_remove(struct pod_taken *taken, const char *dir, uint64_t settled, bool saved)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < taken->count; i++) {
        struct pod_taken_file *file = &taken->files[i];
        bool due = !file->kept && (file->mark == 0 ? saved : file->mark <= settled);
        if (!due || !remove_file(file, dir))
            taken->files[kept++] = *file;
    }
    find_anew(taken, kept);
    if (saved)
        taken->removable = 0;
}

void pod_taken_undo(struct pod_taken *taken, uint64_t settled)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < taken->count; i++) {
        if (taken->files[i].mark <= settled)
            taken->files[kept++] = taken->files[i];
    }
    find_anew(taken, kept);
}
