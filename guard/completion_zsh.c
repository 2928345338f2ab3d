/* SPDX-License-Identifier: Apache-2.0 */
/* Completion in zsh, by its own _arguments. The function for guard isn't called _guard: zsh's own
 * functions call one of that name. */
#include "completion.h"

#include <string.h>

/* Inside of '...', where _arguments gives brackets and colons a meaning. */
static void print_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text) != NULL)
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void print_action(FILE *out, const char *kind, size_t len)
{
    if (len >= 4 && strncmp(kind, "FILE", 4) == 0) {
        fputs("_files", out);
    } else if (len == 3 && strncmp(kind, "DIR", 3) == 0) {
        fputs("_files -/", out);
    } else if (len == 7 && strncmp(kind, "SERVICE", 7) == 0) {
        fputs("_guard_services", out);
    } else if (len == 4 && strncmp(kind, "TEXT", 4) == 0) {
        fputs(" ", out);
    } else {
        fputc('(', out);
        for (size_t i = 0; i < len; i++)
            fputc(kind[i] == '|' ? ' ' : kind[i], out);
        fputc(')', out);
    }
}

static void print_option(FILE *out, const struct option_spec *option)
{
    fprintf(out, " \\\n            '--%s%s[", option->name, option->argument != NULL ? "=" : "");
    print_escaped(out, option->help);
    fputs("]", out);
    if (option->argument != NULL) {
        const char *kind = option_value_kind(option);
        fputs(":", out);
        print_escaped(out, option->argument);
        fputs(":", out);
        print_action(out, kind, strlen(kind));
    }
    fputs("'", out);
}

/* "a|b FILE..." as one specification for each place. */
static void print_operands(FILE *out, const char *operands)
{
    while (operands != NULL && *operands != '\0') {
        size_t len = strcspn(operands, " ");
        bool many = len > 3 && strncmp(operands + len - 3, "...", 3) == 0;
        fprintf(out, " \\\n            '%s:operand:", many ? "*" : "");
        print_action(out, operands, many ? len - 3 : len);
        fputs("'", out);
        operands += len + (operands[len] == ' ');
    }
}

static void print_command(FILE *out, const struct command *command)
{
    fprintf(out, "    %s)\n        _arguments", command->name);
    for (const struct option_spec *option = command->options; option->name != NULL; option++)
        print_option(out, option);
    if (command_short_output(command) != NULL)
        fputs(" \\\n            '-o[the same as --output]:FILE:_files'", out);
    fputs(" \\\n            '--help[print this text]'", out);
    print_operands(out, command->operands);
    fputs("\n        ;;\n", out);
}

static void print_commands(FILE *out)
{
    fputs("_guard_services() {\n"
          "    local -a found\n"
          "    found=(${(f)\"$(_call_program services ${(q)program_word} completion services "
          "${opt_args[--state]:+--state=${(q)opt_args[--state]}} 2>/dev/null)\"})\n"
          "    compadd -a found\n"
          "}\n"
          "_guard_program() {\n"
          "    local program_word=$words[1] curcontext=$curcontext\n"
          "    typeset -A opt_args\n"
          "    if ((CURRENT == 2)); then\n"
          "        local -a guard_commands=(\n",
          out);
    for (size_t i = 0; all_commands[i] != NULL; i++) {
        fprintf(out, "            '%s:", all_commands[i]->name);
        print_escaped(out, all_commands[i]->summary);
        fputs("'\n", out);
    }
    fputs("        )\n"
          "        if [[ $PREFIX == -* ]]; then\n"
          "            compadd -- --help --version\n"
          "        else\n"
          "            _describe command guard_commands\n"
          "        fi\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $words[1] in\n",
          out);
    for (size_t i = 0; all_commands[i] != NULL; i++)
        print_command(out, all_commands[i]);
    fputs("    esac\n}\n", out);
}

void completion_zsh(FILE *out, bool daemon)
{
    const char *program = daemon ? "guardd" : "guard";
    fprintf(out, "#compdef %s\n# zsh completion for %s, made by `guard completion zsh %s`\n",
            program, program, program);
    if (daemon) {
        fputs("_guardd_program() {\n        _arguments", out);
        for (const struct option_spec *option = daemon_options; option->name != NULL; option++)
            print_option(out, option);
        fputs("\n}\n", out);
    } else {
        print_commands(out);
    }
    /* Either zsh calls the file as a function, or somebody sourced it. */
    fprintf(out,
            "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n    _%s_program \"$@\"\nelse\n"
            "    compdef _%s_program %s\nfi\n",
            program, program, program);
}
