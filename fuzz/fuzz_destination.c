/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the destination of a call and as traceparent: no crash, a name of a bounded length,
 * the same for every spelling in letters of another case. */
#include "base/span.h"
#include "common/trace_context.h"
#include "profile/destination.h"

#include <stdlib.h>

enum { SPELLED_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size, bool tls)
{
    uint8_t room[GD_NAME_MAX], other_room[GD_NAME_MAX], spelled[SPELLED_MAX];
    struct guard_span name = gd_destination(gd_span(data, size), tls, room);
    if (name.len == 0 || name.len > GD_NAME_MAX)
        abort();
    if (size > SPELLED_MAX)
        return;
    for (size_t i = 0; i < size; i++)
        spelled[i] = data[i] >= 'a' && data[i] <= 'z' ? data[i] & 0xdf : data[i];
    if (!gd_span_equal(name, gd_destination(gd_span(spelled, size), tls, other_room)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_parent parent;
    char text[TRACE_PARENT_CHARS];
    check(data, size, false);
    check(data, size, true);
    if (trace_parent_read(&parent, gd_span(data, size))) {
        trace_parent_write(text, &parent);
        /* Whatever version it was, what follows the version is the same. */
        if (memcmp(text + 2, data + 2, TRACE_PARENT_CHARS - 2) != 0)
            abort();
    }
    return 0;
}
