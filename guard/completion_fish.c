/* SPDX-License-Identifier: Apache-2.0 */
/* Completion in fish: one rule for each option and operand. */
#include "completion.h"

#include <string.h>

static void print_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    fputc('\'', out);
}

static void print_candidates(FILE *out, const char *kind, size_t len)
{
    if (len >= 4 && strncmp(kind, "FILE", 4) == 0) {
        fputs(" -F", out);
    } else if (len == 3 && strncmp(kind, "DIR", 3) == 0) {
        fputs(" -f -a '(__fish_complete_directories)'", out);
    } else if (len == 7 && strncmp(kind, "SERVICE", 7) == 0) {
        fputs(" -f -a '(__guard_services)'", out);
    } else if (len == 4 && strncmp(kind, "TEXT", 4) == 0) {
        fputs(" -f", out);
    } else {
        fputs(" -f -a '", out);
        for (size_t i = 0; i < len; i++)
            fputc(kind[i] == '|' ? ' ' : kind[i], out);
        fputc('\'', out);
    }
}

static void print_option(FILE *out, const char *program, const char *command,
                         const struct option_spec *option)
{
    fprintf(out, "complete -c %s", program);
    if (command != NULL)
        fprintf(out, " -n '__guard_is %s'", command);
    fprintf(out, " -l %s -d ", option->name);
    print_quoted(out, option->help);
    if (option->argument != NULL) {
        const char *kind = option_value_kind(option);
        fputs(" -r", out);
        print_candidates(out, kind, strlen(kind));
    }
    fputs("\n", out);
}

static void print_operands(FILE *out, const struct command *command)
{
    const char *operands = command->operands;
    for (int place = 0; operands != NULL && *operands != '\0'; place++) {
        size_t len = strcspn(operands, " ");
        bool many = len > 3 && strncmp(operands + len - 3, "...", 3) == 0;
        fprintf(out, "complete -c guard -n '__guard_is %s; and __guard_place %d%s'", command->name,
                place, many ? " more" : "");
        print_candidates(out, operands, many ? len - 3 : len);
        fputs("\n", out);
        operands += len + (operands[len] == ' ');
    }
}

/* Options that take the word behind them, so that it isn't counted as an operand. */
static void print_functions(FILE *out)
{
    fputs("function __guard_is\n"
          "    set -l words (commandline -opc)\n"
          "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
          "end\n"
          "function __guard_place\n"
          "    set -l words (commandline -opc)\n"
          "    set -l place 0\n"
          "    set -l value no\n"
          "    for word in $words[3..-1]\n"
          "        if test $value = yes\n"
          "            set value no\n"
          "        else if contains -- \"$words[2] $word\"",
          out);
    for (size_t i = 0; all_commands[i] != NULL; i++) {
        for (const struct option_spec *option = all_commands[i]->options; option->name != NULL;
             option++) {
            if (option->argument != NULL)
                fprintf(out, " '%s --%s'", all_commands[i]->name, option->name);
        }
        if (command_short_output(all_commands[i]) != NULL)
            fprintf(out, " '%s -o'", all_commands[i]->name);
    }
    fputs("\n"
          "            set value yes\n"
          "        else if not string match -q -- '-*' $word\n"
          "            set place (math $place + 1)\n"
          "        end\n"
          "    end\n"
          "    if test \"$argv[2]\" = more\n"
          "        test $place -ge $argv[1]\n"
          "    else\n"
          "        test $place -eq $argv[1]\n"
          "    end\n"
          "end\n"
          "function __guard_services\n"
          "    set -l words (commandline -opc)\n"
          "    set -l state\n"
          "    if set -l at (contains -i -- --state $words); and test $at -lt (count $words)\n"
          "        set state --state=$words[(math $at + 1)]\n"
          "    else if set -l found (string match -- '--state=*' $words)\n"
          "        set state $found[1]\n"
          "    end\n"
          "    $words[1] completion services $state 2>/dev/null\n"
          "end\n",
          out);
}

void completion_fish(FILE *out, bool daemon)
{
    const char *program = daemon ? "guardd" : "guard";
    fprintf(out,
            "# fish completion for %s, made by `guard completion fish %s`\ncomplete -c %s -f\n",
            program, program, program);
    if (daemon) {
        for (const struct option_spec *option = daemon_options; option->name != NULL; option++)
            print_option(out, program, NULL, option);
        return;
    }
    print_functions(out);
    fputs("complete -c guard -n 'test (count (commandline -opc)) -eq 1' -l help -d 'print help'\n"
          "complete -c guard -n 'test (count (commandline -opc)) -eq 1' -l version -d 'print the "
          "version'\n",
          out);
    for (size_t i = 0; all_commands[i] != NULL; i++) {
        const struct command *command = all_commands[i];
        fprintf(out, "complete -c guard -n 'test (count (commandline -opc)) -eq 1' -a %s -d ",
                command->name);
        print_quoted(out, command->summary);
        fputs("\n", out);
        for (const struct option_spec *option = command->options; option->name != NULL; option++)
            print_option(out, program, command->name, option);
        if (command_short_output(command) != NULL)
            fprintf(out,
                    "complete -c guard -n '__guard_is %s' -s o -d 'the same as --output' -r -F\n",
                    command->name);
        fprintf(out, "complete -c guard -n '__guard_is %s' -l help -d 'print this text'\n",
                command->name);
        print_operands(out, command);
    }
}
