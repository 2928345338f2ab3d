/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd reads back of its store about pods: whatever the bytes, it ends with profiles that
 * are written again as the same bytes, or with none. */
#include "guardd/pods/profiles.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[GUARD_KEY_BYTES] = {7};
    struct service_pods pods = {.count = 0};
    struct guard_err err;
    uint8_t *again = NULL;
    size_t len = 0;
    if (pods_note_read(&pods, key, (struct guard_span){data, size}, &err) != GUARD_OK) {
        check(pods.count == 0);
        return 0;
    }
    check(pods_note_write(&pods, &again, &len, &err) == GUARD_OK);
    check(len == size && memcmp(again, data, len) == 0);
    free(again);
    pods_free(&pods);
    return 0;
}
