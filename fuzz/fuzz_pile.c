/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile piles. The first byte chooses: bit 0 repairs the checksum, so that the decoder behind it
 * is reached; bit 1 gives the key, so that codes are checked and the pile can go on learning. What
 * is taken must be canonical and survive everything that is done with piles. */
#include "learn/pile_state.h"

#include <guard/crypto.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static struct guard_pile_cfg cfg_of(bool keyed)
{
    struct guard_pile_cfg cfg = {.alloc = {NULL, get, put}};
    memset(cfg.key, 7, sizeof(cfg.key));
    if (keyed)
        cfg.service = GUARD_SPAN_LITERAL("shop");
    return cfg;
}

static void check_canonical(const struct guard_pile *pile, const uint8_t *bytes, size_t len)
{
    uint8_t *again;
    size_t again_len;
    if (guard_pile_encode(pile, &again, &again_len, NULL) != GUARD_OK || again_len != len ||
        memcmp(again, bytes, len) != 0)
        abort();
    free(again);
}

static void check_size(const struct guard_pile *pile)
{
    if (gd_tree_size(pile->tree.root) != pile->tree.cell_count)
        abort();
}

static void learn_some(struct guard_pile *pile)
{
    struct gd_segment segments[1] = {{GUARD_SPAN_LITERAL("users"), false}};
    struct gd_field fields[2] = {
        {.location = GUARD_LOCATION_QUERY,
         .parent = GD_NO_FIELD,
         .name = GUARD_SPAN_LITERAL("name")},
        {.location = GUARD_LOCATION_HEADER,
         .parent = GD_NO_FIELD,
         .name = GUARD_SPAN_LITERAL("host")},
    };
    struct gd_profile profile = {
        .service = GUARD_SPAN_LITERAL("shop"),
        .method = GUARD_SPAN_LITERAL("GET"),
        .time_ms = UINT64_C(1700000000000),
        .segment_count = 1,
        .segments = segments,
        .field_count = 2,
        .field_cap = 2,
        .fields = fields,
    };
    for (int i = 0; i < 2; i++) {
        gd_summary_init(&fields[i].summary);
        gd_summary_add(&fields[i].summary, GUARD_SPAN_LITERAL("tom or 1=1"), 0, NULL);
    }
    struct guard_source source = {1, 1, guard_pile_position(pile, 1, 1) + 1};
    /* Refused or learned: both are fine. */
    enum guard_rc rc = gd_pile_observe_profile(pile, &source, &profile, NULL);
    (void)rc;
    check_size(pile);
}

static void use(struct guard_pile *pile, struct guard_pile *other)
{
    struct guard_pile_stats stats;
    guard_pile_stats(pile, &stats);
    if (guard_pile_merge(other, pile, NULL, NULL) == GUARD_OK)
        check_size(other);
    if (pile->keyed)
        learn_some(pile);
    enum guard_rc rc = guard_pile_protect(pile, 2, NULL);
    rc = guard_pile_forget(pile, NULL);
    (void)rc;
    check_size(pile);
    if (guard_pile_merge(pile, other, NULL, NULL) == GUARD_OK)
        check_size(pile);
    const struct guard_share share = {.now_ms = UINT64_C(1700000000000)};
    if (guard_pile_admit(pile, &share, NULL) == GUARD_OK) {
        check_size(pile);
        if (guard_pile_merge(other, pile, NULL, NULL) == GUARD_OK)
            check_size(other);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1024 * 1024)
        return 0;
    bool repair = (data[0] & 1) != 0;
    struct guard_pile_cfg cfg = cfg_of((data[0] & 2) != 0);
    size_t len = size - 1 + (repair ? GUARD_DIGEST_BYTES : 0);
    uint8_t *bytes = malloc(len == 0 ? 1 : len);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if (repair)
        guard_digest(bytes + size - 1, gd_span(bytes, size - 1));
    struct guard_pile *pile, *other;
    struct guard_err err;
    if (guard_pile_decode(&pile, &cfg, gd_span(bytes, len), &err) == GUARD_OK) {
        check_canonical(pile, bytes, len);
        check_size(pile);
        struct guard_pile_cfg own = cfg_of(true);
        own.service = gd_span(pile->service, pile->service_len);
        own.cells_max = pile->cells_max;
        own.children_max = pile->children_max;
        own.clients_max = pile->clients_max;
        if (guard_pile_new(&other, &own, NULL) == GUARD_OK) {
            learn_some(other);
            use(pile, other);
            guard_pile_free(other);
        }
        guard_pile_free(pile);
    }
    free(bytes);
    return 0;
}
