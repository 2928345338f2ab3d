/* SPDX-License-Identifier: Apache-2.0 */
/* The file that knows libbpf. Constants and variables are found by the names that the object's own
 * description of its types has (BTF), so no header has to be made of an object. */
#include "common/bpf/kernel_object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PROCESSORS_MAX = 4096 };

static const char constants[] = ".rodata";
/* With an initial value, and zeros. */
static const char *const variables[] = {".data", ".bss"};
enum { VARIABLES = sizeof(variables) / sizeof(variables[0]) };

struct memory {
    uint8_t *bytes; /* NULL: the object has none */
    size_t len;
};

struct kernel_object {
    struct bpf_object *object;
    struct memory shared[VARIABLES]; /* once it is loaded */
};

struct kernel_ring {
    struct ring_buffer *ring;
    kernel_ring_handler *handler;
    void *ctx;
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

enum guard_rc kernel_object_open(struct kernel_object **out, struct guard_span bytes,
                                 struct guard_err *err)
{
    struct kernel_object *object = calloc(1, sizeof(*object));
    *out = NULL;
    if (object == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    libbpf_set_print(quiet);
    object->object = bpf_object__open_mem(bytes.ptr, bytes.len, NULL);
    if (object->object == NULL) {
        int error = errno;
        free(object);
        return guard_fail(err, error == ENOMEM ? GUARD_E_NOMEM : GUARD_E_IO,
                          "programs can't be opened: %s", strerror(error));
    }
    *out = object;
    return GUARD_OK;
}

void kernel_object_close(struct kernel_object *object)
{
    if (object == NULL)
        return;
    for (size_t i = 0; i < VARIABLES; i++) {
        if (object->shared[i].bytes != NULL)
            (void)munmap(object->shared[i].bytes, object->shared[i].len);
    }
    bpf_object__close(object->object);
    free(object);
}

/* --- before it is loaded --- */

/* Where in the section it is. */
static bool find_variable(const struct bpf_object *object, const char *section, const char *name,
                          size_t len, size_t *at)
{
    const struct btf *types = bpf_object__btf(object);
    int id = types != NULL ? btf__find_by_name_kind(types, section, BTF_KIND_DATASEC) : -1;
    const struct btf_type *list = id > 0 ? btf__type_by_id(types, (uint32_t)id) : NULL;
    for (uint32_t i = 0; list != NULL && i < btf_vlen(list); i++) {
        const struct btf_var_secinfo *place = btf_var_secinfos(list) + i;
        const struct btf_type *variable = btf__type_by_id(types, place->type);
        const char *has = variable != NULL ? btf__name_by_offset(types, variable->name_off) : NULL;
        *at = place->offset;
        if (has != NULL && strcmp(has, name) == 0)
            return place->size == len;
    }
    return false;
}

/* All constants are handed over at once. Returns 0 or the error's number. */
static int put_constant(struct bpf_map *map, size_t at, const void *value, size_t len)
{
    size_t size = 0;
    const uint8_t *before = bpf_map__initial_value(map, &size);
    if (before == NULL || at > size || len > size - at)
        return EINVAL;
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        return ENOMEM;
    memcpy(bytes, before, size);
    memcpy(bytes + at, value, len);
    int error = -bpf_map__set_initial_value(map, bytes, size);
    free(bytes);
    return error;
}

enum guard_rc kernel_object_set(struct kernel_object *object, const char *constant,
                                const void *value, size_t len, struct guard_err *err)
{
    struct bpf_map *map = bpf_object__find_map_by_name(object->object, constants);
    size_t at = 0;
    if (map == NULL || !find_variable(object->object, constants, constant, len, &at))
        return guard_fail(err, GUARD_E_STATE, "the programs have no constant %s of %zu bytes",
                          constant, len);
    int error = put_constant(map, at, value, len);
    return error == 0 ? GUARD_OK
                      : guard_fail(err, error == ENOMEM ? GUARD_E_NOMEM : GUARD_E_STATE,
                                   "the constant %s can't be set: %s", constant, strerror(error));
}

enum guard_rc kernel_object_resize(struct kernel_object *object, const char *map, uint32_t entries,
                                   struct guard_err *err)
{
    struct bpf_map *found = bpf_object__find_map_by_name(object->object, map);
    if (found == NULL || bpf_map__set_max_entries(found, entries) != 0)
        return guard_fail(err, GUARD_E_STATE, "the programs have no map %s of %u entries", map,
                          entries);
    return GUARD_OK;
}

static struct bpf_program *find_program(const struct kernel_object *object, const char *name)
{
    return bpf_object__find_program_by_name(object->object, name);
}

bool kernel_object_wants(const struct kernel_object *object, const char *program)
{
    const struct bpf_program *found = find_program(object, program);
    return found != NULL && bpf_program__autoload(found);
}

void kernel_object_want(struct kernel_object *object, const char *program, bool wanted)
{
    struct bpf_program *found = find_program(object, program);
    if (found != NULL)
        (void)bpf_program__set_autoload(found, wanted);
}

void kernel_object_want_only(struct kernel_object *object, const char *program)
{
    struct bpf_program *one;
    bpf_object__for_each_program(one, object->object)(void)
        bpf_program__set_autoload(one, strcmp(bpf_program__name(one), program) == 0);
}

/* --- loading --- */

static int share(struct kernel_object *object)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        const struct bpf_map *map = bpf_object__find_map_by_name(object->object, variables[i]);
        if (map == NULL)
            continue;
        size_t len = bpf_map__value_size(map);
        void *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
        if (bytes == MAP_FAILED)
            return errno;
        object->shared[i] = (struct memory){bytes, len};
    }
    return 0;
}

int kernel_object_load(struct kernel_object *object)
{
    int error = -bpf_object__load(object->object);
    return error != 0 ? error : share(object);
}

/* --- once it is loaded --- */

void *kernel_object_variable(const struct kernel_object *object, const char *name, size_t len)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        const struct memory *memory = &object->shared[i];
        size_t at = 0;
        if (memory->bytes != NULL && find_variable(object->object, variables[i], name, len, &at) &&
            at <= memory->len && len <= memory->len - at)
            return memory->bytes + at;
    }
    return NULL;
}

int kernel_object_map(const struct kernel_object *object, const char *name)
{
    return bpf_object__find_map_fd_by_name(object->object, name);
}

struct bpf_link *kernel_attach(const struct kernel_object *object, const char *program)
{
    const struct bpf_program *found = find_program(object, program);
    return found != NULL ? bpf_program__attach(found) : NULL;
}

struct bpf_link *kernel_attach_group(const struct kernel_object *object, const char *program,
                                     int group)
{
    const struct bpf_program *found = find_program(object, program);
    return found != NULL ? bpf_program__attach_cgroup(found, group) : NULL;
}

struct bpf_link *kernel_attach_iterator(const struct kernel_object *object, const char *program)
{
    const struct bpf_program *found = find_program(object, program);
    return found != NULL ? bpf_program__attach_iter(found, NULL) : NULL;
}

void kernel_detach(struct bpf_link *link)
{
    (void)bpf_link__destroy(link);
}

int kernel_iterate(const struct bpf_link *iterator)
{
    return bpf_iter_create(bpf_link__fd(iterator));
}

bool kernel_map_get(int map, const void *key, void *value)
{
    return bpf_map_lookup_elem(map, key, value) == 0;
}

int kernel_map_put(int map, const void *key, const void *value)
{
    return -bpf_map_update_elem(map, key, value, BPF_ANY);
}

void kernel_map_remove(int map, const void *key)
{
    (void)bpf_map_delete_elem(map, key);
}

/* --- the ring --- */

static int hand_over(void *ctx, void *data, size_t len)
{
    const struct kernel_ring *ring = ctx;
    ring->handler(ring->ctx, data, len);
    return 0;
}

enum guard_rc kernel_ring_open(struct kernel_ring **out, const struct kernel_object *object,
                               const char *map, kernel_ring_handler *handler, void *ctx,
                               struct guard_err *err)
{
    struct kernel_ring *ring = calloc(1, sizeof(*ring));
    *out = NULL;
    if (ring == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    *ring = (struct kernel_ring){.handler = handler, .ctx = ctx};
    ring->ring = ring_buffer__new(kernel_object_map(object, map), hand_over, ring, NULL);
    if (ring->ring == NULL) {
        int error = errno;
        free(ring);
        return guard_fail(err, GUARD_E_IO, "the ring %s can't be mapped: %s", map, strerror(error));
    }
    *out = ring;
    return GUARD_OK;
}

void kernel_ring_close(struct kernel_ring *ring)
{
    if (ring == NULL)
        return;
    ring_buffer__free(ring->ring);
    free(ring);
}

int kernel_ring_fd(const struct kernel_ring *ring)
{
    return ring_buffer__epoll_fd(ring->ring);
}

void kernel_ring_read(struct kernel_ring *ring)
{
    (void)ring_buffer__consume(ring->ring);
}

uint32_t kernel_processors(void)
{
    int count = libbpf_num_possible_cpus();
    return count > 0 && count <= PROCESSORS_MAX ? (uint32_t)count : 0;
}
