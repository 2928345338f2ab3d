/* SPDX-License-Identifier: Apache-2.0 */
/* The child writes its answer into memory that both share; how it ends says what it is. */
#include "proposals.h"

#include "limited.h"

#include "common/file.h"
#include "common/propose/propose.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* How the child ends. */
enum { MADE = 0, REFUSED = 1, UNWRITTEN = 2 };

enum { DOCUMENT_ARENA = 16 << 20 };

/* --- in the child --- */

static enum guard_rc each_benign(void *ctx, proposal_take *take, void *take_ctx,
                                 struct guard_err *err)
{
    const struct exploit *benign = ctx;
    for (uint32_t i = 0; i < benign->request_count; i++) {
        struct guard_header headers[EXPLOIT_HEADERS_MAX];
        struct guard_exchange exchange;
        exploit_exchange(&benign->requests[i], headers, &exchange);
        GUARD_TRY(take(take_ctx, &exchange, err));
    }
    return GUARD_OK;
}

/* What is learned now, or was before the next learning. */
static const struct guard_model *model_of(const struct service *service)
{
    return service->model != NULL ? service->model : service->parent;
}

static enum guard_rc write_json(const struct proposal_ask *ask, const struct exploit *exploit,
                                const struct proposal *proposal, struct json_writer *json,
                                struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, DOCUMENT_ARENA);
    json_open(json, NULL, '{');
    json_string(json, "service", ask->service->name);
    GUARD_TRY(proposal_json(json, exploit, proposal, &arena, err));
    json_close(json, '}');
    guard_arena_reset(&arena);
    return json->overflow ? guard_fail(err, GUARD_E_LIMIT, "the explanation is too long to be sent")
                          : GUARD_OK;
}

static enum guard_rc read_benign(const struct proposal_ask *ask, struct exploit *benign,
                                 struct proposal_cfg *cfg, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    if (ask->benign.len == 0)
        return GUARD_OK;
    GUARD_TRY(exploit_read(benign, "benign", ask->benign, EXPLOIT_AUTO, &heap, err));
    cfg->benign = (struct proposal_benign){each_benign, benign};
    return GUARD_OK;
}

/* What it takes is given back by the end of the process. */
static enum guard_rc make(const struct proposal_ask *ask, struct json_writer *json,
                          struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct exploit exploit;
    struct exploit benign;
    struct proposal proposal;
    struct proposal_cfg cfg = {.guardian = &ask->service->guardian,
                               .model = model_of(ask->service),
                               .id = ask->id,
                               .title = ask->title,
                               .author = ask->author,
                               .reason = ask->reason};
    GUARD_TRY(exploit_read(&exploit, "exploit", ask->exploit, ask->format, &heap, err));
    GUARD_TRY(read_benign(ask, &benign, &cfg, err));
    GUARD_TRY(propose(&proposal, &exploit, &cfg, err));
    return write_json(ask, &exploit, &proposal, json, err);
}

static bool put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(LIMITED_FD, bytes, len);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Ends. */
static void be_proposer(const struct proposal_ask *ask, int fd)
{
    const struct limited limited = {.cpu_s = PROPOSAL_CPU_S,
                                    .memory = PROPOSAL_MEMORY,
                                    .written = PROPOSAL_ANSWER_MAX,
                                    .fd = fd};
    struct guard_err err = {""};
    struct json_writer json;
    limited_become(&limited);
    char *text = malloc(PROPOSAL_ANSWER_MAX);
    if (text == NULL)
        _exit(UNWRITTEN);
    json_writer_init(&json, text, PROPOSAL_ANSWER_MAX);
    enum guard_rc rc = make(ask, &json, &err);
    if (rc == GUARD_E_NOMEM)
        _exit(UNWRITTEN);
    bool good = rc == GUARD_OK ? put(text, json.len) : put(err.text, strlen(err.text));
    _exit(!good ? UNWRITTEN : rc == GUARD_OK ? MADE : REFUSED);
}

/* --- in guardd --- */

static struct proposal_job *job_of(struct proposals *proposals, uint64_t ticket)
{
    for (int i = 0; i < PROPOSALS_MAX; i++) {
        if (proposals->jobs[i].ticket == ticket)
            return &proposals->jobs[i];
    }
    return NULL;
}

enum guard_rc proposals_begin(struct proposals *proposals, const struct proposal_ask *ask,
                              uint64_t now_ms, uint32_t ms, uint64_t *ticket, struct guard_err *err)
{
    struct proposal_job *job = job_of(proposals, 0);
    if (job == NULL)
        return guard_fail(err, GUARD_E_LIMIT, "%d proposals are being made already",
                          (int)PROPOSALS_MAX);
    int fd = memfd_create("proposal", MFD_CLOEXEC);
    if (fd < 0)
        return guard_fail(err, GUARD_E_IO, "%s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_proposer(ask, fd);
    if (child < 0) {
        close(fd);
        return guard_fail(err, GUARD_E_IO, "%s", strerror(errno));
    }
    *ticket = ++proposals->last;
    *job =
        (struct proposal_job){.ticket = *ticket, .child = child, .fd = fd, .until_ms = now_ms + ms};
    return GUARD_OK;
}

static void look(struct proposal_job *job)
{
    int status = 0;
    pid_t ended = waitpid(job->child, &status, WNOHANG);
    if (ended == 0)
        return;
    job->child = 0;
    job->good = ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) <= REFUSED;
    job->refused = job->good && WEXITSTATUS(status) == REFUSED;
}

static void stop(struct proposal_job *job)
{
    kill(job->child, SIGKILL);
    (void)waitpid(job->child, NULL, 0);
    job->child = 0;
}

/* A clock that was set back doesn't make it longer. */
static bool is_over(const struct proposal_job *job, uint64_t now_ms)
{
    return now_ms >= job->until_ms || job->until_ms - now_ms > PROPOSAL_MS;
}

bool proposals_due(struct proposals *proposals, uint64_t ticket, uint64_t now_ms)
{
    struct proposal_job *job = job_of(proposals, ticket);
    if (job == NULL || job->child == 0)
        return true;
    look(job);
    if (job->child != 0 && is_over(job, now_ms))
        stop(job);
    return job->child == 0;
}

static enum guard_rc read_answer(const struct proposal_job *job, char **bytes, size_t *len,
                                 struct guard_err *err)
{
    struct stat info;
    if (fstat(job->fd, &info) != 0 || info.st_size > PROPOSAL_ANSWER_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "there is no answer");
    *len = (size_t)info.st_size;
    *bytes = malloc(*len + 1);
    if (*bytes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    if (pread(job->fd, *bytes, *len, 0) != info.st_size) {
        free(*bytes);
        return guard_fail(err, GUARD_E_LIMIT, "there is no answer");
    }
    (*bytes)[*len] = '\0';
    return GUARD_OK;
}

static enum guard_rc end_of(struct proposal_job *job, char **bytes, size_t *len,
                            struct guard_err *err)
{
    if (job->child != 0) {
        stop(job);
        return guard_fail(err, GUARD_E_STATE, "it hadn't ended");
    }
    if (!job->good)
        return guard_fail(err, GUARD_E_LIMIT,
                          "it took more than %d s of the processor, %d s in all or %d MiB",
                          (int)PROPOSAL_CPU_S, PROPOSAL_MS / 1000, PROPOSAL_MEMORY >> 20);
    GUARD_TRY(read_answer(job, bytes, len, err));
    if (!job->refused)
        return GUARD_OK;
    (void)guard_fail(err, GUARD_E_SYNTAX, "%s", *bytes);
    free(*bytes);
    return GUARD_E_SYNTAX;
}

enum guard_rc proposals_take(struct proposals *proposals, uint64_t ticket, char **bytes,
                             size_t *len, struct guard_err *err)
{
    struct proposal_job *job = job_of(proposals, ticket);
    if (job == NULL || ticket == 0)
        return guard_fail(err, GUARD_E_STATE, "there is no such proposal");
    enum guard_rc rc = end_of(job, bytes, len, err);
    close(job->fd);
    *job = (struct proposal_job){.ticket = 0};
    return rc;
}

void proposals_close(struct proposals *proposals)
{
    for (int i = 0; i < PROPOSALS_MAX; i++) {
        struct proposal_job *job = &proposals->jobs[i];
        if (job->ticket == 0)
            continue;
        if (job->child != 0)
            stop(job);
        close(job->fd);
        *job = (struct proposal_job){.ticket = 0};
    }
}
