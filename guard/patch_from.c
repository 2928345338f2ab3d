/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch from`: proposes a patch for an exploit, as a document that tells in its comments
 * what of the exploit it keeps and how often it is right. */
#include "patch_from.h"

#include "common/file.h"
#include "common/patterns/regexes.h"
#include "eval_interval.h"
#include "patch_verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NARROWINGS_MAX = 3 };

struct proposal {
    struct generalised made;
    struct from_rates rates;
    struct from_rate before; /* of benign traffic, before it was narrowed */
};

static const char *shown(char *room, size_t cap, struct guard_span text)
{
    return clean(room, cap, (const char *)text.ptr, text.len);
}

static void print_steps(const struct exploit *exploit, const struct generalised *made)
{
    static const char *const words[] = {"kept",
                                        "left out: asks for state, or looks at what was done",
                                        "left out: nothing in it that others don't send"};
    char method[64];
    char target[160];
    for (uint32_t i = 0; i < exploit->request_count; i++) {
        const struct exploit_request *request = &exploit->requests[i];
        printf("# request %u (line %u), %s %s: %s\n", i + 1, request->line,
               shown(method, sizeof(method), request->method),
               shown(target, sizeof(target), request->target), words[made->steps[i]]);
        for (uint32_t k = 0; k < made->line_count; k++) {
            char text[640];
            if (made->lines[k].request == i && made->steps[i] == GENERALISE_STEP_KEPT)
                printf("#   %s %s\n", made->lines[k].kept ? "keeps " : "leaves",
                       shown(text, sizeof(text), made->lines[k].text));
        }
    }
}

static void print_notes(const struct exploit *exploit, const struct generalised *made)
{
    if (!exploit_whole(exploit))
        printf("# parts of the description couldn't be read: guard exploit names them\n");
    if (made->branches_left_out > 0)
        printf("# %u ways of the exploit had no room in one patch\n", made->branches_left_out);
    if (made->lines_left_out > 0)
        printf("# %u more lines of this explanation were left out\n", made->lines_left_out);
}

static void print_rate(const char *what, const struct from_rate *rate)
{
    struct eval_interval interval = eval_interval(rate->hits, rate->of);
    printf("# %-28s %" PRIu64 " of %" PRIu64 " (95 %%: %.2f %% to %.2f %%)\n", what, rate->hits,
           rate->of, 100 * interval.low, 100 * interval.high);
}

static void print_rates(const struct from_rates *rates)
{
    print_rate("stops of the exploit:", &rates->exploit);
    print_rate("stops of its other codings:", &rates->rewritten);
    if (rates->benign_asked)
        print_rate("stops of benign traffic:", &rates->benign);
    else
        printf("# benign traffic wasn't given (--traffic): look at its hits in shadow first\n");
}

static struct guard_span said(const char *option, struct guard_span otherwise)
{
    return option != NULL ? (struct guard_span){(const uint8_t *)option, strlen(option)}
                          : otherwise;
}

/* What the gate's library would refuse is told here, and not when the patch is added. */
static bool expressions_usable(const struct guard_patch_condition *condition)
{
    struct guard_err err;
    size_t offset;
    if (condition->op == GUARD_OPERATOR_REGEX &&
        regex_check(condition->texts[0], condition->ignore_case, &offset, &err) != GUARD_OK)
        return complain(0, "no patch: its expression can't be used: %s", err.text) != 0;
    for (uint32_t i = 0; i < condition->child_count; i++) {
        if (!expressions_usable(&condition->children[i]))
            return false;
    }
    return true;
}

static bool name_it(const struct patch_call *call, struct guard_patch *patch)
{
    const struct arguments *arguments = call->arguments;
    const char *id = arguments->values[PATCH_FROM_ID];
    struct guard_err err;
    if (id != NULL && !patch_id_good(id))
        return false;
    patch->id = said(id, patch->id);
    patch->title = said(arguments->values[PATCH_FROM_TITLE], patch->title);
    patch->author = said(arguments->values[PATCH_AUTHOR], patch->author);
    patch->reason = said(arguments->values[PATCH_REASON], patch->reason);
    if (guard_patch_check(patch, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return expressions_usable(&patch->when);
}

static int print_document(const struct patch_call *call, const struct guard_patch *patch)
{
    struct guard_span text;
    struct guard_err err;
    if (patch_write(patch, call->arena, &text, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    fwrite(text.ptr, 1, text.len, stdout);
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

/* What is added is only ever in shadow: whoever enforces it has seen its hits. */
static int add_it(const struct patch_call *call, struct guard_patch *patch)
{
    struct patch_list list = {patch, 1};
    patch->mode = GUARD_PATCH_SHADOW;
    if (call->arguments->values[PATCH_ADD_THEM] == NULL)
        return EXIT_GOOD;
    return patch_add_list(call, &list);
}

static bool judge(const struct patch_call *call, const struct exploit *exploit,
                  struct proposal *proposal, struct from_stopped *stopped)
{
    proposal->rates = (struct from_rates){.benign_asked = false};
    return name_it(call, &proposal->made.patch) &&
           patch_from_test(exploit, &proposal->made, call->arguments, PATCH_FROM_TRAFFIC,
                           &proposal->rates, stopped);
}

/* Whether it stops less of what is benign, and no less of the exploit. Traffic that can be read
 * only once says nothing the second time. */
static bool is_better(const struct proposal *narrowed, const struct proposal *wide)
{
    const struct from_rates *a = &narrowed->rates;
    const struct from_rates *b = &wide->rates;
    return narrowed->made.narrowness != GENERALISE_NOTHING && a->benign.of == b->benign.of &&
           a->benign.hits < b->benign.hits && a->exploit.hits == a->exploit.of &&
           a->rewritten.hits == a->rewritten.of && a->exploit.of == b->exploit.of;
}

/* As long as it stops benign requests, by words that they don't hold. False after a message. */
static bool narrow(const struct patch_call *call, const struct exploit *exploit,
                   const struct generalise_known *known, struct proposal *proposal,
                   struct from_stopped *stopped)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    for (int i = 0; i < NARROWINGS_MAX && proposal->rates.benign.hits > 0 && stopped->len > 0;
         i++) {
        struct generalise_known more = *known;
        struct proposal narrowed = {.before = proposal->before};
        more.benign = (struct guard_span){stopped->text, stopped->len};
        bool good = generalise(&narrowed.made, exploit, &more, &heap, &err) == GUARD_OK ||
                    complain(0, "%s", err.text) != 0;
        if (good && narrowed.made.narrowness != GENERALISE_NOTHING)
            good = judge(call, exploit, &narrowed, stopped);
        bool better = good && is_better(&narrowed, proposal);
        if (better) {
            generalise_fini(&proposal->made);
            *proposal = narrowed;
        } else {
            generalise_fini(&narrowed.made);
        }
        if (!good || !better)
            return good;
    }
    return true;
}

/* What stops benign requests mustn't block: with the action alert it doesn't, even where somebody
 * enforces it. */
static void print_verdict(struct proposal *proposal)
{
    const struct from_rates *rates = &proposal->rates;
    if (rates->benign.hits < proposal->before.hits)
        printf("# narrowed: as first made it stopped %" PRIu64 " of the benign requests\n",
               proposal->before.hits);
    if (rates->benign.hits == 0)
        return;
    printf("# NOT ENFORCEABLE: it stops benign requests, and nothing that was found tells the "
           "exploit from them: it only alerts\n");
    proposal->made.patch.action = GUARD_PATCH_ALERT;
}

static int print_proposal(const struct patch_call *call, const struct exploit *exploit,
                          struct proposal *proposal)
{
    struct generalised *made = &proposal->made;
    printf("# narrowness: %s: %s\n", generalise_narrowness_name(made->narrowness),
           generalise_narrowness_words(made->narrowness));
    print_rates(&proposal->rates);
    print_verdict(proposal);
    print_steps(exploit, made);
    print_notes(exploit, made);
    int status = print_document(call, &made->patch);
    if (status == EXIT_GOOD && proposal->rates.exploit.hits < proposal->rates.exploit.of)
        status = complain(EXIT_FAILED, "the patch doesn't stop every request that it is made of");
    return status == EXIT_GOOD ? add_it(call, &made->patch) : status;
}

static int propose(const struct patch_call *call, const struct exploit *exploit,
                   const struct generalise_known *known, struct proposal *proposal)
{
    struct from_stopped stopped = {NULL, 0};
    if (proposal->made.narrowness == GENERALISE_NOTHING) {
        print_steps(exploit, &proposal->made);
        return complain(EXIT_FAILED, "%s", generalise_narrowness_words(proposal->made.narrowness));
    }
    bool good = judge(call, exploit, proposal, &stopped);
    proposal->before = proposal->rates.benign;
    good = good && narrow(call, exploit, known, proposal, &stopped);
    free(stopped.text);
    return good ? print_proposal(call, exploit, proposal) : EXIT_FAILED;
}

static int from_exploit(const struct patch_call *call, const struct exploit *exploit)
{
    const struct arguments *arguments = call->arguments;
    const char *guardian = arguments->values[PATCH_FROM_GUARDIAN];
    struct guard_alloc heap = heap_alloc();
    struct from_known *memory = NULL;
    struct generalise_known known = {.ctx = NULL};
    struct proposal proposal = {.before = {0, 0}};
    struct guard_err err;
    if (guardian != NULL &&
        !patch_from_known(guardian, arguments->values[PATCH_FROM_PILE], exploit, &memory, &known))
        return EXIT_FAILED;
    int status = generalise(&proposal.made, exploit, &known, &heap, &err) == GUARD_OK
                     ? propose(call, exploit, &known, &proposal)
                     : complain(EXIT_FAILED, "%s", err.text);
    generalise_fini(&proposal.made);
    patch_from_forget(memory);
    return status;
}

int patch_from(const struct patch_call *call)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    struct exploit exploit;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (call->arguments->values[PATCH_ADD_THEM] != NULL && call->service.ptr == NULL)
        return complain(EXIT_USAGE, "--add needs --service NAME");
    if (call->arguments->values[PATCH_FROM_PILE] != NULL &&
        call->arguments->values[PATCH_FROM_GUARDIAN] == NULL)
        return complain(EXIT_USAGE, "--pile needs --guardian FILE");
    if (file_read(call->operands[0], EXPLOIT_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    int status = exploit_read(&exploit, call->operands[0], (struct guard_span){bytes, len},
                              EXPLOIT_AUTO, &heap, &err) == GUARD_OK
                     ? from_exploit(call, &exploit)
                     : complain(EXIT_FAILED, "%s", err.text);
    exploit_fini(&exploit);
    free(bytes);
    return status;
}
