/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like a command for a shell put into a value: a separator or substitution, the name of
 * a program, and arguments as programs take them. After POSIX.1 (Shell Command Language) and the
 * usual programs of Unix and Windows. */
#include "detect/likeness_text.h"

static bool is_program(struct gd_likeness_text *text, size_t at)
{
    return gd_lk_in(text, at, GD_LK_PROGRAMS);
}

/* Programs that need no arguments, and whose names say little else. */
static bool is_telling(struct gd_likeness_text *text, size_t at)
{
    return gd_lk_in(text, at, GD_LK_TELLING);
}

static bool ends_command(uint8_t byte)
{
    return byte == 0 || byte == '\n' || strchr(";|&#)`'\"<>", byte) != NULL;
}

/* "/etc", "-la", "$HOME", "5", "http://x", "a.b.c" */
static bool is_argument(struct gd_likeness_text *text, size_t at)
{
    uint8_t byte = gd_lk_at(text, at);
    uint8_t next = gd_lk_at(text, at + 1);
    if ((byte == '-' && (gd_lk_word(next) || next == '-')) || byte == '$' || byte == '\\' ||
        (byte == '/' && (gd_lk_word(next) || next == '?' || next == '*')) ||
        gd_lk_is(text, at, "../") || gd_lk_is(text, at, "~/") || gd_lk_digit(byte))
        return true;
    size_t end = gd_lk_word_end(text, at);
    return end > at && (gd_lk_is(text, end, "://") ||
                        (gd_lk_at(text, end) == '/' && gd_lk_word(gd_lk_at(text, end + 1))));
}

/* A program in a directory: "/bin/ls". */
static size_t behind_directories(struct gd_likeness_text *text, size_t at)
{
    static const char *const directories[] = {"/bin/", "/usr/bin/", "/sbin/", "/usr/local/bin/"};
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        if (gd_lk_is(text, at, directories[i]))
            return at + strlen(directories[i]);
    }
    return at;
}

enum command { COMMAND_NONE, COMMAND_BARE, COMMAND_TELLING, COMMAND_WHOLE };

static enum command command_at(struct gd_likeness_text *text, size_t at, size_t *end)
{
    size_t program = behind_directories(text, at);
    *end = gd_lk_word_end(text, program);
    if (*end == program || !is_program(text, program))
        return COMMAND_NONE;
    uint8_t behind = gd_lk_at(text, *end);
    if (gd_lk_is(text, *end, "${ifs}") || gd_lk_is(text, *end, "$ifs") || behind == '<' ||
        gd_lk_is(text, *end, ".exe"))
        return COMMAND_WHOLE;
    if (gd_lk_blank(behind) && is_argument(text, *end + 1))
        return COMMAND_WHOLE;
    if (!ends_command(behind == ' ' ? gd_lk_at(text, *end + 1) : behind))
        return COMMAND_NONE;
    return program > at || is_telling(text, program) ? COMMAND_TELLING : COMMAND_BARE;
}

/* "`id`": as one quotes code in prose, when blanks are around it. */
static void backquote(struct gd_likeness_text *text, size_t at)
{
    size_t end;
    if (!gd_lk_unopened(text, at) || command_at(text, at + 1, &end) == COMMAND_NONE)
        return;
    size_t close = gd_lk_find(text, at + 1, "`", 96);
    bool whole = at == 0 && close + 1 == text->len;
    bool glued =
        at > 0 && !gd_lk_blank(text->bytes[at - 1]) && strchr("(*_", text->bytes[at - 1]) == NULL;
    if (close != 0 && (whole || glued))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_SUBSTITUTION);
}

static void dollar(struct gd_likeness_text *text, size_t at)
{
    size_t end;
    if (gd_lk_is(text, at, "${ifs}") || gd_lk_is_word(text, at, "$ifs"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_FIELD_SEPARATOR);
    else if (gd_lk_is(text, at, "$(") &&
             command_at(text, gd_lk_skip(text, at + 2), &end) != COMMAND_NONE)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_SUBSTITUTION);
}

/* At ; | & ` $ or a line feed. */
void gd_likeness_shell(struct gd_likeness_text *text, size_t at)
{
    uint8_t byte = text->bytes[at];
    if (byte == '`') {
        backquote(text, at);
        return;
    }
    if (byte == '$') {
        dollar(text, at);
        return;
    }
    bool two = gd_lk_at(text, at + 1) == byte;
    /* The second of two was looked at with the first one. */
    if (at > 0 && text->bytes[at - 1] == byte)
        return;
    size_t end;
    enum command command = command_at(text, gd_lk_skip(text, at + 1 + two), &end);
    /* Lines that begin with a word are prose mostly; lists are separated by | and ; */
    if (byte == '\n' && command == COMMAND_WHOLE)
        command = gd_lk_at(text, end + 1) == '/' ? COMMAND_WHOLE : COMMAND_NONE;
    bool begins = at == 0 || gd_lk_quote(text->bytes[at - 1]);
    if (command == COMMAND_WHOLE)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_COMMAND);
    else if (byte != '\n' && (command == COMMAND_TELLING || (command == COMMAND_BARE && begins) ||
                              (command == COMMAND_BARE && two && byte != ';')))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_BARE);
}

void gd_likeness_shell_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    uint8_t previous = at > 0 ? text->bytes[at - 1] : 0;
    if (gd_lk_in(text, at, GD_LK_SHELLS) && at >= 5 && gd_lk_is(text, at - 5, "/bin/"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_PROGRAM);
    else if (gd_lk_is_word(text, at, "cmd") && gd_lk_is(text, end, ".exe"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_PROGRAM);
    else if (gd_lk_is_word(text, at, "dev") && previous == '/' &&
             (gd_lk_is(text, end, "/tcp/") || gd_lk_is(text, end, "/udp/")))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_PROGRAM);
    else if (gd_lk_is_word(text, at, "comspec") && previous == '%')
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_PROGRAM);
    else if (gd_lk_is_word(text, at, "powershell") && gd_lk_blank(gd_lk_at(text, end)) &&
             gd_lk_at(text, end + 1) == '-')
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_PROGRAM);
    else if (gd_lk_is_word(text, at, "2") && gd_lk_is(text, end, ">&1"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SHELL_REDIRECTION);
}
