/* SPDX-License-Identifier: Apache-2.0 */
/* What both forms of the report share. */
#include "eval_report.h"

#include "command.h"
#include "common/file.h"

#include <guard/crypto.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1 << 20, LAST_BYTES = 256 << 20, BLOCK = 64 * 1024 };

#ifndef GUARD_VERSION
#define GUARD_VERSION "development"
#endif

bool eval_json_print(void (*write)(void *ctx, struct json_writer *json), void *ctx)
{
    for (size_t cap = FIRST_BYTES; cap <= LAST_BYTES; cap *= 2) {
        struct json_writer json;
        char *text = malloc(cap);
        if (text == NULL)
            break;
        json_writer_init(&json, text, cap);
        write(ctx, &json);
        if (!json.overflow) {
            fwrite(text, 1, json.len, stdout);
            fputc('\n', stdout);
            free(text);
            return true;
        }
        free(text);
    }
    return complain(0, "no memory for the report") != 0;
}

const char *eval_short_digest(const uint8_t digest[GUARD_DIGEST_BYTES], char out[17])
{
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return out;
}

const char *eval_alpha_text(double alpha, char out[16])
{
    snprintf(out, 16, "%.3g", alpha);
    char *exponent = strstr(out, "e-0");
    if (exponent != NULL)
        memmove(exponent + 2, exponent + 3, strlen(exponent + 3) + 1);
    return out;
}

static void update(struct guard_digest_state *state, const char *text)
{
    guard_digest_update(state, (struct guard_span){(const uint8_t *)text, strlen(text) + 1});
}

static bool digest_file(struct guard_digest_state *state, const char *path)
{
    uint8_t block[BLOCK];
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    if (file == NULL)
        return strcmp(path, "-") == 0 || complain(0, "%s: %s", path, strerror(errno)) != 0;
    for (size_t n = BLOCK; n == BLOCK;) {
        n = fread(block, 1, BLOCK, file);
        guard_digest_update(state, (struct guard_span){block, n});
    }
    bool good = ferror(file) == 0;
    fclose(file);
    return good || complain(0, "%s: can't be read", path) != 0;
}

bool eval_report_digest(struct eval_run *run)
{
    const struct eval_settings *settings = run->settings;
    struct guard_digest_state state;
    char text[256];
    guard_digest_begin(&state);
    update(&state, "guard " GUARD_VERSION);
    snprintf(text, sizeof(text), "support %u learn %llu likeness %d signatures %d rules %d",
             settings->support, (unsigned long long)settings->learn_max, judge_has_likeness(),
             judge_has_signatures(), GUARD_RULE_COUNT);
    update(&state, text);
    for (int i = 0; i < run->detector_count; i++) {
        snprintf(text, sizeof(text), "%s %.17g", eval_column_name(run->detectors[i].column),
                 run->detectors[i].alpha);
        update(&state, text);
    }
    for (int i = 0; i < run->set->count; i++) {
        snprintf(text, sizeof(text), "file %d", (int)run->set->files[i].role);
        update(&state, text);
        if (!digest_file(&state, run->set->files[i].path))
            return false;
    }
    guard_digest_end(&state, run->digest);
    return true;
}
