/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch import`: rules that were written for ModSecurity and Coraza, as patches. What isn't
 * imported, or means something else, is told rule by rule. */
#include "patch_verbs.h"

#include "common/file.h"
#include "common/patterns/regexes.h"
#include "common/secrule/secrule.h"

#include <stdio.h>
#include <stdlib.h>

static bool compiles(void *ctx, struct guard_span expression, bool ignore_case,
                     struct guard_err *err)
{
    size_t offset = 0;
    (void)ctx;
    return regex_check(expression, ignore_case, &offset, err) == GUARD_OK;
}

/* One file after the other into one import, so that ids differ. */
static bool read_files(const struct patch_call *call, const struct secrule_cfg *cfg,
                       struct secrule_import *import)
{
    for (int i = 0; i < call->count; i++) {
        struct guard_err err = {.text = ""};
        uint8_t *bytes = NULL;
        size_t len = 0;
        enum guard_rc rc = file_read(call->operands[i], SECRULE_BYTES_MAX, &bytes, &len, &err);
        if (rc == GUARD_OK)
            rc =
                secrule_read(import, call->operands[i], (struct guard_span){bytes, len}, cfg, &err);
        free(bytes);
        if (rc != GUARD_OK)
            return complain(0, "%s", err.text) != 0;
    }
    return true;
}

static void print_span(struct guard_span text)
{
    char shown[512];
    fputs(clean(shown, sizeof(shown), (const char *)text.ptr, text.len), stderr);
}

static void tell_notes(const struct secrule_import *import)
{
    for (const struct secrule_note *note = import->notes; note != NULL; note = note->next) {
        fprintf(stderr, "%s:%u:%u: %s: ", note->file, note->line, note->column,
                secrule_kind_name(note->kind));
        if (note->rule.len > 0) {
            fputs("rule ", stderr);
            print_span(note->rule);
            fputs(": ", stderr);
        }
        print_span(note->text);
        fputc('\n', stderr);
    }
}

static void print_summary(const struct secrule_import *import)
{
    char text[64];
    printf("%-48s %6u\n%-48s %6u\n%-48s %6u\n", "directives", import->directive_count,
           "rules (a chain is one)", import->rule_count, "imported", import->patch_count);
    for (int i = 0; i < SECRULE_CAUSES; i++) {
        snprintf(text, sizeof(text), "refused: %s", secrule_cause_name((enum secrule_cause)i));
        if (import->refused[i] > 0)
            printf("%-48s %6u\n", text, import->refused[i]);
    }
}

static bool list_of(const struct patch_call *call, const struct secrule_import *import,
                    struct patch_list *out)
{
    out->count = 0;
    out->patches = guard_arena_get(call->arena, (import->patch_count + 1) * sizeof(*out->patches));
    if (out->patches == NULL)
        return complain(0, "no memory") != 0;
    for (const struct secrule_patch *patch = import->patches; patch != NULL; patch = patch->next)
        out->patches[out->count++] = patch->patch;
    return true;
}

static int print_document(const struct patch_call *call, const struct patch_list *list)
{
    struct guard_err err;
    struct guard_span text;
    if (patches_write(list->patches, list->count, call->arena, &text, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0
               ? EXIT_GOOD
               : complain(EXIT_FAILED, "standard output can't be written to");
}

static int hand_over(const struct patch_call *call, const struct secrule_import *import)
{
    struct patch_list list;
    if (call->arguments->values[PATCH_SUMMARY] != NULL) {
        print_summary(import);
        return EXIT_GOOD;
    }
    tell_notes(import);
    fprintf(stderr, "%u of %u rules imported\n", import->patch_count, import->rule_count);
    if (import->patch_count == 0)
        return EXIT_FAILED;
    if (!list_of(call, import, &list))
        return EXIT_FAILED;
    return call->arguments->values[PATCH_ADD_THEM] != NULL ? patch_add_list(call, &list)
                                                           : print_document(call, &list);
}

int patch_import(const struct patch_call *call)
{
    struct guard_alloc heap = heap_alloc();
    struct secrule_import import;
    const struct secrule_cfg cfg = {.wider = call->arguments->values[PATCH_WIDER] != NULL,
                                    .compiles = compiles};
    if (call->arguments->values[PATCH_ADD_THEM] != NULL && call->service.ptr == NULL)
        return complain(EXIT_USAGE, "--add needs --service NAME");
    secrule_init(&import, &heap);
    int status = read_files(call, &cfg, &import) ? hand_over(call, &import) : EXIT_FAILED;
    secrule_fini(&import);
    return status;
}
