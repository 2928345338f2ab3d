/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded table of clients. Whoever can send from many addresses pushes out few others: the
 * sets that a wider prefix reaches are few, and in each it takes half of the places at most. */
#include "client/client.h"

enum {
    REACH_4 = 64,   /* sets that one /16 reaches: room for each of its /24 */
    REACH_6 = 16,   /* and a /32 */
    SHARE = 4,      /* places of a set that it may have while others want them */
    SETS_MIN = 128, /* 1024 places */
    SETS_MAX = 1 << 20,
    PAST_MIN = 1000, /* requests of a service before a share of them says anything */
    SHARED = 20,     /* one part in so many */
    TRIALS_MAX = 10,
};

#define SHORT_MS UINT64_C(600000)
#define DAY_MS UINT64_C(86400000)
static const uint64_t window_ms[GD_CLIENT_TIERS] = {SHORT_MS, DAY_MS};

enum guard_rc guard_client_places_new(struct guard_client_places **out,
                                      const struct guard_alloc *alloc, uint32_t count)
{
    uint32_t sets = SETS_MIN;
    *out = NULL;
    while (sets < SETS_MAX && sets * GD_CLIENT_WAYS < count)
        sets *= 2;
    struct guard_client_places *places = alloc->alloc(alloc->ctx, sizeof(*places));
    if (places == NULL)
        return GUARD_E_NOMEM;
    *places = (struct guard_client_places){.alloc = *alloc, .sets = sets};
    places->used = alloc->alloc(alloc->ctx, sets / 8);
    places->list = alloc->alloc(alloc->ctx, (size_t)sets * GD_CLIENT_WAYS * sizeof(*places->list));
    if (places->used == NULL || places->list == NULL) {
        guard_client_places_free(places);
        return GUARD_E_NOMEM;
    }
    memset(places->used, 0, sets / 8);
    *out = places;
    return GUARD_OK;
}

void guard_client_places_free(struct guard_client_places *places)
{
    if (places == NULL)
        return;
    struct guard_alloc alloc = places->alloc;
    if (places->used != NULL)
        alloc.free(alloc.ctx, places->used);
    if (places->list != NULL)
        alloc.free(alloc.ctx, places->list);
    alloc.free(alloc.ctx, places);
}

/* Pages of sets that nobody came to are never touched. */
static struct gd_client_place *set_at(struct guard_client_places *places, uint32_t index)
{
    struct gd_client_place *set = places->list + (size_t)index * GD_CLIENT_WAYS;
    uint64_t bit = UINT64_C(1) << (index % 64);
    if ((places->used[index / 64] & bit) == 0) {
        memset(set, 0, GD_CLIENT_WAYS * sizeof(*set));
        places->used[index / 64] |= bit;
    }
    return set;
}

/* What the client is hashed as; its wider prefix, for what can be invented, is the head of it. */
static size_t identity(const struct guard_client *client, uint8_t out[32], size_t *wide)
{
    size_t len = 0;
    out[len++] = (uint8_t)client->unit;
    if (client->unit == GUARD_UNIT_SUBJECT && client->subject.len > 0) {
        size_t digest = client->subject.len < 16 ? client->subject.len : 16;
        memcpy(out + len, client->subject.ptr, digest);
        *wide = len + digest; /* verified: nobody invents them */
        return len + digest;
    }
    size_t prefix = client->address_len == 4 ? 3 : client->address_len == 16 ? 7 : 0;
    out[len++] = client->address_len;
    memcpy(out + len, client->address, prefix);
    *wide = len + (prefix == 3 ? 2 : 4);
    return prefix == 0 ? 0 : len + prefix;
}

/* Who goes first: who wasn't seen for a day, then who did least, then the oldest. */
static bool before(const struct gd_client_place *a, const struct gd_client_place *b,
                   uint64_t now_ms)
{
    bool gone_a = a->seen_ms + DAY_MS < now_ms;
    bool gone_b = b->seen_ms + DAY_MS < now_ms;
    if (gone_a != gone_b)
        return gone_a;
    uint64_t done_a = (uint64_t)a->past + a->windows[0].requests;
    uint64_t done_b = (uint64_t)b->past + b->windows[0].requests;
    if (done_a != done_b)
        return done_a < done_b;
    return a->seen_ms < b->seen_ms;
}

static uint32_t held_by(const struct gd_client_place *set, uint32_t wide)
{
    uint32_t held = 0;
    for (size_t i = 0; i < GD_CLIENT_WAYS; i++)
        held += set[i].code != 0 && set[i].wide == wide;
    return held;
}

/* A full set takes from the prefix that has its share, else from one that has more than that, else
 * from all. */
static struct gd_client_place *make_room(struct gd_client_place *set, uint32_t wide,
                                         uint64_t now_ms)
{
    struct gd_client_place *first = NULL;
    struct gd_client_place *excess = NULL;
    struct gd_client_place *own = NULL;
    for (size_t i = 0; i < GD_CLIENT_WAYS; i++) {
        struct gd_client_place *place = &set[i];
        if (place->code == 0)
            return place;
        if (first == NULL || before(place, first, now_ms))
            first = place;
        if (place->wide == wide && (own == NULL || before(place, own, now_ms)))
            own = place;
        if (held_by(set, place->wide) > SHARE && (excess == NULL || before(place, excess, now_ms)))
            excess = place;
    }
    if (held_by(set, wide) >= SHARE)
        return own;
    return excess != NULL ? excess : first;
}

/* Where a client is, or would be. */
struct whereabouts {
    uint64_t code;
    uint64_t wide;
    struct gd_client_place *set;
};

static bool locate(const struct guard_clients *clients, const struct guard_client *client,
                   struct whereabouts *out)
{
    uint8_t bytes[32];
    size_t wide_len = 0;
    size_t len = identity(client, bytes, &wide_len);
    if (len == 0)
        return false;
    out->code = gd_hash_keyed(&clients->key, gd_span(bytes, len));
    out->wide = gd_hash_keyed(&clients->key, gd_span(bytes, wide_len));
    out->code = out->code == 0 ? 1 : out->code;
    uint32_t reach = client->address_len == 4 ? REACH_4 : REACH_6;
    uint32_t index =
        (uint32_t)(out->wide + (out->code >> 32) % reach) & (clients->places->sets - 1);
    out->set = set_at(clients->places, index);
    return true;
}

static struct gd_client_place *held(const struct whereabouts *at)
{
    for (size_t i = 0; i < GD_CLIENT_WAYS; i++) {
        if (at->set[i].code == at->code)
            return &at->set[i];
    }
    return NULL;
}

struct gd_client_place *gd_client_place(struct guard_clients *clients,
                                        const struct guard_client *client, uint64_t now_ms)
{
    struct whereabouts at;
    if (!locate(clients, client, &at))
        return NULL;
    struct gd_client_place *place = held(&at);
    if (place != NULL)
        return place;
    place = make_room(at.set, (uint32_t)at.wide, now_ms);
    clients->pushed_out += place->code != 0;
    memset(place, 0, sizeof(*place));
    place->code = at.code;
    place->wide = (uint32_t)at.wide;
    place->tag = (uint32_t)(at.code >> 16);
    return place;
}

void guard_clients_activity(const struct guard_clients *clients, const struct guard_client *client,
                            uint64_t now_ms, struct guard_client_activity *out)
{
    struct whereabouts at;
    *out = (struct guard_client_activity){.known = false};
    const struct gd_client_place *place = locate(clients, client, &at) ? held(&at) : NULL;
    if (place == NULL)
        return;
    out->known = true;
    out->shared = gd_client_shared(clients, place);
    out->seen_ms = place->seen_ms;
    if (place->windows[0].number == now_ms / window_ms[0])
        out->requests = place->windows[0].requests;
    if (place->windows[1].number == now_ms / window_ms[1])
        out->requests_day = place->windows[1].requests;
}

uint64_t gd_client_aged(uint64_t requests, uint32_t then, uint32_t day)
{
    uint32_t days = day > then ? day - then : 0;
    return days < 64 ? requests >> days : 0;
}

static void close_short(struct guard_clients *clients, struct gd_client_place *place, uint32_t day)
{
    const struct gd_client_window *window = &place->windows[0];
    bool calm = window->rate.level == 0 && window->errors.level == 0 && window->bytes.level == 0;
    for (size_t i = 0; i < GD_CLIENT_SLOTS; i++)
        calm = calm && window->slots[i].mark.level == 0;
    place->calm += calm && place->calm < UINT32_MAX;
    uint64_t past = gd_client_aged(place->past, place->past_day, day) + window->requests;
    place->past = past < UINT32_MAX ? (uint32_t)past : UINT32_MAX;
    place->past_day = day;
    clients->past = gd_client_aged(clients->past, clients->past_day, day) + window->requests;
    if (day > clients->past_day)
        clients->past_day = day;
}

void gd_client_windows(struct guard_clients *clients, struct gd_client_place *place,
                       uint64_t now_ms)
{
    if (now_ms > place->seen_ms)
        place->seen_ms = now_ms;
    for (size_t tier = 0; tier < GD_CLIENT_TIERS; tier++) {
        struct gd_client_window *window = &place->windows[tier];
        uint64_t number = now_ms / window_ms[tier];
        /* Records of several gates come a little out of order: late ones count in the window that
         * is open. A clock that was set back far begins a new one. */
        if (number == window->number || number + 1 == window->number)
            continue;
        if (tier == 0 && window->number != 0)
            close_short(clients, place, (uint32_t)(now_ms / DAY_MS));
        if (number < window->number)
            place->seen_ms = now_ms;
        memset(window, 0, sizeof(*window));
        window->number = number;
        window->trial = place->trials[tier] < TRIALS_MAX;
        place->trials[tier] += window->trial;
    }
}

struct gd_client_slot *gd_client_slot(struct gd_client_window *window, uint32_t key, bool *fresh)
{
    struct gd_client_slot *least = NULL;
    uint32_t least_bits = 0;
    *fresh = false;
    for (size_t i = 0; i < GD_CLIENT_SLOTS; i++) {
        struct gd_client_slot *slot = &window->slots[i];
        if (slot->key == key)
            return slot;
        uint32_t bits = slot->key == 0 ? 0 : 1 + slot->mark.counted;
        if (least == NULL || bits < least_bits) {
            least = slot;
            least_bits = bits;
        }
    }
    *fresh = least->key == 0;
    memset(least, 0, sizeof(*least));
    least->key = key;
    return least;
}

uint32_t gd_client_slot_add(struct gd_client_slot *slot, uint64_t hash)
{
    enum { BITS = 256 };
    uint32_t set = 0;
    slot->bits[hash % BITS / 64] |= UINT64_C(1) << (hash % 64);
    for (size_t i = 0; i < 4; i++)
        set += (uint32_t)__builtin_popcountll(slot->bits[i]);
    /* Linear counting, -m ln(1 - x/m), by the harmonic sum that it is close to. */
    double estimate = 0;
    for (uint32_t i = 0; i < set; i++)
        estimate += (double)BITS / (double)(BITS - i);
    return (uint32_t)(estimate + 0.5);
}

bool gd_client_shared(const struct guard_clients *clients, const struct gd_client_place *place)
{
    return clients->past >= PAST_MIN && (uint64_t)place->past * SHARED > clients->past;
}
