/* SPDX-License-Identifier: Apache-2.0 */
/* What a service is known to get: each request of the exploit is judged by what was learned, and
 * values that nothing was found in are normal. */
#include "common/propose/parts.h"

#include "common/judge.h"

#include <stdlib.h>
#include <string.h>

enum { FINDINGS_TEXT = 128 };

struct known_finding {
    enum guard_location location;
    uint32_t name_len;
    uint8_t name[FINDINGS_TEXT];
};

struct known_request {
    bool all_deviate; /* more was found than is listed, or the endpoint itself is new */
    uint32_t count;
    struct known_finding findings[GUARD_FINDINGS_MAX];
    char template_text[FINDINGS_TEXT];
};

struct proposal_known {
    uint32_t count;
    struct known_request requests[];
};

static uint32_t places_of(enum guard_location location)
{
    static const uint32_t places[GUARD_LOCATION_COUNT] = {
        [GUARD_LOCATION_PATH] = GUARD_PLACE_PATH,
        [GUARD_LOCATION_QUERY] = GUARD_PLACE_QUERY,
        [GUARD_LOCATION_HEADER] = GUARD_PLACE_HEADER,
        [GUARD_LOCATION_COOKIE] = GUARD_PLACE_COOKIE,
        [GUARD_LOCATION_FORM] = GUARD_PLACE_FORM,
        [GUARD_LOCATION_JSON] = GUARD_PLACE_JSON,
        [GUARD_LOCATION_MULTIPART] = GUARD_PLACE_MULTIPART | GUARD_PLACE_FILE,
        [GUARD_LOCATION_BODY] = GUARD_PLACE_BODY,
        [GUARD_LOCATION_GRAPHQL] = GUARD_PLACE_GRAPHQL,
    };
    return places[location];
}

/* A name that is new is found at its own level: members of what is new are new. */
static bool begins(const struct guard_value *value, const struct known_finding *finding)
{
    return finding->name_len <= value->name.len &&
           (finding->name_len == 0 ||
            memcmp(value->name.ptr, finding->name, finding->name_len) == 0);
}

static bool is_normal(void *ctx, uint32_t index, const struct guard_value *value)
{
    const struct proposal_known *known = ctx;
    const struct known_request *request = &known->requests[index];
    bool whole_body = value->place == GUARD_PLACE_BODY;
    if (request->all_deviate || index >= known->count)
        return false;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct known_finding *finding = &request->findings[i];
        if (finding->location == GUARD_LOCATION_NONE ||
            ((places_of(finding->location) & value->place) != 0 &&
             (whole_body || begins(value, finding))))
            return false;
    }
    return true;
}

static struct guard_span path_of(void *ctx, uint32_t index)
{
    const struct proposal_known *known = ctx;
    const char *text = known->requests[index].template_text;
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Where not enough was seen no rule says anything: that nothing was found there means nothing. */
static bool is_learned(const struct guard_model *model, struct guard_span method,
                       struct guard_span template_text)
{
    for (uint32_t i = 0; model != NULL && i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        if (endpoint->ready && same(endpoint->method, method) &&
            same(endpoint->template_text, template_text))
            return true;
    }
    return false;
}

static void keep(struct known_request *request, const struct guard_verdict *verdict,
                 struct guard_span template_text, bool learned)
{
    request->all_deviate = !learned || verdict->finding_total > verdict->finding_count;
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        const struct guard_finding *finding = &verdict->findings[i];
        struct known_finding *kept = &request->findings[request->count++];
        if (finding->rule == GUARD_RULE_PATH || finding->rule == GUARD_RULE_METHOD)
            request->all_deviate = true;
        kept->location = finding->location;
        kept->name_len =
            (uint32_t)(finding->name.len < FINDINGS_TEXT ? finding->name.len : FINDINGS_TEXT);
        if (kept->name_len > 0)
            memcpy(kept->name, finding->name.ptr, kept->name_len);
    }
    if (template_text.len > 0 && template_text.len < FINDINGS_TEXT)
        memcpy(request->template_text, template_text.ptr, template_text.len);
}

static enum guard_rc judge_all(struct proposal_known *known, struct judge *judge,
                               const struct guard_txn_cfg *cfg, const struct guard_model *model,
                               const struct exploit *exploit, struct guard_err *err)
{
    for (uint32_t i = 0; i < exploit->request_count; i++) {
        struct guard_header headers[EXPLOIT_HEADERS_MAX];
        struct guard_exchange exchange;
        struct guard_txn *txn = NULL;
        exploit_exchange(&exploit->requests[i], headers, &exchange);
        const struct guard_verdict *verdict = judge_play(judge, cfg, &exchange, &txn);
        if (verdict == NULL)
            return guard_fail(err, GUARD_E_NOMEM, "no memory");
        const struct guard_span found = guard_txn_template(txn);
        keep(&known->requests[i], verdict, found,
             is_learned(model, exploit->requests[i].method, found));
    }
    return GUARD_OK;
}

enum guard_rc proposal_known_of(struct proposal_known **known,
                                const struct guard_guardian *guardian,
                                const struct guard_model *model, const struct exploit *exploit,
                                struct generalise_known *out, struct guard_err *err)
{
    static const struct judge_options options = {.likeness = true}; /* no patches */
    struct judge judge = {.regexes = NULL};
    struct guard_policy *policy = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    *known = calloc(1, sizeof(**known) + exploit->request_count * sizeof((*known)->requests[0]));
    if (*known == NULL || judge_open(&judge) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    (*known)->count = exploit->request_count;
    enum guard_rc rc = judge_compile(&policy, guardian, model, &options, &bytes, &len, err);
    const struct guard_txn_cfg cfg = {.policy = policy, .service = guardian->service};
    if (rc == GUARD_OK)
        rc = judge_all(*known, &judge, &cfg, model, exploit, err);
    if (policy != NULL)
        guard_policy_unref(policy);
    free(bytes);
    judge_close(&judge);
    *out = (struct generalise_known){.ctx = *known, .normal = is_normal, .path = path_of};
    return rc;
}

void proposal_known_free(struct proposal_known *known)
{
    free(known);
}
