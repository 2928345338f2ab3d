/* SPDX-License-Identifier: Apache-2.0 */
/* `guard diff`: what one pile teaches that another doesn't, or teaches otherwise. */
#include "command.h"
#include "common/file.h"
#include "common/model_diff.h"
#include "guardian_text.h"
#include "remote.h"
#include "service_files.h"

#include <stdio.h>
#include <string.h>

enum { DIFF_SERVICE, DIFF_STATE, DIFF_SERVER };

static const struct option_spec options[] = {
    {"service", "NAME",
     "of a server: A and B are generations of it; without B: and what is learned"},
    {"state", "DIR", "state directory: has no generations, but says that no server is meant"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static void print(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

static struct guard_model *model_of(const char *path)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    struct guard_pile *pile = pile_open(path, &cfg, NULL);
    struct guard_model *model = pile != NULL ? pile_model(pile, 4) : NULL;
    guard_pile_free(pile);
    return model;
}

static int diff_guardians(const char *a, const char *b)
{
    int lines = guardian_text_diff(a, b);
    if (lines == 0)
        printf("no difference in what people say\n");
    return lines < 0 ? EXIT_FAILED : EXIT_GOOD;
}

static int print_differences(const struct document_node *root)
{
    const struct document_node *list = member_of(root, "differences");
    const struct document_node *node =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    if (node == NULL)
        printf("no difference in what is normal\n");
    for (; node != NULL; node = node->next) {
        if (node->kind != DOCUMENT_SCALAR)
            continue;
        print_clean((const char *)node->text.ptr, node->text.len);
        putchar('\n');
    }
    if (number_of(root, "left_out") > 0)
        printf("and %.0f lines more\n", number_of(root, "left_out"));
    return EXIT_GOOD;
}

static bool is_number(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < 19 && strspn(text, "0123456789") == len;
}

static int diff_generations(const struct arguments *arguments)
{
    const char *service = arguments->values[DIFF_SERVICE];
    const char *const *numbers = (const char *const *)arguments->operands;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    struct document document;
    char rest[96];
    if (arguments->count < 1 || arguments->count > 2 || !is_number(numbers[0]) ||
        (arguments->count == 2 && !is_number(numbers[1])))
        return complain(EXIT_USAGE, "say `guard diff --service NAME GENERATION [GENERATION]`");
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (!remote_open(&remote, arguments, DIFF_STATE, DIFF_SERVER, &arena))
        return EXIT_USAGE;
    if (remote.server == NULL)
        return complain(EXIT_FAILED, "generations are guardd's: say --server or --context");
    snprintf(rest, sizeof(rest), "/diff?from=%s&to=%s", numbers[0],
             arguments->count == 2 ? numbers[1] : "0");
    const struct guard_span name = {(const uint8_t *)service, strlen(service)};
    int status = remote_service(&remote, "GET", name, rest, NULL, &document)
                     ? print_differences(document.root)
                     : EXIT_FAILED;
    guard_arena_reset(&arena);
    return status;
}

static int run(const struct arguments *arguments)
{
    if (arguments->values[DIFF_SERVICE] != NULL)
        return diff_generations(arguments);
    if (arguments->count != 2)
        return complain(EXIT_USAGE, "say `guard diff A.pile B.pile` or `guard diff A.yaml B.yaml`");
    bool guardians = is_guardian_name(arguments->operands[0]);
    if (guardians != is_guardian_name(arguments->operands[1]))
        return complain(EXIT_USAGE, "a pile and a Guardian can't be compared");
    if (guardians)
        return diff_guardians(arguments->operands[0], arguments->operands[1]);
    struct guard_model *a = model_of(arguments->operands[0]);
    struct guard_model *b = a != NULL ? model_of(arguments->operands[1]) : NULL;
    int status = EXIT_FAILED;
    if (b != NULL) {
        const struct line_sink out = {print, NULL};
        if (model_diff(a, b, &out) == 0)
            printf("no difference in what is normal\n");
        status = EXIT_GOOD;
    }
    guard_model_free(a);
    guard_model_free(b);
    return status;
}

const struct command command_diff = {
    .name = "diff",
    .usage = "A B | --service NAME GENERATION [GENERATION]",
    .operands = "FILE FILE",
    .summary = "compare what two piles or generations teach, or two Guardians say",
    .details = "Lines with - are of A only, with + of B only. Counts aren't compared. Guardians "
               "are known by their\nnames: .yaml, .yml, .json.",
    .options = options,
    .run = run,
};
