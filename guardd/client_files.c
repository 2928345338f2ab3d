/* SPDX-License-Identifier: Apache-2.0 */
/* Norms, verdicts and lifts as files: verdicts/SERVICE.table is for gates, clients/SERVICE.json for
 * people and the next guardd, clients/SERVICE.norm for that alone, clients/SERVICE.lifts is
 * written by people. */
#include "service.h"

#include "common/client_name.h"
#include "common/document.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    NORM_BYTES_MAX = 4 << 20,
    LIST_BYTES_MAX = 1 << 20,
    DOCUMENT_ARENA = 32 << 20,
};

static bool path_of(char out[STATE_PATH_MAX], const struct services *services,
                    const struct service *service, const char *folder, const char *suffix)
{
    return state_path(out, services->state, folder, service->name, suffix) == GUARD_OK;
}

/* --- reading --- */

static const struct document_node *member(const struct document_node *mapping, const char *name,
                                          enum document_kind kind)
{
    if (mapping == NULL || mapping->kind != DOCUMENT_MAPPING)
        return NULL;
    for (const struct document_node *node = mapping->first; node != NULL; node = node->next) {
        if (strcmp((const char *)node->key->text.ptr, name) == 0)
            return node->kind == kind ? node : NULL;
    }
    return NULL;
}

static const char *text_of(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = member(mapping, name, DOCUMENT_SCALAR);
    return node != NULL ? (const char *)node->text.ptr : "";
}

static uint64_t number_of(const struct document_node *mapping, const char *name, int base)
{
    return strtoull(text_of(mapping, name), NULL, base);
}

enum guard_rule client_files_rule(const char *name)
{
    for (int rule = GUARD_RULE_CLIENT_RATE; rule <= GUARD_RULE_CLIENT_SUBJECTS; rule++) {
        if (strcmp(name, guard_rule_name((enum guard_rule)rule)) == 0)
            return (enum guard_rule)rule;
    }
    return GUARD_RULE_CLIENT_RATE;
}

static void take_entry(struct service_clients *clients, const struct document_node *node,
                       uint64_t now_ms)
{
    uint64_t code = number_of(node, "code", 16);
    uint64_t until = number_of(node, "until_ms", 10);
    /* What people decided is read from their own file. */
    if (strcmp(text_of(node, "rule"), guard_rule_name(GUARD_RULE_CLIENT_MANUAL)) == 0)
        return;
    if (code == 0 || until <= now_ms || clients->count == GUARD_CLIENT_VERDICTS_MAX ||
        (clients->count > 0 && code <= clients->entries[clients->count - 1].verdict.code))
        return;
    struct client_entry *entry = &clients->entries[clients->count++];
    entry->verdict = (struct guard_client_verdict){
        .code = code,
        .until_ms = until,
        .rule = client_files_rule(text_of(node, "rule")),
        .detail = (uint32_t)number_of(node, "detail", 10),
        .expected = (uint32_t)number_of(node, "expected", 10),
    };
    entry->since_ms = number_of(node, "since_ms", 10);
    snprintf(entry->text, sizeof(entry->text), "%s", text_of(node, "client"));
    snprintf(entry->why, sizeof(entry->why), "%s", text_of(node, "why"));
}

/* A JSON document of the state directory; NULL: there is none. The arena is the caller's to reset.
 */
static const struct document_node *read_document(const char *path, struct guard_arena *arena)
{
    struct guard_alloc heap = heap_alloc();
    struct document document;
    uint8_t *bytes = NULL;
    size_t len = 0;
    const struct document_node *root = NULL;
    guard_arena_init(arena, &heap, DOCUMENT_ARENA);
    if (file_read(path, LIST_BYTES_MAX, &bytes, &len, NULL) == GUARD_OK &&
        document_parse(&document, path, (struct guard_span){bytes, len}, arena, NULL) == GUARD_OK)
        root = document.root;
    free(bytes);
    return root;
}

static void load_verdicts(struct services *services, struct service *service, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    struct guard_arena arena;
    struct service_clients *clients = &service->clients;
    if (!path_of(path, services, service, "clients", ".json"))
        return;
    const struct document_node *list =
        member(read_document(path, &arena), "verdicts", DOCUMENT_SEQUENCE);
    if (list != NULL && list->first != NULL)
        clients->entries = calloc(GUARD_CLIENT_VERDICTS_MAX, sizeof(clients->entries[0]));
    if (clients->entries != NULL) {
        for (const struct document_node *node = list->first; node != NULL; node = node->next)
            take_entry(clients, node, now_ms);
    }
    guard_arena_reset(&arena);
    clients->changed = true;
}

/* Gates take newer tables only. */
static void load_issued(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_client_table *table = malloc(sizeof(*table));
    if (table != NULL && path_of(path, services, service, "verdicts", ".table") &&
        file_read(path, GUARD_CLIENT_TABLE_BYTES, &bytes, &len, NULL) == GUARD_OK &&
        guard_client_table_decode(table, (struct guard_span){bytes, len}, service->name,
                                  services->signing->public_key) == GUARD_OK)
        service->clients.issued_ms = table->issued_ms;
    free(bytes);
    free(table);
}

static void load_norm(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (!path_of(path, services, service, "clients", ".norm") ||
        file_read(path, NORM_BYTES_MAX, &bytes, &len, NULL) != GUARD_OK)
        return;
    enum guard_rc rc = guard_clients_decode(service->clients.norm, (struct guard_span){bytes, len});
    if (rc != GUARD_OK)
        log_event("alarm", "client-norm-damaged", service->name, "%s: %s; it is learned anew", path,
                  guard_rc_name(rc));
    free(bytes);
}

bool client_files_there(const struct services *services, const struct service *service)
{
    static const char *const files[][2] = {
        {"clients", ".json"}, {"clients", ".norm"}, {"clients", ".lifts"}, {"verdicts", ".table"}};
    char path[STATE_PATH_MAX];
    struct stat info;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (path_of(path, services, service, files[i][0], files[i][1]) && stat(path, &info) == 0)
            return true;
    }
    return false;
}

void client_files_load(struct services *services, struct service *service, uint64_t now_ms)
{
    load_norm(services, service);
    load_verdicts(services, service, now_ms);
    load_issued(services, service);
}

bool client_files_decided(const struct services *services, const struct service *service)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    return path_of(path, services, service, "clients", ".lifts") && stat(path, &info) == 0;
}

static void take_lifts(struct service *service, const struct document_node *list)
{
    struct service_clients *clients = &service->clients;
    clients->lift_count = 0;
    if (list == NULL || list->first == NULL)
        return;
    if (clients->lifts == NULL)
        clients->lifts = calloc(CLIENT_LIFTS_MAX, sizeof(clients->lifts[0]));
    if (clients->lifts == NULL) {
        log_event("alarm", "client-lifts-not-read", service->name, "no memory");
        return;
    }
    for (const struct document_node *node = list->first;
         node != NULL && clients->lift_count < CLIENT_LIFTS_MAX; node = node->next) {
        struct client_lift *lift = &clients->lifts[clients->lift_count++];
        snprintf(lift->text, sizeof(lift->text), "%s", text_of(node, "client"));
        lift->until_ms = number_of(node, "until_ms", 10);
    }
}

/* followed: gates have the tables of a parent. */
static void take_blocks(struct service *service, const struct document_node *list, bool followed)
{
    uint32_t refused;
    struct service_clients *clients = &service->clients;
    clients->block_count = 0;
    if (list == NULL || list->first == NULL)
        return;
    if (clients->blocks == NULL)
        clients->blocks = calloc(BLOCKS_MAX, sizeof(clients->blocks[0]));
    if (clients->blocks == NULL) {
        log_event("alarm", "client-blocks-not-read", service->name, "no memory");
        return;
    }
    clients->block_count =
        blocks_read(list, clock_unix_ms(), clients->blocks, BLOCKS_MAX, &refused);
    if (refused > 0)
        log_event("alarm", "client-blocks-refused", service->name,
                  "%u in clients/%.*s.lifts name nobody or too many, or have no end", refused,
                  (int)service->name.len, (const char *)service->name.ptr);
    if (clients->block_count > 0 && followed)
        log_event("alarm", "client-blocks-not-followed", service->name,
                  "the parent makes the verdicts that gates follow: block clients there");
}

bool client_files_lifts(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    struct guard_arena arena;
    struct service_clients *clients = &service->clients;
    if (!path_of(path, services, service, "clients", ".lifts"))
        return false;
    uint64_t stamp = 0;
    if (stat(path, &info) == 0)
        stamp = ((uint64_t)info.st_mtim.tv_sec * 1000000000U + (uint64_t)info.st_mtim.tv_nsec) ^
                ((uint64_t)info.st_ino << 1) ^ (uint64_t)info.st_size;
    if (stamp == clients->lifts_stamp)
        return false;
    clients->lifts_stamp = stamp;
    const struct document_node *root = read_document(path, &arena);
    take_lifts(service, member(root, "lifts", DOCUMENT_SEQUENCE));
    take_blocks(service, member(root, "blocks", DOCUMENT_SEQUENCE), services->uplink != NULL);
    guard_arena_reset(&arena);
    return true;
}

/* --- writing --- */

static void put_entry(struct json_writer *json, const struct client_entry *entry)
{
    char code[17];
    snprintf(code, sizeof(code), "%016" PRIx64, entry->verdict.code);
    json_open(json, NULL, '{');
    json_text(json, "client", entry->text);
    json_text(json, "code", code);
    json_text(json, "rule", guard_rule_name(entry->verdict.rule));
    json_integer(json, "detail", entry->verdict.detail);
    json_integer(json, "expected", entry->verdict.expected);
    json_integer(json, "since_ms", (int64_t)entry->since_ms);
    json_integer(json, "until_ms", (int64_t)entry->verdict.until_ms);
    json_text(json, "why", entry->why);
    json_close(json, '}');
}

static bool write_list(struct services *services, struct service *service, uint64_t now_ms,
                       struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct json_writer json;
    struct guard_clients_stats stats;
    const struct service_clients *clients = &service->clients;
    char *text = malloc(LIST_BYTES_MAX);
    if (text == NULL || !path_of(path, services, service, "clients", ".json")) {
        free(text);
        return false;
    }
    guard_clients_stats(clients->norm, &stats);
    json_writer_init(&json, text, LIST_BYTES_MAX);
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_integer(&json, "time_ms", (int64_t)now_ms);
    json_text(&json, "mode", guard_mode_name(service->guardian.client_mode));
    json_integer(&json, "exchanges", (int64_t)stats.exchanges);
    json_integer(&json, "clients", (int64_t)stats.clients);
    json_integer(&json, "norms", stats.norms);
    json_integer(&json, "untracked", stats.untracked);
    json_integer(&json, "pushed_out", (int64_t)stats.pushed_out);
    json_open(&json, "verdicts", '[');
    for (uint32_t i = 0; i < clients->count; i++)
        put_entry(&json, &clients->entries[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    bool good =
        !json.overflow && file_replace(path, (struct guard_span){(const uint8_t *)text, json.len},
                                       0640, false, err) == GUARD_OK;
    free(text);
    return good;
}

static bool write_table(struct services *services, struct service *service, uint64_t now_ms,
                        struct guard_err *err)
{
    static struct guard_client_table table;
    static uint8_t bytes[GUARD_CLIENT_TABLE_BYTES];
    char path[STATE_PATH_MAX];
    size_t len = 0;
    struct service_clients *clients = &service->clients;
    table.issued_ms = now_ms > clients->issued_ms ? now_ms : clients->issued_ms + 1;
    table.count = clients->count;
    guard_client_table_key(table.key, service->key);
    for (uint32_t i = 0; i < clients->count; i++)
        table.list[i] = clients->entries[i].verdict;
    if (!path_of(path, services, service, "verdicts", ".table") ||
        guard_client_table_encode(&table, service->name, services->signing->secret, bytes, &len) !=
            GUARD_OK ||
        file_replace(path, (struct guard_span){bytes, len}, 0640, false, err) != GUARD_OK)
        return false;
    clients->issued_ms = table.issued_ms;
    return true;
}

bool client_files_verdicts(struct services *services, struct service *service, uint64_t now_ms)
{
    struct guard_err err = {.text = "they are too many to be written"};
    struct service_clients *clients = &service->clients;
    bool good =
        write_table(services, service, now_ms, &err) && write_list(services, service, now_ms, &err);
    if (!good && !clients->failing)
        log_event("alarm", "client-verdicts-not-written", service->name, "%s; tried again",
                  err.text);
    clients->failing = !good;
    return good;
}

static void put_lift(struct json_writer *json, const struct document_node *node)
{
    json_open(json, NULL, '{');
    json_text(json, "client", text_of(node, "client"));
    if (member(node, "since_ms", DOCUMENT_SCALAR) != NULL)
        json_integer(json, "since_ms", (int64_t)number_of(node, "since_ms", 10));
    json_integer(json, "until_ms", (int64_t)number_of(node, "until_ms", 10));
    json_text(json, "reason", text_of(node, "reason"));
    json_text(json, "by", text_of(node, "by"));
    json_close(json, '}');
}

/* All of a list but the client's (who NULL: but what is over); how many these are. */
static uint64_t put_kept(struct json_writer *json, const struct document_node *root,
                         const char *name, const char *who)
{
    uint64_t left_out = 0;
    const struct document_node *list = member(root, name, DOCUMENT_SEQUENCE);
    json_open(json, name, '[');
    for (const struct document_node *node = list == NULL ? NULL : list->first; node != NULL;
         node = node->next) {
        const char *client = text_of(node, "client");
        struct guard_span text = {(const uint8_t *)client, strlen(client)};
        if (who != NULL ? client_is(who, text) : number_of(node, "until_ms", 10) < clock_unix_ms())
            left_out++;
        else
            put_lift(json, node);
    }
    json_close(json, ']');
    return left_out;
}

enum guard_rc client_files_forget_lifts(const struct services *services,
                                        const struct service *service, const char *who, bool dry,
                                        uint64_t *count, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct guard_arena arena;
    struct json_writer json;
    enum guard_rc rc = GUARD_OK;
    char *text = malloc(LIST_BYTES_MAX);
    if (text == NULL || !path_of(path, services, service, "clients", ".lifts")) {
        free(text);
        return guard_fail(err, GUARD_E_NOMEM, "no memory for lifts");
    }
    json_writer_init(&json, text, LIST_BYTES_MAX);
    json_open(&json, NULL, '{');
    const struct document_node *root = read_document(path, &arena);
    uint64_t found = put_kept(&json, root, "lifts", who);
    found += put_kept(&json, root, "blocks", who);
    json_close(&json, '}');
    if (found > 0 && !dry)
        rc = json.overflow
                 ? guard_fail(err, GUARD_E_LIMIT, "%s: is too long", path)
                 : file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640,
                                true, err);
    *count += found;
    guard_arena_reset(&arena);
    free(text);
    return rc;
}

void client_files_norm(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    struct guard_err err = {.text = "no memory"};
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (!path_of(path, services, service, "clients", ".norm"))
        return;
    if (guard_clients_encode(service->clients.norm, &bytes, &len) != GUARD_OK ||
        file_replace(path, (struct guard_span){bytes, len}, 0640, false, &err) != GUARD_OK)
        log_event("warn", "client-norm-not-saved", service->name, "%s", err.text);
    free(bytes);
}
