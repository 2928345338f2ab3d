/* SPDX-License-Identifier: Apache-2.0 */
/* An opened policy: sections of the validated bytes as arrays, and the lookup of names that every
 * field of every exchange goes through. */
#ifndef GD_POLICY_POLICY_H
#define GD_POLICY_POLICY_H

#include "base/hash_memo.h"
#include "policy/format.h"

#include <guard/txn.h>

struct guard_policy {
    const struct gd_policy_header *header;
    const struct gd_policy_node *nodes;
    const struct gd_policy_endpoint *endpoints;
    const struct gd_policy_field *fields;
    const uint64_t *rows;
    const struct gd_policy_slot *slots;
    const uint32_t *required;
    const struct gd_policy_text *media;
    const uint64_t *literals;
    const uint32_t *clients;
    const uint8_t *strings;
    const struct guard_status_range *statuses;
    struct gd_patch_set patches;
    const struct gd_exception_entry *exceptions;
    const struct gd_policy_text *exception_texts;
    const struct gd_exception_client *exception_clients;
    uint32_t exception_count;
    uint64_t name_seed;
    uint64_t
        identity; /* head of its digest, never 0: what is remembered of it holds for no other */
    uint32_t slot_mask;
    uint32_t field_count;
    uint32_t references;
    struct guard_alloc alloc;
    void (*on_free)(void *ctx);
    void *on_free_ctx;
};

/* Sections as arrays; the sections must lie inside of bytes (check.c). */
void gd_policy_map(struct guard_policy *policy, struct guard_span bytes);

static inline struct guard_span gd_policy_span(const struct guard_policy *policy,
                                               struct gd_policy_text text)
{
    return gd_span(policy->strings + text.offset, text.len);
}

/* A name under its owner, packed so that equal keys of up to 16 bytes are equal names. */
struct gd_policy_key {
    uint64_t low;
    uint64_t high;
    uint64_t tag;
};

/* name has at most GD_POLICY_NAME_MAX bytes; longer ones are found nowhere. */
static inline struct gd_policy_key gd_policy_key(uint32_t owner, uint32_t kind,
                                                 struct guard_span name)
{
    struct gd_policy_key key = {0, 0, owner | (uint64_t)(kind | (uint32_t)name.len << 8) << 32};
    if (name.len >= 8) {
        memcpy(&key.low, name.ptr, 8);
        if (name.len <= 16)
            memcpy(&key.high, name.ptr + name.len - 8, 8);
        else
            key.high = gd_hash_fast(0, name);
    } else if (name.len >= 4) {
        uint32_t head, tail;
        memcpy(&head, name.ptr, 4);
        memcpy(&tail, name.ptr + name.len - 4, 4);
        key.low = head | (uint64_t)tail << 32;
    } else if (name.len > 0) {
        key.low = name.ptr[0] | (uint32_t)name.ptr[name.len / 2] << 8 |
                  (uint32_t)name.ptr[name.len - 1] << 16;
    }
    return key;
}

/* Linear in the key, then folded: the table is built so that it serves the names in it, and others
 * end after a few slots whatever they are. */
static inline uint32_t gd_policy_slot_of(const struct gd_policy_key *key, uint64_t seed)
{
    uint64_t hash = key->low * UINT64_C(0x9e3779b97f4a7c15) +
                    key->high * UINT64_C(0xbf58476d1ce4e5b9) +
                    key->tag * UINT64_C(0x94d049bb133111eb);
    hash = (hash ^ hash >> 32) * (seed | 1);
    return (uint32_t)(hash >> 36);
}

/* The text that a slot's value names: that of a node or of a field. */
static inline struct guard_span gd_policy_slot_text(const struct guard_policy *policy,
                                                    const struct gd_policy_slot *slot)
{
    bool node = (slot->tag >> 32 & 0xff) == GD_KEY_NODE;
    return gd_policy_span(policy, node ? policy->nodes[slot->value].text
                                       : policy->fields[slot->value].name);
}

/* The slot of that name, or NULL. kind: enum guard_location, GD_KEY_MEMBER (owner is a field) or
 * GD_KEY_NODE (owner is a node). */
static inline __attribute__((always_inline)) const struct gd_policy_slot *
gd_policy_lookup(const struct guard_policy *policy, uint32_t owner, uint32_t kind,
                 struct guard_span name)
{
    if (__builtin_expect(name.len > GD_POLICY_NAME_MAX, 0))
        return NULL;
    struct gd_policy_key key = gd_policy_key(owner, kind, name);
    uint32_t at = gd_policy_slot_of(&key, policy->name_seed);
    for (uint32_t last = at + GD_POLICY_PROBES; at != last; at++) {
        const struct gd_policy_slot *slot = &policy->slots[at & policy->slot_mask];
        if (slot->tag == key.tag && slot->low == key.low && slot->high == key.high) {
            if (name.len <= 16 || gd_span_equal(gd_policy_slot_text(policy, slot), name))
                return slot;
        } else if (slot->tag == 0) {
            break;
        }
    }
    return NULL;
}

static inline const struct gd_policy_field *gd_policy_slot_field(const struct guard_policy *policy,
                                                                 const struct gd_policy_slot *slot)
{
    return (const struct gd_policy_field *)(const void *)((const uint8_t *)policy->fields +
                                                          slot->offset);
}

/* The index of the node or field of that name, or GD_POLICY_NONE. */
static inline uint32_t gd_policy_find(const struct guard_policy *policy, uint32_t owner,
                                      uint32_t kind, struct guard_span name)
{
    const struct gd_policy_slot *slot = gd_policy_lookup(policy, owner, kind, name);
    return slot == NULL ? (uint32_t)GD_POLICY_NONE : slot->value;
}

/* Hashes as policies and piles hold them: of a value's hash (struct gd_summary.literal), and of a
 * client as far as its prefix (/24, /56) or, of a verified subject, the digest that records hold.
 */
uint64_t gd_policy_literal(const uint8_t key[16], uint64_t literal, struct gd_hash_memo *memo);
uint32_t gd_policy_client(const uint8_t key[16], const struct guard_client *client);

#endif
