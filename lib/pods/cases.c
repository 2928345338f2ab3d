/* SPDX-License-Identifier: Apache-2.0 */
/* A replica's case: what is held against it lately, and what follows from that. A replacement wants
 * one replica that does what no other did, in two kinds of evidence that don't follow from each
 * other, or by one hard sign; everything else is told to people. */
#include "pods/profile.h"

enum { TOLD_MS = 24 * 3600 * 1000 };

enum { PROCESS = 1, NETWORK = 2, FILES = 4, AMOUNT = 8, GATE = 16, HARD = 32 };

uint32_t gd_pod_class(uint32_t kind)
{
    static const uint8_t classes[GUARD_POD_EVIDENCE_KINDS] = {
        [GUARD_POD_DESTINATION] = NETWORK, [GUARD_POD_LISTEN] = NETWORK,
        [GUARD_POD_EXEC] = PROCESS,        [GUARD_POD_USER] = PROCESS,
        [GUARD_POD_WRITE] = FILES,         [GUARD_POD_SECRET] = FILES,
        [GUARD_POD_DNS] = NETWORK,         [GUARD_POD_DROPPED] = HARD,
        [GUARD_POD_MEMFD] = HARD,          [GUARD_POD_ROOT] = HARD,
        [GUARD_POD_OUTBOUND] = GATE,       [GUARD_POD_RESPONSE] = GATE,
        [GUARD_POD_REQUEST] = GATE,        [GUARD_POD_AMOUNT] = AMOUNT,
        [GUARD_POD_VOLUME] = AMOUNT,
    };
    return classes[kind];
}

bool gd_pod_is_door(enum guard_pod_kind kind)
{
    return gd_pod_class(kind) == GATE;
}

struct gd_pod_case *gd_pod_case_of(struct guard_pods *pods, struct gd_pod_replica *replica)
{
    if (replica->open == NULL)
        replica->open = gd_pool_get(&pods->pool, sizeof(*replica->open));
    return replica->open;
}

static bool same(const struct guard_pod_evidence *a, const struct guard_pod_evidence *b)
{
    return a->kind == b->kind && a->id == b->id;
}

/* Whether a goes before b when there is no room: what was told goes first, then what is weak. */
static bool weaker(const struct guard_pod_evidence *a, const struct guard_pod_evidence *b)
{
    if (a->hard != b->hard)
        return b->hard;
    return a->strength < b->strength || (a->strength == b->strength && a->seen_ms < b->seen_ms);
}

static uint64_t door_id(const struct guard_pods *pods, struct guard_span request)
{
    uint64_t id = request.len == 0 ? 0 : gd_hash_keyed(&pods->key, request);
    return id == 0 && request.len > 0 ? 1 : id;
}

/* Only the id of the exchange proves that both belong together. What comes at one time doesn't: a
 * client that scans one replica has findings all the time, and what an unusual request makes a
 * service do is unusual without being misuse. */
static bool is_through_door(const struct guard_pods *pods, const struct gd_pod_case *from,
                            const struct guard_pod_evidence *evidence)
{
    uint32_t count = from->door_count < GD_POD_DOORS ? from->door_count : GD_POD_DOORS;
    uint64_t id = door_id(pods, gd_span(evidence->request, strlen(evidence->request)));
    if (id == 0 || gd_pod_class(evidence->kind) == GATE)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (from->doors[i] == id)
            return true;
    }
    return false;
}

static bool is_old(const struct guard_pod_evidence *own, const struct guard_pod_evidence *evidence)
{
    return own->seen_ms + TOLD_MS < evidence->seen_ms;
}

/* Where evidence goes in the place of what is old. What it is itself goes first: it would count
 * twice in another place. NULL: nothing is old. */
static struct guard_pod_evidence *place_of(struct gd_pod_case *into,
                                           const struct guard_pod_evidence *evidence)
{
    struct guard_pod_evidence *old = NULL;
    for (uint32_t i = 0; i < into->count; i++) {
        struct guard_pod_evidence *own = &into->evidence[i];
        if (same(own, evidence))
            return own;
        if (old == NULL && is_old(own, evidence))
            old = own;
    }
    return old;
}

/* What an earlier container did: a replacement of the same name may do it again. */
static bool is_earlier(const struct guard_pod_evidence *own, uint64_t started_ms)
{
    return own->seen_ms < started_ms;
}

static void put(struct gd_pod_case *into, const struct guard_pod_evidence *evidence,
                uint64_t started_ms)
{
    struct guard_pod_evidence *weakest = NULL, *place = place_of(into, evidence);
    if (place != NULL) {
        if (is_old(place, evidence) || is_earlier(place, started_ms))
            *place = *evidence;
        return;
    }
    for (uint32_t i = 0; i < into->count; i++) {
        if (weakest == NULL || weaker(&into->evidence[i], weakest))
            weakest = &into->evidence[i];
    }
    if (into->count < GD_POD_CASE_MAX)
        into->evidence[into->count++] = *evidence;
    else if (weaker(weakest, evidence))
        *weakest = *evidence;
}

void gd_pod_case_add(const struct guard_pods *pods, struct gd_pod_case *into,
                     const struct guard_pod_evidence *evidence, uint64_t started_ms)
{
    struct guard_pod_evidence copy = *evidence;
    copy.door = is_through_door(pods, into, evidence);
    put(into, &copy, started_ms);
}

void gd_pod_case_request(const struct guard_pods *pods, struct gd_pod_case *into,
                         struct guard_span id)
{
    if (id.len == 0)
        return;
    into->doors[into->door_count % GD_POD_DOORS] = door_id(pods, id);
    into->door_count = into->door_count == UINT32_MAX ? GD_POD_DOORS : into->door_count + 1;
    for (uint32_t i = 0; i < into->count; i++) {
        struct guard_pod_evidence *evidence = &into->evidence[i];
        if (!evidence->door && is_through_door(pods, into, evidence))
            evidence->door = evidence->fresh = true;
    }
}

bool gd_pod_case_fresh(const struct gd_pod_case *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->evidence[i].fresh)
            return true;
    }
    return false;
}

/* --- deciding --- */

struct sum {
    double soft;                           /* of what may count for a replacement */
    uint32_t classes;                      /* of the same, those of the gate apart */
    double gate;                           /* of responses and calls */
    bool hard;                             /* a hard sign that no other replica shows */
    bool fresh;                            /* something worth telling */
    bool shared;                           /* something fresh that others do too */
    bool session;                          /* something fresh that a person did */
    bool returned;                         /* something fresh that another was replaced for */
    const struct guard_pod_evidence *door; /* what is of an exchange that deviated; NULL: nothing */
    bool tied;                             /* there is one of a kind that proves something */
};

static bool telling(const struct guard_pod_rules *rules, const struct guard_pod_evidence *evidence)
{
    return evidence->hard || evidence->strength >= rules->alert_at;
}

static bool did_lately(const struct gd_pod_case *other, const struct guard_pod_evidence *evidence)
{
    for (uint32_t i = 0; i < other->count; i++) {
        const struct guard_pod_evidence *has = &other->evidence[i];
        if (same(has, evidence) && !is_old(has, evidence))
            return true;
    }
    return false;
}

/* Others may have begun since, and of what couldn't be learned, of a record with drops or because
 * the profile is full, only their cases tell. Amounts are compared with peers anyway. */
static void look_at_others(const struct gd_pod_view *view, struct guard_pod_evidence *evidence)
{
    uint32_t with = 0;
    for (uint32_t i = 0; i < view->pods->replica_count; i++) {
        const struct gd_pod_replica *other = view->pods->replicas[i];
        with += other != view->replica && other->open != NULL && did_lately(other->open, evidence);
    }
    /* Who ever sent as much isn't who does so lately. */
    evidence->shared |= with > 0 && evidence->kind == GUARD_POD_VOLUME;
    if (with == 0 || with <= evidence->with)
        return;
    evidence->with = with;
    evidence->shared = true;
    evidence->strength = gd_pod_strength(view->rules, evidence->kind, with, evidence->days);
}

bool gd_pod_in_window(const struct gd_pod_view *view, const struct guard_pod_evidence *evidence)
{
    return evidence->seen_ms + view->rules->window_ms >= view->now_ms;
}

static void add_soft(struct sum *sum, const struct guard_pod_evidence *evidence)
{
    if (gd_pod_class(evidence->kind) == GATE) {
        sum->gate += evidence->strength;
        return;
    }
    sum->soft += evidence->strength;
    sum->classes |= gd_pod_class(evidence->kind);
    if (!evidence->door)
        return;
    sum->tied |= gd_pod_class(evidence->kind) != AMOUNT;
    if (sum->door == NULL)
        sum->door = evidence;
}

/* Of this replica alone. Amounts are compared with peers anyway. */
static bool is_sole(const struct guard_pod_evidence *evidence)
{
    return !evidence->session && (evidence->with == 0 || evidence->kind == GUARD_POD_AMOUNT);
}

static bool seen_at_pod(const struct gd_pod_view *view, const struct gd_pod_case *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct guard_pod_evidence *evidence = &from->evidence[i];
        if (gd_pod_class(evidence->kind) != GATE && is_sole(evidence) &&
            gd_pod_in_window(view, evidence) && telling(view->rules, evidence))
            return true;
    }
    return false;
}

static bool found_lately(const struct gd_pod_view *view, const struct gd_pod_case *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct guard_pod_evidence *evidence = &from->evidence[i];
        if (gd_pod_class(evidence->kind) == GATE && evidence->fresh &&
            gd_pod_in_window(view, evidence) && telling(view->rules, evidence))
            return true;
    }
    return false;
}

/* Once a day: the gate tells each of its findings. */
static bool finds_much(const struct gd_pod_view *view, struct gd_pod_case *from)
{
    bool told = from->much_ms != 0 && from->much_ms + TOLD_MS >= view->now_ms;
    if (told || !found_lately(view, from) || !gd_pod_finds_much(view, from))
        return false;
    from->much_ms = view->now_ms;
    return true;
}

/* What the gate finds by chance at its own place at each replica is no news of a pod: the gate told
 * it. It is beside what was seen at the pod, or where no other replica has so much of it. */
static bool gate_tells(const struct gd_pod_view *view, struct gd_pod_case *from)
{
    return seen_at_pod(view, from) || finds_much(view, from);
}

static void sum_up(const struct gd_pod_view *view, struct gd_pod_case *from, struct sum *sum)
{
    bool gate = gate_tells(view, from);
    for (uint32_t i = 0; i < from->count; i++) {
        const struct guard_pod_evidence *evidence = &from->evidence[i];
        if (!gd_pod_in_window(view, evidence))
            continue;
        bool fresh = evidence->fresh && telling(view->rules, evidence) &&
                     (gate || evidence->held || gd_pod_class(evidence->kind) != GATE);
        sum->fresh |= fresh;
        sum->shared |= fresh && evidence->shared;
        sum->session |= fresh && evidence->session;
        sum->returned |= fresh && evidence->held && evidence->with > 0;
        if (!is_sole(evidence))
            continue;
        add_soft(sum, evidence);
        sum->hard |= evidence->hard;
    }
}

/* What the gate found is evidence by itself, once something is of an exchange that it found to
 * deviate, and the pod did something of another kind, too. One alone may be what an unusual request
 * makes a service do: a branch never taken before; and who sends such requests makes amounts. */
static void add_door(const struct gd_pod_view *view, struct sum *sum)
{
    uint32_t kinds = sum->classes & ~(uint32_t)AMOUNT;
    if (!sum->tied || (kinds & (kinds - 1)) == 0)
        return;
    sum->soft += sum->gate + gd_pod_strength(view->rules, GUARD_POD_REQUEST, 0, view->live);
    sum->classes |= GATE;
}

static bool independent(const struct guard_pod_rules *rules, uint32_t classes)
{
    uint32_t at_pod = classes & ~(uint32_t)GATE;
    if (rules->independence == GUARD_POD_OBSERVERS)
        return at_pod != 0 && (classes & GATE) != 0;
    return (classes & (classes - 1)) != 0;
}

static uint32_t reasons_of(const struct gd_pod_view *view, const struct sum *sum)
{
    uint32_t reasons = 0;
    reasons |= view->ready ? 0 : GUARD_POD_LEARNING;
    reasons |= view->live > 0 ? 0 : GUARD_POD_LONELY;
    reasons |= view->same_old > 0 ? 0 : GUARD_POD_NEW_TEMPLATE;
    reasons |= sum->session ? GUARD_POD_IN_SESSION : 0;
    reasons |= sum->shared ? GUARD_POD_SHARED : 0;
    reasons |= sum->returned ? GUARD_POD_RETURNED : 0;
    if (!sum->hard) {
        reasons |= independent(view->rules, sum->classes) ? 0 : GUARD_POD_ONE_KIND;
        reasons |= sum->soft >= view->rules->replace_at ? 0 : GUARD_POD_WEAK;
    }
    return reasons;
}

static void insert_evidence(struct guard_pod_verdict *out,
                            const struct guard_pod_evidence *evidence)
{
    uint32_t at = out->count++;
    for (; at > 0 && weaker(&out->evidence[at - 1], evidence); at--)
        out->evidence[at] = out->evidence[at - 1];
    out->evidence[at] = *evidence;
}

void gd_pod_verdict_names(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                          struct guard_pod_verdict *out)
{
    out->name_space = gd_pods_name_space(pods);
    out->workload = gd_pods_workload(pods);
    out->container = gd_pods_container(pods);
    out->pod = gd_pod_name(replica);
    out->request[0] = '\0';
}

/* While too little is known, soft evidence is no news: nearly everything is new. */
static bool worth_telling(const struct gd_pod_view *view, const struct sum *sum)
{
    return sum->fresh && (view->ready || sum->hard);
}

void gd_pod_case_decide(const struct gd_pod_view *view, struct gd_pod_case *from,
                        struct guard_pod_verdict *out)
{
    struct sum sum = {.soft = 0};
    for (uint32_t i = 0; i < from->count; i++) {
        if (gd_pod_in_window(view, &from->evidence[i]) &&
            from->evidence[i].kind != GUARD_POD_AMOUNT)
            look_at_others(view, &from->evidence[i]);
    }
    sum_up(view, from, &sum);
    add_door(view, &sum);
    out->score = sum.soft;
    out->others = view->live;
    if (worth_telling(view, &sum)) {
        out->reasons = reasons_of(view, &sum);
        out->decision = out->reasons == 0 ? GUARD_POD_REPLACE
                        : sum.shared      ? GUARD_POD_CHANGE
                                          : GUARD_POD_ALERT;
        if (sum.door != NULL)
            memcpy(out->request, sum.door->request, sizeof(out->request));
    }
    for (uint32_t i = 0; i < from->count; i++) {
        struct guard_pod_evidence *evidence = &from->evidence[i];
        if (out->decision != GUARD_POD_NORMAL && gd_pod_in_window(view, evidence))
            insert_evidence(out, evidence);
        evidence->fresh = false;
    }
}

/* --- what one did alone all along --- */

static struct gd_pod_replica *only_one(const struct guard_pods *pods,
                                       const struct guard_pod_rules *rules,
                                       const struct gd_pod_entry *entry, uint64_t now_ms)
{
    if (entry->normal || entry->tag_count != 1 || entry->told_ms != 0 ||
        gd_pod_class(entry->kind) == GATE ||
        (entry->aspect != GD_POD_WHOLE && entry->aspect != GD_POD_NAMED) ||
        entry->first_ms + rules->settle_ms > now_ms ||
        gd_pods_review(pods, entry->hash) == GUARD_POD_APPROVED)
        return NULL;
    struct gd_pod_replica *replica = gd_pods_find_replica(pods, entry->tags[0], NULL);
    return replica != NULL && replica->last_ms + rules->live_ms >= now_ms ? replica : NULL;
}

static bool is_linked(const struct guard_pods *pods, const struct gd_pod_entry *address,
                      const struct gd_pod_entry *name, const struct gd_pod_entry *resolver)
{
    const struct guard_pod_feature named = gd_pod_entry_feature(name);
    uint32_t link =
        gd_pod_name_link(pods, &named, gd_span(resolver->address, resolver->address_len));
    for (uint32_t i = 0; i < address->variety_count; i++) {
        if (address->variety[i] == link)
            return true;
    }
    return false;
}

/* By itself, or as of now: both may be seen again later than what hangs on them. */
static bool is_normal_now(const struct gd_pod_view *view, struct gd_pod_entry *entry)
{
    gd_pod_promote(view, entry);
    return entry->normal && gd_pods_review(view->pods, entry->hash) == GUARD_POD_UNJUDGED;
}

enum { RESOLVERS_MAX = 16, SHARED_BY = 2 };

/* Whom more than one replica asks: what one alone makes up costs nothing here. */
static uint32_t resolvers_of(const struct guard_pods *pods, struct gd_pod_entry *out[RESOLVERS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pods->entry_count && count < RESOLVERS_MAX; i++) {
        struct gd_pod_entry *entry = pods->entries[i];
        if (entry->kind == GUARD_POD_DESTINATION && entry->aspect == GD_POD_WHOLE &&
            entry->port == GD_POD_DNS_PORT && entry->tag_count >= SHARED_BY)
            out[count++] = entry;
    }
    return count;
}

/* Whether its address was called by a normal name, by one whom replicas normally ask. */
static bool normal_by_name(const struct gd_pod_view *view, const struct gd_pod_entry *address)
{
    const struct guard_pods *pods = view->pods;
    struct gd_pod_entry *resolvers[RESOLVERS_MAX];
    if (address->kind != GUARD_POD_DESTINATION || address->aspect != GD_POD_WHOLE ||
        address->variety_count == 0)
        return false;
    uint32_t count = resolvers_of(pods, resolvers);
    for (uint32_t i = 0; i < pods->entry_count; i++) {
        struct gd_pod_entry *name = pods->entries[i];
        if (name->kind != GUARD_POD_DESTINATION || name->aspect != GD_POD_NAMED ||
            name->port != address->port || (name->startup && !address->startup) ||
            name->tag_count < SHARED_BY)
            continue;
        for (uint32_t j = 0; j < count; j++) {
            if (is_linked(pods, address, name, resolvers[j]) && is_normal_now(view, name) &&
                is_normal_now(view, resolvers[j]))
                return true;
        }
    }
    return false;
}

/* Whether it is normal by another of its names. */
static bool normal_otherwise(const struct gd_pod_view *view, const struct gd_pod_entry *entry)
{
    const struct guard_pods *pods = view->pods;
    struct gd_pod_key keys[2 * GD_POD_KEYS];
    const struct guard_pod_feature feature = gd_pod_entry_feature(entry);
    uint32_t count = gd_pod_keys(pods, &feature, entry->startup, keys);
    if (entry->startup)
        count += gd_pod_keys(pods, &feature, false, keys + count);
    return gd_pod_normal(pods, view->rules, keys, count) ||
           (!gd_pod_held(pods, keys, count) && normal_by_name(view, entry));
}

static void tell_outlier(const struct gd_pod_view *view, const struct gd_pod_entry *entry,
                         struct guard_pod_verdict *verdict)
{
    struct guard_pod_evidence *evidence = &verdict->evidence[verdict->count++];
    const struct guard_pod_feature feature = gd_pod_entry_feature(entry);
    *evidence = (struct guard_pod_evidence){
        .id = entry->hash,
        .kind = entry->kind,
        .hard = (view->rules->hard_kinds >> entry->kind & 1) != 0,
        .fresh = true,
        .days = view->days[entry->kind],
        .seen_ms = entry->first_ms,
    };
    evidence->strength = gd_pod_strength(view->rules, entry->kind, 0, evidence->days);
    (void)guard_pod_feature_text(&feature, evidence->text, sizeof(evidence->text));
    verdict->score += evidence->strength;
}

bool guard_pods_outlier(struct guard_pods *pods, const struct guard_pod_rules *rules,
                        uint64_t now_ms, struct guard_pod_verdict *verdict)
{
    struct gd_pod_replica *replica = NULL;
    struct gd_pod_view view;
    verdict->decision = GUARD_POD_NORMAL;
    verdict->count = 0;
    verdict->score = 0;
    if (pods->broken || !gd_pods_ready(pods, rules))
        return false;
    for (uint32_t i = 0; i < pods->entry_count && verdict->count < GUARD_POD_EVIDENCE_MAX; i++) {
        struct gd_pod_entry *entry = pods->entries[i];
        struct gd_pod_replica *one = only_one(pods, rules, entry, now_ms);
        if (one == NULL || (replica != NULL && one != replica))
            continue;
        if (replica == NULL)
            gd_pod_view_init(&view, pods, rules, one, now_ms);
        /* Too few to compare with: later perhaps. */
        if (gd_pod_strength(rules, entry->kind, 0, view.days[entry->kind]) < rules->alert_at)
            continue;
        entry->told_ms = now_ms;
        if (normal_otherwise(&view, entry))
            continue;
        replica = one;
        tell_outlier(&view, entry, verdict);
    }
    if (replica == NULL)
        return false;
    gd_pod_verdict_names(pods, replica, verdict);
    verdict->decision = GUARD_POD_ALERT;
    verdict->reasons = GUARD_POD_ONE_KIND | (view.live > 0 ? 0 : GUARD_POD_LONELY);
    verdict->others = view.live;
    return true;
}
