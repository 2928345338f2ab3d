/* SPDX-License-Identifier: Apache-2.0 */
/* Reads exceptions by table, then holds each to the rules of guard_exception_check, whose complaint
 * is given the place of the member that it names. */
#include "common/guardian_exception.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_patch_members.h"
#include "common/guardian_words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_ID, TEXT_AUTHOR, TEXT_REASON };

static enum guard_rc read_text(const struct patch_reading *reading,
                               const struct document_node *node, void *target, int which)
{
    struct guard_exception *exception = target;
    struct guard_span *const texts[] = {[TEXT_ID] = &exception->id,
                                        [TEXT_AUTHOR] = &exception->author,
                                        [TEXT_REASON] = &exception->reason};
    return patch_read_text(reading, node,
                           which == TEXT_ID ? GUARD_EXCEPTION_ID_MAX : GUARD_EXCEPTION_TEXT_MAX,
                           texts[which]);
}

enum { TIME_CREATED, TIME_EXPIRES };

static enum guard_rc read_time(const struct patch_reading *reading,
                               const struct document_node *node, void *target, int which)
{
    struct guard_exception *exception = target;
    return patch_read_time(reading, node,
                           which == TIME_CREATED ? &exception->created_ms : &exception->expires_ms);
}

enum { SCOPE_ENDPOINTS, SCOPE_METHODS, SCOPE_NAMES, SCOPE_PATCHES };

static enum guard_rc read_list(const struct patch_reading *reading,
                               const struct document_node *node, void *target, int which)
{
    struct guard_exception *exception = target;
    switch (which) {
    case SCOPE_ENDPOINTS:
        return patch_read_list(reading, node, &exception->endpoints, &exception->endpoint_count);
    case SCOPE_METHODS:
        return patch_read_list(reading, node, &exception->methods, &exception->method_count);
    case SCOPE_NAMES:
        return patch_read_list(reading, node, &exception->names, &exception->name_count);
    default:
        return patch_read_list(reading, node, &exception->patches, &exception->patch_count);
    }
}

static uint32_t location_bit(struct guard_span word)
{
    for (int i = GUARD_LOCATION_PATH; i < GUARD_LOCATION_COUNT; i++) {
        const char *name = guard_location_name((enum guard_location)i);
        if (strlen(name) == word.len && memcmp(name, word.ptr, word.len) == 0)
            return UINT32_C(1) << i;
    }
    return 0;
}

static enum guard_rc read_places(const struct patch_reading *reading,
                                 const struct document_node *node, void *target, int argument)
{
    (void)argument;
    return patch_read_bits(reading, node, location_bit,
                           "path, query, header, cookie, form, json, multipart, body, client, "
                           "graphql, protobuf or websocket",
                           &((struct guard_exception *)target)->locations);
}

/* The first element of a list, or what stands there for a list of one. */
static enum guard_rc elements(const struct patch_reading *reading, const struct document_node *node,
                              const struct document_node **first, uint32_t *count)
{
    bool list = node->kind == DOCUMENT_SEQUENCE;
    *first = list ? node->first : node;
    *count = list ? node->count : 1;
    return *count > 0 && *count <= GUARD_EXCEPTION_LIST_MAX
               ? GUARD_OK
               : PATCH_FAIL(reading, node, GUARD_E_LIMIT, "must have 1 to %d elements",
                            GUARD_EXCEPTION_LIST_MAX);
}

static enum guard_rc read_rules(const struct patch_reading *reading,
                                const struct document_node *node, void *target, int argument)
{
    struct guard_exception *exception = target;
    const struct document_node *element;
    uint32_t count;
    (void)argument;
    GUARD_TRY(elements(reading, node, &element, &count));
    for (uint32_t i = 0; i < count; i++, element = element->next) {
        enum guard_rule rule = GUARD_RULE_COUNT;
        if (element->kind != DOCUMENT_SCALAR || !guard_rule_from_name(element->text, &rule) ||
            !guard_exception_rule(rule))
            return PATCH_FAIL(reading, element, GUARD_E_RANGE,
                              "must be a rule as findings name it, as character, likeness, length "
                              "or client-verdict; patches are named by ids in \"patches\"");
        exception->rules[(unsigned)rule / 64] |= UINT64_C(1) << (unsigned)rule % 64;
    }
    return GUARD_OK;
}

static bool zero_behind(const struct guard_address_prefix *prefix)
{
    for (uint32_t bit = prefix->bits; bit < 8u * prefix->address_len; bit++) {
        if ((prefix->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    }
    return true;
}

bool exception_prefix(struct guard_span text, struct guard_address_prefix *out)
{
    char address[EXCEPTION_PREFIX_MAX];
    if (text.len == 0 || text.len >= sizeof(address))
        return false;
    memcpy(address, text.ptr, text.len);
    address[text.len] = '\0';
    char *slash = strchr(address, '/');
    if (strlen(address) != text.len)
        return false;
    if (slash != NULL)
        *slash = '\0';
    *out = (struct guard_address_prefix){.address_len = 4};
    if (inet_pton(AF_INET, address, out->address) != 1) {
        out->address_len = 16;
        if (inet_pton(AF_INET6, address, out->address) != 1)
            return false;
    }
    unsigned bits = 8u * out->address_len;
    if (slash != NULL) {
        size_t digits = strspn(slash + 1, "0123456789");
        if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
            return false;
        bits = (unsigned)strtoul(slash + 1, NULL, 10);
    }
    out->bits = (uint8_t)bits;
    return bits > 0 && bits <= 8u * out->address_len && zero_behind(out);
}

static enum guard_rc read_clients(const struct patch_reading *reading,
                                  const struct document_node *node, void *target, int argument)
{
    struct guard_exception *exception = target;
    const struct document_node *element;
    void *array = NULL;
    (void)argument;
    GUARD_TRY(elements(reading, node, &element, &exception->client_count));
    GUARD_TRY(
        patch_array(reading, node, sizeof(*exception->clients), exception->client_count, &array));
    struct guard_address_prefix *clients = array;
    exception->clients = clients;
    for (uint32_t i = 0; i < exception->client_count; i++, element = element->next) {
        if (element->kind != DOCUMENT_SCALAR || !exception_prefix(element->text, &clients[i]))
            return PATCH_FAIL(reading, element, GUARD_E_RANGE,
                              "must be an address or a prefix of addresses without bits behind it, "
                              "as 192.0.2.0/24 or 2001:db8::/32");
    }
    return GUARD_OK;
}

static enum guard_rc read_scope(const struct patch_reading *reading,
                                const struct document_node *node, void *target, int argument)
{
    static const struct patch_member members[] = {
        {"endpoints", read_list, SCOPE_ENDPOINTS},
        {"methods", read_list, SCOPE_METHODS},
        {"clients", read_clients, 0},
        {"in", read_places, 0},
        {"names", read_list, SCOPE_NAMES},
        {"rules", read_rules, 0},
        {"patches", read_list, SCOPE_PATCHES},
        {NULL, NULL, 0},
    };
    (void)argument;
    return patch_read_members(reading, node, members, target);
}

static void fill(struct guard_exception *exception, const struct exception_defaults *defaults)
{
    if (defaults == NULL)
        return;
    if (exception->author.len == 0)
        exception->author = defaults->author;
    if (exception->reason.len == 0)
        exception->reason = defaults->reason;
    if (exception->created_ms == 0)
        exception->created_ms = defaults->created_ms;
}

static enum guard_rc read_exception(const struct patch_reading *reading,
                                    const struct document_node *node,
                                    const struct exception_defaults *defaults,
                                    struct guard_exception *exception)
{
    static const struct patch_member members[] = {
        {"id", read_text, TEXT_ID},
        {"reason", read_text, TEXT_REASON},
        {"author", read_text, TEXT_AUTHOR},
        {"created", read_time, TIME_CREATED},
        {"expires", read_time, TIME_EXPIRES},
        {"scope", read_scope, 0},
        {NULL, NULL, 0},
    };
    struct guard_err err = {""};
    *exception = (struct guard_exception){.created_ms = 0};
    GUARD_TRY(patch_read_members(reading, node, members, exception));
    fill(exception, defaults);
    enum guard_rc rc = guard_exception_check(exception, &err);
    return rc == GUARD_OK ? GUARD_OK : patch_fail_rule(reading, node, rc, err.text);
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static enum guard_rc check_unique(const struct patch_reading *reading,
                                  const struct document_node *node,
                                  const struct exception_list *list, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (same(list->exceptions[i].id, list->exceptions[index].id))
            return PATCH_FAIL(reading, member_of(node, "id"), GUARD_E_SYNTAX,
                              "exception %u has this id, too", i);
    }
    return GUARD_OK;
}

enum guard_rc exceptions_read(const struct document *document, const struct document_node *list,
                              const struct exception_defaults *defaults, struct exception_list *out,
                              struct guard_err *err)
{
    const struct patch_reading reading = {document, err};
    void *array = NULL;
    *out = (struct exception_list){0};
    if (list->kind != DOCUMENT_SEQUENCE)
        return PATCH_FAIL(&reading, list, GUARD_E_SYNTAX, "must be a list of exceptions");
    if (list->count > GUARD_EXCEPTIONS_MAX)
        return PATCH_FAIL(&reading, list, GUARD_E_LIMIT, "more than %d exceptions",
                          GUARD_EXCEPTIONS_MAX);
    GUARD_TRY(patch_array(&reading, list, sizeof(*out->exceptions), list->count, &array));
    out->exceptions = array;
    for (const struct document_node *node = list->first; node != NULL; node = node->next) {
        GUARD_TRY(read_exception(&reading, node, defaults, &out->exceptions[out->count]));
        GUARD_TRY(check_unique(&reading, node, out, out->count));
        out->count++;
    }
    return GUARD_OK;
}

/* --- documents of their own --- */

static enum guard_rc check_word(const struct patch_reading *reading,
                                const struct document_node *root, const char *member,
                                const char *word, enum guard_rc rc)
{
    const struct document_node *node = member_of(root, member);
    if (node == NULL || (node->kind == DOCUMENT_SCALAR && node->text.len == strlen(word) &&
                         memcmp(node->text.ptr, word, node->text.len) == 0))
        return GUARD_OK;
    return PATCH_FAIL(reading, node, rc, "must be %s", word);
}

static enum guard_rc read_whole(const struct patch_reading *reading,
                                const struct exception_defaults *defaults,
                                struct exception_list *out)
{
    const struct document_node *root = reading->document->root;
    const struct document_node *list = member_of(root, "exceptions");
    for (const struct document_node *child = root->first; child != NULL; child = child->next) {
        if (child != list && child != member_of(root, "apiVersion") &&
            child != member_of(root, "kind"))
            return PATCH_FAIL(reading, child->key, GUARD_E_SYNTAX, "unknown member");
    }
    GUARD_TRY(check_word(reading, root, "apiVersion", GUARDIAN_VERSION, GUARD_E_VERSION));
    GUARD_TRY(check_word(reading, root, "kind", "Exceptions", GUARD_E_SYNTAX));
    return list != NULL
               ? exceptions_read(reading->document, list, defaults, out, reading->err)
               : PATCH_FAIL(reading, root, GUARD_E_SYNTAX, "the document needs \"exceptions\"");
}

static enum guard_rc read_single(const struct patch_reading *reading,
                                 const struct exception_defaults *defaults,
                                 struct exception_list *out)
{
    void *array = NULL;
    const struct document_node *root = reading->document->root;
    GUARD_TRY(patch_array(reading, root, sizeof(*out->exceptions), 1, &array));
    GUARD_TRY(read_exception(reading, root, defaults, array));
    *out = (struct exception_list){array, 1};
    return GUARD_OK;
}

enum guard_rc exceptions_parse(struct exception_list *out, const char *name,
                               struct guard_span bytes, const struct exception_defaults *defaults,
                               struct guard_arena *arena, struct guard_err *err)
{
    struct document document;
    const struct patch_reading reading = {&document, err};
    *out = (struct exception_list){0};
    GUARD_TRY(document_parse(&document, name, bytes, arena, err));
    const struct document_node *root = document.root;
    if (root->kind == DOCUMENT_SEQUENCE)
        return exceptions_read(&document, root, defaults, out, err);
    if (root->kind == DOCUMENT_MAPPING && member_of(root, "exceptions") == NULL &&
        member_of(root, "kind") == NULL)
        return read_single(&reading, defaults, out);
    return root->kind == DOCUMENT_MAPPING
               ? read_whole(&reading, defaults, out)
               : PATCH_FAIL(&reading, root, GUARD_E_SYNTAX, "must be a mapping");
}

enum guard_rc exceptions_load(struct exception_list *out, const char *path,
                              const struct exception_defaults *defaults, struct guard_arena *arena,
                              struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc =
        exceptions_parse(out, path, (struct guard_span){bytes, len}, defaults, arena, err);
    free(bytes);
    return rc;
}
