/* SPDX-License-Identifier: Apache-2.0 */
/* The status document: by kind what the kernel counted and what came. */
#include "status.h"

#include "common/file.h"
#include "common/json_writer.h"
#include "common/pods/pod_list.h"

enum { STATUS_CAP = 8192 };

static void write_kind(struct json_writer *json, const char *name,
                       const struct event_counts *counts, uint64_t received)
{
    json_open(json, name, '{');
    json_integer(json, "counted", (int64_t)counts->counted);
    json_integer(json, "sent", (int64_t)counts->sent);
    json_integer(json, "received", (int64_t)received);
    json_integer(json, "deduplicated", (int64_t)counts->deduplicated);
    json_integer(json, "dropped", (int64_t)counts->dropped);
    json_close(json, '}');
}

static void write_blind(struct json_writer *json, uint32_t sees)
{
    json_open(json, "unseen", '[');
    for (uint32_t kind = 0; kind < GUARD_POD_KINDS; kind++)
        if ((sees >> kind & 1) == 0)
            json_text(json, NULL, guard_pod_kind_name((enum guard_pod_kind)kind));
    json_close(json, ']');
}

enum guard_rc status_write(const char *path, const struct report *report,
                           const struct pod_list *pods, const struct falco_counts *falco,
                           struct guard_err *err)
{
    static const char *const names[EVENT_KINDS] = {"cgroup", "exec",   "connect", "listen",
                                                   "write",  "secret", "user",    "answer"};
    char text[STATUS_CAP];
    struct json_writer json;
    struct event_counts counts[EVENT_KINDS];
    programs_counts(report->programs, counts);
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)clock_unix_ms());
    json_integer(&json, "programs", programs_attached(report->programs));
    write_blind(&json, programs_sees(report->programs));
    json_integer(&json, "interval", programs_epoch(report->programs));
    json_integer(&json, "containers", report->containers.count);
    json_integer(&json, "listed_pods", pods != NULL ? pod_list_pods(pods) : 0);
    json_integer(&json, "records", (int64_t)report->records);
    json_integer(&json, "records_lost", (int64_t)report->files->records_lost);
    json_integer(&json, "urgent_waited", (int64_t)report->pace.waited);
    json_integer(&json, "news_waited", (int64_t)report->news_pace.waited);
    json_integer(&json, "events_lost", (int64_t)report->lost);
    json_integer(&json, "events_unbalanced", (int64_t)report->unbalanced);
    json_integer(&json, "events_of_too_many_containers", (int64_t)report->containers.refused);
    json_integer(&json, "features_unkept", (int64_t)report->unkept);
    json_integer(&json, "answers_refused", (int64_t)report->answers_refused);
    json_integer(&json, "names_pushed_out", (int64_t)report->containers.names.pushed_out);
    json_open(&json, "events", '{');
    for (uint32_t kind = 0; kind < EVENT_KINDS; kind++)
        write_kind(&json, names[kind], &counts[kind], report->received[kind]);
    json_close(&json, '}');
    json_open(&json, "falco", '{');
    json_integer(&json, "lines", (int64_t)falco->lines);
    json_integer(&json, "refused", (int64_t)falco->refused);
    json_integer(&json, "elsewhere", (int64_t)falco->elsewhere);
    json_close(&json, '}');
    json_close(&json, '}');
    return file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0644, false,
                        err);
}
