/* SPDX-License-Identifier: Apache-2.0 */
/* Few options: what may be done stands in one file. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_OPTION = 256 };

enum choice { CONFIG, CHECK, RESUME, LET_GO, HELP, VERSION, CHOICES };

static const struct {
    const char *name;
    const char *argument;
    const char *help;
} choices[CHOICES] = {
    [CONFIG] = {"config", "FILE", "what may be done: responder.yaml"},
    [CHECK] = {"check", NULL, "read that file, say what is wrong with it, and end"},
    [RESUME] = {"resume", "NAMESPACE/WORKLOAD", "let a stopped workload be answered for again"},
    [LET_GO] = {"let-go", NULL, "thaw the pods that a killed responder left frozen"},
    [HELP] = {"help", NULL, "this text"},
    [VERSION] = {"version", NULL, "the version"},
};

static int usage(FILE *out, int status)
{
    fputs("Usage: guard-responder --config FILE\n\n"
          "Contains, captures and replaces pods that guardd orders to be replaced.\n\n",
          out);
    for (int i = 0; i < CHOICES; i++)
        fprintf(out, "  --%s %-*s %s\n", choices[i].name, 26 - (int)strlen(choices[i].name),
                choices[i].argument != NULL ? choices[i].argument : "", choices[i].help);
    fputs("\nEverything is off and a dry run unless the file says otherwise.\n"
          "SIGTERM ends it and lets contained pods go. Logs are JSON lines on standard error.\n",
          out);
    return status;
}

static bool is_workload(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash != NULL && slash != text && slash[1] != '\0' && strchr(slash + 1, '/') == NULL &&
           text[0] != '.' && strlen(text) < 250;
}

bool options_read(struct options *out, int argc, char **argv, int *status)
{
    struct option options[CHOICES + 1] = {0};
    int found;
    *out = (struct options){0};
    for (int i = 0; i < CHOICES; i++)
        options[i] = (struct option){.name = choices[i].name,
                                     .has_arg = choices[i].argument != NULL,
                                     .val = FIRST_OPTION + i};
    *status = 2;
    while ((found = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (found - FIRST_OPTION) {
        case CONFIG:
            out->config = optarg;
            break;
        case CHECK:
            out->check = true;
            break;
        case RESUME:
            out->resume = optarg;
            break;
        case LET_GO:
            out->let_go = true;
            break;
        case HELP:
            *status = usage(stdout, 0);
            return false;
        case VERSION:
            *status = printf("guard-responder %s\n", GUARD_VERSION) > 0 ? 0 : 1;
            return false;
        default:
            usage(stderr, 2);
            return false;
        }
    }
    bool good = out->config != NULL && optind == argc;
    if (good && out->resume != NULL && !is_workload(out->resume)) {
        fprintf(stderr, "guard-responder: --resume: \"%.100s\" is no NAMESPACE/WORKLOAD\n",
                out->resume);
        return false;
    }
    if (!good)
        usage(stderr, 2);
    return good;
}
