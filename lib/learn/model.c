/* SPDX-License-Identifier: Apache-2.0 */
/* guard_learn: a pile folded, measured and written down as a model; a pure function of pile and
 * configuration. */
#include "learn/model.h"

#include "base/arena.h"
#include "learn/deadline.h"
#include "learn/histogram.h"
#include "learn/model_field.h"
#include "learn/readiness.h"
#include "learn/scale.h"
#include "profile/profile.h"
#include "sketch/bucket.h"

enum {
    SUPPORT_DEFAULT = 4,
    EPOCHS_DEFAULT = 2,
    PATH_TEXT_MAX = 512, /* of a JSON field, for people */
    CLIENTS_MAX = 32,    /* of a closed set */
    CLIENTS_RECORDS_MIN = 1000,
};

#define SCRATCH_MAX ((size_t)512 << 20)
#define MODEL_MAX ((size_t)256 << 20)

struct owner {
    struct guard_model model; /* first: the pointer that people hold */
    struct guard_arena arena;
};

/* What is written, from what, into which memory. */
struct writing {
    struct guard_model *model;
    struct gd_draft *draft;
    struct guard_arena *arena;
};

static void *zeroed(struct guard_arena *arena, size_t count, size_t size)
{
    void *ptr = gd_arena_get(arena, count * size);
    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

static enum guard_rc copy(struct guard_span *out, struct guard_span text, struct guard_arena *arena)
{
    *out = gd_arena_copy(arena, text);
    return out->len == text.len ? GUARD_OK : GUARD_E_NOMEM;
}

static enum guard_rc copy_text(struct guard_span *out, const char *text, struct guard_arena *arena)
{
    return copy(out, gd_span(text, strlen(text)), arena);
}

static uint16_t node_strength(const struct gd_draft *draft, const struct gd_template *node,
                              const struct gd_place *place, enum guard_rule rule)
{
    enum gd_kind kind = rule == GUARD_RULE_PATH ? GD_KIND_SEGMENT : GD_KIND_METHOD;
    uint16_t strength = gd_model_strength(draft, place, rule, gd_draft_lost(&node->group, kind));
    return strength < draft->refused_most ? strength : draft->refused_most;
}

static enum guard_rc write_nodes(struct writing *writing)
{
    struct guard_model *model = writing->model;
    model->nodes = zeroed(writing->arena, writing->draft->templates.count, sizeof(*model->nodes));
    if (model->nodes == NULL)
        return GUARD_E_NOMEM;
    for (const struct gd_draft_node *entry = writing->draft->nodes; entry != NULL;
         entry = entry->next) {
        const struct gd_template *node = entry->node;
        struct guard_model_node *out = &model->nodes[model->node_count++];
        GUARD_TRY(copy(&out->text, node->text, writing->arena));
        out->parent = node->parent == NULL ? GUARD_NO_INDEX : node->parent->index;
        out->wildcard = node->wildcard;
        out->types = node->types;
        out->exchanges = entry->below.exposure.records;
        out->pending = node->pending.count;
        if (!node->open && !node->cut)
            out->strength[0] = node_strength(writing->draft, node, &entry->below, GUARD_RULE_PATH);
        if (!node->cut)
            out->strength[1] =
                node_strength(writing->draft, node,
                              entry->here.exposure.records == 0 ? &entry->below : &entry->here,
                              GUARD_RULE_METHOD);
    }
    return GUARD_OK;
}

/* "a.b[].c": members after a dot, elements as "[]"; cut when it gets too long for people. */
static enum guard_rc path_text(struct guard_model_field *out,
                               const struct guard_model_field *parent, struct guard_arena *arena)
{
    uint8_t text[PATH_TEXT_MAX];
    size_t len = 0;
    if (parent != NULL) {
        memcpy(text, parent->path.ptr == NULL ? (const uint8_t *)"" : parent->path.ptr,
               parent->path.len);
        len = parent->path.len;
        if (len < sizeof(text) && gd_name_has_dot(parent->location, out->name))
            text[len++] = '.';
    }
    size_t add = out->name.len < sizeof(text) - len ? out->name.len : sizeof(text) - len;
    if (add > 0)
        memcpy(text + len, out->name.ptr, add);
    return copy(&out->path, gd_span(text, len + add), arena);
}

static enum guard_rc write_fields(struct writing *writing, const struct gd_draft_fields *fields,
                                  bool service)
{
    struct guard_model *model = writing->model;
    for (const struct gd_draft_field *field = fields->first; field != NULL; field = field->next) {
        struct guard_model_field *out = &model->fields[field->index];
        const struct guard_model_field *parent =
            field->parent == NULL ? NULL : &model->fields[field->parent->index];
        out->parent = field->parent == NULL ? (uint32_t)GUARD_NO_INDEX : field->parent->index;
        GUARD_TRY(copy(&out->name, field->group.sum.text, writing->arena));
        GUARD_TRY(path_text(out, parent, writing->arena));
        GUARD_TRY(gd_model_field_write(out, writing->draft, field, service, writing->arena));
        model->field_count++;
    }
    return GUARD_OK;
}

static void write_faults(uint64_t faults[GUARD_LOCATION_COUNT], const struct gd_groups *elements,
                         const struct gd_trust *trust)
{
    for (uint32_t i = 0; i < elements->count; i++) {
        uint64_t location = elements->items[i].sum.code >> 8,
                 fault = elements->items[i].sum.code & 255;
        if (location < GUARD_LOCATION_COUNT && fault < GUARD_FAULT_COUNT &&
            gd_trusted(trust, &elements->items[i].sum))
            faults[location] |= UINT64_C(1) << fault;
    }
}

static enum guard_rc write_media(struct writing *writing, struct guard_model_endpoint *out,
                                 const struct gd_groups *media)
{
    if (media->count == 0)
        return GUARD_OK;
    out->media_types = zeroed(writing->arena, media->count, sizeof(*out->media_types));
    if (out->media_types == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < media->count; i++) {
        if (gd_trusted(&writing->draft->meter.trust, &media->items[i].sum))
            GUARD_TRY(copy(&out->media_types[out->media_count++], media->items[i].sum.text,
                           writing->arena));
    }
    return GUARD_OK;
}

/* Small codes with support, as bits. */
static uint32_t codes_of(const struct gd_groups *elements, const struct gd_trust *trust)
{
    uint32_t codes = 0;
    for (uint32_t i = 0; i < elements->count; i++) {
        if (elements->items[i].sum.code < 32 && gd_trusted(trust, &elements->items[i].sum))
            codes |= 1u << elements->items[i].sum.code;
    }
    return codes;
}

static struct guard_histogram *number_of(struct guard_model_endpoint *out, enum guard_number number)
{
    return &out->numbers[number - GUARD_FIELD_NUMBERS];
}

static void limit_number(struct guard_model_endpoint *out, enum guard_number number, uint32_t limit)
{
    number_of(out, number)->limited[GUARD_END_UPPER] = true;
    number_of(out, number)->limits[GUARD_END_UPPER] = limit;
}

static enum guard_rc write_numbers(struct writing *writing, struct guard_model_endpoint *out,
                                   const struct gd_draft_endpoint *endpoint)
{
    static const struct {
        enum guard_number number;
        enum gd_kind kind;
    } numbers[] = {{GUARD_NUMBER_BODY, GD_KIND_SIZE},
                   {GUARD_NUMBER_DEPTH, GD_KIND_DEPTH},
                   {GUARD_NUMBER_TIME, GD_KIND_LATENCY}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        GUARD_TRY(gd_histogram_write(number_of(out, numbers[i].number), numbers[i].number,
                                     &endpoint->kinds[numbers[i].kind],
                                     endpoint->place.exposure.records, writing->arena));
    return GUARD_OK;
}

static enum guard_rc write_profile(struct writing *writing, struct guard_model_endpoint *out,
                                   const struct gd_draft_endpoint *endpoint)
{
    static const enum guard_rule rules[] = {
        GUARD_RULE_CONTENT_TYPE, GUARD_RULE_NAME, GUARD_RULE_DEPTH,  GUARD_RULE_FAULT,
        GUARD_RULE_SIZE,         GUARD_RULE_LEAK, GUARD_RULE_STATUS, GUARD_RULE_SIZE_FAR};
    const struct gd_trust *trust = &writing->draft->meter.trust;
    GUARD_TRY(write_media(writing, out, &endpoint->kinds[GD_KIND_MEDIA]));
    struct gd_tail size = gd_tail(trust, &endpoint->kinds[GD_KIND_SIZE], GD_END_HIGH);
    struct gd_tail depth = gd_tail(trust, &endpoint->kinds[GD_KIND_DEPTH], GD_END_HIGH);
    out->body_max = size.supported ? gd_bucket_upper(size.limit) : 0;
    out->body_seen = out->body_max > 0;
    GUARD_TRY(write_numbers(writing, out, endpoint));
    if (size.supported)
        limit_number(out, GUARD_NUMBER_BODY, out->body_max);
    if (depth.supported)
        limit_number(out, GUARD_NUMBER_DEPTH, depth.limit);
    out->leaks = codes_of(&endpoint->kinds[GD_KIND_LEAK], trust);
    out->statuses = codes_of(&endpoint->kinds[GD_KIND_STATUS], trust);
    out->depth_max = depth.supported ? depth.limit : 0;
    write_faults(out->faults, &endpoint->kinds[GD_KIND_FAULT], trust);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        bool lost =
            (rules[i] == GUARD_RULE_NAME && gd_draft_lost(&endpoint->group, GD_KIND_NAME)) ||
            (rules[i] == GUARD_RULE_CONTENT_TYPE && gd_draft_lost(&endpoint->group, GD_KIND_MEDIA));
        out->strength[rules[i]] =
            gd_model_strength(writing->draft, &endpoint->place, rules[i], lost);
    }
    if (endpoint->fields.cut)
        out->strength[GUARD_RULE_NAME] = 0;
    out->unseen = gd_draft_lost(&endpoint->group, GD_KIND_SIZE);
    if (out->unseen)
        out->strength[GUARD_RULE_SIZE] = out->strength[GUARD_RULE_SIZE_FAR] =
            out->strength[GUARD_RULE_CONTENT_TYPE] = out->strength[GUARD_RULE_DEPTH] = 0;
    return GUARD_OK;
}

static uint32_t late_after(uint32_t latency_max)
{
    uint32_t limit = GUARD_LATE_FACTOR * latency_max;
    return limit > GUARD_LATE_LEAST_MS ? limit : GUARD_LATE_LEAST_MS;
}

static enum guard_rc write_time(struct writing *writing, struct guard_model_endpoint *out,
                                const struct gd_draft_endpoint *endpoint)
{
    struct gd_deadline deadline = gd_deadline(writing->draft, endpoint);
    out->latency_max = deadline.latency_max;
    out->time.ready = deadline.latency_max > 0;
    if (out->time.ready)
        limit_number(out, GUARD_NUMBER_TIME, late_after(out->latency_max));
    if (out->time.ready)
        out->strength[GUARD_RULE_LATENCY] =
            gd_model_strength(writing->draft, &endpoint->place, GUARD_RULE_LATENCY, false);
    return copy_text(&out->time.lacks, deadline.lacks, writing->arena);
}

static enum guard_rc write_endpoint(struct writing *writing, struct guard_model_endpoint *out,
                                    const struct gd_draft_endpoint *endpoint, uint32_t *progress)
{
    const struct gd_cell *sum = &endpoint->group.sum;
    GUARD_TRY(copy(&out->method, sum->text, writing->arena));
    GUARD_TRY(gd_template_text(&out->template_text, endpoint->node, writing->arena));
    out->node = endpoint->node->index;
    out->answer_of = GUARD_NO_INDEX;
    out->exchanges = endpoint->place.exposure.records;
    out->clients = endpoint->place.exposure.clients;
    out->epochs = (uint32_t)__builtin_popcount(sum->epochs);
    out->support = gd_cell_weight(sum);
    out->trusted = endpoint->trusted;
    out->first_field = writing->model->field_count;
    out->field_count = endpoint->fields.count;
    if (endpoint->trusted) {
        GUARD_TRY(write_profile(writing, out, endpoint));
        GUARD_TRY(write_time(writing, out, endpoint));
        GUARD_TRY(write_fields(writing, &endpoint->fields, false));
    }
    struct gd_readiness readiness;
    gd_endpoint_readiness(&readiness, writing->draft, endpoint);
    out->ready = readiness.ready;
    *progress = readiness.progress;
    GUARD_TRY(copy_text(&out->lacks, readiness.lacks, writing->arena));
    if (!endpoint->trusted) { /* then nothing else is */
        out->response.lacks = out->time.lacks = out->lacks;
        return GUARD_OK;
    }
    gd_response_readiness(&readiness, writing->draft, endpoint);
    out->response.ready = readiness.ready;
    return copy_text(&out->response.lacks, readiness.lacks, writing->arena);
}

static enum guard_rc write_endpoints(struct writing *writing)
{
    struct guard_model *model = writing->model;
    const struct gd_draft *draft = writing->draft;
    uint32_t *progress = zeroed(draft->arena, draft->endpoint_count + 1u, sizeof(*progress));
    model->endpoints = zeroed(writing->arena, draft->endpoint_count + draft->answer_count + 1u,
                              sizeof(*model->endpoints));
    model->fields = zeroed(writing->arena, draft->field_count + 1u, sizeof(*model->fields));
    if (progress == NULL || model->endpoints == NULL || model->fields == NULL)
        return GUARD_E_NOMEM;
    for (const struct gd_draft_endpoint *at = draft->endpoints; at != NULL; at = at->next) {
        uint32_t index = model->endpoint_count++;
        GUARD_TRY(write_endpoint(writing, &model->endpoints[index], at, &progress[index]));
    }
    gd_service_readiness(model, draft, progress);
    return GUARD_OK;
}

/* Clients that came back in several epochs. */
static uint32_t known_clients(uint32_t *out, const struct gd_groups *clients,
                              const struct gd_trust *trust)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < clients->count; i++) {
        if (gd_borderline(trust, &clients->items[i].sum))
            continue;
        if (out != NULL && count < CLIENTS_MAX)
            out[count] = (uint32_t)clients->items[i].sum.code;
        count++;
    }
    return count;
}

/* Clients are a closed set when they are few and all but fewer than D came back in several epochs.
 */
static enum guard_rc write_clients(struct writing *writing)
{
    struct guard_model *model = writing->model;
    const struct gd_trust *trust = &writing->draft->meter.trust;
    const struct gd_groups *clients = &writing->draft->service_kinds[GD_KIND_CLIENT];
    uint32_t known = known_clients(NULL, clients, trust);
    if (known == 0 || known > CLIENTS_MAX || model->exchanges < CLIENTS_RECORDS_MIN ||
        clients->count - known >= trust->weight / GD_WEIGHT_STRONG || model->anonymous > 0 ||
        gd_draft_lost(&writing->draft->service, GD_KIND_CLIENT) || !writing->draft->keyed)
        return GUARD_OK;
    model->client_prefixes = zeroed(writing->arena, known, sizeof(*model->client_prefixes));
    if (model->client_prefixes == NULL)
        return GUARD_E_NOMEM;
    model->client_prefix_count = known_clients(model->client_prefixes, clients, trust);
    gd_sort_tags(model->client_prefixes, known);
    model->clients_closed = true;
    model->service_strength[GUARD_RULE_CLIENT] =
        gd_model_strength(writing->draft, &writing->draft->service_place, GUARD_RULE_CLIENT, false);
    return GUARD_OK;
}

static enum guard_rc write_service(struct writing *writing)
{
    struct guard_model *model = writing->model;
    const struct gd_draft *draft = writing->draft;
    model->first_service_field = model->field_count;
    model->service_field_count = draft->service_fields.count;
    GUARD_TRY(write_fields(writing, &draft->service_fields, true));
    write_faults(model->service_faults, &draft->service_kinds[GD_KIND_FAULT], &draft->meter.trust);
    model->service_strength[GUARD_RULE_STATUS] =
        gd_model_strength(draft, &draft->service_place, GUARD_RULE_STATUS, false);
    model->service_strength[GUARD_RULE_FAULT] =
        gd_model_strength(draft, &draft->service_place, GUARD_RULE_FAULT, false);
    if (!draft->service_fields.cut && !gd_draft_lost(&draft->service, GD_KIND_SIZE))
        model->service_strength[GUARD_RULE_NAME] =
            gd_model_strength(draft, &draft->header_place, GUARD_RULE_NAME,
                              gd_draft_lost(&draft->service, GD_KIND_NAME));
    model->service_strength[GUARD_RULE_LIKENESS] =
        gd_pool_strength(draft->meter.pools, GUARD_RULE_LIKENESS);
    return write_clients(writing);
}

static enum guard_rc write_answer(struct writing *writing, struct guard_model_endpoint *out,
                                  const struct gd_draft_endpoint *answer)
{
    const struct gd_draft_endpoint *endpoint = answer->answer_of;
    const struct gd_cell *sum = &answer->group.sum;
    out->status = (uint32_t)sum->code;
    out->answer_of = endpoint == NULL ? (uint32_t)GUARD_NO_INDEX : endpoint->index;
    out->node = GUARD_NO_INDEX;
    if (endpoint != NULL) {
        out->method = writing->model->endpoints[endpoint->index].method;
        out->template_text = writing->model->endpoints[endpoint->index].template_text;
    }
    out->exchanges = answer->place.exposure.records;
    out->clients = answer->place.exposure.clients;
    out->epochs = (uint32_t)__builtin_popcount(sum->epochs);
    out->support = gd_cell_weight(sum);
    out->trusted = true;
    out->first_field = writing->model->field_count;
    out->field_count = answer->fields.count;
    GUARD_TRY(write_profile(writing, out, answer));
    return write_fields(writing, &answer->fields, endpoint == NULL);
}

static enum guard_rc write_answers(struct writing *writing)
{
    struct guard_model *model = writing->model;
    for (const struct gd_draft_endpoint *at = writing->draft->answers; at != NULL; at = at->next) {
        uint32_t index = model->endpoint_count + model->answer_count++;
        GUARD_TRY(write_answer(writing, &model->endpoints[index], at));
    }
    return GUARD_OK;
}

static enum guard_rc write_head(struct writing *writing, const struct gd_model_source *source)
{
    struct guard_model *model = writing->model;
    memcpy(model->key_id, source->key_id, sizeof(model->key_id));
    memcpy(model->literal_key, source->literal_key, sizeof(model->literal_key));
    memcpy(model->client_key, source->client_key, sizeof(model->client_key));
    memcpy(model->pile_digest, source->digest, sizeof(model->pile_digest));
    model->exchanges = writing->draft->service_place.exposure.records;
    model->clients = writing->draft->service_place.exposure.clients;
    model->epochs = source->epochs;
    model->anonymous = source->anonymous;
    return copy(&model->service, source->service, writing->arena);
}

static int order_pending(const void *left, const void *right)
{
    const struct guard_review_pending *a = left;
    const struct guard_review_pending *b = right;
    if (a->clients != b->clients)
        return a->clients > b->clients ? -1 : 1;
    if (a->records != b->records)
        return a->records > b->records ? -1 : 1;
    const struct guard_review_element *x = &a->element, *y = &b->element;
    const struct guard_span texts[][2] = {{x->template_text, y->template_text},
                                          {x->method, y->method},
                                          {x->name, y->name},
                                          {x->text, y->text}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int order = gd_span_compare(texts[i][0], texts[i][1]);
        if (order != 0)
            return order;
    }
    const uint32_t numbers[][2] = {{x->status, y->status},
                                   {(uint32_t)x->location, (uint32_t)y->location},
                                   {(uint32_t)x->kind, (uint32_t)y->kind},
                                   {x->code, y->code}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i][0] != numbers[i][1])
            return numbers[i][0] < numbers[i][1] ? -1 : 1;
    }
    return 0;
}

static enum guard_rc write_pending(struct writing *writing, const struct gd_review *review)
{
    struct guard_model *model = writing->model;
    model->pending_total = review->total;
    model->pending = zeroed(writing->arena, review->listed + 1u, sizeof(*model->pending));
    if (model->pending == NULL)
        return GUARD_E_NOMEM;
    for (const struct gd_review_item *item = review->first; item != NULL; item = item->next) {
        struct guard_review_pending *out = &model->pending[model->pending_count++];
        *out = item->pending;
        struct guard_span *texts[] = {&out->element.method, &out->element.template_text,
                                      &out->element.name, &out->element.text};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            GUARD_TRY(copy(texts[i], *texts[i], writing->arena));
    }
    gd_sort(model->pending, sizeof(*model->pending), model->pending_count, order_pending);
    return GUARD_OK;
}

static enum guard_rc begin_meter(struct gd_meter *meter, const struct gd_trust *trust,
                                 struct guard_arena *arena)
{
    meter->trust = *trust;
    meter->arena = arena;
    meter->pools = zeroed(arena, 1, sizeof(*meter->pools));
    meter->firings = zeroed(arena, 1, sizeof(*meter->firings));
    meter->marks = zeroed(arena, 1, sizeof(*meter->marks));
    return meter->pools == NULL || meter->firings == NULL || meter->marks == NULL ? GUARD_E_NOMEM
                                                                                  : GUARD_OK;
}

static enum guard_rc settle(const struct gd_meter *meter)
{
    return gd_firings_settle(meter->firings, &meter->trust, meter->pools, meter->arena);
}

static enum guard_rc make(struct writing *writing, const struct gd_model_source *source,
                          const struct guard_review *said)
{
    struct gd_draft *draft = writing->draft;
    struct gd_review review;
    GUARD_TRY(gd_review_init(&review, said, draft->arena));
    draft->meter.trust.review = &review;
    GUARD_TRY(begin_meter(&draft->meter, &draft->meter.trust, draft->arena));
    GUARD_TRY(begin_meter(&draft->answers_meter, &draft->meter.trust, draft->arena));
    GUARD_TRY(gd_draft_make(draft, source->root));
    GUARD_TRY(settle(&draft->meter));
    GUARD_TRY(settle(&draft->answers_meter));
    struct guard_model *model = writing->model;
    for (int of = 0; of < GUARD_SCALE_COUNT; of++) {
        bool answers = of == GUARD_SCALE_ANSWERS;
        GUARD_TRY(gd_scale(model->scale[of], answers ? &draft->answers_meter : &draft->meter,
                           (enum guard_scale)of,
                           answers ? (uint16_t)GD_STRENGTH_MAX : draft->refused_most));
    }
    model->mistyped_strength = draft->mistyped_most;
    model->attack_like_strength = draft->attack_like_most;
    GUARD_TRY(write_head(writing, source));
    GUARD_TRY(write_nodes(writing));
    GUARD_TRY(write_endpoints(writing));
    GUARD_TRY(write_service(writing));
    GUARD_TRY(write_answers(writing));
    return write_pending(writing, &review);
}

enum guard_rc gd_model_build(struct guard_model **out, const struct gd_model_source *source,
                             const struct guard_learn_cfg *cfg, struct guard_err *err)
{
    uint32_t support = cfg->support == 0 ? SUPPORT_DEFAULT : cfg->support;
    *out = NULL;
    if (cfg->review != NULL && cfg->review->count > GUARD_REVIEW_ENTRIES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "more than %d decisions",
                          (int)GUARD_REVIEW_ENTRIES_MAX);
    if (support > SUPPORT_DEFAULT || cfg->epochs_min > GD_EPOCHS_MAX)
        return guard_fail(err, GUARD_E_RANGE,
                          "support must be 1 to 4 clients in at most 32 epochs");
    struct owner *owner = cfg->alloc.alloc(cfg->alloc.ctx, sizeof(*owner));
    if (owner == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the model");
    memset(owner, 0, sizeof(*owner));
    owner->model.alloc = cfg->alloc;
    guard_arena_init_growing(&owner->arena, &cfg->alloc, MODEL_MAX);

    struct guard_arena scratch;
    guard_arena_init(&scratch, &cfg->alloc, SCRATCH_MAX);
    struct gd_draft draft = {.arena = &scratch, .keyed = source->keyed};
    draft.meter.trust.weight = support * GD_WEIGHT_STRONG;
    draft.meter.trust.epochs_min = cfg->epochs_min == 0 ? EPOCHS_DEFAULT : cfg->epochs_min;
    draft.meter.trust.anonymous = source->anonymous > 0;
    struct writing writing = {.model = &owner->model, .draft = &draft, .arena = &owner->arena};
    enum guard_rc rc = make(&writing, source, cfg->review);
    guard_arena_reset(&scratch);
    if (rc != GUARD_OK) {
        guard_model_free(&owner->model);
        return guard_fail(err, rc, "no memory for the model");
    }
    *out = &owner->model;
    return GUARD_OK;
}

void guard_model_free(struct guard_model *model)
{
    if (model == NULL)
        return;
    struct owner *owner = (struct owner *)model;
    struct guard_alloc alloc = model->alloc;
    guard_arena_reset(&owner->arena);
    alloc.free(alloc.ctx, owner);
}
