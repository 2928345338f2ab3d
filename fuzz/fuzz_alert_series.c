/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd reads back of alerts.open and of the log behind it: what a kill, a full disk or
 * somebody else left there. The input is the file; behind a line "LOG" it is the log. */
#include "guardd/alert_series.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_series.XXXXXX";
static char saved_path[64];
static char log_path[64];

static void clean_up(void)
{
    unlink(saved_path);
    unlink(log_path);
    rmdir(dir);
}

static void prepare(void)
{
    if (saved_path[0] != '\0')
        return;
    if (mkdtemp(dir) == NULL || freopen("/dev/null", "w", stdout) == NULL)
        abort();
    snprintf(saved_path, sizeof(saved_path), "%s/alerts.open", dir);
    snprintf(log_path, sizeof(log_path), "%s/alerts.jsonl", dir);
    atexit(clean_up);
}

static void put_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    close(fd);
}

static struct alerts *restored(void)
{
    struct guard_err err;
    struct alerts *alerts = calloc(1, sizeof(*alerts));
    if (alerts == NULL || alerts_open(alerts, dir, &err) != GUARD_OK)
        abort();
    alerts_restore(alerts, dir);
    return alerts;
}

static uint32_t open_series(const struct alerts *alerts)
{
    uint32_t count = 0;
    for (size_t i = 0; i < ALERT_FOLDS_MAX; i++) {
        const struct alert_fold *fold = &alerts->folds[i];
        if (fold->key == 0)
            continue;
        /* What is told from here on must have something to tell. */
        if (fold->line == NULL || fold->len >= ALERT_BYTES_MAX || fold->id_count > ALERT_IDS_MAX ||
            fold->later)
            abort();
        count++;
    }
    return count;
}

static void drop(struct alerts *alerts)
{
    for (size_t i = 0; i < ALERT_FOLDS_MAX; i++)
        free(alerts->folds[i].line);
    alerts_forget_positions(alerts);
    free(alerts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char mark[] = "\nLOG\n";
    prepare();
    const uint8_t *log = size > 0 ? memmem(data, size, mark, sizeof(mark) - 1) : NULL;
    size_t saved_len = log != NULL ? (size_t)(log - data) + 1 : size;
    put_file(saved_path, data, saved_len);
    put_file(log_path, log != NULL ? log + sizeof(mark) - 1 : data,
             log != NULL ? size - saved_len - (sizeof(mark) - 2) : 0);
    struct alerts *first = restored();
    struct alerts *second = restored(); /* of what the first one has written */
    if (first->position_count > ALERT_POSITIONS_MAX ||
        second->position_count != first->position_count || second->series < first->series ||
        open_series(second) != open_series(first))
        abort();
    drop(first);
    drop(second);
    return 0;
}
