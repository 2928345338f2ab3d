/* SPDX-License-Identifier: Apache-2.0 */
/* What guard_status tells, into rings/<id>.counts of the state directory, so that guardd tells it
 * of all its gates. One of the workers writes it every few seconds, by its timer: exchanges have no
 * part in it. A line of JSON for the gate, one for each service, one for each patch that was tried,
 * one at the end. */
#include "counters.h"
#include "module.h"
#include "patch_costs.h"

#include "common/file.h"
#include "common/json_writer.h"

enum {
    EACH_MS = 5000,
    SLICE = 32,        /* services at a time */
    SLICE_PATCHES = 4, /* services with all their patches */
    HEAD_ROOM = 512,
    SERVICE_ROOM = 4096,
};

/* The report that is being written. */
static struct {
    char *text; /* NULL: none */
    size_t len;
    size_t cap;
    size_t next;         /* service */
    size_t next_patches; /* service whose patches are told */
} draft;

static void end_line(struct json_writer *json)
{
    if (json->overflow)
        return; /* left out: the rest is as good */
    draft.len += json->len;
    draft.text[draft.len++] = '\n';
}

static void begin(void)
{
    struct json_writer json;
    ngx_uint_t running = 0, leaving = 0;
    draft.cap = HEAD_ROOM + gate_worker.service_count * SERVICE_ROOM +
                gate_patch_costs_count() * GATE_PATCH_COST_ROOM;
    draft.text = malloc(draft.cap);
    draft.len = draft.next = 0;
    draft.next_patches = gate_patch_costs_count() > 0 ? 0 : gate_worker.service_count;
    if (draft.text == NULL)
        return;
    gate_counters_workers(&running, &leaving);
    json_writer_init(&json, draft.text, HEAD_ROOM / 2);
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)gate_unix_ms());
    json_integer(&json, "running", (int64_t)running);
    json_integer(&json, "leaving", (int64_t)leaving);
    json_bool(&json, "rings_failed", gate_worker.rings_failed);
    json_close(&json, '}');
    end_line(&json);
}

static void add_services(size_t count)
{
    for (; count > 0 && draft.next < gate_worker.service_count; count--, draft.next++) {
        struct json_writer json;
        json_writer_init(&json, draft.text + draft.len, SERVICE_ROOM - 1);
        gate_status_service(&json, &gate_worker.services[draft.next]);
        end_line(&json);
    }
}

static void add_patches(size_t count)
{
    const size_t end_room = HEAD_ROOM / 2;
    for (; count > 0 && draft.next_patches < gate_worker.service_count;
         count--, draft.next_patches++)
        draft.len +=
            gate_patch_costs_tell(&gate_worker.services[draft.next_patches], draft.text + draft.len,
                                  draft.cap - end_room - draft.len);
}

/* Where it can't be, rings can't either, and that was said. */
static void finish(void)
{
    static const char end[] = "{\"end\":true}\n";
    char path[STATE_PATH_MAX];
    u_char name[sizeof("0123456789abcdef")];
    ngx_memcpy(draft.text + draft.len, end, sizeof(end) - 1);
    draft.len += sizeof(end) - 1;
    *ngx_slprintf(name, name + sizeof(name) - 1, "%016xL", gate_counters_id()) = '\0';
    if (state_path(path, (const char *)gate_worker.conf->state.data, "rings",
                   (struct guard_span){name, ngx_strlen(name)}, ".counts") == GUARD_OK)
        (void)!file_replace(path, (struct guard_span){(const uint8_t *)draft.text, draft.len}, 0640,
                            false, NULL);
    free(draft.text);
    draft.text = NULL;
}

bool gate_report_slice(void)
{
    if (draft.text == NULL && (ngx_exiting || !gate_counters_due(gate_unix_ms(), EACH_MS)))
        return false;
    if (draft.text == NULL)
        begin();
    if (draft.text == NULL)
        return false;
    if (draft.next < gate_worker.service_count)
        add_services(SLICE);
    else
        add_patches(SLICE_PATCHES);
    if (draft.next < gate_worker.service_count || draft.next_patches < gate_worker.service_count)
        return true;
    finish();
    return false;
}

void gate_report_last(void)
{
    free(draft.text);
    draft.text = NULL;
    if (gate_counters_id() == 0)
        return;
    begin();
    if (draft.text == NULL)
        return;
    add_services(gate_worker.service_count);
    add_patches(gate_worker.service_count);
    finish();
}
