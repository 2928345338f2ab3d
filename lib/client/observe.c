/* SPDX-License-Identifier: Apache-2.0 */
/* Counts one exchange: whose it is, what it adds to each measure of its client, and which bounds
 * the client crosses by that. */
#include "client/client.h"

#include "base/arena.h"
#include "decide/decide.h"
#include "profile/record.h"

enum {
    VALUES_MAX = 4, /* places of one request beside its path */
    STATUS_UNAUTHORIZED = 401,
    STATUS_FORBIDDEN = 403,
    DAY_MS = 86400000,
};

/* One exchange on its way through the measures. */
struct counting {
    struct guard_clients *clients;
    const struct gd_profile *profile;
    struct guard_client_report *report;
    struct gd_client_place *place;
    struct gd_client_window *window;
    struct guard_span template_text; /* "" for an unknown path */
    uint64_t wildcards;
    uint32_t day;
    uint32_t rate_limit; /* requests of the most extreme others in such a window; 0: nobody knows */
    uint32_t population; /* clients */
    uint8_t tier;
    bool judged; /* there is a policy */
    bool refused;
};

static struct gd_client_subject subject_of(const struct counting *counting, enum guard_rule rule)
{
    return (struct gd_client_subject){.rule = rule, .tier = counting->tier};
}

/* A window of this client crosses a bound. Rules that are proved are only blunted by clients that
 * were calm before: else whoever attacks with many clients would disarm them. */
static void cross(struct counting *counting, struct gd_client_norm *norm, uint32_t level,
                  uint32_t value, uint32_t expected)
{
    struct guard_clients *clients = counting->clients;
    uint16_t strength = gd_client_strength(clients, norm, level, counting->day);
    const struct gd_client_crossing crossing = {norm, level, value, expected, strength};
    bool armed =
        gd_client_weighted(norm->rule, level, strength) >= counting->report->verdict.threshold;
    if (!armed || counting->place->calm > 0)
        gd_client_norm_fire(norm, level, counting->place->tag, counting->day);
    if (counting->judged)
        gd_client_report_add(counting->report, &crossing,
                             gd_client_norm_clients(gd_client_population(clients, norm)));
}

/* value: what the client did in this window. other: what it did beside that: who does everything
 * twice as much as the most extreme others stands for two of them. */
static void measure(struct counting *counting, struct gd_client_norm *norm,
                    struct gd_client_mark *mark, uint32_t value, uint32_t other)
{
    struct guard_clients *clients = counting->clients;
    if (value <= mark->counted)
        return;
    mark->counted = value;
    const uint32_t own = gd_client_norm_clients(gd_client_population(clients, norm));
    const uint32_t floor = gd_client_floor(norm->rule, counting->tier);
    if (counting->rate_limit == 0 || own < GD_CLIENT_KNOWN) {
        gd_client_norm_raise(norm, counting->place->tag, value, counting->day);
        return;
    }
    uint64_t limit =
        gd_client_norm_limit(norm, clients->support, own, counting->place->tag, counting->day);
    limit = limit > floor ? limit : floor;
    /* One window can't move the norm farther than to its first bound. */
    uint64_t most = 2 * limit;
    gd_client_norm_raise(norm, counting->place->tag,
                         value < most ? value : (uint32_t)(most < UINT32_MAX ? most : UINT32_MAX),
                         counting->day);
    uint64_t stands_for = 1 + other / counting->rate_limit;
    uint64_t expected = limit * stands_for;
    uint32_t level = mark->level;
    while (level < GD_CLIENT_LEVELS && value > expected << (level + 1))
        level++;
    if (level == mark->level)
        return;
    for (uint32_t crossed = mark->level; crossed + 1 < level; crossed++)
        gd_client_norm_fire(norm, crossed, counting->place->tag, counting->day);
    mark->level = (uint8_t)level;
    cross(counting, norm, level - 1, value,
          expected < UINT32_MAX ? (uint32_t)expected : UINT32_MAX);
}

/* Measures of the service as a whole. */
static void measure_whole(struct counting *counting, enum guard_rule rule,
                          struct gd_client_mark *mark, uint32_t value, uint32_t other)
{
    const struct gd_client_subject subject = subject_of(counting, rule);
    uint32_t key = gd_client_key(counting->clients, &subject);
    struct gd_client_norm *norm = gd_client_norm(counting->clients, key, &subject, counting->day);
    if (norm == NULL)
        return;
    if (mark->counted == 0 && value > 0)
        gd_client_norm_begin(norm, counting->place->tag, counting->window->trial, counting->day);
    measure(counting, norm, mark, value, other);
}

/* One more of many at a place; other as in measure, without the requests that came to the place. */
static void measure_many(struct counting *counting, const struct gd_client_subject *subject,
                         uint64_t trace, bool different)
{
    struct gd_client_window *window = counting->window;
    bool fresh = false;
    uint32_t key = gd_client_key(counting->clients, subject);
    struct gd_client_norm *norm = gd_client_norm(counting->clients, key, subject, counting->day);
    if (norm == NULL)
        return;
    struct gd_client_slot *slot = gd_client_slot(window, key, &fresh);
    if (slot->touched++ == 0)
        gd_client_norm_begin(norm, counting->place->tag, fresh && window->trial, counting->day);
    uint32_t value = slot->touched;
    if (different) {
        const uint64_t bytes[2] = {key, trace};
        value = gd_client_slot_add(
            slot, gd_hash_keyed(&counting->clients->key, gd_span(bytes, sizeof(bytes))));
    }
    uint32_t touched = slot->touched < window->requests ? slot->touched : window->requests;
    measure(counting, norm, &slot->mark, value, window->requests - touched);
}

static uint64_t trace_of(const struct gd_summary *summary)
{
    if (summary->literal_known || summary->identity_known)
        return summary->literal & 0xffff;
    /* Long texts have no hash: what they are made of tells most of them apart. */
    return summary->classes ^ summary->frequent << 1 ^ (uint64_t)summary->length_max << 40 ^
           (uint64_t)summary->digits_max << 52 ^ (uint64_t)summary->specials_max << 58;
}

/* All segments that a wildcard took, as one value. */
static bool path_trace(const struct counting *counting, uint64_t *trace)
{
    const struct gd_profile *profile = counting->profile;
    uint64_t wildcards = counting->wildcards;
    *trace = 0;
    if (wildcards == 0)
        return false;
    for (uint32_t i = 0; i < profile->field_count && i < GD_SEGMENTS_MAX; i++) {
        if (profile->fields[i].location != GUARD_LOCATION_PATH)
            break;
        if (wildcards >> i & 1)
            *trace = *trace * UINT64_C(0x9e3779b97f4a7c15) + trace_of(&profile->fields[i].summary);
    }
    return true;
}

static void measure_value(struct counting *counting, enum guard_location location,
                          struct guard_span place, uint64_t trace)
{
    struct gd_client_subject subject = {.rule = GUARD_RULE_CLIENT_IDS,
                                        .tier = counting->tier,
                                        .location = location,
                                        .method = counting->profile->method,
                                        .template_text = counting->template_text,
                                        .place = place};
    measure_many(counting, &subject, trace, true);
    if (!counting->refused)
        return;
    subject.rule = GUARD_RULE_CLIENT_SUBJECTS;
    measure_many(counting, &subject, trace, true);
}

static void measure_values(struct counting *counting)
{
    const struct gd_profile *profile = counting->profile;
    uint32_t measured = 0;
    uint64_t trace = 0;
    if (path_trace(counting, &trace))
        measure_value(counting, GUARD_LOCATION_PATH, gd_span(NULL, 0), trace);
    for (uint32_t i = 0; i < profile->field_count && measured < VALUES_MAX; i++) {
        const struct gd_field *field = &profile->fields[i];
        bool named =
            field->location == GUARD_LOCATION_QUERY || field->location == GUARD_LOCATION_FORM ||
            field->location == GUARD_LOCATION_JSON || field->location == GUARD_LOCATION_MULTIPART ||
            field->location == GUARD_LOCATION_GRAPHQL;
        if (!named || !(field->summary.literal_known || field->summary.identity_known))
            continue;
        measured++;
        measure_value(counting, field->location, field->name, trace_of(&field->summary));
    }
}

static void measure_endpoint(struct counting *counting)
{
    measure_values(counting);
    if (!counting->refused)
        return;
    const struct gd_client_subject subject = {.rule = GUARD_RULE_CLIENT_FAILURES,
                                              .tier = counting->tier,
                                              .method = counting->profile->method,
                                              .template_text = counting->template_text};
    measure_many(counting, &subject, 0, false);
}

static void measure_path(struct counting *counting)
{
    const struct gd_profile *profile = counting->profile;
    const struct gd_client_subject subject = subject_of(counting, GUARD_RULE_CLIENT_PATHS);
    uint64_t trace = 0;
    for (uint32_t i = 0; i < profile->segment_count; i++)
        trace = gd_hash_fast(trace + 1, profile->segments[i].text);
    measure_many(counting, &subject, trace, true);
}

/* step: from the endpoint of the request before to this one; 0: none, or one that is known. */
static void measure_window(struct counting *counting, uint64_t step)
{
    const struct gd_profile *profile = counting->profile;
    struct gd_client_window *window = counting->window;
    const struct gd_client_norm *rate =
        &counting->clients->norms[counting->clients->rate_at[counting->tier]];
    counting->population = gd_client_norm_clients(rate);
    counting->rate_limit =
        counting->population < GD_CLIENT_KNOWN
            ? 0
            : gd_client_norm_limit(rate, counting->clients->support, counting->population,
                                   counting->place->tag, counting->day);
    uint64_t bytes = profile->response != NULL ? profile->response->body_bytes : 0;
    bytes += window->bytes_rest;
    window->requests += window->requests < UINT32_MAX;
    window->kib += (uint32_t)(bytes / 1024);
    window->bytes_rest = bytes % 1024;
    bool blocked = profile->decision == GUARD_BLOCK; /* then the status may be ours */
    bool bad = !blocked && profile->status >= 400 && profile->status < 500;
    window->good += profile->status >= 100 && profile->status < 400;
    window->bad += bad;
    measure_whole(counting, GUARD_RULE_CLIENT_RATE, &window->rate, window->requests, 0);
    measure_whole(counting, GUARD_RULE_CLIENT_BYTES, &window->bytes, window->kib, 0);
    if (bad)
        measure_whole(counting, GUARD_RULE_CLIENT_ERRORS, &window->errors, window->bad,
                      window->good);
    if (!counting->judged)
        return;
    if (counting->template_text.len > 0)
        measure_endpoint(counting);
    else
        measure_path(counting);
    const struct gd_client_subject subject = subject_of(counting, GUARD_RULE_CLIENT_SEQUENCE);
    if (step != 0)
        measure_many(counting, &subject, step, true);
}

/* Bit per segment that is a wildcard of the template: also of endpoints whose support isn't there
 * yet. */
static uint64_t wildcards_of(struct guard_span template_text)
{
    uint64_t wildcards = 0;
    uint32_t segment = 0;
    for (size_t i = 0; i + 1 < template_text.len && segment < GD_SEGMENTS_MAX; i++) {
        if (template_text.ptr[i] != '/')
            continue;
        if (template_text.ptr[i + 1] == '{')
            wildcards |= UINT64_C(1) << segment;
        if (i + 2 < template_text.len && wildcards >> segment & 1 &&
            template_text.ptr[i + 2] == '*')
            wildcards |= ~UINT64_C(0) << segment;
        segment++;
    }
    return wildcards;
}

/* Which endpoint it is, by the policy. */
static void find_endpoint(struct counting *counting, const struct guard_policy *policy)
{
    struct guard_arena *arena = &counting->clients->arena;
    const struct gd_deciding none = {.policy = NULL};
    struct gd_decision *decision = gd_arena_get(arena, sizeof(*decision));
    if (decision == NULL || policy == NULL)
        return;
    gd_decide(decision, &none, NULL);
    decision->wildcards = 0;
    decision->known_cap = 0;
    decision->exempt = false;
    decision->policy = policy;
    decision->profile = counting->profile;
    decision->arena = arena;
    decision->verdict.threshold = policy->header->threshold_client;
    gd_walk(decision);
    counting->judged = true;
    counting->template_text = decision->template_text;
    counting->wildcards = wildcards_of(decision->template_text);
    counting->report->verdict.threshold = policy->header->threshold_client;
}

/* Between known endpoints only: everything is new behind an unknown one. */
static uint64_t step_of(struct counting *counting)
{
    struct guard_clients *clients = counting->clients;
    struct gd_client_place *place = counting->place;
    if (counting->template_text.len == 0)
        return 0;
    const struct gd_client_subject subject = {.rule = GUARD_RULE_CLIENT_SEQUENCE,
                                              .method = counting->profile->method,
                                              .template_text = counting->template_text};
    uint32_t now = gd_client_key(clients, &subject);
    uint32_t step = place->last * UINT32_C(2654435761) ^ now;
    bool first = place->last == 0 || place->last == now;
    place->last = now;
    if (first || gd_client_step_known(clients, step == 0 ? 1 : step, place->tag))
        return 0;
    return step;
}

static void count(struct counting *counting, const struct guard_policy *policy)
{
    struct guard_clients *clients = counting->clients;
    uint64_t now_ms = counting->profile->time_ms;
    gd_client_windows(clients, counting->place, now_ms);
    counting->day = (uint32_t)(now_ms / DAY_MS);
    counting->refused = counting->profile->decision != GUARD_BLOCK &&
                        (counting->profile->status == STATUS_UNAUTHORIZED ||
                         counting->profile->status == STATUS_FORBIDDEN);
    find_endpoint(counting, policy);
    uint64_t step = step_of(counting);
    clients->exchanges++;
    for (counting->tier = 0; counting->tier < GD_CLIENT_TIERS; counting->tier++) {
        counting->window = &counting->place->windows[counting->tier];
        measure_window(counting, step);
    }
}

/* Shared addresses and those that nobody claims to be one client aren't blocked as a whole. */
static void conclude(struct counting *counting, enum guard_mode mode)
{
    struct guard_client_report *report = counting->report;
    const struct guard_client *client = &counting->profile->client;
    report->shared =
        client->unit == GUARD_UNIT_SLICE || gd_client_shared(counting->clients, counting->place);
    report->client = *client;
    report->method = counting->profile->method;
    report->template_text = counting->template_text;
    report->code = guard_client_code(counting->clients->table_key, client);
    gd_client_report_end(counting->clients, report, mode);
}

enum guard_rc guard_clients_observe(struct guard_clients *clients,
                                    const struct guard_policy *policy, enum guard_mode mode,
                                    struct guard_span record, struct guard_client_report *report)
{
    struct gd_profile profile;
    struct counting counting = {.clients = clients, .profile = &profile, .report = report};
    report->verdict.decision = report->verdict.action = GUARD_PASS;
    report->verdict.score = report->verdict.threshold = 0;
    report->verdict.finding_count = report->verdict.finding_total = 0;
    report->code = 0;
    guard_arena_reset(&clients->arena);
    GUARD_TRY(gd_record_decode(record, &clients->arena, &profile));
    if (!gd_span_equal(profile.service, clients->service))
        return GUARD_E_FOREIGN;
    if (profile.time_ms == 0 || profile.outbound || profile.client.unit == GUARD_UNIT_ANONYMOUS ||
        profile.time_ms / DAY_MS > UINT32_MAX || gd_profile_exempt(&profile))
        return GUARD_OK;
    counting.place = gd_client_place(clients, &profile.client, profile.time_ms);
    if (counting.place == NULL)
        return GUARD_OK;
    count(&counting, policy);
    if (report->verdict.finding_total > 0)
        conclude(&counting, mode);
    return GUARD_OK;
}
