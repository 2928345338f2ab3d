/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch add, enable, shadow, disable, rm`: changes of the Guardian's patches, in the files
 * of the state directory or by a server. */
#include "patch_verbs.h"

#include "common/file.h"
#include "common/guardian_patch_words.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tell(const struct patch_call *call, const char *before, const char *after, bool changed)
{
    char text[PATCH_SAID_MAX];
    bool dry = call->arguments->values[PATCH_DRY_RUN] != NULL;
    if (call->json) {
        char line[2 * PATCH_SAID_MAX + 512];
        struct json_writer json;
        json_writer_init(&json, line, sizeof(line));
        json_open(&json, NULL, '{');
        json_string(&json, "service", call->service);
        json_bool(&json, "applied", changed && !dry);
        json_text(&json, "before", before);
        json_text(&json, "after", after);
        json_close(&json, '}');
        printf("%.*s\n", (int)json.len, line);
        return EXIT_GOOD;
    }
    printf("%.*s: ", (int)call->service.len, (const char *)call->service.ptr);
    if (!changed)
        printf("nothing changes\n");
    else
        printf("%s -> %s%s\n",
               before[0] != '\0' ? clean(text, sizeof(text), before, strlen(before)) : "none",
               after[0] != '\0' ? after : "none", dry ? " (nothing was changed yet)" : "");
    return EXIT_GOOD;
}

static int on_files(const struct patch_call *call, const struct patch_change *what)
{
    const struct arguments *arguments = call->arguments;
    struct state_change by;
    struct patch_outcome outcome;
    struct guard_err err;
    int lock = -1;
    bool dry = arguments->values[PATCH_DRY_RUN] != NULL;
    if (!state_service_known(call->dir, call->service, arguments->values[PATCH_FORCE] != NULL) ||
        !state_change(&by, call->dir, call->service, arguments->values[PATCH_REASON]) ||
        (!dry && !state_lock(&lock, call->dir, "guardians")))
        return EXIT_FAILED;
    enum guard_rc rc = change_patches(&by.change, what, dry, call->arena, &outcome, &err);
    if (lock >= 0)
        close(lock);
    return rc == GUARD_OK ? tell(call, outcome.before, outcome.after, outcome.changed)
                          : complain(EXIT_FAILED, "%s", err.text);
}

static int told_by(const struct patch_call *call, const struct document *answer)
{
    const char *before = text_of(answer->root, "before");
    const char *after = text_of(answer->root, "after");
    return tell(call, before, after, strcmp(text_of(answer->root, "changed"), "true") == 0);
}

/* "?reason=...&dryRun=true" and more. False after a message. */
static bool query_of(const struct patch_call *call, const char *more, char *out, size_t cap)
{
    char reason[800];
    const char *said = call->arguments->values[PATCH_REASON];
    if (!remote_escape(reason, sizeof(reason), said != NULL ? said : ""))
        return complain(0, "the reason is too long") != 0;
    snprintf(out, cap, "?dryRun=%s%s%s%s",
             call->arguments->values[PATCH_DRY_RUN] != NULL ? "true" : "false",
             reason[0] != '\0' ? "&reason=" : "", reason, more);
    return true;
}

/* --- add --- */

/* What the document says, written anew: it was read here, so that its faults have its name. */
static int add_by_api(const struct patch_call *call, struct guard_span text)
{
    char path[1400];
    char query[1000];
    struct document answer;
    struct remote_reply reply;
    struct guard_err err;
    const bool replace = call->arguments->values[PATCH_REPLACE] != NULL;
    const struct remote_request request = {.method = "POST",
                                           .path = path,
                                           .type = "application/json",
                                           .content_type = "application/yaml",
                                           .body = text,
                                           .answer_max = 1 << 20};
    if (!query_of(call, replace ? "&replace=true" : "", query, sizeof(query)) ||
        !patch_path(call, NULL, query, path, sizeof(path)) ||
        !remote_fetch(&call->remote, &request, &reply))
        return EXIT_FAILED;
    enum guard_rc rc = document_parse(
        &answer, "answer", (struct guard_span){reply.bytes, reply.len}, call->arena, &err);
    int status = rc == GUARD_OK ? told_by(call, &answer) : complain(EXIT_FAILED, "%s", err.text);
    free(reply.bytes);
    return status;
}

static int add_these(const struct patch_call *call, const struct patch_change *what)
{
    struct guard_span text;
    struct guard_err err;
    if (call->remote.server == NULL)
        return on_files(call, what);
    if (patches_write(what->patches.patches, what->patches.count, call->arena, &text, &err) !=
        GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return add_by_api(call, text);
}

int patch_add_list(const struct patch_call *call, struct patch_list *list)
{
    struct patch_change what = {.verb = PATCH_ADD,
                                .patches = *list,
                                .replace = call->arguments->values[PATCH_REPLACE] != NULL};
    const char *author = call->arguments->values[PATCH_AUTHOR];
    if (author != NULL && (author[0] == '\0' || strlen(author) > GUARD_PATCH_TEXT_MAX))
        return complain(EXIT_USAGE, "--author is too long, or nobody");
    for (uint32_t i = 0; author != NULL && i < list->count; i++) {
        if (list->patches[i].author.len == 0)
            list->patches[i].author = (struct guard_span){(const uint8_t *)author, strlen(author)};
    }
    return add_these(call, &what);
}

int patch_add(const struct patch_call *call)
{
    struct patch_list list;
    struct guard_err err;
    if (patches_load(&list, call->operands[0], call->arena, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return patch_add_list(call, &list);
}

/* --- one of them --- */

static int mode_by_api(const struct patch_call *call, enum guard_patch_mode mode)
{
    char path[512];
    struct document answer;
    struct remote_body body;
    const char *reason = call->arguments->values[PATCH_REASON];
    const bool dry = call->arguments->values[PATCH_DRY_RUN] != NULL;
    remote_body(&body);
    json_text(&body.json, "mode", patch_mode_word(mode));
    json_text(&body.json, "reason", reason != NULL ? reason : "");
    return patch_path(call, call->operands[0], dry ? "?dryRun=true" : "", path, sizeof(path)) &&
                   remote_ask(&call->remote, "PUT", path, &body, &answer, NULL)
               ? told_by(call, &answer)
               : EXIT_FAILED;
}

static int set_mode(const struct patch_call *call, enum guard_patch_mode mode)
{
    const char *id = call->operands[0];
    const struct patch_change what = {
        .verb = PATCH_MODE, .id = {(const uint8_t *)id, strlen(id)}, .mode = mode};
    if (!patch_id_good(id))
        return EXIT_USAGE;
    return call->remote.server != NULL ? mode_by_api(call, mode) : on_files(call, &what);
}

int patch_enable(const struct patch_call *call)
{
    return set_mode(call, GUARD_PATCH_ENFORCE);
}

int patch_shadow(const struct patch_call *call)
{
    return set_mode(call, GUARD_PATCH_SHADOW);
}

int patch_disable(const struct patch_call *call)
{
    return set_mode(call, GUARD_PATCH_OFF);
}

int patch_remove(const struct patch_call *call)
{
    const char *id = call->operands[0];
    const struct patch_change what = {.verb = PATCH_REMOVE,
                                      .id = {(const uint8_t *)id, strlen(id)}};
    char path[1400];
    char query[1000];
    struct document answer;
    if (!patch_id_good(id))
        return EXIT_USAGE;
    if (call->remote.server == NULL)
        return on_files(call, &what);
    return query_of(call, "", query, sizeof(query)) &&
                   patch_path(call, id, query, path, sizeof(path)) &&
                   remote_ask(&call->remote, "DELETE", path, NULL, &answer, NULL)
               ? told_by(call, &answer)
               : EXIT_FAILED;
}
