/* SPDX-License-Identifier: Apache-2.0 */
/* Writes exceptions as canonical YAML: members in one order, what isn't said left out. */
#include "common/file.h"
#include "common/guardian_exception.h"
#include "common/guardian_words.h"
#include "common/yaml_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void exception_prefix_word(const struct guard_address_prefix *prefix,
                           char out[EXCEPTION_PREFIX_MAX])
{
    char address[INET6_ADDRSTRLEN] = "";
    int family = prefix->address_len == 4 ? AF_INET : AF_INET6;
    (void)inet_ntop(family, prefix->address, address, sizeof(address));
    snprintf(out, EXCEPTION_PREFIX_MAX, "%s/%u", address, prefix->bits);
}

static void put_clients(struct yaml_text *text, unsigned indent,
                        const struct guard_exception *exception)
{
    char words[GUARD_EXCEPTION_LIST_MAX][EXCEPTION_PREFIX_MAX];
    struct guard_span spans[GUARD_EXCEPTION_LIST_MAX];
    for (uint32_t i = 0; i < exception->client_count; i++) {
        exception_prefix_word(&exception->clients[i], words[i]);
        spans[i] = (struct guard_span){(const uint8_t *)words[i], strlen(words[i])};
    }
    yaml_texts(text, indent, "clients", spans, exception->client_count);
}

static const char *place_word(unsigned bit)
{
    return bit < GUARD_LOCATION_COUNT ? guard_location_name((enum guard_location)bit) : "";
}

static const char *rule_word(unsigned bit)
{
    return guard_rule_name((enum guard_rule)bit);
}

static uint32_t count_bits(const uint64_t bits[2])
{
    return (uint32_t)(__builtin_popcountll(bits[0]) + __builtin_popcountll(bits[1]));
}

static void put_bits(struct yaml_text *text, unsigned indent, const char *name,
                     const uint64_t bits[2], const char *(*word)(unsigned bit))
{
    const uint32_t count = count_bits(bits);
    const char *before = count > 1 ? " [" : " ";
    if (count == 0)
        return;
    yaml_name(text, indent, name);
    for (unsigned bit = 0; bit < GUARD_EXCEPTION_RULES; bit++) {
        if ((bits[bit / 64] >> bit % 64 & 1) == 0)
            continue;
        yaml_word(text, before);
        yaml_word(text, word(bit));
        before = ", ";
    }
    yaml_word(text, count > 1 ? "]\n" : "\n");
}

static void put_scope(struct yaml_text *text, unsigned indent,
                      const struct guard_exception *exception)
{
    const uint64_t places[2] = {exception->locations, 0};
    yaml_name(text, indent, "scope");
    yaml_word(text, "\n");
    indent += YAML_STEP;
    yaml_texts(text, indent, "endpoints", exception->endpoints, exception->endpoint_count);
    yaml_texts(text, indent, "methods", exception->methods, exception->method_count);
    put_clients(text, indent, exception);
    put_bits(text, indent, "in", places, place_word);
    yaml_texts(text, indent, "names", exception->names, exception->name_count);
    put_bits(text, indent, "rules", exception->rules, rule_word);
    yaml_texts(text, indent, "patches", exception->patches, exception->patch_count);
}

static void put_time(struct yaml_text *text, unsigned indent, const char *name, uint64_t ms)
{
    char word[CLOCK_TEXT_MAX];
    if (ms > 0 && clock_text(word, (double)ms))
        yaml_plain(text, indent, name, word);
}

static void put_exception(struct yaml_text *text, unsigned indent,
                          const struct guard_exception *exception)
{
    yaml_line(text, indent, "id", exception->id);
    yaml_line(text, indent, "reason", exception->reason);
    yaml_line(text, indent, "author", exception->author);
    put_time(text, indent, "created", exception->created_ms);
    put_time(text, indent, "expires", exception->expires_ms);
    put_scope(text, indent, exception);
}

size_t exceptions_put(char *ptr, size_t cap, const struct guard_exception *exceptions,
                      uint32_t count, unsigned indent)
{
    struct yaml_text text = {.ptr = ptr, .cap = cap};
    if (cap > 0)
        ptr[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        text.item = true;
        put_exception(&text, indent + YAML_STEP, &exceptions[i]);
    }
    return text.len;
}

enum guard_rc exceptions_write(const struct guard_exception *exceptions, uint32_t count,
                               struct guard_arena *arena, struct guard_span *out,
                               struct guard_err *err)
{
    static const char head[] = "apiVersion: " GUARDIAN_VERSION "\nkind: Exceptions\nexceptions:";
    const char *end = count == 0 ? " []\n" : "\n";
    size_t begin = strlen(head) + strlen(end);
    size_t cap = begin + exceptions_put(NULL, 0, exceptions, count, YAML_STEP) + 1;
    char *text = guard_arena_get(arena, cap);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the document of exceptions");
    snprintf(text, cap, "%s%s", head, end);
    begin += exceptions_put(text + begin, cap - begin, exceptions, count, YAML_STEP);
    *out = (struct guard_span){(const uint8_t *)text, begin};
    return GUARD_OK;
}
