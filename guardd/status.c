/* SPDX-License-Identifier: Apache-2.0 */
/* The status document: services with their readiness and what they lack, endpoints with the most
 * traffic first named. */
#include "status.h"

#include "common/exception_json.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"
#include "common/patch_json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_BYTES_MAX = 1 << 20, ENDPOINTS_SHOWN = 64, SERVICE_ROOM = 32 * 1024 };
enum { PATCHES_NAMED_MAX = 8 };

static void write_readiness(struct json_writer *json, const char *name,
                            const struct guard_model_readiness *readiness)
{
    json_open(json, name, '{');
    json_bool(json, "ready", readiness->ready);
    json_string(json, "lacks", readiness->lacks);
    json_close(json, '}');
}

static void write_endpoint(struct json_writer *json, const struct guard_model_endpoint *endpoint)
{
    json_open(json, NULL, '{');
    json_string(json, "method", endpoint->method);
    json_string(json, "template", endpoint->template_text);
    json_integer(json, "exchanges", (int64_t)endpoint->exchanges);
    json_integer(json, "clients", endpoint->clients);
    json_integer(json, "epochs", endpoint->epochs);
    json_bool(json, "ready", endpoint->ready);
    json_string(json, "lacks", endpoint->lacks);
    write_readiness(json, "response", &endpoint->response);
    write_readiness(json, "time", &endpoint->time);
    json_close(json, '}');
}

static void write_model(struct json_writer *json, const struct guard_model *model)
{
    json_bool(json, "ready", model->ready);
    json_number(json, "progress", (double)model->progress / 1000.0);
    json_integer(json, "clients", model->clients);
    json_integer(json, "epochs", model->epochs);
    json_text(json, "unit",
              model->anonymous == model->exchanges ? "anonymous: no poisoning claim"
                                                   : "client prefix");
    json_open(json, "endpoints", '[');
    for (uint32_t i = 0; i < model->endpoint_count && i < ENDPOINTS_SHOWN; i++) {
        if (json->cap - json->len < SERVICE_ROOM / 8)
            break;
        write_endpoint(json, &model->endpoints[i]);
    }
    json_close(json, ']');
    json_integer(json, "endpoint_count", model->endpoint_count);
}

static void write_growth(struct json_writer *json, const struct service *service)
{
    const struct guard_growth *growth = &service->growth;
    json_open(json, "growth", '{');
    json_integer(json, "trusted", guard_model_elements(service->model));
    json_integer(json, "grown", growth->grown);
    json_integer(json, "held", growth->held);
    json_open(json, "first_held", '[');
    for (uint32_t i = 0; i < growth->held && i < GUARD_GROWTH_SHOWN; i++) {
        char id[GUARD_REVIEW_ID_CHARS + 1];
        const struct guard_review_element *element = &growth->first[i];
        guard_review_id(id, service->name, element);
        json_open(json, NULL, '{');
        json_text(json, "id", id);
        json_text(json, "kind", guard_review_kind_name(element->kind));
        json_string(json, "method", element->method);
        json_string(json, "template", element->template_text);
        json_string(json, "name", element->name);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void write_generations(struct json_writer *json, const struct service *service)
{
    json_open(json, "generations", '[');
    for (uint32_t i = 0; i < service->generations.count; i++) {
        const struct generation *generation = &service->generations.list[i];
        json_open(json, NULL, '{');
        json_integer(json, "generation", (int64_t)generation->number);
        json_integer(json, "created_ms", (int64_t)generation->created_ms);
        json_integer(json, "exchanges", (int64_t)generation->exchanges);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_integer(json, "rolled_back_to", (int64_t)service->rollback.generation);
}

static void write_revision(struct json_writer *json, const struct service *service)
{
    const struct revision *revision = revisions_newest(&service->revisions);
    uint64_t now_ms = clock_unix_ms();
    json_open(json, "releases", '{');
    json_integer(json, "let_in", releases_count(&service->releases, RELEASE_LET_IN, now_ms));
    json_integer(json, "waiting", releases_count(&service->releases, RELEASE_WAITING, now_ms));
    json_integer(json, "refused", releases_count(&service->releases, RELEASE_REFUSED, now_ms));
    json_close(json, '}');
    if (revision == NULL)
        return;
    json_open(json, "revision", '{');
    json_text(json, "text", revision->text);
    json_integer(json, "seen_ms", (int64_t)revision->seen_ms);
    json_integer(json, "new_until_ms", (int64_t)revision->until_ms);
    json_close(json, '}');
}

/* Those that expire by name: of many the first ones. */
static void write_expiring(struct json_writer *json, const struct guard_guardian *guardian,
                           enum patch_standing standing, const char *name)
{
    uint64_t now_ms = clock_unix_ms();
    uint32_t named = 0;
    json_open(json, name, '[');
    for (uint32_t i = 0; i < guardian->patch_count && named < PATCHES_NAMED_MAX; i++) {
        if (patch_standing(&guardian->patches[i], now_ms) != standing)
            continue;
        json_string(json, NULL, guardian->patches[i].id);
        named++;
    }
    json_close(json, ']');
}

static void write_fixed(struct json_writer *json, const struct service *service)
{
    const struct guard_span revision = revisions_newest_text(&service->revisions);
    const struct guard_guardian *guardian = &service->guardian;
    uint32_t named = 0;
    json_open(json, "fixed", '[');
    for (uint32_t i = 0; i < guardian->patch_count && named < PATCHES_NAMED_MAX; i++) {
        if (!patch_fixed(&guardian->patches[i], revision))
            continue;
        json_string(json, NULL, guardian->patches[i].id);
        named++;
    }
    json_close(json, ']');
}

static void write_patches(struct json_writer *json, const struct service *service)
{
    const struct guard_guardian *guardian = &service->guardian;
    uint32_t enforced = 0;
    for (uint32_t i = 0; i < guardian->patch_count; i++)
        enforced += guardian->patches[i].mode == GUARD_PATCH_ENFORCE;
    json_open(json, "patches", '{');
    json_integer(json, "count", guardian->patch_count);
    json_integer(json, "enforced", enforced);
    write_expiring(json, guardian, PATCH_EXPIRED, "expired");
    write_expiring(json, guardian, PATCH_EXPIRES_SOON, "expires_soon");
    write_fixed(json, service);
    json_close(json, '}');
}

static void write_exceptions(struct json_writer *json, const struct guard_guardian *guardian)
{
    static const char *const names[] = {[PATCH_IN_FORCE] = "in_force",
                                        [PATCH_EXPIRES_SOON] = "expires_soon",
                                        [PATCH_EXPIRED] = "expired"};
    const uint64_t now_ms = clock_unix_ms();
    json_open(json, "exceptions", '{');
    for (unsigned standing = 0; standing < sizeof(names) / sizeof(names[0]); standing++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < guardian->exception_count; i++)
            count += exception_standing(&guardian->exceptions[i], now_ms) == standing;
        json_integer(json, names[standing], count);
    }
    json_close(json, '}');
}

static void write_review(struct json_writer *json, const struct service *service)
{
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < service->review.count; i++)
        accepted += service->review.entries[i].decision == GUARD_REVIEW_ACCEPTED;
    json_text(json, "review_error", service->review_err.text);
    json_open(json, "review", '{');
    json_integer(json, "accepted", accepted);
    json_integer(json, "refused", service->review.count - accepted);
    json_close(json, '}');
}

/* Nothing where no canary was sent: by a guardd that is no operator, or doesn't lead. */
void status_path(struct json_writer *json, const struct service_path *path)
{
    if (!path->asked)
        return;
    json_open(json, "path", '{');
    json_bool(json, "not_in_path", path->not_in_path);
    json_integer(json, "pods", path->pods);
    json_integer(json, "proved", path->proved);
    json_integer(json, "bare", path->bare);
    json_integer(json, "silent", path->silent);
    json_text(json, "message", path->message);
    json_close(json, '}');
}

void status_service(struct json_writer *json, const struct service *service)
{
    struct guard_pile_stats stats;
    guard_pile_stats(service->pile, &stats);
    json_string(json, "service", service->name);
    json_text(json, "mode", guard_mode_name(service->guardian.request_mode));
    json_text(json, "learn",
              service->damaged          ? "stopped"
              : service->guardian.learn ? "on"
                                        : "paused");
    if (service->replica.role != NULL)
        json_text(json, "role", service->replica.role);
    json_integer(json, "generation", (int64_t)service->generation);
    json_integer(json, "exchanges", (int64_t)stats.exchanges);
    json_integer(json, "refused", (int64_t)service->refused);
    json_bool(json, "overflowed", stats.overflowed);
    json_integer(json, "memory", (int64_t)stats.memory);
    json_text(json, "guardian_error", service->guardian_err.text);
    write_patches(json, service);
    write_exceptions(json, &service->guardian);
    write_revision(json, service);
    write_review(json, service);
    write_generations(json, service);
    pods_status(json, service);
    status_path(json, &service->path);
    if (service->model != NULL) {
        write_growth(json, service);
        write_model(json, service->model);
    } else {
        json_bool(json, "ready", false);
        json_number(json, "progress", 0);
    }
}

/* What came from below, since the start. */
static void write_inbox(const struct inbox *inbox, struct json_writer *json)
{
    json_open(json, "reports", '{');
    json_integer(json, "added", (int64_t)inbox->added);
    json_integer(json, "contained", (int64_t)inbox->contained);
    json_integer(json, "paused", (int64_t)inbox->paused);
    json_integer(json, "refused", (int64_t)inbox->refused);
    json_integer(json, "producers", producers_count(inbox->producers));
    json_close(json, '}');
}

void status_all(struct json_writer *json, const struct services *services,
                const struct intake *intake, status_shown *shown, const void *ctx)
{
    uint32_t count = 0;
    struct ring_reader_stats rings;
    intake_stats(intake, &rings);
    json_open(json, NULL, '{');
    json_integer(json, "time_ms", (int64_t)clock_unix_ms());
    json_integer(json, "pid", getpid());
    json_text(json, "role", tree_role_name(services->role));
    if (services->uplink != NULL)
        uplink_status(services->uplink, json, clock_unix_ms());
    if (services->inbox.producers != NULL)
        write_inbox(&services->inbox, json);
    json_open(json, "rings", '{');
    json_integer(json, "count", intake->count);
    json_integer(json, "records", (int64_t)rings.records);
    json_integer(json, "lost", (int64_t)rings.lost);
    json_integer(json, "hostile", (int64_t)rings.hostile);
    json_integer(json, "rejected", (int64_t)services->rejected);
    json_close(json, '}');
    json_open(json, "alerts", '{');
    json_integer(json, "written", (int64_t)intake->alerts->written);
    json_integer(json, "folded", (int64_t)intake->alerts->folded);
    json_integer(json, "hostile", (int64_t)intake->alerts->hostile);
    json_integer(json, "failed", (int64_t)intake->alerts->failed);
    json_close(json, '}');
    pod_counts_status(json, &services->pod_counts);
    json_open(json, "services", '[');
    for (uint32_t i = 0; i < services->count; i++) {
        if (shown != NULL && !shown(ctx, services->list[i]))
            continue;
        count++;
        if (json->cap - json->len <= SERVICE_ROOM)
            continue;
        json_open(json, NULL, '{');
        status_service(json, services->list[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_integer(json, "service_count", count);
    json_close(json, '}');
}

void status_write(const char *state, const struct services *services, const struct intake *intake)
{
    static bool complained;
    char path[STATE_PATH_MAX];
    struct json_writer json;
    struct guard_err err = {.text = "the status is too large"};
    char *text = malloc(STATUS_BYTES_MAX);
    bool good = false;
    if (text == NULL)
        return;
    json_writer_init(&json, text, STATUS_BYTES_MAX);
    status_all(&json, services, intake, NULL, NULL);
    if (!json.overflow &&
        state_path(path, state, "", (struct guard_span){NULL, 0}, "status.json") == GUARD_OK)
        good = file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, false,
                            &err) == GUARD_OK;
    free(text);
    if (!good && !complained)
        log_event("alarm", "status-not-written", (struct guard_span){NULL, 0}, "%s", err.text);
    complained = !good;
}
