/* SPDX-License-Identifier: Apache-2.0 */
/* Rules come from anybody. Whatever a file holds, it is read within its maxima; what it becomes are
 * patches that any Guardian may have; a rule is imported or refused, never both; and what is
 * imported when nothing wider is wanted is imported alike when it is. */
#include "common/file.h"
#include "common/secrule/secrule.h"

#include <stdlib.h>
#include <string.h>

static void check(const struct secrule_import *import)
{
    uint32_t patches = 0;
    uint32_t refused = 0;
    for (const struct secrule_patch *patch = import->patches; patch != NULL; patch = patch->next) {
        patches++;
        if (guard_patch_check(&patch->patch, NULL) != GUARD_OK || patch->line == 0 ||
            patch->column == 0 || patch->patch.mode != GUARD_PATCH_SHADOW)
            abort();
    }
    for (int i = 0; i < SECRULE_CAUSES; i++)
        refused += import->refused[i];
    for (const struct secrule_note *note = import->notes; note != NULL; note = note->next) {
        if (note->line == 0 || note->column == 0 || note->text.len == 0)
            abort();
    }
    if (patches != import->patch_count || patches + refused != import->rule_count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc alloc = heap_alloc();
    struct guard_err err;
    uint32_t counts[2] = {0, 0};
    for (int wider = 0; wider < 2; wider++) {
        struct secrule_import import;
        struct secrule_cfg cfg = {.wider = wider == 1};
        secrule_init(&import, &alloc);
        if (secrule_read(&import, "f", (struct guard_span){data, size}, &cfg, &err) == GUARD_OK)
            check(&import);
        counts[wider] = import.patch_count;
        secrule_fini(&import);
    }
    if (counts[1] < counts[0] && counts[1] < GUARD_PATCHES_MAX)
        abort();
    return 0;
}
