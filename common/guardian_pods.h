/* SPDX-License-Identifier: Apache-2.0 */
/* A Guardian's "pods": what people say of how its pods are judged and whether orders are given. */
#ifndef GUARD_COMMON_GUARDIAN_PODS_H
#define GUARD_COMMON_GUARDIAN_PODS_H

#include "common/document.h"

#include <guard/guardian.h>
#include <guard/pods.h>

/* GUARD_E_SYNTAX, GUARD_E_RANGE with the place. */
GUARD_MUST_USE enum guard_rc guardian_pods_read(const struct document *document,
                                                const struct document_node *node,
                                                struct guard_pod_settings *out,
                                                struct guard_err *err);
/* "pods:" and what is said below it, nothing when nothing is; returns the length without the NUL,
 * which may be more than size. GUARDIAN_PODS_TEXT_MAX always suffices. */
enum { GUARDIAN_PODS_TEXT_MAX = 512 };
size_t guardian_pods_put(char *out, size_t size, const struct guard_pod_settings *pods);
/* The rules by which the service's pods are judged: the default ones, and what is said. */
void guardian_pods_rules(const struct guard_pod_settings *pods, struct guard_pod_rules *out);

#endif
