/* SPDX-License-Identifier: Apache-2.0 */
/* The overwrite ring through which a gate's worker hands records to guardd: a file that the worker
 * maps and owns, and that guardd only reads. The writer reads nothing shared and never waits; the
 * reader treats the content as hostile, detects laps by positions and counts what it lost by
 * sequence numbers. docs/internals/ring.md is its specification. */
#ifndef GUARD_COMMON_RING_H
#define GUARD_COMMON_RING_H

#include <guard/types.h>

struct ring_writer;
/* Claims a slot "<name>-<n>" of dir by a file lock held for the process's life, makes or
 * re-initialises its file with a new incarnation: the slot that was left for the longest time, at
 * least RING_IDLE_MS so that its records could be read, else a new one. capacity: bytes, a power of
 * two, 64 KiB..64 MiB. incarnation: the time in µs; raised above the one in the file. suffix
 * ".ring" or ".alerts". GUARD_E_IO (also when all slots are taken), GUARD_E_RANGE, GUARD_E_NOMEM.
 */
enum { RING_IDLE_MS = 10000 };
GUARD_MUST_USE enum guard_rc ring_writer_open(struct ring_writer **out, const char *dir,
                                              const char *name, const char *suffix, size_t capacity,
                                              uint64_t incarnation, struct guard_err *err);
void ring_writer_close(struct ring_writer *writer);
/* Copies one record (1..capacity/4 bytes). No system call. A file that was truncated under us is
 * survived (the mapping is replaced by private memory and ring_writer_broken tells). Returns its
 * sequence number, 0 when it didn't fit. */
uint64_t ring_writer_put(struct ring_writer *writer, struct guard_span record);
bool ring_writer_broken(const struct ring_writer *writer);
/* Twice a second or so: notes that the owner lives, and looks whether the file is still the one
 * that readers find and has its size and head; otherwise the writer becomes broken. Two system
 * calls. */
void ring_writer_touch(struct ring_writer *writer, uint64_t unix_ms);
uint64_t ring_writer_producer(const struct ring_writer *writer);
uint64_t ring_writer_incarnation(const struct ring_writer *writer);
uint64_t ring_writer_sequence(const struct ring_writer *writer); /* of the last record */

struct ring_reader;
/* Opens for reading only, by pread: a truncated file can't kill the reader. GUARD_E_VERSION,
 * GUARD_E_SYNTAX, GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc ring_reader_open(struct ring_reader **out, const char *path,
                                              struct guard_err *err);
void ring_reader_close(struct ring_reader *reader);
uint64_t ring_reader_producer(const struct ring_reader *reader);
uint64_t
ring_reader_incarnation(const struct ring_reader *reader); /* as of the last ring_reader_next */
/* Goes on after this sequence (0: from the oldest that is still there), if the incarnation is still
 * that one. */
void ring_reader_seek(struct ring_reader *reader, uint64_t incarnation, uint64_t sequence);
/* The next record: *record points into the reader until the next call. GUARD_E_STATE: nothing new.
 * GUARD_E_SYNTAX: a hostile or torn frame or head; the reader resumes at the writer's position and
 * counts (said once as long as the head stays bad). A new incarnation begins at its first record.
 * Each call does bounded work. */
GUARD_MUST_USE enum guard_rc ring_reader_next(struct ring_reader *reader, struct guard_span *record,
                                              uint64_t *sequence, struct guard_err *err);
/* Whether the file was removed: nothing more will come. One system call. */
bool ring_reader_gone(const struct ring_reader *reader);
struct ring_reader_stats {
    uint64_t records;
    uint64_t lost;    /* overwritten before they were read */
    uint64_t hostile; /* frames that can't be what a writer wrote */
};
/* Bytes that the writer committed and that weren't read yet; 0 when that can't be told. */
uint64_t ring_reader_lag(const struct ring_reader *reader);
void ring_reader_stats(const struct ring_reader *reader, struct ring_reader_stats *out);

#endif
