/* SPDX-License-Identifier: Apache-2.0 */
/* How many alerts match, when they were, and the cursors of pages anywhere among them: with it a
 * list of any length is shown by its parts, from both ends and in the middle. */
#include "handlers.h"

#include "logs.h"
#include "problem.h"

#include <stdlib.h>

enum {
    MARK_STEP =
        API_PAGE_MAX, /* lines from cursor to cursor, doubled when there would be too many */
    MARKS_MAX = 4096,
    BINS = 120,
    BIN_MS = 1000, /* doubled until all are within the bins */
};
/* What is older than that before the newest has a wrong clock. */
static const uint64_t SPAN_MS = UINT64_C(400) * 86400 * 1000;

struct alert_index {
    uint64_t lines;
    uint64_t alerts; /* lines stand for several */
    uint32_t step;
    uint32_t mark_count;
    struct log_position marks[MARKS_MAX];
    uint64_t until_ms;   /* the newest line */
    uint64_t bin_ms;     /* how long a bin is */
    uint64_t bins[BINS]; /* alerts by time, from the newest back */
};

/* What is counted while it grows, and who asks. */
struct indexing {
    struct alert_index *index;
    const struct api_request *request;
};

static void mark(struct alert_index *index, const struct log_position *at)
{
    if (index->lines % index->step != 0)
        return;
    if (index->mark_count == MARKS_MAX) {
        for (uint32_t i = 0; i < MARKS_MAX / 2; i++)
            index->marks[i] = index->marks[(size_t)i * 2];
        index->mark_count = MARKS_MAX / 2;
        index->step *= 2;
    }
    index->marks[index->mark_count++] = *at;
}

static void count_at(struct alert_index *index, uint64_t at_ms, uint64_t count)
{
    if (index->lines == 0)
        index->until_ms = at_ms;
    uint64_t age_ms = at_ms < index->until_ms ? index->until_ms - at_ms : 0;
    if (age_ms > SPAN_MS)
        return;
    while (age_ms / index->bin_ms >= BINS) {
        for (uint32_t i = 0; i < BINS; i++) {
            uint64_t both = i < BINS / 2 ? index->bins[(size_t)i * 2] + index->bins[i * 2 + 1] : 0;
            index->bins[i] = both;
        }
        index->bin_ms *= 2;
    }
    index->bins[age_ms / index->bin_ms] += count;
}

static bool take(void *ctx, struct guard_span line)
{
    const struct indexing *indexing = ctx;
    struct alert_index *index = indexing->index;
    if (logs_line_text(indexing->request, line)) {
        uint64_t count = log_number(line, "\"count\":");
        uint64_t last_ms = log_number(line, "\"last_ms\":");
        count = count < UINT32_MAX ? count : UINT32_MAX;
        mark(index, &indexing->request->scan.at);
        count_at(index, last_ms != 0 ? last_ms : log_number(line, "\"time_ms\":"), count);
        index->lines++;
        index->alerts += count;
    }
    return true;
}

/* index is freed. */
static void answer(struct alert_index *index, struct api_response *response)
{
    struct json_writer json;
    char cursor[LOG_POSITION_CAP];
    response->bytes = NULL;
    if (api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_integer(&json, "lines", (int64_t)index->lines);
        json_integer(&json, "alerts", (int64_t)index->alerts);
        json_integer(&json, "step", index->step);
        json_open(&json, "cursors", '[');
        for (uint32_t i = 0; i < index->mark_count; i++) {
            log_position_write(&index->marks[i], cursor);
            json_text(&json, NULL, cursor);
        }
        json_close(&json, ']');
        json_integer(&json, "until_ms", (int64_t)index->until_ms);
        json_integer(&json, "bin_ms", (int64_t)index->bin_ms);
        json_open(&json, "bins", '[');
        for (uint32_t i = 0; index->lines > 0 && i < BINS; i++)
            json_integer(&json, NULL, (int64_t)index->bins[i]);
        json_close(&json, ']');
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    free(index);
}

/* What is counted lies where the answer will, so that it goes with the request however that ends.
 */
static bool begin(struct api *api, struct api_request *request, struct api_response *response)
{
    char newest[LOG_POSITION_CAP];
    if (!logs_begin(api, request, response, "alerts.jsonl", newest))
        return false;
    struct alert_index *index = calloc(1, sizeof(*index));
    if (index == NULL) {
        problem(response, 500, "failed", NULL, "no memory");
        return false;
    }
    index->step = MARK_STEP;
    index->bin_ms = BIN_MS;
    response->bytes = (char *)index;
    request->scan.begun = true;
    return true;
}

enum api_step api_alert_index(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    if (!request->scan.begun && !begin(api, request, response))
        return API_DONE;
    struct indexing indexing = {(struct alert_index *)(void *)response->bytes, request};
    enum log_step step =
        log_scan_back(&request->scan, api->view.state, "alerts.jsonl", take, &indexing);
    if (step == LOG_MORE)
        return API_AGAIN;
    if (step == LOG_NOMEM) {
        free(response->bytes);
        response->bytes = NULL;
        problem(response, 500, "failed", NULL, "no memory");
        return API_DONE;
    }
    answer(indexing.index, response);
    return API_DONE;
}
