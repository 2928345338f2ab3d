/* SPDX-License-Identifier: Apache-2.0 */
/* `guard export guardian` and `guard import guardian`: what people say of a service goes to another
 * environment; what was learned stays where it was learned. */
#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_diff.h"
#include "common/review_edit.h"
#include "export.h"
#include "remote.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 96 << 20, AUDITED_MAX = 3072 };

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* The decisions of a service; none when nobody decided anything. False after a message. */
static bool load_reviews(struct review_document *out, const char *dir, struct guard_span service,
                         struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    *out = (struct review_document){.service = service};
    if (state_path(path, dir, "reviews", service, ".json") != GUARD_OK)
        return complain(0, "%s: the path is too long", dir) != 0;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (review_load(out, path, arena, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    out->service = service;
    return true;
}

static bool write_reviews(const struct export_guardian *job, struct guard_arena *arena)
{
    struct review_document document;
    struct guard_span text;
    struct guard_err err;
    if (!load_reviews(&document, job->dir, span_of(job->service), arena))
        return false;
    if (review_write(&document, arena, &text, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return export_write(job->reviews, text);
}

static bool write_guardian(const struct export_guardian *job, struct guard_arena *arena)
{
    struct guard_guardian guardian;
    struct guard_span text;
    struct guard_err err;
    if (!state_guardian(job->dir, span_of(job->service), arena, &guardian))
        return false;
    guardian.pile_named = false; /* names what was learned here */
    if (guardian_write(&guardian, arena, &text, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return export_write(job->output, text);
}

int export_guardian(const struct export_guardian *job)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    if (!state_service_valid(span_of(job->service)))
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (!state_service_known(job->dir, span_of(job->service), false))
        return EXIT_FAILED;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool good = write_guardian(job, &arena) && (job->reviews == NULL || write_reviews(job, &arena));
    guard_arena_reset(&arena);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

/* --- and into another one --- */

/* Both documents as they will be, and what that changes. */
struct taking {
    struct guard_guardian guardian;
    struct review_document decisions; /* of the file */
    struct review_document reviews;   /* of the service, with these */
    bool with_reviews;
    bool known;              /* the server knows the service */
    char tag[HTTP_ETAG_CAP]; /* of its Guardian */
    uint32_t differences;
    uint32_t decided; /* decisions that differ */
    struct side {     /* of the differences, as far as an audit line has room */
        char text[AUDITED_MAX];
        size_t len;
        uint32_t more;
    } before, after;
};

static void show(void *ctx, const char *line)
{
    enum { MORE = 32 };
    struct taking *taking = ctx;
    struct side *side = line[0] == '-' ? &taking->before : &taking->after;
    size_t room = AUDITED_MAX - MORE - side->len;
    int len = snprintf(side->text + side->len, room, "%s%s", side->len > 0 ? "; " : "", line + 2);
    if (side->more == 0 && len > 0 && (size_t)len < room)
        side->len += (size_t)len;
    else
        snprintf(side->text + side->len, MORE, "; %u more", ++side->more);
    puts(line);
}

/* Reads the files: nothing is changed while anything in them is wrong. */
static bool read_files(struct taking *taking, const struct import_guardian *job,
                       struct guard_arena *arena)
{
    struct guard_err err;
    if (guardian_load(&taking->guardian, job->file, arena, &err) != GUARD_OK ||
        (job->reviews != NULL &&
         review_load(&taking->decisions, job->reviews, arena, &err) != GUARD_OK))
        return complain(0, "%s", err.text) != 0;
    const struct guard_span from = taking->guardian.service;
    if (job->reviews != NULL && (from.len != taking->decisions.service.len ||
                                 memcmp(from.ptr, taking->decisions.service.ptr, from.len) != 0))
        return complain(0, "%s: names another service than %s", job->reviews, job->file) != 0;
    if (job->service != NULL)
        taking->guardian.service = span_of(job->service);
    taking->guardian.pile_named = false;
    return state_service_valid(taking->guardian.service) ||
           complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
}

/* The Guardian that the server has, or, where it knows no such service, what holds without one. */
static bool remote_guardian(struct taking *taking, const struct remote *remote,
                            struct guard_arena *arena, struct guard_guardian *out)
{
    const struct guard_span service = taking->guardian.service;
    char path[STATE_SERVICE_MAX + 32];
    struct guard_err err;
    struct remote_reply reply;
    const struct remote_request request = {.method = "GET",
                                           .path = path,
                                           .type = "application/yaml",
                                           .answer_max = DOCUMENT_BYTES_MAX,
                                           .may_lack = true};
    snprintf(path, sizeof(path), "/services/%.*s/guardian", (int)service.len,
             (const char *)service.ptr);
    if (!remote_fetch(remote, &request, &reply))
        return false;
    taking->known = reply.status != 404;
    snprintf(taking->tag, sizeof(taking->tag), "%s", reply.etag);
    guard_guardian_default(out, service);
    bool good =
        !taking->known ||
        guardian_parse(out, "the server's Guardian", (struct guard_span){reply.bytes, reply.len},
                       arena, &err) == GUARD_OK ||
        complain(0, "%s", err.text) != 0;
    free(reply.bytes);
    return good;
}

/* Refused when somebody changed the document since it was compared with. */
static bool put_remote(const struct taking *taking, const struct import_guardian *job,
                       struct guard_arena *arena)
{
    const struct guard_span service = taking->guardian.service;
    char reason[800];
    char path[1024];
    char condition[HTTP_ETAG_CAP + 16] = "If-None-Match: *";
    struct guard_err err;
    struct remote_reply reply;
    struct remote_request request = {.method = "PUT",
                                     .path = path,
                                     .type = "application/json",
                                     .content_type = "application/yaml",
                                     .condition = condition,
                                     .answer_max = DOCUMENT_BYTES_MAX};
    if (guardian_write(&taking->guardian, arena, &request.body, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (!remote_escape(reason, sizeof(reason), job->reason != NULL ? job->reason : ""))
        return complain(0, "the reason is too long") != 0;
    snprintf(path, sizeof(path), "/services/%.*s/guardian%s%s", (int)service.len,
             (const char *)service.ptr, reason[0] != '\0' ? "?reason=" : "", reason);
    if (taking->known)
        snprintf(condition, sizeof(condition), "If-Match: %s", taking->tag);
    bool good = remote_fetch(job->remote, &request, &reply);
    if (good)
        free(reply.bytes);
    return good;
}

static bool compare(struct taking *taking, const struct import_guardian *job,
                    struct guard_arena *arena)
{
    struct guard_guardian now;
    struct guard_err err;
    const struct line_sink sink = {show, taking};
    if (!(job->remote != NULL ? remote_guardian(taking, job->remote, arena, &now)
                              : state_guardian(job->dir, taking->guardian.service, arena, &now)))
        return false;
    /* The pile that one of this environment names is still the one of this environment. */
    memcpy(taking->guardian.pile_digest, now.pile_digest, sizeof(now.pile_digest));
    taking->guardian.pile_named = now.pile_named;
    return guardian_diff(&now, &taking->guardian, arena, &sink, &taking->differences, &err) ==
               GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

/* One decision more, if it isn't there alike. */
static bool take_decision(struct taking *taking, const struct guard_review_entry *entry,
                          const struct review_note *note, const struct change *change)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char word[REVIEW_WORD_MAX];
    char shown[REVIEW_WORD_MAX];
    char after[REVIEW_WORD_MAX + 128];
    struct guard_err err;
    int at = review_decided_at(&taking->reviews, &entry->element);
    enum guard_review_decision before =
        at >= 0 ? taking->reviews.entries[at].decision : GUARD_REVIEW_WAITING;
    if (before == entry->decision)
        return true;
    guard_review_id(id, taking->guardian.service, &entry->element);
    review_element_word(&entry->element, word);
    snprintf(after, sizeof(after), "%s %s %s %s", guard_review_decision_name(entry->decision), id,
             guard_review_kind_name(entry->element.kind),
             clean(shown, sizeof(shown), word, strlen(word)));
    taking->decided++;
    if (change == NULL)
        printf("+ review: %s\n", after);
    else if (audit_append(change->dir, &change->who, change->service, "review",
                          guard_review_decision_name(before), after, change->reason,
                          &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return change == NULL ||
           review_decide(&taking->reviews, &entry->element, entry->decision, note, &err) ==
               GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

/* change NULL: they are only shown. */
static bool take_decisions(struct taking *taking, const struct change *change)
{
    bool good = true;
    taking->decided = 0;
    for (uint32_t i = 0; good && i < taking->decisions.count; i++)
        good = take_decision(taking, &taking->decisions.entries[i], &taking->decisions.notes[i],
                             change);
    return good;
}

static bool put_reviews(struct taking *taking, const struct change *change,
                        struct guard_arena *arena)
{
    struct guard_err err;
    if (review_make_room(&taking->reviews, arena, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return take_decisions(taking, change) &&
           (taking->decided == 0 ||
            review_save(&taking->reviews, change->dir, arena, &err) == GUARD_OK ||
            complain(0, "%s", err.text) != 0);
}

/* What the server has of them; nothing where it doesn't know the service. */
static bool remote_reviews(struct taking *taking, const struct remote *remote,
                           struct guard_arena *arena)
{
    const struct guard_span service = taking->guardian.service;
    char path[STATE_SERVICE_MAX + 32];
    struct guard_err err;
    struct remote_reply reply;
    const struct remote_request request = {.method = "GET",
                                           .path = path,
                                           .type = "application/json",
                                           .answer_max = DOCUMENT_BYTES_MAX,
                                           .may_lack = true};
    snprintf(path, sizeof(path), "/services/%.*s/decisions", (int)service.len,
             (const char *)service.ptr);
    taking->reviews = (struct review_document){.service = service};
    if (!remote_fetch(remote, &request, &reply))
        return false;
    bool good =
        reply.status == 404 ||
        review_parse(&taking->reviews, "the server's decisions",
                     (struct guard_span){reply.bytes, reply.len}, arena, &err) == GUARD_OK ||
        complain(0, "%s", err.text) != 0;
    free(reply.bytes);
    return good;
}

/* The server adds those that it hasn't alike. */
static bool put_remote_reviews(struct taking *taking, const struct import_guardian *job,
                               struct guard_arena *arena)
{
    const struct guard_span service = taking->guardian.service;
    char reason[800];
    char path[1024];
    struct guard_err err;
    struct remote_reply reply;
    struct remote_request request = {.method = "POST",
                                     .path = path,
                                     .type = "application/json",
                                     .content_type = "application/json",
                                     .answer_max = DOCUMENT_BYTES_MAX};
    taking->decisions.service = service;
    if (review_write(&taking->decisions, arena, &request.body, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (!remote_escape(reason, sizeof(reason), job->reason != NULL ? job->reason : ""))
        return complain(0, "the reason is too long") != 0;
    snprintf(path, sizeof(path), "/services/%.*s/decisions%s%s", (int)service.len,
             (const char *)service.ptr, reason[0] != '\0' ? "?reason=" : "", reason);
    bool good = remote_fetch(job->remote, &request, &reply);
    if (good)
        free(reply.bytes);
    return good;
}

static bool put(struct taking *taking, const struct import_guardian *job, struct guard_arena *arena)
{
    struct state_change by;
    struct guard_span text;
    struct guard_err err;
    if (job->remote != NULL)
        return (taking->differences == 0 || put_remote(taking, job, arena)) &&
               (taking->decided == 0 || put_remote_reviews(taking, job, arena));
    if (!state_change(&by, job->dir, taking->guardian.service, job->reason))
        return false;
    if (taking->differences > 0 &&
        (guardian_write(&taking->guardian, arena, &text, &err) != GUARD_OK ||
         change_guardian(&by.change, text, taking->before.text, taking->after.text, &err) !=
             GUARD_OK))
        return complain(0, "%s", err.text) != 0;
    return !taking->with_reviews || put_reviews(taking, &by.change, arena);
}

static bool take(struct taking *taking, const struct import_guardian *job,
                 struct guard_arena *arena)
{
    const struct guard_span service = taking->guardian.service;
    if (!compare(taking, job, arena) ||
        (taking->with_reviews &&
         (!(job->remote != NULL ? remote_reviews(taking, job->remote, arena)
                                : load_reviews(&taking->reviews, job->dir, service, arena)) ||
          !take_decisions(taking, NULL))))
        return false;
    const char *outcome = taking->differences + taking->decided == 0 ? "nothing changes"
                          : job->dry                                 ? "nothing was changed yet"
                                                                     : "in place";
    if (!job->dry && taking->differences + taking->decided > 0 && !put(taking, job, arena))
        return false;
    printf("%.*s: %s\n", (int)service.len, (const char *)service.ptr, outcome);
    return true;
}

/* Nobody else changes the documents meanwhile; who only looks takes no lock and makes no folder. */
static bool lock(int locks[2], const struct import_guardian *job)
{
    if (job->dry || job->remote != NULL)
        return true;
    state_share();
    return state_lock(&locks[0], job->dir, "guardians") &&
           (job->reviews == NULL || state_lock(&locks[1], job->dir, "reviews"));
}

int import_guardian(const struct import_guardian *job)
{
    static struct taking taking;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    int locks[2] = {-1, -1};
    taking = (struct taking){.with_reviews = job->reviews != NULL};
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool good = read_files(&taking, job, &arena) && lock(locks, job) && take(&taking, job, &arena);
    for (size_t i = 0; i < 2; i++) {
        if (locks[i] >= 0)
            close(locks[i]);
    }
    guard_arena_reset(&arena);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
