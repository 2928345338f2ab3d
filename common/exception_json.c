/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions as JSON. */
#include "common/exception_json.h"

#include "common/file.h"
#include "common/guardian_exception.h"

#include <string.h>

enum patch_standing exception_standing(const struct guard_exception *exception, uint64_t now_ms)
{
    if (exception->expires_ms <= now_ms)
        return PATCH_EXPIRED;
    return exception->expires_ms - now_ms <= PATCH_SOON_MS ? PATCH_EXPIRES_SOON : PATCH_IN_FORCE;
}

static void put_list(struct json_writer *json, const char *name, const struct guard_span *list,
                     uint32_t count)
{
    if (count == 0)
        return;
    json_open(json, name, '[');
    for (uint32_t i = 0; i < count; i++)
        json_string(json, NULL, list[i]);
    json_close(json, ']');
}

static void put_clients(struct json_writer *json, const struct guard_exception *exception)
{
    char word[EXCEPTION_PREFIX_MAX];
    if (exception->client_count == 0)
        return;
    json_open(json, "clients", '[');
    for (uint32_t i = 0; i < exception->client_count; i++) {
        exception_prefix_word(&exception->clients[i], word);
        json_text(json, NULL, word);
    }
    json_close(json, ']');
}

static void put_places(struct json_writer *json, uint32_t locations)
{
    if (locations == 0)
        return;
    json_open(json, "in", '[');
    for (unsigned i = 0; i < GUARD_LOCATION_COUNT; i++) {
        if ((locations >> i & 1) != 0)
            json_text(json, NULL, guard_location_name((enum guard_location)i));
    }
    json_close(json, ']');
}

static void put_rules(struct json_writer *json, const struct guard_exception *exception)
{
    if ((exception->rules[0] | exception->rules[1]) == 0)
        return;
    json_open(json, "rules", '[');
    for (unsigned i = 0; i < GUARD_EXCEPTION_RULES; i++) {
        if ((exception->rules[i / 64] >> i % 64 & 1) != 0)
            json_text(json, NULL, guard_rule_name((enum guard_rule)i));
    }
    json_close(json, ']');
}

static void put_time(struct json_writer *json, const char *name, uint64_t ms)
{
    char text[CLOCK_TEXT_MAX] = "";
    (void)clock_text(text, (double)ms);
    json_text(json, name, text);
}

void exception_json(struct json_writer *json, const struct guard_exception *exception,
                    uint64_t now_ms)
{
    json_string(json, "id", exception->id);
    json_string(json, "reason", exception->reason);
    json_string(json, "author", exception->author);
    put_time(json, "created", exception->created_ms);
    put_time(json, "expires", exception->expires_ms);
    json_text(json, "standing", patch_standing_word(exception_standing(exception, now_ms)));
    json_open(json, "scope", '{');
    put_list(json, "endpoints", exception->endpoints, exception->endpoint_count);
    put_list(json, "methods", exception->methods, exception->method_count);
    put_clients(json, exception);
    put_places(json, exception->locations);
    put_list(json, "names", exception->names, exception->name_count);
    put_rules(json, exception);
    put_list(json, "patches", exception->patches, exception->patch_count);
    json_close(json, '}');
}
