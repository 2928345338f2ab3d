/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of outputs come from people's editors, alerts' texts from whoever attacks: whatever the
 * bytes, reading ends with outputs within their limits or a refusal, and an alert in any form stays
 * within its buffer, with a frame that is as long as it says. */
#include "common/document.h"
#include "common/file.h"
#include "common/outputs/form.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cfg(const struct output_cfg *cfg)
{
    if (strlen(cfg->name) == 0 || strlen(cfg->name) > OUTPUT_NAME_MAX ||
        strlen(cfg->target) > OUTPUT_TEXT_MAX || cfg->target[0] == '\0' ||
        cfg->service_count > OUTPUT_SERVICES_MAX || cfg->batch < 1 ||
        cfg->batch > OUTPUT_BATCH_MAX || cfg->actions == 0 || cfg->kind >= OUTPUT_KINDS)
        abort();
    bool http = cfg->kind == OUTPUT_WEBHOOK || cfg->kind == OUTPUT_ALERTMANAGER;
    if (http != (cfg->path[0] == '/'))
        abort();
}

static void check_forms(const struct document_node *alert, struct guard_span line)
{
    static const struct output_place place = {.host = "h", .pid = 1, .now_ms = 1, .fold_ms = 60000};
    static char out[OUTPUT_ALERT_MAX];
    for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
        const struct output_cfg cfg = {
            .kind = (enum output_kind)kind, .form = OUTPUT_OF_ECS, .facility = 16, .actions = 7};
        (void)output_wants(&cfg, alert);
        for (size_t cap = sizeof(out); cap > 200; cap /= 3) {
            size_t len = output_write(out, cap, &cfg, &place, alert, line);
            if (len > cap)
                abort();
            if (kind != OUTPUT_SYSLOG || len == 0)
                continue;
            char *message = NULL;
            size_t said = strtoul(out, &message, 10);
            if (message[0] != ' ' || said != len - (size_t)(message + 1 - out) ||
                memchr(out, '\n', len) != NULL)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outputs_document outputs;
    const struct guard_span bytes = {data, size};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (outputs_parse(&outputs, "o", bytes, &arena, &err) == GUARD_OK) {
        for (uint32_t i = 0; i < outputs.count; i++)
            check_cfg(&outputs.list[i]);
    }
    guard_arena_reset(&arena);
    if (document_parse(&document, "a", bytes, &arena, &err) == GUARD_OK)
        check_forms(document.root, bytes);
    guard_arena_reset(&arena);
    return 0;
}
