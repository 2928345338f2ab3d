/* SPDX-License-Identifier: Apache-2.0 */
/* A row of records between roots: whatever the bytes, parts stand one behind the other in it. */
#include "guardd/pods/backlog_row.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_span rest = {data, size};
    struct pod_row_part part;
    struct guard_err err;
    if (pod_row_read(&rest, &err) != GUARD_OK)
        return 0;
    while (rest.len > 0) {
        const uint8_t *at = rest.ptr;
        if (pod_row_next(&rest, &part, &err) != GUARD_OK)
            return 0;
        size_t name = at[1];
        check(name < sizeof(part.name) && part.name[name] == '\0');
        check(memcmp(part.name, at + POD_ROW_PART_HEAD, name) == 0);
        check(part.records.ptr == at + POD_ROW_PART_HEAD + name);
        check(part.records.ptr + part.records.len == rest.ptr);
        check(rest.ptr + rest.len == data + size);
    }
    return 0;
}
