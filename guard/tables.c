/* SPDX-License-Identifier: Apache-2.0 */
/* `guard help --machine`: the tables of commands and options as JSON, for who makes manual pages or
 * compares documents with them. */
#include "command.h"
#include "common/json_writer.h"

#include <stdio.h>

enum { TABLES_MAX = 128 * 1024 };

static void put_options(struct json_writer *json, const struct option_spec *options)
{
    json_open(json, "options", '[');
    for (; options->name != NULL; options++) {
        json_open(json, NULL, '{');
        json_text(json, "name", options->name);
        if (options->argument != NULL)
            json_text(json, "argument", options->argument);
        json_text(json, "help", options->help);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_command(struct json_writer *json, const struct command *command)
{
    json_open(json, NULL, '{');
    json_text(json, "name", command->name);
    json_text(json, "usage", command->usage);
    json_text(json, "summary", command->summary);
    json_text(json, "details", command->details != NULL ? command->details : "");
    json_bool(json, "short_output", command_short_output(command) != NULL);
    put_options(json, command->options);
    json_close(json, '}');
}

int print_tables(void)
{
    static char text[TABLES_MAX];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_open(&json, "commands", '[');
    for (size_t i = 0; all_commands[i] != NULL; i++)
        put_command(&json, all_commands[i]);
    json_close(&json, ']');
    json_open(&json, "guardd", '{');
    put_options(&json, daemon_options);
    json_close(&json, '}');
    json_close(&json, '}');
    if (json.overflow)
        return complain(EXIT_FAILED, "the tables are too large");
    return fwrite(text, 1, json.len, stdout) == json.len && putchar('\n') != EOF ? EXIT_GOOD
                                                                                 : EXIT_FAILED;
}
