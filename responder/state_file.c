/* SPDX-License-Identifier: Apache-2.0 */
/* The books are the truth, this is a picture of them: killed between the two, the next start paints
 * it anew. Who may write in the folder has fewer rights than this program, so no link is followed.
 */
#include "state_file.h"

#include "response.h"

#include "common/log.h"

#include <guard/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOUR_MS = 3600 * 1000 };

static const char name[] = "state.json", beside[] = "state.json.tmp";

/* --- what is told --- */

static struct responder_workload *workload_of(struct responder_state *state,
                                              const struct workload_cfg *cfg)
{
    for (uint32_t i = 0; i < state->workload_count; i++) {
        struct responder_workload *one = &state->workloads[i];
        if (strcmp(one->name_space, cfg->name_space) == 0 &&
            strcmp(one->workload, cfg->workload) == 0)
            return one;
    }
    return NULL;
}

static void fill_books(struct responder_workload *out, const struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->workload_count; i++) {
        const struct workload_budget *books = &ledger->workloads[i];
        if (strcmp(books->name_space, out->name_space) != 0 ||
            strcmp(books->workload, out->workload) != 0)
            continue;
        out->budget = books->budget;
        if (!books->budget.stopped)
            return;
        snprintf(out->stopped, sizeof(out->stopped), "%s", pod_stop_name(books->stop));
        out->stopped_ms = books->stopped_ms;
    }
}

/* The budget is the workload's, whichever of its containers the file names. */
static void fill_workloads(const struct responder *responder, struct responder_state *out)
{
    for (uint32_t i = 0; i < responder->cfg.workload_count; i++) {
        const struct workload_cfg *cfg = &responder->cfg.workloads[i];
        struct responder_workload *known = workload_of(out, cfg);
        if (known != NULL) {
            known->dry_run = known->dry_run && cfg->plan.dry_run;
            continue;
        }
        struct responder_workload *one = &out->workloads[out->workload_count++];
        snprintf(one->name_space, sizeof(one->name_space), "%s", cfg->name_space);
        snprintf(one->workload, sizeof(one->workload), "%s", cfg->workload);
        one->dry_run = cfg->plan.dry_run;
        one->cfg = cfg->budget;
        one->replicas_max = cfg->replicas_max;
        fill_books(one, &responder->ledger);
    }
}

static void fill_contained(const struct ledger *ledger, struct responder_state *out)
{
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        const struct response *response = &ledger->responses[i];
        const struct pod_order *order = &response->order;
        if (!response->used || (!response->contained && !response->frozen))
            continue;
        struct responder_contained *one = &out->contained[out->contained_count++];
        snprintf(one->name_space, sizeof(one->name_space), "%s", order->name_space);
        snprintf(one->workload, sizeof(one->workload), "%s", order->workload);
        snprintf(one->pod, sizeof(one->pod), "%s", order->pod);
        snprintf(one->uid, sizeof(one->uid), "%s", order->uid);
        snprintf(one->order, sizeof(one->order), "%s", order->id);
        one->until_ms = response->held_ms;
        one->frozen = response->frozen;
    }
}

static uint64_t hour_until(const struct responder *responder, uint64_t now_ms)
{
    const struct ledger *ledger = &responder->ledger;
    uint32_t most = responder->cfg.per_hour;
    return most > 0 && most <= ledger->begun_count && ledger_begun(ledger, now_ms) >= most
               ? ledger->begun_ms[ledger->begun_count - most] + HOUR_MS
               : 0;
}

void state_file_fill(const struct responder *responder, bool running, struct responder_state *out,
                     uint64_t now_ms)
{
    _Static_assert((int)RESPONDER_WORKLOADS_MAX >= (int)CONFIG_WORKLOADS_MAX &&
                       (int)RESPONDER_CONTAINED_MAX >= (int)RESPONSES_MAX,
                   "all must find room");
    memset(out, 0, sizeof(*out));
    out->running = running;
    out->dry_run = responder->cfg.dry_run;
    out->stopped = responder->stopped;
    out->resumes = responder->cfg.resumes;
    out->per_hour = responder->cfg.per_hour;
    out->hour_until_ms = hour_until(responder, now_ms);
    pod_order_text(
        out->broken, sizeof(out->broken),
        (struct guard_span){(const uint8_t *)responder->broken, strlen(responder->broken)});
    fill_workloads(responder, out);
    if (running)
        fill_contained(&responder->ledger, out);
}

/* --- its file --- */

static int open_folder(const char *guard)
{
    char path[STATE_PATH_MAX];
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int len = snprintf(path, sizeof(path), "%s/pods", guard);
    int pods = len > 0 && len < STATE_PATH_MAX ? open(path, flags) : -1;
    if (pods < 0)
        return -1;
    int folder = openat(pods, "responder", flags);
    if (folder < 0 && errno == ENOENT && mkdirat(pods, "responder", 0755) == 0)
        folder = openat(pods, "responder", flags);
    close(pods);
    return folder;
}

static bool replace(int folder, const char *text, size_t len)
{
    (void)unlinkat(folder, beside, 0);
    int fd = openat(folder, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool good = fchmod(fd, 0644) == 0; /* guardd is another user */
    good = write(fd, text, len) == (ssize_t)len && good;
    good = close(fd) == 0 && good;
    return good && renameat(folder, beside, folder, name) == 0;
}

static bool tell(struct responder *responder, bool running, uint64_t now_ms, struct guard_err *err)
{
    static struct responder_state state;
    static char text[RESPONDER_STATE_BYTES_MAX];
    struct state_file *file = &responder->state_file;
    size_t len = 0;
    state_file_fill(responder, running, &state, now_ms);
    if (responder_state_write(&state, text, sizeof(text), &len, err) != GUARD_OK)
        return false;
    uint64_t sum = guard_checksum(1, (struct guard_span){(const uint8_t *)text, len});
    int folder = open_folder(responder->cfg.guard);
    bool good = folder >= 0;
    if (good && (sum != file->told || utimensat(folder, name, NULL, AT_SYMLINK_NOFOLLOW) != 0)) {
        state.written_ms = now_ms;
        good = responder_state_write(&state, text, sizeof(text), &len, err) == GUARD_OK &&
               replace(folder, text, len);
    }
    if (!good)
        snprintf(err->text, sizeof(err->text), "%.180s/pods/responder: %s", responder->cfg.guard,
                 strerror(errno));
    if (folder >= 0)
        close(folder);
    file->told = good ? sum : 0;
    return good;
}

static void tell_or_complain(struct responder *responder, bool running, uint64_t now_ms)
{
    struct state_file *file = &responder->state_file;
    struct guard_err err = {.text = ""};
    bool good = tell(responder, running, now_ms, &err);
    if (!good && !file->complained)
        log_event("warn", "state-not-told", (struct guard_span){NULL, 0}, "%s", err.text);
    file->complained = !good;
}

void state_file_tick(struct responder *responder, uint64_t now_ms, uint64_t clock_ms)
{
    struct state_file *file = &responder->state_file;
    if (!file->stale && file->beat_ms != 0 && clock_ms - file->beat_ms < RESPONDER_BEAT_MS)
        return;
    file->stale = false;
    file->beat_ms = clock_ms;
    tell_or_complain(responder, true, now_ms);
}

void state_file_end(struct responder *responder, uint64_t now_ms)
{
    tell_or_complain(responder, false, now_ms);
}
