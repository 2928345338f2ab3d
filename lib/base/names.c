/* SPDX-License-Identifier: Apache-2.0 */
/* How the words of the domain are spelled in findings, documents and exports: part of the programs'
 * contract. */
#include <guard/traffic.h>

#include <string.h>

static const char *const location_names[GUARD_LOCATION_COUNT] = {
    "",          "path", "query",  "header",  "cookie",   "form",      "json",
    "multipart", "body", "client", "graphql", "protobuf", "websocket",
};

static const char *const fault_names[GUARD_FAULT_COUNT] = {
    [GUARD_FAULT_BAD_ESCAPE] = "bad-escape",
    [GUARD_FAULT_DOUBLE_ENCODED] = "double-encoded",
    [GUARD_FAULT_NUL] = "nul",
    [GUARD_FAULT_OVERLONG] = "overlong",
    [GUARD_FAULT_INVALID_UTF8] = "invalid-utf8",
    [GUARD_FAULT_DUPLICATE_NAME] = "duplicate-name",
    [GUARD_FAULT_SEMICOLON_PAIR] = "semicolon-pair",
    [GUARD_FAULT_DOT_SEGMENT] = "dot-segment",
    [GUARD_FAULT_EMPTY_SEGMENT] = "empty-segment",
    [GUARD_FAULT_ENCODED_SEPARATOR] = "encoded-separator",
    [GUARD_FAULT_FRAGMENT] = "fragment",
    [GUARD_FAULT_JSON_SYNTAX] = "json-syntax",
    [GUARD_FAULT_JSON_TRAILING] = "json-trailing",
    [GUARD_FAULT_JSON_DUPLICATE] = "json-duplicate",
    [GUARD_FAULT_JSON_NUMBER] = "json-number",
    [GUARD_FAULT_DEPTH] = "depth",
    [GUARD_FAULT_LEAVES] = "leaves",
    [GUARD_FAULT_NAMES] = "names",
    [GUARD_FAULT_VALUE_LENGTH] = "value-length",
    [GUARD_FAULT_BODY_LENGTH] = "body-length",
    [GUARD_FAULT_TRUNCATED] = "truncated",
    [GUARD_FAULT_FORM_SYNTAX] = "form-syntax",
    [GUARD_FAULT_MULTIPART_SYNTAX] = "multipart-syntax",
    [GUARD_FAULT_CONTENT_TYPE] = "content-type",
    [GUARD_FAULT_LENGTH_CONFLICT] = "length-conflict",
    [GUARD_FAULT_CONTENT_ENCODING] = "content-encoding",
    [GUARD_FAULT_CONTROL] = "control",
    [GUARD_FAULT_RECORD] = "record",
    [GUARD_FAULT_MEMORY] = "memory",
    [GUARD_FAULT_PROTOBUF_SYNTAX] = "protobuf-syntax",
    [GUARD_FAULT_GRAPHQL_SYNTAX] = "graphql-syntax",
    [GUARD_FAULT_WEBSOCKET_SYNTAX] = "websocket-syntax",
    [GUARD_FAULT_DECODING] = "decoding",
};

static const char *const leak_names[GUARD_LEAK_COUNT] = {
    [GUARD_LEAK_STACK_TRACE] = "stack-trace", [GUARD_LEAK_SQL_ERROR] = "sql-error",
    [GUARD_LEAK_SOURCE_CODE] = "source-code", [GUARD_LEAK_PRIVATE_KEY] = "private-key",
    [GUARD_LEAK_CREDENTIAL] = "credential",   [GUARD_LEAK_CARD] = "card-number",
    [GUARD_LEAK_PASSWD] = "password-file",    [GUARD_LEAK_DIRECTORY] = "directory-listing",
};

static const char *const type_names[GUARD_TYPE_COUNT] = {
    [GUARD_TYPE_EMPTY] = "empty",     [GUARD_TYPE_NULL] = "null",
    [GUARD_TYPE_BOOL] = "bool",       [GUARD_TYPE_INT] = "int",
    [GUARD_TYPE_DECIMAL] = "decimal", [GUARD_TYPE_UUID] = "uuid",
    [GUARD_TYPE_DATE] = "date",       [GUARD_TYPE_EMAIL] = "email",
    [GUARD_TYPE_IP] = "ip",           [GUARD_TYPE_URL] = "url",
    [GUARD_TYPE_JWT] = "jwt",         [GUARD_TYPE_HEX] = "hex",
    [GUARD_TYPE_BASE64] = "base64",   [GUARD_TYPE_WORD] = "word",
    [GUARD_TYPE_TOKEN] = "token",     [GUARD_TYPE_TEXT] = "text",
    [GUARD_TYPE_BYTES] = "bytes",     [GUARD_TYPE_OBJECT] = "object",
    [GUARD_TYPE_ARRAY] = "array",     [GUARD_TYPE_STRING] = "string",
};

enum { PUNCTUATION_COUNT = GUARD_CLASS_LATIN - GUARD_CLASS_PUNCTUATION };

static const char punctuation[PUNCTUATION_COUNT + 1] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

static const char class_names[GUARD_CLASS_COUNT][16] = {
    [GUARD_CLASS_LOWER] = "lowercase",   [GUARD_CLASS_UPPER] = "uppercase",
    [GUARD_CLASS_DIGIT] = "digit",       [GUARD_CLASS_SPACE] = "space",
    [GUARD_CLASS_BREAK] = "line break",  [GUARD_CLASS_CONTROL] = "control",
    [GUARD_CLASS_LATIN] = "Latin",       [GUARD_CLASS_GREEK] = "Greek",
    [GUARD_CLASS_CYRILLIC] = "Cyrillic", [GUARD_CLASS_SEMITIC] = "Semitic",
    [GUARD_CLASS_INDIC] = "Indic",       [GUARD_CLASS_CJK] = "CJK",
    [GUARD_CLASS_HANGUL] = "Hangul",     [GUARD_CLASS_SYMBOL] = "symbol",
    [GUARD_CLASS_EMOJI] = "emoji",       [GUARD_CLASS_INVALID] = "invalid UTF-8",
};

static const char *name_at(const char *const *names, unsigned index, unsigned count)
{
    return index < count ? names[index] : "unknown";
}

const char *guard_location_name(enum guard_location location)
{
    return name_at(location_names, (unsigned)location, GUARD_LOCATION_COUNT);
}

const char *guard_fault_name(enum guard_fault fault)
{
    return name_at(fault_names, (unsigned)fault, GUARD_FAULT_COUNT);
}

const char *guard_leak_name(enum guard_leak leak)
{
    return name_at(leak_names, (unsigned)leak, GUARD_LEAK_COUNT);
}

const char *guard_type_name(enum guard_type type)
{
    return name_at(type_names, (unsigned)type, GUARD_TYPE_COUNT);
}

void guard_class_name(enum guard_class cls, char out[16])
{
    unsigned index = (unsigned)cls;
    if (index >= GUARD_CLASS_PUNCTUATION && index < GUARD_CLASS_LATIN) {
        char quoted[16] = {'"', punctuation[index - GUARD_CLASS_PUNCTUATION], '"'};
        memcpy(out, quoted, sizeof(quoted));
    } else if (index < GUARD_CLASS_COUNT) {
        memcpy(out, class_names[index], sizeof(class_names[index]));
    } else {
        memcpy(out, "unknown", sizeof("unknown"));
    }
}
