/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and compares entity tags. */
#include "guardian_tag.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <string.h>

void guardian_tag(struct guard_span text, char out[GUARDIAN_TAG_CAP])
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest(digest, text);
    for (size_t i = 0; i < (GUARDIAN_TAG_CAP - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static bool is_tag(const char *text, size_t len, const char *tag)
{
    static const char form[] = "-yaml";
    size_t tag_len = strlen(tag);
    return len >= tag_len && memcmp(text, tag, tag_len) == 0 &&
           (len == tag_len || (len == tag_len + sizeof(form) - 1 &&
                               memcmp(text + tag_len, form, sizeof(form) - 1) == 0));
}

bool guardian_tag_named(const char *header, const char *tag)
{
    if (strcmp(header, "*") == 0)
        return true;
    for (const char *at = header; *at != '\0';) {
        bool weak = strncmp(at, "W/", 2) == 0;
        at += weak ? 2 : 0;
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (end == NULL)
            return false;
        if (!weak && is_tag(at + 1, (size_t)(end - at - 1), tag))
            return true;
        at = end + 1;
        at += strspn(at, " \t,");
    }
    return false;
}
