/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: finds the subcommand, reads its options by its table, prints help from the same
 * table. */
#include "command.h"
#include "remote.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef GUARD_VERSION
#define GUARD_VERSION "development"
#endif

const struct command *const all_commands[] = {
    &command_run,        &command_status,    &command_alerts,
    &command_explain,    &command_triage,    &command_review,
    &command_mode,       &command_bypass,    &command_withdraw,
    &command_rollback,   &command_clients,   &command_outputs,
    &command_backup,     &command_store,     &command_forget,
    &command_token,      &command_learn,     &command_check,
    &command_whatif,     &command_eval,      &command_show,
    &command_diff,       &command_export,    &command_import,
    &command_pile,       &command_policy,    &command_exploit,
    &command_completion, &command_context,   &command_learning,
    &command_audit,      &command_patch,     &command_exception,
    &command_inject,     &command_webhook,   &command_pods,
    &command_canary,     &command_node_pods, NULL,
};

static const char *running = "";

int complain(int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "guard%s%s: ", running[0] != '\0' ? " " : "", running);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return rc;
}

unsigned long read_seconds(const char *text, unsigned long max)
{
    static const struct {
        const char *suffix;
        unsigned long seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end = NULL;
    errno = 0;
    unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (value == 0 || errno != 0 || value > max)
        return 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].suffix) == 0)
            return value <= max / units[i].seconds ? value * units[i].seconds : 0;
    }
    return 0;
}

bool read_mode(const char *text, enum guard_mode *mode)
{
    return guard_mode_from_name((struct guard_span){(const uint8_t *)text, strlen(text)}, mode) ||
           complain(0, "a mode is observe, alert or block") != 0;
}

bool terminal_progress(void)
{
    return isatty(STDERR_FILENO) == 1;
}

bool terminal_colour(void)
{
    return isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
}

/* As C libraries choose the locale, without taking it on. */
static bool locale_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

bool terminal_blocks(void)
{
    return isatty(STDOUT_FILENO) == 1 && locale_utf8();
}

void progress_draw(const char *label, double fraction, bool done)
{
    enum { WIDTH = 30 };
    if (!terminal_progress())
        return;
    int full = (int)(fraction * WIDTH);
    full = full < 0 ? 0 : full > WIDTH ? WIDTH : full;
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%%s", label, full, "##############################",
            WIDTH - full, "", (int)(fraction * 100), done ? "\n" : "");
    fflush(stderr);
}

static void print_help(FILE *out)
{
    fputs("Usage: guard COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Learns what is normal for an HTTP service and blocks what isn't.\n\nCommands:\n",
          out);
    for (size_t i = 0; all_commands[i] != NULL; i++)
        fprintf(out, "  %-10s %s\n", all_commands[i]->name, all_commands[i]->summary);
    fputs("\n`guard COMMAND --help` tells more. Exit status: 0 done, 1 it could not be done, 2 "
          "wrong use.\n",
          out);
}

static void print_command_help(const struct command *command)
{
    printf("Usage: guard %s [OPTION]... %s\n\n%s\n", command->name, command->usage,
           command->summary);
    if (command->details != NULL)
        printf("\n%s\n", command->details);
    printf("\nOptions:\n");
    for (const struct option_spec *option = command->options; option->name != NULL; option++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
        printf("  %-24s %s\n", left, option->help);
    }
    printf("  %-24s %s\n", "--help", "print this text");
}

/* -o is short for --output, as the contract writes it. */
const struct option_spec *command_short_output(const struct command *command)
{
    for (int i = 0; command->options[i].name != NULL; i++) {
        if (strcmp(command->options[i].name, "output") == 0)
            return &command->options[i];
    }
    return NULL;
}

/* -f is short for --filename, as of kubectl. */
const struct option_spec *command_short_filename(const struct command *command)
{
    for (int i = 0; command->options[i].name != NULL; i++) {
        if (strcmp(command->options[i].name, "filename") == 0)
            return &command->options[i];
    }
    return NULL;
}

static bool is_remote_option(const char *given)
{
    return strncmp(given, "--server", 8) == 0 || strncmp(given, "--context", 9) == 0;
}

/* NULL when it isn't given, or there is no such option. */
static const char *value_of(const struct command *command, const struct arguments *arguments,
                            const char *name)
{
    for (int i = 0; command->options[i].name != NULL; i++) {
        if (strcmp(command->options[i].name, name) == 0)
            return arguments->values[i];
    }
    return NULL;
}

static int parse_and_run(const struct command *command, int argc, char **argv)
{
    struct option options[OPTIONS_MAX + 2];
    struct arguments arguments = {.count = 0};
    int count = 0;
    memset(options, 0, sizeof(options));
    for (; command->options[count].name != NULL && count < OPTIONS_MAX; count++) {
        options[count].name = command->options[count].name;
        options[count].has_arg =
            command->options[count].argument != NULL ? required_argument : no_argument;
        options[count].val = 256 + count;
    }
    options[count] = (struct option){.name = "help", .val = 'h'};
    opterr = 0;
    optind = 1;
    int found;
    while ((found = getopt_long(argc, argv, ":ho:f:", options, NULL)) != -1) {
        if (found == 'h') {
            print_command_help(command);
            return EXIT_GOOD;
        }
        if (found == 'o' && command_short_output(command) != NULL)
            found = 256 + (int)(command_short_output(command) - command->options);
        if (found == 'f' && command_short_filename(command) != NULL)
            found = 256 + (int)(command_short_filename(command) - command->options);
        if (found == ':')
            return complain(EXIT_USAGE, "option %s needs a value; see guard %s --help",
                            argv[optind - 1], command->name);
        if (found < 256)
            return complain(EXIT_USAGE,
                            is_remote_option(argv[optind - 1])
                                ? "no option %s: guard %s works on files only"
                                : "no option %s; see guard %s --help",
                            argv[optind - 1], command->name);
        arguments.values[found - 256] = optarg != NULL ? optarg : "";
        if (arguments.given_count == GIVEN_MAX)
            return complain(EXIT_USAGE, "more than %d options", GIVEN_MAX);
        arguments.given[arguments.given_count++] =
            (struct given_option){found - 256, arguments.values[found - 256]};
    }
    arguments.count = argc - optind;
    arguments.operands = argv + optind;
    if (command->files_only && !remote_files_only(value_of(command, &arguments, "state")))
        return EXIT_USAGE;
    return command->run(&arguments);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        if (argc == 3 && strcmp(argv[2], "--machine") == 0)
            return print_tables();
        print_help(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("guard %s\n", GUARD_VERSION);
        return EXIT_GOOD;
    }
    for (size_t i = 0; all_commands[i] != NULL; i++) {
        if (strcmp(argv[1], all_commands[i]->name) == 0) {
            running = all_commands[i]->name;
            return parse_and_run(all_commands[i], argc - 1, argv + 1);
        }
    }
    return complain(EXIT_USAGE, "no command \"%s\"; see guard --help", argv[1]);
}
