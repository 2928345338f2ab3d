/* SPDX-License-Identifier: Apache-2.0 */
/* The API's Unix socket: who may connect is decided by its mode, and told by the kernel. */
#ifndef GUARDD_API_LISTENER_H
#define GUARDD_API_LISTENER_H

#include <guard/types.h>

/* The local door, and that for nginx in front of guardd. */
#define API_SOCKET "api.sock"
#define API_FRONT_SOCKET "api-front.sock"

/* Makes STATE/NAME, for its owner alone (0600), or for a group as well (0660). A socket that is
 * left there is replaced: nobody else listens, since guardd has its lock. GUARD_E_IO, GUARD_E_RANGE
 * (no such group). */
GUARD_MUST_USE enum guard_rc listener_open(int *out, const char *state, const char *name,
                                           const char *group, struct guard_err *err);
/* Removes the socket's name; the descriptor is the HTTP library's by then. */
void listener_remove(const char *state, const char *name);
/* The user id of the process at the other end, -1 when the kernel doesn't say. */
int64_t listener_peer(int fd);

#endif
