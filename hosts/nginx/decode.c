/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies on their way into the transaction: a copy of what is compressed is decoded, within the
 * limit of what is inspected. The client and the service get what the other sent. */
#include "counters.h"
#include "module.h"
#include "overhead.h"

typedef void (*fail_pt)(struct guard_txn *txn);

static void sink_request(void *txn, struct guard_span bytes)
{
    guard_txn_body(txn, bytes);
}

static void sink_response(void *txn, struct guard_span bytes)
{
    guard_txn_response_body(txn, bytes);
}

static bool open_decoder(struct gate_service *service, struct gate_decoding *decoding,
                         enum guard_coding coding, size_t limit)
{
    if (coding == GUARD_CODING_IDENTITY)
        return false;
    if (decoder_open(&decoding->decoder, &gate_worker.decoders, coding, limit) == GUARD_OK)
        return true;
    gate_count(service, GATE_COUNT_DECODER_FAILURES);
    return false;
}

static void close_decoder(struct gate_decoding *decoding)
{
    decoder_close(decoding->decoder);
    decoding->decoder = NULL;
}

/* What follows isn't viewed: it would be taken for something else than it is. */
static void give_up(gate_exchange_t *exchange, struct gate_decoding *decoding, fail_pt failed)
{
    gate_count(exchange->service, GATE_COUNT_DECODER_FAILURES);
    close_decoder(decoding);
    decoding->failed = true;
    failed(exchange->txn);
}

void gate_request_decode(gate_exchange_t *exchange, size_t limit)
{
    if (open_decoder(exchange->service, &exchange->decoding, guard_txn_coding(exchange->txn),
                     limit))
        guard_txn_decoded(exchange->txn);
}

void gate_request_feed(gate_exchange_t *exchange, struct guard_span chunk)
{
    struct gate_decoding *decoding = &exchange->decoding;
    uint64_t begun_ns = gate_overhead_begin(exchange);
    if (decoding->decoder == NULL) {
        if (!decoding->failed)
            guard_txn_body(exchange->txn, chunk);
    } else if (decoder_feed(decoding->decoder, chunk, sink_request, exchange->txn) != GUARD_OK) {
        give_up(exchange, decoding, guard_txn_decoding_failed);
    }
    gate_overhead_end(exchange, begun_ns);
}

void gate_request_complete(gate_exchange_t *exchange)
{
    struct gate_decoding *decoding = &exchange->decoding;
    if (decoding->decoder != NULL && decoder_end(decoding->decoder) != GUARD_OK)
        give_up(exchange, decoding, guard_txn_decoding_failed);
    close_decoder(decoding);
}

void gate_response_decode(gate_exchange_t *exchange, size_t limit)
{
    struct gate_decoding *decoding = &exchange->response.decoding;
    if (open_decoder(exchange->service, decoding, guard_txn_response_coding(exchange->txn), limit))
        guard_txn_response_decoded(exchange->txn);
}

void gate_response_feed(gate_exchange_t *exchange, struct guard_span chunk)
{
    struct gate_decoding *decoding = &exchange->response.decoding;
    uint64_t begun_ns = gate_overhead_begin(exchange);
    if (decoding->decoder == NULL) {
        if (!decoding->failed)
            guard_txn_response_body(exchange->txn, chunk);
    } else if (decoder_feed(decoding->decoder, chunk, sink_response, exchange->txn) != GUARD_OK) {
        give_up(exchange, decoding, guard_txn_response_decoding_failed);
    }
    gate_overhead_end(exchange, begun_ns);
}

void gate_response_complete(gate_exchange_t *exchange)
{
    struct gate_decoding *decoding = &exchange->response.decoding;
    if (decoding->decoder != NULL && decoder_end(decoding->decoder) != GUARD_OK)
        give_up(exchange, decoding, guard_txn_response_decoding_failed);
    close_decoder(decoding);
}
