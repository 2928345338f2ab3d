/* SPDX-License-Identifier: Apache-2.0 */
/* `guard completion`: scripts for shells, made from the tables by which options are parsed, and the
 * names of services that they offer. */
#include "completion.h"

#include "state_files.h"

#include <string.h>

enum { COMPLETION_STATE };

static const struct option_spec options[] = {
    {"state", "DIR", "services: state directory (default $GUARD_STATE or /var/lib/guard)"},
    {NULL, NULL, NULL},
};

const char *option_value_kind(const struct option_spec *option)
{
    size_t len = strlen(option->argument);
    if (strchr(option->argument, '|') != NULL)
        return option->argument;
    if (strcmp(option->argument, "MODE") == 0)
        return "observe|alert|block";
    if (strcmp(option->argument, "DIR") == 0)
        return "DIR";
    if (strcmp(option->name, "service") == 0)
        return "SERVICE";
    if (strcmp(option->argument, "FILE") == 0 ||
        (len > 5 && (strcmp(option->argument + len - 5, ".yaml") == 0 ||
                     strcmp(option->argument + len - 5, ".pile") == 0)))
        return "FILE";
    return "TEXT";
}

static void print_service(void *ctx, const char *name)
{
    fprintf(ctx, "%s\n", name);
}

static int run(const struct arguments *arguments)
{
    static const struct {
        const char *name;
        void (*write)(FILE *out, bool daemon);
    } shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    const char *shell = arguments->count > 0 ? arguments->operands[0] : "";
    const char *program = arguments->count > 1 ? arguments->operands[1] : "guard";
    bool daemon = strcmp(program, "guardd") == 0;
    if (arguments->count == 1 && strcmp(shell, "services") == 0) {
        state_services(state_dir(arguments->values[COMPLETION_STATE]), print_service, stdout);
        return EXIT_GOOD;
    }
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (arguments->count <= 2 && (daemon || strcmp(program, "guard") == 0) &&
            strcmp(shell, shells[i].name) == 0) {
            shells[i].write(stdout, daemon);
            return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
        }
    }
    return complain(EXIT_USAGE,
                    "say `guard completion bash|zsh|fish [guard|guardd]` or `services`");
}

const struct command command_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish [guard|guardd] | services",
    .operands = "bash|zsh|fish|services guard|guardd",
    .summary = "print a shell's completion script",
    .details =
        "The script completes commands, options, their values, files, and the names of "
        "services in the state directory.\n"
        "bash: eval \"$(guard completion bash)\"; zsh: guard completion zsh >_guard_program in a "
        "folder of $fpath; fish:\n"
        "guard completion fish | source. `services` prints the names of the services, a line "
        "each.",
    .options = options,
    .run = run,
};
