/* SPDX-License-Identifier: Apache-2.0 */
/* What a release looks like: paths, methods and names that nobody used before, names that aren't
 * sent any more, other content types, other classes of status, and nothing else that would block.
 * Told of every request that blocks, so that the learner knows what a person would let in; carried
 * out only while the service's revision is new. docs/adr/0011-releases.md */
#include "decide/decide.h"

/* What a new name makes larger is no deviation of its own, within bounds. */
enum { DEEPER_MAX = 2 };

static bool is_of_body(enum guard_location location)
{
    return location != GUARD_LOCATION_PATH && location != GUARD_LOCATION_QUERY &&
           location != GUARD_LOCATION_HEADER && location != GUARD_LOCATION_COOKIE;
}

/* A body that nobody reads may hold anything. */
static bool is_read(const struct gd_profile *profile)
{
    switch ((int)profile->body_kind) {
    case GUARD_BODY_JSON:
    case GUARD_BODY_FORM:
    case GUARD_BODY_MULTIPART:
        return true;
    case GUARD_BODY_TEXT:
    case GUARD_BODY_EVENTS: /* what leaks is found in these */
        return profile->answer;
    default:
        return false;
    }
}

static bool has_new_type(const struct gd_decision *decision)
{
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        if (decision->candidates[i].rule == GUARD_RULE_CONTENT_TYPE)
            return is_read(decision->profile);
    }
    return false;
}

/* What was there in a body of the type before. */
static bool lacks_for_type(const struct gd_decision *decision, const struct gd_candidate *candidate)
{
    return candidate->rule == GUARD_RULE_MISSING && is_of_body(candidate->location) &&
           has_new_type(decision);
}

static bool is_new(const struct gd_decision *decision, const struct gd_candidate *candidate)
{
    enum { FAILURES = 400 };
    switch ((int)candidate->rule) {
    case GUARD_RULE_MISSING:
        return !lacks_for_type(decision, candidate);
    case GUARD_RULE_CONTENT_TYPE:
        return is_read(decision->profile);
    case GUARD_RULE_STATUS: /* a service that begins to fail is no release */
        return decision->profile->status < FAILURES;
    case GUARD_RULE_PATH: /* a misfit is a value */
        return decision->misfit_limit == UINT16_MAX;
    case GUARD_RULE_METHOD:
        return true;
    case GUARD_RULE_NAME:
        return true;
    default: /* a new destination of calls isn't: that is what an exploited service does */
        return false;
    }
}

/* An unknown name of the body, at all or below that field of the profile. */
static bool has_new_name(const struct gd_decision *decision, uint32_t parent)
{
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        const struct gd_candidate *candidate = &decision->candidates[i];
        if (candidate->rule != GUARD_RULE_NAME || candidate->field == GD_NO_FIELD ||
            !is_of_body(candidate->location))
            continue;
        const struct gd_field *field = &decision->profile->fields[candidate->field];
        if (parent == GD_NO_FIELD || field->parent == parent)
            return true;
        /* Members of the document have no parent; the document itself is the field "". */
        if (field->parent == GD_NO_FIELD && decision->profile->fields[parent].name.len == 0)
            return true;
    }
    return false;
}

static bool is_object(const struct gd_field *field)
{
    return field->summary.types == 1u << GUARD_TYPE_OBJECT;
}

/* How the header that names the type looks, when that is new. */
static bool names_type(const struct gd_decision *decision, const struct gd_candidate *candidate)
{
    if (candidate->location != GUARD_LOCATION_HEADER || candidate->field == GD_NO_FIELD ||
        candidate->alike || candidate->rule == GUARD_RULE_LIKENESS)
        return false;
    return gd_span_equal(decision->profile->fields[candidate->field].name,
                         GUARD_SPAN_LITERAL("content-type")) &&
           has_new_type(decision);
}

/* More members in an object, a larger body, a deeper document, another type's name. */
static bool follows_from_new(const struct gd_decision *decision,
                             const struct gd_candidate *candidate)
{
    if (names_type(decision, candidate))
        return true;
    switch ((int)candidate->rule) {
    case GUARD_RULE_ITEMS:
        return candidate->field != GD_NO_FIELD &&
               is_object(&decision->profile->fields[candidate->field]) &&
               has_new_name(decision, candidate->field);
    case GUARD_RULE_MISSING:
        return lacks_for_type(decision, candidate);
    case GUARD_RULE_SIZE:
        return has_new_name(decision, GD_NO_FIELD) || has_new_type(decision);
    case GUARD_RULE_DEPTH:
        return candidate->detail <= candidate->expected + DEEPER_MAX &&
               has_new_name(decision, GD_NO_FIELD);
    default:
        return false;
    }
}

/* Whatever the rules are armed for: a value that reads like something that isn't known at its
 * place, and a path with what no route is named by. */
static bool reads_like_attack(const struct gd_decision *decision)
{
    const struct gd_profile *profile = decision->profile;
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        if (decision->candidates[i].alike ||
            (decision->candidates[i].rule == GUARD_RULE_PATH && gd_misfit_segments(profile) != 0))
            return true;
    }
    for (uint32_t i = 0; profile->likeness && i < profile->field_count; i++) {
        uint32_t known = decision->known_cap > i ? decision->known[i] : (uint32_t)GD_POLICY_NONE;
        bool held = known < decision->policy->field_count;
        /* Literal segments of a known path are a template. */
        if (!held && decision->endpoint != NULL &&
            profile->fields[i].location == GUARD_LOCATION_PATH)
            continue;
        uint32_t usual = held ? decision->policy->fields[known].likeness : 0;
        if ((profile->fields[i].summary.likeness & ~usual) != 0)
            return true;
    }
    return false;
}

static bool is_novel(const struct gd_decision *decision)
{
    struct gd_candidate rest[GD_CANDIDATES];
    uint32_t count = 0;
    bool found = false;
    /* Behind a crowd of new names other deviations may have been left out. */
    if (decision->profile->cut || decision->verdict.finding_total > decision->candidate_count)
        return false;
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        const struct gd_candidate *candidate = &decision->candidates[i];
        if (candidate->configured)
            return false;
        bool fresh = is_new(decision, candidate);
        found |= fresh;
        if (!fresh && !follows_from_new(decision, candidate))
            rest[count++] = *candidate;
    }
    return found && !reads_like_attack(decision) &&
           gd_score(rest, count, false, decision->verdict.threshold) < decision->verdict.threshold;
}

static uint64_t add_text(uint64_t hash, struct guard_span text)
{
    return guard_checksum(hash ^ text.len, text);
}

/* A new path is known by the first segment that leads nowhere. */
static uint64_t add_path(uint64_t hash, const struct gd_profile *profile, uint32_t last)
{
    for (uint32_t i = 0; i <= last && i < profile->segment_count; i++)
        hash = add_text(hash, profile->segments[i].text);
    return hash;
}

static uint64_t add_name(uint64_t hash, const struct gd_decision *decision, uint32_t field)
{
    enum { DEPTH_MAX = 80 };
    const struct gd_profile *profile = decision->profile;
    for (uint32_t depth = 0; field != GD_NO_FIELD && depth < DEPTH_MAX; depth++) {
        hash = add_text(hash, profile->fields[field].name);
        field = profile->fields[field].parent;
    }
    return hash;
}

/* The same wherever and under whatever policy it comes. */
static uint64_t element_of(const struct gd_decision *decision, const struct gd_candidate *candidate)
{
    const struct gd_profile *profile = decision->profile;
    bool shared = candidate->location == GUARD_LOCATION_HEADER ||
                  candidate->location == GUARD_LOCATION_COOKIE;
    uint64_t hash = (uint64_t)candidate->rule << 16 | (uint64_t)candidate->location << 8 |
                    (profile->answer ? 128 + profile->status / 100 : 0);
    if (!shared && candidate->rule != GUARD_RULE_PATH)
        hash = add_text(hash, decision->template_text);
    if (!shared && candidate->rule != GUARD_RULE_PATH && candidate->rule != GUARD_RULE_METHOD &&
        !profile->answer)
        hash = add_text(hash, profile->method);
    if (candidate->rule == GUARD_RULE_PATH)
        hash = add_path(hash, profile, candidate->detail);
    else if (candidate->rule == GUARD_RULE_METHOD)
        hash = add_text(hash, profile->method);
    else if (candidate->rule == GUARD_RULE_CONTENT_TYPE)
        hash = add_text(hash, profile->media_type);
    else if (candidate->rule == GUARD_RULE_MISSING)
        hash = add_text(hash, gd_policy_span(decision->policy,
                                             decision->policy->fields[candidate->known].path));
    else if (candidate->field != GD_NO_FIELD)
        hash = add_name(hash, decision, candidate->field);
    return hash == 0 ? 1 : hash;
}

static bool is_released(const struct gd_decision *decision, uint64_t element)
{
    const struct guard_policy_release *releases = decision->policy->header->releases;
    for (uint32_t i = 0; i < GUARD_POLICY_RELEASES && releases[i].element != 0; i++) {
        if (releases[i].element == element)
            return decision->profile->time_ms < releases[i].until_ms;
    }
    return false;
}

/* Programs that attack lack what browsers send: that a header isn't sent any more only clients say
 * who were there before. */
static bool is_shadowed(const struct gd_decision *decision, const struct gd_candidate *candidate)
{
    bool of_browsers = candidate->location == GUARD_LOCATION_HEADER ||
                       candidate->location == GUARD_LOCATION_COOKIE;
    return decision->shadow &&
           !(candidate->rule == GUARD_RULE_MISSING && of_browsers && !decision->profile->answer);
}

/* The elements that aren't let in stand first: of these guardd is to hear. */
static void put_element(struct guard_verdict *verdict, uint64_t element, bool first)
{
    if (verdict->novel_count < GUARD_NOVEL_MAX)
        verdict->novel_count++;
    else if (!first)
        return;
    uint32_t at = first ? 0 : verdict->novel_count - 1;
    memmove(&verdict->novel_elements[at + 1 < GUARD_NOVEL_MAX ? at + 1 : at],
            &verdict->novel_elements[at],
            (verdict->novel_count - 1 - at) * sizeof(verdict->novel_elements[0]));
    verdict->novel_elements[at] = element;
}

void gd_judge_novel(struct gd_decision *decision)
{
    struct guard_verdict *verdict = &decision->verdict;
    bool released = true;
    bool passes = true;
    verdict->novel = is_novel(decision);
    for (uint32_t i = 0; verdict->novel && i < decision->candidate_count; i++) {
        if (!is_new(decision, &decision->candidates[i]))
            continue;
        uint64_t element = element_of(decision, &decision->candidates[i]);
        bool let_in = is_released(decision, element);
        released = released && let_in;
        passes = passes && (let_in || is_shadowed(decision, &decision->candidates[i]));
        put_element(verdict, element, !let_in);
    }
    verdict->released = verdict->novel && released && !decision->shadow;
    if (verdict->novel && passes)
        verdict->decision = GUARD_ALERT;
}
