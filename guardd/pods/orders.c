/* SPDX-License-Identifier: Apache-2.0 */
/* The responder's reports are another program's bytes: each line is read by itself, and one that is
 * no line of a report is counted and passed over. */
#include "orders.h"

#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 1000, FILES_LOOKED_MAX = 4096, ORDER_JSON_ROOM = 24 * 1024 };
static const uint64_t DAY = 86400000, KEPT_MS = UINT64_C(30) * 86400000;

bool pod_orders_mode_read(const char *text, enum pod_orders_mode *out)
{
    for (int mode = POD_ORDERS_OFF; mode <= POD_ORDERS_ACT; mode++) {
        if (strcmp(text, pod_orders_mode_name((enum pod_orders_mode)mode)) == 0) {
            *out = (enum pod_orders_mode)mode;
            return true;
        }
    }
    return false;
}

const char *pod_orders_mode_name(enum pod_orders_mode mode)
{
    static const char *const names[] = {"off", "dry-run", "act"};
    return names[mode];
}

enum pod_orders_mode pod_orders_mode_of(const struct pod_orders *orders,
                                        const struct service *service)
{
    int32_t said = service->guardian.pods.orders;
    return said >= POD_ORDERS_OFF && said <= POD_ORDERS_ACT ? (enum pod_orders_mode)said
                                                            : orders->mode;
}

bool pod_orders_dry_run(const struct pod_orders *orders, const struct service *service)
{
    return pod_orders_mode_of(orders, service) != POD_ORDERS_ACT ||
           service->guardian.mode != GUARD_MODE_BLOCK;
}

static bool given_path(char out[STATE_PATH_MAX], const char *state, const char *id)
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/pods/given/%s%s", state, id,
                       id[0] != '\0' ? ".json" : "");
    return len > 0 && len < STATE_PATH_MAX;
}

static struct pod_order_known *find(const struct pod_orders *orders, const char *id)
{
    for (uint32_t i = 0; i < orders->count; i++) {
        if (strcmp(orders->list[i]->order.id, id) == 0)
            return orders->list[i];
    }
    return NULL;
}

static void remove_files(const struct pod_orders *orders, const char *id)
{
    char path[STATE_PATH_MAX];
    if (given_path(path, orders->state, id))
        (void)unlink(path);
    if (pod_report_path(path, orders->state, id) == GUARD_OK)
        (void)unlink(path);
}

/* By when they were decided; the oldest makes room. */
static struct pod_order_known *keep(struct pod_orders *orders, const struct pod_order *order)
{
    struct pod_order_known *known = find(orders, order->id);
    if (known != NULL)
        return known;
    known = calloc(1, sizeof(*known));
    if (known == NULL)
        return NULL;
    known->order = *order;
    if (orders->count == POD_ORDERS_KEPT) {
        remove_files(orders, orders->list[0]->order.id);
        free(orders->list[0]);
        memmove(orders->list, orders->list + 1, --orders->count * sizeof(struct pod_order_known *));
    }
    uint32_t at = orders->count++;
    for (; at > 0 && orders->list[at - 1]->order.decided_ms > order->decided_ms; at--)
        orders->list[at] = orders->list[at - 1];
    orders->list[at] = known;
    return known;
}

/* --- reports --- */

static void take_line(struct pod_order_known *known, struct guard_span text)
{
    struct pod_report_line line;
    struct guard_err err;
    if (text.len == 0)
        return;
    if (pod_report_read(&line, text, &err) != GUARD_OK || strcmp(line.id, known->order.id) != 0 ||
        known->end.ended) {
        known->bad_lines++;
        return;
    }
    if (line.ended)
        known->end = line;
    else
        known->steps[known->step_count++ % POD_ORDER_STEPS_KEPT] = line;
}

/* Whole lines only: the last one may be being written. */
static void take_report(struct pod_order_known *known, const uint8_t *bytes, size_t len)
{
    uint32_t before = known->bad_lines, lines = 0;
    known->step_count = known->bad_lines = 0;
    known->end = (struct pod_report_line){.ended = false};
    while (len > 0 && lines++ < POD_REPORT_LINES_MAX) {
        const uint8_t *end = memchr(bytes, '\n', len);
        if (end == NULL)
            break;
        take_line(known, (struct guard_span){bytes, (size_t)(end - bytes)});
        len -= (size_t)(end - bytes) + 1;
        bytes = end + 1;
    }
    if (known->bad_lines > before)
        log_event("alarm", "pod-report-damaged",
                  (struct guard_span){(const uint8_t *)known->order.service,
                                      strlen(known->order.service)},
                  "pods/reports/%s.jsonl: %u lines are no report's", known->order.id,
                  known->bad_lines);
}

static void read_report(const struct pod_orders *orders, struct pod_order_known *known)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    if (pod_report_path(path, orders->state, known->order.id) != GUARD_OK ||
        lstat(path, &info) != 0 || !S_ISREG(info.st_mode) || file_stamp(&info) == known->stamp)
        return;
    known->stamp = file_stamp(&info);
    if (file_read_plain(path, POD_REPORT_BYTES_MAX, &bytes, &len, &info, &err) != GUARD_OK) {
        log_event("alarm", "pod-report-unreadable", (struct guard_span){NULL, 0}, "%s", err.text);
        return;
    }
    known->stamp = file_stamp(&info);
    take_report(known, bytes, len);
    free(bytes);
}

void pod_orders_tick(struct pod_orders *orders, uint64_t now_ms)
{
    if (orders->count == 0 || (now_ms >= orders->looked_ms && now_ms - orders->looked_ms < LOOK_MS))
        return;
    orders->looked_ms = now_ms;
    for (uint32_t i = 0; i < orders->count; i++) {
        if (!orders->list[i]->end.ended)
            read_report(orders, orders->list[i]);
    }
}

struct pod_order_known *pod_orders_ended(struct pod_orders *orders)
{
    for (uint32_t i = 0; i < orders->count; i++) {
        if (orders->list[i]->end.ended && !orders->list[i]->told)
            return orders->list[i];
    }
    return NULL;
}

uint32_t pod_orders_open_count(const struct pod_orders *orders)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < orders->count; i++)
        open += !orders->list[i]->end.ended;
    return open;
}

/* --- giving --- */

/* Also when the option is off: a Guardian may say otherwise at any time. */
static enum guard_rc make_folders(const struct pod_orders *orders, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    GUARD_TRY(pod_orders_prepare(orders->state, err));
    if (!given_path(path, orders->state, ""))
        return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", orders->state);
    return mkdir(path, 0750) == 0 || errno == EEXIST
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
}

static const char *class_of(uint32_t kind)
{
    switch (kind) {
    case GUARD_POD_EXEC:
    case GUARD_POD_USER:
    case GUARD_POD_DROPPED:
    case GUARD_POD_MEMFD:
    case GUARD_POD_ROOT:
        return "process";
    case GUARD_POD_DESTINATION:
    case GUARD_POD_LISTEN:
    case GUARD_POD_DNS:
        return "network";
    case GUARD_POD_WRITE:
    case GUARD_POD_SECRET:
        return "file";
    case GUARD_POD_OUTBOUND:
    case GUARD_POD_RESPONSE:
    case GUARD_POD_REQUEST:
        return "gate";
    default:
        return "amount";
    }
}

static void put_span(char *out, size_t size, struct guard_span text)
{
    size_t len = text.len < size ? text.len : size - 1;
    if (len > 0)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void fill(struct pod_order *order, const struct service *service,
                 const struct guard_pod_verdict *verdict, const char *reason)
{
    put_span(order->service, sizeof(order->service), service->name);
    put_span(order->name_space, sizeof(order->name_space), verdict->name_space);
    put_span(order->workload, sizeof(order->workload), verdict->workload);
    put_span(order->container, sizeof(order->container), verdict->container);
    put_span(order->pod, sizeof(order->pod), verdict->pod);
    pod_order_text(order->reason, sizeof(order->reason), span(reason));
    pod_order_text(order->exchange, sizeof(order->exchange), span(verdict->request));
    order->replicas = verdict->others + 1;
    order->ready = verdict->others;
    for (uint32_t i = 0; i < verdict->count && i < POD_ORDER_EVIDENCE_MAX; i++) {
        const struct guard_pod_evidence *evidence = &verdict->evidence[i];
        struct pod_order_evidence *out = &order->evidence[order->evidence_count++];
        snprintf(out->kind, sizeof(out->kind), "%s", class_of(evidence->kind));
        pod_order_text(out->text, sizeof(out->text), span(evidence->text));
        if (evidence->hard && evidence->kind < GUARD_POD_KINDS)
            snprintf(out->hard, sizeof(out->hard), "%s",
                     guard_pod_kind_name((enum guard_pod_kind)evidence->kind));
    }
}

/* One is enough while it goes on, and for a day from when it was decided. A dry run stands in the
 * way of further dry runs only: who turns to act wants the next decision carried out. */
static struct pod_order_known *of_pod(const struct pod_orders *orders,
                                      const struct pod_order *order)
{
    for (uint32_t i = orders->count; i-- > 0;) {
        struct pod_order_known *known = orders->list[i];
        if (strcmp(known->order.pod, order->pod) == 0 &&
            strcmp(known->order.name_space, order->name_space) == 0 &&
            strcmp(known->order.container, order->container) == 0 &&
            (order->dry_run || !known->order.dry_run) &&
            known->order.decided_ms + DAY > order->decided_ms)
            return known;
    }
    return NULL;
}

static void save_copy(const struct pod_orders *orders, const struct pod_order *order)
{
    char path[STATE_PATH_MAX], text[POD_ORDER_BYTES_MAX];
    size_t len = 0;
    struct guard_err err = {.text = "the path is too long"};
    if (given_path(path, orders->state, order->id) &&
        pod_order_write(order, text, sizeof(text), &len, &err) == GUARD_OK &&
        file_replace(path, (struct guard_span){(const uint8_t *)text, len}, 0640, true, &err) ==
            GUARD_OK)
        return;
    log_event("warn", "pod-order-not-kept", span(order->service),
              "%s: %s; what is reported of it isn't known after a restart", order->id, err.text);
}

const struct pod_order_known *pod_orders_give(struct pod_orders *orders,
                                              const struct service *service,
                                              const struct guard_pod_verdict *verdict,
                                              struct guard_span uid, uint64_t case_id,
                                              const char *reason, bool elsewhere, uint64_t now_ms)
{
    struct pod_order order = {.decided_ms = now_ms};
    struct guard_err err;
    enum pod_orders_mode mode = pod_orders_mode_of(orders, service);
    if (mode == POD_ORDERS_OFF || verdict->decision != GUARD_POD_REPLACE)
        return NULL;
    order.dry_run = pod_orders_dry_run(orders, service);
    /* Not the id of the dry run of the same case, which the responder had already. */
    snprintf(order.id, sizeof(order.id), "%016" PRIx64 "%s", case_id, order.dry_run ? "-dry" : "");
    put_span(order.uid, sizeof(order.uid), uid);
    fill(&order, service, verdict, reason);
    const struct pod_order_known *before = of_pod(orders, &order);
    if (before != NULL)
        return before;
    if (elsewhere)
        return NULL;
    enum guard_rc rc = make_folders(orders, &err);
    if (rc == GUARD_OK)
        rc = pod_order_place(orders->state, &order, &err);
    if (rc != GUARD_OK && rc != GUARD_E_REPLAY) {
        if (!orders->failing)
            log_event("alarm", "pod-order-not-given", service->name, "%s", err.text);
        orders->failing = true;
        return NULL;
    }
    orders->failing = false;
    save_copy(orders, &order);
    return keep(orders, &order);
}

/* --- its life --- */

static enum guard_rc load_copy(struct pod_order *out, const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct stat info;
    GUARD_TRY(file_read_plain(path, POD_ORDER_BYTES_MAX, &bytes, &len, &info, &err));
    enum guard_rc rc = pod_order_read(out, (struct guard_span){bytes, len}, &err);
    free(bytes);
    return rc;
}

static void load_name(struct pod_orders *orders, const char *name, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    char id[POD_ORDER_ID_MAX + 1];
    struct pod_order order;
    size_t len = strlen(name);
    if (len <= 5 || len - 5 > POD_ORDER_ID_MAX || strcmp(name + len - 5, ".json") != 0)
        return;
    put_span(id, sizeof(id), (struct guard_span){(const uint8_t *)name, len - 5});
    if (!pod_order_id_valid(span(id)) || !given_path(path, orders->state, id))
        return;
    if (load_copy(&order, path) != GUARD_OK || strcmp(order.id, id) != 0) {
        log_event("warn", "pod-order-damaged", (struct guard_span){NULL, 0}, "pods/given/%s", name);
        return;
    }
    if (order.decided_ms + KEPT_MS < now_ms)
        remove_files(orders, id);
    else
        (void)keep(orders, &order);
}

enum guard_rc pod_orders_open(struct pod_orders *orders, const char *state,
                              enum pod_orders_mode mode, uint64_t now_ms, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    *orders = (struct pod_orders){.mode = mode, .state = state};
    if (!given_path(path, state, ""))
        return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", state);
    if (mode != POD_ORDERS_OFF)
        GUARD_TRY(make_folders(orders, err));
    DIR *dir = opendir(path);
    const struct dirent *entry;
    for (uint32_t i = 0; dir != NULL && i < FILES_LOOKED_MAX && (entry = readdir(dir)) != NULL; i++)
        load_name(orders, entry->d_name, now_ms);
    if (dir != NULL)
        closedir(dir);
    pod_orders_tick(orders, now_ms);
    return GUARD_OK;
}

void pod_orders_close(struct pod_orders *orders)
{
    for (uint32_t i = 0; i < orders->count; i++)
        free(orders->list[i]);
    orders->count = 0;
}

/* --- showing --- */

static void write_time(struct json_writer *json, const char *name, uint64_t time_ms)
{
    json_integer(json, name, (int64_t)time_ms);
}

static void write_steps(struct json_writer *json, const struct pod_order_known *known)
{
    uint32_t kept =
        known->step_count < POD_ORDER_STEPS_KEPT ? known->step_count : POD_ORDER_STEPS_KEPT;
    json_open(json, "steps", '[');
    for (uint32_t i = 0; i < kept; i++) {
        const struct pod_report_line *line =
            &known->steps[(known->step_count - kept + i) % POD_ORDER_STEPS_KEPT];
        json_open(json, NULL, '{');
        write_time(json, "time_ms", line->at_ms);
        json_text(json, "step", pod_report_step_name(line->step));
        json_text(json, "outcome", pod_report_outcome_name(line->outcome));
        json_text(json, "detail", line->detail);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void write_end(struct json_writer *json, const struct pod_report_line *end)
{
    if (!end->ended) {
        json_null(json, "end");
        return;
    }
    json_open(json, "end", '{');
    write_time(json, "time_ms", end->at_ms);
    json_text(json, "end", pod_report_end_name(end->end));
    json_text(json, "detail", end->detail);
    json_close(json, '}');
}

static void write_order(struct json_writer *json, const struct pod_order_known *known)
{
    const struct pod_order *order = &known->order;
    json_open(json, NULL, '{');
    json_text(json, "id", order->id);
    write_time(json, "decided_ms", order->decided_ms);
    json_text(json, "namespace", order->name_space);
    json_text(json, "workload", order->workload);
    json_text(json, "container", order->container);
    json_text(json, "pod", order->pod);
    json_text(json, "uid", order->uid);
    json_bool(json, "dry_run", order->dry_run);
    json_text(json, "reason", order->reason);
    json_text(json, "exchange", order->exchange);
    json_integer(json, "damaged_lines", known->bad_lines);
    write_steps(json, known);
    write_end(json, &known->end);
    json_close(json, '}');
}

void pod_orders_json(const struct pod_orders *orders, struct guard_span service, const char *name,
                     struct json_writer *json, size_t until)
{
    json_open(json, name, '[');
    for (uint32_t i = orders->count;
         i-- > 0 && json->len < until && json->cap - json->len > ORDER_JSON_ROOM;) {
        const struct pod_order *order = &orders->list[i]->order;
        if (strlen(order->service) == service.len &&
            memcmp(order->service, service.ptr, service.len) == 0)
            write_order(json, orders->list[i]);
    }
    json_close(json, ']');
}
