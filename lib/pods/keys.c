/* SPDX-License-Identifier: Apache-2.0 */
/* What a feature is told by. Numbers and random names in paths change from run to run, addresses
 * behind a name from day to day: what is the same thing to people must be one thing here. */
#include "pods/profile.h"

#include "base/wire.h"

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || byte == '-';
}

/* As ids, digests and the names of containers: long, hexadecimal, with a digit. */
static bool is_random(struct guard_span part)
{
    bool digit = false;
    for (size_t i = 0; i < part.len; i++) {
        if (!is_hex(part.ptr[i]))
            return false;
        digit |= is_digit(part.ptr[i]);
    }
    return digit && part.len >= 8;
}

static uint16_t copy_part(uint8_t *to, struct guard_span part)
{
    uint16_t len = 0;
    if (is_random(part)) {
        to[0] = '*';
        return 1;
    }
    for (size_t i = 0; i < part.len; i++) {
        bool digit = is_digit(part.ptr[i]);
        if (digit && len > 0 && to[len - 1] == '#')
            continue;
        to[len++] = digit ? '#' : part.ptr[i];
    }
    return len;
}

static size_t part_len(struct guard_span path)
{
    const uint8_t *slash = path.len == 0 ? NULL : memchr(path.ptr, '/', path.len);
    return slash == NULL ? path.len : (size_t)(slash - path.ptr);
}

/* Never longer than the path. */
static uint16_t copy_path(uint8_t *to, struct guard_span path)
{
    uint16_t len = 0;
    path = gd_span_head(path, GUARD_POD_TEXT_MAX);
    while (path.len > 0) {
        size_t part = part_len(path);
        len = (uint16_t)(len + copy_part(to + len, gd_span_head(path, part)));
        if (part < path.len)
            to[len++] = '/';
        path = gd_span_from(path, part + 1);
    }
    return len;
}

static bool begins(struct guard_span text, struct guard_span with)
{
    return gd_span_equal(gd_span_head(text, with.len), with);
}

/* Names of temporary files are as good as random. */
static uint16_t copy_written(uint8_t *to, struct guard_span path)
{
    static const struct guard_span folders[] = {
        GUARD_SPAN_LITERAL("/tmp/"), GUARD_SPAN_LITERAL("/var/tmp/"),
        GUARD_SPAN_LITERAL("/dev/shm/"), GUARD_SPAN_LITERAL("/run/")};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (begins(path, folders[i]) && path.len > folders[i].len) {
            memcpy(to, folders[i].ptr, folders[i].len);
            to[folders[i].len] = '*';
            return (uint16_t)(folders[i].len + 1);
        }
    }
    return copy_path(to, path);
}

static uint16_t copy_text(uint8_t *to, struct guard_span text)
{
    text = gd_span_head(text, GUARD_POD_TEXT_MAX);
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    return (uint16_t)text.len;
}

void gd_pod_key_seal(const struct guard_pods *pods, struct gd_pod_key *key)
{
    uint8_t bytes[2 * GUARD_POD_TEXT_MAX + 64];
    struct gd_writer writer;
    gd_writer_init(&writer, bytes, sizeof(bytes));
    gd_put_u8(&writer, key->kind);
    gd_put_u8(&writer, key->aspect);
    gd_put_u8(&writer, key->startup);
    gd_put_u8(&writer, key->transport);
    gd_put_u16(&writer, key->port);
    gd_put_u32(&writer, key->user);
    gd_put_string(&writer, gd_span(key->address, key->address_len));
    gd_put_string(&writer, gd_span(key->text, key->text_len));
    gd_put_string(&writer, gd_span(key->detail, key->detail_len));
    key->hash = gd_hash_keyed(&pods->key, gd_span(bytes, writer.len));
    key->hash = key->hash == 0 ? 1 : key->hash;
}

static void begin(struct gd_pod_key *key, const struct guard_pod_feature *feature,
                  enum gd_pod_aspect aspect, bool startup)
{
    key->kind = (uint8_t)feature->kind;
    key->aspect = (uint8_t)aspect;
    key->startup = startup;
    key->address_len = 0;
    key->transport = 0;
    key->port = 0;
    key->user = 0;
    key->variant = 0;
    key->text_len = key->detail_len = 0;
    memset(key->address, 0, sizeof(key->address));
}

/* --- destinations --- */

static bool is_private(const struct guard_pod_feature *feature)
{
    const uint8_t *at = feature->address;
    if (feature->address_len == 16)
        return (at[0] & 0xfe) == 0xfc || (at[0] == 0xfe && (at[1] & 0xc0) == 0x80);
    return at[0] == 10 || at[0] == 127 || (at[0] == 172 && (at[1] & 0xf0) == 16) ||
           (at[0] == 192 && at[1] == 168) || (at[0] == 100 && (at[1] & 0xc0) == 64);
}

/* Bytes of the prefix within which addresses are of one owner: nodes of a cluster have a /24 of a
 * private /16 each. */
static uint8_t prefix_len(const struct guard_pod_feature *feature)
{
    if (feature->address_len == 16)
        return 6;
    return is_private(feature) ? 2 : 3;
}

static uint32_t variant_of(const struct guard_pods *pods, struct guard_span of)
{
    uint32_t variant = (uint32_t)gd_hash_keyed(&pods->key, of);
    return variant == 0 ? 1 : variant;
}

uint32_t gd_pod_name_link(const struct guard_pods *pods, const struct guard_pod_feature *named,
                          struct guard_span resolver)
{
    uint8_t bytes[GUARD_POD_TEXT_MAX + 64];
    struct gd_writer writer;
    gd_writer_init(&writer, bytes, sizeof(bytes));
    gd_put_u8(&writer, named->transport);
    gd_put_u16(&writer, named->port);
    gd_put_string(&writer, resolver);
    gd_put_string(&writer, gd_span_head(named->text, GUARD_POD_TEXT_MAX));
    return variant_of(pods, gd_span(bytes, writer.len));
}

static void set_port(struct gd_pod_key *key, const struct guard_pod_feature *feature)
{
    key->transport = feature->transport;
    key->port = (feature->flags & GUARD_POD_NO_PORT) != 0 ? 0 : feature->port;
}

static uint32_t destination_keys(const struct guard_pods *pods,
                                 const struct guard_pod_feature *feature, bool startup,
                                 struct gd_pod_key *out)
{
    uint32_t count = 0;
    if (feature->address_len > 0) {
        struct guard_span address = gd_span(feature->address, feature->address_len);
        const uint8_t lens[3] = {feature->address_len, prefix_len(feature), 0};
        static const enum gd_pod_aspect aspects[3] = {GD_POD_WHOLE, GD_POD_GROUP, GD_POD_ANYWHERE};
        for (size_t i = 0; i < 3; i++) {
            struct gd_pod_key *key = &out[count++];
            begin(key, feature, aspects[i], startup);
            set_port(key, feature);
            key->address_len = lens[i] == 0 ? 0 : feature->address_len;
            memcpy(key->address, feature->address, lens[i]);
            key->variant = i == 0 ? 0 : variant_of(pods, address);
        }
        if ((feature->flags & GUARD_POD_ANSWERED) != 0)
            out[0].variant = gd_pod_name_link(pods, feature, feature->detail);
    }
    if (feature->text.len > 0) {
        struct gd_pod_key *key = &out[count++];
        begin(key, feature, GD_POD_NAMED, startup);
        set_port(key, feature);
        key->text_len = copy_text(key->text, feature->text);
    }
    return count;
}

uint32_t gd_pod_nameless(const struct gd_pod_key *keys, uint32_t count)
{
    return count - (count > 0 && keys[count - 1].aspect == GD_POD_NAMED);
}

static uint32_t dns_keys(const struct guard_pods *pods, const struct guard_pod_feature *feature,
                         bool startup, struct gd_pod_key *out)
{
    begin(&out[0], feature, GD_POD_WHOLE, startup);
    out[0].text_len = copy_text(out[0].text, feature->text);
    const uint8_t *dot = memchr(feature->text.ptr, '.', feature->text.len);
    if (dot == NULL)
        return 1;
    size_t label = (size_t)(dot - feature->text.ptr);
    struct guard_span rest = gd_span_from(feature->text, label + 1);
    /* Below a top-level domain everybody may have a name. */
    if (rest.len == 0 || memchr(rest.ptr, '.', rest.len) == NULL)
        return 1;
    begin(&out[1], feature, GD_POD_GROUP, startup);
    out[1].text_len = copy_text(out[1].text, rest);
    out[1].variant = variant_of(pods, feature->text);
    return 2;
}

/* --- all kinds --- */

static void whole(struct gd_pod_key *key, const struct guard_pod_feature *feature)
{
    switch (feature->kind) {
    case GUARD_POD_LISTEN:
        set_port(key, feature);
        return;
    case GUARD_POD_USER:
    case GUARD_POD_ROOT:
        key->user = feature->user;
        key->text_len = copy_path(key->text, feature->text);
        return;
    case GUARD_POD_WRITE:
        key->text_len = copy_written(key->text, feature->text);
        return;
    case GUARD_POD_OUTBOUND:
    case GUARD_POD_RESPONSE:
        key->text_len = copy_text(key->text, feature->text);
        return;
    case GUARD_POD_DESTINATION:
    case GUARD_POD_DNS:
    case GUARD_POD_REQUEST:
    case GUARD_POD_KINDS:
    case GUARD_POD_EXEC:
    case GUARD_POD_SECRET:
    case GUARD_POD_DROPPED:
    case GUARD_POD_MEMFD:
        key->text_len = copy_path(key->text, feature->text);
        key->detail_len = copy_path(key->detail, feature->detail);
        return;
    }
}

uint32_t gd_pod_keys(const struct guard_pods *pods, const struct guard_pod_feature *feature,
                     bool startup, struct gd_pod_key out[GD_POD_KEYS])
{
    uint32_t count = 1;
    if (feature->kind == GUARD_POD_REQUEST)
        return 0;
    if (feature->kind == GUARD_POD_DESTINATION) {
        count = destination_keys(pods, feature, startup, out);
    } else if (feature->kind == GUARD_POD_DNS) {
        count = dns_keys(pods, feature, startup, out);
    } else {
        begin(&out[0], feature, GD_POD_WHOLE, startup);
        whole(&out[0], feature);
    }
    for (uint32_t i = 0; i < count; i++)
        gd_pod_key_seal(pods, &out[i]);
    return count;
}

bool gd_pod_startup(uint64_t started_ms, const struct guard_pod_feature *feature)
{
    return started_ms != 0 && feature->first_ms >= started_ms &&
           feature->first_ms - started_ms < GD_POD_STARTUP_MS;
}

struct guard_pod_feature gd_pod_entry_feature(const struct gd_pod_entry *entry)
{
    struct guard_pod_feature feature = {
        .kind = (enum guard_pod_kind)entry->kind,
        .text = gd_span(entry->text, entry->text_len),
        .detail = gd_span(entry->text + entry->text_len, entry->detail_len),
        .address_len = entry->address_len,
        .port = entry->port,
        .transport = entry->transport,
        .user = entry->user,
        .count = entry->count,
        .first_ms = entry->first_ms};
    memcpy(feature.address, entry->address, sizeof(feature.address));
    return feature;
}
