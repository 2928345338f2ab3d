/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of DNS as a pod's resolver, or somebody in its place, sends them: whatever they say, the
 * names are hosts' and the table stays bounded. */
#include "podwatch/name_table.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t resolver[4] = {10, 96, 0, 10};
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    struct name_table table = {.count = 0};
    struct name_room room = {.shared = 0};
    struct dns_answer answer;
    /* Several in a row, as they come: a length of two bytes before each. */
    while (size > 2) {
        size_t len = (size_t)data[0] << 8 | data[1];
        len = len < size - 2 ? len : size - 2;
        if (dns_answer_read(&answer, (struct guard_span){data + 2, len})) {
            size_t name = strlen(answer.name);
            check(name > 0 && name <= DNS_NAME_MAX && strspn(answer.name, allowed) == name);
            check(answer.count <= DNS_ADDRESSES_MAX);
            for (uint32_t i = 0; i < answer.count; i++)
                check(answer.addresses[i].len == 4 || answer.addresses[i].len == 16);
            name_table_add(&table, &room, &answer, (struct guard_span){resolver, 4}, 1000);
            check(table.count <= NAMES_MAX && room.shared <= NAME_SHARED_BYTES);
        }
        data += 2 + len;
        size -= 2 + len;
    }
    name_table_expire(&table, &room, 1000 + NAME_MS_MIN / 2);
    name_table_free(&table, &room);
    check(room.shared == 0);
    return 0;
}
