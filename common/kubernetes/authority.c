/* SPDX-License-Identifier: Apache-2.0 */
/* Renewed when a third of the time is left, so that what goes wrong has time to be told. */
#include "common/kubernetes/authority.h"

#include "common/document_members.h"
#include "common/traffic/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SINCE_CAP = 24 };
static const char name_of_authority[] = "guard webhook authority";

void authority_wipe(struct authority *authority)
{
    explicit_bzero(authority, sizeof(*authority));
}

/* --- the Secret --- */

/* False: it is there and can't be read. */
static bool read_text(const struct document_node *data, const char *name, char *out, size_t cap)
{
    const struct document_node *node = member_of(data, name);
    size_t len = 0;
    out[0] = '\0';
    if (node == NULL || node->kind != DOCUMENT_SCALAR || node->text.len == 0)
        return true;
    uint8_t *bytes = malloc(node->text.len);
    bool good = bytes != NULL && base64_decode(bytes, &len, node->text) && len < cap &&
                memchr(bytes, '\0', len) == NULL;
    if (good) {
        memcpy(out, bytes, len);
        out[len] = '\0';
    }
    if (bytes != NULL)
        explicit_bzero(bytes, node->text.len);
    free(bytes);
    return good;
}

static bool read_pair(const struct document_node *data, const char *name, struct certificate *out)
{
    char file[64];
    snprintf(file, sizeof(file), "%s.crt", name);
    bool good = read_text(data, file, out->text, sizeof(out->text));
    snprintf(file, sizeof(file), "%s.key", name);
    return read_text(data, file, out->key, sizeof(out->key)) && good &&
           (out->text[0] == '\0') == (out->key[0] == '\0');
}

void authority_read(struct authority *out, const struct document_node *secret)
{
    char since[SINCE_CAP];
    *out = (struct authority){.since_ms = 0};
    const struct document_node *data = member_of(secret, "data");
    const struct document_node *metadata = member_of(secret, "metadata");
    const struct document_node *annotations = metadata != NULL && metadata->kind == DOCUMENT_MAPPING
                                                  ? member_of(metadata, "annotations")
                                                  : NULL;
    bool renew = annotations != NULL && annotations->kind == DOCUMENT_MAPPING &&
                 member_of(annotations, AUTHORITY_RENEW) != NULL;
    if (data != NULL && data->kind == DOCUMENT_MAPPING &&
        !(read_pair(data, "authority", &out->signer) && read_pair(data, "next", &out->next) &&
          read_pair(data, "tls", &out->server) &&
          read_text(data, "before.crt", out->before, sizeof(out->before)) &&
          read_text(data, "since", since, sizeof(since))))
        *out = (struct authority){.since_ms = 0};
    else if (data != NULL && data->kind == DOCUMENT_MAPPING)
        out->since_ms = strtoull(since, NULL, 10);
    out->renew = renew;
}

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    char coded[2 * AUTHORITY_BUNDLE_CAP];
    if (text[0] == '\0') {
        json_null(json, name);
        return;
    }
    base64_encode(coded, (struct guard_span){(const uint8_t *)text, strlen(text)});
    json_text(json, name, coded);
    explicit_bzero(coded, sizeof(coded));
}

void authority_write(const struct authority *authority, struct json_writer *json)
{
    char bundle[AUTHORITY_BUNDLE_CAP];
    char since[SINCE_CAP];
    authority_bundle(authority, bundle);
    snprintf(since, sizeof(since), "%" PRIu64, authority->since_ms);
    json_open(json, "data", '{');
    write_text(json, "ca.crt", bundle);
    write_text(json, "authority.crt", authority->signer.text);
    write_text(json, "authority.key", authority->signer.key);
    write_text(json, "next.crt", authority->next.text);
    write_text(json, "next.key", authority->next.key);
    write_text(json, "before.crt", authority->before);
    write_text(json, "tls.crt", authority->server.text);
    write_text(json, "tls.key", authority->server.key);
    write_text(json, "since", since);
    json_close(json, '}');
}

/* --- what is due --- */

static bool is_due(const char *certificate, uint64_t now_ms, uint64_t valid_ms)
{
    uint64_t ends_ms;
    return !certificate_end(certificate, &ends_ms) || ends_ms < now_ms + valid_ms / 3;
}

/* A certificate ends with who signed it: signing again must gain something. */
static bool server_due(const struct authority *authority, const struct authority_cfg *cfg,
                       uint64_t now_ms)
{
    uint64_t ends_ms, signer_ms;
    if (!certificate_serves(&authority->server, authority->signer.text, &cfg->names))
        return true;
    return is_due(authority->server.text, now_ms, cfg->valid_ms) &&
           certificate_end(authority->server.text, &ends_ms) &&
           certificate_end(authority->signer.text, &signer_ms) && signer_ms > ends_ms;
}

static uint64_t life_ms(const struct authority_cfg *cfg)
{
    return cfg->valid_ms * AUTHORITY_LIVES;
}

static bool is_over(const struct authority *authority, const struct authority_cfg *cfg,
                    uint64_t now_ms)
{
    return now_ms < authority->since_ms || now_ms - authority->since_ms >= cfg->overlap_ms;
}

/* Signed by the one in use, for who is asked for. */
static enum guard_rc certify(struct authority *authority, const struct authority_cfg *cfg,
                             uint64_t now_ms, struct guard_err *err)
{
    return certificate_make(&authority->server, &authority->signer, &cfg->names, now_ms,
                            cfg->valid_ms, err);
}

static enum guard_rc begin(struct authority *authority, const struct authority_cfg *cfg,
                           uint64_t now_ms, struct guard_err *err)
{
    authority_wipe(authority);
    GUARD_TRY(authority_make(&authority->signer, name_of_authority, now_ms, life_ms(cfg), err));
    return certify(authority, cfg, now_ms, err);
}

static enum guard_rc turn_over(struct authority *authority, const struct authority_cfg *cfg,
                               uint64_t now_ms, struct guard_err *err)
{
    memcpy(authority->before, authority->signer.text, sizeof(authority->before));
    authority->signer = authority->next;
    certificate_wipe(&authority->next);
    authority->since_ms = now_ms;
    return certify(authority, cfg, now_ms, err);
}

/* One that has ended, or isn't whole, is of no use to anybody: no overlap is needed. */
static bool is_lost(const struct authority *authority, uint64_t now_ms)
{
    uint64_t ends_ms;
    return !certificate_has_key(&authority->signer) ||
           !certificate_end(authority->signer.text, &ends_ms) || ends_ms <= now_ms;
}

enum guard_rc authority_step(struct authority *authority, const struct authority_cfg *cfg,
                             uint64_t now_ms, uint64_t trusted_ms, bool *changed,
                             struct guard_err *err)
{
    *changed = true;
    if (is_lost(authority, now_ms))
        return begin(authority, cfg, now_ms, err);
    bool rolling = authority->next.text[0] != '\0';
    if (rolling && !certificate_has_key(&authority->next)) {
        certificate_wipe(&authority->next);
        return GUARD_OK;
    }
    if (rolling && trusted_ms > 0 && trusted_ms >= cfg->overlap_ms)
        return turn_over(authority, cfg, now_ms, err);
    if (server_due(authority, cfg, now_ms))
        return certify(authority, cfg, now_ms, err);
    if (authority->before[0] != '\0' && is_over(authority, cfg, now_ms)) {
        authority->before[0] = '\0';
        return GUARD_OK;
    }
    if (!rolling && authority->before[0] == '\0' &&
        (authority->renew || is_due(authority->signer.text, now_ms, life_ms(cfg)))) {
        authority->since_ms = now_ms;
        authority->renew = false;
        return authority_make(&authority->next, name_of_authority, now_ms, life_ms(cfg), err);
    }
    *changed = false;
    return GUARD_OK;
}

void authority_bundle(const struct authority *authority, char out[AUTHORITY_BUNDLE_CAP])
{
    snprintf(out, AUTHORITY_BUNDLE_CAP, "%s%s%s", authority->signer.text, authority->next.text,
             authority->before);
}

uint64_t authority_left_ms(const struct authority *authority, uint64_t now_ms)
{
    uint64_t ends_ms;
    return certificate_end(authority->server.text, &ends_ms) && ends_ms > now_ms ? ends_ms - now_ms
                                                                                 : 0;
}
