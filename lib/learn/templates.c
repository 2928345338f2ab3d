/* SPDX-License-Identifier: Apache-2.0 */
/* When the children of a path segment are identifiers rather than routes: when many of them keep
 * being new (Good-Turing), for many units. A fixed number of children would take 300 real routes
 * for identifiers. */
#include "learn/templates.h"

#include "base/arena.h"
#include "learn/review.h"

#include <guard/traffic.h>

enum {
    CHILDREN_MIN = 8,   /* fewer are routes */
    NEW_SHARE = 5,      /* collapse when more than a fifth of what comes is new */
    LITERAL_SHARE = 20, /* a child with more than a twentieth of the traffic is a route */
    DEPTH_MAX = 64,     /* of the trie; records have at most 33 segments */
};

static const struct {
    struct guard_span text;
    uint32_t types;
} typed_segments[] = {
    {GUARD_SPAN_LITERAL("{int}"), 1u << GUARD_TYPE_INT},
    {GUARD_SPAN_LITERAL("{uuid}"), 1u << GUARD_TYPE_UUID},
    {GUARD_SPAN_LITERAL("{hex}"), 1u << GUARD_TYPE_HEX},
    {GUARD_SPAN_LITERAL("{date}"), 1u << GUARD_TYPE_DATE},
    {GUARD_SPAN_LITERAL("{email}"), 1u << GUARD_TYPE_EMAIL},
    {GUARD_SPAN_LITERAL("{token}"), 1u << GUARD_TYPE_TOKEN},
};

uint32_t gd_segment_types(struct guard_span text)
{
    for (size_t i = 0; i < sizeof(typed_segments) / sizeof(typed_segments[0]); i++) {
        if (gd_span_equal(text, typed_segments[i].text))
            return typed_segments[i].types;
    }
    return 0;
}

/* The children of one template on their way into the model. */
struct choice {
    const struct gd_trust *trust;
    struct gd_groups children;
    const struct gd_group **joined; /* those that the wildcard stands for */
    uint32_t joined_count;
    struct gd_group *known;
    uint32_t known_count;
    struct gd_group *pending;
    uint32_t pending_count;
    bool open;
    uint32_t types;
};

struct single {
    uint32_t tag;
    uint32_t children;
};

static int order_singles(const void *left, const void *right)
{
    const struct single *a = left;
    const struct single *b = right;
    if (a->children != b->children)
        return a->children > b->children ? -1 : 1;
    return (a->tag > b->tag) - (a->tag < b->tag);
}

/* Units times children, where the units are known one by one: repeats of one client prove nothing.
 */
static uint64_t visits(const struct gd_cell *child)
{
    return child->tag_count < GD_TAGS_MAX ? child->tag_count : gd_records(child);
}

/* Turns sorted tags into (tag, how often), most frequent first. */
static uint32_t count_singles(struct single *singles, const uint32_t *tags, uint32_t count)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (len == 0 || singles[len - 1].tag != tags[i])
            singles[len++] = (struct single){tags[i], 0};
        singles[len - 1].children++;
    }
    gd_sort(singles, sizeof(*singles), len, order_singles);
    return len;
}

/* What the loudest units found alone counts no more than what the D-th of them did: who asks for a
 * thousand random paths must not turn a service's routes into a wildcard. Returns what is counted;
 * *units says how heavy they are. */
static uint64_t capped_singles(const struct gd_trust *trust, const struct single *singles,
                               uint32_t count, uint64_t *excess)
{
    uint32_t weight = 0, cap = 0;
    uint64_t counted = 0;
    *excess = 0;
    for (uint32_t i = 0; i < count; i++) {
        weight += (singles[i].tag & 1) != 0 ? GD_WEIGHT_STRONG : GD_WEIGHT_WEAK;
        cap = singles[i].children;
        if (weight >= trust->weight)
            break;
    }
    if (weight < trust->weight)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t used = singles[i].children < cap ? singles[i].children : cap;
        counted += used;
        *excess += singles[i].children - used;
    }
    return counted;
}

static enum guard_rc is_open(bool *open, const struct choice *choice, struct guard_arena *arena)
{
    uint32_t count = choice->children.count, literals = 0, tag_count = 0;
    *open = false;
    if (count < CHILDREN_MIN)
        return GUARD_OK;
    uint32_t *tags = gd_arena_get(arena, count * sizeof(*tags));
    struct single *singles = gd_arena_get(arena, count * sizeof(*singles));
    if (tags == NULL || singles == NULL)
        return GUARD_E_NOMEM;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct gd_cell *child = &choice->children.items[i].sum;
        total += visits(child);
        if (gd_segment_types(child->text) != 0)
            continue;
        literals++;
        if (child->tag_count == 1)
            tags[tag_count++] = child->tags[0];
    }
    gd_sort_tags(tags, tag_count);
    uint64_t excess;
    uint64_t fresh =
        capped_singles(choice->trust, singles, count_singles(singles, tags, tag_count), &excess);
    *open = literals >= CHILDREN_MIN && fresh > (total - excess) / NEW_SHARE;
    return GUARD_OK;
}

static uint64_t traffic_of(const struct gd_groups *groups)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < groups->count; i++)
        total += gd_records(&groups->items[i].sum);
    return total;
}

/* Typed segments that have support name the wildcard's types; when only all of them together have
 * it, all do. */
static uint32_t joined_types(const struct choice *choice)
{
    uint32_t all = 0, trusted = 0;
    for (uint32_t i = 0; i < choice->joined_count; i++) {
        uint32_t types = gd_segment_types(choice->joined[i]->sum.text);
        all |= types;
        trusted |= gd_trusted(choice->trust, &choice->joined[i]->sum) ? types : 0;
    }
    return trusted != 0 ? trusted : all;
}

static void sort_out(struct choice *choice)
{
    uint64_t total = traffic_of(&choice->children);
    for (uint32_t i = 0; i < choice->children.count; i++) {
        struct gd_group *child = &choice->children.items[i];
        bool trusted = gd_trusted(choice->trust, &child->sum);
        bool typed = gd_segment_types(child->sum.text) != 0;
        bool route = trusted && gd_records(&child->sum) > total / LITERAL_SHARE;
        if (typed || (choice->open && !route))
            choice->joined[choice->joined_count++] = child;
        else if (trusted)
            choice->known[choice->known_count++] = *child;
        else
            choice->pending[choice->pending_count++] = *child;
    }
    choice->types = choice->open ? 0 : joined_types(choice);
}

enum guard_rc gd_template_text(struct guard_span *out, const struct gd_template *node,
                               struct guard_arena *arena)
{
    size_t len = 0;
    for (const struct gd_template *at = node; at->parent != NULL; at = at->parent)
        len += 1 + at->text.len;
    uint8_t *text = gd_arena_get(arena, len);
    if (text == NULL)
        return GUARD_E_NOMEM;
    *out = gd_span(text, len);
    for (const struct gd_template *at = node; at->parent != NULL; at = at->parent) {
        len -= 1 + at->text.len;
        text[len] = '/';
        if (at->text.len > 0)
            memcpy(text + len + 1, at->text.ptr, at->text.len);
    }
    return GUARD_OK;
}

static int order_groups(const void *left, const void *right)
{
    return gd_span_compare(((const struct gd_group *)left)->sum.text,
                           ((const struct gd_group *)right)->sum.text);
}

/* "{int}" for one type, "{}" for several and for any. */
static struct guard_span wildcard_text(uint32_t types)
{
    for (size_t i = 0; i < sizeof(typed_segments) / sizeof(typed_segments[0]); i++) {
        if (types == typed_segments[i].types)
            return typed_segments[i].text;
    }
    return GUARD_SPAN_LITERAL("{}");
}

/* What people decided about segments here, and about what lies above. */
static void review_segments(struct gd_groups *segments, const struct gd_template *node,
                            const struct gd_trust *trust, const struct gd_review_spot *spot)
{
    gd_review_mark(trust->review, spot, GUARD_REVIEW_PATH, segments);
    gd_review_waive(segments, node->waiver);
}

static enum guard_rc list_segments(const struct gd_template *node, const struct gd_trust *trust,
                                   const struct gd_review_spot *spot)
{
    const struct gd_groups joined = {node->joined, node->joined == NULL ? 0 : 1};
    GUARD_TRY(gd_review_list(trust, spot, GUARD_REVIEW_PATH, &node->pending, 0, NULL));
    GUARD_TRY(gd_review_list(trust, spot, GUARD_REVIEW_PATH, &node->known, 0, NULL));
    return gd_review_list(trust, spot, GUARD_REVIEW_PATH, &joined, 0, NULL);
}

static enum guard_rc choose(struct gd_template *node, const struct gd_trust *trust,
                            const struct gd_review_spot *spot, struct guard_arena *arena)
{
    struct choice choice = {.trust = trust};
    GUARD_TRY(gd_group_children(&choice.children, &node->group, GD_KIND_SEGMENT, arena));
    review_segments(&choice.children, node, trust, spot);
    size_t count = choice.children.count;
    if (count == 0)
        return GUARD_OK;
    choice.joined = gd_arena_get(arena, count * sizeof(*choice.joined));
    choice.known = gd_arena_get(arena, count * sizeof(*choice.known));
    choice.pending = gd_arena_get(arena, count * sizeof(*choice.pending));
    struct gd_group *joined = gd_arena_get(arena, sizeof(*joined));
    if (choice.joined == NULL || choice.known == NULL || choice.pending == NULL || joined == NULL)
        return GUARD_E_NOMEM;
    GUARD_TRY(is_open(&choice.open, &choice, arena));
    sort_out(&choice);
    gd_sort(choice.known, sizeof(*choice.known), choice.known_count, order_groups);
    node->known = (struct gd_groups){choice.known, choice.known_count};
    if (choice.joined_count > 0) {
        struct gd_groups one = {joined, 1};
        GUARD_TRY(gd_group_join(joined, choice.joined, choice.joined_count, arena));
        joined->sum.text = wildcard_text(choice.types);
        review_segments(&one, node, trust, spot);
        if (gd_trusted(trust, &joined->sum)) {
            node->joined = joined;
            node->open = choice.open;
        } else {
            choice.pending[choice.pending_count++] = *joined;
        }
    }
    node->pending = (struct gd_groups){choice.pending, choice.pending_count};
    node->joined_types = choice.types;
    return list_segments(node, trust, spot);
}

struct walk {
    struct gd_templates *templates;
    struct gd_template *last;
    const struct gd_trust *trust;
    struct guard_arena *arena;
};

static enum guard_rc append(struct walk *walk, struct gd_template *parent,
                            const struct gd_group *group, struct gd_template **out)
{
    struct gd_template *node = gd_arena_get(walk->arena, sizeof(*node));
    if (node == NULL)
        return GUARD_E_NOMEM;
    *node = (struct gd_template){.group = *group, .parent = parent, .text = group->sum.text};
    node->waiver = parent == NULL ? 0 : parent->waiver | gd_review_waiver(walk->trust, &group->sum);
    node->index = walk->templates->count++;
    node->depth = parent == NULL ? 0 : parent->depth + 1;
    if (walk->last == NULL)
        walk->templates->root = node;
    else
        walk->last->next = node;
    walk->last = node;
    *out = node;
    return GUARD_OK;
}

static enum guard_rc expand(struct walk *walk, struct gd_template *node)
{
    struct gd_template *child;
    struct gd_review_spot spot = {.status = 0};
    GUARD_TRY(gd_template_text(&spot.template_text, node, walk->arena));
    GUARD_TRY(gd_group_children(&node->methods, &node->group, GD_KIND_METHOD, walk->arena));
    gd_sort(node->methods.items, sizeof(*node->methods.items), node->methods.count, order_groups);
    gd_review_mark(walk->trust->review, &spot, GUARD_REVIEW_METHOD, &node->methods);
    gd_review_waive(&node->methods, node->waiver);
    GUARD_TRY(gd_review_list(walk->trust, &spot, GUARD_REVIEW_METHOD, &node->methods, 0, NULL));
    if (node->depth >= DEPTH_MAX)
        return GUARD_OK;
    GUARD_TRY(choose(node, walk->trust, &spot, walk->arena));
    for (uint32_t i = 0; i < node->known.count; i++) {
        node->cut = walk->templates->count == GD_TEMPLATES_MAX;
        if (node->cut)
            return GUARD_OK;
        GUARD_TRY(append(walk, node, &node->known.items[i], &child));
    }
    if (node->joined == NULL)
        return GUARD_OK;
    node->cut = walk->templates->count == GD_TEMPLATES_MAX;
    if (node->cut)
        return GUARD_OK;
    GUARD_TRY(append(walk, node, node->joined, &child));
    child->wildcard = true;
    child->types = node->joined_types;
    child->text = node->joined->sum.text;
    return GUARD_OK;
}

enum guard_rc gd_templates_fold(struct gd_templates *out, const struct gd_cell *service,
                                const struct gd_trust *trust, struct guard_arena *arena)
{
    *out = (struct gd_templates){NULL, 0};
    struct walk walk = {.templates = out, .trust = trust, .arena = arena};
    struct gd_group root;
    struct gd_template *node;
    GUARD_TRY(gd_group_init(&root, service, arena));
    GUARD_TRY(append(&walk, NULL, &root, &node));
    node->text = gd_span(NULL, 0);
    for (; node != NULL; node = node->next)
        GUARD_TRY(expand(&walk, node));
    return GUARD_OK;
}

static uint32_t collect(const struct gd_cell *cell, const struct gd_cell **out, uint32_t depth)
{
    uint32_t len = 0, count = 0;
    struct gd_cell **children = gd_cell_children(cell, GD_KIND_METHOD, &count);
    for (uint32_t i = 0; i < count; i++, len++) {
        if (out != NULL)
            out[len] = children[i];
    }
    if (depth >= DEPTH_MAX)
        return len;
    children = gd_cell_children(cell, GD_KIND_SEGMENT, &count);
    for (uint32_t i = 0; i < count; i++)
        len += collect(children[i], out == NULL ? NULL : out + len, depth + 1);
    return len;
}

enum guard_rc gd_template_traffic(struct gd_group *out, const struct gd_template *node,
                                  struct guard_arena *arena)
{
    *out = (struct gd_group){.sum = node->group.sum};
    uint32_t total = 0;
    for (uint32_t i = 0; i < node->group.cell_count; i++)
        total += collect(node->group.cells[i], NULL, node->depth);
    if (total == 0)
        return GUARD_OK;
    out->cells = gd_arena_get(arena, total * sizeof(*out->cells));
    if (out->cells == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < node->group.cell_count; i++)
        out->cell_count += collect(node->group.cells[i], out->cells + out->cell_count, node->depth);
    return GUARD_OK;
}
