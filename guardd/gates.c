/* SPDX-License-Identifier: Apache-2.0 */
/* Only what is known by name is taken, so that a gate of another version is read as far as it is
 * understood, and a hostile one makes no metric and no label. */
#include "gates.h"

#include "common/document_members.h"
#include "common/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 6 << 20,
    LINE_ARENA_MAX = 1 << 20,
    LINES_MAX = 2 * SERVICES_MAX, /* of a file that are read: a gate has no more to say of */
};

const char *const gate_number_names[] = {
    /* of the service */
    "generation_oldest",
    "generation_newest",
    "bypass_seconds",
    "withdrawn_seconds",
    "policy_refused",
    "policy_expired",
    "slow",
    /* counts */
    "exchanges",
    "decided_pass",
    "decided_alert",
    "decided_block",
    "done_pass",
    "done_alert",
    "done_block",
    "bypassed",
    "exempt",
    "withdrawn",
    "without_policy",
    "not_inspected_memory",
    "not_inspected_file",
    "upgrades_opaque",
    "responses",
    "responses_held",
    "responses_replaced",
    "responses_aborted",
    "released_size",
    "released_time",
    "released_budget",
    "hold_bytes",
    "decoder_failures",
    "late",
    "late_cut",
    "late_spared",
    "records",
    "records_lost",
    "alerts",
    "alerts_suppressed",
    "alerts_lost",
    "canaries",
    "overhead_10us",
    "overhead_25us",
    "overhead_50us",
    "overhead_100us",
    "overhead_250us",
    "overhead_500us",
    "overhead_1ms",
    "overhead_2500us",
    "overhead_10ms",
    "overhead_more",
    "overhead_ns",
};
const uint32_t gate_number_count = sizeof(gate_number_names) / sizeof(gate_number_names[0]);
_Static_assert(sizeof(gate_number_names) / sizeof(gate_number_names[0]) <= GATE_NUMBERS_MAX,
               "a place for each");

uint32_t gate_number(const char *name)
{
    uint32_t i = 0;
    while (i < gate_number_count && strcmp(gate_number_names[i], name) != 0)
        i++;
    return i;
}

/* Numbers of JSON, and true for 1. */
static uint64_t value_of(const struct document_node *node)
{
    if (node->kind != DOCUMENT_SCALAR)
        return 0;
    const char *text = (const char *)node->text.ptr;
    if (strcmp(text, "true") == 0)
        return 1;
    return text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : 0;
}

static void take_numbers(struct gate_told *told, const struct document_node *mapping)
{
    if (mapping == NULL || mapping->kind != DOCUMENT_MAPPING)
        return;
    for (const struct document_node *node = mapping->first; node != NULL; node = node->next) {
        uint32_t at = gate_number((const char *)node->key->text.ptr);
        if (at < gate_number_count)
            told->numbers[at] = value_of(node);
    }
}

static bool is_told(const struct gate_report *report, const struct service *service)
{
    for (uint32_t i = 0; i < report->count; i++) {
        if (report->list[i].service == service)
            return true;
    }
    return false;
}

static void take_service(struct gate_report *report, const struct services *services,
                         const struct document_node *root)
{
    const char *name = text_of(root, "service");
    const char *mode = text_of(root, "mode");
    const struct service *service =
        services_find(services, (struct guard_span){(const uint8_t *)name, strlen(name)});
    if (service == NULL || report->count >= services->count || is_told(report, service))
        return;
    struct gate_told *told = &report->list[report->count++];
    told->service = service;
    for (int i = GUARD_MODE_OBSERVE; i <= GUARD_MODE_BLOCK; i++) {
        if (strcmp(mode, guard_mode_name((enum guard_mode)i)) != 0)
            continue;
        told->mode = (enum guard_mode)i;
        told->has_policy = true;
    }
    take_numbers(told, root);
    take_numbers(told, member_of(root, "counts"));
}

static void take_line(struct gate_report *report, const struct services *services,
                      const struct document_node *root)
{
    if (member_of(root, "service") != NULL) {
        take_service(report, services, root);
        return;
    }
    if (member_of(root, "running") == NULL)
        return;
    report->running = value_of(member_of(root, "running"));
    const struct document_node *leaving = member_of(root, "leaving");
    report->leaving = leaving != NULL ? value_of(leaving) : 0;
    report->rings_failed = strcmp(text_of(root, "rings_failed"), "true") == 0;
}

static void take_text(struct gate_report *report, const struct services *services, const char *text)
{
    struct guard_alloc heap = heap_alloc();
    for (uint32_t lines = 0; *text != '\0' && lines < LINES_MAX; lines++) {
        struct guard_arena arena;
        struct document document;
        struct guard_span line = {(const uint8_t *)text, strcspn(text, "\n")};
        guard_arena_init(&arena, &heap, LINE_ARENA_MAX);
        if (document_parse(&document, "counts", line, &arena, NULL) == GUARD_OK &&
            document.root->kind == DOCUMENT_MAPPING)
            take_line(report, services, document.root);
        guard_arena_reset(&arena);
        text += line.len;
        text += *text == '\n';
    }
}

static bool id_of(const char *file, char out[GATE_ID_CAP])
{
    size_t len = strspn(file, "0123456789abcdef");
    if (len != GATE_ID_CAP - 1 || strcmp(file + len, ".counts") != 0)
        return false;
    memcpy(out, file, len);
    out[len] = '\0';
    return true;
}

static uint64_t written_ms(const struct stat *info)
{
    return (uint64_t)info->st_mtim.tv_sec * 1000 + (uint64_t)info->st_mtim.tv_nsec / 1000000;
}

/* A clock that was set back makes files of the future: they live. */
static bool older(const struct stat *info, uint64_t now_ms, uint64_t age_ms)
{
    uint64_t at_ms = written_ms(info);
    return now_ms > at_ms && now_ms - at_ms > age_ms;
}

static bool file_path(char out[STATE_PATH_MAX], const char *state, const char *file)
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/rings/%s", state, file);
    return len > 0 && len < STATE_PATH_MAX;
}

/* Bytes that were read. */
static size_t read_report(struct gates *out, const char *path, const char *id,
                          const struct stat *info, const struct services *services)
{
    struct gate_report *report = &out->list[out->count];
    uint8_t *text = NULL;
    size_t len = 0;
    if (file_read(path, FILE_MAX, &text, &len, NULL) != GUARD_OK)
        return 0;
    *report = (struct gate_report){.time_ms = written_ms(info)};
    snprintf(report->id, sizeof(report->id), "%s", id);
    report->list = calloc(services->count + 1, sizeof(*report->list));
    if (report->list != NULL) {
        take_text(report, services, (const char *)text);
        out->count++;
    }
    free(text);
    return len;
}

void gates_read(struct gates *out, const char *state, const struct services *services,
                uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    char id[GATE_ID_CAP];
    struct stat info;
    size_t bytes = 0;
    out->count = 0;
    DIR *dir = file_path(path, state, "") ? opendir(path) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (out->count == GATES_MAX || !id_of(entry->d_name, id) ||
            !file_path(path, state, entry->d_name) || lstat(path, &info) != 0 ||
            !S_ISREG(info.st_mode) || older(&info, now_ms, GATE_SILENT_MS) ||
            (uint64_t)info.st_size > GATES_BYTES_MAX - bytes)
            continue;
        bytes += read_report(out, path, id, &info, services);
        if (bytes >= GATES_BYTES_MAX)
            break;
    }
    if (dir != NULL)
        closedir(dir);
}

void gates_free(struct gates *gates)
{
    for (uint32_t i = 0; i < gates->count; i++)
        free(gates->list[i].list);
    gates->count = 0;
}

void gates_drop_old(const char *state, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    char id[GATE_ID_CAP];
    struct stat info;
    DIR *dir = file_path(path, state, "") ? opendir(path) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (id_of(entry->d_name, id) && file_path(path, state, entry->d_name) &&
            lstat(path, &info) == 0 && older(&info, now_ms, GATE_DROPPED_MS))
            (void)unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
}
