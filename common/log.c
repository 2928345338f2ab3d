/* SPDX-License-Identifier: Apache-2.0 */
/* One write per line, so that lines of several processes don't mix. */
#include "common/log.h"

#include "common/file.h"
#include "common/json_writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void log_event(const char *level, const char *event, struct guard_span service, const char *detail,
               ...)
{
    char text[1024];
    char line[4096];
    struct json_writer json;
    va_list args;
    va_start(args, detail);
    vsnprintf(text, sizeof(text), detail, args);
    va_end(args);
    json_writer_init(&json, line, sizeof(line) - 1);
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)clock_unix_ms());
    json_text(&json, "level", level);
    json_text(&json, "event", event);
    if (service.len > 0)
        json_string(&json, "service", service);
    if (text[0] != '\0')
        json_text(&json, "detail", text);
    json_close(&json, '}');
    if (json.overflow)
        return;
    line[json.len] = '\n';
    /* A log that can't be written is no reason to stop. */
    if (write(STDERR_FILENO, line, json.len + 1) < 0)
        return;
}
