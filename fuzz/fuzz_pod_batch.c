/* SPDX-License-Identifier: Apache-2.0 */
/* What a child of the tree sends of pods: whatever the bytes, a batch that is read has as many good
 * records as it says, which stand behind each other to its end. */
#include "common/pods/record_batch.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct pod_batch batch;
    struct guard_pod_record record;
    struct guard_span one;
    struct guard_err err;
    uint8_t head[POD_BATCH_HEAD];
    if (pod_batch_read(&batch, features, (struct guard_span){data, size}, &err) != GUARD_OK)
        return 0;
    pod_batch_write_head(&batch, head);
    check(memcmp(head, data, sizeof(head)) == 0);
    const uint8_t *at = data + POD_BATCH_HEAD;
    for (uint32_t left = batch.count; left > 0; left--) {
        check(pod_batch_next(&batch, &record, features, &one));
        check(one.ptr == at && record.origin.sequence > 0);
        at += one.len;
    }
    check(at == data + size && !pod_batch_next(&batch, &record, features, &one));
    return 0;
}
