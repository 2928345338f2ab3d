/* SPDX-License-Identifier: Apache-2.0 */
/* The counters' memory: a table of services, and a row of cells for each place that nginx's master
 * has for a process. A worker writes its own row only; the next one in its place counts on. Reloads
 * keep the table; where it must grow, what was counted so far goes into a row that has no worker.
 */
#include "counters.h"

#include "common/file.h"

enum {
    TABLE_VERSION = 3,
    ROWS = 512, /* of nginx's 1,024 places; a worker beyond counts for itself */
    SERVICES_MIN = 64,
    NAME_MAX_BYTES = 64,
};

enum row_state { ROW_UNUSED = 0, ROW_LEFT = 1, ROW_RUNNING = 2, ROW_LEAVING = 3 };

struct service_name {
    uint8_t len;
    u_char text[NAME_MAX_BYTES];
};

struct counter_table {
    uint32_t version;
    uint32_t capacity; /* services */
    volatile uint32_t services;
    uint64_t id;                     /* never 0 */
    volatile uint64_t told_ms;       /* Unix time; of the last report */
    volatile uint8_t rows[ROWS + 1]; /* the last one is of what was before */
    /* Then names[capacity], then cells[ROWS + 1][capacity][GATE_CELLS]. */
};

static const char *const names[GATE_COUNT_MAX] = {
    [GATE_COUNT_EXCHANGES] = "exchanges",
    [GATE_COUNT_DECIDED_PASS] = "decided_pass",
    [GATE_COUNT_DECIDED_ALERT] = "decided_alert",
    [GATE_COUNT_DECIDED_BLOCK] = "decided_block",
    [GATE_COUNT_DONE_PASS] = "done_pass",
    [GATE_COUNT_DONE_ALERT] = "done_alert",
    [GATE_COUNT_DONE_BLOCK] = "done_block",
    [GATE_COUNT_BYPASSED] = "bypassed",
    [GATE_COUNT_EXEMPT] = "exempt",
    [GATE_COUNT_WITHDRAWN] = "withdrawn",
    [GATE_COUNT_WITHOUT_POLICY] = "without_policy",
    [GATE_COUNT_NOT_INSPECTED] = "not_inspected",
    [GATE_COUNT_NOT_INSPECTED_MEMORY] = "not_inspected_memory",
    [GATE_COUNT_NOT_INSPECTED_FILE] = "not_inspected_file",
    [GATE_COUNT_RESPONSES] = "responses",
    [GATE_COUNT_RESPONSES_HELD] = "responses_held",
    [GATE_COUNT_RELEASED_SIZE] = "released_size",
    [GATE_COUNT_RELEASED_TIME] = "released_time",
    [GATE_COUNT_RELEASED_BUDGET] = "released_budget",
    [GATE_COUNT_RESPONSES_REPLACED] = "responses_replaced",
    [GATE_COUNT_RESPONSES_ABORTED] = "responses_aborted",
    [GATE_COUNT_HOLD_BYTES] = "hold_bytes",
    [GATE_COUNT_DECODER_FAILURES] = "decoder_failures",
    [GATE_COUNT_STREAMS] = "streams",
    [GATE_COUNT_STREAMS_ABORTED] = "streams_aborted",
    [GATE_COUNT_WEBSOCKETS] = "websockets",
    [GATE_COUNT_WEBSOCKETS_ABORTED] = "websockets_aborted",
    [GATE_COUNT_UPGRADES_OPAQUE] = "upgrades_opaque",
    [GATE_COUNT_LATE] = "late",
    [GATE_COUNT_LATE_CUT] = "late_cut",
    [GATE_COUNT_LATE_SPARED] = "late_spared",
    [GATE_COUNT_RECORDS] = "records",
    [GATE_COUNT_RECORDS_LOST] = "records_lost",
    [GATE_COUNT_ALERTS] = "alerts",
    [GATE_COUNT_ALERTS_SUPPRESSED] = "alerts_suppressed",
    [GATE_COUNT_ALERTS_LOST] = "alerts_lost",
    [GATE_COUNT_CANARIES] = "canaries",
    [GATE_COUNT_OVERHEAD] = "overhead_10us",
    [GATE_COUNT_OVERHEAD + 1] = "overhead_25us",
    [GATE_COUNT_OVERHEAD + 2] = "overhead_50us",
    [GATE_COUNT_OVERHEAD + 3] = "overhead_100us",
    [GATE_COUNT_OVERHEAD + 4] = "overhead_250us",
    [GATE_COUNT_OVERHEAD + 5] = "overhead_500us",
    [GATE_COUNT_OVERHEAD + 6] = "overhead_1ms",
    [GATE_COUNT_OVERHEAD + 7] = "overhead_2500us",
    [GATE_COUNT_OVERHEAD + 8] = "overhead_10ms",
    [GATE_COUNT_OVERHEAD + 9] = "overhead_more",
    [GATE_COUNT_OVERHEAD_NS] = "overhead_ns",
};

static struct counter_table *table; /* in workers; NULL: each counts for itself */
static uint64_t *own;               /* where it does then */
static ngx_uint_t own_row;

const char *gate_count_name(enum gate_count which)
{
    return names[which];
}

static struct service_name *names_of(struct counter_table *of)
{
    return (struct service_name *)((u_char *)of + ngx_align(sizeof(*of), 64));
}

static uint64_t *row_of(struct counter_table *of, ngx_uint_t row)
{
    size_t before =
        ngx_align(sizeof(*of), 64) + ngx_align(of->capacity * sizeof(struct service_name), 64);
    return (uint64_t *)((u_char *)of + before) + row * of->capacity * GATE_CELLS;
}

static size_t table_bytes(size_t capacity)
{
    return ngx_align(sizeof(struct counter_table), 64) +
           ngx_align(capacity * sizeof(struct service_name), 64) +
           (ROWS + 1) * capacity * GATE_CELLS * sizeof(uint64_t);
}

static ngx_int_t find_name(struct counter_table *in, struct guard_span name)
{
    const struct service_name *known = names_of(in);
    for (ngx_uint_t i = 0; i < in->services; i++) {
        if (known[i].len == name.len && ngx_memcmp(known[i].text, name.ptr, name.len) == 0)
            return (ngx_int_t)i;
    }
    return NGX_ERROR;
}

static struct guard_span service_name(const gate_main_conf_t *conf, ngx_uint_t i)
{
    const ngx_str_t *text = (const ngx_str_t *)conf->services.elts + i;
    return (struct guard_span){text->data, text->len};
}

/* Others may be reading: what is new counts when it is complete. */
static void register_services(struct counter_table *in, const gate_main_conf_t *conf)
{
    for (ngx_uint_t i = 0; i < conf->services.nelts; i++) {
        struct guard_span name = service_name(conf, i);
        if (find_name(in, name) != NGX_ERROR || in->services == in->capacity)
            continue;
        struct service_name *added = &names_of(in)[in->services];
        added->len = (uint8_t)name.len;
        ngx_memcpy(added->text, name.ptr, name.len);
        in->services++;
    }
}

static void sum_rows(struct counter_table *from, ngx_uint_t service, uint64_t out[])
{
    ngx_memzero(out, GATE_COUNT_MAX * sizeof(out[0]));
    for (ngx_uint_t row = 0; row <= ROWS; row++) {
        if (from->rows[row] == ROW_UNUSED)
            continue; /* not even looked at: it has no memory yet */
        const volatile uint64_t *cells = row_of(from, row) + service * GATE_CELLS;
        for (int which = 0; which < GATE_COUNT_MAX; which++) {
            if (!gate_count_is_gauge(which) || from->rows[row] != ROW_LEFT)
                out[which] += cells[which];
        }
    }
}

static void take_over(struct counter_table *into, struct counter_table *from)
{
    uint64_t *row = row_of(into, ROWS);
    ngx_memzero(row, into->capacity * GATE_CELLS * sizeof(row[0]));
    for (ngx_uint_t i = 0; i < into->services; i++) {
        const struct service_name *name = &names_of(into)[i];
        ngx_int_t before = find_name(from, (struct guard_span){name->text, name->len});
        if (before != NGX_ERROR)
            sum_rows(from, (ngx_uint_t)before, row + i * GATE_CELLS);
    }
    into->rows[ROWS] = ROW_LEFT;
    into->id = from->id;
    into->told_ms = from->told_ms;
}

static uint64_t new_id(void)
{
    uint64_t id = 0;
    if (random_bytes(&id, sizeof(id)) != GUARD_OK)
        id = (uint64_t)ngx_random() << 32 ^ (uint64_t)ngx_random();
    return id != 0 ? id : 1;
}

static ngx_int_t init_zone(ngx_shm_zone_t *zone, void *data)
{
    gate_main_conf_t *conf = zone->data;
    if (data != NULL) { /* kept over a reload */
        zone->data = data;
        register_services(data, conf);
        return NGX_OK;
    }
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)zone->shm.addr;
    struct counter_table *made = ngx_slab_alloc(pool, table_bytes(conf->counter_capacity));
    if (made == NULL)
        return NGX_ERROR;
    /* Rows are cleared by those who use them: the others stay without memory. */
    ngx_memzero(made, sizeof(*made));
    made->version = TABLE_VERSION;
    made->capacity = (uint32_t)conf->counter_capacity;
    made->id = new_id();
    register_services(made, conf);
    if (conf->counters_before != NULL)
        take_over(made, conf->counters_before);
    zone->data = made;
    return NGX_OK;
}

static struct counter_table *find_before(const ngx_cycle_t *cycle, const ngx_str_t *name)
{
    if (cycle->old_cycle == NULL || ngx_is_init_cycle(cycle->old_cycle))
        return NULL;
    for (ngx_list_part_t *part = &cycle->old_cycle->shared_memory.part; part != NULL;
         part = part->next) {
        ngx_shm_zone_t *zones = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (zones[i].tag == &ngx_http_guard_module && zones[i].shm.name.len == name->len &&
                ngx_memcmp(zones[i].shm.name.data, name->data, name->len) == 0)
                return zones[i].data;
        }
    }
    return NULL;
}

/* Room for all that the table in use names and for all that are configured: else a new one is made,
 * which forgets those that aren't. */
static size_t capacity_for(struct counter_table *before, const gate_main_conf_t *conf)
{
    size_t capacity = SERVICES_MIN;
    while (capacity < conf->services.nelts)
        capacity *= 2;
    if (before == NULL)
        return capacity;
    size_t all = before->services;
    for (ngx_uint_t i = 0; i < conf->services.nelts; i++)
        all += find_name(before, service_name(conf, i)) == NGX_ERROR;
    if (all <= before->capacity)
        return before->capacity;
    /* Not the same size: else nginx would keep the full one. */
    return capacity == before->capacity ? 2 * capacity : capacity;
}

ngx_int_t gate_counters_add(ngx_conf_t *cf, gate_main_conf_t *conf)
{
    static ngx_str_t name = ngx_string("guard_counters");
    conf->counters_before = find_before(cf->cycle, &name);
    conf->counter_capacity = capacity_for(conf->counters_before, conf);
    /* Pages of the slab allocator need some bytes each to be kept account of. */
    size_t bytes = table_bytes(conf->counter_capacity);
    size_t size = bytes + bytes / 64 + 16 * ngx_pagesize;
    conf->counters =
        ngx_shared_memory_add(cf, &name, ngx_align(size, ngx_pagesize), &ngx_http_guard_module);
    if (conf->counters == NULL)
        return NGX_ERROR;
    conf->counters->init = init_zone;
    conf->counters->data = conf;
    return NGX_OK;
}

ngx_int_t gate_counters_attach(void)
{
    bool shared =
        gate_worker.conf->counters != NULL && ngx_process_slot >= 0 && ngx_process_slot < ROWS;
    table = gate_worker.conf->counters != NULL ? gate_worker.conf->counters->data : NULL;
    own_row = shared ? (ngx_uint_t)ngx_process_slot : ROWS;
    own = calloc(gate_worker.service_count, GATE_CELLS * sizeof(uint64_t));
    if (own == NULL)
        return NGX_ERROR;
    for (size_t i = 0; i < gate_worker.service_count; i++) {
        struct gate_service *service = &gate_worker.services[i];
        ngx_int_t known = table != NULL ? find_name(table, service->name) : NGX_ERROR;
        service->counter = known;
        service->counts = own + i * GATE_CELLS;
        if (!shared || known == NGX_ERROR)
            continue;
        service->counts = row_of(table, own_row) + (ngx_uint_t)known * GATE_CELLS;
    }
    if (!shared)
        return NGX_OK;
    size_t cells = table->capacity * GATE_CELLS;
    if (table->rows[own_row] == ROW_UNUSED)
        ngx_memzero(row_of(table, own_row), cells * sizeof(uint64_t));
    /* Whoever was here before may have died with something in use. */
    for (size_t i = 0; i < cells; i++) {
        size_t which = i % GATE_CELLS;
        if (which == GATE_CELL_GENERATION || gate_count_is_gauge((enum gate_count)which))
            row_of(table, own_row)[i] = 0;
    }
    table->rows[own_row] = ROW_RUNNING;
    return NGX_OK;
}

void gate_counters_detach(void)
{
    if (table != NULL && own_row < ROWS)
        table->rows[own_row] = ROW_LEFT;
    free(own);
    own = NULL;
    table = NULL;
}

void gate_counters_leaving(void)
{
    if (table != NULL && own_row < ROWS)
        table->rows[own_row] = ROW_LEAVING;
}

void gate_counters_sum(const struct gate_service *service, uint64_t out[])
{
    if (table == NULL || service->counter == NGX_ERROR)
        ngx_memcpy(out, service->counts, GATE_COUNT_MAX * sizeof(out[0]));
    else
        sum_rows(table, (ngx_uint_t)service->counter, out);
}

void gate_counters_generation(const struct gate_service *service)
{
    service->counts[GATE_CELL_GENERATION] = service->generation;
}

void gate_counters_generations(const struct gate_service *service, uint64_t *oldest,
                               uint64_t *newest)
{
    *oldest = *newest = service->generation;
    for (ngx_uint_t row = 0; table != NULL && service->counter != NGX_ERROR && row < ROWS; row++) {
        if (table->rows[row] != ROW_RUNNING)
            continue;
        const volatile uint64_t *cells =
            row_of(table, row) + (ngx_uint_t)service->counter * GATE_CELLS;
        uint64_t generation = cells[GATE_CELL_GENERATION];
        *oldest = ngx_min(*oldest, generation);
        *newest = ngx_max(*newest, generation);
    }
}

uint64_t gate_counters_id(void)
{
    return table != NULL ? table->id : 0;
}

/* Two workers that ask at once both tell the same. */
bool gate_counters_due(uint64_t now_ms, uint64_t interval_ms)
{
    if (table == NULL || (now_ms >= table->told_ms && now_ms - table->told_ms < interval_ms))
        return false;
    table->told_ms = now_ms;
    return true;
}

void gate_counters_workers(ngx_uint_t *running, ngx_uint_t *leaving)
{
    *running = 0;
    *leaving = 0;
    for (ngx_uint_t row = 0; table != NULL && row < ROWS; row++) {
        *running += table->rows[row] == ROW_RUNNING;
        *leaving += table->rows[row] == ROW_LEAVING;
    }
}
