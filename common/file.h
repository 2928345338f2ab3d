/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, safely: bounded reading, replacing by rename so that no reader ever sees a half. */
#ifndef GUARD_COMMON_FILE_H
#define GUARD_COMMON_FILE_H

#include <guard/types.h>

/* malloc and free as a guard_alloc. */
struct guard_alloc heap_alloc(void);

/* *out is malloc'd with a NUL behind *len bytes; the caller frees. GUARD_E_LIMIT above max;
 * GUARD_E_IO with the path and the system's words in err (errno stays set). */
GUARD_MUST_USE enum guard_rc file_read(const char *path, size_t max, uint8_t **out, size_t *len,
                                       struct guard_err *err);
/* The same of a folder that others write into, for whose files the reader has rights that they may
 * not have: a link, a file with a second name, a pipe or a device is refused. *info is of what was
 * read. */
struct stat;
GUARD_MUST_USE enum guard_rc file_read_plain(const char *path, size_t max, uint8_t **out,
                                             size_t *len, struct stat *info, struct guard_err *err);
/* Writes a new temporary file beside it, fsyncs it and the folder when durable, renames. */
GUARD_MUST_USE enum guard_rc file_replace(const char *path, struct guard_span bytes, unsigned mode,
                                          bool durable, struct guard_err *err);
/* Appends one line (a '\n' is added) in one write. Behind a line that somebody was killed while
 * writing it begins a new one. */
GUARD_MUST_USE enum guard_rc file_append_line(const char *path, struct guard_span line,
                                              struct guard_err *err);
/* When the file has max bytes or more it becomes PATH.1, the older ones .2 up to .older. */
void file_rotate(const char *path, uint64_t max, unsigned older);
/* From the kernel; GUARD_E_IO when it has none. */
GUARD_MUST_USE enum guard_rc random_bytes(void *out, size_t len);
uint64_t clock_unix_ms(void);
/* "2026-01-31T09:15:00.250Z" (RFC 3339). False for what no clock says: before 1970, after the year
 * 30000, no number. */
enum { CLOCK_TEXT_MAX = 48 };
bool clock_text(char out[CLOCK_TEXT_MAX], double unix_ms);
/* For intervals: milliseconds of a clock that nobody sets. */
uint64_t clock_monotonic_ms(void);

#endif
