/* SPDX-License-Identifier: Apache-2.0 */
/* The list as it was loaded, changed in memory and saved whole. */
#include "common/access_edit.h"

#include "common/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct guard_span no_service = {NULL, 0};

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static bool subject_good(const char *subject)
{
    size_t len = strlen(subject);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)subject[i] < ' ' || subject[i] == 0x7f)
            return false;
    }
    return len <= ACCESS_SUBJECT_MAX;
}

const char *access_draft_fault(const struct access_entry *entry)
{
    struct access_entry whole = *entry;
    bool token = entry->subject[0] == '\0';
    whole.id = whole.hash = token ? "?" : "";
    if (!state_service_valid(span_of(entry->name)))
        return "a name is 1 to 64 letters, digits, '.', '_' or '-'";
    if (entry->role == API_ROLE_NONE)
        return "a role is viewer, operator, admin, reporter or front";
    if (!subject_good(entry->subject))
        return "the subject is none";
    return access_entry_fault(&whole);
}

enum guard_rc access_secret_make(struct access_secret *secret, struct access_entry *entry,
                                 struct guard_err *err)
{
    secret->token[0] = '\0';
    entry->id = entry->hash = "";
    if (entry->subject[0] != '\0')
        return GUARD_OK;
    if (secret_new(secret->token) != GUARD_OK ||
        !secret_id(secret->token, SECRET_TOKEN_LEN, secret->id))
        return guard_fail(err, GUARD_E_IO, "no randomness");
    if (secret_hash(secret->token, secret->hash) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    entry->id = secret->id;
    entry->hash = secret->hash;
    return GUARD_OK;
}

/* For the audit: what it may do, never the secret. */
static void describe(const struct access_entry *entry, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s %s %s%s", entry->name, access_role_name(entry->role),
                       entry->id, entry->subject);
    for (uint32_t i = 0; i < entry->service_count && len > 0 && (size_t)len < cap; i++)
        len += snprintf(out + len, cap - (size_t)len, "%s%s", i == 0 ? " of " : ",",
                        entry->services[i]);
    if (entry->expires_ms != 0 && len > 0 && (size_t)len < cap)
        snprintf(out + len, cap - (size_t)len, " until %" PRIu64, entry->expires_ms);
}

static enum guard_rc save(const struct access_list *list, const struct access_change *change,
                          const char *before, const char *after, struct guard_err *err)
{
    GUARD_TRY(audit_append(change->dir, &change->who, no_service, "token", before, after,
                           change->reason, err));
    return access_list_save(list, change->dir, err);
}

static struct access_entry *find(const struct access_list *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0)
            return &list->entries[i];
    }
    return NULL;
}

enum guard_rc access_addable(const struct access_list *list, const struct access_entry *entry,
                             struct guard_err *err)
{
    if (find(list, entry->name) != NULL)
        return guard_fail(err, GUARD_E_STATE, "%s: there is such a token already; remove it first",
                          entry->name);
    for (uint32_t i = 0; i < list->count && entry->subject[0] != '\0'; i++) {
        if (strcmp(list->entries[i].subject, entry->subject) == 0)
            return guard_fail(err, GUARD_E_STATE, "%s has this subject already",
                              list->entries[i].name);
    }
    return GUARD_OK;
}

enum guard_rc access_add(struct access_list *list, const struct access_entry *entry,
                         const struct access_change *change, struct guard_err *err)
{
    char after[2048];
    GUARD_TRY(access_addable(list, entry, err));
    list->entries[list->count++] = *entry; /* there is room for one */
    describe(entry, after, sizeof(after));
    return save(list, change, "", after, err);
}

enum guard_rc access_remove(struct access_list *list, const char *name,
                            const struct access_change *change, struct guard_err *err)
{
    char before[2048];
    struct access_entry *entry = find(list, name);
    if (entry == NULL)
        return guard_fail(err, GUARD_E_RANGE, "%s: there is no such token", name);
    describe(entry, before, sizeof(before));
    struct access_entry *end = list->entries + list->count--;
    memmove(entry, entry + 1, (size_t)(end - entry - 1) * sizeof(*entry));
    return save(list, change, before, "removed", err);
}
