/* SPDX-License-Identifier: Apache-2.0 */
/* What a finding shows: the name of its place and the shape of what was observed there, never a
 * secret. */
#include "decide/exceptions.h"

#include "base/arena.h"

enum {
    CHAIN_MAX = 80, /* fields from the document to a value */
    OBSERVED_MAX = 64,
};

struct text {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

static void put(struct text *text, struct guard_span bytes)
{
    size_t len = bytes.len < text->cap - text->len ? bytes.len : text->cap - text->len;
    if (len > 0)
        memcpy(text->ptr + text->len, bytes.ptr, len);
    text->len += len;
}

static void put_string(struct text *text, const char *string)
{
    put(text, gd_span(string, strlen(string)));
}

static void put_number(struct text *text, uint32_t number)
{
    uint8_t digits[10];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(text, gd_span(digits + at, sizeof(digits) - at));
}

static struct gd_finding_room *room_of(struct gd_decision *decision, uint32_t index)
{
    if (index >= decision->room_count) { /* findings are filled in order */
        decision->rooms[index] =
            (struct gd_finding_room){gd_arena_get(decision->arena, OBSERVED_MAX), NULL};
        decision->room_count = index + 1;
    }
    return &decision->rooms[index];
}

/* "a.b[].c" of a field that the policy doesn't know. */
static struct guard_span tree_path(const struct gd_decision *decision, uint32_t field,
                                   uint8_t room[GD_FINDING_NAME_MAX])
{
    const struct gd_profile *profile = decision->profile;
    uint32_t chain[CHAIN_MAX];
    uint32_t depth = 0;
    for (; field != GD_NO_FIELD && depth < CHAIN_MAX; field = profile->fields[field].parent)
        chain[depth++] = field;
    struct text text = {room, 0, GD_FINDING_NAME_MAX};
    for (uint32_t i = depth; i > 0; i--) {
        struct guard_span name = profile->fields[chain[i - 1]].name;
        if (i < depth && gd_name_has_dot(profile->fields[chain[i - 1]].location, name))
            put_string(&text, ".");
        put(&text, name);
    }
    return gd_span(text.ptr, text.len);
}

struct guard_span gd_finding_name(const struct gd_decision *decision,
                                  const struct gd_candidate *candidate,
                                  uint8_t room[GD_FINDING_NAME_MAX])
{
    if (candidate->known != GD_POLICY_NONE)
        return gd_policy_span(decision->policy, decision->policy->fields[candidate->known].path);
    if (candidate->field == GD_NO_FIELD)
        return gd_span(NULL, 0);
    const struct gd_field *field = &decision->profile->fields[candidate->field];
    if (field->parent != GD_NO_FIELD)
        return tree_path(decision, candidate->field, room);
    return field->name;
}

static struct guard_span name_of(const struct gd_decision *decision,
                                 const struct gd_candidate *candidate, struct gd_finding_room *room)
{
    bool made = candidate->known == GD_POLICY_NONE && candidate->field != GD_NO_FIELD &&
                decision->profile->fields[candidate->field].parent != GD_NO_FIELD;
    if (made && room->path == NULL)
        room->path = gd_arena_get(decision->arena, GD_FINDING_NAME_MAX);
    return made && room->path == NULL ? gd_span(NULL, 0)
                                      : gd_finding_name(decision, candidate, room->path);
}

/* "lower, digit; 24 bytes" */
static void put_classes(struct text *text, const struct gd_summary *summary)
{
    bool first = true;
    for (uint64_t classes = summary->classes; classes != 0; classes &= classes - 1) {
        char name[16];
        guard_class_name((enum guard_class)__builtin_ctzll(classes), name);
        put_string(text, first ? "" : ", ");
        put_string(text, name);
        first = false;
    }
    put_string(text, first ? "" : "; ");
    put_number(text, summary->length_max);
    put_string(text, " bytes");
}

static void put_address(struct text *text, const struct guard_client *client)
{
    static const char hex[] = "0123456789abcdef";
    if (client->address_len == 4) {
        for (size_t i = 0; i < 3; i++) {
            put_number(text, client->address[i]);
            put_string(text, ".");
        }
        put_string(text, "0/24");
    } else if (client->address_len == 16) {
        for (size_t i = 0; i < 8; i++) {
            uint8_t byte = i < 7 ? client->address[i] : 0;
            uint8_t pair[2] = {(uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15]};
            put(text, gd_span(pair, 2));
            put_string(text, i % 2 == 1 ? ":" : "");
        }
        put_string(text, ":/56");
    } else {
        put_string(text, "subject");
    }
}

static void put_observed(struct text *text, const struct gd_decision *decision,
                         const struct gd_candidate *candidate)
{
    const struct gd_profile *profile = decision->profile;
    if (candidate->rule == GUARD_RULE_METHOD) {
        put(text, profile->method);
    } else if (candidate->rule == GUARD_RULE_CONTENT_TYPE) {
        put(text, profile->media_type);
    } else if (candidate->rule == GUARD_RULE_CLIENT) {
        put_address(text, &profile->client);
    } else if (candidate->rule == GUARD_RULE_DESTINATION) {
        put(text, profile->segments[0].text);
    } else if (candidate->field != GD_NO_FIELD) {
        const struct gd_field *field = &profile->fields[candidate->field];
        if (gd_is_secret(field->name, field->sample))
            put_classes(text, &field->summary);
        else
            text->len = gd_mask(field->sample, (char *)text->ptr, text->cap);
    }
}

void gd_finding_fill(struct gd_decision *decision, uint32_t index)
{
    const struct gd_candidate *candidate = &decision->candidates[index];
    struct guard_finding *out = &decision->verdict.findings[index];
    struct gd_finding_room *room = room_of(decision, index);
    out->rule = candidate->rule;
    out->part = decision->part;
    if (candidate->location == GUARD_LOCATION_CLIENT && out->part != GUARD_PART_OUTBOUND)
        out->part = GUARD_PART_CLIENT;
    out->location = candidate->location;
    out->name = name_of(decision, candidate, room);
    out->detail = candidate->detail;
    out->expected = candidate->expected;
    out->observed = gd_span(NULL, 0);
    out->values = candidate->values;
    out->clients = candidate->clients;
    out->strength = candidate->strength;
    out->configured = candidate->configured;
    out->patch = out->patch_title = out->patch_text = gd_span(NULL, 0);
    out->shadow = false;
    out->exception = gd_exception_id(decision, candidate->exception);
    struct text text = {room->observed, 0, OBSERVED_MAX};
    if (text.ptr == NULL)
        return;
    put_observed(&text, decision, candidate);
    out->observed = gd_span(text.ptr, text.len);
}
