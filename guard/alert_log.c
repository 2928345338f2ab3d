/* SPDX-License-Identifier: Apache-2.0 */
/* See alert_log.h. */
#include "alert_log.h"

#include "command.h"
#include "common/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OLDER_FILES = 4 };

void alert_log_line(struct guard_span span, alert_take take, void *ctx)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (document_parse(&document, "alerts.jsonl", span, &arena, NULL) == GUARD_OK)
        take(ctx, document.root, span);
    guard_arena_reset(&arena);
}

void alert_log_lines(FILE *file, alert_take take, void *ctx)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, file)) > 0) {
        if (line[len - 1] != '\n') {
            fseek(file, -(long)len, SEEK_CUR);
            break;
        }
        alert_log_line((struct guard_span){(const uint8_t *)line, (size_t)len - 1}, take, ctx);
    }
    free(line);
    clearerr(file);
}

bool alert_log_all(const char *dir, alert_take take, void *ctx, bool *any)
{
    return log_all(dir, "alerts.jsonl", take, ctx, any);
}

bool log_all(const char *dir, const char *file_name, alert_take take, void *ctx, bool *any)
{
    *any = false;
    for (int older = OLDER_FILES; older >= 0; older--) {
        char path[STATE_PATH_MAX];
        char name[48];
        int len = snprintf(name, sizeof(name), "%s", file_name);
        if (older > 0 && len > 0 && (size_t)len < sizeof(name))
            snprintf(name + len, sizeof(name) - (size_t)len, ".%d", older);
        if (state_path(path, dir, "", (struct guard_span){NULL, 0}, name) != GUARD_OK)
            return complain(0, "the path is too long") != 0;
        FILE *file = fopen(path, "r");
        if (file == NULL && errno == ENOENT)
            continue;
        if (file == NULL)
            return complain(0, "%s: %s", path, strerror(errno)) != 0;
        *any = true;
        alert_log_lines(file, take, ctx);
        fclose(file);
    }
    return true;
}

bool alert_names(const struct document_node *alert, const char *id)
{
    if (id[0] == '\0')
        return false;
    if (strcmp(id, text_of(alert, "id")) == 0 || strcmp(id, text_of(alert, "caused_by")) == 0)
        return true;
    const struct document_node *ids = member_of(alert, "ids");
    if (ids == NULL || ids->kind != DOCUMENT_SEQUENCE)
        return false;
    for (const struct document_node *node = ids->first; node != NULL; node = node->next) {
        if (node->kind == DOCUMENT_SCALAR && strcmp(id, (const char *)node->text.ptr) == 0)
            return true;
    }
    return false;
}

const char *alert_time(char out[32], double time_ms)
{
    bool good = time_ms >= 0 && time_ms < 1e15;
    time_t seconds = good ? (time_t)(time_ms / 1000) : 0;
    struct tm parts;
    out[0] = '\0';
    if (good && localtime_r(&seconds, &parts) != NULL)
        strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts);
    return out;
}
