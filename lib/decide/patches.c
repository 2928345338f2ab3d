/* SPDX-License-Identifier: Apache-2.0 */
/* See patching.h. A patch's hit stands apart from what was learned: it blocks by itself, however
 * new or exempt the rest of the message is, wherever the mode lets anything block. */
#include "decide/exceptions.h"
#include "decide/patching.h"

#include "base/arena.h"

#include <stdio.h>

enum {
    CERTAIN = GD_POLICY_CERTAIN, /* a person said so */
    TELLING = 100,               /* of what only tells */
    SLACK = 256 * 1024,          /* bytes of texts beside the body */
    OBSERVED_MAX = 48,
    UNDER_PARTIAL = GD_PLACES_BODY,
};

struct gathering {
    struct gd_decision *decision;
    struct gd_patching *patching;
    const struct guard_txn_cfg *cfg;
    enum guard_decision strongest;
    struct guard_span exception; /* the first that covers what would block */
    bool partial;
    enum guard_decision unseen; /* the strongest told of what wasn't inspected */
};

/* Headers that hold too many cookies, and targets, stand for them. */
static uint32_t places_of(const struct gd_patch_set *set, enum guard_patch_part part)
{
    uint32_t places = set->places[part];
    places |= (places & GUARD_PLACE_QUERY) != 0 ? (uint32_t)GUARD_PLACE_TARGET : 0;
    places |= (places & GUARD_PLACE_COOKIE) != 0 ? (uint32_t)GUARD_PLACE_HEADER : 0;
    return places;
}

struct gd_patching *gd_patching_new(const struct guard_txn_cfg *cfg, enum guard_patch_part part,
                                    struct guard_arena *arena)
{
    const struct gd_patch_set *set = &cfg->policy->patches;
    bool answer = part == GUARD_PATCH_RESPONSE;
    size_t body = answer ? (cfg->response_limit != 0 ? cfg->response_limit : 256 * 1024)
                         : (cfg->body_limit != 0 ? cfg->body_limit : 1024 * 1024);
    size_t limit = body < SIZE_MAX / 4 ? 2 * body + SLACK : SIZE_MAX / 2;
    struct gd_capture capture;
    gd_capture_init(&capture, arena, limit, places_of(set, part),
                    (set->views >> GUARD_VIEW_RAW & 1) != 0, set->numbers);
    struct gd_patching *patching = gd_capture_room(&capture, sizeof(*patching));
    if (patching == NULL)
        return NULL;
    memset(patching, 0, sizeof(*patching));
    patching->capture = capture;
    return patching;
}

struct gd_patching *gd_patching_late(const struct guard_txn_cfg *cfg, enum guard_patch_part part,
                                     struct guard_arena *arena)
{
    struct gd_patching *patching = gd_patching_new(cfg, part, arena);
    if (patching != NULL) {
        patching->capture.places = 0;
        patching->capture.raw = false;
    }
    return patching;
}

void gd_patching_follow(struct gd_patching *patching, const struct gd_patch_set *set,
                        const struct gd_builder *builder, enum guard_patch_part part)
{
    struct gd_capture *capture = &patching->capture;
    const bool begun = gd_builder_has_body(builder);
    const bool raw = (set->views >> GUARD_VIEW_RAW & 1) != 0;
    uint32_t fresh = places_of(set, part);
    if (!raw || capture->raw)
        fresh &= ~capture->places;
    const uint32_t gone =
        begun ? (uint32_t)GUARD_PLACE_ALL : ~(uint32_t)GD_PLACES_BODY & GUARD_PLACE_ALL;
    const uint32_t kept = begun && !gd_builder_is_endless(builder) ? (uint32_t)GD_PLACES_BODY : 0;
    capture->missed |= fresh & gone;
    capture->places |= fresh & ~kept;
    capture->raw = capture->raw || raw;
}

void gd_patching_request(struct gd_patching *patching, struct guard_span method,
                         struct guard_span target)
{
    patching->scope.method = method;
    gd_patch_scope_path(&patching->scope, target, patching->capture.arena);
}

/* Now, for this service: what expired, and what the revision fixes, still tells. */
static bool in_shadow(const struct gathering *with, const struct gd_patch_entry *entry)
{
    const struct gd_patch_set *set = &with->decision->policy->patches;
    const struct guard_span fixed = gd_patch_span(set, entry->fixed_in);
    const uint64_t now = with->cfg->time_ms;
    return entry->mode != GUARD_PATCH_ENFORCE ||
           (entry->expires_ms != 0 && now != 0 && now >= entry->expires_ms) ||
           (fixed.len > 0 && gd_span_equal(fixed, with->cfg->revision));
}

static enum guard_location location_of(const struct gd_patch_value *value)
{
    static const uint8_t locations[] = {
        GUARD_LOCATION_NONE,      GUARD_LOCATION_PATH,   GUARD_LOCATION_PATH,
        GUARD_LOCATION_QUERY,     GUARD_LOCATION_HEADER, GUARD_LOCATION_COOKIE,
        GUARD_LOCATION_FORM,      GUARD_LOCATION_JSON,   GUARD_LOCATION_MULTIPART,
        GUARD_LOCATION_MULTIPART, GUARD_LOCATION_BODY,   GUARD_LOCATION_GRAPHQL,
        GUARD_LOCATION_NONE};
    if (value == NULL || value->places == 0)
        return GUARD_LOCATION_NONE;
    /* Of a wild value the place that it is, not those that it stands for. */
    if (value->flags & GD_CAPTURE_BODY)
        return GUARD_LOCATION_BODY;
    return (enum guard_location)locations[__builtin_ctz(value->places)];
}

static struct guard_span observed(struct gathering *with, struct guard_span name,
                                  struct guard_span text)
{
    char *room = gd_capture_room(&with->patching->capture, OBSERVED_MAX);
    struct guard_span head = gd_span_head(text, OBSERVED_MAX);
    if (room == NULL)
        return gd_span(NULL, 0);
    if (!gd_is_secret(name, head))
        return gd_span(room, gd_mask(head, room, OBSERVED_MAX));
    int len = snprintf(room, OBSERVED_MAX, "%zu bytes", text.len);
    return gd_span(room, len > 0 ? (size_t)len : 0);
}

static struct guard_span copied(struct gathering *with, struct guard_span text)
{
    enum { NAME_MOST = 256 };
    text = gd_span_head(text, NAME_MOST);
    uint8_t *room = text.len > 0 ? gd_capture_room(&with->patching->capture, text.len) : NULL;
    if (room == NULL)
        return gd_span(NULL, 0);
    memcpy(room, text.ptr, text.len);
    return gd_span(room, text.len);
}

static struct guard_finding finding_of(struct gathering *with, const struct gd_patch_entry *entry,
                                       const struct gd_patch_seen *seen)
{
    const struct gd_patch_set *set = &with->decision->policy->patches;
    const struct gd_patch_node *node = &set->nodes[seen->node];
    struct guard_finding finding = {.rule = GUARD_RULE_PATCH,
                                    .part = with->decision->part,
                                    .location = location_of(seen->value),
                                    .strength = TELLING,
                                    .configured = true,
                                    .patch = gd_patch_span(set, entry->id),
                                    .patch_title = gd_patch_span(set, entry->title)};
    finding.detail = node->op;
    if (node->op > GUARD_OPERATOR_NOT && seen->which < node->texts.count)
        finding.patch_text = gd_patch_span(set, set->texts[node->texts.first + seen->which]);
    if (seen->value != NULL) {
        finding.name = copied(with, seen->name);
        finding.observed = observed(with, finding.name, seen->text);
    }
    return finding;
}

static void put_first(struct guard_verdict *verdict, const struct guard_finding *finding)
{
    uint32_t last = verdict->finding_count < GUARD_FINDINGS_MAX ? verdict->finding_count++
                                                                : GUARD_FINDINGS_MAX - 1;
    for (; last > 0; last--)
        verdict->findings[last] = verdict->findings[last - 1];
    verdict->findings[0] = *finding;
}

static void put_last(struct guard_verdict *verdict, const struct guard_finding *finding)
{
    uint32_t last = verdict->finding_count < GUARD_FINDINGS_MAX ? verdict->finding_count++
                                                                : GUARD_FINDINGS_MAX - 1;
    verdict->findings[last] = *finding;
}

static void add_finding(struct gathering *with, const struct guard_finding *finding,
                        enum guard_decision decision)
{
    struct guard_verdict *verdict = &with->decision->verdict;
    verdict->finding_total++;
    if (decision == GUARD_BLOCK)
        put_first(verdict, finding);
    else
        put_last(verdict, finding);
    if (decision > with->strongest)
        with->strongest = decision;
}

static void note(struct gathering *with, const struct guard_patch_result *result)
{
    struct gd_patching *patching = with->patching;
    bool room = patching->result_count < GUARD_PATCH_RESULTS_MAX;
    if (room)
        patching->results[patching->result_count++] = *result;
    else if (result->hit)
        patching->results[GUARD_PATCH_RESULTS_MAX - 1] = *result;
}

/* The id of the exception for a hit that would block; "" when there is none, and where a person
 * said that none may be. */
static struct guard_span excepted(struct gathering *with, const struct gd_patch_entry *entry)
{
    struct gd_decision *decision = with->decision;
    if (entry->flags & GD_PATCH_MANDATORY)
        return gd_span(NULL, 0);
    struct guard_span patch = gd_patch_span(&decision->policy->patches, entry->id);
    uint32_t index = gd_exception_of_patch(decision, patch);
    if (index != GD_NO_EXCEPTION && with->exception.len == 0)
        with->exception = gd_exception_id(decision, index);
    return gd_exception_id(decision, index);
}

/* One stands for all, but neither one that only tells for those that block, nor one that is covered
 * for those that aren't. */
static void tell_unseen(struct gathering *with, const struct gd_patch_entry *entry,
                        const struct gd_patch_seen *seen, bool blocks)
{
    enum guard_decision decision = blocks ? GUARD_BLOCK : GUARD_ALERT;
    if (with->unseen >= decision)
        return;
    struct guard_finding finding = finding_of(with, entry, seen);
    finding.rule = GUARD_RULE_PATCH_UNSEEN;
    if (blocks)
        finding.exception = excepted(with, entry);
    if (finding.exception.len > 0)
        decision = GUARD_ALERT;
    else
        with->unseen = decision;
    add_finding(with, &finding, decision);
}

static void on_told(void *ctx, uint32_t index, enum gd_truth truth,
                    const struct gd_patch_seen *seen)
{
    struct gathering *with = ctx;
    const struct guard_policy *policy = with->decision->policy;
    const struct gd_patch_entry *entry = &policy->patches.entries[index];
    bool shadow = in_shadow(with, entry);
    bool blocks = !shadow && entry->action == GUARD_PATCH_BLOCK;
    bool closed = (policy->header->flags & GD_POLICY_FAIL_CLOSED) != 0;
    bool unseen = truth == GD_UNKNOWN && !with->partial && !with->patching->late;
    const struct guard_patch_result result = {gd_patch_span(&policy->patches, entry->id),
                                              truth == GD_TRUE, shadow, unseen};
    note(with, &result);
    if (truth == GD_TRUE) {
        struct guard_finding finding = finding_of(with, entry, seen);
        finding.shadow = shadow;
        finding.strength = blocks ? CERTAIN : TELLING;
        if (blocks)
            finding.exception = excepted(with, entry);
        add_finding(with, &finding,
                    blocks && finding.exception.len == 0 ? GUARD_BLOCK : GUARD_ALERT);
    } else if (unseen && !shadow) {
        tell_unseen(with, entry, seen, blocks && closed);
    }
}

/* What is enforced blocks in the mode alert as well: a person said so of just this. */
static void conclude(struct gathering *with)
{
    struct gd_decision *decision = with->decision;
    struct guard_verdict *verdict = &decision->verdict;
    if (with->strongest > verdict->decision)
        verdict->decision = with->strongest;
    if (verdict->decision == GUARD_BLOCK)
        verdict->exception = gd_span(NULL, 0);
    else if (verdict->exception.len == 0)
        verdict->exception = with->exception;
    if (with->strongest == GUARD_BLOCK) {
        verdict->novel = verdict->released = false;
        verdict->novel_count = 0;
        if (verdict->score < verdict->threshold)
            verdict->score = verdict->threshold;
    }
    if (decision->mode != GUARD_MODE_OBSERVE && with->strongest > verdict->action)
        verdict->action = with->strongest;
}

void gd_decide_patches(struct gd_decision *decision, struct gd_patching *patching,
                       const struct guard_txn_cfg *cfg, const struct gd_profile *profile,
                       bool partial, bool endless)
{
    struct gathering with = {
        .decision = decision, .patching = patching, .cfg = cfg, .partial = partial};
    struct gd_patch_message message;
    patching->result_count = 0;
    patching->scope.media = profile->media_type;
    if (decision->policy == NULL || decision->policy->patches.entry_count == 0)
        return;
    if (gd_patch_message_fill(&message, &patching->capture, profile, &decision->policy->patches,
                              partial ? (uint32_t)UNDER_PARTIAL : 0) != GUARD_OK)
        message.unseen = GUARD_PLACE_ALL;
    struct gd_patch_run run = {.set = &decision->policy->patches,
                               .part = profile->answer ? GUARD_PATCH_RESPONSE : GUARD_PATCH_REQUEST,
                               .message = &message,
                               .scope = &patching->scope,
                               .matcher = cfg->matcher,
                               .meter = cfg->meter,
                               .told = on_told,
                               .ctx = &with};
    gd_patch_run(&run);
    conclude(&with);
    if (endless && partial)
        gd_capture_forget(&patching->capture);
}
