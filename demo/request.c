/* SPDX-License-Identifier: Apache-2.0 */
/* Benign requests with the variety of real ones: optional parameters, rare fields, several programs
 * as clients. */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

enum { FRESH_TRIES = 100 };

struct text {
    char *bytes;
    size_t len;
    size_t size;
};

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

void demo_source_init(struct demo_source *source, uint64_t seed)
{
    source->seed = seed;
    demo_words_pick(&source->words, seed);
    for (uint64_t i = 0; i < DEMO_USERS; i++) {
        demo_name(source->known[i], seed, i);
    }
    qsort(source->known, DEMO_USERS, DEMO_NAME_SIZE, compare);
}

__attribute__((format(printf, 2, 3))) static void put(struct text *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(out->bytes + out->len, out->size - out->len, format, arguments);
    va_end(arguments);
    if (len > 0) {
        size_t room = out->size - out->len - 1;
        out->len += (size_t)len < room ? (size_t)len : room;
    }
}

static void pick_name(char out[static DEMO_NAME_SIZE], const struct demo_source *source,
                      uint64_t *state)
{
    demo_name(out, source->seed, demo_below(state, DEMO_USERS));
    for (int i = 0; source->fresh && i < FRESH_TRIES; i++) {
        demo_name(out, source->seed, DEMO_USERS + (demo_random(state) >> 20));
        if (bsearch(out, source->known, DEMO_USERS, DEMO_NAME_SIZE, compare) == NULL) {
            return;
        }
    }
}

static void put_lookup(struct text *out, const struct demo_source *source, uint64_t *state)
{
    static const char *const fields[] = {"email", "role", "full_name", "email,role"};
    char name[DEMO_NAME_SIZE];
    pick_name(name, source, state);
    put(out, "GET %s?%s=%s", source->words.users_path, source->words.users_param, name);
    if (demo_below(state, 8) == 0) {
        put(out, "&page=%u", 1 + demo_below(state, 20));
    }
    if (demo_below(state, 12) == 0) {
        put(out, "&fields=%s", fields[demo_below(state, COUNT(fields))]);
    }
}

static void put_body(struct text *out, const struct demo_source *source, uint64_t *state)
{
    static const char *const colours[] = {"blue", "red", "green", "white", "black", "grey"};
    static const char *const things[] = {"mug",   "desk lamp", "notebook", "tea pot",
                                         "chair", "backpack",  "pencil"};
    static const char *const streets[] = {"Mill Lane",      "High Street", "Station Road",
                                          "Rue de la Paix", "Lindenallee", "Via Roma",
                                          "Church Street",  "Elm Avenue"};
    static const char *const cities[] = {"Leeds", "Paris", "Berlin",   "Roma",
                                         "Porto", "Oslo",  "New York", "Gent"};
    static const char *const countries[] = {"GB", "FR", "DE", "IT", "PT", "NO", "US", "BE"};
    static const char *const tags[] = {"gift", "express", "fragile", "sale", "return", "pickup"};
    static const char *const notes[] = {"Please ring twice.", "Leave it with the neighbour",
                                        "Happy birthday, dear", "second floor, left door",
                                        "Thanks!"};
    static const char *const coupons[] = {"SPRING10", "SUMMER15", "WELCOME5", "LOYAL20"};
    uint32_t place = demo_below(state, COUNT(cities));
    put(out, "{\"item\":\"%s %s\",\"quantity\":%u", colours[demo_below(state, COUNT(colours))],
        things[demo_below(state, COUNT(things))], 1 + demo_below(state, 12));
    if (demo_below(state, 3) == 0) {
        put(out, ",\"%s\":\"%s\"", source->words.orders_field,
            coupons[demo_below(state, COUNT(coupons))]);
    }
    put(out,
        ",\"address\":{\"street\":\"%u %s\",\"city\":\"%s\",\"zip\":\"%05u\",\"country\":\"%s\"",
        1 + demo_below(state, 180), streets[demo_below(state, COUNT(streets))], cities[place],
        1000 + demo_below(state, 98000), countries[place]);
    if (demo_below(state, 15) == 0) {
        put(out, ",\"line2\":\"Flat %u\"", 1 + demo_below(state, 30));
    }
    put(out, "},\"tags\":[");
    uint32_t count = demo_below(state, 4);
    for (uint32_t i = 0; i < count; i++) {
        put(out, "%s\"%s\"", i == 0 ? "" : ",", tags[demo_below(state, COUNT(tags))]);
    }
    put(out, "]");
    if (demo_below(state, 12) == 0) {
        put(out, ",\"note\":\"%s\"", notes[demo_below(state, COUNT(notes))]);
    }
    put(out, "}");
}

static void put_headers(struct text *out, const struct demo_source *source, uint32_t client)
{
    static const char *const agents[] = {
        "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:121.0) Gecko/20100101 Firefox/121.0",
        "python-requests/2.28.1",
        "okhttp/4.12.0",
        "curl/7.88.1",
    };
    uint64_t state = source->seed + client;
    uint64_t session = demo_random(&state);
    const char *agent = agents[client % COUNT(agents)];
    put(out, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: %s\r\n", source->host, agent,
        client % COUNT(agents) < 2 ? "application/json, text/plain, */*" : "*/*");
    if (client % COUNT(agents) < 2) {
        put(out, "Accept-Language: en-GB,en;q=0.5\r\nCookie: session=%016llx\r\n",
            (unsigned long long)session);
    }
}

size_t demo_request_write(char out[static DEMO_REQUEST_SIZE], const struct demo_source *source,
                          uint32_t client, uint64_t *state)
{
    char bytes[DEMO_REQUEST_SIZE / 2];
    struct text request = {out, 0, DEMO_REQUEST_SIZE};
    struct text body = {bytes, 0, sizeof(bytes)};
    uint32_t kind = demo_below(state, 100);
    if (kind < 55) {
        put_lookup(&request, source, state);
    } else if (kind < 60) {
        put(&request, "GET %s/%u", source->words.orders_path, 1 + demo_below(state, 5000));
    } else {
        put(&request, "POST %s", source->words.orders_path);
        put_body(&body, source, state);
    }
    put_headers(&request, source, client);
    if (body.len > 0) {
        put(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
    }
    put(&request, "\r\n%.*s", (int)body.len, bytes);
    return request.len;
}
