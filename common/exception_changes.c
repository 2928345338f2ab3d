/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, edits, audits, writes; nothing is half applied. */
#include "common/exception_changes.h"

#include "common/clean.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_edit.h"
#include "common/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who adds one may have dated it by a clock that is ahead of ours. */
enum { CLOCKS_DIFFER_MS = 3600000 };

struct changing {
    const struct change *change;
    struct guard_arena *arena;
    struct exception_outcome *out;
    struct guard_err *err;
    struct guard_guardian now;
    struct guard_guardian wanted;
};

/* None: the count. */
static uint32_t index_of(const struct guard_guardian *guardian, struct guard_span id)
{
    uint32_t i = 0;
    while (i < guardian->exception_count &&
           (guardian->exceptions[i].id.len != id.len ||
            memcmp(guardian->exceptions[i].id.ptr, id.ptr, id.len) != 0))
        i++;
    return i;
}

/* ", FP-1 until 2027-01-31T00:00:00.000Z" */
static void say(char text[EXCEPTION_SAID_MAX], const struct guard_exception *exception)
{
    char until[CLOCK_TEXT_MAX] = "";
    size_t len = strlen(text);
    (void)clock_text(until, (double)exception->expires_ms);
    snprintf(text + len, EXCEPTION_SAID_MAX - len, "%s%.*s until %s", len > 0 ? ", " : "",
             (int)exception->id.len, (const char *)exception->id.ptr, until);
}

/* A copy of the exceptions with room for more. */
static enum guard_rc copy(struct changing *changing, uint32_t more)
{
    struct guard_guardian *wanted = &changing->wanted;
    size_t size = sizeof(*wanted->exceptions);
    if (wanted->exception_count + more > GUARD_EXCEPTIONS_MAX)
        return guard_fail(changing->err, GUARD_E_LIMIT, "exceptions: a Guardian has at most %d",
                          GUARD_EXCEPTIONS_MAX);
    struct guard_exception *exceptions =
        guard_arena_get(changing->arena, (wanted->exception_count + more) * size + 1);
    if (exceptions == NULL)
        return guard_fail(changing->err, GUARD_E_NOMEM, "no memory");
    if (wanted->exception_count > 0)
        memcpy(exceptions, wanted->exceptions, wanted->exception_count * size);
    wanted->exceptions = exceptions;
    return GUARD_OK;
}

static enum guard_rc add(struct changing *changing, const struct exception_list *list)
{
    struct guard_guardian *wanted = &changing->wanted;
    const uint64_t now_ms = clock_unix_ms();
    for (uint32_t i = 0; i < list->count; i++) {
        const struct guard_exception *exception = &list->exceptions[i];
        if (index_of(wanted, exception->id) < wanted->exception_count)
            return guard_fail(changing->err, GUARD_E_RANGE,
                              "exceptions[%u].id: the service has an exception %.*s already", i,
                              (int)exception->id.len, (const char *)exception->id.ptr);
        if (exception->created_ms > now_ms + CLOCKS_DIFFER_MS)
            return guard_fail(changing->err, GUARD_E_RANGE,
                              "exceptions[%u].created: lies in the future", i);
        if (exception->expires_ms <= now_ms)
            return guard_fail(changing->err, GUARD_E_RANGE,
                              "exceptions[%u].expires: lies in the past", i);
        say(changing->out->after, exception);
        wanted->exceptions[wanted->exception_count++] = *exception;
    }
    return GUARD_OK;
}

static enum guard_rc take_out(struct changing *changing, struct guard_span id)
{
    struct guard_guardian *wanted = &changing->wanted;
    const uint32_t index = index_of(wanted, id);
    if (index == wanted->exception_count)
        return guard_fail(changing->err, GUARD_E_RANGE, "id: the service has no exception %.*s",
                          (int)id.len, (const char *)id.ptr);
    say(changing->out->before, &wanted->exceptions[index]);
    wanted->exception_count--;
    memmove(&wanted->exceptions[index], &wanted->exceptions[index + 1],
            (wanted->exception_count - index) * sizeof(wanted->exceptions[0]));
    return GUARD_OK;
}

static enum guard_rc put(struct changing *changing, struct guard_span text, bool dry)
{
    struct guard_span edited;
    const struct exception_outcome *out = changing->out;
    GUARD_TRY(guardian_edit_exceptions(text, &changing->now, &changing->wanted, changing->arena,
                                       &edited, changing->err));
    if (dry)
        return GUARD_OK;
    return change_guardian_exceptions(changing->change, edited, out->before, out->after,
                                      changing->err);
}

/* The document in place; *bytes NULL: there is none. */
static enum guard_rc read_now(struct changing *changing, uint8_t **bytes, size_t *len)
{
    char path[STATE_PATH_MAX];
    const struct change *change = changing->change;
    if (!state_service_valid(change->service) ||
        state_path(path, change->dir, "guardians", change->service, ".yaml") != GUARD_OK)
        return guard_fail(changing->err, GUARD_E_RANGE,
                          "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    guard_guardian_default(&changing->now, change->service);
    errno = 0;
    enum guard_rc rc = file_read(path, DOCUMENT_BYTES_MAX, bytes, len, changing->err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        return GUARD_OK;
    GUARD_TRY(rc);
    return guardian_parse(&changing->now, path, (struct guard_span){*bytes, *len}, changing->arena,
                          changing->err);
}

enum guard_rc change_exceptions(const struct change *change, const struct exception_change *what,
                                bool dry, struct guard_arena *arena, struct exception_outcome *out,
                                struct guard_err *err)
{
    struct changing changing = {.change = change, .arena = arena, .out = out, .err = err};
    uint8_t *bytes = NULL;
    size_t len = 0;
    *out = (struct exception_outcome){0};
    enum guard_rc rc = read_now(&changing, &bytes, &len);
    changing.wanted = changing.now;
    if (rc == GUARD_OK)
        rc = copy(&changing, what->add != NULL ? what->add->count : 0);
    if (rc == GUARD_OK)
        rc = what->add != NULL ? add(&changing, what->add) : take_out(&changing, what->remove);
    if (rc == GUARD_OK)
        rc = put(&changing, (struct guard_span){bytes, len}, dry);
    free(bytes);
    return rc;
}

/* What exceptions hold of who and why is a line; what people say may be anything. */
static enum guard_rc one_line(const char *text, struct guard_arena *arena, struct guard_span *out,
                              struct guard_err *err)
{
    size_t cap = 4 * strlen(text) + 1;
    char *line = guard_arena_get(arena, cap);
    if (line == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    clean(line, cap, text, strlen(text));
    *out = (struct guard_span){(const uint8_t *)line, strlen(line)};
    return GUARD_OK;
}

enum guard_rc exception_defaults_of(const struct change *change, struct guard_arena *arena,
                                    struct exception_defaults *out, struct guard_err *err)
{
    out->created_ms = clock_unix_ms();
    GUARD_TRY(one_line(change->who.by, arena, &out->author, err));
    return one_line(change->reason, arena, &out->reason, err);
}
