/* SPDX-License-Identifier: Apache-2.0 */
/* Merging: counts of profiles that share no records are added; where one has all records of the
 * other, its counts are the higher ones. Everything else is a minimum, a maximum or a union.
 * Nothing is cut: what doesn't fit is refused as a whole, so that the order of merges never
 * matters. */
#include "pods/profile.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Counts of both; disjoint: they share no records. */
static uint64_t sum(bool disjoint, uint64_t a, uint64_t b)
{
    uint64_t both;
    if (!disjoint)
        return most(a, b);
    return __builtin_add_overflow(a, b, &both) ? UINT64_MAX : both;
}

/* --- what would be --- */

static uint32_t both_entries(const struct guard_pods *a, const struct guard_pods *b)
{
    uint32_t count = a->entry_count;
    for (uint32_t i = 0; i < b->entry_count; i++)
        count += gd_pods_find(a, b->entries[i]->hash, NULL) == NULL;
    return count;
}

static uint32_t both_replicas(const struct guard_pods *a, const struct guard_pods *b)
{
    uint32_t count = a->replica_count;
    for (uint32_t i = 0; i < b->replica_count; i++)
        count += gd_pods_find_replica(a, b->replicas[i]->tag, NULL) == NULL;
    return count;
}

/* Judgements of both: of people, and of the learner. */
static bool judged_fit(const struct guard_pods *a, const struct guard_pods *b)
{
    uint32_t people = 0, held = 0;
    for (uint32_t i = 0, j = 0; i < a->judged_count || j < b->judged_count;) {
        bool left =
            j == b->judged_count || (i < a->judged_count && a->judged[i].id <= b->judged[j].id);
        bool right =
            i == a->judged_count || (j < b->judged_count && b->judged[j].id <= a->judged[i].id);
        bool own =
            left && (!right || !gd_pod_outranks(&b->judged[j], &a->judged[i])); /* it holds */
        bool by_learner = (own ? a->judged[i] : b->judged[j]).review == GUARD_POD_HELD;
        held += by_learner;
        people += !by_learner;
        i += left;
        j += right;
    }
    return people <= GD_POD_JUDGED_MAX && held <= GD_POD_HELD_MAX;
}

/* --- uniting --- */

static enum guard_rc unite_names(struct guard_pods *into, struct gd_pod_replica *own,
                                 const struct gd_pod_replica *other)
{
    size_t own_len = (size_t)own->pod_len + own->hash_len + own->image_len + own->node_len;
    size_t other_len =
        (size_t)other->pod_len + other->hash_len + other->image_len + other->node_len;
    if (own->text != NULL) {
        /* Of two at one time any rule will do that is the same for everybody. */
        int order = gd_span_compare(gd_span(own->text, own_len), gd_span(other->text, other_len));
        bool later = other->named_ms > own->named_ms ||
                     (other->named_ms == own->named_ms &&
                      (order < 0 || (order == 0 && other->started_ms > own->started_ms)));
        if (!later)
            return GUARD_OK;
    }
    const struct gd_pod_names names = {gd_pod_name(other), gd_pod_template(other),
                                       gd_pod_image(other), gd_pod_node(other)};
    own->named_ms = other->named_ms;
    own->started_ms = other->started_ms;
    return gd_pods_name(into, own, &names);
}

static void unite_rates(struct gd_pod_replica *own, const struct gd_pod_replica *other)
{
    bool later = other->rates_ms > own->rates_ms;
    if (other->rates_ms == own->rates_ms) {
        int order = memcmp(own->rates, other->rates, sizeof(own->rates));
        later = order < 0 || (order == 0 && other->rates_known > own->rates_known);
    }
    if (!later)
        return;
    own->rates_ms = other->rates_ms;
    own->rates_known = other->rates_known;
    memcpy(own->rates, other->rates, sizeof(own->rates));
}

static enum guard_rc unite_replica(struct guard_pods *into, const struct gd_pod_replica *other,
                                   bool disjoint)
{
    uint32_t at;
    struct gd_pod_replica *own = gd_pods_find_replica(into, other->tag, &at);
    if (own == NULL)
        own = gd_pods_add_replica(into, at, other->tag);
    if (own == NULL)
        return GUARD_E_NOMEM;
    GUARD_TRY(unite_names(into, own, other));
    unite_rates(own, other);
    gd_pod_replica_see(own, other->days, other->day_last);
    own->covered |= other->covered;
    own->first_ms = least(own->first_ms, other->first_ms);
    own->last_ms = most(own->last_ms, other->last_ms);
    own->records = sum(disjoint, own->records, other->records);
    own->incomplete = sum(disjoint, own->incomplete, other->incomplete);
    return GUARD_OK;
}

static enum guard_rc unite_entry(struct guard_pods *into, const struct gd_pod_entry *other,
                                 bool disjoint)
{
    uint32_t at;
    struct gd_pod_entry *own = gd_pods_find(into, other->hash, &at);
    if (own == NULL) {
        struct gd_pod_key key;
        gd_pod_key_of(other, &key);
        own = gd_pods_add(into, at, &key);
    }
    if (own == NULL)
        return GUARD_E_NOMEM;
    own->tag_count = (uint8_t)gd_bottom_unite(own->tags, own->tag_count, GD_POD_TAGS, other->tags,
                                              other->tag_count);
    own->variety_count = (uint8_t)gd_bottom_unite(own->variety, own->variety_count, GD_POD_VARIETY,
                                                  other->variety, other->variety_count);
    own->first_ms = least(own->first_ms, other->first_ms);
    own->last_ms = most(own->last_ms, other->last_ms);
    own->told_ms = most(own->told_ms, other->told_ms);
    own->count = sum(disjoint, own->count, other->count);
    gd_pod_volumes_unite(own, other, disjoint);
    own->normal |= other->normal;
    return GUARD_OK;
}

static void unite_amounts(struct guard_pods *into, const struct guard_pods *other, bool disjoint)
{
    for (uint32_t rate = 0; rate < GUARD_POD_AMOUNTS; rate++) {
        for (uint32_t bucket = 0; bucket < GD_BUCKETS; bucket++) {
            uint64_t minutes =
                sum(disjoint, into->amounts[rate][bucket], other->amounts[rate][bucket]);
            into->amounts[rate][bucket] = minutes > UINT32_MAX ? UINT32_MAX : (uint32_t)minutes;
        }
    }
}

static enum guard_rc unite_intervals(struct guard_pods *into, const struct guard_pods *other,
                                     enum gd_relation relation)
{
    static const struct gd_intervals none = {.items = NULL};
    struct gd_intervals both;
    if (relation == GD_RELATION_CONTAINED || relation == GD_RELATION_EQUAL)
        return GUARD_OK;
    const struct gd_intervals *own = relation == GD_RELATION_DISJOINT ? &into->intervals : &none;
    GUARD_TRY(gd_intervals_unite(&into->pool, &both, own, &other->intervals));
    gd_intervals_fini(&into->pool, &into->intervals);
    into->intervals = both;
    return GUARD_OK;
}

static enum guard_rc unite(struct guard_pods *into, const struct guard_pods *other,
                           enum gd_relation relation)
{
    bool disjoint = relation == GD_RELATION_DISJOINT;
    GUARD_TRY(unite_intervals(into, other, relation));
    for (uint32_t i = 0; i < other->judged_count; i++)
        GUARD_TRY(gd_pods_set_review(into, &other->judged[i]));
    for (uint32_t i = 0; i < other->replica_count; i++)
        GUARD_TRY(unite_replica(into, other->replicas[i], disjoint));
    for (uint32_t i = 0; i < other->entry_count; i++)
        GUARD_TRY(unite_entry(into, other->entries[i], disjoint));
    gd_pods_count_alone(into);
    unite_amounts(into, other, disjoint);
    if (other->first_ms != 0)
        into->first_ms =
            into->first_ms == 0 ? other->first_ms : least(into->first_ms, other->first_ms);
    into->last_ms = most(into->last_ms, other->last_ms);
    into->records = sum(disjoint, into->records, other->records);
    into->incomplete = sum(disjoint, into->incomplete, other->incomplete);
    into->refused = sum(disjoint, into->refused, other->refused);
    return GUARD_OK;
}

/* --- the whole --- */

static enum guard_rc check(const struct guard_pods *into, const struct guard_pods *other,
                           enum gd_relation *relation, struct guard_err *err)
{
    struct gd_interval where = {.producer = 0};
    if (into->broken || other->broken)
        return guard_fail(err, GUARD_E_STATE, "a profile ran out of memory before");
    if (memcmp(into->key_id, other->key_id, sizeof(into->key_id)) != 0 ||
        !gd_span_equal(gd_pods_name_space(into), gd_pods_name_space(other)) ||
        !gd_span_equal(gd_pods_workload(into), gd_pods_workload(other)) ||
        !gd_span_equal(gd_pods_container(into), gd_pods_container(other)))
        return guard_fail(err, GUARD_E_FOREIGN,
                          "the profiles are of different keys, workloads or containers");
    *relation = gd_intervals_relate(&into->intervals, &other->intervals, &where);
    if (*relation == GD_RELATION_PARTIAL)
        return guard_fail(err, GUARD_E_OVERLAP,
                          "records %llu to %llu of sensor %016llx are in both profiles, others "
                          "aren't",
                          (unsigned long long)where.first, (unsigned long long)where.last,
                          (unsigned long long)where.producer);
    if (!judged_fit(into, other))
        return guard_fail(err, GUARD_E_LIMIT, "more than %d judgements, or %d things held",
                          GD_POD_JUDGED_MAX, GD_POD_HELD_MAX);
    if (both_entries(into, other) > into->known_max ||
        both_replicas(into, other) > into->replicas_max ||
        (*relation == GD_RELATION_DISJOINT &&
         into->intervals.count + other->intervals.count > GD_INTERVALS_MAX))
        return guard_fail(err, GUARD_E_LIMIT, "both profiles together are too large");
    return GUARD_OK;
}

enum guard_rc guard_pods_merge(struct guard_pods *into, const struct guard_pods *other,
                               enum guard_merge *outcome, struct guard_err *err)
{
    enum gd_relation relation = GD_RELATION_PARTIAL;
    GUARD_TRY(check(into, other, &relation, err));
    if (outcome != NULL)
        *outcome = relation == GD_RELATION_DISJOINT   ? GUARD_MERGE_ADDED
                   : relation == GD_RELATION_CONTAINS ? GUARD_MERGE_REPLACED
                                                      : GUARD_MERGE_CONTAINED;
    enum guard_rc rc = unite(into, other, relation);
    if (rc == GUARD_OK)
        return GUARD_OK;
    into->broken = true;
    return guard_fail(err, rc, "no memory to merge pod profiles");
}
