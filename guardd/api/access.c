/* SPDX-License-Identifier: Apache-2.0 */
/* Rights of roles, and patterns of services. */
#include "access.h"

#include "common/document_members.h"

#include <string.h>

const char *api_right_name(enum api_right right)
{
    static const char *const names[API_RIGHTS] = {
        "", "read", "evidence", "operate", "administer", "report",
    };
    return (unsigned)right < API_RIGHTS ? names[right] : "";
}

#define BIT(right) (1u << (right))

bool api_role_has(enum api_role role, enum api_right right)
{
    static const unsigned rights[API_ROLES] = {
        [API_ROLE_VIEWER] = BIT(API_RIGHT_READ) | BIT(API_RIGHT_EVIDENCE),
        [API_ROLE_OPERATOR] =
            BIT(API_RIGHT_READ) | BIT(API_RIGHT_EVIDENCE) | BIT(API_RIGHT_OPERATE),
        [API_ROLE_ADMIN] = BIT(API_RIGHT_READ) | BIT(API_RIGHT_EVIDENCE) | BIT(API_RIGHT_OPERATE) |
                           BIT(API_RIGHT_ADMINISTER),
        [API_ROLE_REPORTER] = BIT(API_RIGHT_REPORT),
        [API_ROLE_LOCAL] = BIT(API_RIGHT_READ) | BIT(API_RIGHT_EVIDENCE) | BIT(API_RIGHT_OPERATE) |
                           BIT(API_RIGHT_ADMINISTER) | BIT(API_RIGHT_REPORT),
    };
    return (unsigned)role < API_ROLES && (unsigned)right < API_RIGHTS &&
           (rights[role] & BIT(right)) != 0;
}

/* Goes back to the last star only, so that no pattern costs more than their lengths' product. */
static bool matches(const char *pattern, struct guard_span text)
{
    const char *star = NULL;
    size_t at = 0;
    size_t again = 0;
    while (at < text.len) {
        if (*pattern == '*') {
            star = ++pattern;
            again = at;
        } else if (*pattern != '\0' && (uint8_t)*pattern == text.ptr[at]) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star;
            at = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool api_access_unbound(const struct api_access *access)
{
    return access->service_count == 0;
}

bool api_access_covers(const struct api_access *access, struct guard_span service)
{
    if (api_access_unbound(access))
        return true;
    for (uint32_t i = 0; i < access->service_count && service.len > 0; i++) {
        if (matches(access->services[i], service))
            return true;
    }
    return false;
}

bool api_access_covers_line(const struct api_access *access, const struct document_node *line)
{
    const char *service = text_of(line, "service");
    return api_access_covers(access,
                             (struct guard_span){(const uint8_t *)service, strlen(service)});
}
