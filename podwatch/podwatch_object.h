/* SPDX-License-Identifier: Apache-2.0 */
/* What bpf/podwatch.bpf.c was compiled to, as bytes: the build makes them. */
#ifndef PODWATCH_PODWATCH_OBJECT_H
#define PODWATCH_PODWATCH_OBJECT_H

#include <stddef.h>

extern const unsigned char podwatch_object_bytes[];
extern const size_t podwatch_object_len;

#endif
