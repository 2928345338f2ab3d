/* SPDX-License-Identifier: Apache-2.0 */
/* Values of responder.yaml, each with a complaint that names its place. */
#ifndef RESPONDER_CONFIG_VALUES_H
#define RESPONDER_CONFIG_VALUES_H

#include "contain_rules.h"

#include "common/document.h"

/* What is read, and where complaints go. */
struct reading {
    const struct document *document;
    struct guard_err *err;
};

bool is_word(const struct document_node *node, const char *word);
GUARD_MUST_USE enum guard_rc read_truth(const struct reading *reading,
                                        const struct document_node *node, bool *out);
GUARD_MUST_USE enum guard_rc read_count(const struct reading *reading,
                                        const struct document_node *node, uint32_t min,
                                        uint32_t max, uint32_t *out);
/* Seconds into milliseconds. */
GUARD_MUST_USE enum guard_rc read_seconds(const struct reading *reading,
                                          const struct document_node *node, uint32_t min,
                                          uint32_t max, uint64_t *out_ms);
GUARD_MUST_USE enum guard_rc read_path(const struct reading *reading,
                                       const struct document_node *node, const char **out);
/* As Kubernetes names things, and as pod records do. */
GUARD_MUST_USE enum guard_rc read_name(const struct reading *reading,
                                       const struct document_node *node, const char **out);
/* A list of words of which the first is an absolute path. */
GUARD_MUST_USE enum guard_rc read_command(const struct reading *reading,
                                          const struct document_node *node, char ***out);
/* "10.0.0.0/8", "10.0.0.10:53", "[fd00::/8]:443", "fd00::1". */
GUARD_MUST_USE enum guard_rc read_destination(const struct reading *reading,
                                              const struct document_node *node,
                                              struct contain_allow *out);
/* Every member of a mapping goes to take; ctx is its. */
typedef enum guard_rc member_reader(const struct reading *reading,
                                    const struct document_node *member, void *ctx);
GUARD_MUST_USE enum guard_rc read_mapping(const struct reading *reading,
                                          const struct document_node *node, member_reader *take,
                                          void *ctx);
enum guard_rc unknown_member(const struct reading *reading, const struct document_node *member);

#endif
