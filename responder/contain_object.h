/* SPDX-License-Identifier: Apache-2.0 */
/* What bpf/contain.bpf.c was compiled to, as bytes: the build makes them. */
#ifndef RESPONDER_CONTAIN_OBJECT_H
#define RESPONDER_CONTAIN_OBJECT_H

#include <stddef.h>

extern const unsigned char contain_object_bytes[];
extern const size_t contain_object_len;

#endif
