/* SPDX-License-Identifier: Apache-2.0 */
/* Identities never become names: neither of path segments nor of JSON members. */
#include "profile/segments.h"

#include "base/hash.h"

enum {
    HEX_ID_MIN = 16,    /* shorter ones may be words: "facade01" */
    BASE64_ID_MIN = 20, /* shorter ones may be identifiers: "GetUserProfile2FA" */
    NAME_HEAD = 48,
    NAME_DIGITS = 15,
};

#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)("" text), sizeof(text) - 1                                               \
    }
static const struct guard_span names[GD_SEGMENTS_MAX] = {
    NAME("seg0"),  NAME("seg1"),  NAME("seg2"),  NAME("seg3"),  NAME("seg4"),  NAME("seg5"),
    NAME("seg6"),  NAME("seg7"),  NAME("seg8"),  NAME("seg9"),  NAME("seg10"), NAME("seg11"),
    NAME("seg12"), NAME("seg13"), NAME("seg14"), NAME("seg15"), NAME("seg16"), NAME("seg17"),
    NAME("seg18"), NAME("seg19"), NAME("seg20"), NAME("seg21"), NAME("seg22"), NAME("seg23"),
    NAME("seg24"), NAME("seg25"), NAME("seg26"), NAME("seg27"), NAME("seg28"), NAME("seg29"),
    NAME("seg30"), NAME("seg31"),
};

struct guard_span gd_segment_name(uint32_t index)
{
    return names[index];
}

static struct gd_segment typed(struct guard_span text)
{
    return (struct gd_segment){.text = text, .typed = true};
}

struct gd_segment gd_segment_of(struct guard_span text, const struct gd_summary *summary)
{
    if (summary->types & 1u << GUARD_TYPE_INT)
        return typed(GUARD_SPAN_LITERAL("{int}"));
    if (summary->types & 1u << GUARD_TYPE_UUID)
        return typed(GUARD_SPAN_LITERAL("{uuid}"));
    if (summary->types & 1u << GUARD_TYPE_DATE)
        return typed(GUARD_SPAN_LITERAL("{date}"));
    if (summary->types & 1u << GUARD_TYPE_EMAIL)
        return typed(GUARD_SPAN_LITERAL("{email}"));
    if ((summary->types & 1u << GUARD_TYPE_HEX) && text.len >= HEX_ID_MIN)
        return typed(GUARD_SPAN_LITERAL("{hex}"));
    bool secret = (summary->types & 1u << GUARD_TYPE_JWT) ||
                  ((summary->types & 1u << GUARD_TYPE_BASE64) && text.len >= BASE64_ID_MIN);
    if (secret || text.len > GD_NAME_MAX)
        return typed(GUARD_SPAN_LITERAL("{token}"));
    return (struct gd_segment){.text = text, .typed = false};
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

struct guard_span gd_key_placeholder(struct guard_span key)
{
    size_t digits = 0;
    size_t hex = 0;
    while (hex < key.len && is_hex(key.ptr[hex])) {
        digits += is_digit(key.ptr[hex]);
        hex++;
    }
    if (hex == key.len) {
        if (digits == key.len && digits > 0)
            return GUARD_SPAN_LITERAL("{int}");
        return key.len >= HEX_ID_MIN && digits > 0 ? GUARD_SPAN_LITERAL("{hex}") : gd_span(NULL, 0);
    }
    /* The mask lets the grammar of UUIDs decide, and no other that fits 36 bytes of these. */
    const uint64_t uuid = UINT64_C(1) << GUARD_CLASS_LOWER | UINT64_C(1) << GUARD_CLASS_UPPER |
                          UINT64_C(1) << GUARD_CLASS_DIGIT |
                          UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + '-' - '!');
    if (hex == 8 && key.len == 36 && gd_type_of(key, uuid) == GUARD_TYPE_UUID)
        return GUARD_SPAN_LITERAL("{uuid}");
    return gd_span(NULL, 0);
}

struct guard_span gd_name_shorten(struct guard_span name, uint8_t room[GD_NAME_MAX])
{
    if (name.len <= GD_NAME_MAX)
        return name;
    uint64_t hash = gd_hash_fast(0, name);
    memcpy(room, name.ptr, NAME_HEAD);
    room[NAME_HEAD] = '~';
    for (size_t i = 0; i < NAME_DIGITS; i++)
        room[NAME_HEAD + 1 + i] = (uint8_t) "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    return gd_span(room, GD_NAME_MAX);
}
