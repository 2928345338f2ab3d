/* SPDX-License-Identifier: Apache-2.0 */
/* The words with which traffic is described: what can be malformed in it, the types of values, the
 * classes of characters. All numbers are part of the record, pile and policy formats: append only.
 */
#ifndef GUARD_TRAFFIC_H
#define GUARD_TRAFFIC_H

#include <guard/types.h>

/* Malformed or ambiguous traffic. Each is a finding when this service never had it. */
enum guard_fault {
    GUARD_FAULT_BAD_ESCAPE = 0,        /* '%' without two hex digits, "\q" in JSON */
    GUARD_FAULT_DOUBLE_ENCODED = 1,    /* a decoded value still holds %XX */
    GUARD_FAULT_NUL = 2,               /* a zero byte after decoding */
    GUARD_FAULT_OVERLONG = 3,          /* overlong UTF-8, e.g. C0 AF */
    GUARD_FAULT_INVALID_UTF8 = 4,      /* any other bad UTF-8 */
    GUARD_FAULT_DUPLICATE_NAME = 5,    /* one parameter, cookie or single header several times */
    GUARD_FAULT_SEMICOLON_PAIR = 6,    /* ';' splits pairs for some parsers and not for others */
    GUARD_FAULT_DOT_SEGMENT = 7,       /* "." or ".." in the path, raw or decoded */
    GUARD_FAULT_EMPTY_SEGMENT = 8,     /* "//" inside the path */
    GUARD_FAULT_ENCODED_SEPARATOR = 9, /* %2f or %5c or a backslash in the path */
    GUARD_FAULT_FRAGMENT = 10,         /* '#' in the target */
    GUARD_FAULT_JSON_SYNTAX = 11,
    GUARD_FAULT_JSON_TRAILING = 12,  /* bytes after the document */
    GUARD_FAULT_JSON_DUPLICATE = 13, /* one key twice in an object */
    GUARD_FAULT_JSON_NUMBER = 14,    /* leading zeros, "+1", "1.", hex, NaN */
    GUARD_FAULT_DEPTH = 15,          /* nested deeper than the limit */
    GUARD_FAULT_LEAVES = 16,         /* more values than the limit */
    GUARD_FAULT_NAMES = 17,          /* more names than the limit */
    GUARD_FAULT_VALUE_LENGTH = 18,   /* a value beyond the limit; its head was inspected */
    GUARD_FAULT_BODY_LENGTH = 19,    /* a body beyond the inspected limit */
    GUARD_FAULT_TRUNCATED = 20,      /* the body ended inside a value or a part */
    GUARD_FAULT_FORM_SYNTAX = 21,
    GUARD_FAULT_MULTIPART_SYNTAX = 22,
    GUARD_FAULT_CONTENT_TYPE = 23, /* malformed, repeated, or contradicted by the body */
    GUARD_FAULT_LENGTH_CONFLICT = 24,
    GUARD_FAULT_CONTENT_ENCODING = 25, /* the body is compressed and wasn't inspected */
    GUARD_FAULT_CONTROL = 26,          /* control characters where text is due */
    GUARD_FAULT_RECORD = 27,           /* features beyond the record's 16 KiB were dropped */
    GUARD_FAULT_MEMORY = 28,           /* the exchange's arena was full: the rest isn't inspected */
    GUARD_FAULT_PROTOBUF_SYNTAX = 29,  /* no gRPC frame, or no fields in it */
    GUARD_FAULT_GRAPHQL_SYNTAX = 30,
    GUARD_FAULT_WEBSOCKET_SYNTAX = 31,
    GUARD_FAULT_DECODING = 32, /* compressed, and not as it says; or far larger than it looks */
    GUARD_FAULT_COUNT = 33,
};
GUARD_API const char *guard_fault_name(enum guard_fault fault); /* "bad-escape", ... */

/* What a value is, decided by grammar; the first that fits in the order of specificity. */
enum guard_type {
    GUARD_TYPE_EMPTY = 0,
    GUARD_TYPE_NULL = 1,    /* JSON null */
    GUARD_TYPE_BOOL = 2,    /* true, false (JSON, or as text) */
    GUARD_TYPE_INT = 3,     /* optional sign and digits */
    GUARD_TYPE_DECIMAL = 4, /* a number with point or exponent */
    GUARD_TYPE_UUID = 5,
    GUARD_TYPE_DATE = 6, /* ISO date, time or both */
    GUARD_TYPE_EMAIL = 7,
    GUARD_TYPE_IP = 8,
    GUARD_TYPE_URL = 9,
    GUARD_TYPE_JWT = 10,
    GUARD_TYPE_HEX = 11,    /* 8 or more hex digits with at least one letter and one digit */
    GUARD_TYPE_BASE64 = 12, /* 16 or more, mixed case or padded */
    GUARD_TYPE_WORD = 13,   /* letters only (any script) */
    GUARD_TYPE_TOKEN = 14,  /* letters, digits, '_', '-', '.' */
    GUARD_TYPE_TEXT = 15,   /* anything else that is valid UTF-8 without control characters */
    GUARD_TYPE_BYTES = 16,  /* the rest */
    GUARD_TYPE_OBJECT = 17, /* JSON */
    GUARD_TYPE_ARRAY = 18,  /* JSON */
    GUARD_TYPE_STRING = 19, /* JSON: set beside the type of the text, so that 1 and "1" differ */
    GUARD_TYPE_COUNT = 20,
};
GUARD_API const char *guard_type_name(enum guard_type type);

/* Classes of characters. 6 to 37 are the 32 ASCII punctuation characters in the order of their
 * codes. */
enum guard_class {
    GUARD_CLASS_LOWER = 0,
    GUARD_CLASS_UPPER = 1,
    GUARD_CLASS_DIGIT = 2,
    GUARD_CLASS_SPACE = 3,
    GUARD_CLASS_BREAK = 4,   /* tab, line feed, carriage return */
    GUARD_CLASS_CONTROL = 5, /* other C0 and DEL */
    GUARD_CLASS_PUNCTUATION = 6,
    GUARD_CLASS_LATIN = 38, /* letters of Latin-1 and its extensions */
    GUARD_CLASS_GREEK = 39,
    GUARD_CLASS_CYRILLIC = 40,
    GUARD_CLASS_SEMITIC = 41, /* Hebrew, Arabic and neighbours */
    GUARD_CLASS_INDIC = 42,   /* Indic and South-East Asian */
    GUARD_CLASS_CJK = 43,
    GUARD_CLASS_HANGUL = 44,
    GUARD_CLASS_SYMBOL = 45,  /* general punctuation, symbols, arrows */
    GUARD_CLASS_EMOJI = 46,   /* the planes above the first */
    GUARD_CLASS_INVALID = 47, /* bytes that aren't UTF-8 */
    GUARD_CLASS_COUNT = 48,
};
/* Write how a person names the class: "\"=\"", "space", "digit", "Cyrillic". At most 16 bytes with
 * the NUL. */
GUARD_API void guard_class_name(enum guard_class cls, char out[16]);

enum guard_body_kind {
    GUARD_BODY_NONE = 0,
    GUARD_BODY_JSON = 1,
    GUARD_BODY_FORM = 2,
    GUARD_BODY_MULTIPART = 3,
    GUARD_BODY_TEXT = 4, /* text/..., XML and whatever else is text */
    GUARD_BODY_BYTES = 5,
    GUARD_BODY_GRPC = 6,      /* length-prefixed protobuf messages */
    GUARD_BODY_WEBSOCKET = 7, /* frames, after an upgrade */
    GUARD_BODY_EVENTS = 8,    /* text/event-stream: never ends, never held */
};

/* How a body is compressed, by its Content-Encoding. */
enum guard_coding {
    GUARD_CODING_IDENTITY = 0,
    GUARD_CODING_GZIP = 1,
    GUARD_CODING_DEFLATE = 2,
    GUARD_CODING_BROTLI = 3,
    GUARD_CODING_ZSTD = 4,
    GUARD_CODING_OTHER = 5, /* several, or unknown */
};

/* What a response shows that shouldn't leave a service. */
enum guard_leak {
    GUARD_LEAK_STACK_TRACE = 0, /* of a runtime: Java, Python, .NET, PHP, Go, Node.js, Ruby */
    GUARD_LEAK_SQL_ERROR = 1,   /* a database's message */
    GUARD_LEAK_SOURCE_CODE = 2, /* <?php, <%, #!/ */
    GUARD_LEAK_PRIVATE_KEY = 3, /* PEM */
    GUARD_LEAK_CREDENTIAL = 4,  /* a cloud's or a forge's access key, by its own prefix */
    GUARD_LEAK_CARD = 5,        /* a payment card's number: length, issuer, check digit */
    GUARD_LEAK_PASSWD = 6,      /* lines of /etc/passwd or /etc/shadow */
    GUARD_LEAK_DIRECTORY = 7,   /* a listing made by a web server */
    GUARD_LEAK_COUNT = 8,
};
GUARD_API const char *guard_leak_name(enum guard_leak leak); /* "stack-trace", ... */

#endif
