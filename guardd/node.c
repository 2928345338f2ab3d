/* SPDX-License-Identifier: Apache-2.0 */
/* Names positions in rings and transactions in a shared database; kept for the life of the
 * directory, as the rings are. */
#include "node.h"

#include "common/file.h"
#include "common/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum guard_rc make_name(char out[NODE_NAME_CAP], const char *path, struct guard_err *err)
{
    uint64_t number;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness for a name");
    snprintf(out, NODE_NAME_CAP, "%016" PRIx64, number);
    return file_replace(path, (struct guard_span){(const uint8_t *)out, NODE_NAME_CAP - 1}, 0640,
                        true, err);
}

enum guard_rc node_name(char out[NODE_NAME_CAP], const char *state, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *text = NULL;
    size_t len = 0;
    if (state_path(path, state, "", (struct guard_span){NULL, 0}, "node.id") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", state);
    enum guard_rc rc = file_read(path, 64, &text, &len, err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        return make_name(out, path, err);
    GUARD_TRY(rc);
    bool good = len >= NODE_NAME_CAP - 1 &&
                strspn((const char *)text, "0123456789abcdef") == NODE_NAME_CAP - 1;
    if (good)
        snprintf(out, NODE_NAME_CAP, "%.16s", (const char *)text);
    free(text);
    return good ? GUARD_OK
                : guard_fail(err, GUARD_E_SYNTAX, "%s: must be 16 hexadecimal digits", path);
}
