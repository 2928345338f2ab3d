/* SPDX-License-Identifier: Apache-2.0 */
/* `guard export openapi`: opens what was learned and what people say, and lays the document out. */
#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/json_layout.h"
#include "common/openapi.h"
#include "export.h"
#include "service_files.h"
#include "state_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 256 << 20 };

struct source {
    char pile[STATE_PATH_MAX];
    char review[STATE_PATH_MAX];
    const char *pile_path;
    const char *review_path; /* NULL: none */
    struct guard_guardian guardian;
    bool said;
};

/* Which files they are, and the Guardian. False after a message. */
static bool source_open(struct source *source, const struct export_openapi *job,
                        struct guard_arena *arena)
{
    struct guard_err err;
    *source = (struct source){.pile_path = job->pile, .review_path = job->review};
    if (job->service != NULL) {
        const struct guard_span name = {(const uint8_t *)job->service, strlen(job->service)};
        if (!state_service_valid(name) ||
            state_path(source->pile, job->dir, "piles", name, ".pile") != GUARD_OK ||
            state_path(source->review, job->dir, "reviews", name, ".json") != GUARD_OK)
            return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
        source->pile_path = source->pile;
        if (job->review == NULL && access(source->review, F_OK) == 0)
            source->review_path = source->review;
        source->said = job->guardian == NULL;
        if (source->said && !state_guardian(job->dir, name, arena, &source->guardian))
            return false;
    }
    if (job->guardian == NULL)
        return true;
    source->said = true;
    return guardian_load(&source->guardian, job->guardian, arena, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "left out: %s\n", text);
}

static bool same_service(const struct source *source, const struct guard_model *model)
{
    const struct guard_span named = source->guardian.service;
    return !source->said ||
           (named.len == model->service.len &&
            memcmp(named.ptr, model->service.ptr, named.len) == 0) ||
           complain(0, "the pile is of service \"%.*s\", the Guardian of \"%.*s\"",
                    (int)model->service.len, (const char *)model->service.ptr, (int)named.len,
                    (const char *)named.ptr) != 0;
}

static bool write_document(const struct export_openapi *job, const struct source *source,
                           const struct guard_model *model, struct guard_arena *arena)
{
    const struct line_sink notes = {note, NULL};
    const struct openapi_cfg cfg = {.model = model,
                                    .guardian = source->said ? &source->guardian : NULL,
                                    .pending = job->pending,
                                    .notes = &notes};
    struct guard_span text;
    struct guard_err err;
    if (openapi_write(&cfg, arena, &text, &err) != GUARD_OK ||
        json_layout(text, job->json ? JSON_LAYOUT_LINES : JSON_LAYOUT_YAML, arena, &text, &err) !=
            GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return export_write(job->output, text);
}

int export_openapi(const struct export_openapi *job)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct source source;
    struct guard_model *model = NULL;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool good = source_open(&source, job, &arena);
    if (good) {
        struct guard_pile *pile = pile_open(source.pile_path, &cfg, NULL);
        model = pile != NULL ? pile_model_by(pile, source.said ? source.guardian.support : 4,
                                             source.review_path)
                             : NULL;
        guard_pile_free(pile);
    }
    good = model != NULL && same_service(&source, model) &&
           write_document(job, &source, model, &arena);
    guard_model_free(model);
    guard_arena_reset(&arena);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
