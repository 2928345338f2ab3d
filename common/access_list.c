/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the list. An entry is a line, so that complaints lead to it. */
#include "common/access_list.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 64 << 20, ENTRY_ROOM = 4096 };

static const struct guard_span no_service = {NULL, 0};

static const char *const role_names[API_ROLES] = {
    [API_ROLE_NONE] = "",       [API_ROLE_VIEWER] = "viewer",     [API_ROLE_OPERATOR] = "operator",
    [API_ROLE_ADMIN] = "admin", [API_ROLE_REPORTER] = "reporter", [API_ROLE_FRONT] = "front",
    [API_ROLE_LOCAL] = "local",
};

const char *access_role_name(enum api_role role)
{
    return (unsigned)role < API_ROLES ? role_names[role] : "";
}

enum api_role access_role(const char *name)
{
    for (int role = API_ROLE_VIEWER; role < API_ROLE_LOCAL; role++) {
        if (strcmp(name, role_names[role]) == 0)
            return (enum api_role)role;
    }
    return API_ROLE_NONE;
}

bool access_pattern_valid(struct guard_span pattern)
{
    char letters[ACCESS_PATTERN_CAP];
    if (pattern.len == 0 || pattern.len >= sizeof(letters))
        return false;
    for (size_t i = 0; i < pattern.len; i++)
        letters[i] = pattern.ptr[i] == '*' ? 'x' : (char)pattern.ptr[i];
    return state_service_valid((struct guard_span){(const uint8_t *)letters, pattern.len});
}

const char *access_entry_fault(const struct access_entry *entry)
{
    bool token = entry->hash[0] != '\0';
    if (token == (entry->subject[0] != '\0') || token != (entry->id[0] != '\0'))
        return "an entry has either an id and a hash, or a subject";
    if (entry->role == API_ROLE_REPORTER && entry->service_count == 0)
        return "a reporter is bound to services";
    if (entry->role == API_ROLE_FRONT && (!token || entry->service_count > 0))
        return "a front is a token without services";
    return NULL;
}

/* --- reading --- */

struct reading {
    struct document document;
    struct access_list *list;
    struct guard_err *err;
};

static enum guard_rc bad(const struct reading *reading, const struct document_node *node,
                         const char *what)
{
    return document_fail(&reading->document, node, GUARD_E_SYNTAX, reading->err, "%s", what);
}

static bool plain_text(const struct document_node *node, size_t max)
{
    if (node->kind != DOCUMENT_SCALAR || node->text.len == 0 || node->text.len > max)
        return false;
    for (size_t i = 0; i < node->text.len; i++) {
        if (node->text.ptr[i] < ' ' || node->text.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

static bool take_time(const struct document_node *node, uint64_t *out)
{
    const char *text = node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
    char *end = NULL;
    errno = 0;
    *out = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    return end != NULL && *end == '\0' && errno == 0 && *out <= INT64_MAX && !node->quoted;
}

static enum guard_rc take_services(const struct reading *reading, const struct document_node *list,
                                   struct access_entry *entry)
{
    if (list->kind != DOCUMENT_SEQUENCE || list->count > ACCESS_SERVICES_MAX)
        return bad(reading, list, "must be a list of at most 16 patterns");
    for (const struct document_node *node = list->first; node != NULL; node = node->next) {
        if (node->kind != DOCUMENT_SCALAR || !access_pattern_valid(node->text))
            return bad(reading, node, "must be a service's name, in which '*' may stand");
        entry->services[entry->service_count++] = (const char *)node->text.ptr;
    }
    return GUARD_OK;
}

static enum guard_rc take_member(const struct reading *reading, const struct document_node *node,
                                 struct access_entry *entry)
{
    const char *name = (const char *)node->key->text.ptr;
    const char *text = node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
    char id[SECRET_ID_LEN + 1];
    char token[SECRET_TOKEN_LEN + 1];
    if (strcmp(name, "name") == 0) {
        entry->name = text;
        return node->kind == DOCUMENT_SCALAR && state_service_valid(node->text)
                   ? GUARD_OK
                   : bad(reading, node, "must be 1 to 64 letters, digits, '.', '_' or '-'");
    }
    if (strcmp(name, "role") == 0) {
        entry->role = access_role(text);
        return entry->role != API_ROLE_NONE
                   ? GUARD_OK
                   : bad(reading, node, "must be viewer, operator, admin, reporter or front");
    }
    if (strcmp(name, "services") == 0)
        return take_services(reading, node, entry);
    if (strcmp(name, "subject") == 0) {
        entry->subject = text;
        return plain_text(node, ACCESS_SUBJECT_MAX) ? GUARD_OK
                                                    : bad(reading, node, "is no subject");
    }
    if (strcmp(name, "id") == 0) {
        entry->id = text;
        snprintf(token, sizeof(token), "guard_%.16s_%043d", text, 0);
        return strlen(text) == SECRET_ID_LEN && secret_id(token, strlen(token), id)
                   ? GUARD_OK
                   : bad(reading, node, "must be 16 hexadecimal digits");
    }
    if (strcmp(name, "hash") == 0) {
        entry->hash = text;
        return node->kind == DOCUMENT_SCALAR && secret_hash_valid(node->text)
                   ? GUARD_OK
                   : bad(reading, node, "is no hash of Argon2id, or costs more than is allowed");
    }
    if (strcmp(name, "created_ms") == 0)
        return take_time(node, &entry->created_ms) ? GUARD_OK : bad(reading, node, "is no time");
    if (strcmp(name, "expires_ms") == 0)
        return take_time(node, &entry->expires_ms) ? GUARD_OK : bad(reading, node, "is no time");
    return bad(reading, node->key, "there is no such member");
}

static enum guard_rc take_entry(const struct reading *reading, const struct document_node *node)
{
    struct access_entry *entry = &reading->list->entries[reading->list->count];
    *entry = (struct access_entry){
        .name = "", .subject = "", .id = "", .hash = "", .place = reading->list->count};
    if (node->kind != DOCUMENT_MAPPING)
        return bad(reading, node, "must be an object");
    for (const struct document_node *member = node->first; member != NULL; member = member->next)
        GUARD_TRY(take_member(reading, member, entry));
    if (entry->name[0] == '\0' || entry->role == API_ROLE_NONE)
        return bad(reading, node, "name and role are needed");
    const char *fault = access_entry_fault(entry);
    if (fault != NULL)
        return bad(reading, node, fault);
    reading->list->count++;
    return GUARD_OK;
}

/* --- what must be there once --- */

static int by_name(const void *a, const void *b)
{
    const struct access_entry *const *left = a;
    const struct access_entry *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int by_id(const void *a, const void *b)
{
    const struct access_entry *const *left = a;
    const struct access_entry *const *right = b;
    return strcmp((*left)->id, (*right)->id);
}

static int by_subject(const void *a, const void *b)
{
    const struct access_entry *const *left = a;
    const struct access_entry *const *right = b;
    return strcmp((*left)->subject, (*right)->subject);
}

static const char *text_name(const struct access_entry *entry)
{
    return entry->name;
}

static const char *text_id(const struct access_entry *entry)
{
    return entry->id;
}

static const char *text_subject(const struct access_entry *entry)
{
    return entry->subject;
}

static const struct document_node *nth(const struct document_node *list, uint32_t place)
{
    const struct document_node *node = list->first;
    while (place-- > 0)
        node = node->next;
    return node;
}

static enum guard_rc check_twice(const struct reading *reading, const struct document_node *list)
{
    static const struct {
        int (*order)(const void *a, const void *b);
        const char *(*text)(const struct access_entry *entry);
        const char *what;
    } keys[] = {{by_name, text_name, "another entry has this name"},
                {by_id, text_id, "another entry has this id"},
                {by_subject, text_subject, "another entry has this subject"}};
    struct access_list *entries = reading->list;
    const struct access_entry **sorted =
        guard_arena_get(&entries->arena, (entries->count + 1) * sizeof(struct access_entry *));
    if (sorted == NULL)
        return guard_fail(reading->err, GUARD_E_NOMEM, "no memory");
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (uint32_t i = 0; i < entries->count; i++)
            sorted[i] = &entries->entries[i];
        qsort(sorted, entries->count, sizeof(struct access_entry *), keys[k].order);
        for (uint32_t i = 1; i < entries->count; i++) {
            uint32_t later = sorted[i]->place > sorted[i - 1]->place ? i : i - 1;
            if (keys[k].text(sorted[i])[0] != '\0' &&
                keys[k].order(&sorted[i - 1], &sorted[i]) == 0)
                return bad(reading, nth(list, sorted[later]->place), keys[k].what);
        }
    }
    return GUARD_OK;
}

enum guard_rc access_list_parse(struct access_list *list, const char *name, struct guard_span bytes,
                                struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct reading reading = {.list = list, .err = err};
    *list = (struct access_list){.count = 0};
    guard_arena_init(&list->arena, &heap, ARENA_MAX);
    GUARD_TRY(document_parse(&reading.document, name, bytes, &list->arena, err));
    const struct document_node *entries = member_of(reading.document.root, "entries");
    if (entries == NULL || entries->kind != DOCUMENT_SEQUENCE || reading.document.root->count != 1)
        return bad(&reading, reading.document.root, "must be an object with the list \"entries\"");
    if (entries->count > ACCESS_ENTRIES_MAX)
        return document_fail(&reading.document, entries, GUARD_E_LIMIT, err,
                             "there may be at most %d entries", ACCESS_ENTRIES_MAX);
    /* One more, for who adds an entry. */
    list->entries = guard_arena_get(&list->arena, (entries->count + 1) * sizeof(*list->entries));
    if (list->entries == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    for (const struct document_node *node = entries->first; node != NULL; node = node->next)
        GUARD_TRY(take_entry(&reading, node));
    return check_twice(&reading, entries);
}

static bool others_may_write(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 &&
           ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
            (info.st_uid != 0 && info.st_uid != geteuid() && geteuid() != 0));
}

enum guard_rc access_list_load(struct access_list *list, const char *dir, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    *list = (struct access_list){.count = 0};
    if (state_path(path, dir, "", no_service, ACCESS_FILE) != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return access_list_parse(list, path, GUARD_SPAN_LITERAL("{\"entries\":[]}"), err);
    if (others_may_write(path))
        return guard_fail(err, GUARD_E_STATE, "%s: others than its owner may write it", path);
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = access_list_parse(list, path, (struct guard_span){bytes, len}, err);
    free(bytes);
    return rc;
}

void access_list_free(struct access_list *list)
{
    guard_arena_reset(&list->arena);
    list->entries = NULL;
    list->count = 0;
}

/* --- writing --- */

static void put_entry(struct json_writer *json, const struct access_entry *entry)
{
    json_open(json, NULL, '{');
    json_text(json, "name", entry->name);
    json_text(json, "role", access_role_name(entry->role));
    json_open(json, "services", '[');
    for (uint32_t i = 0; i < entry->service_count; i++)
        json_text(json, NULL, entry->services[i]);
    json_close(json, ']');
    if (entry->subject[0] != '\0') {
        json_text(json, "subject", entry->subject);
    } else {
        json_text(json, "id", entry->id);
        json_text(json, "hash", entry->hash);
    }
    json_integer(json, "created_ms", (int64_t)entry->created_ms);
    json_integer(json, "expires_ms", (int64_t)entry->expires_ms);
    json_close(json, '}');
}

static enum guard_rc write_list(const struct access_list *list, char *text, size_t *len,
                                struct guard_err *err)
{
    struct json_writer json;
    *len = 0;
    if (list->count > ACCESS_ENTRIES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "there are %d entries already", ACCESS_ENTRIES_MAX);
    *len += (size_t)snprintf(text, DOCUMENT_BYTES_MAX, "{\"entries\":[\n");
    for (uint32_t i = 0; i < list->count; i++) {
        if (DOCUMENT_BYTES_MAX - *len < ENTRY_ROOM)
            return guard_fail(err, GUARD_E_LIMIT, "the list would be too large");
        json_writer_init(&json, text + *len, ENTRY_ROOM);
        put_entry(&json, &list->entries[i]);
        *len += json.len;
        *len += (size_t)snprintf(text + *len, 3, "%s\n", i + 1 < list->count ? "," : "");
    }
    *len += (size_t)snprintf(text + *len, 4, "]}\n");
    return GUARD_OK;
}

static enum guard_rc failure(struct guard_err *err, const char *path)
{
    return guard_fail(err, GUARD_E_IO, "%s: can't be replaced: %s", path, strerror(errno));
}

/* What root writes is for whom the directory is, from the moment on at which it is there. */
static enum guard_rc replace_for(const struct stat *owner, const char *path, const char *dir,
                                 struct guard_span text, struct guard_err *err)
{
    char beside[STATE_PATH_MAX];
    if (state_path(beside, dir, "", no_service, ACCESS_FILE ".new") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    GUARD_TRY(file_replace(beside, text, 0600, true, err));
    if (chown(beside, owner->st_uid, owner->st_gid) != 0 || rename(beside, path) != 0)
        return failure(err, path);
    /* Else what was removed might come back after a power cut. */
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        (void)fsync(folder);
        close(folder);
    }
    return GUARD_OK;
}

static enum guard_rc replace(const char *path, const char *dir, struct guard_span text,
                             struct guard_err *err)
{
    struct stat owner;
    bool others = geteuid() == 0 && stat(dir, &owner) == 0 && owner.st_uid != 0;
    return others ? replace_for(&owner, path, dir, text, err)
                  : file_replace(path, text, 0600, true, err);
}

enum guard_rc access_list_save(const struct access_list *list, const char *dir,
                               struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    size_t len;
    if (state_path(path, dir, "", no_service, ACCESS_FILE) != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    char *text = malloc(DOCUMENT_BYTES_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc = write_list(list, text, &len, err);
    if (rc == GUARD_OK)
        rc = replace(path, dir, (struct guard_span){(const uint8_t *)text, len}, err);
    free(text);
    return rc;
}
