/* SPDX-License-Identifier: Apache-2.0 */
/* Magic and version; then for each part flags, the name's length, that of its records, the secret's
 * digest, the name and the records. The digest is what a secret is told apart by: who reads the
 * database can't speak for a pod. */
#include "backlog_row.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[4] = {'G', 'L', 'P', 'R'};
enum { VERSION = 1, ROOM_FIRST = 4096, OF_CLUSTER = 1, OF_NODE = 2, BELIEVED = 4 };

static void put_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* --- writing --- */

static enum guard_rc make_room(struct pod_row *row, size_t more)
{
    if (more > POD_ROW_BYTES_MAX - row->len)
        return GUARD_E_LIMIT;
    size_t room = row->room > 0 ? row->room : ROOM_FIRST;
    while (room < row->len + more)
        room *= 2;
    if (room == row->room)
        return GUARD_OK;
    uint8_t *bytes = realloc(row->bytes, room);
    if (bytes == NULL)
        return GUARD_E_NOMEM;
    row->bytes = bytes;
    row->room = room;
    return GUARD_OK;
}

static void begin_row(struct pod_row *row)
{
    memcpy(row->bytes, magic, sizeof(magic));
    put_u32(row->bytes + sizeof(magic), VERSION);
    row->len = POD_ROW_HEAD;
}

static void begin_part(struct pod_row *row, uint64_t batch, const struct pod_reporter *who,
                       size_t name, const uint8_t secret[POD_BATCH_SECRET])
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    uint8_t *head = row->bytes + row->len;
    guard_digest(digest, (struct guard_span){secret, POD_BATCH_SECRET});
    memset(head, 0, POD_ROW_PART_HEAD);
    head[0] = (uint8_t)((who->cluster_pod != NULL ? OF_CLUSTER : 0) |
                        (who->node != NULL ? OF_NODE : 0) | (who->believed ? BELIEVED : 0));
    head[1] = (uint8_t)name;
    memcpy(head + 8, digest, POD_BATCH_SECRET);
    memcpy(head + POD_ROW_PART_HEAD, who->name, name);
    row->part = row->len;
    row->batch = batch;
    row->len += POD_ROW_PART_HEAD + name;
}

enum guard_rc pod_row_add(struct pod_row *row, uint64_t batch, const struct pod_reporter *who,
                          const uint8_t secret[POD_BATCH_SECRET], struct guard_span record)
{
    size_t name = strnlen(who->name, POD_SPEAKER_NAME_CAP - 1);
    bool empty = row->len == 0;
    bool begins = empty || row->batch != batch;
    size_t heads = (empty ? POD_ROW_HEAD : 0) + (begins ? POD_ROW_PART_HEAD + name : 0);
    GUARD_TRY(make_room(row, heads + record.len));
    if (empty)
        begin_row(row);
    if (begins)
        begin_part(row, batch, who, name, secret);
    memcpy(row->bytes + row->len, record.ptr, record.len);
    row->len += record.len;
    uint8_t *len = row->bytes + row->part + 4;
    put_u32(len, get_u32(len) + (uint32_t)record.len);
    return GUARD_OK;
}

void pod_row_free(struct pod_row *row)
{
    free(row->bytes);
    *row = (struct pod_row){.bytes = NULL};
}

/* --- reading --- */

static void take_off(struct guard_span *rest, size_t len)
{
    rest->ptr += len;
    rest->len -= len;
}

enum guard_rc pod_row_read(struct guard_span *rest, struct guard_err *err)
{
    if (rest->len < POD_ROW_HEAD || memcmp(rest->ptr, magic, sizeof(magic)) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "no row of pod records");
    if (get_u32(rest->ptr + sizeof(magic)) != VERSION)
        return guard_fail(err, GUARD_E_VERSION, "version %u", get_u32(rest->ptr + sizeof(magic)));
    take_off(rest, POD_ROW_HEAD);
    return GUARD_OK;
}

enum guard_rc pod_row_next(struct guard_span *rest, struct pod_row_part *part,
                           struct guard_err *err)
{
    if (rest->len < POD_ROW_PART_HEAD)
        return guard_fail(err, GUARD_E_SYNTAX, "it is cut");
    const uint8_t *head = rest->ptr;
    size_t name = head[1], records = get_u32(head + 4);
    if (name >= sizeof(part->name) || rest->len - POD_ROW_PART_HEAD < name ||
        rest->len - POD_ROW_PART_HEAD - name < records)
        return guard_fail(err, GUARD_E_SYNTAX, "it is cut");
    *part = (struct pod_row_part){.of_cluster = (head[0] & OF_CLUSTER) != 0,
                                  .of_node = (head[0] & OF_NODE) != 0,
                                  .believed = (head[0] & BELIEVED) != 0,
                                  .records = {head + POD_ROW_PART_HEAD + name, records}};
    memcpy(part->secret, head + 8, sizeof(part->secret));
    memcpy(part->name, head + POD_ROW_PART_HEAD, name);
    take_off(rest, POD_ROW_PART_HEAD + name + records);
    return GUARD_OK;
}
