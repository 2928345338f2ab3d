/* SPDX-License-Identifier: Apache-2.0 */
/* One state machine over bytes: strings, brackets, and the two keys that lead to the entries. */
#include "common/traffic/har_scanner.h"

#include <string.h>

void har_scanner_init(struct har_scanner *scanner)
{
    *scanner = (struct har_scanner){.line = 1, .column = 1};
}

static enum har_event fault(struct har_scanner *scanner, const char *wrong)
{
    scanner->wrong = wrong;
    return HAR_FAULT;
}

static bool key_is(const struct har_scanner *scanner, const char *name)
{
    return scanner->is_key && scanner->text_len == strlen(name) &&
           memcmp(scanner->text, name, scanner->text_len) == 0;
}

static enum har_event open_bracket(struct har_scanner *scanner, bool array)
{
    if (scanner->inside > 0) {
        scanner->inside++;
        return HAR_MORE;
    }
    if (scanner->in_entries && scanner->depth == 3 && !array) {
        scanner->inside = 1;
        scanner->entries++;
        return HAR_ENTRY_BEGIN;
    }
    if (scanner->depth == HAR_DEPTH_MAX)
        return fault(scanner, "nested too deeply");
    if (scanner->depth == 1 && !array && key_is(scanner, "log"))
        scanner->in_log = true;
    if (scanner->depth == 2 && array && scanner->in_log && key_is(scanner, "entries"))
        scanner->in_entries = true;
    scanner->kinds = scanner->kinds << 1 | array;
    scanner->depth++;
    scanner->is_key = false;
    return HAR_MORE;
}

static enum har_event close_bracket(struct har_scanner *scanner, bool array)
{
    if (scanner->inside > 0)
        return --scanner->inside == 0 ? HAR_ENTRY_END : HAR_MORE;
    if (scanner->depth == 0 || (scanner->kinds & 1) != (uint64_t)array)
        return fault(scanner, "a closing bracket fits no opening one");
    scanner->kinds >>= 1;
    scanner->depth--;
    if (scanner->depth == 2)
        scanner->in_entries = false;
    if (scanner->depth == 1)
        scanner->in_log = false;
    scanner->done = scanner->depth == 0;
    return HAR_MORE;
}

static void in_string(struct har_scanner *scanner, uint8_t byte)
{
    if (scanner->after_backslash) {
        scanner->after_backslash = false;
    } else if (byte == '\\') {
        scanner->after_backslash = true;
    } else if (byte == '"') {
        scanner->in_string = false;
        return;
    }
    if (scanner->inside == 0) {
        if (scanner->text_len < HAR_KEY_MAX)
            scanner->text[scanner->text_len] = (char)byte;
        scanner->text_len += scanner->text_len <= HAR_KEY_MAX;
    }
}

static enum har_event outside_string(struct har_scanner *scanner, uint8_t byte)
{
    if (scanner->depth == 0 && byte != '{' && byte != ' ' && byte != '\t' && byte != '\r' &&
        byte != '\n')
        return fault(scanner, scanner->done ? "something follows the document"
                                            : "the document is no JSON object");
    switch (byte) {
    case '"':
        scanner->in_string = true;
        if (scanner->inside == 0) {
            scanner->text_len = 0;
            scanner->is_key = false;
        }
        return HAR_MORE;
    case ':':
        scanner->is_key = true;
        return HAR_MORE;
    case '{':
    case '[':
        if (scanner->done)
            return fault(scanner, "something follows the document");
        return open_bracket(scanner, byte == '[');
    case '}':
    case ']':
        return close_bracket(scanner, byte == ']');
    case ',':
        scanner->is_key = false;
        return HAR_MORE;
    default:
        return HAR_MORE;
    }
}

/* How many of the next bytes change nothing but the place: most of what entries hold. */
static size_t plain_run(const struct har_scanner *scanner, const uint8_t *bytes, size_t len)
{
    size_t run = 0;
    if (scanner->inside == 0 || scanner->after_backslash)
        return 0;
    if (scanner->in_string) {
        while (run < len && bytes[run] != '"' && bytes[run] != '\\' && bytes[run] != '\n')
            run++;
    } else {
        while (run < len && bytes[run] == ' ')
            run++;
    }
    return run;
}

enum har_event har_scanner_feed(struct har_scanner *scanner, struct guard_span bytes, size_t *used)
{
    for (size_t i = 0; i < bytes.len; i++) {
        size_t run = plain_run(scanner, bytes.ptr + i, bytes.len - i);
        scanner->column += run;
        i += run;
        if (i == bytes.len)
            break;
        uint8_t byte = bytes.ptr[i];
        enum har_event event = HAR_MORE;
        if (scanner->in_string)
            in_string(scanner, byte);
        else
            event = outside_string(scanner, byte);
        if (event != HAR_FAULT)
            scanner->column++;
        if (byte == '\n') {
            scanner->line++;
            scanner->column = 1;
        }
        if (event != HAR_MORE) {
            *used = i + 1;
            return event;
        }
    }
    *used = bytes.len;
    return HAR_MORE;
}

bool har_recognize(struct guard_span bytes)
{
    struct har_scanner scanner;
    har_scanner_init(&scanner);
    for (size_t i = 0; i < bytes.len; i++) {
        size_t used;
        if (har_scanner_feed(&scanner, (struct guard_span){bytes.ptr + i, 1}, &used) == HAR_FAULT ||
            scanner.done)
            return false;
        if (scanner.in_log)
            return true;
        if (scanner.depth == 1 && bytes.ptr[i] == ':' && key_is(&scanner, "request"))
            return false;
    }
    return false;
}
