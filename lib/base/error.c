/* SPDX-License-Identifier: Apache-2.0 */
/* Names of return codes, and the one way to describe a failure. */
#include <guard/error.h>

#include <stdio.h>

const char *guard_rc_name(enum guard_rc rc)
{
    switch (rc) {
    case GUARD_OK:
        return "GUARD_OK";
    case GUARD_E_NOMEM:
        return "GUARD_E_NOMEM";
    case GUARD_E_LIMIT:
        return "GUARD_E_LIMIT";
    case GUARD_E_SYNTAX:
        return "GUARD_E_SYNTAX";
    case GUARD_E_RANGE:
        return "GUARD_E_RANGE";
    case GUARD_E_STATE:
        return "GUARD_E_STATE";
    case GUARD_E_VERSION:
        return "GUARD_E_VERSION";
    case GUARD_E_CHECKSUM:
        return "GUARD_E_CHECKSUM";
    case GUARD_E_SIGNATURE:
        return "GUARD_E_SIGNATURE";
    case GUARD_E_FOREIGN:
        return "GUARD_E_FOREIGN";
    case GUARD_E_REPLAY:
        return "GUARD_E_REPLAY";
    case GUARD_E_OVERLAP:
        return "GUARD_E_OVERLAP";
    case GUARD_E_IO:
        return "GUARD_E_IO";
    }
    return "GUARD_E_UNKNOWN";
}

enum guard_rc guard_fail(struct guard_err *err, enum guard_rc rc, const char *format, ...)
{
    if (err == NULL)
        return rc;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    if (len < 0)
        err->text[0] = '\0';
    for (char *at = err->text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    return rc;
}
