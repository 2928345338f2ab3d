/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on clients: a small signed table that guardd writes and every gate reads into its own
 * memory when it changed. A request costs one hash and a few steps in it; nothing is read then. */
#include "module.h"

#include <guard/crypto.h>

#include <fcntl.h>
#include <sys/stat.h>

static u_char buffer[GUARD_CLIENT_TABLE_BYTES + 1];

static ssize_t read_file(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = -1;
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        n = read(fd, buffer, sizeof(buffer));
    close(fd);
    return n;
}

/* Into new memory: what is in force stays whole until then. */
static enum guard_rc take(struct gate_service *service, ssize_t len)
{
    if (len < 0)
        return GUARD_E_IO;
    struct guard_client_table *table = malloc(sizeof(*table));
    if (table == NULL)
        return GUARD_E_NOMEM;
    enum guard_rc rc = guard_client_table_decode(table, (struct guard_span){buffer, (size_t)len},
                                                 service->name, gate_worker.conf->key);
    if (rc == GUARD_OK && service->verdicts != NULL &&
        table->issued_ms < service->verdicts->issued_ms)
        rc = GUARD_E_REPLAY;
    if (rc != GUARD_OK) {
        free(table);
        return rc;
    }
    free(service->verdicts);
    service->verdicts = table;
    return GUARD_OK;
}

void gate_verdicts_follow(struct gate_service *service, ngx_log_t *log)
{
    struct gate_file_id id;
    char path[STATE_PATH_MAX];
    if (!gate_worker.conf->key_known || state_path(path, (const char *)gate_worker.conf->state.data,
                                                   "verdicts", service->name, ".table") != GUARD_OK)
        return;
    gate_file_examine(path, &id);
    if (gate_file_same(&id, &service->verdicts_seen))
        return;
    service->verdicts_seen = id;
    if (!id.exists) /* what holds goes on until it ends */
        return;
    enum guard_rc rc = take(service, read_file(path));
    if (rc == GUARD_E_NOMEM)
        service->verdicts_seen.inode = 0; /* tried again */
    if (rc != GUARD_OK && !service->verdicts_refused) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "guard: service %*s: verdicts on clients refused: %s; those before stay in "
                      "force until they end",
                      service->name.len, service->name.ptr, guard_rc_name(rc));
    } else if (rc == GUARD_OK && service->verdicts_refused) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "guard: service %*s: verdicts on clients hold again",
                      service->name.len, service->name.ptr);
    }
    service->verdicts_refused = rc != GUARD_OK;
}

static const struct guard_client_verdict *find(const struct guard_client_table *table,
                                               const struct guard_client *client, uint64_t now_ms)
{
    return guard_client_table_find(table, guard_client_code(table->key, client), now_ms);
}

/* A verified subject answers for itself, wherever it comes from. Only a person who blocks an
 * address means whoever is there. */
static const struct guard_client_verdict *find_address(const struct guard_client_table *table,
                                                       const struct guard_client *client,
                                                       uint64_t now_ms)
{
    struct guard_client there = *client;
    there.unit = GUARD_UNIT_PREFIX;
    const struct guard_client_verdict *verdict = find(table, &there, now_ms);
    return verdict != NULL && verdict->rule == GUARD_RULE_CLIENT_MANUAL ? verdict : NULL;
}

void gate_verdicts_ask(const struct gate_service *service, const struct guard_client *client,
                       struct guard_txn *txn)
{
    const struct guard_client_table *table = service->verdicts;
    struct guard_client known = *client;
    uint8_t digest[GUARD_DIGEST_BYTES];
    if (table == NULL || table->count == 0)
        return;
    if (client->subject.len > 0) {
        guard_digest(digest, client->subject);
        known.subject = (struct guard_span){digest, GUARD_CLIENT_SUBJECT};
    }
    uint64_t now_ms = gate_unix_ms();
    const struct guard_client_verdict *verdict = find(table, &known, now_ms);
    if (verdict == NULL && known.unit == GUARD_UNIT_SUBJECT)
        verdict = find_address(table, &known, now_ms);
    if (verdict == NULL)
        return;
    uint64_t left_s = (verdict->until_ms - now_ms + 999) / 1000;
    guard_txn_client_verdict(txn, verdict, left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX);
}
