/* SPDX-License-Identifier: Apache-2.0 */
/* See review.h. */
#include "learn/review.h"

#include "base/arena.h"
#include "base/hash.h"
#include "detect/likeness.h"
#include "profile/profile.h"

enum {
    NAME_MAX_BYTES = 512, /* of a field's path; longer ones can't be told apart */
    DEPTH_MAX = 80,       /* of fields; what lies deeper isn't looked at */
};

struct gd_review_index {
    uint64_t place;
    const struct guard_review_entry *entry;
};

static uint64_t add_text(uint64_t hash, struct guard_span text)
{
    return gd_hash_fast(hash ^ text.len, text);
}

/* Finds candidates only: what is decided is compared in full. */
static uint64_t place_hash(uint32_t status, struct guard_span method, struct guard_span path,
                           enum guard_location location, struct guard_span name)
{
    uint64_t hash = add_text((uint64_t)status << 8 | (uint64_t)location, method);
    return add_text(add_text(hash, path), name);
}

static uint64_t hash_of(const struct gd_review_spot *spot)
{
    return place_hash(spot->status, spot->method, spot->template_text, spot->location, spot->name);
}

static int order_index(const void *left, const void *right)
{
    uint64_t a = ((const struct gd_review_index *)left)->place;
    uint64_t b = ((const struct gd_review_index *)right)->place;
    return (a > b) - (a < b);
}

enum guard_rc gd_review_init(struct gd_review *review, const struct guard_review *said,
                             struct guard_arena *arena)
{
    *review = (struct gd_review){.arena = arena};
    if (said == NULL || said->count == 0)
        return GUARD_OK;
    if (said->count > GUARD_REVIEW_ENTRIES_MAX)
        return GUARD_E_LIMIT;
    review->index = gd_arena_get(arena, said->count * sizeof(*review->index));
    if (review->index == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < said->count; i++) {
        const struct guard_review_element *element = &said->entries[i].element;
        review->index[review->count++] = (struct gd_review_index){
            place_hash(element->status, element->method, element->template_text, element->location,
                       element->name),
            &said->entries[i]};
    }
    gd_sort(review->index, sizeof(*review->index), review->count, order_index);
    return GUARD_OK;
}

static bool is_at(const struct guard_review_element *element, const struct gd_review_spot *spot)
{
    return element->status == spot->status && element->location == spot->location &&
           gd_span_equal(element->method, spot->method) &&
           gd_span_equal(element->template_text, spot->template_text) &&
           gd_span_equal(element->name, spot->name);
}

static uint32_t lower_bound(const struct gd_review *review, uint64_t place)
{
    uint32_t low = 0, high = review->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (review->index[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct guard_review_entry *gd_review_next(const struct gd_review *review,
                                                const struct gd_review_spot *spot, uint32_t *at)
{
    if (review == NULL || review->count == 0 || spot->silent)
        return NULL;
    uint64_t place = hash_of(spot);
    for (uint32_t i = lower_bound(review, place) + *at;
         i < review->count && review->index[i].place == place; i++) {
        (*at)++;
        if (is_at(&review->index[i].entry->element, spot))
            return review->index[i].entry;
    }
    return NULL;
}

static bool has_text(enum guard_review_kind kind)
{
    return kind == GUARD_REVIEW_PATH || kind == GUARD_REVIEW_METHOD ||
           kind == GUARD_REVIEW_CONTENT_TYPE;
}

static bool is_meant(const struct guard_review_element *element, enum guard_review_kind kind,
                     const struct gd_cell *sum)
{
    if (element->kind != kind)
        return false;
    if (has_text(kind))
        return gd_span_equal(element->text, sum->text);
    return kind == GUARD_REVIEW_NAME || element->code == sum->code;
}

static uint8_t mark_of(enum guard_review_decision decision)
{
    return decision == GUARD_REVIEW_ACCEPTED  ? GD_REVIEW_ACCEPTED
           : decision == GUARD_REVIEW_REFUSED ? GD_REVIEW_REFUSED
                                              : 0;
}

void gd_review_mark(const struct gd_review *review, const struct gd_review_spot *spot,
                    enum guard_review_kind kind, struct gd_groups *groups)
{
    const struct guard_review_entry *entry;
    for (uint32_t at = 0; (entry = gd_review_next(review, spot, &at)) != NULL;) {
        for (uint32_t i = 0; i < groups->count; i++) {
            if (is_meant(&entry->element, kind, &groups->items[i].sum))
                groups->items[i].sum.review |= mark_of(entry->decision);
        }
    }
}

void gd_review_waive(struct gd_groups *groups, uint32_t epochs)
{
    for (uint32_t i = 0; epochs != 0 && i < groups->count; i++) {
        uint32_t seen = groups->items[i].sum.epochs;
        if ((seen & (~seen + 1) & epochs) != 0)
            groups->items[i].sum.review |= GD_REVIEW_WAIVED;
    }
}

/* From the first epoch to that in which it would have had enough of them; without so many, all from
 * the first on. What comes later needs support of its own. */
uint32_t gd_review_waiver(const struct gd_trust *trust, const struct gd_cell *sum)
{
    if ((sum->review & GD_REVIEW_ACCEPTED) == 0 || (sum->review & GD_REVIEW_REFUSED) != 0 ||
        sum->epochs == 0)
        return 0;
    uint32_t left = sum->epochs;
    uint32_t from = UINT32_MAX << __builtin_ctz(left);
    for (uint32_t i = 1; i < trust->epochs_min && left != 0; i++)
        left &= left - 1;
    if (left == 0)
        return from;
    uint32_t last = left & (~left + 1);
    return from & (last | (last - 1));
}

/* --- what waits --- */

static uint32_t likeness_below(const struct gd_cell *cell, uint32_t depth)
{
    uint32_t found = 0, count;
    struct gd_cell **children = gd_cell_children(cell, GD_KIND_LIKENESS, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (children[i]->code < GUARD_LIKENESS_COUNT)
            found |= 1u << children[i]->code;
    }
    for (uint32_t i = 0; depth < DEPTH_MAX && i < cell->child_count; i++) {
        if (cell->children[i]->kind <= GD_KIND_NAME)
            found |= likeness_below(cell->children[i], depth + 1);
    }
    return found;
}

/* What the thing itself reads like, and the values below it. */
static uint32_t likeness_of(const struct gd_group *group, enum guard_review_kind kind)
{
    struct gd_likeness reads = {.classes = 0};
    uint32_t found = 0;
    if (kind == GUARD_REVIEW_LIKENESS)
        return group->sum.code < GUARD_LIKENESS_COUNT ? 1u << group->sum.code : 0;
    if (kind == GUARD_REVIEW_NAME)
        gd_likeness_of_name(group->sum.text, 0, &reads);
    else if (has_text(kind))
        gd_likeness_of(group->sum.text, &reads);
    if (kind <= GUARD_REVIEW_NAME) {
        for (uint32_t i = 0; i < group->cell_count; i++)
            found |= likeness_below(group->cells[i], 0);
    }
    return found | reads.classes;
}

void gd_review_drop_accepted(struct gd_groups *groups)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < groups->count; i++) {
        if ((groups->items[i].sum.review & GD_REVIEW_ACCEPTED) == 0)
            groups->items[len++] = groups->items[i];
    }
    groups->count = len;
}

static enum guard_review_decision decision_of(const struct gd_cell *sum)
{
    if ((sum->review & GD_REVIEW_REFUSED) != 0)
        return GUARD_REVIEW_REFUSED;
    return (sum->review & GD_REVIEW_ACCEPTED) != 0 ? GUARD_REVIEW_ACCEPTED : GUARD_REVIEW_WAITING;
}

static struct guard_review_element element_at(const struct gd_review_spot *spot,
                                              enum guard_review_kind kind,
                                              const struct gd_cell *sum)
{
    struct guard_review_element element = {.kind = kind,
                                           .status = spot->status,
                                           .method = spot->method,
                                           .template_text = spot->template_text,
                                           .location = spot->location,
                                           .name = spot->name};
    if (has_text(kind))
        element.text = sum->text;
    else if (kind != GUARD_REVIEW_NAME)
        element.code = (uint32_t)sum->code;
    return element;
}

static enum guard_rc add_item(struct gd_review *review, const struct gd_review_spot *spot,
                              enum guard_review_kind kind, const struct gd_group *group,
                              uint32_t likeness)
{
    review->total++;
    if (review->listed == GUARD_REVIEW_PENDING_MAX)
        return GUARD_OK;
    struct gd_review_item *item = gd_arena_get(review->arena, sizeof(*item));
    if (item == NULL)
        return GUARD_E_NOMEM;
    uint32_t clients = gd_cells_clients(group->cells, group->cell_count);
    *item = (struct gd_review_item){
        .pending = {.element = element_at(spot, kind, &group->sum),
                    .decision = decision_of(&group->sum),
                    .records = group->sum.count,
                    .clients = clients > 0 ? clients : gd_units(&group->sum),
                    .support = gd_cell_weight(&group->sum),
                    .first_s = group->sum.first_s,
                    .epochs = (uint32_t)__builtin_popcount(group->sum.epochs),
                    .likeness = likeness | likeness_of(group, kind)}};
    if (review->last == NULL)
        review->first = item;
    else
        review->last->next = item;
    review->last = item;
    review->listed++;
    return GUARD_OK;
}

static bool is_listed(const struct gd_trust *trust, const struct gd_cell *sum,
                      const struct gd_suspects *suspects)
{
    if (decision_of(sum) != GUARD_REVIEW_WAITING)
        return true;
    if (!gd_vouched(trust, sum))
        return false;
    struct gd_cell rest = *sum;
    if (suspects != NULL)
        (void)gd_suspects_leave(suspects, &rest);
    return !gd_trusted(trust, &rest);
}

enum guard_rc gd_review_list(const struct gd_trust *trust, const struct gd_review_spot *spot,
                             enum guard_review_kind kind, const struct gd_groups *groups,
                             uint32_t likeness, const struct gd_suspects *suspects)
{
    for (uint32_t i = 0; trust->review != NULL && !spot->silent && i < groups->count; i++) {
        if (is_listed(trust, &groups->items[i].sum, suspects))
            GUARD_TRY(add_item(trust->review, spot, kind, &groups->items[i], likeness));
    }
    return GUARD_OK;
}

/* --- fields --- */

/* As the model writes it for people. */
enum guard_rc gd_review_field_spot(struct gd_review_spot *out, const struct gd_review *review,
                                   const struct gd_review_spot *parent, const struct gd_cell *name)
{
    *out = *parent;
    out->location = (enum guard_location)name->location;
    out->name = name->text;
    if (parent->location == GUARD_LOCATION_NONE)
        return GUARD_OK;
    size_t dot = gd_name_has_dot(out->location, name->text) ? 1 : 0;
    size_t len = parent->name.len + dot + name->text.len;
    out->silent = parent->silent || len > NAME_MAX_BYTES;
    if (out->silent)
        return GUARD_OK;
    uint8_t *path = gd_arena_get(review->arena, len + 1);
    if (path == NULL)
        return GUARD_E_NOMEM;
    if (parent->name.len > 0)
        memcpy(path, parent->name.ptr, parent->name.len);
    if (dot > 0)
        path[parent->name.len] = '.';
    if (name->text.len > 0)
        memcpy(path + parent->name.len + dot, name->text.ptr, name->text.len);
    out->name = gd_span(path, len);
    return GUARD_OK;
}

enum guard_rc gd_review_names(const struct gd_trust *trust, const struct gd_review_spot *parent,
                              struct gd_groups *names, uint32_t waiver)
{
    struct gd_review *review = trust->review;
    gd_review_waive(names, waiver);
    for (uint32_t i = 0; review != NULL && review->count > 0 && i < names->count; i++) {
        struct gd_review_spot spot;
        struct gd_groups one = {&names->items[i], 1};
        GUARD_TRY(gd_review_field_spot(&spot, review, parent, &names->items[i].sum));
        gd_review_mark(review, &spot, GUARD_REVIEW_NAME, &one);
    }
    return GUARD_OK;
}

static const struct {
    enum guard_review_kind kind;
    enum gd_kind cells;
} value_kinds[] = {
    {GUARD_REVIEW_CHARACTER, GD_KIND_CLASS},
    {GUARD_REVIEW_PAIR, GD_KIND_TRANSITION},
    {GUARD_REVIEW_TYPE, GD_KIND_TYPE},
    {GUARD_REVIEW_LIKENESS, GD_KIND_LIKENESS},
};

/* Lengths, counts and whole values that came with something accepted come with it; what reads like
 * an attack is accepted by itself or not at all. */
static void waive_values(const struct gd_trust *trust, struct gd_groups *kinds, uint32_t waiver)
{
    uint32_t epochs = waiver;
    for (uint32_t kind = GD_KIND_CLASS; kind <= GD_KIND_TYPE; kind++) {
        gd_review_waive(&kinds[kind], waiver);
        for (uint32_t i = 0; i < kinds[kind].count; i++)
            epochs |= gd_review_waiver(trust, &kinds[kind].items[i].sum);
    }
    for (uint32_t kind = GD_KIND_LENGTH; kind <= GD_KIND_ITEMS; kind++)
        gd_review_waive(&kinds[kind], epochs);
}

/* The neighbours of an accepted character come with it, as those of an accepted field do. */
static void waive_neighbours(const struct gd_trust *trust, struct gd_groups *pairs,
                             const struct gd_groups *classes)
{
    for (uint32_t i = 0; i < classes->count; i++) {
        const struct gd_cell *class = &classes->items[i].sum;
        uint32_t epochs = gd_review_waiver(trust, class);
        for (uint32_t k = 0; epochs != 0 && k < pairs->count; k++) {
            struct gd_groups one = {&pairs->items[k], 1};
            if (one.items->sum.code >> 6 == class->code ||
                (one.items->sum.code & 63) == class->code)
                gd_review_waive(&one, epochs);
        }
    }
}

/* A pair of known characters. Others are decided about with their characters. */
static bool stands_alone(const struct gd_trust *trust, const struct gd_groups *classes,
                         const struct gd_cell *pair)
{
    uint64_t codes[2] = {pair->code >> 6, pair->code & 63};
    uint32_t known = 0;
    for (uint32_t i = 0; i < classes->count; i++) {
        const struct gd_cell *sum = &classes->items[i].sum;
        if ((sum->code == codes[0] || sum->code == codes[1]) && gd_supported(trust, sum))
            known += codes[0] == codes[1] ? 2 : 1;
    }
    return known >= 2;
}

static enum guard_rc list_pairs(const struct gd_trust *trust, const struct gd_review_spot *spot,
                                const struct gd_groups *kinds, uint32_t likeness,
                                const struct gd_suspects *suspects)
{
    const struct gd_groups *pairs = &kinds[GD_KIND_TRANSITION];
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct gd_groups one = {&pairs->items[i], 1};
        if (is_listed(trust, &pairs->items[i].sum, suspects) &&
            stands_alone(trust, &kinds[GD_KIND_CLASS], &pairs->items[i].sum))
            GUARD_TRY(gd_review_list(trust, spot, GUARD_REVIEW_PAIR, &one, likeness, suspects));
    }
    return GUARD_OK;
}

/* What some read like here, and isn't normal. */
static uint32_t unusual_likeness(const struct gd_trust *trust, const struct gd_groups *likeness,
                                 const struct gd_suspects *suspects)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < likeness->count; i++) {
        struct gd_cell sum = likeness->items[i].sum;
        if (suspects != NULL)
            (void)gd_suspects_leave(suspects, &sum);
        if (sum.code < GUARD_LIKENESS_COUNT && !gd_trusted(trust, &sum))
            found |= 1u << sum.code;
    }
    return found;
}

enum guard_rc gd_review_values(const struct gd_trust *trust, const struct gd_review_spot *spot,
                               struct gd_groups *kinds, uint32_t waiver,
                               const struct gd_suspects *suspects)
{
    if (trust->review == NULL)
        return GUARD_OK;
    for (size_t i = 0; i < sizeof(value_kinds) / sizeof(value_kinds[0]); i++)
        gd_review_mark(trust->review, spot, value_kinds[i].kind, &kinds[value_kinds[i].cells]);
    waive_neighbours(trust, &kinds[GD_KIND_TRANSITION], &kinds[GD_KIND_CLASS]);
    waive_values(trust, kinds, waiver);
    uint32_t likeness = unusual_likeness(trust, &kinds[GD_KIND_LIKENESS], suspects);
    for (size_t i = 0; i < sizeof(value_kinds) / sizeof(value_kinds[0]); i++) {
        if (value_kinds[i].kind != GUARD_REVIEW_PAIR)
            GUARD_TRY(gd_review_list(trust, spot, value_kinds[i].kind, &kinds[value_kinds[i].cells],
                                     likeness, suspects));
    }
    return list_pairs(trust, spot, kinds, likeness, suspects);
}
