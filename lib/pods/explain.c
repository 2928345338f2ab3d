/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict on a pod in one line that an operator can act on. */
#include <guard/pods.h>

#include <stdio.h>
#include <string.h>

const char *guard_pod_decision_name(enum guard_pod_decision decision)
{
    static const char *const names[] = {"normal", "alert", "change", "replace"};
    return (uint32_t)decision < sizeof(names) / sizeof(names[0]) ? names[decision] : "";
}

/* Appends; what doesn't fit is cut. */
static size_t add(char *out, size_t size, size_t len, const char *text)
{
    for (; *text != '\0' && len + 1 < size; text++)
        out[len++] = *text;
    if (size > 0)
        out[len] = '\0';
    return len;
}

static size_t add_span(char *out, size_t size, size_t len, struct guard_span text)
{
    char piece[2] = {0, 0};
    for (size_t i = 0; i < text.len; i++) {
        piece[0] = text.ptr[i] >= ' ' && text.ptr[i] < 0x7f ? (char)text.ptr[i] : '?';
        len = add(out, size, len, piece);
    }
    return len;
}

size_t guard_pod_reasons_text(uint32_t reasons, char *out, size_t size)
{
    static const char *const names[] = {
        "still learning",       "no other replica",
        "new template",         "somebody debugs",
        "one kind of evidence", "evidence too weak",
        "others do it too",     "another was to be replaced for it"};
    size_t len = add(out, size, 0, "");
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((reasons >> i & 1) == 0)
            continue;
        len = add(out, size, len, len == 0 ? "" : ", ");
        len = add(out, size, len, names[i]);
    }
    return len;
}

static const char *verb(enum guard_pod_decision decision)
{
    static const char *const verbs[] = {"NORMAL", "ALERT", "CHANGE", "REPLACE"};
    return (uint32_t)decision < sizeof(verbs) / sizeof(verbs[0]) ? verbs[decision] : "";
}

static size_t add_evidence(char *out, size_t size, size_t len,
                           const struct guard_pod_evidence *evidence)
{
    char text[96];
    len = add(out, size, len, evidence->text);
    if (evidence->kind == GUARD_POD_AMOUNT)
        (void)snprintf(text, sizeof(text), " (%u of %u minutes, %.1f)", evidence->with,
                       evidence->days, evidence->strength);
    else
        (void)snprintf(text, sizeof(text), " (%s%u others in %u replica days, %.1f)",
                       evidence->hard ? "hard, " : "", evidence->with, evidence->days,
                       evidence->strength);
    return add(out, size, len, text);
}

size_t guard_pod_explain(const struct guard_pod_verdict *verdict, char *out, size_t size)
{
    char reasons[200];
    size_t len = add(out, size, 0, verb(verdict->decision));
    len = add(out, size, len, " pod ");
    len = add_span(out, size, len, verdict->name_space);
    len = add(out, size, len, "/");
    len = add_span(out, size, len, verdict->pod);
    for (uint32_t i = 0; i < verdict->count; i++) {
        len = add(out, size, len, i == 0 ? ": " : "; ");
        len = add_evidence(out, size, len, &verdict->evidence[i]);
    }
    if (verdict->request[0] != '\0') {
        len = add(out, size, len, "; after request ");
        len = add(out, size, len, verdict->request);
    }
    if (guard_pod_reasons_text(verdict->reasons, reasons, sizeof(reasons)) > 0) {
        len = add(out, size, len, "; not replaced: ");
        len = add(out, size, len, reasons);
    }
    return len;
}
