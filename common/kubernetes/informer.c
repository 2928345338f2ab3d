/* SPDX-License-Identifier: Apache-2.0 */
/* 410 comes as a status of the answer or as an event in a stream of 200; both mean to list again. A
 * watch that ends otherwise goes on from the last version, which bookmarks keep young. */
#include "common/kubernetes/informer.h"

#include "common/document_members.h"
#include "common/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FEWER = 4, WATCH_S = 300, PAUSE_MS = 500, PAUSE_MAX_MS = 30000, GONE = 410 };

static uint32_t random_below(uint32_t bound)
{
    uint32_t number = 0;
    return random_bytes(&number, sizeof(number)) == GUARD_OK ? number % bound : bound / 2;
}

static void pause_after(struct informer *informer, const char *why)
{
    uint64_t pause = PAUSE_MS;
    for (uint32_t i = 0; i < informer->failures && pause < PAUSE_MAX_MS; i++)
        pause *= 2;
    informer->failures++;
    snprintf(informer->failure, sizeof(informer->failure), "%.250s", why);
    informer->next_ms = clock_monotonic_ms() + pause / 2 + random_below((uint32_t)pause);
}

static void list_again(struct informer *informer)
{
    informer->version[0] = informer->next[0] = '\0';
    watch_stream_reset(&informer->stream);
}

static bool copy_version(struct informer *informer, const char *version)
{
    size_t len = strlen(version);
    if (len == 0 || len >= sizeof(informer->version) || strpbrk(version, "&?# %") != NULL)
        return false;
    memcpy(informer->version, version, len + 1);
    return true;
}

/* --- listing --- */

static bool take_page(struct informer *informer, const struct document_node *root)
{
    const struct document_node *metadata = member_of(root, "metadata");
    const struct document_node *items = member_of(root, "items");
    if (metadata == NULL || strlen(text_of(metadata, "continue")) >= sizeof(informer->next))
        return false;
    if (informer->next[0] == '\0')
        informer->take(informer->ctx, INFORMER_LISTING, NULL);
    for (const struct document_node *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next) {
        if (item->kind == DOCUMENT_MAPPING)
            informer->take(informer->ctx, INFORMER_OBJECT, item);
    }
    snprintf(informer->next, sizeof(informer->next), "%s", text_of(metadata, "continue"));
    if (informer->next[0] != '\0')
        return true;
    if (!copy_version(informer, text_of(metadata, "resourceVersion")))
        return false;
    informer->lists++;
    informer->synced = true;
    informer->page = INFORMER_PAGE;
    informer->take(informer->ctx, INFORMER_LISTED, NULL);
    return true;
}

static void on_list(void *ctx, const struct api_answer *answer)
{
    struct informer *informer = ctx;
    informer->busy = false;
    if (answer->status == 200 && take_page(informer, answer->root)) {
        informer->failures = 0;
        informer->failure[0] = '\0';
        return;
    }
    /* Objects that are too large together can be had one by one. */
    if (answer->too_large && informer->page > 1) {
        informer->page = informer->page > FEWER ? informer->page / FEWER : 1;
        return; /* the rest of the list goes on */
    }
    list_again(informer); /* also 410: the rest of the list is too old */
    pause_after(informer, answer->message[0] != '\0' ? answer->message : "no list");
}

/* What continues a list is opaque, but a part of a query. */
static void escape(char *out, size_t cap, const char *text)
{
    size_t len = 0;
    for (; *text != '\0' && len + 4 < cap; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                     (*text >= 'A' && *text <= 'Z') || *text == '-' || *text == '_';
        len +=
            (size_t)snprintf(out + len, cap - len, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
    out[len] = '\0';
}

static const char *query_of(const struct informer *informer)
{
    return informer->query != NULL ? informer->query : "";
}

static void begin_list(struct informer *informer)
{
    char path[KUBERNETES_PATH_MAX + 256 + INFORMER_QUERY_MAX];
    char next[3 * INFORMER_CONTINUE_CAP];
    struct guard_err err;
    if (informer->page == 0)
        informer->page = INFORMER_PAGE;
    escape(next, sizeof(next), informer->next);
    snprintf(path, sizeof(path), "%.200s?%.*s%slimit=%u%s%s", informer->path, INFORMER_QUERY_MAX,
             query_of(informer), informer->query != NULL ? "&" : "", informer->page,
             next[0] != '\0' ? "&continue=" : "", next);
    const struct api_call call = {.method = "GET", .path = path, .done = on_list, .ctx = informer};
    informer->busy = api_client_call(informer->client, &call, &err) == GUARD_OK;
    if (!informer->busy)
        pause_after(informer, err.text);
}

/* --- watching --- */

static bool take_event(void *ctx, const struct watch_event *event)
{
    struct informer *informer = ctx;
    informer->events++;
    if (event->kind == WATCH_ERROR) {
        snprintf(informer->failure, sizeof(informer->failure), "%" PRId64 ": %.200s", event->code,
                 text_of(event->object, "message"));
        if (event->code == GONE)
            list_again(informer);
        return false;
    }
    if (informer->again || !copy_version(informer, event->resource_version))
        return false;
    if (event->kind != WATCH_BOOKMARK)
        informer->take(informer->ctx,
                       event->kind == WATCH_DELETED ? INFORMER_GONE : INFORMER_OBJECT,
                       event->object);
    informer->failures = 0;
    informer->failure[0] = '\0';
    return true;
}

static bool on_piece(void *ctx, struct guard_span piece)
{
    struct informer *informer = ctx;
    struct guard_err err;
    enum guard_rc rc = watch_stream_feed(&informer->stream, piece, take_event, informer, &err);
    if (rc == GUARD_OK)
        return true;
    if (rc != GUARD_E_STATE) { /* what can't be read is passed over by listing */
        snprintf(informer->failure, sizeof(informer->failure), "%.250s", err.text);
        list_again(informer);
    }
    return false;
}

static void on_watched(void *ctx, const struct api_answer *answer)
{
    struct informer *informer = ctx;
    informer->busy = false;
    watch_stream_reset(&informer->stream);
    if (informer->again) {
        informer->again = false;
        list_again(informer);
        return;
    }
    if (answer->status == 200)
        return; /* its time was over */
    if (answer->status == GONE)
        list_again(informer);
    char why[KUBERNETES_REASON_CAP];
    snprintf(why, sizeof(why), "%s",
             informer->failure[0] != '\0' ? informer->failure : answer->message);
    pause_after(informer, why);
}

static void begin_watch(struct informer *informer)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    uint32_t seconds = WATCH_S + random_below(WATCH_S);
    snprintf(path, sizeof(path),
             "%.200s?%.*s%swatch=1&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%u",
             informer->path, INFORMER_QUERY_MAX, query_of(informer),
             informer->query != NULL ? "&" : "", informer->version, seconds);
    const struct api_call call = {
        .method = "GET", .path = path, .done = on_watched, .ctx = informer};
    informer->busy =
        api_client_watch(informer->client, &call, on_piece, seconds * 1500, &err) == GUARD_OK;
    if (!informer->busy)
        pause_after(informer, err.text);
}

void informer_tick(struct informer *informer, uint64_t mono_ms)
{
    if (informer->busy || mono_ms < informer->next_ms ||
        !api_client_ready(informer->client, mono_ms))
        return;
    if (informer->version[0] == '\0')
        begin_list(informer);
    else
        begin_watch(informer);
}

void informer_relist(struct informer *informer)
{
    informer->again = informer->busy && informer->version[0] != '\0';
    if (!informer->busy)
        list_again(informer);
}

void informer_close(struct informer *informer)
{
    watch_stream_reset(&informer->stream);
}
