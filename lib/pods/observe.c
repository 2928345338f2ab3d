/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of one record: what of it is new, then what is learned from it. */
#include "pods/profile.h"

#include <stdio.h>

enum { SESSION_MS = 10 * 60 * 1000, SHARED_MS = GD_POD_DAY_MS };

struct step {
    struct guard_pods *pods;
    const struct guard_pod_record *record;
    struct gd_pod_replica *replica;
    struct gd_pod_view view;
    bool viewed;
};

/* Counting all replicas is for what is new only. */
static const struct gd_pod_view *view_of(struct step *step, const struct guard_pod_rules *rules)
{
    if (!step->viewed)
        gd_pod_view_init(&step->view, step->pods, rules, step->replica, step->record->until_ms);
    step->viewed = true;
    return &step->view;
}

static enum guard_rc check(const struct guard_pods *pods, const struct guard_pod_record *record,
                           struct guard_err *err)
{
    if (pods->broken)
        return guard_fail(err, GUARD_E_STATE, "the profile ran out of memory before");
    if (!gd_span_equal(record->id.name_space, gd_pods_name_space(pods)) ||
        !gd_span_equal(record->id.workload, gd_pods_workload(pods)) ||
        !gd_span_equal(record->id.container, gd_pods_container(pods)))
        return guard_fail(err, GUARD_E_FOREIGN, "the record is of another workload or container");
    enum guard_rc rc = gd_intervals_check(&pods->intervals, &record->origin);
    if (rc != GUARD_OK)
        return guard_fail(err, rc,
                          rc == GUARD_E_REPLAY ? "the record was learned before"
                                               : "records of too many sensors");
    return GUARD_OK;
}

/* --- judging --- */

static bool by_runtime(struct guard_span parent)
{
    static const struct guard_span names[] = {
        GUARD_SPAN_LITERAL("runc"), GUARD_SPAN_LITERAL("crun"), GUARD_SPAN_LITERAL("conmon"),
        GUARD_SPAN_LITERAL("containerd-shim"), GUARD_SPAN_LITERAL("containerd-shim-runc-v2")};
    size_t start = parent.len;
    while (start > 0 && parent.ptr[start - 1] != '/')
        start--;
    struct guard_span name = gd_span_from(parent, start);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gd_span_equal(name, names[i]))
            return true;
    }
    return false;
}

/* Falco doesn't flag sessions; whoever does isn't contradicted by a name, which any file may have.
 */
static bool opens_session(const struct guard_pod_record *record,
                          const struct guard_pod_feature *feature)
{
    return (feature->flags & GUARD_POD_SESSION) != 0 ||
           (record->source == GUARD_POD_FALCO && feature->kind == GUARD_POD_EXEC &&
            by_runtime(feature->detail));
}

/* The narrowest name by which it is known what others did; NULL: by none. */
static const struct gd_pod_entry *entry_of(const struct guard_pods *pods,
                                           const struct gd_pod_key *keys, uint32_t count)
{
    const struct gd_pod_entry *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i].aspect != GD_POD_WHOLE && keys[i].aspect != GD_POD_NAMED)
            continue;
        const struct gd_pod_entry *entry = gd_pods_find(pods, keys[i].hash, NULL);
        if (entry != NULL && (found == NULL || entry->tag_count > found->tag_count))
            found = entry;
    }
    return found;
}

static uint64_t id_of(const struct gd_pod_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i].aspect == GD_POD_NAMED)
            return keys[i].hash;
    }
    return keys[0].hash;
}

/* What happens in a container's first minute is known by what it would be called later, too. */
static void name_evidence(struct guard_pod_evidence *evidence, const struct gd_pod_key *keys,
                          uint32_t count)
{
    uint32_t named = 0;
    evidence->id = id_of(keys, count);
    evidence->names[named++] = evidence->id;
    for (uint32_t i = 0; i < count && named < GUARD_POD_NAMES; i++) {
        bool narrow = keys[i].aspect == GD_POD_WHOLE || keys[i].aspect == GD_POD_NAMED;
        if (narrow && !keys[i].startup && keys[i].hash != evidence->id)
            evidence->names[named++] = keys[i].hash;
    }
}

static void describe(struct guard_pod_evidence *evidence, const struct guard_pod_feature *feature)
{
    size_t len =
        feature->request.len < GUARD_POD_REQUEST_MAX ? feature->request.len : GUARD_POD_REQUEST_MAX;
    (void)guard_pod_feature_text(feature, evidence->text, sizeof(evidence->text));
    if (len > 0)
        memcpy(evidence->request, feature->request.ptr, len);
    evidence->request[len] = '\0';
}

static void add_evidence(struct step *step, const struct guard_pod_rules *rules,
                         const struct guard_pod_feature *feature, const struct gd_pod_key *keys,
                         uint32_t count)
{
    const struct gd_pod_view *view = view_of(step, rules);
    const struct gd_pod_entry *entry = entry_of(step->pods, keys, count);
    struct gd_pod_case *open = step->replica->open;
    struct guard_pod_evidence evidence = {
        .kind = (uint32_t)feature->kind,
        .held = gd_pod_held(step->pods, keys, count),
        .hard = (rules->hard_kinds >> feature->kind & 1) != 0,
        .fresh = true,
        .session =
            (feature->flags & GUARD_POD_SESSION) != 0 || step->record->until_ms < open->session_ms,
        .with = entry == NULL ? 0 : gd_pod_others_with(view, entry),
        .days = view->days[feature->kind],
        .seen_ms =
            feature->first_ms > step->record->from_ms ? feature->first_ms : step->record->from_ms,
    };
    evidence.shared = evidence.with > 0 && entry->first_ms + SHARED_MS >= evidence.seen_ms;
    /* Of a change people hear once, not from each replica that it reaches. */
    evidence.fresh = !evidence.shared || (evidence.hard && !keys[0].startup) || evidence.held ||
                     entry->told_ms + SHARED_MS < evidence.seen_ms;
    evidence.strength = gd_pod_strength(rules, evidence.kind, evidence.with, evidence.days);
    name_evidence(&evidence, keys, count);
    describe(&evidence, feature);
    gd_pod_case_add(step->pods, open, &evidence, step->record->started_ms);
}

/* What it did before was told then; what is hard or held is told each time. */
static bool did_before(const struct step *step, const struct guard_pod_rules *rules,
                       const struct guard_pod_feature *feature, const struct gd_pod_key *keys,
                       uint32_t count)
{
    const struct gd_pod_entry *entry = entry_of(step->pods, keys, count);
    return (rules->hard_kinds >> feature->kind & 1) == 0 && entry != NULL &&
           gd_pod_has_tag(entry, step->replica->tag) && !gd_pod_held(step->pods, keys, count);
}

/* Sensors tell of a thing once: it became normal when it was old enough, and that shows now. */
static void promote(struct step *step, const struct guard_pod_rules *rules,
                    const struct gd_pod_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct gd_pod_entry *entry = gd_pods_find(step->pods, keys[i].hash, NULL);
        if (entry != NULL && !entry->normal && entry->tag_count > 1)
            gd_pod_promote(view_of(step, rules), entry);
    }
}

/* What the feature is judged by. In a container's first minute by what is normal later, too, not
 * the other way round. A name that nobody vouches for neither excuses it nor is held with it. */
static uint32_t keys_to_judge(const struct step *step, const struct guard_pod_rules *rules,
                              const struct guard_pod_feature *feature,
                              struct gd_pod_key keys[2 * GD_POD_KEYS])
{
    bool startup = gd_pod_startup(step->record->started_ms, feature);
    bool vouched = gd_pod_vouched(step->pods, rules, feature);
    uint32_t count = gd_pod_keys(step->pods, feature, startup, keys);
    count = vouched ? count : gd_pod_nameless(keys, count);
    if (!startup || count == 0)
        return count;
    uint32_t later = gd_pod_keys(step->pods, feature, false, keys + count);
    return count + (vouched ? later : gd_pod_nameless(keys + count, later));
}

/* The narrowest name by which it is known how much goes there. */
static const struct gd_pod_entry *measured(const struct guard_pods *pods,
                                           const struct gd_pod_key *keys, uint32_t count)
{
    const struct gd_pod_entry *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct gd_pod_entry *entry = gd_pods_find(pods, keys[i].hash, NULL);
        if (entry != NULL && (found == NULL || entry->volumes > found->volumes) &&
            (found == NULL || found->volumes < GD_POD_VOLUMES_MIN))
            found = entry;
    }
    return found;
}

/* How much goes to a place where it may go. */
static enum guard_rc judge_volume(struct step *step, const struct guard_pod_rules *rules,
                                  const struct guard_pod_feature *feature,
                                  const struct gd_pod_key *keys, uint32_t count)
{
    uint64_t volume = gd_pod_volume(step->record, feature), usual;
    const struct gd_pod_entry *entry = volume > 0 ? measured(step->pods, keys, count) : NULL;
    uint32_t with;
    if (entry == NULL || !gd_pod_volume_unusual(entry, step->replica->tag, volume, &with, &usual) ||
        gd_pods_review(step->pods, gd_pod_volume_id(entry)) == GUARD_POD_APPROVED)
        return GUARD_OK;
    struct gd_pod_case *open = gd_pod_case_of(step->pods, step->replica);
    if (open == NULL)
        return GUARD_E_NOMEM;
    struct guard_pod_evidence evidence = {
        .id = gd_pod_volume_id(entry),
        .kind = GUARD_POD_VOLUME,
        .fresh = true,
        .session = open->session_ms > step->record->until_ms,
        .with = with,
        .days = view_of(step, rules)->days[GUARD_POD_DESTINATION],
        .seen_ms = step->record->until_ms,
    };
    evidence.names[0] = evidence.id;
    evidence.strength = gd_pod_strength(rules, GUARD_POD_VOLUME, evidence.with, evidence.days);
    gd_pod_volume_text(feature, volume, usual, evidence.text, sizeof(evidence.text));
    gd_pod_case_add(step->pods, open, &evidence, 0);
    return GUARD_OK;
}

static enum guard_rc judge_feature(struct step *step, const struct guard_pod_rules *rules,
                                   const struct guard_pod_feature *feature)
{
    struct gd_pod_key keys[2 * GD_POD_KEYS];
    if ((feature->flags & GUARD_POD_EXEC_PROBE) != 0)
        return GUARD_OK;
    uint32_t count = keys_to_judge(step, rules, feature, keys);
    promote(step, rules, keys, count);
    GUARD_TRY(judge_volume(step, rules, feature, keys, count));
    if (count > 0 && (gd_pod_normal(step->pods, rules, keys, count) ||
                      did_before(step, rules, feature, keys, count)))
        return GUARD_OK;
    struct gd_pod_case *open = gd_pod_case_of(step->pods, step->replica);
    if (open == NULL)
        return GUARD_E_NOMEM;
    if (opens_session(step->record, feature)) {
        uint64_t until = step->record->until_ms + SESSION_MS;
        open->session_ms = open->session_ms > until ? open->session_ms : until;
    }
    if (gd_pod_is_door(feature->kind))
        gd_pod_case_request(step->pods, open, feature->request);
    if (count > 0)
        add_evidence(step, rules, feature, keys, count);
    return GUARD_OK;
}

static uint32_t clamp(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static enum guard_rc judge_amounts(struct step *step, const struct guard_pod_rules *rules)
{
    const struct guard_pod_record *record = step->record;
    uint64_t live_since = record->until_ms < rules->live_ms ? 0 : record->until_ms - rules->live_ms;
    if (!gd_pod_has_amounts(record))
        return GUARD_OK;
    for (uint32_t rate = 0; rate < GUARD_POD_AMOUNTS; rate++) {
        uint64_t as_much = 0, minutes = 0;
        uint32_t value;
        if (!gd_pod_amount(record, rate, &value) ||
            gd_pods_review(step->pods, rate + 1) == GUARD_POD_APPROVED ||
            !gd_pods_amount_unusual(step->pods, step->replica, rate, value, live_since, &as_much,
                                    &minutes))
            continue;
        struct gd_pod_case *open = gd_pod_case_of(step->pods, step->replica);
        if (open == NULL)
            return GUARD_E_NOMEM;
        struct guard_pod_evidence evidence = {
            .id = rate + 1,
            .kind = GUARD_POD_AMOUNT,
            .fresh = true,
            .session = open->session_ms > record->until_ms,
            .with = clamp(as_much),
            .days = clamp(minutes),
            .seen_ms = record->until_ms,
        };
        evidence.strength = gd_pod_strength(rules, GUARD_POD_AMOUNT, evidence.with, evidence.days);
        (void)snprintf(evidence.text, sizeof(evidence.text), "%s %u%s, peers far less",
                       guard_pod_amount_name(rate), value,
                       rate == GUARD_POD_BYTES_PER_REQUEST ? "" : " per minute");
        gd_pod_case_add(step->pods, open, &evidence, 0);
    }
    return GUARD_OK;
}

static void describe_flow(const struct gd_pod_entry *entry,
                          const struct gd_pod_flow_finding *finding,
                          struct guard_pod_evidence *evidence)
{
    static const char connects[] = "connects";
    char where[112] = "connects";
    if (entry != NULL) {
        const struct guard_pod_feature feature = gd_pod_entry_feature(entry);
        (void)guard_pod_feature_text(&feature, where, sizeof(where));
    }
    gd_pod_flow_text(finding, where + sizeof(connects) - 1, evidence->text, sizeof(evidence->text));
}

/* How much went out in the hour that ended, to a place or in all. */
static enum guard_rc add_flow(struct step *step, const struct guard_pod_rules *rules,
                              const struct gd_pod_flow_finding *finding)
{
    const struct gd_pod_entry *entry =
        finding->hash == 0 ? NULL : gd_pods_find(step->pods, finding->hash, NULL);
    uint64_t id = entry == NULL ? GUARD_POD_BYTES_OUT + 1 : gd_pod_volume_id(entry);
    if ((finding->hash != 0 && entry == NULL) ||
        gd_pods_review(step->pods, id) == GUARD_POD_APPROVED)
        return GUARD_OK;
    struct gd_pod_case *open = gd_pod_case_of(step->pods, step->replica);
    if (open == NULL)
        return GUARD_E_NOMEM;
    struct guard_pod_evidence evidence = {
        .id = id,
        .kind = entry == NULL ? GUARD_POD_AMOUNT : GUARD_POD_VOLUME,
        .fresh = true,
        .session = open->session_ms > step->record->until_ms,
        .days = view_of(step, rules)->days[GUARD_POD_DESTINATION] +
                gd_pod_replica_days(step->replica), /* it is compared with its own, too */
        .seen_ms = step->record->until_ms,
    };
    evidence.names[0] = evidence.id;
    evidence.strength = gd_pod_strength(rules, evidence.kind, 0, evidence.days);
    describe_flow(entry, finding, &evidence);
    gd_pod_case_add(step->pods, open, &evidence, 0);
    return GUARD_OK;
}

static enum guard_rc judge_flows(struct step *step, const struct guard_pod_rules *rules)
{
    struct gd_pod_flow_finding finding;
    uint32_t at = 0;
    if (!gd_pod_flows_turn(step->replica, step->record))
        return GUARD_OK;
    while (gd_pod_flow_next(step->pods, step->replica, &at, &finding))
        GUARD_TRY(add_flow(step, rules, &finding));
    return GUARD_OK;
}

static void note_change(struct guard_pods *pods, const struct guard_pod_verdict *verdict,
                        uint64_t now_ms)
{
    for (uint32_t i = 0; i < verdict->count; i++) {
        struct gd_pod_entry *entry = gd_pods_find(pods, verdict->evidence[i].id, NULL);
        if (verdict->evidence[i].shared && entry != NULL)
            entry->told_ms = now_ms;
    }
}

static enum guard_rc judge(struct step *step, const struct guard_pod_rules *rules,
                           struct guard_pod_verdict *verdict)
{
    /* What tells of the rest goes first, wherever it stands in the record. */
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < step->record->feature_count; i++) {
            const struct guard_pod_feature *feature = &step->record->features[i];
            bool first = gd_pod_is_door(feature->kind) || opens_session(step->record, feature);
            if (first == (pass == 0))
                GUARD_TRY(judge_feature(step, rules, feature));
        }
    }
    GUARD_TRY(judge_amounts(step, rules));
    GUARD_TRY(judge_flows(step, rules));
    if (step->replica->open == NULL || !gd_pod_case_fresh(step->replica->open))
        return GUARD_OK;
    gd_pod_case_decide(view_of(step, rules), step->replica->open, verdict);
    if (verdict->decision == GUARD_POD_CHANGE)
        note_change(step->pods, verdict, step->record->until_ms);
    if (verdict->decision == GUARD_POD_REPLACE)
        return gd_pods_hold(step->pods, verdict, step->record->until_ms);
    return GUARD_OK;
}

/* --- learning --- */

/* Things of one replica alone are bounded; what a second one does is no longer of the first. */
static void tag(struct step *step, struct gd_pod_entry *entry)
{
    uint32_t before = entry->tag_count, sole = entry->tags[0];
    entry->tag_count =
        (uint8_t)gd_bottom_add(entry->tags, entry->tag_count, GD_POD_TAGS, step->replica->tag);
    if (before == 0)
        step->replica->alone++;
    if (before != 1 || entry->tag_count != 2)
        return;
    struct gd_pod_replica *first = gd_pods_find_replica(step->pods, sole, NULL);
    if (first != NULL && first->alone > 0)
        first->alone--;
}

static enum guard_rc learn_key(struct step *step, const struct guard_pod_rules *rules,
                               const struct guard_pod_feature *feature,
                               const struct gd_pod_key *key)
{
    struct guard_pods *pods = step->pods;
    uint32_t at;
    struct gd_pod_entry *entry = gd_pods_find(pods, key->hash, &at);
    if (entry == NULL) {
        if (pods->entry_count >= pods->known_max || step->replica->alone >= GD_POD_ALONE_MAX) {
            pods->refused += pods->refused < UINT64_MAX;
            return GUARD_OK;
        }
        entry = gd_pods_add(pods, at, key);
        if (entry == NULL)
            return GUARD_E_NOMEM;
    }
    uint64_t first =
        feature->first_ms > step->record->from_ms ? feature->first_ms : step->record->from_ms;
    entry->first_ms = first < entry->first_ms ? first : entry->first_ms;
    entry->last_ms =
        step->record->until_ms > entry->last_ms ? step->record->until_ms : entry->last_ms;
    if (__builtin_add_overflow(entry->count, feature->count, &entry->count))
        entry->count = UINT64_MAX;
    tag(step, entry);
    gd_pod_volume_learn(entry, step->replica->tag, gd_pod_volume(step->record, feature));
    if (key->variant != 0)
        entry->variety_count = (uint8_t)gd_bottom_add(entry->variety, entry->variety_count,
                                                      GD_POD_VARIETY, key->variant);
    if (!entry->normal && entry->tag_count > 1)
        gd_pod_promote(view_of(step, rules), entry);
    return GUARD_OK;
}

static bool has_name(const struct guard_pod_feature *feature, const struct gd_pod_key *keys,
                     uint32_t count)
{
    return (feature->flags & GUARD_POD_ANSWERED) != 0 && count > 1 &&
           keys[count - 1].aspect == GD_POD_NAMED;
}

/* Addresses behind a normal name come and go: they leave room for what a replica does alone. */
static bool only_name(const struct step *step, const struct guard_pod_rules *rules,
                      const struct guard_pod_feature *feature, const struct gd_pod_key *keys,
                      uint32_t count)
{
    return has_name(feature, keys, count) && step->replica->alone >= GD_POD_ALONE_MAX / 2 &&
           gd_pod_normal(step->pods, rules, &keys[count - 1], 1);
}

/* A place is followed by its name, if that counts, else by its address. */
static enum guard_rc learn_flows(struct step *step, const struct guard_pod_rules *rules)
{
    struct gd_pod_key keys[GD_POD_KEYS];
    const struct guard_pod_record *record = step->record;
    GUARD_TRY(gd_pod_flows_cover(step->pods, step->replica, record));
    for (uint32_t i = 0; i < record->feature_count; i++) {
        const struct guard_pod_feature *feature = &record->features[i];
        if (feature->kind != GUARD_POD_DESTINATION || feature->bytes_out == 0)
            continue;
        uint32_t count = gd_pod_keys(step->pods, feature, false, keys);
        if (!gd_pod_vouched(step->pods, rules, feature))
            count = gd_pod_nameless(keys, count);
        if (count > 0)
            gd_pod_flow_add(step->replica, record, id_of(keys, count), feature->bytes_out);
    }
    return GUARD_OK;
}

static enum guard_rc learn(struct step *step, const struct guard_pod_rules *rules)
{
    struct gd_pod_key keys[2 * GD_POD_KEYS];
    const struct guard_pod_record *record = step->record;
    step->replica->covered |= ~record->blind & ((1u << GUARD_POD_KINDS) - 1);
    for (uint32_t i = 0; i < record->feature_count; i++) {
        const struct guard_pod_feature *feature = &record->features[i];
        bool startup = gd_pod_startup(record->started_ms, feature);
        uint32_t count = gd_pod_keys(step->pods, feature, startup, keys);
        uint32_t later = startup ? gd_pod_keys(step->pods, feature, false, keys + count) : 0;
        bool held = gd_pod_held(step->pods, keys, count + later);
        /* While it is learned whom replicas ask there is nobody yet to vouch. */
        if (!gd_pod_vouched(step->pods, rules, feature) && view_of(step, rules)->ready)
            count = gd_pod_nameless(keys, count);
        uint32_t first = only_name(step, rules, feature, keys, count) ? count - 1 : 0;
        /* Nor do addresses that have a name stand for the others of their net or port. */
        bool narrow = held || has_name(feature, keys, count);
        for (uint32_t j = first; j < count; j++) {
            if (!narrow || keys[j].aspect == GD_POD_WHOLE || keys[j].aspect == GD_POD_NAMED)
                GUARD_TRY(learn_key(step, rules, feature, &keys[j]));
        }
    }
    gd_pods_learn_amounts(step->pods, step->replica, record);
    GUARD_TRY(learn_flows(step, rules));
    gd_pod_replica_see(step->replica, 1, (uint32_t)(record->until_ms / GD_POD_DAY_MS));
    step->replica->records++;
    step->pods->records++;
    return GUARD_OK;
}

/* --- the record as a whole --- */

static enum guard_rc find_replica(struct step *step, struct guard_err *err)
{
    const struct guard_pod_record *record = step->record;
    uint32_t at, tag = gd_pod_tag(step->pods, record->id.pod);
    struct gd_pod_replica *replica = gd_pods_find_replica(step->pods, tag, &at);
    if (replica == NULL) {
        if (step->pods->replica_count >= step->pods->replicas_max)
            return guard_fail(err, GUARD_E_LIMIT, "more than %u replicas of one workload",
                              step->pods->replicas_max);
        replica = gd_pods_add_replica(step->pods, at, tag);
        if (replica == NULL)
            return GUARD_E_NOMEM;
    }
    step->replica = replica;
    const struct gd_pod_names names = {record->id.pod, record->id.template_hash, record->id.image,
                                       record->id.node};
    bool renamed = !gd_span_equal(names.pod, gd_pod_name(replica)) ||
                   !gd_span_equal(names.template_hash, gd_pod_template(replica)) ||
                   !gd_span_equal(names.image, gd_pod_image(replica)) ||
                   !gd_span_equal(names.node, gd_pod_node(replica));
    if (renamed && record->until_ms >= replica->named_ms)
        GUARD_TRY(gd_pods_name(step->pods, replica, &names));
    if (record->until_ms >= replica->named_ms) {
        replica->named_ms = record->until_ms;
        replica->started_ms = record->started_ms;
    }
    return GUARD_OK;
}

static void note_times(struct step *step)
{
    const struct guard_pod_record *record = step->record;
    struct gd_pod_replica *replica = step->replica;
    struct guard_pods *pods = step->pods;
    replica->first_ms = record->from_ms < replica->first_ms ? record->from_ms : replica->first_ms;
    replica->last_ms = record->until_ms > replica->last_ms ? record->until_ms : replica->last_ms;
    /* Learning begins with what is learned from. */
    if (record->dropped == 0 && (pods->first_ms == 0 || record->from_ms < pods->first_ms))
        pods->first_ms = record->from_ms;
    pods->last_ms = record->until_ms > pods->last_ms ? record->until_ms : pods->last_ms;
}

static enum guard_rc take(struct step *step, const struct guard_pod_rules *rules,
                          struct guard_pod_verdict *verdict)
{
    note_times(step);
    GUARD_TRY(judge(step, rules, verdict));
    if (step->record->dropped > 0) {
        step->replica->incomplete++;
        step->pods->incomplete++;
    } else {
        GUARD_TRY(learn(step, rules));
    }
    return gd_intervals_add(&step->pods->pool, &step->pods->intervals, &step->record->origin,
                            step->record->until_ms);
}

enum guard_rc guard_pods_observe(struct guard_pods *pods, const struct guard_pod_rules *rules,
                                 const struct guard_pod_record *record,
                                 struct guard_pod_verdict *verdict, struct guard_err *err)
{
    struct step step = {.pods = pods, .record = record};
    verdict->decision = GUARD_POD_NORMAL;
    verdict->count = verdict->reasons = 0;
    GUARD_TRY(check(pods, record, err));
    enum guard_rc rc = find_replica(&step, err);
    if (rc == GUARD_OK) {
        gd_pod_verdict_names(pods, step.replica, verdict);
        rc = take(&step, rules, verdict);
    }
    if (rc == GUARD_E_NOMEM) {
        pods->broken = true;
        return guard_fail(err, rc, "no memory for a pod profile");
    }
    return rc;
}
