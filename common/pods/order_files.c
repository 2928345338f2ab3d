/* SPDX-License-Identifier: Apache-2.0 */
/* Orders appear by rename, whole or not at all. */
#include "common/pods/orders.h"

#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum guard_rc path_of(char out[STATE_PATH_MAX], const char *state, const char *folder,
                             const char *id, const char *suffix)
{
    struct guard_span name = {(const uint8_t *)id, strlen(id)};
    if (!pod_order_id_valid(name))
        return GUARD_E_RANGE;
    int len = snprintf(out, STATE_PATH_MAX, "%s/pods/%s/%s%s", state, folder, id, suffix);
    return len > 0 && len < STATE_PATH_MAX ? GUARD_OK : GUARD_E_LIMIT;
}

enum guard_rc pod_order_path(char out[STATE_PATH_MAX], const char *state, const char *id)
{
    return path_of(out, state, "orders", id, ".json");
}

enum guard_rc pod_report_path(char out[STATE_PATH_MAX], const char *state, const char *id)
{
    return path_of(out, state, "reports", id, ".jsonl");
}

enum guard_rc pod_orders_prepare(const char *state, struct guard_err *err)
{
    static const char *const folders[] = {"pods", "pods/orders", "pods/reports"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[STATE_PATH_MAX];
        int len = snprintf(path, sizeof(path), "%s/%s", state, folders[i]);
        if (len < 0 || len >= STATE_PATH_MAX)
            return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", state);
        if (mkdir(path, 0750) != 0 && errno != EEXIST)
            return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    }
    return GUARD_OK;
}

static bool has_room(const char *state)
{
    char path[STATE_PATH_MAX];
    uint32_t count = 0;
    int len = snprintf(path, sizeof(path), "%s/pods/orders", state);
    DIR *dir = len > 0 && len < STATE_PATH_MAX ? opendir(path) : NULL;
    if (dir == NULL)
        return true; /* writing says why */
    for (struct dirent *entry; count < POD_ORDERS_MAX && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count < POD_ORDERS_MAX;
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

enum guard_rc pod_order_place(const char *state, const struct pod_order *order,
                              struct guard_err *err)
{
    char path[STATE_PATH_MAX], report[STATE_PATH_MAX];
    char text[POD_ORDER_BYTES_MAX];
    size_t len = 0;
    enum guard_rc rc = pod_order_path(path, state, order->id);
    if (rc == GUARD_OK)
        rc = pod_report_path(report, state, order->id);
    if (rc != GUARD_OK)
        return guard_fail(err, rc, "%s", "an order's id or its path can't be that");
    GUARD_TRY(pod_order_write(order, text, sizeof(text), &len, err));
    if (is_there(path) || is_there(report))
        return guard_fail(err, GUARD_E_REPLAY, "order %s was given before", order->id);
    if (!has_room(state))
        return guard_fail(err, GUARD_E_LIMIT, "%s/pods/orders: nobody takes what lies there",
                          state);
    return file_replace(path, (struct guard_span){(const uint8_t *)text, len}, 0640, true, err);
}
