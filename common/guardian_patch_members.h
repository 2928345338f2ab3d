/* SPDX-License-Identifier: Apache-2.0 */
/* What reading patches and reading their conditions share: members by table, texts, lists and
 * words. */
#ifndef GUARD_COMMON_GUARDIAN_PATCH_MEMBERS_H
#define GUARD_COMMON_GUARDIAN_PATCH_MEMBERS_H

#include "common/document.h"

#include <guard/patch.h>

struct patch_reading {
    const struct document *document;
    struct guard_err *err;
};

struct patch_member {
    const char *name;
    /* argument: of the table */
    enum guard_rc (*read)(const struct patch_reading *reading, const struct document_node *node,
                          void *target, int argument);
    int argument;
};

#define PATCH_FAIL(reading, node, rc, ...)                                                         \
    document_fail_member((reading)->document, node, rc, (reading)->err, __VA_ARGS__)

/* Each member of a mapping by the table, which a NULL name ends. */
GUARD_MUST_USE enum guard_rc patch_read_members(const struct patch_reading *reading,
                                                const struct document_node *node,
                                                const struct patch_member *members, void *target);
/* Any bytes, at least one, at most max. */
GUARD_MUST_USE enum guard_rc patch_read_bytes(const struct patch_reading *reading,
                                              const struct document_node *node, size_t max,
                                              struct guard_span *out);
/* Words for people and names: the same without NUL. */
GUARD_MUST_USE enum guard_rc patch_read_text(const struct patch_reading *reading,
                                             const struct document_node *node, size_t max,
                                             struct guard_span *out);
/* A list of 1 to GUARD_PATCH_LIST_MAX of them, or one without brackets. */
GUARD_MUST_USE enum guard_rc patch_read_list(const struct patch_reading *reading,
                                             const struct document_node *node,
                                             const struct guard_span **out, uint32_t *count);
/* A word or a list of words as bits; words: for the message. */
GUARD_MUST_USE enum guard_rc patch_read_bits(const struct patch_reading *reading,
                                             const struct document_node *node,
                                             uint32_t (*bit_of)(struct guard_span word),
                                             const char *words, uint32_t *out);
GUARD_MUST_USE enum guard_rc patch_read_bool(const struct patch_reading *reading,
                                             const struct document_node *node, bool *out);
/* words: for the message. */
GUARD_MUST_USE enum guard_rc patch_read_word(const struct patch_reading *reading,
                                             const struct document_node *node,
                                             int (*number_of)(struct guard_span word),
                                             const char *words, int *out);
/* From 0. */
GUARD_MUST_USE enum guard_rc patch_read_number(const struct patch_reading *reading,
                                               const struct document_node *node, int64_t *out);
/* A date, which is its first moment in UTC, or a time. Unix milliseconds. */
GUARD_MUST_USE enum guard_rc patch_read_time(const struct patch_reading *reading,
                                             const struct document_node *node, uint64_t *out_ms);
/* A rule's complaint about what stands at node, "when.all[1].names[0]: what", at the place that it
 * names. */
GUARD_MUST_USE enum guard_rc patch_fail_rule(const struct patch_reading *reading,
                                             const struct document_node *node, enum guard_rc rc,
                                             const char *complaint);
/* An array of zeroed elements in the arena. */
GUARD_MUST_USE enum guard_rc patch_array(const struct patch_reading *reading,
                                         const struct document_node *node, size_t size,
                                         uint32_t count, void **out);

#endif
