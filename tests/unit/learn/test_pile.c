/* SPDX-License-Identifier: Apache-2.0 */
/* Observing: what a record touches, what caps and clients' shares refuse, epochs, protection,
 * forgetting. */
#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "policy/policy.h"

struct fixture {
    struct guard_pile *pile;
    struct guard_arena arena;
    struct guard_source source;
    struct gd_profile profile;
};

static const uint64_t noon = UINT64_C(1700006400000);

static void begin(struct fixture *fixture, const struct guard_pile_cfg *cfg)
{
    *fixture = (struct fixture){.source = {9, 1, 1}};
    guard_arena_init(&fixture->arena, &traffic_memory, 64 * 1024 * 1024);
    assert_int_equal(guard_pile_new(&fixture->pile, cfg, NULL), GUARD_OK);
    fixture->profile =
        (struct gd_profile){.service = traffic_text("shop"), .method = traffic_text("GET")};
    fixture->profile.status = 200;
    fixture->profile.time_ms = noon;
    fixture->profile.segments = gd_arena_get(&fixture->arena, 2 * sizeof(struct gd_segment));
    fixture->profile.segments[0] = (struct gd_segment){traffic_text("users"), false};
    fixture->profile.segment_count = 1;
    fixture->profile.field_cap = 600;
    fixture->profile.fields = gd_arena_get(&fixture->arena, 600 * sizeof(struct gd_field));
    memset(fixture->profile.fields, 0, 600 * sizeof(struct gd_field));
}

static void end(struct fixture *fixture)
{
    guard_pile_free(fixture->pile);
    guard_arena_reset(&fixture->arena);
}

static struct fixture usual(void)
{
    struct fixture fixture;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    begin(&fixture, &cfg);
    return fixture;
}

static void client(struct fixture *fixture, enum guard_unit unit, uint8_t number)
{
    fixture->profile.client =
        (struct guard_client){.unit = unit, .address_len = 4, .address = {10, 0, number, 1}};
}

static void field(struct fixture *fixture, enum guard_location location, const char *name,
                  const char *value)
{
    struct gd_field *made = &fixture->profile.fields[fixture->profile.field_count++];
    *made =
        (struct gd_field){.location = location, .parent = GD_NO_FIELD, .name = traffic_text(name)};
    gd_summary_init(&made->summary);
    gd_summary_add(&made->summary, traffic_text(value), 0, &fixture->arena);
}

static void observe(struct fixture *fixture)
{
    assert_int_equal(
        gd_pile_observe_profile(fixture->pile, &fixture->source, &fixture->profile, NULL),
        GUARD_OK);
    fixture->source.sequence++;
}

static struct gd_cell *child(const struct gd_cell *parent, enum gd_kind kind, const char *text)
{
    uint32_t count;
    struct gd_cell **children = gd_cell_children(parent, kind, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (gd_span_equal(children[i]->text, traffic_text(text)))
            return children[i];
    }
    return NULL;
}

static struct gd_cell *number(const struct gd_cell *parent, enum gd_kind kind, uint64_t code)
{
    return gd_cell_find(parent, kind, 0, code);
}

static struct gd_cell *endpoint(const struct fixture *fixture)
{
    return child(child(gd_pile_root(fixture->pile), GD_KIND_SEGMENT, "users"), GD_KIND_METHOD,
                 "GET");
}

static void test_what_a_record_touches(void **state)
{
    (void)state;
    struct fixture f = usual();
    client(&f, GUARD_UNIT_PREFIX, 1);
    field(&f, GUARD_LOCATION_QUERY, "name", "tom7");
    field(&f, GUARD_LOCATION_HEADER, "accept", "a/b");
    f.profile.faults[GUARD_LOCATION_QUERY] = 1 << GUARD_FAULT_NUL;
    f.profile.faults[GUARD_LOCATION_HEADER] = 1 << GUARD_FAULT_CONTROL;
    f.profile.media_type = traffic_text("text/plain");
    f.profile.body_kind = GUARD_BODY_JSON;
    f.profile.body_bytes = 100;
    f.profile.depth = 3;
    observe(&f);
    const struct gd_cell *root = gd_pile_root(f.pile), *method = endpoint(&f);
    assert_int_equal(root->count, 1);
    assert_non_null(child(root, GD_KIND_NAME, "accept"));
    assert_null(child(root, GD_KIND_NAME, "name"));
    assert_non_null(number(root, GD_KIND_FAULT, GUARD_LOCATION_HEADER << 8 | GUARD_FAULT_CONTROL));
    assert_non_null(number(method, GD_KIND_FAULT, GUARD_LOCATION_QUERY << 8 | GUARD_FAULT_NUL));
    assert_non_null(number(root, GD_KIND_STATUS, 2));
    assert_non_null(number(method, GD_KIND_STATUS, 2));
    assert_non_null(number(method, GD_KIND_SIZE, 26)); /* 96..111 */
    assert_non_null(number(method, GD_KIND_DEPTH, 3));
    assert_non_null(child(method, GD_KIND_MEDIA, "text/plain"));
    const struct gd_cell *name = child(method, GD_KIND_NAME, "name");
    assert_int_equal(name->location, GUARD_LOCATION_QUERY);
    assert_ptr_equal(gd_cell_find(method, GD_KIND_NAME, GUARD_LOCATION_QUERY, name->code), name);
    assert_null(gd_cell_find(method, GD_KIND_NAME, GUARD_LOCATION_FORM, name->code));
    assert_non_null(number(name, GD_KIND_CLASS, GUARD_CLASS_LOWER));
    assert_non_null(number(name, GD_KIND_CLASS, GUARD_CLASS_DIGIT));
    assert_non_null(number(name, GD_KIND_TRANSITION, GUARD_CLASS_LOWER << 6 | GUARD_CLASS_DIGIT));
    assert_non_null(number(name, GD_KIND_TYPE, GUARD_TYPE_TOKEN));
    assert_non_null(number(name, GD_KIND_LENGTH, 4));
    assert_non_null(number(name, GD_KIND_LENGTH_MIN, 4));
    assert_non_null(number(name, GD_KIND_DIGITS, 1));
    assert_non_null(number(name, GD_KIND_SPECIALS, 0));
    assert_non_null(number(name, GD_KIND_ITEMS, 1));
    uint8_t literal[16], clients[16];
    assert_true(gd_pile_keys(f.pile, literal, clients));
    assert_non_null(number(name, GD_KIND_LITERAL,
                           gd_policy_literal(literal, f.profile.fields[0].summary.literal, NULL)));
    assert_non_null(number(root, GD_KIND_CLIENT, gd_policy_client(clients, &f.profile.client)));
    end(&f);
}

static void test_a_cell_counts_a_record_once(void **state)
{
    (void)state;
    struct fixture f = usual();
    field(&f, GUARD_LOCATION_QUERY, "a", "1");
    field(&f, GUARD_LOCATION_QUERY, "a", "1");
    observe(&f);
    observe(&f);
    const struct gd_cell *name = child(endpoint(&f), GD_KIND_NAME, "a");
    assert_int_equal(name->count, 2);
    assert_int_equal(number(name, GD_KIND_CLASS, GUARD_CLASS_DIGIT)->count, 2);
    assert_int_equal(name->epoch_counts[0], 2);
    end(&f);
}

static void test_what_is_not_learned(void **state)
{
    (void)state;
    struct fixture f = usual();
    f.profile.status = 404;
    observe(&f);
    f.profile.status = 500;
    observe(&f);
    f.profile.status = 200;
    f.profile.decision = GUARD_BLOCK;
    observe(&f);
    const struct gd_cell *root = gd_pile_root(f.pile);
    assert_int_equal(root->count, 0);
    assert_null(child(root, GD_KIND_SEGMENT, "users"));
    assert_int_equal(number(root, GD_KIND_STATUS, 4)->count, 1);
    struct guard_pile_stats stats;
    guard_pile_stats(f.pile, &stats);
    assert_int_equal(stats.exchanges, 3);
    assert_int_equal(stats.unlearned, 3);
    f.profile.decision = GUARD_ALERT;
    f.profile.status = 0;
    observe(&f);
    assert_int_equal(root->count, 1);
    end(&f);
}

/* Would-be blocks that the mode let pass teach when clients of an earlier epoch send them. */
static void test_tenured_clients(void **state)
{
    (void)state;
    enum { HOURS_3 = 3 * 60 * 60 * 1000 };
    static const struct {
        enum guard_unit unit;
        uint8_t number;
        bool later, learned;
    } senders[] = {
        {GUARD_UNIT_PREFIX, 1, false, false}, /* the first epoch isn't over */
        {GUARD_UNIT_PREFIX, 1, true, true},   {GUARD_UNIT_PREFIX, 2, true, false},
        {GUARD_UNIT_SLICE, 1, true, false},   {GUARD_UNIT_ANONYMOUS, 1, true, false},
    };
    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        struct fixture f = usual();
        client(&f, GUARD_UNIT_PREFIX, 1);
        observe(&f);
        client(&f, senders[i].unit, senders[i].number);
        f.profile.time_ms += senders[i].later ? HOURS_3 : 0;
        f.profile.decision = GUARD_BLOCK;
        observe(&f);
        assert_int_equal(gd_pile_root(f.pile)->count, senders[i].learned ? 2 : 1);
        /* The service's own refusal is believed, whoever asked. */
        f.profile.status = 403;
        observe(&f);
        assert_int_equal(gd_pile_root(f.pile)->count, senders[i].learned ? 2 : 1);
        end(&f);
    }
}

static void test_units(void **state)
{
    (void)state;
    struct fixture f = usual();
    client(&f, GUARD_UNIT_PREFIX, 1);
    observe(&f);
    observe(&f);
    assert_int_equal(gd_cell_weight(endpoint(&f)), GD_WEIGHT_STRONG);
    client(&f, GUARD_UNIT_SLICE, 1);
    observe(&f);
    observe(&f);
    assert_int_equal(gd_cell_weight(endpoint(&f)), GD_WEIGHT_STRONG + GD_WEIGHT_WEAK);
    f.profile.time_ms += 10 * 60 * 1000; /* another slice of the same caller */
    observe(&f);
    assert_int_equal(gd_cell_weight(endpoint(&f)), GD_WEIGHT_STRONG + 2 * GD_WEIGHT_WEAK);
    client(&f, GUARD_UNIT_SUBJECT, 1);
    f.profile.client.subject = traffic_text("tom");
    observe(&f);
    f.profile.client.address[2] = 77;
    observe(&f);
    assert_int_equal(gd_cell_weight(endpoint(&f)), 6);
    client(&f, GUARD_UNIT_ANONYMOUS, 0);
    observe(&f);
    observe(&f);
    assert_int_equal(gd_cell_weight(endpoint(&f)), GD_TAGS_MAX);
    assert_int_equal(gd_cell_clients(endpoint(&f)), 6);
    struct guard_pile_stats stats;
    guard_pile_stats(f.pile, &stats);
    assert_int_equal(stats.anonymous, 2);
    assert_int_equal(stats.clients, 6);
    end(&f);
}

static void test_positions_and_replays(void **state)
{
    (void)state;
    struct fixture f = usual();
    struct guard_err err;
    observe(&f);
    observe(&f);
    struct traffic_digest before = traffic_digest(f.pile);
    f.source.sequence = 2;
    assert_int_equal(gd_pile_observe_profile(f.pile, &f.source, &f.profile, &err), GUARD_E_REPLAY);
    f.source.sequence = 0;
    assert_int_equal(gd_pile_observe_profile(f.pile, &f.source, &f.profile, &err), GUARD_E_RANGE);
    f.profile.service = traffic_text("other");
    f.source.sequence = 3;
    assert_int_equal(gd_pile_observe_profile(f.pile, &f.source, &f.profile, &err), GUARD_E_FOREIGN);
    assert_true(traffic_equal(before, traffic_digest(f.pile)));
    f.profile.service = traffic_text("shop");
    f.source.sequence = 10;
    observe(&f);
    assert_int_equal(guard_pile_position(f.pile, 9, 1), 10);
    assert_int_equal(guard_pile_position(f.pile, 9, 2), 0);
    assert_int_equal(guard_pile_position(f.pile, 8, 1), 0);
    f.source = (struct guard_source){9, 2, 5};
    observe(&f);
    assert_int_equal(guard_pile_position(f.pile, 9, 2), 5);
    struct guard_pile_stats stats;
    guard_pile_stats(f.pile, &stats);
    assert_int_equal(stats.exchanges, 4);
    assert_int_equal(stats.lost, 7);
    assert_int_equal(stats.intervals, 2);
    end(&f);
}

static void test_too_many_sources(void **state)
{
    (void)state;
    struct fixture f = usual();
    for (uint32_t i = 0; i < GD_INTERVALS_MAX; i++) {
        f.source = (struct guard_source){i * 7919 % GD_INTERVALS_MAX, 1, 1};
        observe(&f);
    }
    f.source = (struct guard_source){1000000, 1, 1};
    assert_int_equal(gd_pile_observe_profile(f.pile, &f.source, &f.profile, NULL), GUARD_E_LIMIT);
    f.source = (struct guard_source){5, 1, 2};
    observe(&f); /* those that are known go on */
    end(&f);
}

static void test_epochs_close_by_time_and_evidence(void **state)
{
    (void)state;
    struct fixture f = usual();
    for (int i = 0; i < 64; i++) {
        client(&f, GUARD_UNIT_PREFIX, (uint8_t)(i % 4));
        observe(&f);
    }
    assert_int_equal(gd_pile_epochs(f.pile), 1);
    observe(&f);
    assert_int_equal(gd_pile_epochs(f.pile), 2);
    for (int i = 0; i < 1000; i++) {
        client(&f, GUARD_UNIT_PREFIX, 3); /* one client alone closes nothing */
        observe(&f);
    }
    assert_int_equal(gd_pile_epochs(f.pile), 2);
    f.profile.time_ms += 3 * 3600 * 1000;
    observe(&f);
    assert_int_equal(gd_pile_epochs(f.pile), 3);
    assert_int_equal(endpoint(&f)->epochs, 7);
    f.profile.time_ms = noon; /* late: it belongs to where it was sent */
    observe(&f);
    assert_int_equal(gd_pile_epochs(f.pile), 3);
    assert_int_equal(endpoint(&f)->epoch_counts[2], 1);
    end(&f);
}

static void test_old_epochs_fold(void **state)
{
    (void)state;
    struct fixture f = usual();
    for (uint64_t i = 0; i < 40 * 8; i++) {
        f.profile.time_ms = noon + i * 3 * 3600 * 1000;
        observe(&f);
        assert_true(gd_pile_epochs(f.pile) <= GD_EPOCHS_MAX);
    }
    assert_int_equal(gd_pile_epochs(f.pile), GD_EPOCHS_MAX);
    const struct gd_cell *method = endpoint(&f);
    assert_int_equal(method->epochs, UINT32_MAX);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++)
        sum += method->epoch_counts[i];
    assert_int_equal(sum, 40 * 8);
    assert_int_equal(method->epoch_counts[GD_EPOCHS_MAX - 1], 1);
    assert_int_equal(method->epoch_counts[10], 8);
    assert_true(method->epoch_counts[0] > 100);
    end(&f);
}

static void test_forgetting(void **state)
{
    (void)state;
    struct fixture f = usual();
    field(&f, GUARD_LOCATION_QUERY, "old", "1");
    observe(&f);
    f.profile.field_count = 0;
    f.source = (struct guard_source){9, 2, 1};
    for (uint64_t i = 1; i < 40; i++) {
        f.profile.time_ms = noon + i * 24 * 3600 * 1000;
        observe(&f);
    }
    assert_non_null(child(endpoint(&f), GD_KIND_NAME, "old"));
    assert_int_equal(guard_pile_forget(f.pile, NULL), GUARD_OK);
    assert_null(child(endpoint(&f), GD_KIND_NAME, "old"));
    assert_int_equal(endpoint(&f)->dropped_kinds, 0);
    assert_int_equal(guard_pile_position(f.pile, 9, 1), 0);
    assert_int_equal(guard_pile_position(f.pile, 9, 2), 39);
    struct traffic_digest once = traffic_digest(f.pile);
    assert_int_equal(guard_pile_forget(f.pile, NULL), GUARD_OK);
    assert_true(traffic_equal(once, traffic_digest(f.pile)));
    end(&f);
}

static void test_one_client_fills_nothing(void **state)
{
    (void)state;
    struct fixture f = usual();
    for (uint32_t i = 0; i < 600; i++) {
        f.profile.field_count = 0;
        client(&f, GUARD_UNIT_PREFIX, 1);
        field(&f, GUARD_LOCATION_QUERY, "x", "1");
        f.profile.fields[0].name = traffic_name(&f.arena, "n%llu", i);
        observe(&f);
    }
    uint32_t count;
    (void)gd_cell_children(endpoint(&f), GD_KIND_NAME, &count);
    assert_int_equal(count, GD_UNIT_NAMES - 2); /* the path and the method were new too */
    client(&f, GUARD_UNIT_PREFIX, 2);
    observe(&f);
    (void)gd_cell_children(endpoint(&f), GD_KIND_NAME, &count);
    assert_int_equal(count, GD_UNIT_NAMES - 1);
    /* Its counts end too; what it supports doesn't. */
    for (uint32_t i = 0; i < 2000; i++) {
        client(&f, GUARD_UNIT_PREFIX, 1);
        observe(&f);
    }
    assert_in_range(endpoint(&f)->count, 1025 + 90, 1025 + 110);
    end(&f);
}

static void test_full_tables_keep_the_lowest(void **state)
{
    (void)state;
    struct fixture f = usual();
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < 5000; i++) {
        f.profile.field_count = 0;
        client(&f, GUARD_UNIT_PREFIX, (uint8_t)(i / 50));
        struct guard_span name = traffic_name(&f.arena, "n%llu", i);
        field(&f, GUARD_LOCATION_QUERY, "x", "1");
        f.profile.fields[0].name = name;
        f.profile.fields[0].summary.literal = i;
        observe(&f);
    }
    uint32_t count;
    struct gd_cell **names = gd_cell_children(endpoint(&f), GD_KIND_NAME, &count);
    assert_int_equal(count, GD_CHILDREN_MAX);
    uint64_t highest = 0;
    for (uint32_t i = 0; i < count; i++) {
        lowest = names[i]->scope->hash < lowest ? names[i]->scope->hash : lowest;
        highest = names[i]->scope->hash > highest ? names[i]->scope->hash : highest;
    }
    assert_in_range(highest >> 56, 20, 34); /* 512 of 5000 by hash: about a tenth of 256 */
    assert_true((endpoint(&f)->dropped_kinds & 1u << GD_KIND_NAME) != 0);
    struct guard_pile_stats stats;
    guard_pile_stats(f.pile, &stats);
    assert_true(stats.overflowed);
    /* One name with thousands of values: 64 literals stay, those of the lowest code. */
    for (uint32_t i = 0; i < 1000; i++) {
        f.profile.field_count = 0;
        client(&f, GUARD_UNIT_PREFIX, (uint8_t)(i % 200));
        field(&f, GUARD_LOCATION_HEADER, "x", "1");
        f.profile.fields[0].summary.literal = i;
        observe(&f);
    }
    const struct gd_cell *header = child(gd_pile_root(f.pile), GD_KIND_NAME, "x");
    struct gd_cell **literals = gd_cell_children(header, GD_KIND_LITERAL, &count);
    assert_int_equal(count, GD_LITERALS_MAX);
    uint8_t key[16], clients[16];
    assert_true(gd_pile_keys(f.pile, key, clients));
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t code = gd_policy_literal(key, i, NULL);
        assert_int_equal(number(header, GD_KIND_LITERAL, code) != NULL,
                         code <= literals[count - 1]->code);
    }
    end(&f);
}

/* The header "x" with this literal, from a client. */
static void send_literal(struct fixture *f, uint8_t who, uint64_t literal, bool full)
{
    f->profile.field_count = 0;
    client(f, GUARD_UNIT_PREFIX, who);
    field(f, GUARD_LOCATION_HEADER, "x", "1");
    f->profile.fields[0].summary.literal = literal;
    f->profile.fields[0].summary.transitions_full = full;
    observe(f);
}

static bool lost(const struct fixture *f, enum gd_kind kind)
{
    return (child(gd_pile_root(f->pile), GD_KIND_NAME, "x")->dropped_kinds >> kind & 1) != 0;
}

/* Three clients can't overflow a table, nor push out what the others have in common; four can. */
static void test_few_clients_overflow_nothing(void **state)
{
    (void)state;
    struct fixture f = usual();
    uint8_t key[16], clients[16];
    for (uint32_t i = 0; i < 64; i++)
        send_literal(&f, 200, 5000 + i, false);
    for (uint32_t i = 0; i < 3 * 500; i++)
        send_literal(&f, (uint8_t)(201 + i % 3), 10000 + i, false);
    assert_true(lost(&f, GD_KIND_LITERAL)); /* 200 to 203 are four */
    end(&f);
    f = usual();
    for (uint32_t i = 0; i < 3 * 500; i++)
        send_literal(&f, (uint8_t)(201 + i % 3), 10000 + i, false);
    for (uint32_t i = 0; i < 40 * 5; i++)
        send_literal(&f, (uint8_t)(1 + i % 5), i / 5, false);
    for (uint32_t i = 0; i < 90; i++)
        send_literal(&f, (uint8_t)(201 + i % 3), 20000 + i, false);
    for (uint32_t i = 0; i < 90 * 3; i++) /* together, too */
        send_literal(&f, (uint8_t)(201 + i % 3), 30000 + i / 3, false);
    assert_true(gd_pile_keys(f.pile, key, clients));
    const struct gd_cell *header = child(gd_pile_root(f.pile), GD_KIND_NAME, "x");
    for (uint32_t i = 0; i < 40; i++) {
        const struct gd_cell *common =
            number(header, GD_KIND_LITERAL, gd_policy_literal(key, i, NULL));
        assert_non_null(common);
        assert_int_equal(common->tag_count, 5);
    }
    assert_false(lost(&f, GD_KIND_LITERAL));
    end(&f);
}

/* Free text of a client that adds little of its own; a value of all at once. */
static void test_truncated_neighbourhoods(void **state)
{
    (void)state;
    struct fixture f = usual();
    send_literal(&f, 1, 1, true);
    assert_true(lost(&f, GD_KIND_TRANSITION));
    end(&f);
    f = usual();
    client(&f, GUARD_UNIT_PREFIX, 1);
    f.profile.field_count = 0;
    field(&f, GUARD_LOCATION_HEADER, "x", "a1'b\"c(d)e=f;g,h.i/j:k");
    f.profile.fields[0].summary.transitions_full = true;
    observe(&f);
    assert_false(lost(&f, GD_KIND_TRANSITION));
    end(&f);
}

static void test_full_pile_keeps_what_is_protected(void **state)
{
    (void)state;
    struct fixture f;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    cfg.cells_max = 500;
    begin(&f, &cfg);
    for (uint32_t i = 0; i < 400; i++) {
        f.profile.field_count = 0;
        client(&f, GUARD_UNIT_PREFIX, (uint8_t)(i % 5));
        field(&f, GUARD_LOCATION_QUERY, "name", "tom");
        observe(&f);
    }
    assert_int_equal(guard_pile_protect(f.pile, 0, NULL), GUARD_E_RANGE);
    assert_int_equal(guard_pile_protect(f.pile, 4, NULL), GUARD_OK);
    const struct gd_cell *name = child(endpoint(&f), GD_KIND_NAME, "name");
    assert_true(name->trusted && endpoint(&f)->trusted && gd_pile_root(f.pile)->trusted);
    assert_int_equal(f.pile->basis.generation, 1);
    assert_int_equal(guard_pile_protect(f.pile, 4, NULL), GUARD_OK);
    assert_int_equal(f.pile->basis.generation, 1);
    struct test_random random = test_random_start("pile");
    struct traffic_shape shape = traffic_usual;
    shape.paths = shape.names = shape.values = 10000;
    struct guard_source source = {10, 1, 1};
    for (uint32_t i = 0; i < 3000; i++, source.sequence++) {
        assert_int_equal(traffic_learn(f.pile, &random, &shape, source, 1), GUARD_OK);
        assert_true(f.pile->tree.cell_count <= 500);
    }
    name = child(endpoint(&f), GD_KIND_NAME, "name");
    assert_int_equal(name->count, 400);
    assert_int_equal(number(name, GD_KIND_CLASS, GUARD_CLASS_LOWER)->count, 400);
    assert_true(f.pile->overflowed);
    assert_int_equal(gd_tree_size(f.pile->tree.root), f.pile->tree.cell_count);
    end(&f);
}

static void test_hostile_shapes(void **state)
{
    (void)state;
    struct fixture f = usual();
    for (uint32_t i = 0; i < 600; i++) {
        field(&f, i % 7 == 0 ? GUARD_LOCATION_HEADER : GUARD_LOCATION_JSON, "x", "1");
        f.profile.fields[i].parent = i == 0 ? GD_NO_FIELD : i - 1;
    }
    f.profile.fields[3].location = GUARD_LOCATION_NONE;
    f.profile.fields[5].location = (enum guard_location)77;
    f.profile.fields[20].parent = 20;
    f.profile.fields[21].parent = 4000000000u;
    f.profile.fields[30].summary.types = UINT32_MAX;
    f.profile.fields[30].summary.classes = UINT64_MAX;
    f.profile.faults[GUARD_LOCATION_JSON] = UINT64_MAX;
    f.profile.status = 399;
    observe(&f);
    f.profile.segment_count = 0;
    f.profile.method = gd_span(NULL, 0);
    observe(&f);
    assert_int_equal(traffic_equal(traffic_digest(f.pile), traffic_digest(f.pile)), 1);
    end(&f);
}

/* No epoch is closed by evidence here and nothing overflows: then one pile that saw all equals the
 * merge of parts. */
static void test_parts_make_the_whole(void **state)
{
    (void)state;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct traffic_shape shape = traffic_usual;
    shape.clients = 3; /* below the weight that closes an epoch */
    struct guard_pile *whole, *parts[3];
    assert_int_equal(guard_pile_new(&whole, &cfg, NULL), GUARD_OK);
    for (uint64_t i = 0; i < 3; i++) {
        struct test_random random = {i}, again = {i};
        struct guard_source source = {i, 1, 1};
        assert_int_equal(guard_pile_new(&parts[i], &cfg, NULL), GUARD_OK);
        assert_int_equal(traffic_learn(parts[i], &random, &shape, source, 15), GUARD_OK);
        assert_int_equal(traffic_learn(whole, &again, &shape, source, 15), GUARD_OK);
    }
    assert_int_equal(guard_pile_merge(parts[2], parts[0], NULL, NULL), GUARD_OK);
    assert_int_equal(guard_pile_merge(parts[2], parts[1], NULL, NULL), GUARD_OK);
    assert_true(traffic_equal(traffic_digest(whole), traffic_digest(parts[2])));
    guard_pile_free(whole);
    for (int i = 0; i < 3; i++)
        guard_pile_free(parts[i]);
}

static void test_bad_configurations(void **state)
{
    (void)state;
    struct guard_pile *pile;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    cfg.cells_max = 15;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_E_RANGE);
    cfg.cells_max = GD_CELLS_LIMIT + 1;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_E_RANGE);
    cfg.cells_max = 0;
    cfg.service.len = 0;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_E_RANGE);
    guard_pile_free(NULL);
}

/* What a full table remembers of itself is a shortcut: a pile that is read anew after every few
 * records, and knows nothing, ends in the same bytes. */
static void test_ceilings_change_nothing(void **state)
{
    (void)state;
    struct test_random random = test_random_start("ceilings");
    struct traffic_shape shape = traffic_usual;
    shape.clients = 500; /* so that no share of a client is exceeded, which a pile forgets, too */
    shape.fields = 30;
    shape.names = 200;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    cfg.cells_max = 3000;
    cfg.children_max = 24;
    struct guard_pile *lasting, *reread;
    assert_int_equal(guard_pile_new(&lasting, &cfg, NULL), GUARD_OK);
    assert_int_equal(guard_pile_new(&reread, &cfg, NULL), GUARD_OK);
    for (uint32_t round = 0; round < 200; round++) {
        struct test_random again = random;
        struct guard_source source = {1, 1, 1 + 8 * (uint64_t)round};
        assert_int_equal(traffic_learn(lasting, &random, &shape, source, 8), GUARD_OK);
        assert_int_equal(traffic_learn(reread, &again, &shape, source, 8), GUARD_OK);
        shape.time_ms += UINT64_C(36) * 3600 * 1000;
        if (round % 8 == 7) {
            uint32_t support = 1 + (uint32_t)test_random_below(&random, 2);
            assert_int_equal(guard_pile_protect(lasting, support, NULL), GUARD_OK);
            assert_int_equal(guard_pile_protect(reread, support, NULL), GUARD_OK);
        }
        if (round % 8 == 3) {
            assert_int_equal(guard_pile_forget(lasting, NULL), GUARD_OK);
            assert_int_equal(guard_pile_forget(reread, NULL), GUARD_OK);
        }
        uint8_t *bytes;
        size_t len;
        assert_int_equal(guard_pile_encode(reread, &bytes, &len, NULL), GUARD_OK);
        guard_pile_free(reread);
        assert_int_equal(guard_pile_decode(&reread, &cfg, gd_span(bytes, len), NULL), GUARD_OK);
        free(bytes);
    }
    assert_true(lasting->overflowed && lasting->basis.generation > 1);
    assert_true(traffic_equal(traffic_digest(lasting), traffic_digest(reread)));
    guard_pile_free(lasting);
    guard_pile_free(reread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_record_touches),
        cmocka_unit_test(test_a_cell_counts_a_record_once),
        cmocka_unit_test(test_what_is_not_learned),
        cmocka_unit_test(test_tenured_clients),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_positions_and_replays),
        cmocka_unit_test(test_too_many_sources),
        cmocka_unit_test(test_epochs_close_by_time_and_evidence),
        cmocka_unit_test(test_old_epochs_fold),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_one_client_fills_nothing),
        cmocka_unit_test(test_full_tables_keep_the_lowest),
        cmocka_unit_test(test_ceilings_change_nothing),
        cmocka_unit_test(test_few_clients_overflow_nothing),
        cmocka_unit_test(test_truncated_neighbourhoods),
        cmocka_unit_test(test_full_pile_keeps_what_is_protected),
        cmocka_unit_test(test_hostile_shapes),
        cmocka_unit_test(test_parts_make_the_whole),
        cmocka_unit_test(test_bad_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
