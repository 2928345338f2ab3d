/* SPDX-License-Identifier: Apache-2.0 */
/* `guard diff`: what one pile teaches that another doesn't, or teaches otherwise. */
#include "command.h"
#include "common/file.h"
#include "common/model_diff.h"
#include "guardian_text.h"
#include "service_files.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec options[] = {
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

static int run(const struct arguments *arguments)
{
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
    .usage = "A B",
    .operands = "FILE FILE",
    .summary = "compare what two piles teach, or two Guardians say",
    .details = "Lines with - are of A only, with + of B only. Counts aren't compared. Guardians "
               "are known by their\nnames: .yaml, .yml, .json.",
    .options = options,
    .run = run,
};
