/* SPDX-License-Identifier: Apache-2.0 */
/* The ways of an exploit, put together into one patch. */
#include "common/generalise/generalise.h"

#include "common/generalise/branch.h"
#include "common/generalise/steps.h"

#include <string.h>

enum { TITLE_MAX = 200, WAYS_ROOM = GUARD_PATCH_CONDITIONS_MAX - 4 };

/* Requests that are told by the same: they differ in their path only. */
struct way {
    struct guard_patch_condition *condition; /* NULL: any request to the paths */
    struct guard_span method;
    const struct path **paths;
    uint32_t path_count;
    struct guard_patch_condition *syntax; /* of a path with syntax */
};

struct ways {
    struct way *ways;
    uint32_t count;
};

static bool same_condition(const struct guard_patch_condition *a,
                           const struct guard_patch_condition *b)
{
    return a == NULL || b == NULL ? a == b : condition_equal(a, b);
}

static bool has_path(const struct way *way, const struct path *path)
{
    for (uint32_t i = 0; i < way->path_count; i++) {
        if (span_equal(way->paths[i]->template_text, path->template_text))
            return true;
    }
    return false;
}

static bool joins(struct way *way, const struct branch *branch)
{
    const struct path *path = &branch->path;
    if (!span_equal(way->method, branch->message.exchange.method) ||
        !same_condition(way->condition, branch->condition) ||
        !same_condition(way->syntax, path->syntax))
        return false;
    if (path->syntax != NULL || path->template_text.len == 0)
        return way->path_count == 0;
    if (way->path_count == 0)
        return false;
    if (has_path(way, path))
        return true;
    if (way->path_count == GUARD_PATCH_LIST_MAX)
        return false;
    way->paths[way->path_count++] = path;
    return true;
}

static void add_way(struct work *work, struct ways *ways, const struct branch *branch)
{
    for (uint32_t i = 0; i < ways->count; i++) {
        if (joins(&ways->ways[i], branch))
            return;
    }
    struct way *way = &ways->ways[ways->count];
    *way = (struct way){.condition = branch->condition,
                        .method = branch->message.exchange.method,
                        .syntax = branch->path.syntax};
    way->paths = work_get(work, GUARD_PATCH_LIST_MAX * sizeof(*way->paths));
    if (way->paths == NULL)
        return;
    if (branch->path.syntax == NULL && branch->path.template_text.len > 0)
        way->paths[way->path_count++] = &branch->path;
    ways->count++;
}

/* Where a patch is for one endpoint its scope says so; else each way brings its own. */
static bool one_scope(const struct ways *ways)
{
    const struct way *first = &ways->ways[0];
    for (uint32_t i = 0; i < ways->count; i++) {
        const struct way *way = &ways->ways[i];
        if (way->path_count != first->path_count || way->path_count == 0)
            return false;
        for (uint32_t k = 0; k < way->path_count; k++) {
            if (!has_path(first, way->paths[k]) || way->paths[k]->ignore_case)
                return false;
        }
    }
    return true;
}

static struct guard_patch_condition *anything(struct work *work)
{
    return condition_new(work, GUARD_OPERATOR_PRESENT, GUARD_PLACE_PATH,
                         (struct guard_span){NULL, 0});
}

static struct guard_patch_condition *of_way(struct work *work, const struct way *way, bool scoped,
                                            bool methods)
{
    struct guard_span none = {NULL, 0};
    const struct guard_patch_condition *parts[4] = {NULL, NULL, NULL, NULL};
    if (methods)
        parts[0] =
            condition_text(work, GUARD_OPERATOR_EQUALS, GUARD_PLACE_METHOD, none, way->method);
    if (!scoped && way->path_count > 0)
        parts[1] = path_condition(work, way->paths, way->path_count);
    parts[2] = way->syntax;
    parts[3] = way->condition;
    struct guard_patch_condition *all = condition_group(work, GUARD_OPERATOR_ALL, parts, 4);
    return all != NULL ? all : anything(work);
}

static bool is_method(struct guard_span method)
{
    for (size_t i = 0; i < method.len; i++) {
        if (!byte_is_letter(method.ptr[i]) && method.ptr[i] != '-')
            return false;
    }
    return method.len > 0 && method.len <= 32;
}

/* "HEAD" is "GET" for services. */
static void set_methods(struct work *work, const struct ways *ways, struct guard_patch *patch)
{
    struct guard_span *methods = work_get(work, 8 * sizeof(*methods));
    uint32_t count = 0;
    if (methods == NULL)
        return;
    for (uint32_t i = 0; i < ways->count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < count; k++)
            known = known || span_equal(methods[k], ways->ways[i].method);
        if (known)
            continue;
        if (count == 7 || !is_method(ways->ways[i].method))
            return; /* any */
        methods[count++] = ways->ways[i].method;
    }
    for (uint32_t k = 0; k < count; k++) {
        if (span_equal(methods[k], GUARD_SPAN_LITERAL("GET"))) {
            methods[count++] = GUARD_SPAN_LITERAL("HEAD");
            break;
        }
    }
    patch->methods = methods;
    patch->method_count = count;
}

static bool same_methods(const struct ways *ways)
{
    for (uint32_t i = 1; i < ways->count; i++) {
        if (!span_equal(ways->ways[i].method, ways->ways[0].method))
            return false;
    }
    return true;
}

static void assemble(struct work *work, const struct ways *ways)
{
    struct guard_patch *patch = &work->out->patch;
    const struct guard_patch_condition **parts = work_get(work, (ways->count + 1) * sizeof(*parts));
    bool scoped = one_scope(ways);
    bool methods = !same_methods(ways);
    uint32_t size = 1;
    uint32_t count = 0;
    if (parts == NULL)
        return;
    for (uint32_t i = 0; i < ways->count; i++) {
        struct guard_patch_condition *part = of_way(work, &ways->ways[i], scoped, methods);
        if (part == NULL)
            return;
        if (size + condition_size(part) > WAYS_ROOM) {
            work->out->branches_left_out++;
            continue;
        }
        size += condition_size(part);
        parts[count++] = part;
    }
    struct guard_patch_condition *when = condition_group(work, GUARD_OPERATOR_ANY, parts, count);
    if (when == NULL)
        return;
    patch->when = *when;
    set_methods(work, ways, patch);
    if (!scoped)
        return;
    const struct way *first = &ways->ways[0];
    struct guard_span *endpoints = work_get(work, first->path_count * sizeof(*endpoints));
    if (endpoints == NULL)
        return;
    for (uint32_t i = 0; i < first->path_count; i++)
        endpoints[i] = first->paths[i]->template_text;
    patch->endpoints = endpoints;
    patch->endpoint_count = first->path_count;
}

static bool id_byte(uint8_t byte)
{
    return byte_is_letter(byte) || byte_is_digit(byte) || byte == '.' || byte == '_' || byte == '-';
}

static struct guard_span id_of(struct work *work, struct guard_span from)
{
    struct growing text;
    if (!growing_begin(work, &text, GUARD_PATCH_ID_MAX))
        return from;
    for (size_t i = 0; i < from.len && text.len < GUARD_PATCH_ID_MAX; i++) {
        uint8_t byte = id_byte(from.ptr[i]) ? from.ptr[i] : '-';
        if (text.len == 0 && (byte == '-' || byte == '.'))
            continue;
        growing_add(&text, (struct guard_span){&byte, 1});
    }
    if (text.len == 0)
        growing_literal(&text, "exploit");
    return growing_span(&text);
}

static struct guard_span title_of(struct work *work, const struct exploit *exploit)
{
    struct guard_span from = exploit->title.len > 0 ? exploit->title : exploit->id;
    struct growing text;
    if (from.len == 0)
        return GUARD_SPAN_LITERAL("an exploit");
    if (!growing_begin(work, &text, TITLE_MAX))
        return from;
    for (size_t i = 0; i < from.len && text.len < TITLE_MAX - 4; i++) {
        uint8_t byte = from.ptr[i] < 0x20 || from.ptr[i] == 0x7f ? ' ' : from.ptr[i];
        if (text.len > TITLE_MAX - 8 && (byte & 0xc0) == 0xc0)
            break; /* no half character */
        growing_add(&text, (struct guard_span){&byte, 1});
    }
    return growing_span(&text);
}

static void describe(struct work *work)
{
    struct guard_patch *patch = &work->out->patch;
    const struct exploit *exploit = work->exploit;
    *patch = (struct guard_patch){
        .part = GUARD_PATCH_REQUEST, .mode = GUARD_PATCH_SHADOW, .action = GUARD_PATCH_BLOCK};
    patch->id = id_of(work, exploit->id);
    patch->title = title_of(work, exploit);
    struct guard_span *references =
        work_get(work, (exploit->reference_count + 1) * sizeof(*references));
    for (uint32_t i = 0; references != NULL && i < exploit->reference_count; i++) {
        if (exploit->references[i].len > 0 && exploit->references[i].len <= GUARD_PATCH_TEXT_MAX)
            references[patch->reference_count++] = exploit->references[i];
    }
    patch->references = references;
}

static enum generalise_narrowness widest(const struct branch *branches, uint32_t count,
                                         const enum generalise_step *steps)
{
    enum generalise_narrowness widest = GENERALISE_SYNTAX;
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i] != GENERALISE_STEP_KEPT)
            continue;
        any = true;
        if (branches[i].narrowness > widest)
            widest = branches[i].narrowness;
    }
    return any ? widest : GENERALISE_NOTHING;
}

static void propose(struct work *work)
{
    const struct exploit *exploit = work->exploit;
    struct generalised *out = work->out;
    uint32_t count = exploit->request_count;
    struct branch *branches = work_get(work, (count + 1) * sizeof(*branches));
    struct ways ways = {.ways = work_get(work, (count + 1) * sizeof(*ways.ways))};
    out->steps = work_get(work, (count + 1) * sizeof(*out->steps));
    if (branches == NULL || ways.ways == NULL || out->steps == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (!branch_read(work, i, &branches[i]))
            return;
    }
    steps_choose(work, branches, count, out->steps);
    out->narrowness = widest(branches, count, out->steps);
    for (uint32_t i = 0; i < count && !work->failed; i++) {
        if (out->steps[i] == GENERALISE_STEP_KEPT)
            add_way(work, &ways, &branches[i]);
    }
    describe(work);
    if (ways.count > 0 && !work->failed)
        assemble(work, &ways);
}

enum guard_rc generalise(struct generalised *out, const struct exploit *exploit,
                         const struct generalise_known *known, const struct guard_alloc *alloc,
                         struct guard_err *err)
{
    static const struct generalise_known nothing = {.ctx = NULL};
    struct work work = {.out = out,
                        .exploit = exploit,
                        .known = known != NULL ? known : &nothing,
                        .arena = &out->arena};
    *out = (struct generalised){.narrowness = GENERALISE_NOTHING};
    guard_arena_init(&out->arena, alloc, GENERALISE_MEMORY_MAX);
    propose(&work);
    if (work.failed)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a patch");
    /* An exploit with odd names or templates may ask for what no patch can be. */
    return out->narrowness == GENERALISE_NOTHING ? GUARD_OK : guard_patch_check(&out->patch, err);
}

void generalise_fini(struct generalised *generalised)
{
    guard_arena_reset(&generalised->arena);
    *generalised = (struct generalised){.narrowness = GENERALISE_NOTHING};
}

const char *generalise_narrowness_name(enum generalise_narrowness narrowness)
{
    static const char *const names[] = {"syntax", "values", "names", "endpoint", "nothing"};
    return names[narrowness];
}

const char *generalise_narrowness_words(enum generalise_narrowness narrowness)
{
    static const char *const words[] = {
        "stops only what reads like such an attack in that place",
        "stops only requests with these values",
        "stops everybody who sends these names, exploit or not",
        "blocks the endpoint for everybody: nothing in the request tells the exploit from use",
        "no patch: nothing tells the exploit from other requests to any service"};
    return words[narrowness];
}
