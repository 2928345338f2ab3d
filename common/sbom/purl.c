/* SPDX-License-Identifier: Apache-2.0 */
/* Read from both ends, as the specification says: what is in the middle may hold the separators. */
#include "common/sbom/purl.h"

#include <string.h>
#include <strings.h>

static int hex_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Percent-decoded, with a NUL behind it. */
static enum guard_rc decode(char *out, size_t max, struct guard_span text, const char *what,
                            struct guard_err *err)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int byte = text.ptr[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_of(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return guard_fail(err, GUARD_E_SYNTAX, "%s has a bad escape", what);
            byte = high * 16 + low;
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return guard_fail(err, GUARD_E_SYNTAX, "%s has a control character", what);
        if (len == max)
            return guard_fail(err, GUARD_E_LIMIT, "%s has more than %zu bytes", what, max);
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return GUARD_OK;
}

/* Cuts off what stands behind the last of these bytes. */
static struct guard_span cut(struct guard_span *text, char at)
{
    const uint8_t *found = text->len > 0 ? memrchr(text->ptr, at, text->len) : NULL;
    if (found == NULL)
        return (struct guard_span){0};
    size_t len = (size_t)(found - text->ptr);
    struct guard_span rest = {found + 1, text->len - len - 1};
    text->len = len;
    return rest;
}

static struct guard_span without_slashes(struct guard_span text)
{
    while (text.len > 0 && text.ptr[0] == '/')
        text = (struct guard_span){text.ptr + 1, text.len - 1};
    while (text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    return text;
}

static enum guard_rc read_type(struct purl *out, struct guard_span *rest, struct guard_err *err)
{
    const uint8_t *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - rest->ptr) : 0;
    if (len == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the package URL needs a type and a name");
    if (len > PURL_TYPE_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "the type has more than %d bytes", PURL_TYPE_MAX);
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = rest->ptr[i];
        bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (!letter && (byte == 0 || strchr("0123456789.+-", byte) == NULL))
            return guard_fail(err, GUARD_E_SYNTAX, "the type has a character that types don't");
        out->type[i] = (char)(letter ? byte | 0x20 : byte);
    }
    out->type[len] = '\0';
    *rest = without_slashes((struct guard_span){rest->ptr + len, rest->len - len});
    return GUARD_OK;
}

/* An '@' before the last slash belongs to a name space that somebody forgot to encode. */
static struct guard_span cut_version(struct guard_span *rest)
{
    const uint8_t *at = rest->len > 0 ? memrchr(rest->ptr, '@', rest->len) : NULL;
    const uint8_t *slash = rest->len > 0 ? memrchr(rest->ptr, '/', rest->len) : NULL;
    return at != NULL && at > rest->ptr && (slash == NULL || slash < at) ? cut(rest, '@')
                                                                         : (struct guard_span){0};
}

enum guard_rc purl_read(struct purl *out, struct guard_span text, struct guard_err *err)
{
    *out = (struct purl){.type = ""};
    if (text.len < 4 || strncasecmp((const char *)text.ptr, "pkg:", 4) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "a package URL begins with \"pkg:\"");
    struct guard_span rest = without_slashes((struct guard_span){text.ptr + 4, text.len - 4});
    (void)cut(&rest, '#');
    (void)cut(&rest, '?');
    GUARD_TRY(read_type(out, &rest, err));
    struct guard_span version = cut_version(&rest);
    rest = without_slashes(rest);
    if (rest.len == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the package URL needs a name");
    GUARD_TRY(decode(out->path, PURL_PATH_MAX, rest, "the package's name", err));
    return decode(out->version, VERSION_BYTES_MAX, version, "the version", err);
}

bool purl_same_package(const struct purl *a, const struct purl *b)
{
    return strcmp(a->type, b->type) == 0 && strcasecmp(a->path, b->path) == 0;
}

enum version_scheme purl_scheme(const struct purl *purl)
{
    static const char *const types[] = {"npm", "cargo", "nuget", "golang", "hex", "pub"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i], purl->type) == 0)
            return VERSION_SEMVER;
    }
    return VERSION_DOTTED;
}
