/* SPDX-License-Identifier: Apache-2.0 */
/* Values as evidence, by general knowledge of HTTP and of the languages that attacks are written
 * in. */
#include "common/generalise/evidence.h"

#include "common/generalise/skeleton.h"

#include <string.h>

enum { NAME_CAP = 256, WORD_MAX = 64, DEGREE_CLEAR = 150 };

static struct guard_span span_of_text(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static bool is_one_of(struct guard_span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal_nocase(name, span_of_text(names[i])))
            return true;
    }
    return false;
}

/* Headers that clients send whatever they want; they are evidence only with syntax in them. */
static bool is_usual_header(struct guard_span name)
{
    static const char *const names[] = {"user-agent",
                                        "accept",
                                        "accept-language",
                                        "accept-encoding",
                                        "accept-charset",
                                        "content-type",
                                        "connection",
                                        "cache-control",
                                        "pragma",
                                        "referer",
                                        "origin",
                                        "upgrade-insecure-requests",
                                        "x-requested-with",
                                        "te",
                                        "dnt",
                                        "keep-alive",
                                        "if-modified-since",
                                        "if-none-match",
                                        "x-forwarded-for",
                                        "expect",
                                        "sec-fetch-dest",
                                        "sec-fetch-mode",
                                        "sec-fetch-site",
                                        "sec-fetch-user",
                                        "sec-ch-ua",
                                        "sec-ch-ua-mobile",
                                        "sec-ch-ua-platform",
                                        "priority",
                                        "proxy-connection",
                                        "sec-gpc",
                                        "content-language"};
    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

/* Of the connection and of what the body is: never evidence. */
static bool is_transport_header(struct guard_span name)
{
    static const char *const names[] = {"host",   "content-length",   "transfer-encoding",
                                        "cookie", "content-encoding", "range"};
    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

/* Names of what whoever sends it chooses. */
static bool is_choice_name(struct guard_span name)
{
    static const char *const parts[] = {"user",  "name",    "mail",   "pass",  "pwd",
                                        "phone", "mobile",  "title",  "token", "nonce",
                                        "sess",  "captcha", "account"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (span_holds(name, parts[i]))
            return true;
    }
    return false;
}

static bool any_token(const uint8_t *tokens, size_t len)
{
    for (size_t i = 0; tokens != NULL && i < len; i++) {
        if (tokens[i] != 0)
            return true;
    }
    return false;
}

static bool only_tokens(const uint8_t *tokens, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (tokens == NULL || tokens[i] == 0)
            return false;
    }
    return true;
}

/* The name with its tokens free. */
static struct guard_span free_name(struct work *work, const struct message_value *value)
{
    struct guard_span name = value->value.name;
    struct growing text;
    bool free = false;
    if (!any_token(value->name_tokens, name.len) && name.len <= NAME_CAP)
        return name;
    if (!growing_begin(work, &text, NAME_CAP + 2))
        return name;
    for (size_t i = 0; i < name.len && i < NAME_CAP; i++) {
        bool token = value->name_tokens != NULL && value->name_tokens[i] != 0;
        if (!token)
            growing_add(&text, span_cut(name, i, i + 1));
        else if (!free)
            growing_literal(&text, "*");
        free = token;
    }
    if (name.len > NAME_CAP && !free)
        growing_literal(&text, "*");
    return growing_span(&text);
}

static bool is_word(struct guard_span text)
{
    bool letter = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        letter = letter || byte_is_letter(byte);
        if (!byte_is_letter(byte) && !byte_is_digit(byte) &&
            (byte == '\0' || strchr("._-/:@", byte) == NULL))
            return false;
    }
    return letter && text.len <= WORD_MAX;
}

/* Long runs of letters and digits in turns, as digests and identities have them. */
static bool is_random(struct guard_span text)
{
    size_t changes = 0;
    if (text.len < 16)
        return false;
    for (size_t i = 1; i < text.len; i++)
        changes += byte_is_digit(text.ptr[i]) != byte_is_digit(text.ptr[i - 1]);
    return changes * 5 >= text.len;
}

static bool is_number(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!byte_is_digit(text.ptr[i]) && text.ptr[i] != '.' && text.ptr[i] != '-')
            return false;
    }
    return true;
}

static struct evidence nothing(const char *why)
{
    return (struct evidence){.rank = EVIDENCE_NONE, .why = why};
}

static struct evidence reads_like(struct work *work, const struct message_value *value,
                                  bool of_name)
{
    enum guard_construct construct;
    struct guard_span text = of_name ? value->value.name : value->value.text;
    if (guard_likeness_read(text, of_name, &construct) == 0 ||
        guard_construct_degree(construct) < DEGREE_CLEAR)
        return nothing("nothing in it is recognised");
    enum guard_likeness likeness = guard_construct_likeness(construct);
    struct guard_span name = of_name ? (struct guard_span){NULL, 0} : free_name(work, value);
    struct evidence found = {.rank = EVIDENCE_SYNTAX, .why = "reads like an attack"};
    found.condition = condition_new(work, GUARD_OPERATOR_LIKENESS, value->value.place, name);
    if (found.condition != NULL) {
        found.condition->likeness = UINT32_C(1) << likeness;
        found.condition->on_names = of_name;
    }
    found.what = work_text(work, "%sreads like %s (%s)", of_name ? "its name " : "",
                           guard_likeness_words(likeness), guard_construct_words(construct));
    return found;
}

static struct evidence steps_up(struct work *work, const struct message_value *value)
{
    struct guard_span text = value->value.text;
    if (!span_holds(text, "../") && !span_holds(text, "..\\"))
        return nothing("no step up");
    return (struct evidence){.rank = EVIDENCE_SYNTAX,
                             .condition = condition_new(work, GUARD_OPERATOR_TRAVERSAL,
                                                        value->value.place, free_name(work, value)),
                             .why = "traversal",
                             .what = work_text(work, "steps up out of its folder")};
}

static struct evidence of_file(struct work *work, const struct message_value *value)
{
    static const char runs[] = "\\.(?:jspx?|jspf|php[0-9]?|pht|phtml|phar|aspx?|ashx|asmx|asax|cer|"
                               "cfm|war|jar|pl|py|sh|exe|dll|htaccess)(?:[^a-z0-9]|$)";
    struct guard_span name = free_name(work, value);
    static const char *const ends[] = {".jsp", ".php", ".pht", ".phar", ".asp", ".ashx", ".asmx",
                                       ".cer", ".cfm", ".war", ".jar",  ".pl",  ".py",   ".sh"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (!span_holds(value->value.text, ends[i]))
            continue;
        struct evidence found = {.rank = EVIDENCE_SYNTAX, .why = "a program"};
        found.condition =
            condition_text(work, GUARD_OPERATOR_REGEX, GUARD_PLACE_FILE, name, span_of_text(runs));
        if (found.condition != NULL)
            found.condition->ignore_case = true;
        found.what = work_text(work, "is the name of a program that servers run");
        return found;
    }
    return (struct evidence){
        .rank = EVIDENCE_FILE,
        .condition = condition_new(work, GUARD_OPERATOR_PRESENT, GUARD_PLACE_FILE, name),
        .why = "a file",
        .what = work_text(work, "a file is sent")};
}

static struct evidence of_name(struct work *work, const struct message_value *value,
                               enum evidence_rank rank)
{
    struct guard_span name = free_name(work, value);
    if (name.len == 0 || span_equal(name, span_of_text("*")))
        return nothing("nothing of it is the same at every use");
    return (struct evidence){
        .rank = rank,
        .condition = condition_new(work, GUARD_OPERATOR_PRESENT, value->value.place, name),
        .why = "a name",
        .what = work_text(work, "the name alone: its value is left free")};
}

static struct evidence of_word(struct work *work, const struct message_value *value)
{
    struct guard_span text = value->value.text;
    if (text.len == 0 || text.len > GUARD_PATCH_TEXT_MAX)
        return of_name(work, value, EVIDENCE_NAME);
    struct guard_patch_condition *exact = condition_text(
        work, GUARD_OPERATOR_EQUALS, value->value.place, free_name(work, value), text);
    if (is_choice_name(value->value.name)) {
        struct evidence found = of_name(work, value, EVIDENCE_CHOICE);
        found.exact = exact;
        return found;
    }
    return (struct evidence){.rank = EVIDENCE_WORD,
                             .condition = exact,
                             .why = "a word",
                             .what =
                                 work_text(work, "is %.*s", (int)(text.len < 80 ? text.len : 80),
                                           (const char *)text.ptr)};
}

/* Key words of SQL and names of tags. */
static bool ignores_case(struct guard_span text)
{
    static const char *const words[] = {"select", "union", "waitfor", "sleep(", "<"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_holds(text, words[i]))
            return true;
    }
    return false;
}

static struct evidence of_text(struct work *work, const struct message_value *value)
{
    struct guard_span text = value->value.text;
    struct guard_span name = free_name(work, value);
    enum guard_patch_place place = value->value.place;
    struct evidence found = {.rank = EVIDENCE_TEXT, .why = "a text"};
    if (text.len <= SKELETON_TEXT_MAX) {
        struct guard_span expression = skeleton(work, text, value->tokens, false);
        if (expression.len > 0)
            found.condition = condition_text(work, GUARD_OPERATOR_REGEX, place, name, expression);
        if (found.condition != NULL)
            found.condition->ignore_case = ignores_case(text);
        found.what = work_text(work, "nothing is recognised in it: kept as written, with blanks, "
                                     "numbers and tokens free");
    } else {
        found.condition = skeleton_pieces(work, place, name, text, value->tokens);
        found.what = work_text(work, "nothing is recognised in it: pieces of it are kept");
    }
    return found.condition != NULL ? found : of_name(work, value, EVIDENCE_NAME);
}

static bool is_read_as_fields(const struct message *message)
{
    return message->body_kind == GUARD_BODY_FORM || message->body_kind == GUARD_BODY_JSON ||
           message->body_kind == GUARD_BODY_MULTIPART;
}

/* A client that isn't a browser says who it is; some services trust that. */
static bool is_telling_agent(struct guard_span name, struct guard_span text)
{
    return span_equal(name, span_of_text("user-agent")) && !span_holds(text, "mozilla") &&
           !span_holds(text, "curl") && is_word(text);
}

static struct evidence of_header(struct work *work, const struct message_value *value)
{
    struct guard_span name = value->value.name;
    struct guard_span text = value->value.text;
    if (is_transport_header(name))
        return nothing("it says how the request is sent");
    struct evidence found = reads_like(work, value, false);
    if (found.rank != EVIDENCE_NONE)
        return found;
    found = steps_up(work, value);
    if (found.rank != EVIDENCE_NONE && !is_usual_header(name))
        return found;
    if (is_usual_header(name) && !is_telling_agent(name, text))
        return nothing("clients send it whatever they want");
    if (any_token(value->tokens, text.len))
        return span_equal(name, span_of_text("authorization"))
                   ? nothing("another one comes with every use")
                   : of_name(work, value, EVIDENCE_NAME);
    if (is_word(text) || span_equal(name, span_of_text("authorization")))
        return of_word(work, value);
    return of_name(work, value, EVIDENCE_NAME);
}

struct evidence evidence_of(struct work *work, const struct message *message,
                            const struct message_value *value)
{
    struct guard_span text = value->value.text;
    enum guard_patch_place place = value->value.place;
    if (place == GUARD_PLACE_METHOD || place == GUARD_PLACE_PATH)
        return nothing("it is part of the scope");
    if (place == GUARD_PLACE_HEADER)
        return of_header(work, value);
    /* Of multipart, contents of files are in the body only. */
    if (place == GUARD_PLACE_BODY && is_read_as_fields(message) &&
        message->body_kind != GUARD_BODY_MULTIPART)
        return nothing("its fields are looked at one by one");
    struct evidence found = reads_like(work, value, false);
    if (found.rank == EVIDENCE_NONE)
        found = steps_up(work, value);
    if (found.rank == EVIDENCE_NONE && value->value.name.len > 0)
        found = reads_like(work, value, true);
    if (found.rank != EVIDENCE_NONE)
        return found;
    if (place == GUARD_PLACE_FILE)
        return of_file(work, value);
    if (place == GUARD_PLACE_BODY && is_read_as_fields(message))
        return nothing("its fields are looked at one by one");
    if (only_tokens(value->tokens, text.len) || is_number(text) || is_random(text))
        return of_name(work, value, EVIDENCE_NAME);
    if (is_word(text) && !any_token(value->tokens, text.len))
        return of_word(work, value);
    return of_text(work, value);
}

static const char *place_word(enum guard_patch_place place)
{
    static const char *const words[] = {"method", "path", "target",    "query", "header", "cookie",
                                        "form",   "json", "multipart", "file",  "body"};
    return words[__builtin_ctz(place)];
}

struct guard_span evidence_place(struct work *work, const struct guard_value *value)
{
    const char *place = place_word(value->place);
    if (value->name.len == 0)
        return work_text(work, "%s", place);
    return work_text(work, "%s %.*s", place, (int)(value->name.len < 80 ? value->name.len : 80),
                     (const char *)value->name.ptr);
}
