/* SPDX-License-Identifier: Apache-2.0 */
/* Opens validated policies: maps their sections, counts references. */
#include "policy/policy.h"

static const void *section(const struct gd_policy_header *header, enum gd_policy_section index)
{
    return (const uint8_t *)header + header->sections[index].first;
}

static void map_patches(struct gd_patch_set *set, const struct gd_policy_header *header)
{
    set->entries = section(header, GD_SECTION_PATCHES);
    set->nodes = section(header, GD_SECTION_CONDITIONS);
    set->texts = section(header, GD_SECTION_PATCH_TEXTS);
    set->patterns = section(header, GD_SECTION_PATTERNS);
    set->covers = section(header, GD_SECTION_COVERS);
    set->strings = section(header, GD_SECTION_STRINGS);
    set->entry_count = header->sections[GD_SECTION_PATCHES].count;
    set->pattern_count = header->sections[GD_SECTION_PATTERNS].count;
    set->always =
        (struct gd_patch_range){header->patches_always.first, header->patches_always.count};
    set->places[0] = header->patch_places[0];
    set->places[1] = header->patch_places[1];
    set->views = header->patch_views;
    set->bodies = header->patch_bodies;
    set->numbers = (header->flags & GD_POLICY_NUMBERS_APART) == 0;
}

void gd_policy_map(struct guard_policy *policy, struct guard_span bytes)
{
    const struct gd_policy_header *header = (const void *)bytes.ptr;
    policy->header = header;
    policy->nodes = section(header, GD_SECTION_NODES);
    policy->endpoints = section(header, GD_SECTION_ENDPOINTS);
    policy->fields = section(header, GD_SECTION_FIELDS);
    policy->rows = section(header, GD_SECTION_ROWS);
    policy->slots = section(header, GD_SECTION_SLOTS);
    policy->required = section(header, GD_SECTION_REQUIRED);
    policy->media = section(header, GD_SECTION_MEDIA);
    policy->literals = section(header, GD_SECTION_LITERALS);
    policy->clients = section(header, GD_SECTION_CLIENTS);
    policy->strings = section(header, GD_SECTION_STRINGS);
    policy->statuses = section(header, GD_SECTION_STATUSES);
    map_patches(&policy->patches, header);
    policy->exceptions = section(header, GD_SECTION_EXCEPTIONS);
    policy->exception_texts = section(header, GD_SECTION_EXCEPTION_TEXTS);
    policy->exception_clients = section(header, GD_SECTION_EXCEPTION_CLIENTS);
    policy->exception_count = header->sections[GD_SECTION_EXCEPTIONS].count;
    policy->name_seed = header->name_seed;
    policy->slot_mask = header->sections[GD_SECTION_SLOTS].count - 1;
    policy->field_count = header->sections[GD_SECTION_FIELDS].count;
}

enum guard_rc guard_policy_open(struct guard_policy **out, const struct guard_alloc *alloc,
                                struct guard_span bytes)
{
    *out = NULL;
    struct guard_policy *policy = alloc->alloc(alloc->ctx, sizeof(*policy));
    if (policy == NULL)
        return GUARD_E_NOMEM;
    memset(policy, 0, sizeof(*policy));
    policy->alloc = *alloc;
    policy->references = 1;
    gd_policy_map(policy, bytes);
    memcpy(&policy->identity, bytes.ptr + bytes.len - GD_POLICY_TRAILER, sizeof(policy->identity));
    policy->identity |= 1;
    *out = policy;
    return GUARD_OK;
}

enum guard_rc guard_policy_load(struct guard_policy **out, const struct guard_alloc *alloc,
                                struct guard_span bytes, struct guard_span service,
                                const uint8_t *public_key, struct guard_err *err)
{
    *out = NULL;
    struct guard_policy_check *check = NULL;
    GUARD_TRY(guard_policy_check_begin(&check, alloc, bytes, service, public_key, 0));
    enum guard_rc rc = GUARD_OK;
    for (bool done = false; rc == GUARD_OK && !done;)
        rc = guard_policy_check_step(check, &done, err);
    guard_policy_check_free(check);
    if (rc != GUARD_OK)
        return rc;
    rc = guard_policy_open(out, alloc, bytes);
    return rc == GUARD_OK ? rc : guard_fail(err, rc, "no memory for the policy");
}

void guard_policy_ref(struct guard_policy *policy)
{
    policy->references++;
}

void guard_policy_unref(struct guard_policy *policy)
{
    if (policy == NULL || --policy->references != 0)
        return;
    void (*on_free)(void *ctx) = policy->on_free;
    void *ctx = policy->on_free_ctx;
    struct guard_alloc alloc = policy->alloc;
    alloc.free(alloc.ctx, policy);
    if (on_free != NULL)
        on_free(ctx);
}

void guard_policy_on_free(struct guard_policy *policy, void (*on_free)(void *ctx), void *ctx)
{
    policy->on_free = on_free;
    policy->on_free_ctx = ctx;
}

uint64_t guard_revision_id(struct guard_span revision)
{
    if (revision.len == 0)
        return 0;
    uint64_t id = guard_checksum(0, revision);
    return id == 0 ? 1 : id;
}

enum guard_revision_state guard_policy_revision(const struct guard_policy *policy, uint64_t id,
                                                uint64_t *shadow_until_ms)
{
    const struct guard_policy_revision *known = policy->header->revisions;
    enum guard_revision_state state = GUARD_REVISION_NONE;
    for (uint32_t i = 0; i < GUARD_POLICY_REVISIONS && known[i].id != 0; i++) {
        state = GUARD_REVISION_UNKNOWN;
        if (known[i].id != id)
            continue;
        *shadow_until_ms = known[i].shadow_until_ms;
        return GUARD_REVISION_KNOWN;
    }
    return state;
}

void guard_policy_info(const struct guard_policy *policy, struct guard_policy_info *out)
{
    const struct gd_policy_header *header = policy->header;
    memset(out, 0, sizeof(*out));
    out->service = gd_policy_span(policy, header->service);
    out->generation = header->generation;
    out->created_ms = header->created_ms;
    out->expires_ms = header->expires_ms;
    out->mode = (enum guard_mode)header->request_mode;
    memcpy(&out->alpha, &header->alpha, sizeof(out->alpha));
    out->fail_closed = (header->flags & GD_POLICY_FAIL_CLOSED) != 0;
    out->rollback = header->replaces != 0;
    out->replaces = header->replaces;
    out->patches = policy->patches.entry_count;
    memcpy(out->digest, (const uint8_t *)header + header->length - GD_POLICY_TRAILER,
           GUARD_DIGEST_BYTES);
}

bool guard_policy_canary_key(const struct guard_policy *policy, uint8_t out[GUARD_KEY_BYTES])
{
    static const uint8_t none[sizeof(policy->header->literal_key)];
    uint8_t secret[GUARD_KEY_BYTES];
    const struct gd_policy_header *header = policy->header;
    _Static_assert(sizeof(header->literal_key) + sizeof(header->client_key) == GUARD_KEY_BYTES,
                   "together they are a key");
    if (memcmp(header->literal_key, none, sizeof(none)) == 0)
        return false;
    memcpy(secret, header->literal_key, sizeof(header->literal_key));
    memcpy(secret + sizeof(header->literal_key), header->client_key, sizeof(header->client_key));
    guard_key_derive(out, secret, GUARD_SPAN_LITERAL("canary"));
    return true;
}

bool guard_policy_pattern(const struct guard_policy *policy, uint32_t index,
                          struct guard_pattern *out)
{
    const struct gd_patch_set *set = &policy->patches;
    memset(out, 0, sizeof(*out));
    if (index >= set->pattern_count)
        return false;
    const struct gd_patch_pattern *pattern = &set->patterns[index];
    *out = (struct guard_pattern){.id = pattern->id,
                                  .text = gd_patch_span(set, pattern->text),
                                  .regex = (pattern->flags & GD_PATTERN_REGEX) != 0,
                                  .ignore_case = (pattern->flags & GD_PATTERN_IGNORE_CASE) != 0};
    return true;
}

bool guard_policy_patch(const struct guard_policy *policy, uint32_t index, struct guard_span *id)
{
    const struct gd_patch_set *set = &policy->patches;
    if (index >= set->entry_count)
        return false;
    *id = gd_patch_span(set, set->entries[index].id);
    return true;
}
