/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers name an address, and for how long. */
#include "podwatch/name_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct message {
    uint8_t bytes[2048];
    size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}
#define PUT(message, text) put(message, text, sizeof(text) - 1)

/* A response with so many answers to a question of type for "www.shop.example", at byte 12. */
static struct message begin(uint8_t type, uint8_t answers)
{
    struct message message = {.len = 0};
    const uint8_t head[] = {0x12, 0x34, 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0};
    const uint8_t kind[] = {0, type, 0, 1};
    put(&message, head, sizeof(head));
    PUT(&message, "\3wWw\4shop\7example\0");
    put(&message, kind, sizeof(kind));
    return message;
}

static bool reads(const struct message *message, struct dns_answer *out)
{
    return dns_answer_read(out, (struct guard_span){message->bytes, message->len});
}

static void test_addresses_of_the_question(void **state)
{
    (void)state;
    struct dns_answer answer;
    struct message message = begin(1, 2);
    PUT(&message, "\300\14\0\1\0\1\0\0\0\74\0\4\313\0\161\7");
    PUT(&message, "\300\14\0\1\0\1\0\0\0\36\0\4\313\0\161\10");
    assert_true(reads(&message, &answer));
    assert_string_equal(answer.name, "www.shop.example");
    assert_int_equal(answer.count, 2);
    assert_memory_equal(answer.addresses[1].bytes, "\313\0\161\10", 4);
    assert_int_equal(answer.addresses[1].ttl, 30);
}

/* www -> (pointer to "shop.example") -> address; and what nobody asked for. */
static void test_aliases_lead_to_addresses(void **state)
{
    (void)state;
    struct dns_answer answer;
    struct message message = begin(28, 3);
    PUT(&message, "\4evil\300\20\0\34\0\1\0\0\0\74\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\146");
    PUT(&message, "\300\20\0\34\0\1\0\0\0\74\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\11");
    PUT(&message, "\300\14\0\5\0\1\0\0\0\5\0\2\300\20");
    assert_true(reads(&message, &answer));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.addresses[0].len, 16);
    assert_int_equal(answer.addresses[0].bytes[15], 9);
    assert_int_equal(answer.addresses[0].ttl, 5);
}

static void test_aliases_in_a_circle_end(void **state)
{
    (void)state;
    struct dns_answer answer;
    struct message message = begin(1, 2);
    PUT(&message, "\300\14\0\5\0\1\0\0\0\5\0\2\300\20");
    PUT(&message, "\300\20\0\5\0\1\0\0\0\5\0\2\300\14");
    assert_true(reads(&message, &answer));
    assert_int_equal(answer.count, 0);
}

static void test_no_such_name_is_an_answer(void **state)
{
    (void)state;
    struct dns_answer answer;
    struct message message = begin(1, 0);
    message.bytes[3] = 0x83;
    assert_true(reads(&message, &answer));
    assert_int_equal(answer.count, 0);
    message.bytes[3] = 0x82; /* the server failed */
    assert_false(reads(&message, &answer));
}

static void test_what_is_no_answer_is_refused(void **state)
{
    (void)state;
    struct dns_answer answer;
    struct message good = begin(1, 1), bad;
    PUT(&good, "\300\14\0\1\0\1\0\0\0\74\0\4\313\0\161\7");
    for (size_t len = 0; len < good.len; len++) { /* cut anywhere */
        bad = good;
        bad.len = len;
        assert_false(reads(&bad, &answer) && answer.count > 0);
    }
    bad = good;
    bad.bytes[2] = 0x01; /* a question */
    assert_false(reads(&bad, &answer));
    bad = good;
    bad.bytes[2] |= 0x02; /* cut by the server */
    assert_false(reads(&bad, &answer));
    bad = good;
    bad.bytes[5] = 2; /* two questions */
    assert_false(reads(&bad, &answer));
    bad = good;
    bad.bytes[13] = ' '; /* no host's name */
    assert_false(reads(&bad, &answer));
    bad = good;
    bad.bytes[12] = 0xc0; /* the question's name points at itself */
    bad.bytes[13] = 12;
    assert_false(reads(&bad, &answer));
}

static struct dns_answer of(const char *name, uint8_t last, uint32_t ttl)
{
    struct dns_answer answer = {.count = 1};
    memcpy(answer.name, name, strlen(name) + 1);
    answer.addresses[0] = (struct dns_address){.bytes = {203, 0, 113, last}, .len = 4, .ttl = ttl};
    return answer;
}

static const uint8_t resolver_bytes[4] = {10, 96, 0, 10};
static const struct guard_span resolver = {resolver_bytes, 4};

static const struct named *find(const struct name_table *table, uint8_t last, uint64_t now_ms)
{
    const uint8_t address[4] = {203, 0, 113, last};
    return name_table_find(table, (struct guard_span){address, 4}, now_ms);
}

static void test_names_last_and_end(void **state)
{
    (void)state;
    struct name_table table = {.count = 0};
    struct name_room room = {.shared = 0};
    struct dns_answer first = of("a.example", 1, 1), forever = of("b.example", 2, UINT32_MAX);
    name_table_add(&table, &room, &first, resolver, 1000);
    name_table_add(&table, &room, &forever, resolver, 1000);
    assert_string_equal(find(&table, 1, 1000 + NAME_MS_MIN)->name, "a.example");
    assert_memory_equal(find(&table, 1, 1000)->resolver, resolver_bytes, 4);
    assert_null(find(&table, 1, 1001 + NAME_MS_MIN));
    assert_null(find(&table, 2, 1001 + NAME_MS_MAX));
    name_table_expire(&table, &room, 1001 + NAME_MS_MIN);
    assert_int_equal(table.count, 1);
    struct dns_answer later = of("c.example", 2, 60);
    name_table_add(&table, &room, &later, resolver, 2000);
    assert_string_equal(find(&table, 2, 2000)->name, "c.example");
    name_table_expire(&table, &room, UINT64_MAX);
    assert_null(table.entries);
}

static void test_a_table_is_bounded(void **state)
{
    (void)state;
    struct name_table table = {.count = 0};
    struct name_room room = {.shared = 0};
    for (uint32_t i = 0; i < 3 * NAMES_MAX; i++) {
        struct dns_answer answer = of("a.example", (uint8_t)i, 60);
        answer.addresses[0].bytes[1] = (uint8_t)(i >> 8);
        name_table_add(&table, &room, &answer, resolver, 1000 + i);
    }
    assert_int_equal(table.count, NAMES_MAX);
    assert_int_equal(room.pushed_out, 2 * NAMES_MAX);
    name_table_free(&table, &room);
}

static long resident_kib(void)
{
    char line[128];
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fgets(line, sizeof(line), file) != NULL && strchr(line, ' ') != NULL)
        pages = strtol(strchr(line, ' '), NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Of as many containers as there may be, each told the longest names for all its addresses. */
static void test_all_tables_together_are_bounded(void **state)
{
    (void)state;
    enum { CONTAINERS = 1024 };
    static struct name_table tables[CONTAINERS];
    struct name_room room = {.shared = 0};
    struct dns_answer answer = of("", 0, 60);
    memset(answer.name, 'a', DNS_NAME_MAX);
    long before = resident_kib();
    uint32_t kept = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < NAMES_MAX; i++) {
        for (uint32_t k = 0; k < CONTAINERS; k++) {
            answer.addresses[0].bytes[3] = (uint8_t)i;
            name_table_add(&tables[k], &room, &answer, resolver, 1000 + i);
        }
    }
    for (uint32_t k = 0; k < CONTAINERS; k++) {
        assert_true(tables[k].count >= 8); /* its own, though others take all they can */
        assert_non_null(find(&tables[k], NAMES_MAX - 1, 1000)); /* and the newest of these */
        kept += tables[k].count;
        bytes += tables[k].bytes;
    }
    assert_in_range(room.shared, NAME_SHARED_BYTES - 1024 * 1024, NAME_SHARED_BYTES);
    assert_true(bytes <= NAME_SHARED_BYTES + CONTAINERS * NAME_OWN_BYTES);
    assert_int_equal(kept + room.pushed_out, CONTAINERS * NAMES_MAX);
    print_message("full tables of names: %ld KiB resident, %llu KiB counted, %u of %d names kept\n",
                  resident_kib() - before, (unsigned long long)bytes / 1024, kept,
                  CONTAINERS * NAMES_MAX);
    for (uint32_t k = 0; k < CONTAINERS; k++)
        name_table_free(&tables[k], &room);
    assert_int_equal(room.shared, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_of_the_question),
        cmocka_unit_test(test_aliases_lead_to_addresses),
        cmocka_unit_test(test_aliases_in_a_circle_end),
        cmocka_unit_test(test_no_such_name_is_an_answer),
        cmocka_unit_test(test_what_is_no_answer_is_refused),
        cmocka_unit_test(test_names_last_and_end),
        cmocka_unit_test(test_a_table_is_bounded),
        cmocka_unit_test(test_all_tables_together_are_bounded),
    };
    return cmocka_run_group_tests_name("podwatch-dns-answer", tests, NULL, NULL);
}
