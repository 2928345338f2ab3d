/* SPDX-License-Identifier: Apache-2.0 */
/* Programs for the kernel, compiled into one object file that a program of ours carries: opened,
 * set up, loaded, attached, and what they share with us. By names: whoever carries an object names
 * its programs, maps and variables. Only the file behind this knows libbpf. */
#ifndef GUARD_COMMON_BPF_KERNEL_OBJECT_H
#define GUARD_COMMON_BPF_KERNEL_OBJECT_H

#include <guard/types.h>

struct kernel_object;
struct bpf_link; /* a program that is attached, as long as it is open in some process */

/* Nothing is asked of the kernel yet. bytes are borrowed for the call. GUARD_E_IO: no object file;
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc kernel_object_open(struct kernel_object **out, struct guard_span bytes,
                                                struct guard_err *err);
/* object may be NULL. Links and rings are closed before. */
void kernel_object_close(struct kernel_object *object);

/* --- before it is loaded --- */

/* A constant of the programs: it has no other value for them. GUARD_E_STATE: there is none of this
 * name and length; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc kernel_object_set(struct kernel_object *object, const char *constant,
                                               const void *value, size_t len,
                                               struct guard_err *err);
/* GUARD_E_STATE: no such map. */
GUARD_MUST_USE enum guard_rc kernel_object_resize(struct kernel_object *object, const char *map,
                                                  uint32_t entries, struct guard_err *err);
/* Whether a program is to be loaded; false for one that isn't there. */
bool kernel_object_wants(const struct kernel_object *object, const char *program);
void kernel_object_want(struct kernel_object *object, const char *program, bool wanted);
void kernel_object_want_only(struct kernel_object *object, const char *program);

/* Loads what is wanted, all or nothing. Returns 0 or the error's number (errno.h): what a kernel
 * refuses is nothing unusual. */
GUARD_MUST_USE int kernel_object_load(struct kernel_object *object);

/* --- once it is loaded --- */

/* A variable that programs read and write, too; lives as long as the object. NULL: there is none of
 * this name and length. */
void *kernel_object_variable(const struct kernel_object *object, const char *name, size_t len);
/* A map's descriptor, the object's own; negative: no such map. */
int kernel_object_map(const struct kernel_object *object, const char *name);

/* Attaches a program where it says it belongs, to a group of the second version's hierarchy, or as
 * an iterator. NULL: refused, errno says why. */
struct bpf_link *kernel_attach(const struct kernel_object *object, const char *program);
struct bpf_link *kernel_attach_group(const struct kernel_object *object, const char *program,
                                     int group);
struct bpf_link *kernel_attach_iterator(const struct kernel_object *object, const char *program);
/* link may be NULL. */
void kernel_detach(struct bpf_link *link);
/* A descriptor to read what the iterator tells, which runs it; the caller's. Negative: errno. */
int kernel_iterate(const struct bpf_link *iterator);

/* Key and value are as long as the map says. */
bool kernel_map_get(int map, const void *key, void *value);
/* Returns 0 or the error's number. */
GUARD_MUST_USE int kernel_map_put(int map, const void *key, const void *value);
void kernel_map_remove(int map, const void *key);

typedef void kernel_ring_handler(void *ctx, const void *data, size_t len);
struct kernel_ring;
/* GUARD_E_IO: no such map, or it can't be mapped; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc kernel_ring_open(struct kernel_ring **out,
                                              const struct kernel_object *object, const char *map,
                                              kernel_ring_handler *handler, void *ctx,
                                              struct guard_err *err);
/* ring may be NULL. */
void kernel_ring_close(struct kernel_ring *ring);
/* Readable when something waits. */
int kernel_ring_fd(const struct kernel_ring *ring);
/* Hands over what waits. */
void kernel_ring_read(struct kernel_ring *ring);

/* That the machine may have: values of maps by processor are so many. At least 1; 0: not known. */
uint32_t kernel_processors(void);

#endif
