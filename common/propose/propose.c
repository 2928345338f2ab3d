/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a patch, measures it, and narrows it as long as that stops less of what is benign and no
 * less of the exploit. */
#include "common/propose/propose.h"

#include "common/file.h"
#include "common/patterns/regexes.h"
#include "common/propose/parts.h"

#include <stdlib.h>

enum { NARROWINGS_MAX = 3 };

struct proposing {
    const struct exploit *exploit;
    const struct proposal_cfg *cfg;
    struct generalise_known known;
    struct proposal_stopped stopped;
    struct guard_err *err;
};

static struct guard_span said(struct guard_span text, struct guard_span otherwise)
{
    return text.ptr != NULL ? text : otherwise;
}

/* What the gate's library would refuse is told here, and not when the patch is added. */
static enum guard_rc check_expressions(const struct guard_patch_condition *condition,
                                       struct guard_err *err)
{
    struct guard_err why;
    size_t offset;
    if (condition->op == GUARD_OPERATOR_REGEX &&
        regex_check(condition->texts[0], condition->ignore_case, &offset, &why) != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "no patch: its expression can't be used: %s",
                          why.text);
    for (uint32_t i = 0; i < condition->child_count; i++)
        GUARD_TRY(check_expressions(&condition->children[i], err));
    return GUARD_OK;
}

static enum guard_rc name_it(const struct proposal_cfg *cfg, struct guard_patch *patch,
                             struct guard_err *err)
{
    patch->id = said(cfg->id, patch->id);
    patch->title = said(cfg->title, patch->title);
    patch->author = said(cfg->author, patch->author);
    patch->reason = said(cfg->reason, patch->reason);
    patch->mode = GUARD_PATCH_SHADOW;
    GUARD_TRY(guard_patch_check(patch, err));
    return check_expressions(&patch->when, err);
}

static enum guard_rc make(const struct proposing *proposing, const struct generalise_known *known,
                          struct generalised *out)
{
    struct guard_alloc heap = heap_alloc();
    GUARD_TRY(generalise(out, proposing->exploit, known, &heap, proposing->err));
    return out->narrowness != GENERALISE_NOTHING
               ? name_it(proposing->cfg, &out->patch, proposing->err)
               : GUARD_OK;
}

static enum guard_rc measure(struct proposing *proposing, struct proposal *proposal)
{
    return proposal_measure(proposing->exploit, &proposal->made, &proposing->cfg->benign,
                            &proposal->rates, &proposing->stopped, proposing->err);
}

/* Whether it stops less of what is benign, and no less of the exploit. Traffic that can be read
 * only once says nothing the second time. */
static bool is_better(const struct proposal *narrowed, const struct proposal *wide)
{
    const struct proposal_rates *a = &narrowed->rates;
    const struct proposal_rates *b = &wide->rates;
    return narrowed->made.narrowness != GENERALISE_NOTHING && a->benign.of == b->benign.of &&
           a->benign.hits < b->benign.hits && a->exploit.hits == a->exploit.of &&
           a->rewritten.hits == a->rewritten.of && a->exploit.of == b->exploit.of;
}

/* Once, by words that what it stops of benign requests doesn't hold. */
static enum guard_rc narrow_once(struct proposing *proposing, struct proposal *proposal,
                                 bool *better)
{
    struct proposal narrowed = {.before = proposal->before};
    struct generalise_known more = proposing->known;
    more.benign = (struct guard_span){proposing->stopped.text, proposing->stopped.len};
    enum guard_rc rc = make(proposing, &more, &narrowed.made);
    if (rc == GUARD_OK && narrowed.made.narrowness != GENERALISE_NOTHING)
        rc = measure(proposing, &narrowed);
    *better = rc == GUARD_OK && is_better(&narrowed, proposal);
    if (*better) {
        generalise_fini(&proposal->made);
        *proposal = narrowed;
    } else {
        generalise_fini(&narrowed.made);
    }
    return rc;
}

static enum guard_rc narrow(struct proposing *proposing, struct proposal *proposal)
{
    bool better = true;
    proposal->before = proposal->rates.benign;
    for (int i = 0; i < NARROWINGS_MAX && better && proposal->rates.benign.hits > 0 &&
                    proposing->stopped.len > 0;
         i++)
        GUARD_TRY(narrow_once(proposing, proposal, &better));
    return GUARD_OK;
}

/* What stops benign requests mustn't block: with the action alert it doesn't, even where somebody
 * enforces it. */
static void conclude(struct proposing *proposing, struct proposal *proposal)
{
    proposal->benign_asked = proposing->cfg->benign.each != NULL;
    proposal->enforceable = proposal->rates.benign.hits == 0;
    if (!proposal->enforceable)
        proposal->made.patch.action = GUARD_PATCH_ALERT;
    proposal_reach_of(&proposal->made.patch, proposing->cfg->model, &proposal->reach);
}

static enum guard_rc run(struct proposing *proposing, struct proposal *out)
{
    GUARD_TRY(make(proposing, &proposing->known, &out->made));
    if (out->made.narrowness == GENERALISE_NOTHING)
        return GUARD_OK;
    GUARD_TRY(measure(proposing, out));
    GUARD_TRY(narrow(proposing, out));
    conclude(proposing, out);
    return GUARD_OK;
}

enum guard_rc propose(struct proposal *out, const struct exploit *exploit,
                      const struct proposal_cfg *cfg, struct guard_err *err)
{
    struct proposing proposing = {.exploit = exploit, .cfg = cfg, .err = err};
    struct proposal_known *known = NULL;
    enum guard_rc rc = GUARD_OK;
    *out = (struct proposal){.enforceable = false};
    out->made.narrowness = GENERALISE_NOTHING;
    if (cfg->guardian != NULL)
        rc = proposal_known_of(&known, cfg->guardian, cfg->model, exploit, &proposing.known, err);
    if (rc == GUARD_OK)
        rc = run(&proposing, out);
    free(proposing.stopped.text);
    proposal_known_free(known);
    return rc;
}

void proposal_fini(struct proposal *proposal)
{
    generalise_fini(&proposal->made);
}

bool proposal_whole(const struct proposal *proposal)
{
    return proposal->rates.exploit.hits == proposal->rates.exploit.of;
}
