/* SPDX-License-Identifier: Apache-2.0 */
/* What a service is known to get: each request of the exploit is judged by what was learned, and
 * values that nothing was found in are normal. */
#include "patch_from.h"

#include "common/file.h"
#include "common/guardian.h"
#include "service_files.h"
#include "traffic_steps.h"

#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_ROOM = 64 << 20, FINDINGS_TEXT = 128 };

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

struct from_known {
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
    const struct from_known *known = ctx;
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
    const struct from_known *known = ctx;
    const char *text = known->requests[index].template_text;
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void keep(struct known_request *request, const struct guard_verdict *verdict,
                 struct guard_span template_text)
{
    request->all_deviate = verdict->finding_total > verdict->finding_count;
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

static bool judge(struct from_known *known, const struct guard_policy *policy,
                  struct guard_span service, const struct exploit *exploit)
{
    struct traffic_room room;
    bool good = traffic_room_open(&room);
    if (!good)
        return false;
    for (uint32_t i = 0; i < exploit->request_count && good; i++) {
        const struct exploit_request *request = &exploit->requests[i];
        struct guard_header headers[EXPLOIT_HEADERS_MAX];
        struct guard_exchange exchange;
        struct guard_txn *txn = NULL;
        exploit_exchange(request, headers, &exchange);
        const struct guard_verdict *verdict =
            traffic_judge(&room, policy, service, &exchange, false, &txn);
        good = verdict != NULL || complain(0, "no memory") != 0;
        if (good)
            keep(&known->requests[i], verdict, guard_txn_template(txn));
    }
    traffic_room_close(&room);
    return good;
}

bool patch_from_known(const char *guardian_path, const char *pile_path,
                      const struct exploit *exploit, struct from_known **known,
                      struct generalise_known *out)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena documents;
    struct guard_guardian guardian;
    struct guard_err err;
    struct judge_options options = {.alpha = 0, .likeness = true, .signatures = true};
    uint8_t *bytes = NULL;
    size_t len = 0;
    bool good = false;
    guard_arena_init(&documents, &heap, DOCUMENT_ROOM);
    *known = calloc(1, sizeof(**known) + exploit->request_count * sizeof((*known)->requests[0]));
    if (*known == NULL || guardian_load(&guardian, guardian_path, &documents, &err) != GUARD_OK) {
        complain(0, "%s", *known == NULL ? "no memory" : err.text);
    } else {
        struct guard_pile *pile = guardian_pile(&guardian, guardian_path, pile_path);
        struct guard_model *model = pile != NULL ? pile_model(pile, guardian.support) : NULL;
        guardian.patch_count = 0;
        struct guard_policy *policy =
            model != NULL ? judge_policy(&guardian, model, &options, &bytes, &len) : NULL;
        (*known)->count = exploit->request_count;
        good = policy != NULL && judge(*known, policy, guardian.service, exploit);
        if (policy != NULL)
            guard_policy_unref(policy);
        guard_model_free(model);
        guard_pile_free(pile);
    }
    free(bytes);
    guard_arena_reset(&documents);
    *out = (struct generalise_known){.ctx = *known, .normal = is_normal, .path = path_of};
    return good;
}

void patch_from_forget(struct from_known *known)
{
    free(known);
}
