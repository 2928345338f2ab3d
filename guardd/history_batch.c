/* SPDX-License-Identifier: Apache-2.0 */
/* What a node below tells of its history, read. Whoever has an agent's credential may have written
 * it: numbers are bounded, so that sums of them are, too. */
#include "history.h"

#include "common/document_members.h"

#include <stdlib.h>

/* Far beyond what a gate could do in an hour; sums of it don't overflow. */
#define NUMBER_MAX (UINT64_C(1) << 48)

static bool read_integer(const struct document_node *node, uint64_t *out)
{
    char *end = NULL;
    if (node == NULL || node->kind != DOCUMENT_SCALAR || node->text.len == 0 ||
        node->text.len > 20 || node->text.ptr[0] < '0' || node->text.ptr[0] > '9')
        return false;
    *out = strtoull((const char *)node->text.ptr, &end, 10);
    return *end == '\0' && *out <= NUMBER_MAX;
}

static bool read_bin(const struct document_node *node, struct history_bin *out)
{
    uint64_t numbers[HISTORY_NUMBERS];
    if (node->kind != DOCUMENT_SEQUENCE || !read_integer(node->first, &out->at_s) ||
        out->at_s % HISTORY_MINUTE_S != 0)
        return false;
    const struct document_node *at = node->first->next;
    for (int i = 0; i < HISTORY_NUMBERS; i++, at = at->next) {
        if (!read_integer(at, &numbers[i]))
            return false;
    }
    history_from_numbers(&out->counts, numbers);
    return at == NULL;
}

enum guard_rc history_batch_read(struct history_batch *out, const struct document_node *batch,
                                 uint64_t now_s, struct guard_err *err)
{
    if (batch->kind != DOCUMENT_MAPPING)
        return guard_fail(err, GUARD_E_SYNTAX, "history: must be an object");
    const struct document_node *bins = member_of(batch, "bins");
    if (!read_integer(member_of(batch, "number"), &out->number) || bins == NULL ||
        bins->kind != DOCUMENT_SEQUENCE)
        return guard_fail(err, GUARD_E_SYNTAX, "history: number and bins are needed");
    for (const struct document_node *bin = bins->first; bin != NULL; bin = bin->next) {
        if (out->count == HISTORY_BATCH_MAX)
            return guard_fail(err, GUARD_E_SYNTAX, "history.bins: are more than %d",
                              HISTORY_BATCH_MAX);
        struct history_bin *next = &out->bins[out->count];
        if (!read_bin(bin, next))
            return guard_fail(err, GUARD_E_SYNTAX,
                              "history.bins[%u]: must be a minute and its %d counts", out->count,
                              HISTORY_NUMBERS);
        /* With a clock that is wrong the rest of a summary is good all the same. */
        out->count += next->at_s <= now_s + HISTORY_HOUR_S && next->at_s + HISTORY_KEPT_S > now_s;
    }
    return GUARD_OK;
}
