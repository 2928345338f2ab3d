/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines of a log an answer is about: the same for its pages and for their index. */
#ifndef GUARDD_API_LOGS_H
#define GUARDD_API_LOGS_H

#include "api.h"

/* The parameters service, action, client, id, since and until into the request's scan, which begins
 * at `cursor`, or behind the newest line of the file. newest: the place behind that one. False
 * after a problem. */
bool logs_begin(const struct api *api, struct api_request *request, struct api_response *response,
                const char *file, char newest[LOG_POSITION_CAP]);
/* The line as a document in the arena, which is begun here and reset by the caller either way.
 * False: it is damaged, of a service of others, or doesn't have the id that was asked for. */
bool logs_line(const struct api_request *request, struct guard_span line, struct document *out,
               struct guard_arena *arena);
/* The same of its text alone, a hundred times as fast: a line that is damaged within counts as
 * whole. */
bool logs_line_text(const struct api_request *request, struct guard_span line);

#endif
