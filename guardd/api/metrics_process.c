/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd tells of itself: where alerts go, its store, its process. */
#include "metrics_text.h"

#include "guardd/outputs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct output_metric {
    const char *name;
    const char *type;
    const char *help;
    double (*value)(const struct outputs *outputs, const struct output *output);
};

static double delivered(const struct outputs *outputs, const struct output *output)
{
    (void)outputs;
    return (double)output->cursor.delivered;
}

static double failures(const struct outputs *outputs, const struct output *output)
{
    (void)outputs;
    return (double)output->cursor.failures;
}

static double skipped(const struct outputs *outputs, const struct output *output)
{
    (void)outputs;
    return (double)output->cursor.skipped;
}

static double refused(const struct outputs *outputs, const struct output *output)
{
    (void)outputs;
    return (double)output->cursor.refused;
}

static double lag(const struct outputs *outputs, const struct output *output)
{
    return (double)output_lag(outputs, output);
}

static double failing(const struct outputs *outputs, const struct output *output)
{
    (void)outputs;
    return output->failing_ms != 0;
}

static double sent(const struct outputs *outputs, const struct output *output)
{
    (void)outputs;
    return (double)output->cursor.sent_ms / 1000.0;
}

static const struct output_metric output_metrics[] = {
    {"guard_output_delivered_total", "counter", "Lines of alerts that an output has taken.",
     delivered},
    {"guard_output_failures_total", "counter", "Attempts to send that failed.", failures},
    {"guard_output_skipped_total", "counter",
     "Lines that the log's rotation took before they could be sent.", skipped},
    {"guard_output_refused_total", "counter", "Lines that the other side will never take.",
     refused},
    {"guard_output_lag_lines", "gauge", "Lines that weren't sent yet.", lag},
    {"guard_output_failing", "gauge", "1 while nothing can be sent.", failing},
    {"guard_output_sent_timestamp_seconds", "gauge", "When something was sent last.", sent},
};

void put_outputs(struct text *text, const struct api *api)
{
    const struct outputs *outputs = api->view.outputs;
    uint32_t count = outputs != NULL ? outputs->count : 0;
    for (size_t i = 0; i < sizeof(output_metrics) / sizeof(output_metrics[0]); i++) {
        const struct output_metric *metric = &output_metrics[i];
        head(text, metric->name, metric->type, metric->help);
        for (uint32_t k = 0; k < count; k++)
            put(text, "%s{output=\"%s\",type=\"%s\"} %.17g\n", metric->name,
                outputs->list[k]->cfg.name, output_kind_name(outputs->list[k]->cfg.kind),
                metric->value(outputs, outputs->list[k]));
    }
    put_number(text, "guard_outputs_document_broken", "gauge",
               "1 while outputs.yaml is refused and the last good one is in force.",
               outputs != NULL && outputs->err.text[0] != '\0');
}

/* The kernel's files have no size, so that they are read as they come. */
static double resident_bytes(void)
{
    char bytes[256];
    char *rest = NULL;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, bytes, sizeof(bytes) - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return 0;
    bytes[len] = '\0';
    (void)strtoull(bytes, &rest, 10); /* the whole address space */
    return (double)strtoull(rest, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

void put_process(struct text *text, const struct api *api)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    const struct timeval *user = &usage.ru_utime;
    const struct timeval *system = &usage.ru_stime;
    if (api->view.saves != NULL) {
        put_number(text, "guard_store_saves_total", "counter",
                   "Times that what was learned was saved.", (double)api->view.saves->done);
        put_number(text, "guard_store_save_failures_total", "counter",
                   "Times that it couldn't be saved.", (double)api->view.saves->failed);
    }
    put_number(text, "process_cpu_seconds_total", "counter", "CPU time of guardd.",
               (double)(user->tv_sec + system->tv_sec) +
                   (double)(user->tv_usec + system->tv_usec) / 1e6);
    put_number(text, "process_resident_memory_bytes", "gauge", "Memory of guardd.",
               resident_bytes());
    put_number(text, "process_start_time_seconds", "gauge", "When guardd was started.",
               (double)api->view.started_ms / 1000.0);
}
