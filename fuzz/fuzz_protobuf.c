/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as gRPC frames, as those in base64 and as a message of their own: no crash, no leak,
 * and the same reading however they are cut. The first byte chooses the framing. */
#include "http_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum gd_protobuf_framing framings[] = {
        GD_PROTOBUF_GRPC, GD_PROTOBUF_GRPC_WEB, GD_PROTOBUF_BARE, GD_PROTOBUF_GRPC_WEB_TEXT};
    if (size < 2)
        return 0;
    enum gd_protobuf_framing framing = framings[data[0] % 4];
    enum guard_body_kind kind = framing == GD_PROTOBUF_BARE ? GUARD_BODY_BYTES : GUARD_BODY_GRPC;
    http_run_framed(kind, gd_span(NULL, 0), framing, false, data + 1, size - 1);
    return 0;
}
