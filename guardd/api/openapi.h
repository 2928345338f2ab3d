/* SPDX-License-Identifier: Apache-2.0 */
/* docs/api/openapi.yaml, compiled in, so that what is served is of this very program. */
#ifndef GUARDD_API_OPENAPI_H
#define GUARDD_API_OPENAPI_H

#include <stddef.h>

extern const unsigned char api_openapi_text[];
extern const size_t api_openapi_len;

#endif
