/* SPDX-License-Identifier: Apache-2.0 */
/* A norm survives in its bytes, and no other bytes are one. */
#include "unit/client/crowd.h"

static struct guard_span encode(const struct crowd *crowd)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(guard_clients_encode(crowd->clients, &bytes, &len), GUARD_OK);
    return (struct guard_span){bytes, len};
}

static struct guard_clients *fresh(struct crowd *crowd, const char *service, uint8_t key)
{
    struct guard_err err;
    struct guard_clients *clients;
    struct guard_clients_cfg cfg = {
        .alloc = world_heap, .service = world_span(service), .places = crowd->places};
    memset(cfg.key, key, sizeof(cfg.key));
    assert_int_equal(guard_clients_new(&clients, &cfg, &err), GUARD_OK);
    return clients;
}

static void test_survives_a_restart(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    (void)crowd_live(&crowd, 0, 400);
    struct guard_span bytes = encode(&crowd);
    guard_clients_free(crowd.clients);
    crowd.clients = fresh(&crowd, "shop", 3);
    assert_int_equal(guard_clients_decode(crowd.clients, bytes), GUARD_OK);
    struct guard_span again = encode(&crowd);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.ptr, bytes.ptr, bytes.len);
    struct guard_client scraper = crowd_client(5000);
    assert_in_range(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 40, 500), 1, 20);
    free((void *)(uintptr_t)again.ptr);
    free((void *)(uintptr_t)bytes.ptr);
    crowd_close(&crowd);
}

static void test_refuses_other_bytes(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    (void)crowd_live(&crowd, 0, 40);
    struct guard_span bytes = encode(&crowd);
    uint8_t *copy = malloc(bytes.len);
    struct guard_clients *clients = fresh(&crowd, "shop", 3);
    for (size_t at = 0; at < bytes.len; at += 7) {
        memcpy(copy, bytes.ptr, bytes.len);
        copy[at] ^= 0x55;
        assert_int_equal(guard_clients_decode(clients, (struct guard_span){copy, bytes.len}),
                         GUARD_E_CHECKSUM);
        /* With the right digest, as whoever can write the file could make it. */
        if (at < bytes.len - GUARD_DIGEST_BYTES) {
            guard_digest(copy + bytes.len - GUARD_DIGEST_BYTES,
                         (struct guard_span){copy, bytes.len - GUARD_DIGEST_BYTES});
            enum guard_rc rc = guard_clients_decode(clients, (struct guard_span){copy, bytes.len});
            assert_true(rc <= GUARD_OK);
        }
        assert_int_not_equal(guard_clients_decode(clients, (struct guard_span){copy, at}),
                             GUARD_OK);
    }
    guard_clients_free(clients);
    clients = fresh(&crowd, "other", 3);
    assert_int_equal(guard_clients_decode(clients, bytes), GUARD_E_FOREIGN);
    guard_clients_free(clients);
    clients = fresh(&crowd, "shop", 4);
    assert_int_equal(guard_clients_decode(clients, bytes), GUARD_E_FOREIGN);
    guard_clients_free(clients);
    free(copy);
    free((void *)(uintptr_t)bytes.ptr);
    crowd_close(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_survives_a_restart),
        cmocka_unit_test(test_refuses_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
