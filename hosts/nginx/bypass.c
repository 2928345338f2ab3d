/* SPDX-License-Identifier: Apache-2.0 */
/* What is ordered by a file, without any daemon, and ends by itself: a bypass, by which an operator
 * stops all blocking of a service for a while, and a withdrawal, by which it answers nobody. */
#include "module.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { BYPASS_BYTES_MAX = 4096 };

/* Inside a JSON string every quote is escaped, so these bytes followed by a colon are always the
 * key itself. */
static const char key[] = "\"until_ms\"";

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The key's number, 0 when there is none. */
static uint64_t read_until(const char *text)
{
    const char *next = strstr(text, key);
    if (next == NULL)
        return 0;
    next += sizeof(key) - 1;
    while (blank(*next))
        next++;
    if (*next++ != ':')
        return 0;
    while (blank(*next))
        next++;
    uint64_t until = 0;
    for (int digits = 0; *next >= '0' && *next <= '9'; next++, digits++) {
        if (digits == 15) /* the year 33658 */
            return 0;
        until = until * 10 + (uint64_t)(*next - '0');
    }
    return until;
}

static bool read_text(const char *path, char out[BYPASS_BYTES_MAX + 1])
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        n = read(fd, out, BYPASS_BYTES_MAX);
    close(fd);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

/* An order of either kind, of one service. */
struct order {
    const char *folder;
    const char *what;  /* it is none */
    const char *begun; /* for so many seconds */
    const char *ended;
    uint64_t *until_ms;
    struct gate_file_id *seen;
};

enum { ORDERS = 2 };

static void orders_of(struct gate_service *service, struct order out[ORDERS])
{
    out[0] = (struct order){"bypass",
                            "bypass",
                            "bypassed, nothing is blocked",
                            "the bypass has ended",
                            &service->bypass_until_ms,
                            &service->bypass_seen};
    out[1] = (struct order){"withdrawn",
                            "withdrawal",
                            "withdrawn, it is answered with 503",
                            "it is served again",
                            &service->withdrawn_until_ms,
                            &service->withdrawn_seen};
}

static void expire(const struct gate_service *service, const struct order *order, ngx_log_t *log)
{
    if (*order->until_ms == 0 || *order->until_ms > gate_unix_ms())
        return;
    *order->until_ms = 0;
    ngx_log_error(NGX_LOG_WARN, log, 0, "guard: service %*s: %s", service->name.len,
                  service->name.ptr, order->ended);
}

void gate_bypass_expire(struct gate_service *service, ngx_log_t *log)
{
    struct order orders[ORDERS];
    orders_of(service, orders);
    for (int i = 0; i < ORDERS; i++)
        expire(service, &orders[i], log);
}

/* 0: there is none, or none any more. */
static uint64_t until_of(const struct gate_service *service, const struct order *order,
                         const char *path, ngx_log_t *log)
{
    char text[BYPASS_BYTES_MAX + 1];
    uint64_t until = 0, now = gate_unix_ms();
    if (order->seen->exists) {
        if (read_text(path, text))
            until = read_until(text);
        if (until == 0)
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "guard: service %*s: \"%s\" is no %s (it has no \"until_ms\")",
                          service->name.len, service->name.ptr, path, order->what);
    }
    return until > now ? until : 0;
}

static void follow(struct gate_service *service, const struct order *order, ngx_log_t *log)
{
    struct gate_file_id id;
    char path[STATE_PATH_MAX];
    if (state_path(path, (const char *)gate_worker.conf->state.data, order->folder, service->name,
                   ".json") != GUARD_OK)
        return;
    gate_file_examine(path, &id);
    if (gate_file_same(&id, order->seen))
        return;
    *order->seen = id;
    uint64_t until = until_of(service, order, path, log);
    if (until == *order->until_ms)
        return;
    bool began = *order->until_ms == 0;
    *order->until_ms = until;
    if (until == 0) {
        *order->until_ms = 1; /* long ago */
        expire(service, order, log);
    } else if (began || order->until_ms == &service->bypass_until_ms) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "guard: service %*s: %s for %uL s", service->name.len,
                      service->name.ptr, order->begun, (until - gate_unix_ms()) / 1000);
    }
}

void gate_bypass_follow(struct gate_service *service, ngx_log_t *log)
{
    struct order orders[ORDERS];
    orders_of(service, orders);
    for (int i = 0; i < ORDERS; i++)
        follow(service, &orders[i], log);
}

ngx_int_t gate_ready_handler(ngx_http_request_t *r)
{
    static ngx_str_t type = ngx_string("text/plain");
    static ngx_str_t serves = ngx_string("ready\n"), withdrawn = ngx_string("withdrawn\n"),
                     draining = ngx_string("draining\n");
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    ngx_http_complex_value_t body;
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)))
        return NGX_HTTP_NOT_ALLOWED;
    bool is_withdrawn = conf->service >= 0 &&
                        gate_worker.services[conf->service].withdrawn_until_ms > gate_unix_ms();
    bool ready = !is_withdrawn && !gate_worker.draining;
    ngx_memzero(&body, sizeof(body));
    body.value = ready ? serves : is_withdrawn ? withdrawn : draining;
    return ngx_http_send_response(r, ready ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE, &type,
                                  &body);
}
