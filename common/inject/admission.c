/* SPDX-License-Identifier: Apache-2.0 */
/* The pod's tree is changed, a copy of it is what the patch is made against. */
#include "common/inject/admission.h"

#include "common/document_edit.h"
#include "common/document_members.h"
#include "common/json_writer.h"

#include <stdio.h>
#include <string.h>

enum { PATCH_MAX = 1 << 20, WARNINGS_MAX = 4, WARNING_CAP = 256, UID_MAX = 128, REST_MAX = 8192 };

struct warnings {
    char texts[WARNINGS_MAX][WARNING_CAP];
    uint32_t count;
};

static void warn(void *ctx, const char *object, const char *text)
{
    struct warnings *warnings = ctx;
    if (warnings->count < WARNINGS_MAX)
        snprintf(warnings->texts[warnings->count++], WARNING_CAP, "guard: %.80s: %.160s", object,
                 text);
}

static struct document_node *child(struct document_node *parent, const char *name)
{
    struct document_node *one =
        parent != NULL && parent->kind == DOCUMENT_MAPPING ? parent->first : NULL;
    while (one != NULL && strcmp((const char *)one->key->text.ptr, name) != 0)
        one = one->next;
    return one;
}

static const char *word(struct document_node *parent, const char *name)
{
    const struct document_node *node = child(parent, name);
    return node != NULL && node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
}

static enum guard_rc read_review(struct document_stream *stream, struct guard_span review,
                                 struct guard_arena *arena, struct guard_err *err)
{
    stream->count = 0;
    GUARD_TRY(document_parse_stream(stream, "review", review, arena, err));
    struct document_node *root = stream->count == 1 ? stream->documents[0].root : NULL;
    if (root == NULL || root->kind != DOCUMENT_MAPPING ||
        strcmp(word(root, "kind"), "AdmissionReview") != 0 ||
        strcmp(word(root, "apiVersion"), "admission.k8s.io/v1") != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "no AdmissionReview of admission.k8s.io/v1");
    const char *uid = word(child(root, "request"), "uid");
    if (uid[0] == '\0' || strlen(uid) > UID_MAX)
        return guard_fail(err, GUARD_E_SYNTAX, "the review has no request.uid");
    return GUARD_OK;
}

/* What a pod belongs to, as far as it says so itself: a ReplicaSet's name is its Deployment's with
 * the hash that is the pod's label. */
static void owner_name(struct document_node *pod, char *out, size_t cap)
{
    struct document_node *metadata = child(pod, "metadata");
    struct document_node *owners = child(metadata, "ownerReferences");
    struct document_node *owner =
        owners != NULL && owners->kind == DOCUMENT_SEQUENCE ? owners->first : NULL;
    const char *name = word(owner, "name");
    const char *hash = word(child(metadata, "labels"), "pod-template-hash");
    size_t len;
    if (name[0] == '\0')
        name = word(metadata, "name");
    if (name[0] == '\0')
        name = word(metadata, "generateName");
    len = strlen(name);
    size_t hash_len = strlen(hash);
    if (hash_len > 0 && len > hash_len + 1 && name[len - hash_len - 1] == '-' &&
        strcmp(name + len - hash_len, hash) == 0)
        len -= hash_len + 1;
    while (len > 0 && name[len - 1] == '-')
        len--;
    snprintf(out, cap, "%.*s", (int)(len < cap ? len : cap - 1), name);
}

static char *base64(struct guard_span bytes, struct guard_arena *arena)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = guard_arena_get(arena, (bytes.len + 2) / 3 * 4 + 1);
    size_t len = 0;
    for (size_t i = 0; out != NULL && i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.ptr[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        group |= left > 2 ? bytes.ptr[i + 2] : 0;
        out[len++] = letters[group >> 18 & 63];
        out[len++] = letters[group >> 12 & 63];
        out[len++] = left > 1 ? letters[group >> 6 & 63] : '=';
        out[len++] = left > 2 ? letters[group & 63] : '=';
    }
    if (out != NULL)
        out[len] = '\0';
    return out;
}

static enum guard_rc answer(const char *uid, const char *refused, const char *patch,
                            const struct warnings *warnings, struct guard_arena *arena,
                            struct guard_span *out, struct guard_err *err)
{
    struct json_writer json;
    size_t cap = (patch != NULL ? strlen(patch) : 0) + REST_MAX;
    char *text = guard_arena_get(arena, cap);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    json_writer_init(&json, text, cap);
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", "admission.k8s.io/v1");
    json_text(&json, "kind", "AdmissionReview");
    json_open(&json, "response", '{');
    json_text(&json, "uid", uid);
    json_bool(&json, "allowed", refused == NULL);
    if (refused != NULL) {
        json_open(&json, "status", '{');
        json_integer(&json, "code", 422);
        json_text(&json, "message", refused);
        json_close(&json, '}');
    }
    if (patch != NULL) {
        json_text(&json, "patchType", "JSONPatch");
        json_text(&json, "patch", patch);
    }
    json_open(&json, "warnings", '[');
    for (uint32_t i = 0; i < warnings->count; i++)
        json_text(&json, NULL, warnings->texts[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    json_close(&json, '}');
    *out = (struct guard_span){(const uint8_t *)text, json.len};
    return json.overflow ? guard_fail(err, GUARD_E_LIMIT, "the answer is too long") : GUARD_OK;
}

/* The patch in base64; NULL: there is none. */
static enum guard_rc make_patch(const struct document_node *before,
                                const struct document_node *after, struct guard_arena *arena,
                                char **out, struct guard_err *err)
{
    struct guard_span patch;
    GUARD_TRY(inject_patch(before, after, PATCH_MAX, arena, &patch, err));
    *out = patch.len > 0 ? base64(patch, arena) : NULL;
    return patch.len > 0 && *out == NULL ? guard_fail(err, GUARD_E_NOMEM, "no memory") : GUARD_OK;
}

enum guard_rc inject_admission(struct guard_span review, const struct inject_cfg *cfg,
                               struct guard_arena *arena, struct guard_span *out,
                               struct guard_err *err)
{
    struct document_stream *stream = guard_arena_get(arena, sizeof(*stream));
    struct document_edit edit = {.arena = arena};
    struct warnings warnings = {.count = 0};
    enum inject_result result = INJECT_LEFT;
    struct guard_err reason = {{0}};
    char *patch = NULL;
    char name[256];
    if (stream == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    GUARD_TRY(read_review(stream, review, arena, err));
    struct document_node *request = child(stream->documents[0].root, "request");
    struct document_node *pod = child(request, "object");
    const char *uid = word(request, "uid");
    if (strcmp(word(pod, "kind"), "Pod") != 0 || strcmp(word(request, "operation"), "CREATE") != 0)
        return answer(uid, NULL, NULL, &warnings, arena, out, err);
    const struct document_node *before = edit_copy(&edit, pod);
    if (before == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    owner_name(pod, name, sizeof(name));
    enum guard_rc rc = inject_pod(&stream->documents[0], pod, name, word(request, "namespace"), cfg,
                                  &result, warn, &warnings, &reason);
    if (rc == GUARD_E_NOMEM)
        return guard_fail(err, rc, "%s", reason.text);
    if (rc == GUARD_OK && result == INJECT_DONE)
        rc = make_patch(before, pod, arena, &patch, &reason);
    return answer(uid, rc != GUARD_OK ? reason.text : NULL, rc == GUARD_OK ? patch : NULL,
                  &warnings, arena, out, err);
}
