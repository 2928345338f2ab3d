/* SPDX-License-Identifier: Apache-2.0 */
/* What one rule or file comes to, as texts to compare. Each lives until the next call. */
#ifndef GUARD_TEST_SECRULE_CHECK_H
#define GUARD_TEST_SECRULE_CHECK_H

#include "common/file.h"
#include "support/secrule_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static inline const char *shown_bytes(const char *bytes, size_t len, bool wider)
{
    static struct dump dump;
    struct guard_alloc alloc = heap_alloc();
    struct guard_err err = {.text = ""};
    struct secrule_import import;
    struct secrule_cfg cfg = {.wider = wider};
    dump.len = 0;
    dump.text[0] = '\0';
    secrule_init(&import, &alloc);
    if (secrule_read(&import, "f", (struct guard_span){(const uint8_t *)bytes, len}, &cfg, &err) !=
        GUARD_OK)
        dump_text(&dump, err.text);
    else
        dump_import(&dump, &import);
    secrule_fini(&import);
    return dump.text;
}

static inline const char *shown(const char *text)
{
    return shown_bytes(text, strlen(text), false);
}

/* The condition that a rule's variables and operator become, or why it is refused. actions follows
 * "id:1,phase:2,deny". */
static inline const char *condition_of(const char *variables, const char *asked,
                                       const char *actions, bool wider)
{
    static struct dump dump;
    static char rule[1 << 15];
    struct guard_alloc alloc = heap_alloc();
    struct secrule_import import;
    struct secrule_cfg cfg = {.wider = wider};
    dump.len = 0;
    dump.text[0] = '\0';
    int len = snprintf(rule, sizeof(rule), "SecRule %s \"%s\" \"id:1,phase:2,deny%s\"\n", variables,
                       asked, actions);
    assert_true(len > 0 && (size_t)len < sizeof(rule));
    secrule_init(&import, &alloc);
    struct guard_span text = {(const uint8_t *)rule, (size_t)len};
    assert_int_equal(secrule_read(&import, "f", text, &cfg, NULL), GUARD_OK);
    const struct secrule_note *note = import.notes;
    while (note != NULL && note->kind != SECRULE_REFUSED)
        note = note->next;
    if (import.patches != NULL)
        dump_condition(&dump, &import.patches->patch.when);
    else
        dump_text(&dump, note != NULL ? secrule_cause_name(note->cause) : "nothing");
    secrule_fini(&import);
    return dump.text;
}

static inline const char *condition(const char *variables, const char *asked, const char *actions)
{
    return condition_of(variables, asked, actions, false);
}

#endif
