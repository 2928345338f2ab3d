/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the frames of either side of a WebSocket connection: no crash, no leak, and the same
 * reading however they are cut. The first byte chooses the side. */
#include "http_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    http_run_framed(GUARD_BODY_WEBSOCKET, gd_span(NULL, 0), GD_PROTOBUF_NONE, (data[0] & 1) != 0,
                    data + 1, size - 1);
    return 0;
}
