/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and saving what was learned. */
#include "service_files.h"

#include "command.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/review.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool service_key(const char *key_path, struct guard_span service, uint8_t out[GUARD_KEY_BYTES])
{
    if (key_path == NULL) {
        static const uint8_t no_secret[GUARD_KEY_BYTES];
        guard_key_derive(out, no_secret, service);
        return true;
    }
    uint8_t *text = NULL;
    size_t len = 0;
    struct guard_err err;
    if (file_read(key_path, 4096, &text, &len, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    bool good = guardian_digest_parse((struct guard_span){text, len}, out);
    free(text);
    return good || complain(0, "%s: a key is 64 hexadecimal digits", key_path) != 0;
}

/* A pile without a secret of its own is keyed by its service's name: with that key its closed sets
 * can be read, too. */
static struct guard_pile *with_default_key(struct guard_pile *pile, struct guard_span bytes)
{
    struct guard_pile_stats stats;
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    struct guard_pile *keyed = NULL;
    struct guard_err err;
    guard_pile_stats(pile, &stats);
    cfg.service = stats.service;
    if (!service_key(NULL, stats.service, cfg.key) ||
        guard_pile_decode(&keyed, &cfg, bytes, &err) != GUARD_OK)
        return pile;
    guard_pile_free(pile);
    return keyed;
}

struct guard_pile *pile_open(const char *path, const struct guard_pile_cfg *cfg,
                             uint8_t digest[GUARD_DIGEST_BYTES])
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct guard_pile *pile = NULL;
    if (file_read(path, PILE_BYTES_MAX, &bytes, &len, &err) != GUARD_OK) {
        complain(0, "%s", err.text);
        return NULL;
    }
    enum guard_rc rc = guard_pile_decode(&pile, cfg, (struct guard_span){bytes, len}, &err);
    if (rc != GUARD_OK) {
        complain(0, "%s: %s (%s)", path, err.text, guard_rc_name(rc));
        pile = NULL;
    } else {
        if (cfg->service.len == 0)
            pile = with_default_key(pile, (struct guard_span){bytes, len});
        if (digest != NULL)
            guard_digest(digest, (struct guard_span){bytes, len});
    }
    free(bytes);
    return pile;
}

bool pile_save(struct guard_pile *pile, const char *path, uint8_t digest[GUARD_DIGEST_BYTES])
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    if (guard_pile_encode(pile, &bytes, &len, &err) != GUARD_OK)
        return complain(0, "%s: %s", path, err.text) != 0;
    guard_digest(digest, (struct guard_span){bytes, len});
    bool good = file_replace(path, (struct guard_span){bytes, len}, 0640, true, &err) == GUARD_OK;
    free(bytes);
    return good || complain(0, "%s", err.text) != 0;
}

/* Does the file hold exactly the bytes that the Guardian names? */
static bool is_named(const char *path, const uint8_t digest[GUARD_DIGEST_BYTES])
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (file_read(path, PILE_BYTES_MAX, &bytes, &len, NULL) != GUARD_OK)
        return false;
    uint8_t found[GUARD_DIGEST_BYTES];
    guard_digest(found, (struct guard_span){bytes, len});
    free(bytes);
    return memcmp(found, digest, GUARD_DIGEST_BYTES) == 0;
}

static bool find_beside(const struct guard_guardian *guardian, const char *guardian_path,
                        char out[4096])
{
    const char *slash = strrchr(guardian_path, '/');
    int folder_len = slash != NULL ? (int)(slash - guardian_path) : 1;
    char folder[2048];
    snprintf(folder, sizeof(folder), "%.*s", folder_len == 0 ? 1 : folder_len,
             slash != NULL ? guardian_path : ".");
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *entry = NULL; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".pile") != 0)
            continue;
        snprintf(out, 4096, "%s/%s", folder, entry->d_name);
        found = is_named(out, guardian->pile_digest);
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

struct guard_pile *guardian_pile(const struct guard_guardian *guardian, const char *guardian_path,
                                 const char *pile_path)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    uint8_t digest[GUARD_DIGEST_BYTES];
    char beside[4096];
    if (pile_path == NULL) {
        if (!guardian->pile_named) {
            complain(0, "%s names no pile: give --pile FILE, or say --configured-only",
                     guardian_path);
            return NULL;
        }
        if (!find_beside(guardian, guardian_path, beside)) {
            complain(0,
                     "%s: the pile that it names doesn't lie beside it: give --pile FILE, or say "
                     "--configured-only",
                     guardian_path);
            return NULL;
        }
        pile_path = beside;
    }
    struct guard_pile *pile = pile_open(pile_path, &cfg, digest);
    if (pile == NULL)
        return NULL;
    struct guard_pile_stats stats;
    guard_pile_stats(pile, &stats);
    if (stats.service.len != guardian->service.len ||
        memcmp(stats.service.ptr, guardian->service.ptr, stats.service.len) != 0) {
        complain(0, "%s is of service \"%.*s\", the Guardian of \"%.*s\"", pile_path,
                 (int)stats.service.len, (const char *)stats.service.ptr,
                 (int)guardian->service.len, (const char *)guardian->service.ptr);
        guard_pile_free(pile);
        return NULL;
    }
    if (guardian->pile_named && memcmp(digest, guardian->pile_digest, sizeof(digest)) != 0)
        complain(0, "note: %s isn't the pile that %s names", pile_path, guardian_path);
    return pile;
}

struct guard_model *pile_model(struct guard_pile *pile, uint32_t support)
{
    return pile_model_reviewed(pile, support, NULL);
}

struct guard_model *pile_model_reviewed(struct guard_pile *pile, uint32_t support,
                                        const struct guard_review *review)
{
    struct guard_model *model = NULL;
    struct guard_err err;
    struct guard_learn_cfg cfg = {.alloc = heap_alloc(), .support = support, .review = review};
    if (guard_learn(&model, pile, &cfg, &err) != GUARD_OK) {
        complain(0, "can't learn: %s", err.text);
        return NULL;
    }
    return model;
}

static bool load_review(struct review_document *out, struct guard_arena *arena,
                        const struct guard_pile *pile, const char *path)
{
    struct guard_err err;
    struct guard_pile_stats stats;
    if (review_load(out, path, arena, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    guard_pile_stats(pile, &stats);
    return (out->service.len == stats.service.len &&
            memcmp(out->service.ptr, stats.service.ptr, stats.service.len) == 0) ||
           complain(0, "%s: names another service than \"%.*s\"", path, (int)stats.service.len,
                    (const char *)stats.service.ptr) != 0;
}

struct guard_model *pile_model_by(struct guard_pile *pile, uint32_t support, const char *review)
{
    struct review_document document;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_model *model = NULL;
    if (review == NULL)
        return pile_model(pile, support);
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    if (load_review(&document, &arena, pile, review)) {
        const struct guard_review said = {document.entries, document.count};
        model = pile_model_reviewed(pile, support, &said);
    }
    guard_arena_reset(&arena);
    return model;
}
