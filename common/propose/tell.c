/* SPDX-License-Identifier: Apache-2.0 */
/* A proposal for people, in lines, and for programs, as JSON. What is shown of an exploit is
 * cleaned: it comes from strangers. */
#include "common/propose/propose.h"

#include "common/clean.h"
#include "common/eval_interval.h"
#include "common/guardian_patch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 1024, TEXT_MAX = 640, METHOD_MAX = 64, TARGET_MAX = 160 };

static void say(const struct line_sink *sink, const char *format, ...) GUARD_PRINTF(2, 3);

static void say(const struct line_sink *sink, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    sink->line(sink->ctx, line);
}

static const char *shown(char *room, size_t cap, struct guard_span text)
{
    return clean(room, cap, (const char *)text.ptr, text.len);
}

static const char *step_words(enum generalise_step step)
{
    static const char *const words[] = {"kept",
                                        "left out: asks for state, or looks at what was done",
                                        "left out: nothing in it that others don't send"};
    return words[step];
}

static void say_steps(const struct exploit *exploit, const struct generalised *made,
                      const struct line_sink *sink)
{
    char method[METHOD_MAX];
    char target[TARGET_MAX];
    char text[TEXT_MAX];
    for (uint32_t i = 0; i < exploit->request_count; i++) {
        const struct exploit_request *request = &exploit->requests[i];
        say(sink, "request %u (line %u), %s %s: %s", i + 1, request->line,
            shown(method, sizeof(method), request->method),
            shown(target, sizeof(target), request->target), step_words(made->steps[i]));
        for (uint32_t k = 0; k < made->line_count; k++) {
            if (made->lines[k].request == i && made->steps[i] == GENERALISE_STEP_KEPT)
                say(sink, "  %s %s", made->lines[k].kept ? "keeps " : "leaves",
                    shown(text, sizeof(text), made->lines[k].text));
        }
    }
}

static void say_notes(const struct exploit *exploit, const struct generalised *made,
                      const struct line_sink *sink)
{
    if (!exploit_whole(exploit))
        say(sink, "parts of the description couldn't be read: guard exploit names them");
    if (made->branches_left_out > 0)
        say(sink, "%u ways of the exploit had no room in one patch", made->branches_left_out);
    if (made->lines_left_out > 0)
        say(sink, "%u more lines of this explanation were left out", made->lines_left_out);
}

static void say_rate(const struct line_sink *sink, const char *what,
                     const struct proposal_rate *rate)
{
    struct eval_interval interval = eval_interval(rate->hits, rate->of);
    say(sink, "%-28s %" PRIu64 " of %" PRIu64 " (95 %%: %.2f %% to %.2f %%)", what, rate->hits,
        rate->of, 100 * interval.low, 100 * interval.high);
}

static void say_rates(const struct proposal *proposal, const struct line_sink *sink)
{
    const struct proposal_rates *rates = &proposal->rates;
    say_rate(sink, "stops of the exploit:", &rates->exploit);
    say_rate(sink, "stops of its other codings:", &rates->rewritten);
    if (proposal->benign_asked)
        say_rate(sink, "stops of benign traffic:", &rates->benign);
    else
        say(sink, "benign traffic wasn't given (--traffic): look at its hits in shadow first");
    if (proposal->reach.known)
        say(sink, "looks at no more than %" PRIu64 " of %" PRIu64 " exchanges that were learned",
            proposal->reach.exchanges, proposal->reach.of);
    if (rates->benign.hits < proposal->before.hits)
        say(sink, "narrowed: as first made it stopped %" PRIu64 " of the benign requests",
            proposal->before.hits);
    if (!proposal->enforceable)
        say(sink, "NOT ENFORCEABLE: it stops benign requests, and nothing that was found tells the "
                  "exploit from them: it only alerts");
}

void proposal_lines(const struct exploit *exploit, const struct proposal *proposal,
                    const struct line_sink *sink)
{
    const struct generalised *made = &proposal->made;
    if (made->narrowness != GENERALISE_NOTHING) {
        say(sink, "narrowness: %s: %s", generalise_narrowness_name(made->narrowness),
            generalise_narrowness_words(made->narrowness));
        say_rates(proposal, sink);
    }
    say_steps(exploit, made, sink);
    say_notes(exploit, made, sink);
}

static void put_rate(struct json_writer *json, const char *name, const struct proposal_rate *rate)
{
    struct eval_interval interval = eval_interval(rate->hits, rate->of);
    json_open(json, name, '{');
    json_integer(json, "hits", (int64_t)rate->hits);
    json_integer(json, "of", (int64_t)rate->of);
    json_number(json, "low", interval.low);
    json_number(json, "high", interval.high);
    json_close(json, '}');
}

static void put_rates(struct json_writer *json, const struct proposal *proposal)
{
    put_rate(json, "exploit", &proposal->rates.exploit);
    put_rate(json, "rewritten", &proposal->rates.rewritten);
    if (proposal->benign_asked)
        put_rate(json, "benign", &proposal->rates.benign);
    else
        json_null(json, "benign");
    json_integer(json, "benign_before", (int64_t)proposal->before.hits);
    if (proposal->reach.known) {
        json_open(json, "reach", '{');
        json_integer(json, "exchanges", (int64_t)proposal->reach.exchanges);
        json_integer(json, "of", (int64_t)proposal->reach.of);
        json_close(json, '}');
    } else {
        json_null(json, "reach");
    }
}

static void put_request(struct json_writer *json, const struct exploit *exploit,
                        const struct generalised *made, uint32_t index)
{
    static const char *const steps[] = {"kept", "state", "usual"};
    const struct exploit_request *request = &exploit->requests[index];
    char text[TEXT_MAX];
    json_open(json, NULL, '{');
    json_integer(json, "line", request->line);
    json_text(json, "method", shown(text, METHOD_MAX, request->method));
    json_text(json, "target", shown(text, TARGET_MAX, request->target));
    json_text(json, "step", steps[made->steps[index]]);
    json_open(json, "parts", '[');
    for (uint32_t k = 0; k < made->line_count; k++) {
        if (made->lines[k].request != index || made->steps[index] != GENERALISE_STEP_KEPT)
            continue;
        json_open(json, NULL, '{');
        json_bool(json, "kept", made->lines[k].kept);
        json_text(json, "text", shown(text, sizeof(text), made->lines[k].text));
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void put_line(void *ctx, const char *text)
{
    json_text(ctx, NULL, text);
}

enum guard_rc proposal_json(struct json_writer *json, const struct exploit *exploit,
                            const struct proposal *proposal, struct guard_arena *arena,
                            struct guard_err *err)
{
    const struct generalised *made = &proposal->made;
    const struct line_sink sink = {put_line, json};
    const bool any = made->narrowness != GENERALISE_NOTHING;
    struct guard_span document = GUARD_SPAN_LITERAL("");
    if (any)
        GUARD_TRY(patch_write(&made->patch, arena, &document, err));
    json_text(json, "format", exploit_format_name(exploit->format));
    json_bool(json, "whole", exploit_whole(exploit));
    json_text(json, "narrowness", generalise_narrowness_name(made->narrowness));
    json_text(json, "says", generalise_narrowness_words(made->narrowness));
    json_string(json, "id", any ? made->patch.id : document);
    json_bool(json, "enforceable", any && proposal->enforceable);
    if (any)
        put_rates(json, proposal);
    json_open(json, "requests", '[');
    for (uint32_t i = 0; i < exploit->request_count; i++)
        put_request(json, exploit, made, i);
    json_close(json, ']');
    json_open(json, "lines", '[');
    proposal_lines(exploit, proposal, &sink);
    json_close(json, ']');
    json_string(json, "document", document);
    return GUARD_OK;
}
