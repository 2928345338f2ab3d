/* SPDX-License-Identifier: Apache-2.0 */
/* A bypass: a file by which an operator stops all blocking of a service for a while, without any
 * daemon. It ends by itself. */
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

void gate_bypass_expire(struct gate_service *service, ngx_log_t *log)
{
    if (service->bypass_until_ms == 0 || service->bypass_until_ms > gate_unix_ms())
        return;
    service->bypass_until_ms = 0;
    ngx_log_error(NGX_LOG_WARN, log, 0, "guard: service %*s: the bypass has ended",
                  service->name.len, service->name.ptr);
}

void gate_bypass_follow(struct gate_service *service, ngx_log_t *log)
{
    struct gate_file_id id;
    char path[STATE_PATH_MAX];
    char text[BYPASS_BYTES_MAX + 1];
    if (state_path(path, (const char *)gate_worker.conf->state.data, "bypass", service->name,
                   ".json") != GUARD_OK)
        return;
    gate_file_examine(path, &id);
    if (gate_file_same(&id, &service->bypass_seen))
        return;
    service->bypass_seen = id;
    uint64_t until = 0;
    if (id.exists) {
        if (read_text(path, text))
            until = read_until(text);
        if (until == 0) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "guard: service %*s: \"%s\" is no bypass (it has no \"until_ms\")",
                          service->name.len, service->name.ptr, path);
        }
    }
    if (until <= gate_unix_ms())
        until = 0;
    if (until == service->bypass_until_ms)
        return;
    service->bypass_until_ms = until;
    if (until == 0) {
        service->bypass_until_ms = 1; /* long ago */
        gate_bypass_expire(service, log);
        return;
    }
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "guard: service %*s: bypassed, nothing is blocked for %uL s", service->name.len,
                  service->name.ptr, (until - gate_unix_ms()) / 1000);
}
