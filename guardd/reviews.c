/* SPDX-License-Identifier: Apache-2.0 */
/* What people decided of a service's waiting things: read when its document changes, and a part of
 * every learning from then on. */
#include "service.h"

#include "common/file.h"
#include "common/log.h"

#include <string.h>

enum { ARENA_MAX = 8 << 20 };

struct guard_review service_review(const struct service *service)
{
    return (struct guard_review){service->review.entries, service->review.count};
}

static enum guard_rc load(const struct service *service, const char *path,
                          struct review_document *out, struct guard_arena *arena,
                          struct guard_err *err)
{
    GUARD_TRY(review_load(out, path, arena, err));
    if (out->service.len != service->name.len ||
        memcmp(out->service.ptr, service->name.ptr, service->name.len) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "%s: names another service", path);
    return GUARD_OK;
}

static void read_review(struct service *service, const char *path, uint64_t stamp)
{
    struct review_document document;
    struct guard_arena arena;
    struct guard_alloc heap = heap_alloc();
    guard_arena_init_growing(&arena, &heap, ARENA_MAX);
    service->review_stamp = stamp;
    service->review_err.text[0] = '\0';
    if (load(service, path, &document, &arena, &service->review_err) != GUARD_OK) {
        guard_arena_reset(&arena);
        log_event("alarm", "review-refused", service->name, "%s; the last good one stays in force",
                  service->review_err.text);
        return;
    }
    guard_arena_reset(&service->review_arena);
    service->review_arena = arena;
    service->review = document;
    service->urgent = true;
    service->by_people = true;
    service->unpublished = false;
    /* What an older generation had learned is learned anew, too. */
    service->rollback.stamp = 0;
    log_event("info", "review-read", service->name, "%u decisions", document.count);
}

static void watch(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    if (state_path(path, services->state, "reviews", service->name, ".json") != GUARD_OK)
        return;
    if (stat(path, &info) != 0) {
        if (service->review_stamp != 0)
            log_event("alarm", "review-gone", service->name, "%s",
                      "the last good one stays in force");
        service->review_stamp = 0;
        return;
    }
    if (file_stamp(&info) != service->review_stamp)
        read_review(service, path, file_stamp(&info));
}

void services_watch_reviews(struct services *services)
{
    for (uint32_t i = 0; i < services->count; i++)
        watch(services, services->list[i]);
}
