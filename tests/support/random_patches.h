/* SPDX-License-Identifier: Apache-2.0 */
/* Patches and messages made of bytes, and what must hold of every verdict on them: the scan, a
 * missing matcher and looks at what came so far change nothing that counts. Of fuzzing and of
 * properties. */
#ifndef GUARD_TEST_RANDOM_PATCHES_H
#define GUARD_TEST_RANDOM_PATCHES_H

#include "tests/support/naive_matcher.h"

#include <guard/policy.h>
#include <guard/txn.h>

#include <stdio.h>

enum {
    DRAWN_PATCHES = 6,
    DRAWN_CONDITIONS = 64,
    DRAWN_CHILDREN = 3,
    DRAWN_DEPTH = 3,
    DRAWN_LIST = 2,
    DRAWN_BODY = 2048,
    DRAWN_TEXT = 256,
    DRAWN_HEADERS = 3,
};

/* What is drawn from; behind its end all is 0. */
struct draw {
    const uint8_t *ptr;
    size_t len;
};

static inline uint32_t draw_below(struct draw *draw, uint32_t bound)
{
    if (draw->len == 0)
        return 0;
    draw->len--;
    return *draw->ptr++ % bound;
}

#define DRAW_ONE_OF(draw, list) (list)[draw_below((draw), sizeof(list) / sizeof((list)[0]))]

static inline struct guard_span drawn_span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* Few, so that what is looked for is often there; each in several forms. */
static const char *const drawn_texts[] = {
    "evil", "vi",   "..",          "a",     "b",         "${jndi:", "%65vil", "EVIL",
    "/",    "/etc", "&#101;vil",   "\n",    "\\u0065vi", "1",       "12",     "__proto__",
    "a.b",  "a[]",  "%2565vil",    "../..", "x=a",       "\"",      "a b",    "b].a",
    "ab",   "200",  "1' or 1=1--", "POST",  "\xc1\xa5v", "",
};
/* Those that naive searching line by line finds as well as in each value. */
static const char *const drawn_expressions[] = {"ev+i",     "^evil",    "il$", "a|b",
                                                "[0-9]{2}", "(e|E)vil", "^a",  "x?1"};
static const char *const drawn_names[] = {"a", "b", "a*", "*", "x-a", "a.b", "*b", "a[].b"};
static const char *const drawn_types[] = {"application/json",
                                          "application/x-www-form-urlencoded",
                                          "multipart/form-data; boundary=B",
                                          "text/plain",
                                          "application/graphql",
                                          "application/octet-stream",
                                          "application/grpc",
                                          "text/event-stream"};

struct drawn_patches {
    struct guard_patch patches[DRAWN_PATCHES];
    uint32_t count;
    struct guard_patch_condition conditions[DRAWN_PATCHES][DRAWN_CONDITIONS];
    struct guard_span texts[DRAWN_PATCHES][DRAWN_CONDITIONS][DRAWN_LIST];
    struct guard_span names[DRAWN_PATCHES][DRAWN_CONDITIONS][DRAWN_LIST];
    uint32_t used;
    struct guard_span path;
    struct guard_span method;
};

static inline void draw_leaf(struct draw *draw, struct drawn_patches *drawn,
                             struct guard_patch_condition *condition, size_t index)
{
    struct guard_span *texts = drawn->texts[drawn->count][index];
    struct guard_span *names = drawn->names[drawn->count][index];
    condition->op = (enum guard_patch_operator)(
        GUARD_OPERATOR_PRESENT + draw_below(draw, GUARD_OPERATORS - GUARD_OPERATOR_PRESENT));
    condition->view = (enum guard_patch_view)draw_below(draw, 3);
    condition->places = draw_below(draw, 3) == 0 ? 0 : 1u << draw_below(draw, 13);
    condition->places |= draw_below(draw, 3) != 1 ? 0 : 1u << draw_below(draw, 13);
    condition->on_names = draw_below(draw, 4) == 1;
    condition->texts = texts;
    condition->names = names;
    condition->name_count = draw_below(draw, 3) == 1 ? 1 + draw_below(draw, DRAWN_LIST) : 0;
    for (uint32_t i = 0; i < condition->name_count; i++)
        names[i] = drawn_span(DRAW_ONE_OF(draw, drawn_names));
    switch ((int)condition->op) {
    case GUARD_OPERATOR_CONTAINS:
    case GUARD_OPERATOR_EQUALS:
    case GUARD_OPERATOR_BEGINS:
    case GUARD_OPERATOR_ENDS:
        condition->ignore_case = draw_below(draw, 2) == 1;
        condition->text_count = 1 + draw_below(draw, DRAWN_LIST);
        for (uint32_t i = 0; i < condition->text_count; i++)
            texts[i] = drawn_span(DRAW_ONE_OF(draw, drawn_texts));
        break;
    case GUARD_OPERATOR_REGEX:
        condition->ignore_case = draw_below(draw, 2) == 1;
        condition->text_count = 1;
        texts[0] = drawn_span(DRAW_ONE_OF(draw, drawn_expressions));
        break;
    case GUARD_OPERATOR_CHARSET:
        condition->text_count = 1;
        texts[0] = drawn_span("a-z0-9");
        break;
    case GUARD_OPERATOR_PRESENT:
        condition->min = condition->max = draw_below(draw, 2) == 0 ? -1 : 0;
        break;
    case GUARD_OPERATOR_TYPE:
        condition->types = 1u << draw_below(draw, GUARD_TYPE_COUNT);
        break;
    case GUARD_OPERATOR_LIKENESS:
        condition->likeness = 1u << draw_below(draw, 4);
        break;
    case GUARD_OPERATOR_LENGTH:
    case GUARD_OPERATOR_COUNT:
    case GUARD_OPERATOR_RANGE:
        condition->min = (int64_t)draw_below(draw, 8) - 1;
        condition->max = draw_below(draw, 2) == 0 ? -1 : condition->min + draw_below(draw, 40) + 1;
        break;
    default:
        break;
    }
}

static inline void draw_condition(struct draw *draw, struct drawn_patches *drawn,
                                  struct guard_patch_condition *condition, uint32_t depth)
{
    size_t index = (size_t)(condition - drawn->conditions[drawn->count]);
    condition->min = condition->max = -1;
    uint32_t kind = draw_below(draw, 6);
    if (kind > 2 || depth == DRAWN_DEPTH || drawn->used + DRAWN_CHILDREN > DRAWN_CONDITIONS) {
        draw_leaf(draw, drawn, condition, index);
        return;
    }
    condition->op = (enum guard_patch_operator)kind;
    condition->children = &drawn->conditions[drawn->count][drawn->used];
    condition->child_count = kind == GUARD_OPERATOR_NOT ? 1 : 1 + draw_below(draw, DRAWN_CHILDREN);
    struct guard_patch_condition *children = &drawn->conditions[drawn->count][drawn->used];
    drawn->used += condition->child_count;
    for (uint32_t i = 0; i < condition->child_count; i++)
        draw_condition(draw, drawn, &children[i], depth + 1);
}

/* Those that a document could hold. */
static inline void draw_patches(struct draw *draw, struct drawn_patches *drawn)
{
    static const char *const ids[DRAWN_PATCHES] = {"P0", "P1", "P2", "P3", "P4", "P5"};
    uint32_t count = 1 + draw_below(draw, DRAWN_PATCHES);
    memset(drawn, 0, sizeof(*drawn));
    drawn->path = drawn_span("/a/{*}");
    drawn->method = drawn_span("POST");
    for (uint32_t i = 0; i < count; i++) {
        struct guard_patch *patch = &drawn->patches[drawn->count];
        struct guard_patch_condition *root = drawn->conditions[drawn->count];
        memset(root, 0, sizeof(drawn->conditions[0]));
        drawn->used = 1;
        *patch = (struct guard_patch){.id = drawn_span(ids[drawn->count]),
                                      .part = (enum guard_patch_part)(draw_below(draw, 4) == 3),
                                      .mode = (enum guard_patch_mode)(2 - draw_below(draw, 2)),
                                      .action = GUARD_PATCH_BLOCK};
        patch->endpoints = &drawn->path;
        patch->endpoint_count = draw_below(draw, 6) == 1;
        patch->methods = &drawn->method;
        patch->method_count = draw_below(draw, 6) == 1;
        draw_condition(draw, drawn, root, 0);
        patch->when = *root;
        drawn->count += guard_patch_check(patch, NULL) == GUARD_OK;
    }
}

struct drawn_message {
    char method[8];
    char target[DRAWN_TEXT];
    char headers[DRAWN_HEADERS][2][DRAWN_TEXT];
    uint32_t header_count;
    const char *type; /* NULL: no body */
    char body[DRAWN_BODY];
    size_t body_len;
    char answer[DRAWN_TEXT];
    uint32_t status;
    size_t chunk;
    size_t body_limit;
};

static inline void draw_append(char *to, size_t room, const char *text)
{
    size_t len = strlen(to);
    (void)snprintf(to + len, room - len, "%s", text);
}

static inline void draw_some(struct draw *draw, char *to, size_t room, const char *between)
{
    uint32_t count = draw_below(draw, 4);
    for (uint32_t i = 0; i < count; i++) {
        draw_append(to, room, i > 0 ? between : "");
        draw_append(to, room, DRAW_ONE_OF(draw, drawn_texts));
    }
}

static inline void draw_pairs(struct draw *draw, char *to, size_t room, const char *between)
{
    uint32_t count = draw_below(draw, 4);
    for (uint32_t i = 0; i < count; i++) {
        draw_append(to, room, i > 0 ? between : "");
        draw_append(to, room, DRAW_ONE_OF(draw, drawn_texts));
        draw_append(to, room, "=");
        draw_append(to, room, DRAW_ONE_OF(draw, drawn_texts));
    }
}

static inline void draw_json(struct draw *draw, char *to, size_t room, uint32_t depth)
{
    uint32_t kind = draw_below(draw, 5);
    bool list = kind == 1;
    if (depth == 4 || kind > 2) {
        draw_append(to, room, kind == 3 ? "" : "\"");
        draw_append(to, room, kind == 3 ? "12" : DRAW_ONE_OF(draw, drawn_texts));
        draw_append(to, room, kind == 3 ? "" : "\"");
        return;
    }
    draw_append(to, room, list ? "[" : "{");
    for (uint32_t i = 0, count = draw_below(draw, 4); i < count; i++) {
        draw_append(to, room, i > 0 ? "," : "");
        if (!list) {
            draw_append(to, room, "\"");
            draw_append(to, room, DRAW_ONE_OF(draw, drawn_texts));
            draw_append(to, room, "\":");
        }
        draw_json(draw, to, room, depth + 1);
    }
    draw_append(to, room, list ? "]" : "}");
}

static inline void draw_multipart(struct draw *draw, char *to, size_t room)
{
    for (uint32_t i = 0, count = draw_below(draw, 3); i < count; i++) {
        draw_append(to, room, "--B\r\nContent-Disposition: form-data; name=\"");
        draw_append(to, room, DRAW_ONE_OF(draw, drawn_names));
        if (draw_below(draw, 2) == 1) {
            draw_append(to, room, "\"; filename=\"");
            draw_append(to, room, DRAW_ONE_OF(draw, drawn_texts));
        }
        draw_append(to, room, "\"\r\n\r\n");
        draw_append(to, room, DRAW_ONE_OF(draw, drawn_texts));
        draw_append(to, room, "\r\n");
    }
    draw_append(to, room, "--B--\r\n");
}

static inline void draw_body(struct draw *draw, struct drawn_message *message, uint32_t kind)
{
    if (draw_below(draw, 4) == 3 && draw->len > 0) {
        size_t most = draw->len < DRAWN_BODY ? draw->len : DRAWN_BODY;
        memcpy(message->body, draw->ptr, most);
        message->body_len = most;
        return;
    }
    if (kind == 0) {
        draw_json(draw, message->body, sizeof(message->body), 0);
        /* Leaves that stand well before the end may stay in the body. */
        draw_append(message->body, sizeof(message->body), "                ");
    } else if (kind == 1)
        draw_pairs(draw, message->body, sizeof(message->body), "&");
    else if (kind == 2)
        draw_multipart(draw, message->body, sizeof(message->body));
    else
        draw_some(draw, message->body, sizeof(message->body), " ");
    message->body_len = strlen(message->body);
}

static inline void draw_message(struct draw *draw, struct drawn_message *message)
{
    static const char *const methods[] = {"GET", "POST", "PUT"};
    static const char *const paths[] = {"/a", "/a/", "/", "/b/../a/", "/evil/", "/%65vil/"};
    static const char *const names[] = {"X-A", "X-B", "Cookie", "A"};
    memset(message, 0, sizeof(*message));
    draw_append(message->method, sizeof(message->method), DRAW_ONE_OF(draw, methods));
    draw_append(message->target, DRAWN_TEXT, DRAW_ONE_OF(draw, paths));
    draw_some(draw, message->target, DRAWN_TEXT, "/");
    draw_append(message->target, DRAWN_TEXT, draw_below(draw, 2) == 1 ? "?" : "");
    draw_pairs(draw, message->target, DRAWN_TEXT, "&");
    message->header_count = draw_below(draw, DRAWN_HEADERS + 1);
    for (uint32_t i = 0; i < message->header_count; i++) {
        const char *name = DRAW_ONE_OF(draw, names);
        draw_append(message->headers[i][0], DRAWN_TEXT, name);
        draw_pairs(draw, message->headers[i][1], DRAWN_TEXT, "; ");
    }
    draw_some(draw, message->answer, DRAWN_TEXT, " ");
    message->status = 200 + 100 * draw_below(draw, 4);
    message->chunk = 1 + draw_below(draw, 64);
    if (message->chunk > 48)
        message->chunk = DRAWN_BODY;
    message->body_limit = draw_below(draw, 8) == 1 ? 16 : 0;
    uint32_t kind = draw_below(draw, 9);
    message->type = kind < 8 ? drawn_types[kind] : NULL;
    if (message->type != NULL)
        draw_body(draw, message, kind);
}

/* What became of each patch, as bits. */
struct drawn_outcome {
    uint32_t hits;
    uint32_t unseen;
    uint32_t early; /* hits before the message was complete */
};

struct drawn_run {
    const struct guard_policy *policy;
    const struct drawn_patches *patches;
    const struct guard_alloc *alloc;
    const struct guard_matcher *matcher;
    bool looks; /* at each chunk */
};

static inline void drawn_results(const struct drawn_run *run, struct guard_txn *txn, bool response,
                                 uint32_t *hits, uint32_t *unseen)
{
    const struct guard_patch_result *results;
    uint32_t count = guard_txn_patches(txn, response, &results);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < run->patches->count; k++) {
            if (results[i].id.ptr[1] != run->patches->patches[k].id.ptr[1])
                continue;
            *hits |= (uint32_t)results[i].hit << k;
            *unseen |= (uint32_t)results[i].unseen << k;
        }
    }
}

static inline void drawn_explain(struct guard_txn *txn, const struct guard_verdict *verdict)
{
    char line[256], observed[64], expected[64];
    (void)guard_explain(verdict, guard_txn_method(txn), guard_txn_template(txn), line,
                        sizeof(line));
    for (uint32_t i = 0; i < verdict->finding_count; i++)
        guard_finding_texts(&verdict->findings[i], observed, sizeof(observed), expected,
                            sizeof(expected));
}

static inline void drawn_request(const struct drawn_run *run, struct guard_txn *txn,
                                 const struct drawn_message *message, struct drawn_outcome *outcome)
{
    uint32_t ignored = 0;
    guard_txn_request(txn, drawn_span(message->method), drawn_span(message->target), 11);
    for (uint32_t i = 0; i < message->header_count; i++)
        guard_txn_header(txn, drawn_span(message->headers[i][0]),
                         drawn_span(message->headers[i][1]));
    if (message->type != NULL)
        guard_txn_header(txn, drawn_span("Content-Type"), drawn_span(message->type));
    (void)guard_txn_headers_end(txn);
    for (size_t at = 0; at < message->body_len; at += message->chunk) {
        size_t len = message->body_len - at;
        len = len < message->chunk ? len : message->chunk;
        guard_txn_body(txn, (struct guard_span){(const uint8_t *)message->body + at, len});
        if (!run->looks)
            continue;
        (void)guard_txn_request_check(txn, run->policy);
        drawn_results(run, txn, false, &outcome->early, &ignored);
    }
    drawn_explain(txn, guard_txn_request_end(txn));
    drawn_results(run, txn, false, &outcome->hits, &outcome->unseen);
}

static inline void drawn_response(const struct drawn_run *run, struct guard_txn *txn,
                                  const struct drawn_message *message,
                                  struct drawn_outcome *outcome)
{
    uint32_t ignored = 0;
    struct guard_span body = drawn_span(message->answer);
    if (guard_txn_response_begin(txn, message->status) != GUARD_OK)
        return;
    guard_txn_response_header(txn, drawn_span("Set-Cookie"), drawn_span("a=evil; Path=/"));
    guard_txn_response_header(txn, drawn_span("Content-Type"), drawn_span("text/plain"));
    (void)guard_txn_response_headers_end(txn);
    guard_txn_response_body(txn, (struct guard_span){body.ptr, body.len / 2});
    if (run->looks) {
        (void)guard_txn_response_check(txn, run->policy);
        drawn_results(run, txn, true, &outcome->early, &ignored);
    }
    guard_txn_response_body(txn,
                            (struct guard_span){body.ptr + body.len / 2, body.len - body.len / 2});
    drawn_explain(txn, guard_txn_response_end(txn));
    drawn_results(run, txn, true, &outcome->hits, &outcome->unseen);
}

static inline struct drawn_outcome drawn_send(const struct drawn_run *run,
                                              const struct drawn_message *message)
{
    struct drawn_outcome outcome = {0, 0, 0};
    struct guard_arena arena;
    struct guard_txn *txn = NULL;
    const struct guard_txn_cfg cfg = {.policy = run->policy,
                                      .service = drawn_span("shop"),
                                      .body_limit = message->body_limit,
                                      .matcher = run->matcher};
    guard_arena_init(&arena, run->alloc, 256 * 1024);
    if (guard_txn_begin(&txn, &cfg, &arena) == GUARD_OK) {
        drawn_request(run, txn, message, &outcome);
        drawn_response(run, txn, message, &outcome);
    }
    guard_arena_reset(&arena);
    return outcome;
}

/* Bodies without an end forget what was looked at. */
static inline bool drawn_is_endless(const struct drawn_message *message)
{
    return message->type == drawn_types[6] || message->type == drawn_types[7];
}

static inline const char *drawn_compare(const struct drawn_message *message,
                                        const struct drawn_outcome *found,
                                        const struct drawn_outcome *tried,
                                        const struct drawn_outcome *bare,
                                        const struct drawn_outcome *looked)
{
    if (found->hits != tried->hits)
        return "the scan changes what hits";
    if ((found->unseen & ~tried->unseen) != 0)
        return "the scan makes a patch unseen";
    if ((tried->hits & ~(bare->hits | bare->unseen)) != 0)
        return "without a matcher a patch is silently false";
    if ((bare->hits & ~tried->hits) != 0)
        return "without a matcher a patch hits that doesn't";
    if (drawn_is_endless(message))
        return NULL;
    if (looked->hits != found->hits)
        return "looks on the way change what hits";
    if ((looked->early & ~looked->hits) != 0)
        return "a patch hits what came so far, and not the whole";
    return NULL;
}

/* NULL, or what doesn't hold. */
static inline const char *drawn_broken(const struct guard_policy *policy,
                                       const struct drawn_patches *patches,
                                       const struct drawn_message *message,
                                       const struct guard_alloc *alloc)
{
    struct naive_matcher quick = {.policy = policy};
    struct naive_matcher slow = {.policy = policy, .no_scan = true};
    const struct guard_matcher scanning = {&quick, naive_scan, naive_find};
    const struct guard_matcher trying = {&slow, naive_scan, naive_find};
    struct drawn_run run = {policy, patches, alloc, &scanning, false};
    const struct drawn_outcome found = drawn_send(&run, message);
    run.matcher = &trying;
    const struct drawn_outcome tried = drawn_send(&run, message);
    run.matcher = NULL;
    const struct drawn_outcome bare = drawn_send(&run, message);
    run.matcher = &scanning;
    run.looks = true;
    const struct drawn_outcome looked = drawn_send(&run, message);
    const char *broken = drawn_compare(message, &found, &tried, &bare, &looked);
    if (broken != NULL)
        fprintf(stderr, "hits %x %x %x %x, early %x, unseen %x %x %x\n", found.hits, tried.hits,
                bare.hits, looked.hits, looked.early, found.unseen, tried.unseen, bare.unseen);
    return broken;
}

#endif
