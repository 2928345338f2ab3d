/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are told apart by their first member before they are parsed: the others are many. */
#include "common/patch_costs.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 6 << 20, LINE_MAX_BYTES = 1024, LINE_ARENA = 64 * 1024 };

static const char begin[] = "{\"costs_of\":";

static uint64_t count_of(const struct document_node *root, const char *name)
{
    int64_t value = whole_of(root, name);
    return value > 0 ? (uint64_t)value : 0;
}

static struct guard_span span_of(const struct document_node *root, const char *name)
{
    const char *text = text_of(root, name);
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void take_line(struct guard_span line, const char *gate, patch_cost_told *told, void *ctx)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, LINE_ARENA);
    if (document_parse(&document, "costs", line, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING) {
        const struct document_node *root = document.root;
        const struct patch_cost cost = {.tried = count_of(root, "tried"),
                                        .held = count_of(root, "held"),
                                        .bytes = count_of(root, "bytes"),
                                        .timed = count_of(root, "timed"),
                                        .timed_ns = count_of(root, "timed_ns")};
        told(ctx, gate, span_of(root, "costs_of"), span_of(root, "patch"), &cost);
    }
    guard_arena_reset(&arena);
}

static void take_text(const char *text, const char *gate, patch_cost_told *told, void *ctx)
{
    for (uint32_t lines = 0; *text != '\0' && lines < PATCH_COSTS_LINES_MAX;) {
        size_t len = strcspn(text, "\n");
        if (len <= LINE_MAX_BYTES && strncmp(text, begin, sizeof(begin) - 1) == 0) {
            take_line((struct guard_span){(const uint8_t *)text, len}, gate, told, ctx);
            lines++;
        }
        text += len;
        text += *text == '\n';
    }
}

static bool gate_of(const char *file, char out[PATCH_COSTS_GATE_CHARS + 1])
{
    size_t len = strspn(file, "0123456789abcdef");
    if (len != PATCH_COSTS_GATE_CHARS || strcmp(file + len, ".counts") != 0)
        return false;
    memcpy(out, file, len);
    out[len] = '\0';
    return true;
}

/* A clock that was set back makes files of the future: they live. */
static bool is_old(const struct stat *info, uint64_t now_ms, uint64_t age_ms)
{
    uint64_t at_ms =
        (uint64_t)info->st_mtim.tv_sec * 1000 + (uint64_t)info->st_mtim.tv_nsec / 1000000;
    return age_ms != 0 && now_ms > at_ms && now_ms - at_ms > age_ms;
}

void patch_costs_read(const char *state, uint64_t now_ms, uint64_t age_ms, patch_cost_told *told,
                      void *ctx)
{
    char path[STATE_PATH_MAX];
    char gate[PATCH_COSTS_GATE_CHARS + 1];
    struct stat info;
    uint32_t gates = 0;
    int len = snprintf(path, sizeof(path), "%s/rings", state);
    DIR *dir = len > 0 && (size_t)len < sizeof(path) ? opendir(path) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        uint8_t *text = NULL;
        size_t size = 0;
        if (gates == PATCH_COSTS_GATES_MAX || !gate_of(entry->d_name, gate))
            continue;
        len = snprintf(path, sizeof(path), "%s/rings/%s", state, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof(path) || lstat(path, &info) != 0 ||
            !S_ISREG(info.st_mode) || is_old(&info, now_ms, age_ms) ||
            file_read(path, FILE_MAX, &text, &size, NULL) != GUARD_OK)
            continue;
        gates++;
        take_text((const char *)text, gate, told, ctx);
        free(text);
    }
    if (dir != NULL)
        closedir(dir);
}

struct summing {
    struct guard_span service;
    const struct guard_patch *patches;
    uint32_t count;
    struct patch_cost *out;
};

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void add(uint64_t *sum, uint64_t more)
{
    *sum = more <= INT64_MAX - *sum ? *sum + more : INT64_MAX;
}

static void sum_up(void *ctx, const char *gate, struct guard_span service, struct guard_span patch,
                   const struct patch_cost *cost)
{
    struct summing *summing = ctx;
    (void)gate;
    for (uint32_t i = 0; i < summing->count && same(service, summing->service); i++) {
        struct patch_cost *sum = &summing->out[i];
        if (!same(patch, summing->patches[i].id))
            continue;
        add(&sum->tried, cost->tried);
        add(&sum->held, cost->held);
        add(&sum->bytes, cost->bytes);
        add(&sum->timed, cost->timed);
        add(&sum->timed_ns, cost->timed_ns);
        return;
    }
}

void patch_costs_of(const char *state, struct guard_span service, const struct guard_patch *patches,
                    uint32_t count, struct patch_cost *out)
{
    struct summing summing = {service, patches, count, out};
    if (count > 0)
        memset(out, 0, count * sizeof(*out));
    patch_costs_read(state, 0, 0, sum_up, &summing);
}

void patch_cost_json(struct json_writer *json, const struct patch_cost *cost)
{
    json_open(json, "cost", '{');
    json_integer(json, "tried", (int64_t)cost->tried);
    json_integer(json, "held", (int64_t)cost->held);
    json_integer(json, "bytes", (int64_t)cost->bytes);
    json_integer(json, "timed", (int64_t)cost->timed);
    json_integer(json, "timed_ns", (int64_t)cost->timed_ns);
    json_close(json, '}');
}
