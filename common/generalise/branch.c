/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a request's evidence is kept: the strongest that there is, and as much of the weaker as
 * it takes to tell the exploit from other requests to the same endpoint. */
#include "common/generalise/branch.h"

#include "common/generalise/narrow.h"

enum { KEPT_MAX = 12, EVIDENCE_MAX = 256 };

struct gathered {
    struct evidence *evidence;
    const struct message_value **values;
    uint32_t count;
    enum evidence_rank best;
};

static bool is_known(struct work *work, uint32_t request, const struct message_value *value,
                     enum evidence_rank rank)
{
    (void)rank;
    return work->known->normal != NULL &&
           work->known->normal(work->known->ctx, request, &value->value);
}

static bool gather(struct work *work, uint32_t request, const struct message *message,
                   struct gathered *out)
{
    *out = (struct gathered){.best = EVIDENCE_NONE};
    out->evidence = work_get(work, EVIDENCE_MAX * sizeof(*out->evidence));
    out->values = work_get(work, EVIDENCE_MAX * sizeof(*out->values));
    if (out->evidence == NULL || out->values == NULL)
        return false;
    for (uint32_t i = 0; i < message->count && out->count < EVIDENCE_MAX; i++) {
        const struct message_value *value = &message->values[i];
        struct evidence found = evidence_of(work, message, value);
        if (found.rank != EVIDENCE_NONE && is_known(work, request, value, found.rank))
            found = (struct evidence){.why = "such a value is normal for the service there"};
        if (found.rank == EVIDENCE_SYNTAX)
            narrow(work, value, &found);
        out->evidence[out->count] = found;
        out->values[out->count++] = value;
        if (found.rank > out->best)
            out->best = found.rank;
    }
    return !work->failed;
}

static void tell(struct work *work, uint32_t request, const struct gathered *gathered, uint32_t i,
                 bool kept)
{
    const struct evidence *evidence = &gathered->evidence[i];
    const struct message_value *value = gathered->values[i];
    if (value->value.place == GUARD_PLACE_METHOD || value->value.place == GUARD_PLACE_PATH)
        return;
    struct guard_span place = evidence_place(work, &value->value);
    if (kept)
        work_tell(work, request, true, "%.*s: %.*s", (int)place.len, (const char *)place.ptr,
                  (int)evidence->what.len, (const char *)evidence->what.ptr);
    else
        work_tell(work, request, false, "%.*s: %s", (int)place.len, (const char *)place.ptr,
                  evidence->rank == EVIDENCE_NONE ? evidence->why
                                                  : "the exploit is told without it");
}

static bool wanted(const struct gathered *gathered, const struct path *path, uint32_t i)
{
    const struct evidence *evidence = &gathered->evidence[i];
    bool header = gathered->values[i]->value.place == GUARD_PLACE_HEADER ||
                  gathered->values[i]->value.place == GUARD_PLACE_COOKIE;
    if (evidence->rank == EVIDENCE_NONE || evidence->rank == EVIDENCE_SYNTAX)
        return false;
    if (header && gathered->best > EVIDENCE_NAME)
        return evidence->rank == gathered->best;
    if (gathered->best == EVIDENCE_SYNTAX || path->syntax != NULL)
        return path->generic && evidence->rank == EVIDENCE_WORD;
    if (evidence->rank >= EVIDENCE_WORD)
        return true;
    return path->generic || gathered->best <= EVIDENCE_CHOICE;
}

/* Each of several places with syntax is enough. */
static struct guard_patch_condition *syntax(struct work *work, uint32_t request,
                                            const struct gathered *gathered)
{
    const struct guard_patch_condition *found[KEPT_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < gathered->count; i++) {
        if (gathered->evidence[i].rank != EVIDENCE_SYNTAX || count == KEPT_MAX)
            continue;
        found[count++] = gathered->evidence[i].condition;
        tell(work, request, gathered, i, true);
    }
    return condition_group(work, GUARD_OPERATOR_ANY, found, count);
}

/* Of choices the values count when there is nothing else: default passwords. */
static bool exact_choices(const struct gathered *gathered)
{
    bool password = false;
    for (uint32_t i = 0; i < gathered->count; i++) {
        struct guard_span name = gathered->values[i]->value.name;
        password = password || (gathered->evidence[i].exact != NULL &&
                                (span_holds(name, "pass") || span_holds(name, "pwd")));
    }
    return password && gathered->best <= EVIDENCE_CHOICE;
}

static void choose(struct work *work, uint32_t request, const struct gathered *gathered,
                   struct branch *out)
{
    const struct guard_patch_condition *kept[KEPT_MAX + 1];
    uint32_t count = 0;
    bool exact = exact_choices(gathered);
    bool valued = exact;
    struct guard_patch_condition *attack = syntax(work, request, gathered);
    if (attack != NULL)
        kept[count++] = attack;
    for (uint32_t i = 0; i < gathered->count; i++) {
        const struct evidence *evidence = &gathered->evidence[i];
        if (evidence->rank == EVIDENCE_SYNTAX)
            continue;
        bool keep = count < KEPT_MAX && wanted(gathered, &out->path, i);
        if (keep) {
            kept[count++] =
                exact && evidence->exact != NULL ? evidence->exact : evidence->condition;
            valued = valued || evidence->rank >= EVIDENCE_WORD;
        }
        out->has_file = out->has_file || evidence->rank == EVIDENCE_FILE;
        tell(work, request, gathered, i, keep);
    }
    out->condition = condition_group(work, GUARD_OPERATOR_ALL, kept, count);
    if (attack != NULL || out->path.syntax != NULL)
        out->narrowness = GENERALISE_SYNTAX;
    else if (out->condition == NULL)
        out->narrowness = GENERALISE_ENDPOINT;
    else
        out->narrowness = valued && !out->has_file ? GENERALISE_VALUES : GENERALISE_NAMES;
}

bool branch_read(struct work *work, uint32_t request, struct branch *out)
{
    struct gathered gathered;
    *out = (struct branch){.narrowness = GENERALISE_NOTHING};
    if (!message_read(work, &work->exploit->requests[request], &out->message) ||
        !path_read(work, request, &out->message, &out->path) ||
        !gather(work, request, &out->message, &gathered))
        return false;
    if (out->path.template_text.len > 0)
        work_tell(work, request, true, "path: %.*s", (int)out->path.template_text.len,
                  (const char *)out->path.template_text.ptr);
    choose(work, request, &gathered, out);
    /* What is everywhere must be told by something that is said. */
    bool weak = out->narrowness == GENERALISE_ENDPOINT || out->narrowness == GENERALISE_NAMES;
    bool no_path = out->path.template_text.len == 0 && out->path.syntax == NULL;
    if ((weak && out->path.generic && gathered.best < EVIDENCE_FILE &&
         !(out->narrowness == GENERALISE_NAMES && gathered.best == EVIDENCE_NAME && !no_path)) ||
        (no_path && out->condition == NULL))
        out->narrowness = GENERALISE_NOTHING;
    return !work->failed;
}
