/* SPDX-License-Identifier: Apache-2.0 */
/* See message.h. */
#include "patch/message.h"

#include "detect/escapes.h"

enum {
    CHAIN = 80, /* fields from the document to a leaf */
    PATH_MOST = 1024,
    FORMS_FIRST = 16,
};

#define FAULT(name) (UINT64_C(1) << GUARD_FAULT_##name)

/* A parser stopped, or left something out; the text is there as a whole. */
static const uint64_t cutting =
    FAULT(LEAVES) | FAULT(NAMES) | FAULT(DEPTH) | FAULT(VALUE_LENGTH) | FAULT(MEMORY) |
    FAULT(JSON_SYNTAX) | FAULT(JSON_TRAILING) | FAULT(FORM_SYNTAX) | FAULT(MULTIPART_SYNTAX) |
    FAULT(GRAPHQL_SYNTAX) | FAULT(TRUNCATED) | FAULT(CONTENT_TYPE) | FAULT(WEBSOCKET_SYNTAX) |
    FAULT(PROTOBUF_SYNTAX) | FAULT(JSON_NUMBER) | FAULT(BAD_ESCAPE);
/* Nobody saw the rest. */
static const uint64_t hiding = FAULT(BODY_LENGTH) | FAULT(CONTENT_ENCODING) | FAULT(DECODING);

static uint64_t faults_of_body(const struct gd_profile *profile)
{
    uint64_t faults = 0;
    for (uint32_t i = GUARD_LOCATION_FORM; i < GUARD_LOCATION_COUNT; i++)
        faults |= profile->faults[i];
    return faults;
}

static void find_gaps(struct gd_patch_message *message)
{
    const struct gd_profile *profile = message->profile;
    const uint64_t query = profile->faults[GUARD_LOCATION_QUERY];
    const uint64_t cookie = profile->faults[GUARD_LOCATION_COOKIE];
    const uint64_t body = faults_of_body(profile);
    const uint64_t left_out = FAULT(NAMES) | FAULT(VALUE_LENGTH) | FAULT(MEMORY);
    /* Of messages there is no whole text; else the body is the body, however badly it reads. */
    message->endless = profile->body_kind == GUARD_BODY_GRPC ||
                       profile->body_kind == GUARD_BODY_WEBSOCKET ||
                       profile->body_kind == GUARD_BODY_EVENTS;
    const uint32_t parsed =
        message->endless ? (uint32_t)GD_PLACES_BODY : GD_PLACES_BODY & ~(uint32_t)GUARD_PLACE_BODY;
    message->cut = (body & cutting) != 0 ? parsed : 0;
    message->cut |= (query & left_out) != 0 ? (uint32_t)GUARD_PLACE_QUERY : 0;
    message->cut |= (cookie & left_out) != 0 ? (uint32_t)GUARD_PLACE_COOKIE : 0;
    message->unseen = (body & hiding) != 0 ? (uint32_t)GD_PLACES_BODY : 0;
    if (message->endless && (body & left_out) != 0)
        message->unseen |= GD_PLACES_BODY;
    if (message->capture->full)
        message->unseen |= GUARD_PLACE_ALL;
    message->unseen &= message->capture->places;
    message->missed = message->capture->missed;
    /* Whatever is wrong in it, parts that nothing contradicts aren't read as pairs, nor pairs as
     * parts, nor either as a tree. */
    if ((body & FAULT(CONTENT_TYPE)) == 0 && profile->body_kind == GUARD_BODY_MULTIPART)
        message->cut &= ~(uint32_t)(GUARD_PLACE_FORM | GUARD_PLACE_JSON);
    if ((body & FAULT(CONTENT_TYPE)) == 0 && profile->body_kind == GUARD_BODY_FORM)
        message->cut &= ~(uint32_t)(GUARD_PLACE_MULTIPART | GUARD_PLACE_FILE | GUARD_PLACE_JSON);
}

static bool is_unread(enum guard_body_kind kind)
{
    return kind == GUARD_BODY_TEXT || kind == GUARD_BODY_BYTES || kind == GUARD_BODY_NONE;
}

/* The whole body is a value: for who asks for it, and for all that its parser didn't come to. */
static void find_body(struct gd_patch_message *message)
{
    message->body_unread = is_unread(message->profile->body_kind);
    message->body_used =
        message->capture->body.len > 0 &&
        (message->whole || message->body_unread || (message->cut & GD_PLACES_BODY) != 0);
}

static void add_body(struct gd_patch_message *message)
{
    const struct gd_capture *capture = message->capture;
    uint32_t cut = message->cut & GD_PLACES_BODY;
    if (!message->body_used)
        return;
    message->values[message->count++] =
        (struct gd_patch_value){.text = gd_span(capture->body.ptr, capture->body.len),
                                .places = cut | GUARD_PLACE_BODY,
                                .flags = GD_CAPTURE_BODY | (cut != 0 ? GD_CAPTURE_WILD : 0u)};
}

/* A target or header whose pairs were too many stands for each of them. */
static uint32_t wild_places(const struct gd_patch_message *message,
                            const struct gd_captured *captured, struct guard_span name)
{
    if ((message->cut & GUARD_PLACE_QUERY) && captured->places == GUARD_PLACE_TARGET)
        return GUARD_PLACE_QUERY;
    if ((message->cut & GUARD_PLACE_COOKIE) && captured->places == GUARD_PLACE_HEADER &&
        gd_span_equal(name, GUARD_SPAN_LITERAL("cookie")))
        return GUARD_PLACE_COOKIE;
    return 0;
}

static struct guard_span name_of(const struct gd_capture *capture,
                                 const struct gd_captured *captured)
{
    if ((captured->flags & GD_CAPTURE_TREE) != 0)
        return gd_span(NULL, 0);
    return gd_span(capture->text.ptr + captured->name_offset, captured->name_len);
}

static void add_values(struct gd_patch_message *message, uint32_t from, uint32_t to)
{
    const struct gd_capture *capture = message->capture;
    for (uint32_t i = from; i < to; i++) {
        const struct gd_captured *captured = &capture->values[i];
        struct guard_span name = name_of(capture, captured);
        uint32_t wild = wild_places(message, captured, name);
        message->values[message->count++] = (struct gd_patch_value){
            .name = name,
            .text = gd_span(capture->text.ptr + captured->offset, captured->len),
            .places = captured->places | wild,
            .flags = captured->flags | (wild != 0 ? GD_CAPTURE_WILD : 0u),
            .types = captured->types,
            .field = captured->field};
    }
}

static void add_leaves(struct gd_patch_message *message, const struct gd_leaves *leaves)
{
    for (uint32_t i = 0; i < leaves->count; i++) {
        const struct gd_leaf *leaf = &leaves->leaves[i];
        message->values[message->count++] = (struct gd_patch_value){.name = leaf->name,
                                                                    .text = leaf->text,
                                                                    .places = GUARD_PLACE_JSON,
                                                                    .flags = leaf->flags,
                                                                    .types = leaf->types,
                                                                    .field = leaf->field};
    }
}

static bool form_room(struct gd_patch_message *message)
{
    if (message->form_count < message->form_cap)
        return true;
    uint32_t cap = message->form_cap == 0 ? FORMS_FIRST : 2 * message->form_cap;
    struct guard_span *forms = gd_capture_room(message->capture, cap * sizeof(*forms));
    if (forms == NULL)
        return false;
    if (message->form_count > 0)
        memcpy(forms, message->forms, message->form_count * sizeof(*forms));
    message->forms = forms;
    message->form_cap = cap;
    return true;
}

static uint8_t *decoded_room(struct gd_patch_message *message, size_t len)
{
    struct gd_capture_text *decoded = &message->decoded;
    if (len + 1 > decoded->cap - decoded->len)
        return NULL;
    return decoded->ptr + decoded->len;
}

static bool decode_value(struct gd_patch_message *message, struct gd_patch_value *value)
{
    struct guard_span text = value->text;
    value->form_first = message->form_count;
    for (int round = 0; round < GD_PATCH_ROUNDS; round++) {
        size_t len;
        uint8_t *to = decoded_room(message, text.len);
        if (to == NULL || !form_room(message))
            return false;
        if (!gd_escapes_decode(text, to, &len))
            break;
        to[len] = '\n';
        message->decoded.len += len + 1;
        text = gd_span(to, len);
        message->forms[message->form_count++] = text;
        value->form_count++;
        if (len == 0)
            break;
    }
    return true;
}

static bool is_decoded(const struct gd_patch_value *value)
{
    return (value->flags & (GD_CAPTURE_RAW | GD_CAPTURE_KEY)) == 0 && value->text.len > 0 &&
           gd_escapes_possible(value->text);
}

/* The room for all rounds of all values: each is at most as long as what it decodes. What there is
 * to decode is marked by form_first. */
static size_t mark_decoded(struct gd_patch_message *message)
{
    size_t room = 0;
    for (uint32_t i = 0; i < message->count; i++) {
        struct gd_patch_value *value = &message->values[i];
        if (!is_decoded(value))
            continue;
        value->form_first = 1;
        room += GD_PATCH_ROUNDS * (value->text.len + 1);
    }
    return room;
}

static enum guard_rc decode_values(struct gd_patch_message *message)
{
    size_t room = mark_decoded(message);
    if (room == 0)
        return GUARD_OK;
    message->decoded.ptr = gd_capture_room(message->capture, room);
    if (message->decoded.ptr == NULL)
        return GUARD_E_NOMEM;
    message->decoded.cap = room;
    for (uint32_t i = 0; i < message->count; i++) {
        if (message->values[i].form_first != 0 && !decode_value(message, &message->values[i]))
            return GUARD_E_NOMEM;
    }
    return GUARD_OK;
}

enum guard_rc gd_patch_message_values(struct gd_patch_message *message, uint32_t places)
{
    struct gd_capture *capture = message->capture;
    struct gd_leaves leaves = {NULL, 0, 0};
    const uint32_t before = capture->unlisted ? capture->unlisted_at : capture->count;
    if ((places & GUARD_PLACE_JSON) != 0)
        GUARD_TRY(gd_leaves_read(&leaves, capture, message->coming == 0));
    const size_t count = (size_t)capture->count + leaves.count + 1;
    message->values = gd_capture_room(capture, count * sizeof(*message->values));
    if (message->values == NULL)
        return GUARD_E_NOMEM;
    add_values(message, 0, before);
    add_leaves(message, &leaves);
    add_values(message, before, capture->count);
    add_body(message);
    return message->decodes ? decode_values(message) : GUARD_OK;
}

/* All at once: what is encoded never reaches beyond a line feed between two values. */
static enum guard_rc decode_stream(struct gd_patch_message *message, struct guard_span text)
{
    for (int round = 0; round < GD_PATCH_ROUNDS && gd_escapes_possible(text); round++) {
        size_t len;
        uint8_t *to = gd_capture_room(message->capture, text.len);
        if (to == NULL)
            return GUARD_E_NOMEM;
        if (!gd_escapes_decode(text, to, &len))
            break;
        text = gd_span(to, len);
        message->streams[message->stream_count++] = text;
    }
    return GUARD_OK;
}

static enum guard_rc decode_streams(struct gd_patch_message *message)
{
    const struct gd_capture *capture = message->capture;
    GUARD_TRY(decode_stream(message, gd_span(capture->text.ptr, capture->text.len)));
    if (message->body_used)
        GUARD_TRY(decode_stream(message, gd_span(capture->body.ptr, capture->body.len)));
    message->decodes = message->stream_count > 0;
    return GUARD_OK;
}

enum guard_rc gd_patch_message_fill(struct gd_patch_message *message, struct gd_capture *capture,
                                    const struct gd_profile *profile,
                                    const struct gd_patch_set *set, uint32_t coming)
{
    *message = (struct gd_patch_message){.capture = capture,
                                         .profile = profile,
                                         .coming = coming,
                                         .whole = (set->bodies >> profile->answer & 1) != 0};
    /* Once: each look would add them again. */
    if (profile->body_kind == GUARD_BODY_FORM && capture->raw && coming == 0)
        gd_capture_raw_pairs(capture, GUARD_PLACE_FORM,
                             gd_span(capture->body.ptr, capture->body.len), '&');
    find_gaps(message);
    find_body(message);
    return (set->views >> GUARD_VIEW_DECODED & 1) != 0 ? decode_streams(message) : GUARD_OK;
}

struct guard_span gd_patch_name_of(struct gd_patch_message *message, struct gd_patch_value *value)
{
    if ((value->flags & GD_CAPTURE_TREE) == 0)
        return value->name;
    const struct gd_profile *profile = message->profile;
    if (value->field >= profile->field_count)
        return value->name;
    uint32_t chain[CHAIN];
    uint32_t depth = 0;
    for (uint32_t at = value->field; at != GD_NO_FIELD && depth < CHAIN;
         at = profile->fields[at].parent)
        chain[depth++] = at;
    uint8_t room[PATH_MOST];
    size_t len = 0;
    for (uint32_t i = depth; i > 0; i--) {
        const struct gd_field *field = &profile->fields[chain[i - 1]];
        bool dot = i < depth && gd_name_has_dot(field->location, field->name);
        if (len + dot + field->name.len > PATH_MOST)
            break;
        if (dot)
            room[len++] = '.';
        if (field->name.len > 0)
            memcpy(room + len, field->name.ptr, field->name.len);
        len += field->name.len;
    }
    uint8_t *kept = gd_capture_room(message->capture, len);
    if (kept != NULL)
        memcpy(kept, room, len);
    value->name = gd_span(kept, kept != NULL ? len : 0);
    value->flags &= ~(uint32_t)GD_CAPTURE_TREE;
    return value->name;
}
