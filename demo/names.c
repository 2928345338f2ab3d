/* SPDX-License-Identifier: Apache-2.0 */
/* Names that look like those of people, from a seed. Half of the words are real given names, half
 * are put together from syllables, so that the stream of names never ends and a name that nobody
 * has used before looks like the others. */
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

uint64_t demo_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

uint32_t demo_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(((demo_random(state) >> 32) * bound) >> 32);
}

static const char *const given[] = {
    "tom",    "anna",  "marie",  "claire",  "john",   "peter",  "eva",    "lukas", "maria", "jose",
    "fatima", "yusuf", "wei",    "mei",     "ivan",   "olga",   "hans",   "greta", "paul",  "laura",
    "zoe",    "max",   "felix",  "quentin", "xenia",  "david",  "sarah",  "kofi",  "amara", "raj",
    "priya",  "bjorn", "astrid", "sven",    "nina",   "carlos", "lucia",  "diego", "hugo",  "emma",
    "jack",   "lily",  "oscar",  "ruby",    "victor", "grace",  "walter", "yuki",  "kenji", "aiko",
};
static const char *const onsets[] = {"b",  "c",  "d",  "f",  "g",  "h",  "j",  "k", "l", "m",
                                     "n",  "p",  "r",  "s",  "t",  "v",  "w",  "x", "y", "z",
                                     "qu", "st", "ch", "br", "gr", "sh", "th", "tr"};
static const char *const vowels[] = {"a", "e", "i", "o", "u", "ai", "ee", "ou"};
static const char *const codas[] = {"", "", "", "n", "r", "l", "s", "m", "ck", "tt"};

/* Appends what fits; names are made of parts that always fit. */
static void append(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    (void)snprintf(out + len, size - len, "%s", text);
}

static void word(char *out, size_t size, uint64_t *state)
{
    if (demo_below(state, 2) == 0) {
        append(out, size, given[demo_below(state, COUNT(given))]);
        return;
    }
    uint32_t syllables = 2 + (demo_below(state, 5) == 0 ? 1 : 0);
    for (uint32_t i = 0; i < syllables; i++) {
        append(out, size, onsets[demo_below(state, COUNT(onsets))]);
        append(out, size, vowels[demo_below(state, COUNT(vowels))]);
    }
    append(out, size, codas[demo_below(state, COUNT(codas))]);
}

static void number(char *out, size_t size, uint64_t *state)
{
    char digits[12];
    static const uint32_t bounds[] = {10, 100, 100, 1000, 10000};
    (void)snprintf(digits, sizeof(digits), "%u",
                   demo_below(state, bounds[demo_below(state, COUNT(bounds))]));
    append(out, size, digits);
}

void demo_name(char out[static DEMO_NAME_SIZE], uint64_t seed, uint64_t index)
{
    out[0] = '\0';
    if (seed == 0 && index == 0) {
        append(out, DEMO_NAME_SIZE, "tom");
        return;
    }
    /* Some services join names by an underscore and some don't: the seed decides. */
    const char *joint = seed % 2 == 0 ? "-" : "_";
    uint64_t state = seed * 0x2545f4914f6cdd1dU + index * 0x9e6c63d0876a9a99U + 1;
    uint32_t kind = demo_below(&state, 100);
    if (kind >= 35 && kind < 60) {
        char initial[3] = {(char)('a' + demo_below(&state, 26)), '.', '\0'};
        append(out, DEMO_NAME_SIZE, initial);
    }
    word(out, DEMO_NAME_SIZE, &state);
    if (kind >= 60 && kind < 75) {
        append(out, DEMO_NAME_SIZE, joint);
        word(out, DEMO_NAME_SIZE, &state);
    } else if (kind >= 75) {
        number(out, DEMO_NAME_SIZE, &state);
    }
}

void demo_words_pick(struct demo_words *out, uint64_t seed)
{
    static const char *const users_paths[] = {
        "/users", "/people",    "/api/v1/members",   "/accounts/find",
        "/staff", "/v2/lookup", "/directory/search", "/contacts"};
    static const char *const users_params[] = {"username", "login", "name",         "handle",
                                               "member",   "who",   "account_name", "userName"};
    static const char *const orders_paths[] = {"/orders",        "/purchases", "/api/v1/baskets",
                                               "/shop/checkout", "/bookings",  "/v2/requests"};
    static const char *const orders_fields[] = {"coupon", "voucher", "promo_code", "discountCode",
                                                "campaign"};
    uint64_t state = seed;
    *out = (struct demo_words){users_paths[0], users_params[0], orders_paths[0], orders_fields[0]};
    if (seed == 0) {
        return;
    }
    out->users_path = users_paths[demo_below(&state, COUNT(users_paths))];
    out->users_param = users_params[demo_below(&state, COUNT(users_params))];
    out->orders_path = orders_paths[demo_below(&state, COUNT(orders_paths))];
    out->orders_field = orders_fields[demo_below(&state, COUNT(orders_fields))];
}

void demo_payload(char out[static DEMO_TEXT_SIZE], uint64_t seed)
{
    static const char *const tails[] = {
        " or 1=1",
        " OR 2>1",
        " or id>0",
        " or (1=1)",
        " or 7=7 order by id",
        " or not 1=2",
        " or length(role)>0",
        " or 3 between 1 and 5",
        "' or '1'='1",
        "' or 1=1 --",
        "' or 'a'<'b",
        "' or username like '%",
        " union select username, full_name, email, role from users",
    };
    char name[DEMO_NAME_SIZE];
    uint64_t state = seed ^ 0x70617931U;
    demo_name(name, seed, seed == 0 ? 0 : demo_below(&state, DEMO_USERS));
    const char *tail = seed == 0 ? tails[0] : tails[demo_below(&state, COUNT(tails))];
    (void)snprintf(out, DEMO_TEXT_SIZE, "%s%s", name, tail);
}

bool demo_number(uint64_t *out, const char *text, uint64_t low, uint64_t high)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < low || value > high) {
        return false;
    }
    *out = value;
    return true;
}
