/* SPDX-License-Identifier: Apache-2.0 */
/* A table of cells that are taken once and never given back: most patches are never tried, because
 * the scan finds no sign of them. Which cell is a patch's is looked for once per policy. */
#include "patch_costs.h"

#include "overhead.h"

#include "common/json_writer.h"

#include <guard/crypto.h>

enum {
    CELLS = 2 * GATE_PATCH_COSTS_MAX, /* so that a look is short */
    NOT_LOOKED = 0,
    NO_ROOM = UINT32_MAX,
    LINE_MIN = 64,
};

struct cell {
    ngx_atomic_t key; /* of service and patch; 0: free */
    ngx_atomic_t tried;
    ngx_atomic_t hits;
    ngx_atomic_t bytes;
    ngx_atomic_t timed; /* of tried */
    ngx_atomic_t ns;    /* of timed */
};

struct table {
    ngx_atomic_t count;
    struct cell cells[CELLS];
};

static struct table *table;          /* NULL: nothing is counted */
static struct gate_service *current; /* of the present call of libguard; NULL: isn't counted */

static uint64_t clock_of(void *ctx)
{
    (void)ctx;
    return gate_overhead_now_ns();
}

static void on_told(void *ctx, const struct guard_patch_cost *cost);

static struct guard_patch_meter meter = {.told = on_told};

static ngx_int_t init_zone(ngx_shm_zone_t *made, void *data)
{
    if (data == NULL) {
        data = ngx_slab_calloc((ngx_slab_pool_t *)made->shm.addr, sizeof(struct table));
        if (data == NULL)
            return NGX_ERROR;
    }
    made->data = data; /* kept over a reload */
    return NGX_OK;
}

ngx_int_t gate_patch_costs_add(ngx_conf_t *cf, gate_main_conf_t *conf)
{
    static ngx_str_t name = ngx_string("guard_patch_costs");
    size_t size = sizeof(struct table) + sizeof(struct table) / 64 + 16 * ngx_pagesize;
    conf->patch_costs =
        ngx_shared_memory_add(cf, &name, ngx_align(size, ngx_pagesize), &ngx_http_guard_module);
    if (conf->patch_costs == NULL)
        return NGX_ERROR;
    conf->patch_costs->init = init_zone;
    return NGX_OK;
}

void gate_patch_costs_attach(void)
{
    const ngx_shm_zone_t *zone = gate_worker.conf->patch_costs;
    table = zone != NULL ? zone->data : NULL;
}

static uint64_t key_of(const struct gate_service *service, struct guard_span patch)
{
    uint64_t key = guard_checksum(guard_checksum(0, service->name), patch);
    return key != 0 ? key : 1;
}

/* NULL: there is none, or no room for it. */
static struct cell *find(uint64_t key, bool take)
{
    for (size_t at = key % CELLS, i = 0; i < CELLS; i++, at = (at + 1) % CELLS) {
        struct cell *cell = &table->cells[at];
        if (cell->key == 0 && take && table->count < GATE_PATCH_COSTS_MAX &&
            ngx_atomic_cmp_set(&cell->key, 0, key))
            (void)ngx_atomic_fetch_add(&table->count, 1);
        if (cell->key == key)
            return cell;
        if (cell->key == 0)
            return NULL;
    }
    return NULL;
}

static struct cell *cell_of(struct gate_service *service, uint32_t index)
{
    struct guard_span id;
    if (service->patch_cells == NULL || index >= service->patch_count)
        return NULL;
    uint32_t *known = &service->patch_cells[index];
    if (*known == NOT_LOOKED) {
        struct cell *cell = guard_policy_patch(service->policy, index, &id)
                                ? find(key_of(service, id), true)
                                : NULL;
        *known = cell != NULL ? (uint32_t)(cell - table->cells) + 1 : NO_ROOM;
    }
    return *known != NO_ROOM ? &table->cells[*known - 1] : NULL;
}

static void on_told(void *ctx, const struct guard_patch_cost *cost)
{
    struct cell *cell = current != NULL ? cell_of(current, cost->index) : NULL;
    (void)ctx;
    if (cell == NULL)
        return;
    (void)ngx_atomic_fetch_add(&cell->tried, 1);
    (void)ngx_atomic_fetch_add(&cell->bytes, (ngx_atomic_int_t)cost->bytes);
    if (cost->hit)
        (void)ngx_atomic_fetch_add(&cell->hits, 1);
    if (meter.clock == NULL)
        return;
    (void)ngx_atomic_fetch_add(&cell->timed, 1);
    (void)ngx_atomic_fetch_add(&cell->ns, (ngx_atomic_int_t)cost->time);
}

const struct guard_patch_meter *gate_patch_costs_meter(void)
{
    return &meter;
}

/* Which cells are a policy's is known of the one in force only: exchanges of the one before aren't
 * counted. */
void gate_patch_costs_begin(const gate_exchange_t *exchange)
{
    struct gate_service *service = exchange->service;
    current = NULL;
    if (table == NULL || service->policy == NULL || exchange->policy != service->policy)
        return;
    if (service->patch_cells == NULL) {
        struct guard_policy_info info;
        guard_policy_info(service->policy, &info);
        if (info.patches == 0)
            return;
        service->patch_cells = calloc(info.patches, sizeof(*service->patch_cells));
        service->patch_count = service->patch_cells != NULL ? info.patches : 0;
    }
    current = service;
    meter.clock = exchange->measured ? clock_of : NULL;
}

void gate_patch_costs_forget(struct gate_service *service)
{
    free(service->patch_cells);
    service->patch_cells = NULL;
    service->patch_count = 0;
    if (current == service)
        current = NULL;
}

void gate_patch_costs_detach(void)
{
    for (size_t i = 0; i < gate_worker.service_count; i++)
        gate_patch_costs_forget(&gate_worker.services[i]);
    table = NULL;
}

size_t gate_patch_costs_count(void)
{
    return table != NULL ? ngx_min((size_t)table->count, (size_t)GATE_PATCH_COSTS_MAX) : 0;
}

static size_t tell(const struct gate_service *service, struct guard_span patch,
                   const struct cell *cell, char *out, size_t room)
{
    struct json_writer json;
    if (room < LINE_MIN)
        return 0;
    json_writer_init(&json, out, room - 1);
    json_open(&json, NULL, '{');
    json_string(&json, "costs_of", service->name);
    json_string(&json, "patch", patch);
    json_integer(&json, "tried", (int64_t)cell->tried);
    json_integer(&json, "held", (int64_t)cell->hits);
    json_integer(&json, "bytes", (int64_t)cell->bytes);
    json_integer(&json, "timed", (int64_t)cell->timed);
    json_integer(&json, "timed_ns", (int64_t)cell->ns);
    json_close(&json, '}');
    if (json.overflow)
        return 0;
    out[json.len] = '\n';
    return json.len + 1;
}

size_t gate_patch_costs_tell(const struct gate_service *service, char *out, size_t room)
{
    struct guard_span id;
    size_t len = 0;
    if (gate_patch_costs_count() == 0 || service->policy == NULL)
        return 0;
    for (uint32_t i = 0; guard_policy_patch(service->policy, i, &id); i++) {
        const struct cell *cell = find(key_of(service, id), false);
        if (cell != NULL)
            len += tell(service, id, cell, out + len, room - len);
    }
    return len;
}
