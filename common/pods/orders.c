/* SPDX-License-Identifier: Apache-2.0 */
/* Both forms are read by tables of their members: each must be there, once, and nothing else. What
 * is written is held to the same rules, so that what one side writes the other one reads. */
#include "common/pods/orders.h"

#include "common/file.h"
#include "common/json_writer.h"
#include "common/traffic/json_cursor.h"
#include "common/traffic/timestamp.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, ARENA_MAX = 256 * 1024 };

/* Until this the texts of times have years of four digits. */
static const uint64_t TIME_END_MS = UINT64_C(253402300800000);

static const char *const step_names[GUARD_POD_STEPS] = {
    "contain", "capture", "outOfService", "waitReady", "remove", "verify", "tell"};
static const char *const outcome_names[POD_REPORT_OUTCOMES] = {"done", "later", "failed",
                                                               "sameAgain", "dryRun"};
static const char *const end_names[] = {NULL, "replaced", "kept", "untouched", "useless"};
enum { ENDS = sizeof(end_names) / sizeof(end_names[0]) };

const char *pod_report_step_name(enum guard_pod_step step)
{
    return (uint32_t)step < GUARD_POD_STEPS ? step_names[step] : NULL;
}

const char *pod_report_outcome_name(uint32_t outcome)
{
    return outcome < POD_REPORT_OUTCOMES ? outcome_names[outcome] : NULL;
}

const char *pod_report_end_name(enum guard_pod_end end)
{
    return (uint32_t)end < ENDS ? end_names[end] : NULL;
}

/* --- what a text may be --- */

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

bool pod_order_id_valid(struct guard_span id)
{
    if (id.len == 0 || id.len > POD_ORDER_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
            return false;
    }
    return true;
}

static bool is_word(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '/' || c == '"' || c == '\\')
            return false;
    }
    return true;
}

bool pod_order_name_valid(struct guard_span text)
{
    bool dots =
        text.len <= 2 && text.len > 0 && text.ptr[0] == '.' && text.ptr[text.len - 1] == '.';
    return text.len > 0 && !dots && is_word(text);
}

static bool is_control(const uint8_t *text, size_t len)
{
    /* U+0080..U+009F, too: terminals take some of them for commands. */
    return text[0] < 0x20 || text[0] == 0x7f || (len == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

bool pod_order_text_valid(struct guard_span text)
{
    for (size_t at = 0; at < text.len;) {
        size_t len = json_utf8_len(text.ptr + at, text.len - at);
        if (len == 0 || is_control(text.ptr + at, len))
            return false;
        at += len;
    }
    return true;
}

void pod_order_text(char *out, size_t size, struct guard_span text)
{
    size_t put = 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = json_utf8_len(text.ptr + at, text.len - at);
        bool bad = len == 0 || is_control(text.ptr + at, len);
        size_t room = bad ? 1 : len;
        if (put + room >= size)
            break;
        if (bad)
            out[put] = '?';
        else
            memcpy(out + put, text.ptr + at, len);
        put += room;
        at += len > 0 ? len : 1;
    }
    out[put] = '\0';
}

/* --- members --- */

enum {
    FORM_VERSION,
    FORM_ID,
    FORM_TIME,
    FORM_SERVICE,
    FORM_NAME,
    FORM_WORD, /* a name, or empty */
    FORM_TEXT,
    FORM_OR_NULL, /* a text, null when it is empty */
    FORM_COUNT,
    FORM_BOOL,
    FORM_STEP,
    FORM_OUTCOME,
    FORM_END,
    FORM_POD,
    FORM_EVIDENCE,
};

struct member {
    const char *name;
    uint32_t form; /* FORM_... */
    size_t at, size;
};

#define TEXT_OF(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

static const struct member order_members[] = {
    {"version", FORM_VERSION, 0, 0},
    {"id", FORM_ID, TEXT_OF(pod_order, id)},
    {"decided", FORM_TIME, TEXT_OF(pod_order, decided_ms)},
    {"service", FORM_SERVICE, TEXT_OF(pod_order, service)},
    {"namespace", FORM_NAME, TEXT_OF(pod_order, name_space)},
    {"workload", FORM_NAME, TEXT_OF(pod_order, workload)},
    {"container", FORM_NAME, TEXT_OF(pod_order, container)},
    {"pod", FORM_POD, 0, 0},
    {"replicas", FORM_COUNT, TEXT_OF(pod_order, replicas)},
    {"ready", FORM_COUNT, TEXT_OF(pod_order, ready)},
    {"dryRun", FORM_BOOL, TEXT_OF(pod_order, dry_run)},
    {"reason", FORM_TEXT, TEXT_OF(pod_order, reason)},
    {"evidence", FORM_EVIDENCE, 0, 0},
    {"exchange", FORM_OR_NULL, TEXT_OF(pod_order, exchange)},
};
static const struct member pod_members[] = {
    {"name", FORM_NAME, TEXT_OF(pod_order, pod)},
    {"uid", FORM_WORD, TEXT_OF(pod_order, uid)},
};
static const struct member evidence_members[] = {
    {"kind", FORM_NAME, TEXT_OF(pod_order_evidence, kind)},
    {"text", FORM_TEXT, TEXT_OF(pod_order_evidence, text)},
    {"hard", FORM_OR_NULL, TEXT_OF(pod_order_evidence, hard)},
};
static const struct member step_members[] = {
    {"version", FORM_VERSION, 0, 0},
    {"id", FORM_ID, TEXT_OF(pod_report_line, id)},
    {"at", FORM_TIME, TEXT_OF(pod_report_line, at_ms)},
    {"step", FORM_STEP, TEXT_OF(pod_report_line, step)},
    {"outcome", FORM_OUTCOME, TEXT_OF(pod_report_line, outcome)},
    {"detail", FORM_TEXT, TEXT_OF(pod_report_line, detail)},
};
static const struct member end_members[] = {
    {"version", FORM_VERSION, 0, 0},
    {"id", FORM_ID, TEXT_OF(pod_report_line, id)},
    {"at", FORM_TIME, TEXT_OF(pod_report_line, at_ms)},
    {"end", FORM_END, TEXT_OF(pod_report_line, end)},
    {"detail", FORM_TEXT, TEXT_OF(pod_report_line, detail)},
};
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static bool text_fits(const struct member *member, struct guard_span text)
{
    if (text.len >= member->size)
        return false;
    switch (member->form) {
    case FORM_ID:
        return pod_order_id_valid(text);
    case FORM_SERVICE:
        return state_service_valid(text);
    case FORM_NAME:
        return pod_order_name_valid(text);
    case FORM_WORD:
        return is_word(text);
    default:
        return pod_order_text_valid(text);
    }
}

/* --- reading --- */

struct reading {
    struct json_cursor cursor;
    struct guard_err *err;
    enum guard_rc rc;
};

static bool wrong(struct reading *reading, enum guard_rc rc, const char *name, const char *what)
{
    if (reading->rc == GUARD_OK)
        reading->rc = guard_fail(reading->err, rc, "%s: %s", name, what);
    json_cursor_refuse(&reading->cursor, rc, what);
    return false;
}

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* A value that is no string, object or array, as it stands. */
static struct guard_span literal(struct reading *reading)
{
    struct guard_span text = {NULL, 0};
    uint8_t c = json_cursor_peek(&reading->cursor);
    if (c == 0 || c == '"' || c == '{' || c == '[')
        return text;
    text.ptr = reading->cursor.at;
    json_cursor_skip(&reading->cursor);
    text.len = (size_t)(reading->cursor.at - text.ptr);
    return text;
}

/* Whole, without sign, fraction and exponent. */
static bool whole(struct guard_span text, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 7 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out = value;
    return value <= max;
}

static bool read_word_of(struct reading *reading, const struct member *member,
                         const char *const *names, uint32_t count, uint32_t *out)
{
    struct guard_span text;
    if (!json_cursor_string(&reading->cursor, &text))
        return wrong(reading, GUARD_E_SYNTAX, member->name, "no text");
    for (uint32_t i = 0; i < count; i++) {
        if (names[i] != NULL && is(text, names[i])) {
            *out = i;
            return true;
        }
    }
    return wrong(reading, GUARD_E_RANGE, member->name, "there is no such word");
}

static bool read_text(struct reading *reading, const struct member *member, char *out)
{
    struct guard_span text;
    if (member->form == FORM_OR_NULL && json_cursor_peek(&reading->cursor) == 'n') {
        if (!is(literal(reading), "null"))
            return wrong(reading, GUARD_E_SYNTAX, member->name, "no text and not null");
        return true;
    }
    if (!json_cursor_string(&reading->cursor, &text))
        return wrong(reading, GUARD_E_SYNTAX, member->name, "no text");
    if (!text_fits(member, text))
        return wrong(reading, GUARD_E_RANGE, member->name,
                     text.len >= member->size ? "too long" : "can't be that");
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    return true;
}

static bool read_time(struct reading *reading, const struct member *member, uint64_t *out)
{
    struct guard_span text;
    if (!json_cursor_string(&reading->cursor, &text))
        return wrong(reading, GUARD_E_SYNTAX, member->name, "no text");
    /* With a zone: what means another time elsewhere isn't one. */
    bool zoned = text.len >= 20 && (text.ptr[text.len - 1] == 'Z' || text.len >= 25);
    if (!zoned || !timestamp_iso8601(text, out) || *out >= TIME_END_MS)
        return wrong(reading, GUARD_E_RANGE, member->name, "no time of RFC 3339");
    return true;
}

static bool read_object(struct reading *reading, const char *what, const struct member *members,
                        size_t count, void *out);

static bool read_evidence(struct reading *reading, const char *name, struct pod_order *order)
{
    if (!json_cursor_enter(&reading->cursor, '['))
        return wrong(reading, GUARD_E_SYNTAX, name, "no list");
    while (json_cursor_element(&reading->cursor)) {
        if (order->evidence_count == POD_ORDER_EVIDENCE_MAX)
            return wrong(reading, GUARD_E_LIMIT, name, "more than 8");
        if (!read_object(reading, name, evidence_members, COUNT_OF(evidence_members),
                         &order->evidence[order->evidence_count++]))
            return false;
    }
    return true;
}

static bool read_literal(struct reading *reading, const struct member *member, uint8_t *place)
{
    struct guard_span text = literal(reading);
    uint32_t number = 0;
    if (member->form == FORM_BOOL) {
        if (!is(text, "true") && !is(text, "false"))
            return wrong(reading, GUARD_E_SYNTAX, member->name, "neither true nor false");
        bool value = text.len == 4;
        memcpy(place, &value, sizeof(value));
        return true;
    }
    if (!whole(text, POD_ORDER_REPLICAS_MAX, &number))
        return wrong(reading, GUARD_E_RANGE, member->name, "no whole number up to 1000000");
    if (member->form == FORM_VERSION)
        return number == VERSION ||
               wrong(reading, GUARD_E_VERSION, member->name, "another one than 1");
    memcpy(place, &number, sizeof(number));
    return true;
}

static bool read_value(struct reading *reading, const struct member *member, void *out)
{
    uint8_t *place = (uint8_t *)out + member->at;
    uint32_t word = 0;
    switch (member->form) {
    case FORM_VERSION:
    case FORM_COUNT:
    case FORM_BOOL:
        return read_literal(reading, member, place);
    case FORM_TIME:
        return read_time(reading, member, (uint64_t *)(void *)place);
    case FORM_STEP:
        if (!read_word_of(reading, member, step_names, GUARD_POD_STEPS, &word))
            return false;
        *(enum guard_pod_step *)(void *)place = (enum guard_pod_step)word;
        return true;
    case FORM_END:
        if (!read_word_of(reading, member, end_names, ENDS, &word))
            return false;
        *(enum guard_pod_end *)(void *)place = (enum guard_pod_end)word;
        return true;
    case FORM_OUTCOME:
        return read_word_of(reading, member, outcome_names, POD_REPORT_OUTCOMES,
                            (uint32_t *)(void *)place);
    case FORM_POD:
        return read_object(reading, member->name, pod_members, COUNT_OF(pod_members), out);
    case FORM_EVIDENCE:
        return read_evidence(reading, member->name, out);
    default:
        return read_text(reading, member, (char *)place);
    }
}

static bool read_object(struct reading *reading, const char *what, const struct member *members,
                        size_t count, void *out)
{
    struct guard_span key;
    uint32_t seen = 0;
    if (!json_cursor_enter(&reading->cursor, '{'))
        return wrong(reading, GUARD_E_SYNTAX, what, "no object");
    while (json_cursor_member(&reading->cursor, &key)) {
        size_t i = 0;
        while (i < count && !is(key, members[i].name))
            i++;
        if (i == count)
            return wrong(reading, GUARD_E_RANGE, what, "has a member that isn't known");
        if ((seen >> i & 1) != 0)
            return wrong(reading, GUARD_E_SYNTAX, members[i].name, "is said twice");
        seen |= 1U << i;
        if (!read_value(reading, &members[i], out))
            return false;
    }
    for (size_t i = 0; reading->cursor.wrong == NULL && i < count; i++) {
        if ((seen >> i & 1) == 0)
            return wrong(reading, GUARD_E_SYNTAX, members[i].name, "is missing");
    }
    return reading->cursor.wrong == NULL;
}

static enum guard_rc read_document(void *out, struct guard_span text, const char *what,
                                   const struct member *members, size_t count,
                                   struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct reading reading = {.err = err, .rc = GUARD_OK};
    guard_arena_init(&arena, &heap, ARENA_MAX);
    json_cursor_init(&reading.cursor, text, &arena);
    bool whole_text =
        read_object(&reading, what, members, count, out) && json_cursor_done(&reading.cursor);
    if (!whole_text && reading.rc == GUARD_OK)
        reading.rc = guard_fail(
            err, reading.cursor.wrong != NULL ? reading.cursor.rc : GUARD_E_SYNTAX,
            "%s: %s at byte %zu", what,
            reading.cursor.wrong != NULL ? reading.cursor.wrong : "more than one JSON value",
            (size_t)(reading.cursor.at - reading.cursor.begin));
    guard_arena_reset(&arena);
    return reading.rc;
}

static enum guard_rc check_order(const struct pod_order *order, struct guard_err *err)
{
    if (order->ready >= order->replicas)
        return guard_fail(err, GUARD_E_RANGE,
                          "ready: not less than replicas, of which one is gone");
    return order->evidence_count > 0 ? GUARD_OK
                                     : guard_fail(err, GUARD_E_RANGE, "evidence: there is none");
}

enum guard_rc pod_order_read(struct pod_order *out, struct guard_span text, struct guard_err *err)
{
    *out = (struct pod_order){.id = ""};
    enum guard_rc rc =
        text.len > POD_ORDER_BYTES_MAX
            ? guard_fail(err, GUARD_E_LIMIT, "order: more than %d bytes", POD_ORDER_BYTES_MAX)
            : read_document(out, text, "order", order_members, COUNT_OF(order_members), err);
    if (rc == GUARD_OK)
        rc = check_order(out, err);
    if (rc != GUARD_OK)
        *out = (struct pod_order){.id = ""};
    return rc;
}

/* Which of the two lines it is, is said by the member that only the last one has. */
static bool is_end(struct guard_span text)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct json_cursor cursor;
    struct guard_span key;
    bool found = false;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    json_cursor_init(&cursor, text, &arena);
    if (json_cursor_enter(&cursor, '{')) {
        while (!found && json_cursor_member(&cursor, &key)) {
            found = is(key, "end");
            json_cursor_skip(&cursor);
        }
    }
    guard_arena_reset(&arena);
    return found;
}

enum guard_rc pod_report_read(struct pod_report_line *out, struct guard_span text,
                              struct guard_err *err)
{
    bool ended = text.len <= POD_REPORT_LINE_MAX && is_end(text);
    *out = (struct pod_report_line){.ended = ended};
    enum guard_rc rc =
        text.len > POD_REPORT_LINE_MAX
            ? guard_fail(err, GUARD_E_LIMIT, "report: more than %d bytes", POD_REPORT_LINE_MAX)
        : ended ? read_document(out, text, "report", end_members, COUNT_OF(end_members), err)
                : read_document(out, text, "report", step_members, COUNT_OF(step_members), err);
    if (rc != GUARD_OK)
        *out = (struct pod_report_line){.id = ""};
    return rc;
}

/* --- writing --- */

static enum guard_rc write_members(struct json_writer *json, const struct member *members,
                                   size_t count, const void *from, struct guard_err *err);

static enum guard_rc write_text(struct json_writer *json, const struct member *member,
                                const char *text, struct guard_err *err)
{
    const char *end = memchr(text, '\0', member->size);
    if (end == NULL || !text_fits(member, span(text)))
        return guard_fail(err, GUARD_E_RANGE, "%s: can't be that", member->name);
    if (member->form == FORM_OR_NULL && end == text)
        json_null(json, member->name);
    else
        json_text(json, member->name, text);
    return GUARD_OK;
}

static enum guard_rc write_time(struct json_writer *json, const struct member *member,
                                uint64_t time_ms, struct guard_err *err)
{
    char text[CLOCK_TEXT_MAX];
    if (time_ms >= TIME_END_MS || !clock_text(text, (double)time_ms))
        return guard_fail(err, GUARD_E_RANGE, "%s: no time", member->name);
    json_text(json, member->name, text);
    return GUARD_OK;
}

static enum guard_rc write_word_of(struct json_writer *json, const struct member *member,
                                   const char *word, struct guard_err *err)
{
    if (word == NULL)
        return guard_fail(err, GUARD_E_RANGE, "%s: there is no such word", member->name);
    json_text(json, member->name, word);
    return GUARD_OK;
}

static enum guard_rc write_evidence(struct json_writer *json, const char *name,
                                    const struct pod_order *order, struct guard_err *err)
{
    if (order->evidence_count > POD_ORDER_EVIDENCE_MAX)
        return guard_fail(err, GUARD_E_RANGE, "%s: more than %d", name, POD_ORDER_EVIDENCE_MAX);
    json_open(json, name, '[');
    for (uint32_t i = 0; i < order->evidence_count; i++) {
        json_open(json, NULL, '{');
        GUARD_TRY(write_members(json, evidence_members, COUNT_OF(evidence_members),
                                &order->evidence[i], err));
        json_close(json, '}');
    }
    json_close(json, ']');
    return GUARD_OK;
}

static enum guard_rc write_value(struct json_writer *json, const struct member *member,
                                 const void *from, struct guard_err *err)
{
    const uint8_t *place = (const uint8_t *)from + member->at;
    uint32_t number = 0;
    switch (member->form) {
    case FORM_VERSION:
        json_integer(json, member->name, VERSION);
        return GUARD_OK;
    case FORM_COUNT:
        memcpy(&number, place, sizeof(number));
        if (number > POD_ORDER_REPLICAS_MAX)
            return guard_fail(err, GUARD_E_RANGE, "%s: too many", member->name);
        json_integer(json, member->name, number);
        return GUARD_OK;
    case FORM_BOOL:
        json_bool(json, member->name, *(const bool *)(const void *)place);
        return GUARD_OK;
    case FORM_TIME:
        return write_time(json, member, *(const uint64_t *)(const void *)place, err);
    case FORM_STEP:
        return write_word_of(
            json, member, pod_report_step_name(*(const enum guard_pod_step *)(const void *)place),
            err);
    case FORM_OUTCOME:
        return write_word_of(json, member,
                             pod_report_outcome_name(*(const uint32_t *)(const void *)place), err);
    case FORM_END:
        return write_word_of(json, member,
                             pod_report_end_name(*(const enum guard_pod_end *)(const void *)place),
                             err);
    case FORM_EVIDENCE:
        return write_evidence(json, member->name, from, err);
    case FORM_POD:
        json_open(json, member->name, '{');
        GUARD_TRY(write_members(json, pod_members, COUNT_OF(pod_members), from, err));
        json_close(json, '}');
        return GUARD_OK;
    default:
        return write_text(json, member, (const char *)place, err);
    }
}

static enum guard_rc write_members(struct json_writer *json, const struct member *members,
                                   size_t count, const void *from, struct guard_err *err)
{
    for (size_t i = 0; i < count; i++)
        GUARD_TRY(write_value(json, &members[i], from, err));
    return GUARD_OK;
}

static enum guard_rc write_document(const void *from, const struct member *members, size_t count,
                                    char *out, size_t size, size_t *len, struct guard_err *err)
{
    struct json_writer json;
    json_writer_init(&json, out, size);
    json_open(&json, NULL, '{');
    GUARD_TRY(write_members(&json, members, count, from, err));
    json_close(&json, '}');
    if (json.overflow)
        return guard_fail(err, GUARD_E_LIMIT, "more than %zu bytes", size);
    *len = json.len;
    return GUARD_OK;
}

enum guard_rc pod_order_write(const struct pod_order *order, char *out, size_t size, size_t *len,
                              struct guard_err *err)
{
    GUARD_TRY(check_order(order, err));
    return write_document(order, order_members, COUNT_OF(order_members), out, size, len, err);
}

enum guard_rc pod_report_write(const struct pod_report_line *line, char *out, size_t size,
                               size_t *len, struct guard_err *err)
{
    if (line->ended)
        return write_document(line, end_members, COUNT_OF(end_members), out, size, len, err);
    return write_document(line, step_members, COUNT_OF(step_members), out, size, len, err);
}
