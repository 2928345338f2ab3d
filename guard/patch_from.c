/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch from`: proposes a patch for an exploit, as a document that tells in its comments
 * what of the exploit it keeps and how often it is right. Here, or by a server, which knows what
 * the service gets; benign traffic in files stays here. */
#include "patch_verbs.h"

#include "common/file.h"
#include "common/guardian.h"
#include "common/propose/propose.h"
#include "common/state.h"
#include "mirror.h"
#include "service_files.h"
#include "traffic_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_ROOM = 64 << 20, ANSWER_MAX = 1 << 20, BODY_MAX = 256 * 1024 };

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    printf("# %s\n", text);
}

/* --- benign traffic in files --- */

struct taking {
    proposal_take *take;
    void *ctx;
    struct guard_err *err;
    enum guard_rc rc;
};

static bool take(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place)
{
    struct taking *taking = ctx;
    (void)place;
    taking->rc = taking->take(taking->ctx, exchange, taking->err);
    return taking->rc == GUARD_OK;
}

static enum guard_rc each_benign(void *ctx, proposal_take *one, void *take_ctx,
                                 struct guard_err *err)
{
    const struct arguments *arguments = ctx;
    char *paths[GIVEN_MAX];
    struct traffic traffic = {.paths = paths, .label = "benign traffic"};
    struct taking taking = {one, take_ctx, err, GUARD_OK};
    for (int i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == PATCH_FROM_TRAFFIC)
            paths[traffic.count++] = (char *)(uintptr_t)arguments->given[i].value;
    }
    if (!traffic_read(&traffic, take, &taking) && taking.rc == GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "the benign traffic couldn't be read");
    return taking.rc;
}

/* --- what is known of the service --- */

struct known {
    struct guard_arena documents;
    struct guard_guardian guardian;
    struct guard_pile *pile;
    struct guard_model *model;
};

static bool known_open(struct known *known, const char *guardian_path, const char *pile_path)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    guard_arena_init(&known->documents, &heap, DOCUMENT_ROOM);
    if (guardian_load(&known->guardian, guardian_path, &known->documents, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    known->pile = guardian_pile(&known->guardian, guardian_path, pile_path);
    known->model = known->pile != NULL ? pile_model(known->pile, known->guardian.support) : NULL;
    return known->model != NULL;
}

static void known_close(struct known *known)
{
    guard_model_free(known->model);
    guard_pile_free(known->pile);
    guard_arena_reset(&known->documents);
}

/* --- here --- */

/* What is added is only ever in shadow: whoever enforces it has seen its hits. */
static int add_it(const struct patch_call *call, struct guard_patch *patch)
{
    struct patch_list list = {patch, 1};
    patch->mode = GUARD_PATCH_SHADOW;
    if (call->arguments->values[PATCH_ADD_THEM] == NULL)
        return EXIT_GOOD;
    return patch_add_list(call, &list);
}

static int print_document(struct guard_span text)
{
    fwrite(text.ptr, 1, text.len, stdout);
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static int print_proposal(const struct patch_call *call, const struct exploit *exploit,
                          struct proposal *proposal)
{
    const struct line_sink sink = {print_line, NULL};
    struct generalised *made = &proposal->made;
    struct guard_span text;
    struct guard_err err;
    proposal_lines(exploit, proposal, &sink);
    if (made->narrowness == GENERALISE_NOTHING)
        return complain(EXIT_FAILED, "%s", generalise_narrowness_words(made->narrowness));
    if (patch_write(&made->patch, call->arena, &text, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    int status = print_document(text);
    if (status == EXIT_GOOD && !proposal_whole(proposal))
        status = complain(EXIT_FAILED, "the patch doesn't stop every request that it is made of");
    return status == EXIT_GOOD ? add_it(call, &made->patch) : status;
}

static struct guard_span option_of(const struct arguments *arguments, int option)
{
    const char *text = arguments->values[option];
    return text != NULL ? (struct guard_span){(const uint8_t *)text, strlen(text)}
                        : (struct guard_span){NULL, 0};
}

/* guardian_path NULL: nothing is known. */
static int propose_here(const struct patch_call *call, const struct exploit *exploit,
                        const char *guardian_path, const char *pile_path)
{
    const struct arguments *arguments = call->arguments;
    struct known known = {.pile = NULL};
    struct proposal proposal;
    struct guard_err err;
    struct proposal_cfg cfg = {.id = option_of(arguments, PATCH_FROM_ID),
                               .title = option_of(arguments, PATCH_FROM_TITLE),
                               .author = option_of(arguments, PATCH_AUTHOR),
                               .reason = option_of(arguments, PATCH_REASON)};
    if (arguments->values[PATCH_FROM_TRAFFIC] != NULL)
        cfg.benign = (struct proposal_benign){each_benign, (void *)(uintptr_t)arguments};
    int status = EXIT_FAILED;
    if (guardian_path == NULL || known_open(&known, guardian_path, pile_path)) {
        cfg.guardian = guardian_path != NULL ? &known.guardian : NULL;
        cfg.model = known.model;
        status = propose(&proposal, exploit, &cfg, &err) == GUARD_OK
                     ? print_proposal(call, exploit, &proposal)
                     : complain(EXIT_FAILED, "%s", err.text);
        proposal_fini(&proposal);
    }
    if (guardian_path != NULL)
        known_close(&known);
    return status;
}

/* Benign traffic isn't sent away: what the server knows of the service is fetched for it. */
static int propose_with_fetched(const struct patch_call *call, const struct exploit *exploit)
{
    char paths[2][STATE_PATH_MAX];
    const char *dir = mirror_or_state(&call->remote, NULL, MIRROR_GUARDIAN | MIRROR_PILE,
                                      call->arguments->values[PATCH_SERVICE], NULL);
    if (dir == NULL)
        return EXIT_FAILED;
    if (state_path(paths[0], dir, "guardians", call->service, ".yaml") != GUARD_OK ||
        state_path(paths[1], dir, "piles", call->service, ".pile") != GUARD_OK)
        return complain(EXIT_FAILED, "the path is too long");
    return propose_here(call, exploit, paths[0], paths[1]);
}

static int from_exploit(const struct patch_call *call, struct guard_span bytes)
{
    const struct arguments *arguments = call->arguments;
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    struct exploit exploit;
    int status;
    if (exploit_read(&exploit, call->operands[0], bytes, EXPLOIT_AUTO, &heap, &err) != GUARD_OK)
        status = complain(EXIT_FAILED, "%s", err.text);
    else if (call->remote.server != NULL && arguments->values[PATCH_FROM_GUARDIAN] == NULL &&
             call->service.ptr != NULL)
        status = propose_with_fetched(call, &exploit);
    else
        status = propose_here(call, &exploit, arguments->values[PATCH_FROM_GUARDIAN],
                              arguments->values[PATCH_FROM_PILE]);
    exploit_fini(&exploit);
    return status;
}

/* --- by a server --- */

static bool write_body(const struct patch_call *call, struct guard_span bytes, char *text,
                       size_t *len)
{
    static const struct {
        int option;
        const char *name;
    } more[] = {{PATCH_FROM_ID, "id"},
                {PATCH_FROM_TITLE, "title"},
                {PATCH_AUTHOR, "author"},
                {PATCH_REASON, "reason"}};
    struct json_writer json;
    json_writer_init(&json, text, BODY_MAX);
    json_open(&json, NULL, '{');
    json_string(&json, "exploit", bytes);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        if (call->arguments->values[more[i].option] != NULL)
            json_text(&json, more[i].name, call->arguments->values[more[i].option]);
    }
    json_close(&json, '}');
    *len = json.len;
    if (!json.overflow)
        return true;
    return complain(0, "%s: is too long to be sent: give --guardian FILE instead of a server",
                    call->operands[0]) != 0;
}

static int tell_answer(const struct patch_call *call, const struct document *answer)
{
    const struct document_node *lines = member_of(answer->root, "lines");
    const struct document_node *exploit = member_of(answer->root, "exploit");
    const struct document_node *document = member_of(answer->root, "document");
    struct patch_list list;
    struct guard_err err;
    for (const struct document_node *line = lines != NULL ? lines->first : NULL; line != NULL;
         line = line->next) {
        char text[1100];
        print_line(NULL, clean(text, sizeof(text), (const char *)line->text.ptr, line->text.len));
    }
    if (document == NULL || document->text.len == 0)
        return complain(EXIT_FAILED, "%s", text_of(answer->root, "says"));
    /* Read before it is shown: it goes on to a terminal, and to the service. */
    if (patches_parse(&list, "answer", document->text, call->arena, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    int status = print_document(document->text);
    if (status == EXIT_GOOD && number_of(exploit, "hits") < number_of(exploit, "of"))
        status = complain(EXIT_FAILED, "the patch doesn't stop every request that it is made of");
    return status == EXIT_GOOD && list.count == 1 ? add_it(call, &list.patches[0]) : status;
}

static int propose_there(const struct patch_call *call, struct guard_span bytes)
{
    char path[256];
    struct document answer;
    struct remote_reply reply = {.bytes = NULL};
    struct guard_err err;
    size_t len;
    char *text = guard_arena_get(call->arena, BODY_MAX);
    if (text == NULL)
        return complain(EXIT_FAILED, "no memory");
    snprintf(path, sizeof(path), "/services/%.*s/proposals", (int)call->service.len,
             (const char *)call->service.ptr);
    if (!write_body(call, bytes, text, &len))
        return EXIT_FAILED;
    const struct remote_request request = {.method = "POST",
                                           .path = path,
                                           .type = "application/json",
                                           .content_type = "application/json",
                                           .body = {(const uint8_t *)text, len},
                                           .answer_max = ANSWER_MAX};
    if (!remote_fetch(&call->remote, &request, &reply))
        return EXIT_FAILED;
    int status = document_parse(&answer, "answer", (struct guard_span){reply.bytes, reply.len},
                                call->arena, &err) == GUARD_OK
                     ? tell_answer(call, &answer)
                     : complain(EXIT_FAILED, "%s", err.text);
    free(reply.bytes);
    return status;
}

/* Texts that JSON can't hold are read here. */
static bool can_be_sent(struct guard_span bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t len = json_utf8_len(bytes.ptr + at, bytes.len - at);
        if (len == 0 || bytes.ptr[at] == 0)
            return false;
        at += len;
    }
    return true;
}

static bool options_good(const struct patch_call *call)
{
    const char *const *values = call->arguments->values;
    if (values[PATCH_ADD_THEM] != NULL && call->service.ptr == NULL)
        return complain(0, "--add needs --service NAME") != 0;
    if (values[PATCH_FROM_PILE] != NULL && values[PATCH_FROM_GUARDIAN] == NULL)
        return complain(0, "--pile needs --guardian FILE") != 0;
    return true;
}

int patch_from(const struct patch_call *call)
{
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    const char *const *values = call->arguments->values;
    if (!options_good(call))
        return EXIT_USAGE;
    if (values[PATCH_FROM_ID] != NULL && !patch_id_good(values[PATCH_FROM_ID]))
        return EXIT_FAILED;
    if (file_read(call->operands[0], EXPLOIT_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    const struct guard_span text = {bytes, len};
    bool there = call->remote.server != NULL && call->service.ptr != NULL &&
                 values[PATCH_FROM_TRAFFIC] == NULL && values[PATCH_FROM_GUARDIAN] == NULL &&
                 can_be_sent(text);
    int status = there ? propose_there(call, text) : from_exploit(call, text);
    free(bytes);
    return status;
}
