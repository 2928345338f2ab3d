/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like script put into a page, and like markup that makes a reader load or include
 * something: elements and attributes after the HTML standard, XML 1.0, XInclude, ESI. */
#include "detect/likeness_text.h"

enum { TAG_MAX = 192, CALL_MAX = 48 };

/* Beginnings of the names of event handlers, behind "on". */
static const char *const handlers[] = {
    "abort",   "after",   "animation",  "auxclick", "before",  "begin",   "blur",   "bounce",
    "canplay", "change",  "click",      "close",    "context", "copy",    "cut",    "dblclick",
    "drag",    "drop",    "end",        "error",    "finish",  "focus",   "full",   "hash",
    "input",   "invalid", "key",        "load",     "message", "mouse",   "page",   "paste",
    "play",    "pointer", "pop",        "progress", "ready",   "repeat",  "reset",  "resize",
    "scroll",  "search",  "select",     "show",     "start",   "storage", "submit", "time",
    "toggle",  "touch",   "transition", "unload",   "wheel",
};

/* "onerror =" */
static bool is_handler(struct gd_likeness_text *text, size_t at)
{
    if (!gd_lk_is(text, at, "on"))
        return false;
    size_t end = gd_lk_word_end(text, at);
    if (gd_lk_at(text, gd_lk_skip(text, end)) != '=')
        return false;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (gd_lk_is(text, at + 2, handlers[i]))
            return true;
    }
    return false;
}

/* "javascript:", with what can stand between its letters left out by readers. */
static bool is_script_url(struct gd_likeness_text *text, size_t at)
{
    if (gd_lk_is(text, at, "javascript:") || gd_lk_is(text, at, "vbscript:")) {
        size_t colon = gd_lk_find(text, at, ":", 12);
        uint8_t next = gd_lk_at(text, colon + 1);
        bool code = gd_lk_find(text, colon, "(", CALL_MAX) != 0 ||
                    gd_lk_find(text, colon, "`", CALL_MAX) != 0 ||
                    gd_lk_find(text, colon, "=", CALL_MAX) != 0;
        return next != 0 && !gd_lk_is(text, colon + 1, "void(0") && code;
    }
    return gd_lk_is(text, at, "data:text/html") || gd_lk_is(text, at, "data:image/svg+xml") ||
           gd_lk_is(text, at, "data:application/xhtml");
}

/* The attributes of an element. */
static void attributes(struct gd_likeness_text *text, size_t at)
{
    size_t most = at + TAG_MAX;
    bool script = false;
    for (; at < most && gd_lk_at(text, at) != 0 && gd_lk_at(text, at) != '>'; at++) {
        uint8_t previous = text->bytes[at - 1];
        if (!gd_lk_burn(text, 1))
            return;
        if (!gd_lk_word(previous) && is_handler(text, at)) {
            gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_HANDLER);
            return;
        }
        size_t value = gd_lk_skip(text, at);
        value += gd_lk_quote(gd_lk_at(text, value));
        script |= previous == '=' && is_script_url(text, gd_lk_skip(text, value));
    }
    if (script)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_URL);
}

/* "<!ENTITY", "<!DOCTYPE x [", "<!DOCTYPE x SYSTEM", "<!--#exec" */
static void declaration(struct gd_likeness_text *text, size_t open)
{
    if (gd_lk_is(text, open, "<!--")) {
        size_t at = gd_lk_skip(text, open + 4);
        if (gd_lk_at(text, at) == '#' && gd_lk_in(text, at + 1, GD_LK_SSI))
            gd_likeness_hit(text, GUARD_CONSTRUCT_INCLUDE_DIRECTIVE);
        return;
    }
    if (gd_lk_is_word(text, open + 2, "entity")) {
        gd_likeness_hit(text, GUARD_CONSTRUCT_XML_ENTITY);
        return;
    }
    if (!gd_lk_is_word(text, open + 2, "doctype"))
        return;
    size_t name = gd_lk_skip(text, open + 9);
    size_t end = gd_lk_word_end(text, name);
    size_t next = gd_lk_skip(text, end);
    bool html = gd_lk_is_word(text, name, "html");
    if (end > name &&
        (gd_lk_at(text, next) == '[' || (!html && gd_lk_in(text, next, GD_LK_EXTERNAL))))
        gd_likeness_hit(text, GUARD_CONSTRUCT_XML_DOCTYPE);
}

/* "<?php", "<%=", "<xi:include", "<#assign" */
static void page_code(struct gd_likeness_text *text, size_t open)
{
    uint8_t next = gd_lk_at(text, open + 1);
    if (next == '?' && (gd_lk_is(text, open, "<?php") || gd_lk_is(text, open, "<?=")))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_CODE);
    else if (next == '%' && gd_lk_find(text, open + 2, "%>", TAG_MAX) != 0)
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_CODE);
    else if (next == '#' && gd_lk_in(text, open + 2, GD_LK_FREEMARKER))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_TAG);
    else if (gd_lk_is(text, open, "<xi:include") ||
             (gd_lk_is(text, open, "<xsl:") && gd_lk_find(text, open, "document(", TAG_MAX) != 0))
        gd_likeness_hit(text, GUARD_CONSTRUCT_XML_INCLUSION);
    else if (gd_lk_is(text, open, "<esi:"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_INCLUDE_EDGE);
}

void gd_likeness_markup(struct gd_likeness_text *text, size_t open)
{
    uint8_t next = gd_lk_at(text, open + 1);
    if (next == '!') {
        declaration(text, open);
        return;
    }
    page_code(text, open);
    size_t at = open + 1 + (next == '/');
    size_t end = gd_lk_word_end(text, at);
    if (end == at || !gd_lk_letter(gd_lk_at(text, at)))
        return;
    uint8_t behind = gd_lk_at(text, end);
    if (gd_lk_is_word(text, at, "script") &&
        (behind == '>' || behind == '/' || gd_lk_blank(behind) || behind == 0)) {
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_ELEMENT);
        return;
    }
    if (gd_lk_in(text, at, GD_LK_FRAMES) && (behind == '/' || gd_lk_blank(behind)) &&
        gd_lk_find(text, end, "=", TAG_MAX) != 0)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_FRAME);
    if (behind == '/' || behind == ':' || behind == '-' || gd_lk_blank(behind))
        attributes(text, end + 1);
}

/* "alert(1)", "a.b`", "fetch('": *end is the parenthesis. */
static bool is_call(struct gd_likeness_text *text, size_t at, size_t *end)
{
    size_t from = at;
    for (int parts = 0; parts < 4; parts++) {
        *end = gd_lk_word_end(text, from);
        if (*end == from || gd_lk_at(text, *end) != '.')
            break;
        from = *end + 1;
    }
    uint8_t behind = gd_lk_at(text, *end);
    return *end > from && !gd_lk_digit(gd_lk_at(text, at)) && (behind == '(' || behind == '`');
}

/* "\" onmouseover=", "'-alert(1)-'", "\";alert(1)//" */
void gd_likeness_script_quote(struct gd_likeness_text *text, size_t quote)
{
    if (!gd_lk_unopened(text, quote))
        return;
    size_t at = gd_lk_skip(text, quote + 1);
    size_t end;
    uint8_t byte = gd_lk_at(text, at);
    if (byte == '/')
        byte = gd_lk_at(text, at = gd_lk_skip(text, at + 1));
    /* Other attributes may stand before it. */
    size_t first_word = at;
    for (int i = 0; i < 3 && !is_handler(text, at); i++) {
        size_t other = gd_lk_word_end(text, at);
        if (other == at || gd_lk_at(text, other) != ' ')
            break;
        at = other + 1;
    }
    if (is_handler(text, at)) {
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_ATTRIBUTE);
        return;
    }
    at = first_word;
    for (int depth = 0; depth < 4 && (byte == ')' || byte == '}'); depth++)
        byte = gd_lk_at(text, at = gd_lk_skip(text, at + 1));
    if (byte == 0 || strchr(";-+*^/,", byte) == NULL)
        return;
    at = gd_lk_skip(text, at + 1);
    if (!is_call(text, at, &end) || gd_lk_in(text, at, GD_LK_ASKING))
        return;
    uint8_t first = gd_lk_at(text, end + 1);
    bool known = gd_lk_in(text, at, GD_LK_CALLS);
    /* The quote is opened again behind the call, or the rest becomes a comment. */
    bool again = gd_lk_find(text, end, "//", CALL_MAX) != 0 ||
                 gd_lk_find(text, end, ")-", CALL_MAX) != 0 ||
                 gd_lk_find(text, end, ")+", CALL_MAX) != 0;
    if (first != 0 && (known || again))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_BREAKOUT);
}

void gd_likeness_script_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    uint8_t next = gd_lk_at(text, gd_lk_skip(text, end));
    size_t inside = gd_lk_skip(text, gd_lk_skip(text, end) + 1);
    uint8_t first = gd_lk_at(text, inside);
    bool begins = at == 0 || (at == 1 && gd_lk_blank(text->bytes[0]));
    bool is = false;
    if (begins && is_script_url(text, at))
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_URL);
    if (gd_lk_in(text, at, GD_LK_DIALOGS))
        is = next == '`' || (next == '(' && (gd_lk_digit(first) || gd_lk_quote(first) ||
                                             gd_lk_is_word(text, inside, "document") ||
                                             gd_lk_is_word(text, inside, "window")));
    else if (gd_lk_is_word(text, at, "document"))
        is = next == '.' && gd_lk_in(text, end + 1, GD_LK_DOCUMENT);
    else if (gd_lk_is_word(text, at, "string"))
        is = gd_lk_is(text, end, ".fromcharcode(");
    else if (gd_lk_in(text, at, GD_LK_EVALUATORS))
        is = next == '(' && (gd_lk_is(text, inside, "atob(") || gd_lk_is(text, inside, "string.") ||
                             gd_lk_is(text, inside, "location") || gd_lk_is(text, inside, "name)"));
    if (is)
        gd_likeness_hit(text, GUARD_CONSTRUCT_SCRIPT_SINK);
}
