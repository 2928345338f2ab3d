/* SPDX-License-Identifier: Apache-2.0 */
/* The file of whom people block is written by guard and the API, and by whoever may edit it: what
 * is taken of it names one client each, in the only spelling that verdicts have, and ends. */
#include "common/client_name.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/lifts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client_block blocks[BLOCKS_MAX];
    const uint64_t now_ms = 1700000000000;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    uint32_t refused;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (document_parse(&document, "l", (struct guard_span){data, size}, &arena, NULL) == GUARD_OK) {
        uint32_t count =
            blocks_read(member_of(document.root, "blocks"), now_ms, blocks, BLOCKS_MAX, &refused);
        for (uint32_t i = 0; i < count; i++) {
            char name[CLIENT_NAME_MAX];
            const char *why;
            struct guard_client client;
            uint8_t subject[GUARD_CLIENT_SUBJECT];
            const uint8_t key[16] = {1};
            if (!client_name_of_one(blocks[i].client, name, &why) ||
                strcmp(name, blocks[i].client) != 0 || !client_of_name(name, &client, subject) ||
                guard_client_code(key, &client) == 0 || blocks[i].until_ms <= now_ms ||
                blocks[i].until_ms > now_ms + (uint64_t)(BLOCK_SECONDS_MAX + 60) * 1000)
                abort();
        }
    }
    guard_arena_reset(&arena);
    return 0;
}
