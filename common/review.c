/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of review documents: see review.h. */
#include "common/review.h"

#include "common/document.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/json_writer.h"

#include <guard/likeness.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct document document;
    struct guard_err *err;
};

#define FAIL(reading, node, rc, ...)                                                               \
    document_fail(&(reading)->document, node, rc, (reading)->err, __VA_ARGS__)

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool is_word(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

bool review_same(const struct guard_review_element *a, const struct guard_review_element *b)
{
    return a->kind == b->kind && a->status == b->status && a->location == b->location &&
           a->code == b->code && same(a->method, b->method) &&
           same(a->template_text, b->template_text) && same(a->name, b->name) &&
           same(a->text, b->text);
}

/* --- elements --- */

static bool is_text_kind(enum guard_review_kind kind)
{
    return kind == GUARD_REVIEW_PATH || kind == GUARD_REVIEW_METHOD ||
           kind == GUARD_REVIEW_CONTENT_TYPE;
}

static bool is_field_kind(enum guard_review_kind kind)
{
    return kind == GUARD_REVIEW_NAME ||
           (kind >= GUARD_REVIEW_CHARACTER && kind <= GUARD_REVIEW_LIKENESS);
}

void review_element_word(const struct guard_review_element *element, char out[REVIEW_WORD_MAX])
{
    char first[16];
    char second[16];
    const char *word = "";
    if (is_text_kind(element->kind)) {
        size_t len = element->text.len < REVIEW_WORD_MAX ? element->text.len : REVIEW_WORD_MAX - 1;
        if (len > 0)
            memcpy(out, element->text.ptr, len);
        out[len] = '\0';
        return;
    }
    if (element->kind == GUARD_REVIEW_CHARACTER) {
        guardian_class_word((enum guard_class)(element->code % GUARD_CLASS_COUNT), first);
        word = first;
    } else if (element->kind == GUARD_REVIEW_PAIR) {
        guardian_class_word((enum guard_class)((element->code >> 6) % GUARD_CLASS_COUNT), first);
        guardian_class_word((enum guard_class)((element->code & 63) % GUARD_CLASS_COUNT), second);
        snprintf(out, REVIEW_WORD_MAX, "%s %s", first, second);
        return;
    } else if (element->kind == GUARD_REVIEW_TYPE) {
        word = guard_type_name((enum guard_type)element->code);
    } else if (element->kind == GUARD_REVIEW_LIKENESS) {
        word = guard_likeness_name((enum guard_likeness)element->code);
    } else if (element->kind == GUARD_REVIEW_LEAK) {
        word = guard_leak_name((enum guard_leak)element->code);
    } else if (element->kind == GUARD_REVIEW_FAULT) {
        snprintf(out, REVIEW_WORD_MAX, "%s %s",
                 guard_location_name((enum guard_location)(element->code >> 8)),
                 guard_fault_name((enum guard_fault)(element->code & 255)));
        return;
    }
    snprintf(out, REVIEW_WORD_MAX, "%s", word);
}

/* Codes are few: the word that one of them has. */
static bool find_code(struct guard_review_element *element, struct guard_span word)
{
    static const uint32_t counts[GUARD_REVIEW_KINDS] = {
        [GUARD_REVIEW_CHARACTER] = GUARD_CLASS_COUNT,
        [GUARD_REVIEW_PAIR] = GUARD_CLASS_COUNT << 6,
        [GUARD_REVIEW_TYPE] = GUARD_TYPE_COUNT,
        [GUARD_REVIEW_LIKENESS] = GUARD_LIKENESS_COUNT,
        [GUARD_REVIEW_FAULT] = GUARD_LOCATION_COUNT << 8,
        [GUARD_REVIEW_LEAK] = GUARD_LEAK_COUNT};
    for (uint32_t code = 0; code < counts[element->kind]; code++) {
        char text[REVIEW_WORD_MAX];
        if ((element->kind == GUARD_REVIEW_PAIR && (code & 63) >= GUARD_CLASS_COUNT) ||
            (element->kind == GUARD_REVIEW_FAULT && (code & 255) >= GUARD_FAULT_COUNT))
            continue;
        element->code = code;
        review_element_word(element, text);
        if (is_word(word, text))
            return true;
    }
    element->code = 0;
    return false;
}

/* --- reading --- */

/* The members of one decision. */
struct members {
    const struct document_node *id, *decision, *kind, *response, *method, *path, *in, *name,
        *element, *by, *why, *time;
};

static const struct {
    const char *name;
    size_t offset;
    size_t max; /* bytes */
} decision_members[] = {
    {"id", offsetof(struct members, id), GUARD_REVIEW_ID_CHARS},
    {"decision", offsetof(struct members, decision), 16},
    {"kind", offsetof(struct members, kind), 16},
    {"response", offsetof(struct members, response), 3},
    {"method", offsetof(struct members, method), REVIEW_TEXT_MAX},
    {"path", offsetof(struct members, path), 5 * REVIEW_TEXT_MAX},
    {"in", offsetof(struct members, in), 16},
    {"name", offsetof(struct members, name), REVIEW_TEXT_MAX},
    {"element", offsetof(struct members, element), REVIEW_TEXT_MAX},
    {"by", offsetof(struct members, by), REVIEW_NOTE_MAX},
    {"why", offsetof(struct members, why), REVIEW_NOTE_MAX},
    {"time_ms", offsetof(struct members, time), 16},
};

static enum guard_rc find_members(struct reading *reading, const struct document_node *node,
                                  struct members *out)
{
    const size_t known = sizeof(decision_members) / sizeof(decision_members[0]);
    memset(out, 0, sizeof(*out));
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(reading, node, GUARD_E_SYNTAX, "decisions: each must be an object");
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        size_t i = 0;
        while (i < known && !is_word(child->key->text, decision_members[i].name))
            i++;
        if (i == known)
            return FAIL(reading, child->key, GUARD_E_SYNTAX, "unknown member \"%.40s\"",
                        (const char *)child->key->text.ptr);
        const char *name = decision_members[i].name;
        if (child->kind != DOCUMENT_SCALAR)
            return FAIL(reading, child, GUARD_E_SYNTAX, "%s: must be a text", name);
        if (child->text.len > decision_members[i].max ||
            memchr(child->text.ptr, '\0', child->text.len) != NULL)
            return FAIL(reading, child, GUARD_E_RANGE, "%s: must have at most %zu bytes", name,
                        decision_members[i].max);
        memcpy((char *)out + decision_members[i].offset, &child,
               sizeof(const struct document_node *));
    }
    return GUARD_OK;
}

static struct guard_span text_of(const struct document_node *node)
{
    return node != NULL ? node->text : (struct guard_span){NULL, 0};
}

static enum guard_rc read_kind(struct reading *reading, const struct document_node *owner,
                               const struct members *members, struct guard_review_entry *out)
{
    const struct document_node *node = members->kind;
    const struct document_node *decision = members->decision;
    bool known = false;
    for (int kind = 0; node != NULL && kind < GUARD_REVIEW_KINDS && !known; kind++) {
        out->element.kind = (enum guard_review_kind)kind;
        known = is_word(node->text, guard_review_kind_name((enum guard_review_kind)kind));
    }
    if (!known)
        return FAIL(reading, node != NULL ? node : owner, GUARD_E_RANGE,
                    "kind: must be path, method, name, content-type, character, pair, type, "
                    "likeness, fault or leak");
    if (decision != NULL && is_word(decision->text, "accept"))
        out->decision = GUARD_REVIEW_ACCEPTED;
    else if (decision != NULL && is_word(decision->text, "refuse"))
        out->decision = GUARD_REVIEW_REFUSED;
    else
        return FAIL(reading, decision != NULL ? decision : owner, GUARD_E_RANGE,
                    "decision: must be accept or refuse");
    return GUARD_OK;
}

static enum guard_rc read_place(struct reading *reading, const struct document_node *owner,
                                const struct members *members, struct guard_review_element *out)
{
    struct guard_status_range range = {0, 0};
    bool field = is_field_kind(out->kind);
    out->method = text_of(members->method);
    out->template_text = text_of(members->path);
    out->name = text_of(members->name);
    if (members->response != NULL && !guardian_status_class(members->response->text, &range))
        return FAIL(reading, members->response, GUARD_E_RANGE, "response: must be 1xx to 5xx");
    out->status = range.first / 100;
    if (field != (members->in != NULL))
        return FAIL(reading, members->in != NULL ? members->in : owner, GUARD_E_RANGE,
                    field ? "in: is needed" : "in: doesn't belong to this kind");
    if (!field && members->name != NULL)
        return FAIL(reading, members->name, GUARD_E_RANGE, "name: doesn't belong to this kind");
    for (int i = GUARD_LOCATION_PATH; field && i < GUARD_LOCATION_COUNT; i++) {
        if (is_word(members->in->text, guard_location_name((enum guard_location)i)))
            out->location = (enum guard_location)i;
    }
    if (field && (out->location == GUARD_LOCATION_NONE || out->location == GUARD_LOCATION_CLIENT))
        return FAIL(reading, members->in, GUARD_E_RANGE,
                    "in: must be path, query, header, cookie, form, json, multipart, body, "
                    "graphql, protobuf or websocket");
    return GUARD_OK;
}

static enum guard_rc read_element(struct reading *reading, const struct document_node *owner,
                                  const struct members *members, struct guard_review_element *out)
{
    const struct document_node *node = members->element;
    if (out->kind == GUARD_REVIEW_NAME) {
        if (node != NULL)
            return FAIL(reading, node, GUARD_E_RANGE, "element: a name has none");
        return GUARD_OK;
    }
    if (node == NULL)
        return FAIL(reading, owner, GUARD_E_SYNTAX, "element: is needed");
    if (is_text_kind(out->kind)) {
        out->text = node->text;
        return GUARD_OK;
    }
    if (!find_code(out, node->text))
        return FAIL(reading, node, GUARD_E_RANGE, "element: \"%.40s\" is no %s",
                    (const char *)node->text.ptr, guard_review_kind_name(out->kind));
    return GUARD_OK;
}

static enum guard_rc read_note(struct reading *reading, const struct members *members,
                               struct review_note *out)
{
    *out = (struct review_note){text_of(members->by), text_of(members->why), 0};
    struct guard_span digits = text_of(members->time);
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return FAIL(reading, members->time, GUARD_E_RANGE,
                        "time_ms: must be milliseconds since 1970");
        out->time_ms = out->time_ms * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    return GUARD_OK;
}

static enum guard_rc read_decision(struct reading *reading, const struct document_node *node,
                                   struct review_document *out)
{
    struct members members;
    char id[GUARD_REVIEW_ID_CHARS + 1];
    struct guard_review_entry *entry = &out->entries[out->count];
    memset(entry, 0, sizeof(*entry));
    GUARD_TRY(find_members(reading, node, &members));
    GUARD_TRY(read_kind(reading, node, &members, entry));
    GUARD_TRY(read_place(reading, node, &members, &entry->element));
    GUARD_TRY(read_element(reading, node, &members, &entry->element));
    GUARD_TRY(read_note(reading, &members, &out->notes[out->count]));
    guard_review_id(id, out->service, &entry->element);
    if (members.id != NULL && !is_word(members.id->text, id))
        return FAIL(reading, members.id, GUARD_E_RANGE, "id: what is said here has the id %s", id);
    for (uint32_t i = 0; i < out->count; i++) {
        if (review_same(&out->entries[i].element, &entry->element))
            return FAIL(reading, node, GUARD_E_RANGE, "decisions: this was decided before");
    }
    out->count++;
    return GUARD_OK;
}

static enum guard_rc read_decisions(struct reading *reading, const struct document_node *node,
                                    struct review_document *out)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(reading, node, GUARD_E_SYNTAX, "decisions: must be a list");
    if (node->count > GUARD_REVIEW_ENTRIES_MAX)
        return FAIL(reading, node, GUARD_E_LIMIT, "decisions: more than %d",
                    (int)GUARD_REVIEW_ENTRIES_MAX);
    out->entries =
        guard_arena_get(reading->document.arena, (node->count + 1u) * sizeof(*out->entries));
    out->notes = guard_arena_get(reading->document.arena, (node->count + 1u) * sizeof(*out->notes));
    if (out->entries == NULL || out->notes == NULL)
        return FAIL(reading, node, GUARD_E_NOMEM, "no memory");
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_decision(reading, child, out));
    return GUARD_OK;
}

static enum guard_rc read_head(struct reading *reading, const struct document_node *node,
                               struct review_document *out, const struct document_node **decisions)
{
    struct guard_span key = node->key->text;
    bool scalar = node->kind == DOCUMENT_SCALAR;
    if (is_word(key, "decisions")) {
        *decisions = node;
        return GUARD_OK;
    }
    if (is_word(key, "apiVersion"))
        return scalar && is_word(node->text, GUARDIAN_VERSION)
                   ? GUARD_OK
                   : FAIL(reading, node, GUARD_E_VERSION, "apiVersion: must be " GUARDIAN_VERSION);
    if (is_word(key, "kind"))
        return scalar && is_word(node->text, "Review")
                   ? GUARD_OK
                   : FAIL(reading, node, GUARD_E_SYNTAX, "kind: must be Review");
    if (!is_word(key, "service"))
        return FAIL(reading, node->key, GUARD_E_SYNTAX, "unknown member \"%.40s\"",
                    (const char *)key.ptr);
    if (!scalar || node->text.len == 0 || node->text.len > 128)
        return FAIL(reading, node, GUARD_E_RANGE, "service: must have 1 to 128 bytes");
    out->service = node->text;
    return GUARD_OK;
}

enum guard_rc review_parse(struct review_document *out, const char *name, struct guard_span bytes,
                           struct guard_arena *arena, struct guard_err *err)
{
    struct reading reading = {.err = err};
    const struct document_node *decisions = NULL;
    *out = (struct review_document){.count = 0};
    GUARD_TRY(document_parse(&reading.document, name, bytes, arena, err));
    const struct document_node *root = reading.document.root;
    if (root->kind != DOCUMENT_MAPPING)
        return FAIL(&reading, root, GUARD_E_SYNTAX, "must be an object");
    for (const struct document_node *node = root->first; node != NULL; node = node->next)
        GUARD_TRY(read_head(&reading, node, out, &decisions));
    if (out->service.len == 0)
        return FAIL(&reading, root, GUARD_E_SYNTAX, "the document needs \"service\"");
    return decisions == NULL ? GUARD_OK : read_decisions(&reading, decisions, out);
}

enum guard_rc review_load(struct review_document *out, const char *path, struct guard_arena *arena,
                          struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = review_parse(out, path, (struct guard_span){bytes, len}, arena, err);
    free(bytes);
    return rc;
}

/* --- writing --- */

static void write_text(struct json_writer *json, const char *name, struct guard_span text)
{
    if (text.len > 0)
        json_string(json, name, text);
}

static void write_entry(struct json_writer *json, struct guard_span service,
                        const struct guard_review_entry *entry, const struct review_note *note)
{
    const struct guard_review_element *element = &entry->element;
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char word[REVIEW_WORD_MAX];
    guard_review_id(id, service, element);
    review_element_word(element, word);
    json_open(json, NULL, '{');
    json_text(json, "id", id);
    json_text(json, "decision", guard_review_decision_name(entry->decision));
    json_text(json, "kind", guard_review_kind_name(element->kind));
    if (element->status > 0) {
        char status[8];
        guardian_status_word((struct guard_status_range){(uint16_t)(element->status * 100),
                                                         (uint16_t)(element->status * 100 + 99)},
                             status);
        json_text(json, "response", status);
    }
    write_text(json, "method", element->method);
    write_text(json, "path", element->template_text);
    if (is_field_kind(element->kind)) {
        json_text(json, "in", guard_location_name(element->location));
        write_text(json, "name", element->name);
    }
    if (element->kind != GUARD_REVIEW_NAME)
        json_text(json, "element", word);
    write_text(json, "by", note->by);
    write_text(json, "why", note->why);
    json_integer(json, "time_ms", (int64_t)note->time_ms);
    json_close(json, '}');
}

struct text {
    char *ptr;
    size_t len;
};

static bool put(struct text *text, const char *bytes, size_t len)
{
    if (len > DOCUMENT_BYTES_MAX - text->len)
        return false;
    memcpy(text->ptr + text->len, bytes, len);
    text->len += len;
    return true;
}

static bool put_entries(struct text *text, const struct review_document *document)
{
    char line[8 * 1024];
    bool good = true;
    for (uint32_t i = 0; good && i < document->count; i++) {
        struct json_writer json;
        json_writer_init(&json, line, sizeof(line));
        write_entry(&json, document->service, &document->entries[i], &document->notes[i]);
        good = !json.overflow && put(text, i == 0 ? "\n    " : ",\n    ", i == 0 ? 5 : 6) &&
               put(text, line, json.len);
    }
    return good;
}

/* What can't be written so that it is read as the same is refused: invalid UTF-8, NUL, names that
 * are too long. */
static enum guard_rc read_again(const struct review_document *document, struct guard_span text,
                                struct guard_arena *arena, struct guard_err *err)
{
    struct review_document again;
    GUARD_TRY(review_parse(&again, "review", text, arena, err));
    for (uint32_t i = 0; i < document->count; i++) {
        if (!review_same(&document->entries[i].element, &again.entries[i].element))
            return guard_fail(err, GUARD_E_RANGE, "what isn't UTF-8 can't be decided about");
    }
    return GUARD_OK;
}

enum guard_rc review_write(const struct review_document *document, struct guard_arena *arena,
                           struct guard_span *out, struct guard_err *err)
{
    char head[512];
    struct json_writer json;
    struct text text = {guard_arena_get(arena, DOCUMENT_BYTES_MAX), 0};
    static const char end[] = "\n  ]\n}\n";
    if (text.ptr == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    json_writer_init(&json, head, sizeof(head));
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", GUARDIAN_VERSION);
    json_text(&json, "kind", "Review");
    json_string(&json, "service", document->service);
    static const char list[] = ",\n  \"decisions\": [";
    if (json.overflow || !put(&text, head, json.len) || !put(&text, list, sizeof(list) - 1) ||
        !put_entries(&text, document) || !put(&text, end, sizeof(end) - 1))
        return guard_fail(err, GUARD_E_LIMIT, "the decisions are too long for one document");
    *out = (struct guard_span){(const uint8_t *)text.ptr, text.len};
    return read_again(document, *out, arena, err);
}
