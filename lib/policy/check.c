/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of a policy, in slices. Sections have one canonical place and ranges one canonical
 * order, so that each item is looked at once: the work is linear in the bytes, whatever they say.
 */
#include "policy/check_exceptions.h"
#include "policy/check_patches.h"
#include "policy/policy.h"
#include "policy/seal.h"
#include "profile/profile.h"
#include "profile/transition.h"

enum {
    HASH_SLICE = 48 * 1024, /* bytes */
    ITEM_SLICE = 2048,      /* items, or literals in them */
    ALL_TYPES = (1 << GUARD_TYPE_COUNT) - 1,
};

enum stage {
    STAGE_HEADER,
    STAGE_DIGEST,
    STAGE_SIGNATURE,
    STAGE_IDENTITY,
    STAGE_NODES,
    STAGE_FIELDS,
    STAGE_ENDPOINTS,
    STAGE_SLOTS,
    STAGE_REQUIRED,
    STAGE_MEDIA,
    STAGE_CLIENTS,
    STAGE_PATCH_TEXTS,
    STAGE_PATCHES,
    STAGE_PATTERNS,
    STAGE_COVERS,
    STAGE_EXCEPTION_TEXTS,
    STAGE_EXCEPTION_CLIENTS,
    STAGE_EXCEPTIONS,
    STAGE_DONE,
};

struct guard_policy_check {
    struct guard_alloc alloc;
    struct guard_span bytes;
    uint8_t service[128];
    size_t service_len;
    bool service_said;
    uint8_t public_key[GUARD_KEY_BYTES];
    bool key_said;
    uint64_t generation_min;
    enum guard_rc rc;
    enum stage stage;
    size_t at;         /* bytes hashed; then the next item of the stage's section */
    uint32_t cost;     /* in this step */
    uint32_t children; /* running sums: where the next item's ranges begin */
    uint32_t endpoints;
    uint32_t rows;
    uint32_t literals;
    uint32_t required;
    uint32_t media;
    uint32_t statuses;
    struct gd_patch_sums patches;
    struct gd_exception_sums exceptions;
    struct guard_digest_state digest;
    struct guard_policy view;
};

static const size_t item_size[GD_SECTION_COUNT] = {
    sizeof(struct gd_policy_node),
    sizeof(struct gd_policy_endpoint),
    sizeof(struct gd_policy_field),
    sizeof(uint64_t),
    sizeof(struct gd_policy_slot),
    sizeof(uint32_t),
    sizeof(struct gd_policy_text),
    sizeof(uint64_t),
    sizeof(uint32_t),
    1,
    sizeof(struct guard_status_range),
    sizeof(struct gd_patch_entry),
    sizeof(struct gd_patch_node),
    sizeof(struct gd_patch_text),
    sizeof(struct gd_patch_pattern),
    sizeof(uint32_t),
    sizeof(struct gd_exception_entry),
    sizeof(struct gd_policy_text),
    sizeof(struct gd_exception_client),
};

static uint32_t count_of(const struct guard_policy_check *check, enum gd_policy_section section)
{
    return check->view.header->sections[section].count;
}

static bool text_ok(const struct guard_policy_check *check, struct gd_policy_text text,
                    uint32_t max)
{
    uint32_t strings = count_of(check, GD_SECTION_STRINGS);
    return text.len <= max && text.offset <= strings && text.len <= strings - text.offset;
}

/* The range begins where the one before ended, inside the section. */
static bool range_ok(struct gd_policy_range range, uint32_t *next, uint32_t total)
{
    if (range.first != *next || range.count > total - range.first)
        return false;
    *next += range.count;
    return true;
}

static enum guard_rc wrong(struct guard_err *err, const char *what)
{
    return guard_fail(err, GUARD_E_SYNTAX, "the policy is malformed: %s", what);
}

static enum guard_rc check_header(struct guard_policy_check *check, struct guard_err *err)
{
    struct guard_span bytes = check->bytes;
    const struct gd_policy_header *header = (const void *)bytes.ptr;
    if (bytes.len < 8 || memcmp(bytes.ptr, "GPOL", 4) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "this is no policy");
    if (header->version != GD_POLICY_VERSION)
        return guard_fail(err, GUARD_E_VERSION, "the policy has version %u, this program reads %u",
                          header->version, (unsigned)GD_POLICY_VERSION);
    if (bytes.len < sizeof(*header) + GD_POLICY_TRAILER || header->length != bytes.len)
        return guard_fail(err, GUARD_E_SYNTAX, "the policy is truncated: %zu bytes", bytes.len);
    if (bytes.len > GUARD_POLICY_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "the policy has more than %d bytes",
                          (int)GUARD_POLICY_BYTES_MAX);
    guard_digest_begin(&check->digest);
    return GUARD_OK;
}

static enum guard_rc check_digest(struct guard_policy_check *check, bool *stay,
                                  struct guard_err *err)
{
    size_t total = check->bytes.len - GD_POLICY_TRAILER;
    size_t len = total - check->at < HASH_SLICE ? total - check->at : HASH_SLICE;
    guard_digest_update(&check->digest, gd_span(check->bytes.ptr + check->at, len));
    check->at += len;
    *stay = check->at < total;
    if (*stay)
        return GUARD_OK;
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest_end(&check->digest, digest);
    if (memcmp(digest, check->bytes.ptr + total, sizeof(digest)) != 0)
        return guard_fail(err, GUARD_E_CHECKSUM, "the policy is damaged: its digest doesn't fit");
    return GUARD_OK;
}

static bool sections_ok(const struct guard_policy_check *check)
{
    const struct gd_policy_header *header = (const void *)check->bytes.ptr;
    uint64_t at = sizeof(*header);
    for (int i = 0; i < GD_SECTION_COUNT; i++) {
        if (header->sections[i].first != at)
            return false;
        at += (uint64_t)header->sections[i].count * item_size[i];
        at = (at + 7) & ~UINT64_C(7);
        if (at > check->bytes.len)
            return false;
    }
    return at == check->bytes.len - GD_POLICY_TRAILER;
}

static enum guard_rc check_service(struct guard_policy_check *check, struct guard_err *err)
{
    if (!sections_ok(check))
        return wrong(err, "its sections");
    gd_policy_map(&check->view, check->bytes);
    const struct gd_policy_header *header = check->view.header;
    if (!text_ok(check, header->service, 128) || header->service.len == 0)
        return wrong(err, "its service");
    return GUARD_OK;
}

static enum guard_rc check_signature(struct guard_policy_check *check, struct guard_err *err)
{
    GUARD_TRY(check_service(check, err));
    if (!check->key_said)
        return GUARD_OK;
    if (!(check->view.header->flags & GD_POLICY_SIGNED))
        return guard_fail(err, GUARD_E_SIGNATURE, "the policy isn't signed");
    struct guard_span service = gd_policy_span(&check->view, check->view.header->service);
    if (gd_policy_seal_verify(check->bytes, service, check->public_key) != GUARD_OK)
        return guard_fail(err, GUARD_E_SIGNATURE, "the policy is signed by another key");
    return GUARD_OK;
}

static enum guard_rc check_identity(struct guard_policy_check *check, struct guard_err *err)
{
    const struct gd_policy_header *header = check->view.header;
    struct guard_span service = gd_policy_span(&check->view, header->service);
    if (check->service_said && !gd_span_equal(service, gd_span(check->service, check->service_len)))
        return guard_fail(err, GUARD_E_FOREIGN, "the policy is for service \"%.*s\"",
                          (int)service.len, (const char *)service.ptr);
    if (header->generation < check->generation_min && header->replaces < check->generation_min)
        return guard_fail(err, GUARD_E_REPLAY, "the policy is of generation %llu, %llu is in force",
                          (unsigned long long)header->generation,
                          (unsigned long long)check->generation_min);
    double alpha;
    memcpy(&alpha, &header->alpha, sizeof(alpha));
    uint32_t slots = count_of(check, GD_SECTION_SLOTS);
    if (header->mode > GUARD_MODE_BLOCK || header->request_mode > GUARD_MODE_BLOCK ||
        header->response_mode > GUARD_MODE_BLOCK || header->time_mode > GUARD_MODE_BLOCK ||
        !(alpha > 0 && alpha <= 1) || slots < GD_POLICY_PROBES || (slots & (slots - 1)) != 0 ||
        count_of(check, GD_SECTION_NODES) == 0)
        return wrong(err, "its head");
    check->children = 1;
    return GUARD_OK;
}

static bool wildcard_ok(const struct gd_policy_node *node)
{
    bool wildcard = (node->flags & GD_NODE_WILDCARD) != 0;
    return wildcard || (!(node->flags & GD_NODE_REST) && node->types == 0);
}

/* Parents come first and name their children, children name their parent: no node has two, and
 * there is no cycle. */
static bool node_ok(struct guard_policy_check *check, uint32_t index)
{
    const struct gd_policy_node *node = &check->view.nodes[index];
    uint32_t total = count_of(check, GD_SECTION_NODES);
    if (!text_ok(check, node->text, GD_POLICY_NAME_MAX) || !wildcard_ok(node))
        return false;
    if (node->wildcard_count > GD_POLICY_WILDCARDS || node->literal_count > total)
        return false;
    struct gd_policy_range children = {node->child_first,
                                       node->literal_count + node->wildcard_count};
    struct gd_policy_range endpoints = {node->endpoint_first, node->endpoint_count};
    if (children.first <= index || !range_ok(children, &check->children, total) ||
        !range_ok(endpoints, &check->endpoints, count_of(check, GD_SECTION_ENDPOINTS)))
        return false;
    if (index == 0)
        return node->parent == GD_POLICY_NONE;
    if (node->parent >= index)
        return false;
    const struct gd_policy_node *parent = &check->view.nodes[node->parent];
    uint32_t place = index - parent->child_first;
    return index >= parent->child_first && place < parent->literal_count + parent->wildcard_count &&
           (place >= parent->literal_count) == ((node->flags & GD_NODE_WILDCARD) != 0);
}

/* Each is a response of its class of status, behind what nodes lead to. */
static bool answers_ok(const struct guard_policy_check *check,
                       const uint32_t answers[GD_POLICY_ANSWERS])
{
    for (uint32_t i = 0; i < GD_POLICY_ANSWERS; i++) {
        if (answers[i] == GD_POLICY_NONE)
            continue;
        if (answers[i] < check->endpoints || answers[i] >= count_of(check, GD_SECTION_ENDPOINTS) ||
            check->view.endpoints[answers[i]].status != i + 1)
            return false;
    }
    return true;
}

/* A request's endpoint belongs to its node, a response's to none. */
static bool place_ok(const struct guard_policy_check *check, uint32_t index)
{
    const struct gd_policy_endpoint *endpoint = &check->view.endpoints[index];
    bool answer = (endpoint->flags & GD_ENDPOINT_ANSWER) != 0;
    if (answer != (index >= check->endpoints) || answer != (endpoint->status != 0))
        return false;
    if (answer)
        return endpoint->node == GD_POLICY_NONE && endpoint->method_len == 0 &&
               endpoint->status <= GD_POLICY_ANSWERS;
    if (endpoint->node >= count_of(check, GD_SECTION_NODES))
        return false;
    const struct gd_policy_node *node = &check->view.nodes[endpoint->node];
    return index >= node->endpoint_first && index - node->endpoint_first < node->endpoint_count;
}

static bool endpoint_ok(struct guard_policy_check *check, uint32_t index)
{
    const struct gd_policy_endpoint *endpoint = &check->view.endpoints[index];
    return place_ok(check, index) && answers_ok(check, endpoint->answers) &&
           endpoint->time_mode <= GUARD_MODE_BLOCK &&
           endpoint->method_len <= sizeof(endpoint->method) && endpoint->mode <= GUARD_MODE_BLOCK &&
           text_ok(check, endpoint->template_text, UINT32_MAX) &&
           range_ok(endpoint->media, &check->media, count_of(check, GD_SECTION_MEDIA)) &&
           range_ok(endpoint->allowed, &check->statuses, count_of(check, GD_SECTION_STATUSES)) &&
           range_ok(endpoint->required, &check->required, count_of(check, GD_SECTION_REQUIRED));
}

static bool owner_ok(const struct guard_policy_check *check, const struct gd_policy_field *field,
                     uint32_t index)
{
    if (field->flags & GD_FIELD_MEMBER)
        return field->owner < index && gd_location_in(GD_LOCATION_TREES, field->location) &&
               check->view.fields[field->owner].location == field->location;
    return field->owner == GD_POLICY_NONE || field->owner < count_of(check, GD_SECTION_ENDPOINTS);
}

static bool rows_ok(struct guard_policy_check *check, const struct gd_policy_field *field)
{
    uint32_t banks = field->flags & GD_FIELD_PENDING_ROWS ? 2 : 1;
    struct gd_policy_range rows = {field->row_first, field->row_count * banks};
    if (field->row_count == 0 || !range_ok(rows, &check->rows, count_of(check, GD_SECTION_ROWS)))
        return false;
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++) {
        if (field->rank[i] >= field->row_count)
            return false;
    }
    return check->view.rows[field->row_first] == 0 && (field->frequent & ~GD_FREQUENT_ALL) == 0;
}

static bool literals_ok(struct guard_policy_check *check, const struct gd_policy_field *field)
{
    if (field->literals.count > GD_POLICY_LITERALS ||
        !range_ok(field->literals, &check->literals, count_of(check, GD_SECTION_LITERALS)))
        return false;
    const uint64_t *literals = check->view.literals + field->literals.first;
    for (uint32_t i = 1; i < field->literals.count; i++) {
        if (literals[i] <= literals[i - 1])
            return false;
    }
    check->cost += field->literals.count;
    return true;
}

static bool field_ok(struct guard_policy_check *check, uint32_t index)
{
    const struct gd_policy_field *field = &check->view.fields[index];
    uint64_t classes = field->classes | field->pending_classes;
    uint32_t types = field->types | field->pending_types;
    if (field->location == 0 || field->location >= GUARD_LOCATION_COUNT ||
        classes >> GUARD_CLASS_COUNT != 0 || (types & ~(uint32_t)ALL_TYPES) != 0)
        return false;
    if (field->shadow != GD_POLICY_NONE &&
        (field->shadow >= index || (check->view.fields[field->shadow].flags & GD_FIELD_MEMBER)))
        return false;
    return owner_ok(check, field, index) && text_ok(check, field->name, GD_POLICY_NAME_MAX) &&
           text_ok(check, field->path, UINT32_MAX) && rows_ok(check, field) &&
           literals_ok(check, field) &&
           range_ok(field->required, &check->required, count_of(check, GD_SECTION_REQUIRED));
}

/* What a slot is found by must be what it names. */
static bool slot_ok(struct guard_policy_check *check, uint32_t index)
{
    const struct guard_policy *view = &check->view;
    const struct gd_policy_slot *slot = &view->slots[index];
    if (slot->tag == 0)
        return slot->value == 0 && slot->offset == 0;
    uint32_t kind = (uint32_t)(slot->tag >> 32) & 0xff;
    uint32_t owner;
    if (kind == GD_KEY_NODE) {
        if (slot->value == 0 || slot->value >= count_of(check, GD_SECTION_NODES))
            return false;
        owner = view->nodes[slot->value].parent;
        if ((view->nodes[slot->value].flags & GD_NODE_WILDCARD) || slot->offset != 0)
            return false;
    } else {
        if (slot->value >= view->field_count ||
            slot->offset != slot->value * sizeof(struct gd_policy_field))
            return false;
        const struct gd_policy_field *field = &view->fields[slot->value];
        if (kind != (field->flags & GD_FIELD_MEMBER ? GD_KEY_MEMBER : field->location))
            return false;
        owner = field->owner;
    }
    struct gd_policy_key key = gd_policy_key(owner, kind, gd_policy_slot_text(view, slot));
    return key.tag == slot->tag && key.low == slot->low && key.high == slot->high;
}

static bool required_ok(struct guard_policy_check *check, uint32_t index)
{
    return check->view.required[index] < check->view.field_count;
}

static bool media_ok(struct guard_policy_check *check, uint32_t index)
{
    return text_ok(check, check->view.media[index], UINT32_MAX);
}

static bool client_ok(struct guard_policy_check *check, uint32_t index)
{
    return index == 0 || check->view.clients[index] >= check->view.clients[index - 1];
}

static bool patch_text_ok(struct guard_policy_check *check, uint32_t index)
{
    const struct gd_patch_text text = check->view.patches.texts[index];
    return text_ok(check, (struct gd_policy_text){text.offset, text.len}, UINT32_MAX);
}

static bool patch_ok(struct guard_policy_check *check, uint32_t index)
{
    return gd_patch_entry_ok(&check->view, &check->patches, index, &check->cost);
}

static bool pattern_ok(struct guard_policy_check *check, uint32_t index)
{
    return gd_patch_pattern_ok(&check->view, &check->patches, index, &check->cost);
}

static bool cover_ok(struct guard_policy_check *check, uint32_t index)
{
    return check->view.patches.covers[index] < count_of(check, GD_SECTION_PATCHES);
}

static bool exception_text_ok(struct guard_policy_check *check, uint32_t index)
{
    return gd_exception_text_ok(&check->view, index);
}

static bool exception_client_ok(struct guard_policy_check *check, uint32_t index)
{
    return gd_exception_client_ok(&check->view, index);
}

static bool exception_ok(struct guard_policy_check *check, uint32_t index)
{
    return gd_exception_entry_ok(&check->view, &check->exceptions, index, &check->cost);
}

/* The structural stages, in the order of enum stage. Fields fill the list of required ones before
 * endpoints do, so their stage comes first. */
static const struct {
    enum gd_policy_section section;
    bool (*ok)(struct guard_policy_check *check, uint32_t index);
    const char *what;
} structure[] = {
    {GD_SECTION_NODES, node_ok, "a template"},
    {GD_SECTION_FIELDS, field_ok, "a field"},
    {GD_SECTION_ENDPOINTS, endpoint_ok, "an endpoint"},
    {GD_SECTION_SLOTS, slot_ok, "its table of names"},
    {GD_SECTION_REQUIRED, required_ok, "a required field"},
    {GD_SECTION_MEDIA, media_ok, "a media type"},
    {GD_SECTION_CLIENTS, client_ok, "a client"},
    {GD_SECTION_PATCH_TEXTS, patch_text_ok, "a text of a patch"},
    {GD_SECTION_PATCHES, patch_ok, "a patch"},
    {GD_SECTION_PATTERNS, pattern_ok, "a pattern"},
    {GD_SECTION_COVERS, cover_ok, "a patch of a pattern"},
    {GD_SECTION_EXCEPTION_TEXTS, exception_text_ok, "a text of an exception"},
    {GD_SECTION_EXCEPTION_CLIENTS, exception_client_ok, "a client of an exception"},
    {GD_SECTION_EXCEPTIONS, exception_ok, "an exception"},
};

/* Every section was used up by the ranges into it. */
static bool sums_ok(struct guard_policy_check *check)
{
    return range_ok(check->view.header->required, &check->required,
                    count_of(check, GD_SECTION_REQUIRED)) &&
           check->required == count_of(check, GD_SECTION_REQUIRED) &&
           check->children == count_of(check, GD_SECTION_NODES) &&
           answers_ok(check, check->view.header->answers) &&
           answers_ok(check, check->view.header->others) &&
           range_ok(check->view.header->allowed, &check->statuses,
                    count_of(check, GD_SECTION_STATUSES)) &&
           check->statuses == count_of(check, GD_SECTION_STATUSES) &&
           check->rows == count_of(check, GD_SECTION_ROWS) &&
           check->media == count_of(check, GD_SECTION_MEDIA) &&
           gd_patch_sums_ok(&check->view, &check->patches) &&
           gd_exception_sums_ok(&check->view, &check->exceptions) &&
           check->literals == count_of(check, GD_SECTION_LITERALS);
}

static enum guard_rc check_items(struct guard_policy_check *check, bool *stay,
                                 struct guard_err *err)
{
    unsigned index = (unsigned)check->stage - (unsigned)STAGE_NODES;
    uint32_t total = count_of(check, structure[index].section);
    for (check->cost = 0; check->cost < ITEM_SLICE && check->at < total;
         check->cost++, check->at++) {
        if (!structure[index].ok(check, (uint32_t)check->at))
            return wrong(err, structure[index].what);
    }
    *stay = check->at < total;
    if (!*stay && check->stage == STAGE_EXCEPTIONS && !sums_ok(check))
        return wrong(err, "its ranges");
    return GUARD_OK;
}

static enum guard_rc run(struct guard_policy_check *check, bool *stay, struct guard_err *err)
{
    *stay = false;
    switch (check->stage) {
    case STAGE_HEADER:
        return check_header(check, err);
    case STAGE_DIGEST:
        return check_digest(check, stay, err);
    case STAGE_SIGNATURE:
        return check_signature(check, err);
    case STAGE_IDENTITY:
        return check_identity(check, err);
    case STAGE_NODES:
    case STAGE_ENDPOINTS:
    case STAGE_FIELDS:
    case STAGE_SLOTS:
    case STAGE_REQUIRED:
    case STAGE_MEDIA:
    case STAGE_CLIENTS:
    case STAGE_PATCH_TEXTS:
    case STAGE_PATCHES:
    case STAGE_PATTERNS:
    case STAGE_COVERS:
    case STAGE_EXCEPTION_TEXTS:
    case STAGE_EXCEPTION_CLIENTS:
    case STAGE_EXCEPTIONS:
        return check_items(check, stay, err);
    case STAGE_DONE:
        return GUARD_OK;
    }
    return GUARD_E_STATE;
}

enum guard_rc guard_policy_check_begin(struct guard_policy_check **out,
                                       const struct guard_alloc *alloc, struct guard_span bytes,
                                       struct guard_span service, const uint8_t *public_key,
                                       uint64_t generation_min)
{
    *out = NULL;
    if (service.len > 128 || ((uintptr_t)bytes.ptr & 7) != 0)
        return GUARD_E_RANGE;
    struct guard_policy_check *check = alloc->alloc(alloc->ctx, sizeof(*check));
    if (check == NULL)
        return GUARD_E_NOMEM;
    memset(check, 0, sizeof(*check));
    check->alloc = *alloc;
    check->bytes = bytes;
    check->service_len = service.len;
    check->service_said = service.len > 0;
    if (service.len > 0)
        memcpy(check->service, service.ptr, service.len);
    check->key_said = public_key != NULL;
    if (public_key != NULL)
        memcpy(check->public_key, public_key, sizeof(check->public_key));
    check->generation_min = generation_min;
    *out = check;
    return GUARD_OK;
}

enum guard_rc guard_policy_check_step(struct guard_policy_check *check, bool *done,
                                      struct guard_err *err)
{
    bool stay = false;
    *done = false;
    if (check->rc != GUARD_OK)
        return guard_fail(err, check->rc, "the policy was refused before");
    check->rc = run(check, &stay, err);
    if (check->rc != GUARD_OK)
        return check->rc;
    if (!stay && check->stage != STAGE_DONE) {
        check->stage = (enum stage)(check->stage + 1);
        check->at = 0;
    }
    *done = check->stage == STAGE_DONE;
    return GUARD_OK;
}

void guard_policy_check_free(struct guard_policy_check *check)
{
    if (check != NULL)
        check->alloc.free(check->alloc.ctx, check);
}
