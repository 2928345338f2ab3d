/* SPDX-License-Identifier: Apache-2.0 */
/* Few cells, found one after the other; the names are made of what labels say. */
#include "eval_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t append(char key[EVAL_CELL_KEY_MAX], size_t len, struct guard_span text)
{
    size_t room = (EVAL_CELL_KEY_MAX - 24) / 3;
    if (len > 0)
        key[len++] = '|';
    if (text.len == 0)
        text = GUARD_SPAN_LITERAL("-");
    for (size_t i = 0; i < text.len && i < room; i++)
        key[len++] = text.ptr[i] < 0x20 ? '?' : (char)text.ptr[i];
    key[len] = '\0';
    return len;
}

struct eval_cell *eval_cells_find(struct eval_run *run, const char *key, bool class_only)
{
    for (int i = 0; i < run->cell_count; i++) {
        if (run->cells[i].class_only == class_only && strcmp(run->cells[i].key, key) == 0)
            return &run->cells[i];
    }
    return NULL;
}

static void add(struct eval_run *run, const char *key, bool class_only, uint32_t blocked)
{
    struct eval_cell *cell = eval_cells_find(run, key, class_only);
    if (cell == NULL) {
        if (run->cell_count == EVAL_CELLS_MAX)
            return;
        cell = &run->cells[run->cell_count++];
        *cell = (struct eval_cell){.class_only = class_only};
        snprintf(cell->key, sizeof(cell->key), "%s", key);
    }
    for (int i = 0; i < run->detector_count; i++) {
        if (run->detectors[i].column == EVAL_LEFT_OUT)
            continue; /* counted by eval_left_out.c */
        cell->shares[i].of++;
        cell->shares[i].hits += blocked >> i & 1;
    }
}

void eval_cells_add(struct eval_run *run, const struct eval_label *label, uint32_t blocked)
{
    char key[EVAL_CELL_KEY_MAX];
    size_t len = append(key, 0, label->class_name);
    if (label->padded)
        (void)append(key, len, GUARD_SPAN_LITERAL("padded"));
    add(run, key, true, blocked);
    len = append(key, len, label->location);
    len = append(key, len, label->encoding);
    if (label->padded)
        (void)append(key, len, GUARD_SPAN_LITERAL("padded"));
    add(run, key, false, blocked);
}

static int compare(const void *a, const void *b)
{
    const struct eval_cell *x = a;
    const struct eval_cell *y = b;
    return strcmp(x->key, y->key);
}

void eval_cells_sort(struct eval_run *run)
{
    qsort(run->cells, (size_t)run->cell_count, sizeof(*run->cells), compare);
}
