/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are guardd's own: quotes in texts are escaped in them, so that what is searched for stands
 * only where it is meant. */
#include "preview.h"

#include "log_scan.h"

#include <guard/crypto.h>

#include <stdlib.h>
#include <string.h>

static bool holds(struct guard_span line, const char *text)
{
    return memmem(line.ptr, line.len, text, strlen(text)) != NULL;
}

/* What stands behind the text, up to the next quote; empty: it isn't there. */
static struct guard_span behind(struct guard_span line, const char *text)
{
    const uint8_t *at = memmem(line.ptr, line.len, text, strlen(text));
    struct guard_span found = {NULL, 0};
    if (at == NULL)
        return found;
    at += strlen(text);
    const uint8_t *end = memchr(at, '"', (size_t)(line.ptr + line.len - at));
    if (end != NULL)
        found = (struct guard_span){at, (size_t)(end - at)};
    return found;
}

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* Hundredths. */
static uint32_t score_of(struct guard_span line)
{
    static const char name[] = "\"score\":";
    const uint8_t *at = memmem(line.ptr, line.len, name, sizeof(name) - 1);
    char text[32];
    size_t len = 0;
    if (at == NULL)
        return 0;
    at += sizeof(name) - 1;
    while (len < sizeof(text) - 1 && at + len < line.ptr + line.len &&
           strchr("0123456789.eE+-", at[len]) != NULL && at[len] != '\0')
        len++;
    memcpy(text, at, len);
    text[len] = '\0';
    double score = strtod(text, NULL);
    return score > 0 && score < 600 ? (uint32_t)(score * 100 + 0.5) : 0;
}

struct range {
    uint32_t low;
    uint32_t high;
};

/* The threshold that its score was held against; which of two isn't told where something reads like
 * an attack. */
static struct range threshold_of(const struct guard_thresholds *thresholds, struct guard_span line)
{
    struct guard_span part = behind(line, "\"part\":\"");
    uint32_t one = thresholds->request;
    if (is(part, "response"))
        one = is(behind(line, "\"rule\":\""), "latency") ? thresholds->time : thresholds->answer;
    else if (is(part, "client"))
        one = thresholds->client;
    else if (holds(line, "\"rule\":\"likeness\"") || holds(line, "\"rule\":\"fault\""))
        return thresholds->alike < one ? (struct range){thresholds->alike, one}
                                       : (struct range){one, thresholds->alike};
    return (struct range){one, one};
}

/* Whatever the budget. */
static bool is_certain(struct guard_span line)
{
    return holds(line, "\"configured\":true") || holds(line, "\"rule\":\"client-verdict\"") ||
           (holds(line, "\"rule\":\"patch\"") && holds(line, "\"shadow\":false"));
}

static enum preview_would would_of(const struct preview_wanted *wanted, struct guard_span line)
{
    const bool decided = holds(line, "\"verdict\":\"block\"");
    if (wanted->mode != GUARD_MODE_BLOCK || (!decided && !wanted->wider) ||
        (!decided && holds(line, "\"exception\":")))
        return PREVIEW_PASSES;
    /* What is late is only told in mode block, unless its part is said to block. */
    if (is(behind(line, "\"rule\":\""), "latency") && !holds(line, "\"action\":\"block\""))
        return PREVIEW_PASSES;
    if (decided && (!wanted->tighter || is_certain(line)))
        return PREVIEW_BLOCKS;
    const uint32_t score = score_of(line);
    const struct range threshold = threshold_of(&wanted->thresholds, line);
    if (score < threshold.low)
        return PREVIEW_PASSES;
    return decided && score >= threshold.high ? PREVIEW_BLOCKS : PREVIEW_MAYBE;
}

/* NULL: nobody is named, or there are too many. */
static struct preview_client *client_of(struct preview *preview, struct guard_span line)
{
    struct guard_span name = behind(line, "\"client\":\"");
    if (name.len == 0)
        return NULL;
    uint64_t hash = guard_checksum(1, name) | 1;
    for (uint64_t at = hash >> 1;; at++) {
        struct preview_client *client = &preview->slots[at % PREVIEW_SLOTS];
        if (client->hash == hash)
            return client;
        if (client->hash != 0)
            continue;
        if (preview->clients == PREVIEW_CLIENTS_MAX) {
            preview->more_clients = true;
            return NULL;
        }
        preview->clients++;
        client->hash = hash;
        return client;
    }
}

static void count_client(struct preview *preview, struct guard_span line, bool blocked,
                         enum preview_would would)
{
    struct preview_client *client = client_of(preview, line);
    if (client == NULL)
        return;
    preview->clients_blocked += blocked && !client->blocked;
    preview->clients_least += would == PREVIEW_BLOCKS && client->would != PREVIEW_BLOCKS;
    preview->clients_most += would != PREVIEW_PASSES && client->would == PREVIEW_PASSES;
    client->blocked = client->blocked || blocked;
    client->would = would > client->would ? would : client->would;
}

static void keep(struct preview *preview, struct guard_span line)
{
    if (preview->example_count == PREVIEW_EXAMPLES || line.len > PREVIEW_LINE_MAX)
        return;
    memcpy(preview->examples[preview->example_count], line.ptr, line.len);
    preview->example_len[preview->example_count++] = (uint16_t)line.len;
}

void preview_begin(struct preview *preview, const struct preview_wanted *wanted)
{
    memset(preview, 0, sizeof(*preview));
    preview->wanted = *wanted;
}

bool preview_line(struct preview *preview, struct guard_span line)
{
    uint64_t last_ms = log_number(line, "\"last_ms\":");
    uint64_t count = log_number(line, "\"count\":");
    if ((last_ms != 0 ? last_ms : log_number(line, "\"time_ms\":")) < preview->wanted.since_ms)
        return false;
    const bool blocked = holds(line, "\"action\":\"block\"");
    const enum preview_would would = would_of(&preview->wanted, line);
    preview->told += count;
    preview->blocked += blocked ? count : 0;
    preview->would_least += would == PREVIEW_BLOCKS ? count : 0;
    preview->would_most += would != PREVIEW_PASSES ? count : 0;
    preview->suppressed += log_number(line, "\"suppressed\":");
    if (count > 0)
        count_client(preview, line, blocked, would);
    if (count > 0 && would != PREVIEW_PASSES)
        keep(preview, line);
    return true;
}

void preview_json(const struct preview *preview, struct json_writer *json)
{
    json_integer(json, "alerts", (int64_t)preview->told);
    json_integer(json, "suppressed", (int64_t)preview->suppressed);
    json_open(json, "blocked", '{');
    json_integer(json, "requests", (int64_t)preview->blocked);
    json_integer(json, "clients", preview->clients_blocked);
    json_close(json, '}');
    json_open(json, "would_block", '{');
    json_integer(json, "least", (int64_t)preview->would_least);
    json_integer(json, "most", (int64_t)preview->would_most);
    json_integer(json, "clients_least", preview->clients_least);
    json_integer(json, "clients_most", preview->clients_most);
    json_close(json, '}');
    json_bool(json, "more_clients", preview->more_clients);
}
