/* SPDX-License-Identifier: Apache-2.0 */
/* Completion in bash, with nothing but bash. */
#include "completion.h"

#include <stddef.h>

static const char head[] = "# bash completion for %1$s, made by `guard completion bash %1$s`\n"
                           "_%1$s_operands() {\n"
                           "    case $1 in\n";

/* Words of a command line: "--name=value" arrives as three of them. */
static const char body[] =
    "_%1$s_reply() {\n"
    "    local IFS=$'\\n'\n"
    "    case $1 in\n"
    "    FILE) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "    DIR) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
    "    SERVICE)\n"
    "        COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" completion services "
    "${state:+--state=\"$state\"} 2>/dev/null)\" -- \"$cur\")) ;;\n"
    "    TEXT | '') ;;\n"
    "    *) COMPREPLY=($(compgen -W \"${1//|/$'\\n'}\" -- \"$cur\")) ;;\n"
    "    esac\n"
    "}\n"
    "_%1$s() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} before='' command='' state='' kind i word operands=0\n"
    "    COMPREPLY=()\n"
    "    [[ $cur != = ]] || cur=''\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == = ]]; then\n"
    "            continue\n"
    "        elif [[ -n $before ]]; then\n"
    "            [[ $before != --state ]] || state=$word\n"
    "            before=''\n"
    "        elif [[ -n $(_%1$s_value \"$command\" \"$word\") ]]; then\n"
    "            before=$word\n"
    "        elif [[ $word != -* ]]; then\n"
    "            if [[ -z $command && -n '%2$s' ]]; then command=$word; else ((operands++)); fi\n"
    "        fi\n"
    "    done\n"
    "    if [[ -n $before ]]; then\n"
    "        _%1$s_reply \"$(_%1$s_value \"$command\" \"$before\")\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        _%1$s_reply \"$(_%1$s_options \"$command\")\"\n"
    "    elif [[ -z $command && -n '%2$s' ]]; then\n"
    "        _%1$s_reply '%2$s'\n"
    "    else\n"
    "        kind=($(_%1$s_operands \"$command\"))\n"
    "        word=${kind[operands]-}\n"
    "        ((${#kind[@]} == 0 || operands < ${#kind[@]})) || word=${kind[${#kind[@]} - 1]}\n"
    "        ((operands < ${#kind[@]})) || [[ $word == *... ]] || word=''\n"
    "        _%1$s_reply \"${word%%...}\"\n"
    "    fi\n"
    "}\n"
    "complete -F _%1$s %1$s\n";

static void print_words(FILE *out, const struct option_spec *options)
{
    for (; options->name != NULL; options++)
        fprintf(out, "--%s|", options->name);
}

static void print_values(FILE *out, const char *command, const struct option_spec *options)
{
    for (; options->name != NULL; options++) {
        if (options->argument != NULL)
            fprintf(out, "    '%s --%s') echo '%s' ;;\n", command, options->name,
                    option_value_kind(options));
    }
}

static void print_cases(FILE *out, const char *program, bool daemon)
{
    for (size_t i = 0; !daemon && all_commands[i] != NULL; i++)
        fprintf(out, "    %s) echo '%s' ;;\n", all_commands[i]->name,
                all_commands[i]->operands != NULL ? all_commands[i]->operands : "");
    fprintf(out, "    esac\n}\n_%s_options() {\n    case $1 in\n", program);
    if (daemon) {
        fputs("    *) echo '", out);
        print_words(out, daemon_options);
        fputs("' ;;\n", out);
    }
    for (size_t i = 0; !daemon && all_commands[i] != NULL; i++) {
        fprintf(out, "    %s) echo '", all_commands[i]->name);
        print_words(out, all_commands[i]->options);
        fputs("--help' ;;\n", out);
    }
    if (!daemon)
        fputs("    *) echo '--help|--version' ;;\n", out);
    fprintf(out, "    esac\n}\n_%s_value() {\n    case \"$1 $2\" in\n", program);
    if (daemon)
        print_values(out, "", daemon_options);
    for (size_t i = 0; !daemon && all_commands[i] != NULL; i++) {
        print_values(out, all_commands[i]->name, all_commands[i]->options);
        if (command_short_output(all_commands[i]) != NULL)
            fprintf(out, "    '%s -o') echo 'FILE' ;;\n", all_commands[i]->name);
    }
    fputs("    esac\n}\n", out);
}

void completion_bash(FILE *out, bool daemon)
{
    const char *program = daemon ? "guardd" : "guard";
    char names[512];
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; !daemon && all_commands[i] != NULL && len < sizeof(names); i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i > 0 ? "|" : "",
                                all_commands[i]->name);
    fprintf(out, head, program);
    print_cases(out, program, daemon);
    fprintf(out, body, program, names);
}
