/* SPDX-License-Identifier: Apache-2.0 */
/* Files through one growing buffer; zlib reads plain ones as well as packed ones. What they hold is
 * read by the reader of its kind. */
#include "traffic_file.h"

#include "command.h"
#include "common/file.h"
#include "traffic_walk.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

enum { BLOCK = 256 * 1024, ARENA_MAX = 192 << 20 };

/* Makes room for another block behind end; the unread rest moves to the front. */
static bool make_room(struct traffic_input *input)
{
    if (input->start > 0) {
        memmove(input->bytes, input->bytes + input->start, input->end - input->start);
        input->end -= input->start;
        input->start = 0;
    }
    if (input->cap - input->end >= BLOCK)
        return true;
    size_t cap = input->cap * 2;
    uint8_t *bytes = cap <= 2 * input->max ? realloc(input->bytes, cap) : NULL;
    if (bytes == NULL)
        return false;
    input->bytes = bytes;
    input->cap = cap;
    return true;
}

bool traffic_fill(struct traffic_input *input)
{
    if (!make_room(input)) {
        input->failed = true;
        return false;
    }
    int n = gzread(input->file, input->bytes + input->end, BLOCK);
    if (n <= 0) {
        int code = Z_OK;
        (void)gzerror(input->file, &code);
        input->eof = true;
        input->failed = n < 0 || code == Z_BUF_ERROR;
        return false;
    }
    input->end += (size_t)n;
    return true;
}

static void draw(const struct walk *walk, off_t here, bool done)
{
    if (walk->total > 0)
        progress_draw(walk->traffic->label,
                      done ? 1.0 : (double)(walk->before + here) / (double)walk->total, done);
}

void walk_draw(const struct walk *walk, const struct traffic_input *input)
{
    draw(walk, gzoffset(input->file), false);
}

bool walk_unreadable(struct walk *walk)
{
    return walk->traffic->unreadable++ < TRAFFIC_COMPLAINTS_MAX;
}

static struct guard_span host_of(const struct guard_exchange *exchange)
{
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        struct guard_span name = exchange->headers[i].name;
        if (name.len == 4 && strncasecmp((const char *)name.ptr, "host", 4) == 0)
            return exchange->headers[i].value;
    }
    return (struct guard_span){NULL, 0};
}

static bool is_host(struct guard_span host, const char *wanted)
{
    size_t len = strlen(wanted);
    if (host.len < len || strncasecmp((const char *)host.ptr, wanted, len) != 0)
        return false;
    /* Behind the name only a port may stand; an IPv6 address alone has colons, too. */
    return host.len == len ||
           (host.ptr[len] == ':' && (strchr(wanted, ':') == NULL || wanted[len - 1] == ']'));
}

/* Browsers record what a page asks of other services as well. */
static void note_host(struct traffic *traffic, const struct guard_exchange *exchange)
{
    struct guard_span host = host_of(exchange);
    if (host.len == 0 || host.len >= TRAFFIC_HOST_MAX || traffic->several_hosts)
        return;
    if (traffic->har_host[0] == '\0')
        memcpy(traffic->har_host, host.ptr, host.len);
    else if (strlen(traffic->har_host) != host.len ||
             strncasecmp(traffic->har_host, (const char *)host.ptr, host.len) != 0)
        traffic->several_hosts = true;
}

bool walk_exchange(struct walk *walk, enum traffic_kind kind, const struct guard_exchange *exchange,
                   struct traffic_place *place)
{
    struct traffic *traffic = walk->traffic;
    if (traffic->host != NULL) {
        struct guard_span host = host_of(exchange);
        if (host.len > 0 && !is_host(host, traffic->host)) {
            traffic->other_hosts++;
            return true;
        }
    } else if (kind == TRAFFIC_HAR) {
        note_host(traffic, exchange);
    }
    traffic->exchanges++;
    traffic->of_kind[kind]++;
    place->ordinal++;
    return walk->take(walk->ctx, exchange, place);
}

static bool walk_input(struct walk *walk, struct traffic_input *input, struct traffic_place *place)
{
    (void)traffic_fill(input); /* what fails here fails again in the reader, which says it */
    struct guard_span first = {input->bytes + input->start, input->end - input->start};
    bool har = traffic_is_har(first, walk->traffic->log_format);
    input->start += traffic_mark(first);
    return har ? walk_har(walk, input, place) : walk_lines(walk, input, place);
}

static bool walk_file(struct walk *walk, int index)
{
    const char *path = walk->traffic->paths[index];
    struct traffic_place place = {.path = path, .file = index};
    struct traffic_input input = {.cap = (size_t)2 * BLOCK, .max = TRAFFIC_LINE_MAX};
    input.file = strcmp(path, "-") == 0 ? gzdopen(0, "rb") : gzopen(path, "rb");
    if (input.file == NULL)
        return complain(0, "%s: can't be opened", path) != 0;
    gzbuffer(input.file, BLOCK);
    input.bytes = malloc(input.cap);
    bool good = input.bytes != NULL && walk_input(walk, &input, &place);
    walk->before += gzoffset(input.file);
    gzclose(input.file);
    free(input.bytes);
    return good;
}

static off_t total_size(const struct traffic *traffic)
{
    off_t total = 0;
    for (int i = 0; i < traffic->count; i++) {
        struct stat info;
        if (stat(traffic->paths[i], &info) != 0 || !S_ISREG(info.st_mode))
            return 0; /* no progress bar without a known end */
        total += info.st_size;
    }
    return total;
}

static struct access_log *open_log(const char *log_format)
{
    struct guard_err err;
    struct access_log *log = malloc(sizeof(*log));
    if (log == NULL) {
        complain(0, "no memory");
    } else if (access_log_init(log, log_format, &err) != GUARD_OK) {
        complain(0, "--log-format: %s", err.text);
        free(log);
        log = NULL;
    }
    return log;
}

bool traffic_format_good(const char *log_format)
{
    struct access_log *log = open_log(log_format);
    free(log);
    return log != NULL;
}

bool traffic_read(struct traffic *traffic,
                  bool (*take)(void *ctx, const struct guard_exchange *exchange,
                               const struct traffic_place *place),
                  void *ctx)
{
    struct guard_alloc heap = heap_alloc();
    struct walk walk = {.traffic = traffic, .take = take, .ctx = ctx, .total = total_size(traffic)};
    guard_arena_init(&traffic->arena, &heap, ARENA_MAX);
    traffic->format_is_json = traffic_format_is_json(traffic->log_format);
    traffic->log = open_log(traffic->log_format);
    bool good = traffic->log != NULL;
    for (int i = 0; good && i < traffic->count; i++)
        good = walk_file(&walk, i);
    guard_arena_reset(&traffic->arena);
    free(traffic->log);
    traffic->log = NULL;
    if (good)
        draw(&walk, 0, true);
    if (traffic->unreadable > TRAFFIC_COMPLAINTS_MAX)
        complain(0, "%llu unreadable lines or entries in all",
                 (unsigned long long)traffic->unreadable);
    return good;
}

void traffic_notes(const struct traffic *traffic, FILE *out, const char *prefix)
{
    if (traffic->of_kind[TRAFFIC_LOG] > 0)
        fprintf(out,
                "%s%" PRIu64 " exchanges come from access logs: no bodies were seen, no answers "
                "but their status, and of the headers only the logged ones; what was learned of "
                "logs alone takes bodies and other headers for deviations\n",
                prefix, traffic->of_kind[TRAFFIC_LOG]);
    if (traffic->without_request > 0)
        fprintf(out, "%s%" PRIu64 " log lines without a request left out\n", prefix,
                traffic->without_request);
    if (traffic->no_http > 0)
        fprintf(out, "%s%" PRIu64 " HAR entries left out that are no HTTP (data:, ws: and such)\n",
                prefix, traffic->no_http);
    if (traffic->other_hosts > 0)
        fprintf(out, "%s%" PRIu64 " exchanges with other hosts left out\n", prefix,
                traffic->other_hosts);
    if (traffic->several_hosts)
        fprintf(out,
                "%sthe HAR documents hold exchanges with several hosts: --host NAME takes one\n",
                prefix);
}

bool traffic_fingerprint(const char *path, uint64_t *number)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    FILE *file = fopen(path, "rb");
    uint8_t *block = malloc(BLOCK);
    bool good = file != NULL && block != NULL;
    for (size_t n = BLOCK; good && n == BLOCK;) {
        n = fread(block, 1, BLOCK, file);
        *number = guard_checksum(*number, (struct guard_span){block, n});
        good = ferror(file) == 0;
    }
    if (file != NULL)
        fclose(file);
    free(block);
    return good;
}
