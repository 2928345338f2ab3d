/* SPDX-License-Identifier: Apache-2.0 */
/* Looks once a day at the document in force, and when it or the revision changed. */
#include "expiries.h"

#include "alerts.h"

#include "common/exception_json.h"
#include "common/file.h"
#include "common/log.h"
#include "common/patch_json.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <string.h>

enum { DAY_MS = 86400000, ALERT_ROOM = 4096 };

static const char patch_rule[] = "patch-expiry";

/* An alert as gates tell them, of the service itself. */
static void alert(struct alerts *alerts, const struct service *service, const char *rule,
                  struct guard_span id, const char *explanation, uint64_t now_ms)
{
    char text[ALERT_ROOM];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)now_ms);
    json_string(&json, "service", service->name);
    json_text(&json, "verdict", "alert");
    json_text(&json, "action", "pass");
    json_text(&json, "explanation", explanation);
    json_open(&json, "findings", '[');
    json_open(&json, NULL, '{');
    json_text(&json, "part", "request");
    json_text(&json, "rule", rule);
    json_string(&json, "name", id);
    json_close(&json, '}');
    json_close(&json, ']');
    json_close(&json, '}');
    if (!json.overflow)
        alerts_take(alerts, (struct guard_span){(const uint8_t *)text, json.len});
}

static void tell(const struct services *services, const struct service *service, const char *rule,
                 struct guard_span id, const char *event, const char *text, uint64_t now_ms)
{
    bool loud = strcmp(event, "patch-expired") == 0;
    log_event(loud ? "alarm" : "warn", event, service->name, "%s", text);
    if (services->alerts != NULL)
        alert(services->alerts, service, rule, id, text, now_ms);
}

static void tell_date(const struct services *services, const struct service *service,
                      const struct guard_patch *patch, uint64_t now_ms)
{
    char text[512];
    char date[CLOCK_TEXT_MAX] = "";
    enum patch_standing standing = patch_standing(patch, now_ms);
    if (standing == PATCH_IN_FORCE)
        return;
    (void)clock_text(date, (double)patch->expires_ms);
    snprintf(text, sizeof(text), "patch %.*s %s %.10s: %s", (int)patch->id.len,
             (const char *)patch->id.ptr, standing == PATCH_EXPIRED ? "expired" : "expires", date,
             standing == PATCH_EXPIRED ? "it blocks nothing, hits are only told"
                                       : "from then on it blocks nothing");
    tell(services, service, patch_rule, patch->id,
         standing == PATCH_EXPIRED ? "patch-expired" : "patch-expires", text, now_ms);
}

static void tell_revision(const struct services *services, const struct service *service,
                          const struct guard_patch *patch, uint64_t now_ms)
{
    char text[512];
    if (!patch_fixed(patch, revisions_newest_text(&service->revisions)))
        return;
    snprintf(text, sizeof(text),
             "patch %.*s: revision %.*s carries the fix: before it the patch blocks nothing, hits "
             "are only told; remove it when no other revision runs any more",
             (int)patch->id.len, (const char *)patch->id.ptr, (int)patch->fixed_in.len,
             (const char *)patch->fixed_in.ptr);
    tell(services, service, patch_rule, patch->id, "patch-fixed", text, now_ms);
}

static void tell_exception(const struct services *services, const struct service *service,
                           const struct guard_exception *exception, uint64_t now_ms)
{
    char text[512];
    char date[CLOCK_TEXT_MAX] = "";
    enum patch_standing standing = exception_standing(exception, now_ms);
    if (standing == PATCH_IN_FORCE)
        return;
    (void)clock_text(date, (double)exception->expires_ms);
    snprintf(text, sizeof(text), "exception %.*s %s %.19sZ: %s", (int)exception->id.len,
             (const char *)exception->id.ptr, standing == PATCH_EXPIRED ? "expired" : "expires",
             date,
             standing == PATCH_EXPIRED ? "what it covered blocks again"
                                       : "from then on what it covers blocks again");
    tell(services, service, "exception-expiry", exception->id,
         standing == PATCH_EXPIRED ? "exception-expired" : "exception-expires", text, now_ms);
}

static uint64_t state_of(const struct service *service, uint64_t now_ms)
{
    const uint64_t parts[] = {now_ms / DAY_MS, service->guardian_stamp};
    uint64_t state = guard_checksum(1, (struct guard_span){(const uint8_t *)parts, sizeof(parts)});
    return guard_checksum(state, revisions_newest_text(&service->revisions));
}

void expiries_tick(struct services *services, uint64_t now_ms)
{
    for (uint32_t i = 0; services->uplink == NULL && i < services->count; i++) {
        struct service *service = services->list[i];
        uint64_t state = state_of(service, now_ms);
        if (service->guardian_stamp == 0 || service->expiries_told == state)
            continue;
        service->expiries_told = state;
        for (uint32_t k = 0; k < service->guardian.patch_count; k++) {
            tell_date(services, service, &service->guardian.patches[k], now_ms);
            tell_revision(services, service, &service->guardian.patches[k], now_ms);
        }
        for (uint32_t k = 0; k < service->guardian.exception_count; k++)
            tell_exception(services, service, &service->guardian.exceptions[k], now_ms);
    }
}
