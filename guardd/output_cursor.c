/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor is replaced as a whole; one that a power cut damaged means beginning at the newest
 * alert, which is told. */
#include "output_cursor.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CURSOR_MAX = 8 * 1024 };

static bool path_of(char out[STATE_PATH_MAX], const char *state, const char *name,
                    const char *suffix)
{
    return state_path(out, state, "outputs",
                      (struct guard_span){(const uint8_t *)name, strlen(name)}, suffix) == GUARD_OK;
}

static uint64_t number(const struct document_node *root, const char *name)
{
    double value = number_of(root, name);
    return value >= 1 && value < 9e15 ? (uint64_t)value : 0;
}

static bool read_cursor(struct output_cursor *out, const struct document_node *root)
{
    struct output_cursor cursor = {0};
    if (!log_position_read(text_of(root, "position"), &cursor.at))
        return false;
    cursor.sequence = number(root, "sequence");
    cursor.delivered = number(root, "delivered");
    cursor.skipped = number(root, "skipped");
    cursor.refused = number(root, "refused");
    cursor.failures = number(root, "failures");
    cursor.sent_ms = number(root, "sent_ms");
    cursor.test_ms = number(root, "test_ms");
    snprintf(cursor.test_error, sizeof(cursor.test_error), "%s", text_of(root, "test_error"));
    *out = cursor;
    return true;
}

bool output_cursor_load(struct output_cursor *out, const char *state, const char *name,
                        bool *broken)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    *broken = false;
    if (!path_of(path, state, name, ".json"))
        return false;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    enum guard_rc rc = document_load(&document, path, &arena, &err);
    bool good = rc == GUARD_OK && read_cursor(out, document.root);
    *broken = !good && (rc != GUARD_E_IO || errno != ENOENT);
    guard_arena_reset(&arena);
    return good;
}

enum guard_rc output_cursor_save(const struct output *output, const char *state, uint64_t lag,
                                 struct guard_err *err)
{
    const struct output_cursor *cursor = &output->cursor;
    char path[STATE_PATH_MAX];
    char position[LOG_POSITION_CAP];
    char text[CURSOR_MAX];
    struct json_writer json;
    log_position_write(&cursor->at, position);
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_text(&json, "position", position);
    json_integer(&json, "sequence", (int64_t)cursor->sequence);
    json_integer(&json, "delivered", (int64_t)cursor->delivered);
    json_integer(&json, "skipped", (int64_t)cursor->skipped);
    json_integer(&json, "refused", (int64_t)cursor->refused);
    json_integer(&json, "failures", (int64_t)cursor->failures);
    json_integer(&json, "sent_ms", (int64_t)cursor->sent_ms);
    json_integer(&json, "lag", (int64_t)lag);
    json_integer(&json, "failing_since_ms", (int64_t)output->failing_ms);
    json_text(&json, "failure", output->failing_ms != 0 ? output->failure : "");
    json_integer(&json, "test_ms", (int64_t)cursor->test_ms);
    json_text(&json, "test_error", cursor->test_error);
    json_close(&json, '}');
    if (json.overflow || !path_of(path, state, output->cfg.name, ".json"))
        return guard_fail(err, GUARD_E_LIMIT, "the cursor of %s is too long", output->cfg.name);
    return file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, false,
                        err);
}

bool output_test_asked(const char *state, const char *name)
{
    char path[STATE_PATH_MAX];
    return path_of(path, state, name, ".test") && unlink(path) == 0;
}
