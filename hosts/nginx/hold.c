/* SPDX-License-Identifier: Apache-2.0 */
/* What is held back of responses until they are decided. nginx reuses its buffers, so bytes are
 * copied into chunks of ours; parts of files are noted. One timer of the worker looks after all
 * that is held: a response that is decided at once, as most are, costs no timer. */
#include "counters.h"
#include "module.h"

struct gate_hold_chunk {
    struct gate_hold_chunk *next;
    ngx_chain_t link;
    ngx_buf_t buf;
    u_char bytes[];
};

enum {
    CHUNK_BYTES = GUARD_ARENA_CHUNK, /* as the worker keeps them */
    ROOM = CHUNK_BYTES - sizeof(struct gate_hold_chunk),
    HELD_FLAG =
        0x08, /* in r->buffered: nginx uses it for one of its filters alone, on connections */
};

static ngx_queue_t waiting; /* of struct gate_hold, the next to be released first */
static ngx_event_t timer;

static void on_timer(ngx_event_t *event)
{
    while (!ngx_queue_empty(&waiting)) {
        struct gate_hold *hold = ngx_queue_data(ngx_queue_head(&waiting), struct gate_hold, queue);
        ngx_msec_int_t left = (ngx_msec_int_t)(hold->deadline - ngx_current_msec);
        if (left > 0) {
            ngx_add_timer(event, (ngx_msec_t)left);
            return;
        }
        gate_response_overdue(hold->request);
    }
}

static void arm(ngx_log_t *log, ngx_msec_t time)
{
    static ngx_connection_t nobody; /* nginx's debug log wants a connection behind every timer */
    if (timer.handler == NULL) {
        nobody.fd = (ngx_socket_t)-1;
        timer.handler = on_timer;
        timer.data = &nobody;
        timer.log = ngx_cycle->log;
        timer.cancelable = 1; /* requests that are held have timers of their own */
    }
    if (!timer.timer_set)
        ngx_add_timer(&timer, time);
}

/* Almost always the last: locations may differ in their times. */
static void enqueue(struct gate_hold *hold)
{
    if (waiting.next == NULL) {
        ngx_queue_init(&waiting); /* two statements */
    }
    ngx_queue_t *at = ngx_queue_last(&waiting);
    while (at != ngx_queue_sentinel(&waiting)) {
        const struct gate_hold *other = ngx_queue_data(at, struct gate_hold, queue);
        if ((ngx_msec_int_t)(hold->deadline - other->deadline) >= 0)
            break;
        at = ngx_queue_prev(at);
    }
    ngx_queue_insert_after(at, &hold->queue);
}

void gate_hold_begin(ngx_http_request_t *r, struct gate_hold *hold, ngx_msec_t time)
{
    const gate_exchange_t *exchange = gate_exchange_find(r);
    hold->request = r;
    hold->service = exchange->service;
    hold->deadline = ngx_current_msec + time;
    hold->first = NULL;
    hold->last = &hold->first;
    hold->len = 0;
    enqueue(hold);
    arm(r->connection->log, time);
    r->buffered |= HELD_FLAG;
}

static void leave_queue(struct gate_hold *hold)
{
    if (hold->queue.next == NULL)
        return;
    ngx_queue_remove(&hold->queue);
    hold->queue.next = NULL;
    hold->request->buffered &= ~(unsigned)HELD_FLAG;
}

static void append(struct gate_hold *hold, ngx_chain_t *link)
{
    link->next = NULL;
    *hold->last = link;
    hold->last = &link->next;
}

static void account(struct gate_hold *hold, int bytes)
{
    gate_worker.held_bytes += (size_t)bytes;
    gate_count_add(hold->service, GATE_COUNT_HOLD_BYTES, bytes);
}

static struct gate_hold_chunk *add_chunk(struct gate_hold *hold)
{
    const struct guard_alloc *source = &gate_worker.chunks;
    if (gate_worker.held_bytes + CHUNK_BYTES > gate_worker.conf->hold_budget)
        return NULL;
    struct gate_hold_chunk *chunk = source->alloc(source->ctx, CHUNK_BYTES);
    if (chunk == NULL)
        return NULL;
    account(hold, CHUNK_BYTES);
    ngx_memzero(chunk, sizeof(*chunk));
    chunk->next = hold->chunks;
    hold->chunks = chunk;
    chunk->link.buf = &chunk->buf;
    chunk->buf.start = chunk->buf.pos = chunk->buf.last = chunk->bytes;
    chunk->buf.end = chunk->bytes + ROOM;
    chunk->buf.temporary = 1;
    return chunk;
}

/* The newest chunk takes more when nothing came after it. */
static ngx_buf_t *open_buf(struct gate_hold *hold)
{
    struct gate_hold_chunk *chunk = hold->chunks;
    if (chunk != NULL && hold->last == &chunk->link.next && chunk->buf.last < chunk->buf.end)
        return &chunk->buf;
    chunk = add_chunk(hold);
    if (chunk == NULL)
        return NULL;
    append(hold, &chunk->link);
    return &chunk->buf;
}

static bool keep_memory(struct gate_hold *hold, const ngx_buf_t *from)
{
    const u_char *pos = from->pos;
    size_t len = (size_t)(from->last - from->pos);
    while (len > 0) {
        ngx_buf_t *buf = open_buf(hold);
        if (buf == NULL)
            return false;
        buf->recycled |= from->recycled; /* such buffers aren't postponed when they go out */
        size_t part = ngx_min(len, (size_t)(buf->end - buf->last));
        buf->last = ngx_cpymem(buf->last, pos, part);
        pos += part;
        len -= part;
    }
    return true;
}

/* Files stay as they are while the request lasts. */
static bool keep_file(struct gate_hold *hold, const ngx_buf_t *from)
{
    ngx_pool_t *pool = hold->request->pool;
    ngx_chain_t *link = ngx_alloc_chain_link(pool);
    ngx_buf_t *buf = ngx_calloc_buf(pool);
    if (link == NULL || buf == NULL)
        return false;
    buf->in_file = 1;
    buf->temp_file = from->temp_file;
    buf->file = from->file;
    buf->file_pos = from->file_pos;
    buf->file_last = from->file_last;
    link->buf = buf;
    append(hold, link);
    return true;
}

static bool keep(struct gate_hold *hold, const ngx_buf_t *buf)
{
    if (ngx_buf_in_memory(buf))
        return keep_memory(hold, buf);
    return !buf->in_file || keep_file(hold, buf);
}

/* Room in the worker's budget for copies of a chain, at worst. */
static bool fits_budget(const struct gate_hold *hold, size_t memory)
{
    const struct gate_hold_chunk *chunk = hold->chunks;
    if (chunk != NULL && hold->last == &chunk->link.next) {
        size_t room = (size_t)(chunk->buf.end - chunk->buf.last);
        memory -= ngx_min(memory, room);
    }
    size_t chunks = (memory + ROOM - 1) / ROOM;
    return gate_worker.held_bytes + chunks * CHUNK_BYTES <= gate_worker.conf->hold_budget;
}

void gate_chain_consume(ngx_chain_t *in)
{
    for (ngx_chain_t *link = in; link != NULL; link = link->next) {
        link->buf->pos = link->buf->last;
        link->buf->file_pos = link->buf->file_last;
    }
}

/* Cuts off what was added since, so that the caller can send the chain itself. */
static void undo(struct gate_hold *hold, ngx_chain_t **last, u_char *end, off_t len)
{
    struct gate_hold_chunk *chunk = hold->chunks;
    *last = NULL;
    hold->last = last;
    hold->len = len;
    while (chunk != NULL && last != &chunk->link.next) /* its bytes stay unused until the end */
        chunk = chunk->next;
    if (chunk != NULL && end != NULL)
        chunk->buf.last = end;
}

enum gate_hold_result gate_hold_add(struct gate_hold *hold, size_t size_max, ngx_chain_t *in)
{
    ngx_chain_t **last = hold->last;
    struct gate_hold_chunk *open = hold->chunks;
    u_char *end = open != NULL && last == &open->link.next ? open->buf.last : NULL;
    off_t len = hold->len;
    size_t memory = 0;
    for (const ngx_chain_t *link = in; link != NULL; link = link->next) {
        hold->len += ngx_buf_size(link->buf);
        if (ngx_buf_in_memory(link->buf))
            memory += (size_t)ngx_buf_size(link->buf);
    }
    if (hold->len > (off_t)size_max || !fits_budget(hold, memory)) {
        enum gate_hold_result result =
            hold->len > (off_t)size_max ? GATE_HOLD_SIZE : GATE_HOLD_BUDGET;
        hold->len = len;
        return result;
    }
    for (const ngx_chain_t *link = in; link != NULL; link = link->next) {
        if (!keep(hold, link->buf)) { /* out of memory */
            undo(hold, last, end, len);
            return GATE_HOLD_BUDGET;
        }
    }
    gate_chain_consume(in);
    return GATE_HELD;
}

ngx_chain_t *gate_hold_end(struct gate_hold *hold, ngx_chain_t *in)
{
    leave_queue(hold);
    if (hold->first == NULL)
        return in;
    *hold->last = in;
    return hold->first;
}

static void free_chunks(struct gate_hold *hold)
{
    const struct guard_alloc *source = &gate_worker.chunks;
    while (hold->chunks != NULL) {
        struct gate_hold_chunk *chunk = hold->chunks;
        hold->chunks = chunk->next;
        account(hold, -CHUNK_BYTES);
        source->free(source->ctx, chunk);
    }
    hold->first = NULL;
    hold->last = &hold->first;
}

void gate_hold_reap(struct gate_hold *hold)
{
    if (hold->first == NULL)
        return;
    *hold->last = NULL;
    for (const ngx_chain_t *link = hold->first; link != NULL; link = link->next) {
        if (ngx_buf_size(link->buf) != 0)
            return;
    }
    free_chunks(hold);
}

void gate_hold_free(struct gate_hold *hold)
{
    leave_queue(hold);
    if (hold->chunks != NULL)
        free_chunks(hold);
    hold->first = NULL;
    hold->last = &hold->first;
}
