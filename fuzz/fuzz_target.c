/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request target, a Cookie header and a Content-Type: no crash, no leak, and nothing
 * decoded twice. */
#include "http/target.h"
#include "http_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_all(struct guard_span text, uint64_t fail_at)
{
    static const struct gd_limits limits = {
        .names = 64, .leaves = 4096, .depth = 64, .value = 4096};
    struct http_run run = {.fail_at = fail_at};
    struct guard_alloc source = {&run, http_run_get, http_run_put};
    struct gd_view view = http_run_view(&run);
    struct gd_media_type media;
    struct guard_arena arena;
    guard_arena_init(&arena, &source, 256 * 1024);
    gd_target_view(text, &limits, &arena, &view);
    run.faults = 0;
    gd_cookie_view(text, &limits, &arena, &view);
    gd_media_type_parse(text, &arena, &media);
    if (gd_body_kind(&media) == GUARD_BODY_MULTIPART && media.boundary.len == 0)
        abort();
    uint64_t faults = 0;
    struct guard_span decoded = gd_percent_decode(text, true, &arena, &faults);
    /* Nothing grows, and a text without '%' and '+' comes back as it is. */
    if (decoded.len > text.len ||
        ((faults >> GUARD_FAULT_DOUBLE_ENCODED & 1) != 0 && decoded.len == text.len))
        abort();
    guard_arena_reset(&arena);
    if (run.live != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_all(gd_span(data, size), 0);
    run_all(gd_span(data, size), 1);
    return 0;
}
