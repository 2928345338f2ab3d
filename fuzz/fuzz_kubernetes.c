/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server streams and what a kubeconfig says: a whole event or a refusal, however it is
 * cut. */
#include "common/document_members.h"
#include "common/kubernetes/config.h"
#include "common/kubernetes/watch_stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *ctx, const struct watch_event *event)
{
    if (event->object == NULL || event->object->kind != DOCUMENT_MAPPING ||
        event->kind > WATCH_ERROR || event->resource_version == NULL)
        abort();
    ++*(uint32_t *)ctx;
    return true;
}

static uint32_t feed(const uint8_t *data, size_t size, size_t piece, enum guard_rc *rc)
{
    struct watch_stream stream = {.line = NULL};
    struct guard_err err;
    uint32_t count = 0;
    *rc = GUARD_OK;
    for (size_t at = 0; at < size && *rc == GUARD_OK; at += piece)
        *rc = watch_stream_feed(
            &stream, (struct guard_span){data + at, size - at < piece ? size - at : piece}, take,
            &count, &err);
    watch_stream_reset(&stream);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kubernetes_config config;
    struct guard_err err;
    enum guard_rc whole_rc, cut_rc;
    uint32_t whole = feed(data, size, size + 1, &whole_rc);
    uint32_t cut = feed(data, size, 7, &cut_rc);
    if (whole != cut || whole_rc != cut_rc)
        abort();
    if (kubernetes_config_parse(&config, "k", "/", (struct guard_span){data, size}, &err) ==
            GUARD_OK &&
        (config.http.server == NULL || strncmp(config.http.server, "https://", 8) != 0))
        abort();
    kubernetes_config_free(&config);
    return 0;
}
