/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like a way to files, hosts and entries that a client has no business with: paths,
 * addresses, filters of directories, paths in XML, header lines, format strings. After RFC 3986,
 * RFC 4515, XPath 1.0, RFC 9112, printf of ISO C, the registries of private addresses. */
#include "detect/likeness_text.h"

/* Names of files that are the aim of traversals. */
static bool is_system_file(struct gd_likeness_text *text, size_t at)
{
    static const char *const files[] = {
        "etc/passwd",       "etc/shadow",    "etc/group",        "etc/hosts",        "etc/issue",
        "etc/hostname",     "etc/crontab",   "etc/resolv.conf",  "etc/mysql/",       "etc/nginx/",
        "etc/apache2/",     "etc/ssh/",      "proc/self/",       "proc/version",     "proc/1/",
        "windows/win.ini",  "winnt/win.ini", "windows/system32", "win.ini",          "boot.ini",
        "web-inf/",         "root/.ssh",     "var/log/",         "var/run/secrets/", ".ssh/id_",
        "usr/local/apache", "inetpub/",      "system32/",
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        size_t len = strlen(files[i]);
        size_t same = 0;
        if (!gd_lk_burn(text, 1))
            return false;
        while (same < len && (gd_lk_at(text, at + same) == (uint8_t)files[i][same] ||
                              (files[i][same] == '/' && gd_lk_at(text, at + same) == '\\')))
            same++;
        if (same == len)
            return true;
    }
    return false;
}

static bool is_slash(uint8_t byte)
{
    return byte == '/' || byte == '\\';
}

/* At the first of two dots: "../", "..\", "..;/", "....//" */
void gd_likeness_path_dots(struct gd_likeness_text *text, size_t from)
{
    uint32_t steps = 0;
    size_t at = from;
    if (from > 0 && (text->bytes[from - 1] == '.' || gd_lk_word(text->bytes[from - 1])))
        return;
    for (;;) {
        size_t dots = at;
        while (gd_lk_at(text, dots) == '.' && dots < at + 8)
            dots++;
        size_t end = dots + (gd_lk_at(text, dots) == ';');
        if (dots < at + 2 || !is_slash(gd_lk_at(text, end)) || !gd_lk_burn(text, 2))
            break;
        while (is_slash(gd_lk_at(text, end)) && end < dots + 8)
            end++;
        at = end;
        steps++;
    }
    /* "../" alone, or the last ".." of a path */
    bool last = steps > 0 && gd_lk_is(text, at, "..") && at + 2 == text->len;
    if (steps > 0 && is_system_file(text, at))
        gd_likeness_hit(text, GUARD_CONSTRUCT_PATH_UP_TO);
    else if (steps + last >= 3 || (steps == 2 && from == 0))
        gd_likeness_hit(text, GUARD_CONSTRUCT_PATH_UP);
}

void gd_likeness_path_slash(struct gd_likeness_text *text, size_t at)
{
    static const char *const hidden[] = {".git/",         ".env",       ".svn/", ".htaccess",
                                         ".htpasswd",     ".aws/",      ".ssh/", ".bash_history",
                                         "wp-config.php", "web.config", "id_rsa"};
    static const char *const strong[] = {"etc/passwd", "etc/shadow",      "proc/self/",
                                         "etc/hosts",  "windows/win.ini", "windows\\win.ini",
                                         "boot.ini",   "web-inf/",        "var/run/secrets/",
                                         "etc/issue",  "etc/group"};
    uint8_t previous = at > 0 ? text->bytes[at - 1] : 0;
    for (size_t i = 0; i < sizeof(strong) / sizeof(strong[0]); i++) {
        if (gd_lk_is(text, at + 1, strong[i])) {
            gd_likeness_hit(text, GUARD_CONSTRUCT_PATH_SYSTEM);
            return;
        }
    }
    for (size_t i = 0; previous != '/' && i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        size_t len = strlen(hidden[i]);
        bool end = hidden[i][len - 1] == '/' || !gd_lk_word(gd_lk_at(text, at + 1 + len));
        if (gd_lk_is(text, at + 1, hidden[i]) && end)
            gd_likeness_hit(text, GUARD_CONSTRUCT_PATH_HIDDEN);
    }
}

/* Numbers separated by dots, each decimal, octal or hexadecimal. */
struct host {
    uint32_t parts[4];
    uint32_t count;
    bool odd; /* not four decimal parts */
};

static bool host_number(struct gd_likeness_text *text, size_t *at, struct host *host)
{
    size_t from = *at;
    uint64_t number = 0;
    bool hex = gd_lk_is(text, from, "0x");
    size_t digits = from + (hex ? 2 : 0);
    size_t end = digits;
    for (; end < digits + 11; end++) {
        uint8_t byte = gd_lk_at(text, end);
        uint32_t digit = gd_lk_digit(byte)                   ? byte - '0' + 0u + 0u
                         : hex && byte >= 'a' && byte <= 'f' ? byte - 'a' + 10u
                                                             : 16u;
        if (digit == 16)
            break;
        number = number * (hex ? 16 : 10) + digit;
    }
    if (end == digits || number > UINT32_MAX)
        return false;
    host->odd |= hex || (end - digits > 1 && text->bytes[digits] == '0');
    host->parts[host->count++] = (uint32_t)number;
    *at = end;
    return true;
}

static bool numeric_host(struct gd_likeness_text *text, size_t at, struct host *host)
{
    *host = (struct host){.count = 0};
    while (host->count < 4 && host_number(text, &at, host)) {
        if (gd_lk_at(text, at) != '.')
            break;
        at++;
    }
    uint8_t behind = gd_lk_at(text, at);
    if (host->count == 0 || gd_lk_word(behind) || behind == '.' || behind == '-')
        return false;
    host->odd |= host->count != 4;
    for (uint32_t i = 0; i < host->count && host->count == 4; i++) {
        if (host->parts[i] > 255)
            return false;
    }
    return true;
}

static void number_address(struct gd_likeness_text *text, const struct host *host, bool begins)
{
    const uint32_t *parts = host->parts;
    if (host->odd)
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_ODD);
    else if (parts[0] == 169 && parts[1] == 254)
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_METADATA);
    else if (begins && (parts[0] == 127 || parts[0] == 0))
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_LOCAL);
    else if (begins && (parts[0] == 10 || (parts[0] == 192 && parts[1] == 168) ||
                        (parts[0] == 172 && parts[1] >= 16 && parts[1] < 32) ||
                        (parts[0] == 100 && parts[1] >= 64 && parts[1] < 128)))
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_PRIVATE);
}

static void host_address(struct gd_likeness_text *text, size_t at, bool begins)
{
    struct host host;
    /* What stands before an @ is a name of the user. */
    for (size_t i = at; i < at + 64; i++) {
        uint8_t byte = gd_lk_at(text, i);
        if (byte == '@')
            at = i + 1;
        if (byte == 0 || byte == '/' || gd_lk_blank(byte) || !gd_lk_burn(text, 1))
            break;
    }
    if (numeric_host(text, at, &host))
        number_address(text, &host, begins);
    else if (gd_lk_is(text, at, "metadata.google.internal") || gd_lk_is(text, at, "metadata/") ||
             gd_lk_is(text, at, "[fd00:ec2::254]"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_METADATA);
    else if (begins && (gd_lk_is_word(text, at, "localhost") || gd_lk_is(text, at, "[::") ||
                        gd_lk_is(text, at, "[0:")))
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_LOCAL);
    else if (gd_lk_is(text, at, "kubernetes.default"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_METADATA);
}

void gd_likeness_url(struct gd_likeness_text *text, size_t colon)
{
    size_t from = colon;
    while (from > 0 && colon - from < 12 &&
           (gd_lk_word(text->bytes[from - 1]) || text->bytes[from - 1] == '.'))
        from--;
    bool begins = from == 0 || gd_lk_quote(text->bytes[from - 1]) || text->bytes[from - 1] == '=';
    if (gd_lk_in(text, from, GD_LK_WRAPPERS)) {
        if (!gd_lk_is(text, from, "data://") || begins)
            gd_likeness_hit(text, GUARD_CONSTRUCT_PATH_WRAPPER);
    } else if (gd_lk_in(text, from, GD_LK_SCHEMES)) {
        if (begins || gd_lk_is(text, from, "gopher"))
            gd_likeness_hit(text, GUARD_CONSTRUCT_ADDRESS_SCHEME);
    } else if (gd_lk_in(text, from, GD_LK_WEB)) {
        host_address(text, colon + 3, begins);
    }
}

/* At the parenthesis that closes: ")(uid=", ")(|(cn=" */
void gd_likeness_ldap(struct gd_likeness_text *text, size_t close, bool unopened)
{
    size_t at = gd_lk_skip(text, close + 1);
    if (!unopened || gd_lk_at(text, at) != '(')
        return;
    at = gd_lk_skip(text, at + 1);
    for (int i = 0; i < 4; i++) {
        uint8_t byte = gd_lk_at(text, at);
        if (byte == 0 || strchr("|&!(", byte) == NULL)
            break;
        at = gd_lk_skip(text, at + 1);
    }
    size_t end = gd_lk_word_end(text, at);
    uint8_t next = gd_lk_at(text, end);
    bool filter = end > at && (next == '=' || next == '~' || next == '>' || next == '<');
    if (filter || (close > 0 && text->bytes[close - 1] == '*'))
        gd_likeness_hit(text, GUARD_CONSTRUCT_LDAP_FILTER);
}

/* At a colon, bracket or quote. */
void gd_likeness_xpath(struct gd_likeness_text *text, size_t at)
{
    uint8_t byte = text->bytes[at];
    if (byte == ':' && gd_lk_at(text, at + 1) == ':') {
        size_t from = at;
        while (from > 0 && at - from < 20 &&
               (gd_lk_letter(text->bytes[from - 1]) || text->bytes[from - 1] == '-'))
            from--;
        static const char *const axes[] = {"child::",
                                           "parent::",
                                           "ancestor::",
                                           "descendant::",
                                           "following::",
                                           "preceding::",
                                           "self::",
                                           "ancestor-or-self::",
                                           "descendant-or-self::",
                                           "following-sibling::",
                                           "preceding-sibling::",
                                           "attribute::"};
        uint8_t next = gd_lk_at(text, at + 2);
        bool slash = from > 0 && (text->bytes[from - 1] == '/' || text->bytes[from - 1] == '[');
        for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++) {
            if (gd_lk_is(text, from, axes[i]) &&
                (next == '*' || gd_lk_is(text, at + 2, "node()") || (slash && gd_lk_word(next))))
                gd_likeness_hit(text, GUARD_CONSTRUCT_XPATH_AXIS);
        }
    } else if (byte == '(') {
        size_t next = gd_lk_skip(text, at + 1);
        size_t from = at;
        while (from > 0 && at - from < 20 &&
               (gd_lk_letter(text->bytes[from - 1]) || text->bytes[from - 1] == '-'))
            from--;
        uint8_t path = gd_lk_at(text, next + 1);
        if (gd_lk_at(text, next) == '/' && (path == '/' || path == '*') &&
            (gd_lk_in(text, from, GD_LK_XPATH) || gd_lk_is(text, from, "string-length(") ||
             gd_lk_is(text, from, "local-name(") || gd_lk_is(text, from, "starts-with(") ||
             gd_lk_is(text, from, "name(")))
            gd_likeness_hit(text, GUARD_CONSTRUCT_XPATH_FUNCTION);
    } else if (gd_lk_quote(byte) && gd_lk_unopened(text, at)) {
        size_t next = gd_lk_skip(text, at + 1);
        next = gd_lk_at(text, next) == ')' ? gd_lk_skip(text, next + 1) : next;
        next = gd_lk_at(text, next) == ']' ? gd_lk_skip(text, next + 1) : next;
        if (gd_lk_at(text, next) == '|' && gd_lk_at(text, gd_lk_skip(text, next + 1)) == '/')
            gd_likeness_hit(text, GUARD_CONSTRUCT_XPATH_UNION);
    }
}

/* At a line break. */
void gd_likeness_break(struct gd_likeness_text *text, size_t at)
{
    static const char *const response[] = {"set-cookie:",
                                           "location: http",
                                           "location: /",
                                           "location:http",
                                           "content-length:",
                                           "transfer-encoding:",
                                           "http/1.",
                                           "content-type:",
                                           "x-forwarded-",
                                           "access-control-",
                                           "content-security-policy:",
                                           "x-xss-protection:"};
    for (size_t i = 0; i < sizeof(response) / sizeof(response[0]); i++) {
        if (gd_lk_is(text, at + 1, response[i]))
            gd_likeness_hit(text, GUARD_CONSTRUCT_HEADER_RESPONSE);
    }
    if (gd_lk_is(text, at + 1, "bcc:"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_HEADER_MAIL);
}

/* At a percent sign: "%s%s%s", "%n", "%1$n" */
void gd_likeness_format(struct gd_likeness_text *text, size_t from)
{
    uint32_t count = 0;
    bool writes = false;
    size_t at = from;
    if (from > 0 && (text->bytes[from - 1] == '%' || (from > 1 && text->bytes[from - 2] == '%')))
        return;
    while (gd_lk_at(text, at) == '%' && gd_lk_burn(text, 2)) {
        size_t end = at + 1;
        while (end < at + 8 && (gd_lk_digit(gd_lk_at(text, end)) || gd_lk_at(text, end) == '.' ||
                                gd_lk_at(text, end) == '$'))
            end++;
        while (gd_lk_at(text, end) == 'l' || gd_lk_at(text, end) == 'h')
            end++;
        uint8_t conversion = gd_lk_at(text, end);
        if (conversion == 0 || strchr("sxpndu", conversion) == NULL)
            break;
        writes |= conversion == 'n';
        count++;
        at = end + 1;
        if (gd_lk_at(text, at) != '%' && gd_lk_at(text, at + 1) == '%' &&
            !gd_lk_word(gd_lk_at(text, at)) && !gd_lk_blank(gd_lk_at(text, at)))
            at++;
    }
    if (count >= 2 && writes)
        gd_likeness_hit(text, GUARD_CONSTRUCT_FORMAT_WRITE);
    else if (count >= 3)
        gd_likeness_hit(text, GUARD_CONSTRUCT_FORMAT_CONVERSIONS);
}
