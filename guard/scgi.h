/* SPDX-License-Identifier: Apache-2.0 */
/* One request of nginx's over SCGI at a time: nginx has read it wholly before, and takes the answer
 * whatever its client does. */
#ifndef GUARD_CLI_SCGI_H
#define GUARD_CLI_SCGI_H

#include <guard/types.h>

/* A socket that nginx alone may connect to. -1 with errno set. */
int scgi_listen(const char *path);
/* The body of the request that waits on the connection, malloc'd; false when it is none, has more
 * than max bytes, or doesn't come within wait_ms. */
bool scgi_read(int fd, size_t max, int wait_ms, uint8_t **body, size_t *len);
/* An answer of JSON with this status. */
void scgi_answer(int fd, int status, struct guard_span body);

#endif
