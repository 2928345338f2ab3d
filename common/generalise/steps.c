/* SPDX-License-Identifier: Apache-2.0 */
/* Log in, attack, look at the result: only the second is what a patch should stop. */
#include "common/generalise/steps.h"

enum { LAST_SEGMENT_MIN = 4 };

/* 0: nothing to go by. */
static uint32_t weight(const struct branch *branch)
{
    switch (branch->narrowness) {
    case GENERALISE_SYNTAX:
        return 4;
    case GENERALISE_VALUES:
    case GENERALISE_NAMES:
        return branch->has_file ? 3 : 2;
    case GENERALISE_ENDPOINT:
        return 1;
    case GENERALISE_NOTHING:
        return 0;
    }
    return 0;
}

/* The name of the target is in all of them. */
static bool is_host(const struct exploit_request *request, const struct exploit_token *token)
{
    return token->part == EXPLOIT_HEADER &&
           span_equal_nocase(request->headers[token->header].name, GUARD_SPAN_LITERAL("host"));
}

static bool shares_source(const struct exploit_request *a, const struct exploit_request *b)
{
    for (uint32_t i = 0; i < a->token_count; i++) {
        for (uint32_t k = 0; k < b->token_count; k++) {
            if (a->tokens[i].source == b->tokens[k].source && !is_host(a, &a->tokens[i]) &&
                !is_host(b, &b->tokens[k]))
                return true;
        }
    }
    return false;
}

static struct guard_span last_segment(struct guard_span path)
{
    size_t begin = path.len;
    while (begin > 0 && path.ptr[begin - 1] != '/')
        begin--;
    return span_cut(path, begin, path.len);
}

/* Whether a asks for what b made. */
static bool looks_at(const struct branch *a, const struct branch *b)
{
    struct guard_span name = last_segment(a->path.text);
    if (name.len < LAST_SEGMENT_MIN)
        return false;
    for (uint32_t i = 0; i < b->message.count; i++) {
        const struct guard_value *value = &b->message.values[i].value;
        if (value->place != GUARD_PLACE_PATH && value->place != GUARD_PLACE_METHOD &&
            span_search(value->text, name) != SIZE_MAX)
            return true;
    }
    return false;
}

static bool gives_tokens(const struct exploit *exploit, uint32_t before)
{
    for (uint32_t i = before + 1; i < exploit->request_count; i++) {
        const struct exploit_request *request = &exploit->requests[i];
        for (uint32_t k = 0; k < request->token_count; k++) {
            if (exploit->sources[request->tokens[k].source].cause == EXPLOIT_CAUSE_EXTRACTED)
                return true;
        }
    }
    return false;
}

/* A weaker request beside stronger ones: another way, or a step on their way? */
static bool is_step(struct work *work, const struct branch *branches, uint32_t count, uint32_t at,
                    uint32_t most)
{
    const struct exploit_request *requests = work->exploit->requests;
    if (gives_tokens(work->exploit, at))
        return true;
    for (uint32_t i = 0; i < count; i++) {
        if (i == at || weight(&branches[i]) < most)
            continue;
        if (shares_source(&requests[at], &requests[i]) || looks_at(&branches[at], &branches[i]))
            return true;
    }
    return !work->exploit->each_alone;
}

void steps_choose(struct work *work, const struct branch *branches, uint32_t count,
                  enum generalise_step *steps)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++)
        most = weight(&branches[i]) > most ? weight(&branches[i]) : most;
    for (uint32_t i = 0; i < count; i++) {
        steps[i] = GENERALISE_STEP_KEPT;
        if (weight(&branches[i]) == 0)
            steps[i] = GENERALISE_STEP_USUAL;
        else if (weight(&branches[i]) < most && is_step(work, branches, count, i, most))
            steps[i] = GENERALISE_STEP_STATE;
    }
}
