/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a multipart body with the boundary "b" (short, so that it is found): no crash, no
 * leak, and the same reading however the body is cut. */
#include "http_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_run_target(GUARD_BODY_MULTIPART, GUARD_SPAN_LITERAL("b"), data, size);
    return 0;
}
