/* SPDX-License-Identifier: Apache-2.0 */
/* Bins of counts, and their bytes: a version, then each number by sevens of its bits. */
#include "history.h"

#include <stdlib.h>
#include <string.h>

enum { COUNTS_VERSION = 1, VARINT_MAX = 10 };

void history_free(struct history *history)
{
    free(history->pending.list);
    free(history->saving.list);
    free(history->flight.list);
    free(history->staged.list);
    free(history->sources);
    while (history->queue != NULL) {
        struct history_batch *next = history->queue->next;
        free(history->queue);
        history->queue = next;
    }
    memset(history, 0, sizeof(*history));
}

uint32_t history_waiting(const struct history *history)
{
    uint32_t count = 0;
    for (const struct history_batch *batch = history->queue; batch != NULL; batch = batch->next)
        count++;
    return count;
}

/* --- bins --- */

static bool grow(struct history_bins *bins)
{
    uint32_t cap = bins->cap > 0 ? 2 * bins->cap : 4;
    if (bins->count < bins->cap)
        return true;
    struct history_bin *list = realloc(bins->list, cap * sizeof(*list));
    if (list == NULL)
        return false;
    bins->list = list;
    bins->cap = cap;
    return true;
}

struct history_bin *history_bin_of(struct history_bins *bins, uint64_t at_s)
{
    uint32_t at = bins->count;
    while (at > 0 && bins->list[at - 1].at_s >= at_s)
        at--;
    if (at < bins->count && bins->list[at].at_s == at_s)
        return &bins->list[at];
    if (bins->count == HISTORY_BINS_MAX || !grow(bins))
        return bins->count > 0 ? &bins->list[bins->count - 1] : NULL;
    memmove(&bins->list[at + 1], &bins->list[at], (bins->count - at) * sizeof(bins->list[0]));
    bins->list[at] = (struct history_bin){.at_s = at_s};
    bins->count++;
    return &bins->list[at];
}

void history_join(struct history_bins *into, struct history_bins *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct history_bin *bin = history_bin_of(into, from->list[i].at_s);
        if (bin != NULL)
            traffic_add(&bin->counts, &from->list[i].counts);
    }
    from->count = 0;
}

void history_observe(struct history *history, const struct guard_record_head *head, uint64_t now_ms)
{
    uint64_t at_ms = head->time_ms;
    if (at_ms > now_ms || now_ms - at_ms >= (uint64_t)HISTORY_FINE_S * 1000)
        at_ms = now_ms;
    struct history_bin *bin =
        history_bin_of(&history->pending, at_ms / 1000 / HISTORY_MINUTE_S * HISTORY_MINUTE_S);
    if (bin != NULL)
        traffic_observe(&bin->counts, head);
}

/* --- numbers and bytes --- */

void history_numbers(const struct traffic *counts, uint64_t out[HISTORY_NUMBERS])
{
    uint64_t *at = out;
    memcpy(at, counts->verdicts, sizeof(counts->verdicts));
    memcpy(at += TRAFFIC_VERDICTS, counts->classes, sizeof(counts->classes));
    memcpy(at += TRAFFIC_CLASSES, counts->within, sizeof(counts->within));
    at += TRAFFIC_BOUNDS;
    at[0] = counts->timed;
    at[1] = counts->time_us;
}

void history_from_numbers(struct traffic *counts, const uint64_t numbers[HISTORY_NUMBERS])
{
    const uint64_t *at = numbers;
    memcpy(counts->verdicts, at, sizeof(counts->verdicts));
    memcpy(counts->classes, at += TRAFFIC_VERDICTS, sizeof(counts->classes));
    memcpy(counts->within, at += TRAFFIC_CLASSES, sizeof(counts->within));
    at += TRAFFIC_BOUNDS;
    counts->timed = at[0];
    counts->time_us = at[1];
}

_Static_assert(HISTORY_COUNTS_MAX == 1 + HISTORY_NUMBERS * VARINT_MAX, "room for each number");
_Static_assert(sizeof(struct traffic) == HISTORY_NUMBERS * sizeof(uint64_t), "each is kept");

size_t history_encode(const struct traffic *counts, uint8_t out[HISTORY_COUNTS_MAX])
{
    uint64_t numbers[HISTORY_NUMBERS];
    size_t len = 0;
    history_numbers(counts, numbers);
    out[len++] = COUNTS_VERSION;
    for (int i = 0; i < HISTORY_NUMBERS; i++) {
        uint64_t rest = numbers[i];
        for (; rest >= 0x80; rest >>= 7)
            out[len++] = (uint8_t)(rest | 0x80);
        out[len++] = (uint8_t)rest;
    }
    return len;
}

static bool read_number(struct guard_span *bytes, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VARINT_MAX && bytes->len > 0; i++) {
        uint8_t byte = bytes->ptr[0];
        bytes->ptr++;
        bytes->len--;
        *out |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return i < VARINT_MAX - 1 || byte <= 1;
    }
    return false;
}

bool history_decode(struct traffic *counts, struct guard_span bytes)
{
    uint64_t numbers[HISTORY_NUMBERS];
    struct traffic read;
    if (bytes.len == 0 || bytes.ptr[0] != COUNTS_VERSION)
        return false;
    bytes.ptr++;
    bytes.len--;
    for (int i = 0; i < HISTORY_NUMBERS; i++) {
        if (!read_number(&bytes, &numbers[i]))
            return false;
    }
    if (bytes.len != 0)
        return false;
    history_from_numbers(&read, numbers);
    traffic_add(counts, &read);
    return true;
}
