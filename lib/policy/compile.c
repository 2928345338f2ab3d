/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles a model and a Guardian into a policy: plan, sections, one block of bytes, digest,
 * signature. */
#include "policy/budget.h"
#include "policy/plan.h"
#include "policy/policy.h"
#include "policy/seal.h"

enum { STRINGS_MAX = 16 * 1024 * 1024 };

static const struct {
    size_t size;
    uint32_t max;
} shapes[GD_SECTION_COUNT] = {
    [GD_SECTION_NODES] = {sizeof(struct gd_policy_node), GD_PLAN_NODES_MAX},
    [GD_SECTION_ENDPOINTS] = {sizeof(struct gd_policy_endpoint), GD_PLAN_NODES_MAX},
    [GD_SECTION_FIELDS] = {sizeof(struct gd_policy_field), 1 << 17},
    [GD_SECTION_ROWS] = {sizeof(uint64_t), 1 << 21},
    [GD_SECTION_SLOTS] = {sizeof(struct gd_policy_slot), 1 << 20},
    [GD_SECTION_REQUIRED] = {sizeof(uint32_t), 1 << 17},
    [GD_SECTION_MEDIA] = {sizeof(struct gd_policy_text), 1 << 17},
    [GD_SECTION_LITERALS] = {sizeof(uint64_t), 1 << 21},
    [GD_SECTION_CLIENTS] = {sizeof(uint32_t), 1 << 16},
    [GD_SECTION_STRINGS] = {1, STRINGS_MAX},
    [GD_SECTION_STATUSES] = {sizeof(struct guard_status_range), 1 << 16},
    [GD_SECTION_PATCHES] = {sizeof(struct gd_patch_entry), GUARD_PATCHES_MAX},
    [GD_SECTION_CONDITIONS] = {sizeof(struct gd_patch_node),
                               GUARD_PATCHES_MAX *GUARD_PATCH_CONDITIONS_MAX},
    [GD_SECTION_PATCH_TEXTS] = {sizeof(struct gd_patch_text), 1 << 18},
    [GD_SECTION_PATTERNS] = {sizeof(struct gd_patch_pattern), GD_PATCH_PATTERNS_MAX},
    [GD_SECTION_COVERS] = {sizeof(uint32_t), GD_PATCH_PATTERNS_MAX + GUARD_PATCHES_MAX},
    [GD_SECTION_EXCEPTIONS] = {sizeof(struct gd_exception_entry), GUARD_EXCEPTIONS_MAX},
    [GD_SECTION_EXCEPTION_TEXTS] = {sizeof(struct gd_policy_text),
                                    4 * GUARD_EXCEPTIONS_MAX *GUARD_EXCEPTION_LIST_MAX},
    [GD_SECTION_EXCEPTION_CLIENTS] = {sizeof(struct gd_exception_client),
                                      GUARD_EXCEPTIONS_MAX *GUARD_EXCEPTION_LIST_MAX},
};

struct gd_policy_text gd_plan_text(struct gd_plan *plan, struct guard_span text)
{
    struct gd_vector *strings = &plan->sections[GD_SECTION_STRINGS];
    struct gd_policy_text out = {strings->count, (uint32_t)text.len};
    if (text.len > STRINGS_MAX) {
        strings->rc = GUARD_E_LIMIT;
        return out;
    }
    uint8_t *to = gd_vector_add(strings, (uint32_t)text.len);
    if (to != NULL && text.len > 0)
        memcpy(to, text.ptr, text.len);
    return out;
}

static void sift(uint64_t *items, size_t at, size_t count)
{
    for (size_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
        if (child + 1 < count && items[child + 1] > items[child])
            child++;
        if (items[at] >= items[child])
            return;
        uint64_t moved = items[at];
        items[at] = items[child];
        items[child] = moved;
    }
}

void gd_sort_u64(uint64_t *items, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(items, i, count);
    for (size_t end = count; end > 1;) {
        uint64_t largest = items[0];
        items[0] = items[--end];
        items[end] = largest;
        sift(items, 0, end);
    }
}

static void plan_init(struct gd_plan *plan, const struct guard_alloc *alloc)
{
    gd_vector_init(&plan->nodes, alloc, sizeof(struct gd_plan_node), GD_PLAN_NODES_MAX);
    gd_vector_init(&plan->endpoints, alloc, sizeof(struct gd_plan_endpoint), GD_PLAN_NODES_MAX);
    gd_vector_init(&plan->rules, alloc, sizeof(struct gd_plan_rule), GUARD_GUARDIAN_ENDPOINTS_MAX);
    gd_vector_init(&plan->order, alloc, sizeof(uint32_t), GD_PLAN_NODES_MAX);
    gd_vector_init(&plan->overlay, alloc, sizeof(struct gd_plan_overlay),
                   GUARD_GUARDIAN_ENDPOINTS_MAX * GUARD_GUARDIAN_FIELDS_MAX);
    gd_vector_init(&plan->emitted, alloc, sizeof(uint32_t), 1 << 17);
    for (int i = 0; i < GD_SECTION_COUNT; i++)
        gd_vector_init(&plan->sections[i], alloc, shapes[i].size, shapes[i].max);
}

static void plan_fini(struct gd_plan *plan)
{
    gd_vector_fini(&plan->nodes);
    gd_vector_fini(&plan->endpoints);
    gd_vector_fini(&plan->rules);
    gd_vector_fini(&plan->order);
    gd_vector_fini(&plan->overlay);
    gd_vector_fini(&plan->emitted);
    for (int i = 0; i < GD_SECTION_COUNT; i++)
        gd_vector_fini(&plan->sections[i]);
}

static enum guard_rc emit_clients(struct gd_plan *plan)
{
    const struct guard_model *model = plan->model;
    if (model == NULL || !model->clients_closed)
        return GUARD_OK;
    struct gd_vector *section = &plan->sections[GD_SECTION_CLIENTS];
    uint32_t *to = gd_vector_add(section, model->client_prefix_count);
    if (to == NULL)
        return section->rc;
    for (uint32_t i = 0; i < model->client_prefix_count; i++) {
        if (i > 0 && model->client_prefixes[i] < model->client_prefixes[i - 1])
            return guard_fail(plan->err, GUARD_E_RANGE, "the model's clients are out of order");
        to[i] = model->client_prefixes[i];
    }
    return GUARD_OK;
}

static void revisions_fill(struct gd_policy_header *header, const struct guard_policy_cfg *cfg)
{
    uint32_t count =
        cfg->revision_count < GUARD_POLICY_REVISIONS ? cfg->revision_count : GUARD_POLICY_REVISIONS;
    for (uint32_t i = 0; i < count; i++)
        header->revisions[i] = cfg->revisions[cfg->revision_count - count + i];
    for (uint32_t i = 0; i < cfg->release_count && i < GUARD_POLICY_RELEASES; i++)
        header->releases[i] = cfg->releases[i];
}

static void header_fill(struct gd_policy_header *header, struct gd_plan *plan,
                        const struct guard_policy_cfg *cfg, double alpha)
{
    const struct guard_model *model = plan->model;
    memcpy(header->magic, "GPOL", 4);
    header->version = GD_POLICY_VERSION;
    header->generation = cfg->generation;
    header->replaces = cfg->replaces;
    header->created_ms = cfg->created_ms;
    header->expires_ms = cfg->expires_ms;
    revisions_fill(header, cfg);
    memcpy(&header->alpha, &alpha, sizeof(alpha));
    gd_budget_spend(header, model, alpha, plan->likeness);
    header->mode = (uint8_t)plan->guardian->mode;
    header->request_mode = (uint8_t)plan->guardian->request_mode;
    header->response_mode = (uint8_t)plan->guardian->response_mode;
    header->time_mode = (uint8_t)plan->guardian->time_mode;
    memset(header->answers, 0xff, sizeof(header->answers));
    memset(header->others, 0xff, sizeof(header->others));
    header->strength_mistyped = header->strength_attack_like = UINT16_MAX;
    header->flags = plan->guardian->fail_closed ? GD_POLICY_FAIL_CLOSED : 0;
    header->service = gd_plan_text(plan, plan->guardian->service);
    memcpy(header->literal_key, plan->literal_key, sizeof(header->literal_key));
    memset(header->faults, 0xff, sizeof(header->faults));
    if (model == NULL)
        return;
    header->flags |= GD_POLICY_LEARNED | (model->clients_closed ? GD_POLICY_CLIENTS_CLOSED : 0u);
    memcpy(header->client_key, model->client_key, sizeof(header->client_key));
    memcpy(header->faults, model->service_faults, sizeof(header->faults));
    memcpy(header->strength, model->service_strength, sizeof(model->service_strength));
    if (model->mistyped_strength > 0)
        header->strength_mistyped = model->mistyped_strength;
    if (model->attack_like_strength > 0)
        header->strength_attack_like = model->attack_like_strength;
    if (!plan->likeness)
        header->strength[GUARD_RULE_LIKENESS] = 0;
    header->exchanges = gd_saturate(model->exchanges);
    header->clients = model->clients;
}

static enum guard_rc plan_fill(struct gd_plan *plan, struct gd_policy_header *header,
                               const struct guard_policy_cfg *cfg, double alpha)
{
    GUARD_TRY(gd_plan_answer_rules_check(plan));
    GUARD_TRY(gd_plan_rules(plan));
    GUARD_TRY(gd_plan_tree(plan));
    GUARD_TRY(gd_plan_emit(plan));
    GUARD_TRY(emit_clients(plan));
    header_fill(header, plan, cfg, alpha);
    GUARD_TRY(gd_plan_answers(plan, header));
    GUARD_TRY(gd_plan_patches(plan, header));
    GUARD_TRY(gd_plan_exceptions(plan));
    GUARD_TRY(gd_plan_statuses(plan, &header->allowed, plan->guardian->response));
    GUARD_TRY(plan->sections[GD_SECTION_STRINGS].rc);
    GUARD_TRY(gd_plan_required(plan, &header->required));
    return gd_plan_names(plan, &header->name_seed);
}

static uint64_t layout(struct gd_policy_header *header, const struct gd_plan *plan)
{
    uint64_t at = sizeof(*header);
    for (int i = 0; i < GD_SECTION_COUNT; i++) {
        header->sections[i] = (struct gd_policy_range){gd_saturate(at), plan->sections[i].count};
        at += (uint64_t)plan->sections[i].count * plan->sections[i].size;
        at = (at + 7) & ~UINT64_C(7);
    }
    return header->length = at + GD_POLICY_TRAILER;
}

static enum guard_rc write(uint8_t **out, size_t *len, const struct gd_plan *plan,
                           struct gd_policy_header *header, const struct guard_policy_cfg *cfg,
                           const uint8_t *secret)
{
    uint64_t length = layout(header, plan);
    if (length > GUARD_POLICY_BYTES_MAX)
        return GUARD_E_LIMIT;
    uint8_t *bytes = cfg->alloc.alloc(cfg->alloc.ctx, (size_t)length);
    if (bytes == NULL)
        return GUARD_E_NOMEM;
    memset(bytes, 0, (size_t)length);
    for (int i = 0; i < GD_SECTION_COUNT; i++) {
        const struct gd_vector *section = &plan->sections[i];
        if (section->count > 0)
            memcpy(bytes + header->sections[i].first, section->ptr,
                   (size_t)section->count * section->size);
    }
    memcpy(bytes, header, sizeof(*header));
    gd_policy_seal(bytes, (size_t)length, plan->guardian->service, secret);
    *out = bytes;
    *len = (size_t)length;
    return GUARD_OK;
}

static enum guard_rc inputs_check(const struct guard_model *model,
                                  const struct guard_guardian *guardian, double alpha,
                                  struct guard_err *err)
{
    if (guardian->service.len == 0 || guardian->service.len > 128)
        return guard_fail(err, GUARD_E_RANGE, "a service's name has 1 to 128 bytes");
    if (model != NULL && !gd_span_equal(model->service, guardian->service))
        return guard_fail(err, GUARD_E_FOREIGN,
                          "the pile is of service \"%.*s\", the Guardian of \"%.*s\"",
                          (int)model->service.len, (const char *)model->service.ptr,
                          (int)guardian->service.len, (const char *)guardian->service.ptr);
    if (!(alpha > 0 && alpha <= 1))
        return guard_fail(err, GUARD_E_RANGE,
                          "the false alarm budget must be above 0 and at most 1");
    if (guardian->mode > GUARD_MODE_BLOCK || guardian->request_mode > GUARD_MODE_BLOCK ||
        guardian->response_mode > GUARD_MODE_BLOCK || guardian->time_mode > GUARD_MODE_BLOCK ||
        guardian->client_mode > GUARD_MODE_BLOCK)
        return guard_fail(err, GUARD_E_RANGE, "there is no such mode");
    return GUARD_OK;
}

enum guard_rc guard_policy_compile(uint8_t **out, size_t *len, const struct guard_model *model,
                                   const struct guard_guardian *guardian,
                                   const struct guard_policy_cfg *cfg, const uint8_t secret[64],
                                   struct guard_err *err)
{
    *out = NULL;
    *len = 0;
    double alpha = cfg->alpha != 0 ? cfg->alpha : guardian->false_alarm_budget;
    GUARD_TRY(inputs_check(model, guardian, alpha, err));
    struct gd_plan plan = {.model = cfg->configured_only ? NULL : model,
                           .guardian = guardian,
                           .likeness = !cfg->without_likeness};
    struct guard_err reason = {""};
    plan.err = &reason;
    if (model != NULL)
        memcpy(plan.literal_key, model->literal_key, sizeof(plan.literal_key));
    plan_init(&plan, &cfg->alloc);
    struct gd_policy_header header = {.version = 0};
    enum guard_rc rc = plan_fill(&plan, &header, cfg, alpha);
    if (rc == GUARD_OK)
        rc = write(out, len, &plan, &header, cfg, secret);
    plan_fini(&plan);
    if (rc == GUARD_OK)
        return rc;
    if (reason.text[0] == '\0')
        return guard_fail(err, rc, "the policy can't be compiled: %s",
                          rc == GUARD_E_LIMIT ? "it would be too large" : guard_rc_name(rc));
    return guard_fail(err, rc, "%s", reason.text);
}
