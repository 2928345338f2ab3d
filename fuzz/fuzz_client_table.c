/* SPDX-License-Identifier: Apache-2.0 */
/* What a gate and the next guardd read of clients: a table of verdicts, and a norm. Both are tried
 * as they are, then with their digest repaired, as whoever can write into the folder could. */
#include <guard/client.h>
#include <guard/crypto.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *heap_get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size == 0 ? 1 : size);
}

static void heap_put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc heap = {NULL, heap_get, heap_put};
static const struct guard_span shop = {(const uint8_t *)"shop", 4};

static void read_table(struct guard_span bytes)
{
    static struct guard_client_table table;
    static uint8_t again[GUARD_CLIENT_TABLE_BYTES];
    size_t len = 0;
    if (guard_client_table_decode(&table, bytes, shop, NULL) != GUARD_OK)
        return;
    (void)guard_client_table_find(&table, 0, 0);
    for (uint32_t i = 0; i < table.count; i++) {
        if (guard_client_table_find(&table, table.list[i].code, 0) == NULL &&
            table.list[i].until_ms > 0)
            abort();
    }
    if (guard_client_table_encode(&table, shop, NULL, again, &len) != GUARD_OK || len != bytes.len)
        abort();
}

static void read_norm(struct guard_span bytes)
{
    static struct guard_clients *clients;
    struct guard_client_places *places = NULL;
    struct guard_clients_cfg cfg = {.alloc = heap, .service = shop};
    struct guard_err err;
    if (clients == NULL &&
        (guard_client_places_new(&places, &heap, 1) != GUARD_OK ||
         (cfg.places = places, guard_clients_new(&clients, &cfg, &err)) != GUARD_OK))
        abort();
    uint8_t *again = NULL;
    size_t len = 0;
    if (guard_clients_decode(clients, bytes) == GUARD_OK &&
        guard_clients_encode(clients, &again, &len) == GUARD_OK)
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size == 0 ? 1 : size);
    if (bytes == NULL)
        return 0;
    if (size > 0)
        memcpy(bytes, data, size);
    const struct guard_span whole = {bytes, size};
    read_table(whole);
    read_norm(whole);
    if (size >= GUARD_CLIENT_TABLE_TRAILER) {
        size_t content = size - GUARD_CLIENT_TABLE_TRAILER;
        guard_digest(bytes + content, (struct guard_span){bytes, content});
        read_table(whole);
        content = size - GUARD_DIGEST_BYTES;
        guard_digest(bytes + content, (struct guard_span){bytes, content});
        read_norm(whole);
    }
    free(bytes);
    return 0;
}
