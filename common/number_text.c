/* SPDX-License-Identifier: Apache-2.0 */
/* See number_text.h. */
#include "common/number_text.h"

#include "common/text_line.h"

#include <inttypes.h>
#include <stdio.h>

enum { LEVELS = 8 };

/* Buckets that share a column. */
struct group {
    uint32_t first, end;
    double weight;
};

/* -1, 0, 1: below, within, beyond the limits. */
static int side_of(const struct number_view *view, const struct guard_bucket *bucket)
{
    const struct number_limit *lower = &view->limits[GUARD_END_LOWER];
    const struct number_limit *upper = &view->limits[GUARD_END_UPPER];
    if (lower->known && bucket->upper < lower->at)
        return -1;
    return upper->known && bucket->lower > upper->at;
}

/* No group lies on both sides of a limit. */
static struct group next_group(const struct number_view *view, uint32_t from)
{
    const struct guard_histogram *histogram = view->histogram;
    uint32_t most = (histogram->count + NUMBER_TEXT_GROUPS - 1) / NUMBER_TEXT_GROUPS;
    struct group group = {.first = from, .end = from};
    int side = side_of(view, &histogram->buckets[from]);
    while (group.end < histogram->count && group.end - from < most &&
           side_of(view, &histogram->buckets[group.end]) == side)
        group.weight += (double)histogram->buckets[group.end++].exchanges;
    return group;
}

static double heaviest(const struct number_view *view)
{
    double most = 0;
    for (uint32_t at = 0; at < view->histogram->count;) {
        struct group group = next_group(view, at);
        most = group.weight > most ? group.weight : most;
        at = group.end;
    }
    return most;
}

/* The nearest; whatever isn't empty is seen. */
static int level_of(double weight, double most)
{
    int level = most > 0 ? (int)(weight / most * (LEVELS - 1) + 0.5) : 0;
    return level < LEVELS - 1 ? level : LEVELS - 1;
}

static void draw(struct text_line *text, const struct number_view *view, bool blocks)
{
    static const char *const high[LEVELS] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                             "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const ascii[LEVELS] = {".", ":", "-", "=", "+", "*", "#", "@"};
    const struct guard_histogram *histogram = view->histogram;
    double most = heaviest(view);
    int side = side_of(view, &histogram->buckets[0]);
    for (uint32_t at = 0; at < histogram->count;) {
        struct group group = next_group(view, at);
        const struct guard_bucket *first = &histogram->buckets[group.first];
        if (side_of(view, first) != side)
            text_line_put(text, "|");
        else if (at > 0 && first->lower != histogram->buckets[at - 1].upper + 1)
            text_line_put(text, " ");
        side = side_of(view, first);
        int level = level_of(group.weight, most);
        text_line_put(text, "%s", blocks ? high[level] : ascii[level]);
        at = group.end;
    }
}

static void put_limits(struct text_line *text, const struct number_view *view)
{
    const struct number_limit *lower = &view->limits[GUARD_END_LOWER];
    const struct number_limit *upper = &view->limits[GUARD_END_UPPER];
    if (!lower->known && !upper->known) {
        text_line_put(text, "; no limit yet");
        return;
    }
    if (lower->known && upper->known)
        text_line_put(text, "; limit %" PRIu32 "..%" PRIu32, lower->at, upper->at);
    else
        text_line_put(text, "; limit %s %" PRIu32, upper->known ? "to" : "from",
                      upper->known ? upper->at : lower->at);
    if (!lower->armed && !upper->armed)
        text_line_put(text, ", not enforced");
    uint64_t beyond = lower->beyond + upper->beyond;
    if (beyond > 0)
        text_line_put(text, "; %" PRIu64 " of %" PRIu64 " beyond", beyond,
                      guard_histogram_exchanges(view->histogram));
}

bool number_text_tells(const struct number_view *view)
{
    bool of_message = view->number == GUARD_NUMBER_BODY || view->number == GUARD_NUMBER_TIME;
    return view->histogram->count > (of_message ? 0 : 1);
}

void number_text(const struct number_view *view, bool blocks, char out[NUMBER_TEXT_MAX])
{
    struct text_line text = {out, NUMBER_TEXT_MAX, 0};
    out[0] = '\0';
    if (view->histogram->count == 0)
        return;
    text_line_put(&text, "%-9s ", guard_number_name(view->number));
    draw(&text, view, blocks);
    text_line_put(&text, "  half to %" PRIu32 ", 99 of 100 to %" PRIu32 " %s",
                  guard_histogram_quantile(view->histogram, 500),
                  guard_histogram_quantile(view->histogram, 990), guard_number_unit(view->number));
    put_limits(&text, view);
}
