/* SPDX-License-Identifier: Apache-2.0 */
/* What the responder says of its books and what is asked of it: the one side reads what the other
 * writes, and neither takes what can't be. */
#include "common/file.h"
#include "common/pods/resumes.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct responder_state state, again;
static char text[RESPONDER_STATE_BYTES_MAX];
static size_t len;
static const char *folder;

static const uint64_t start = UINT64_C(1764000000000);

static struct guard_span span(const char *of)
{
    return (struct guard_span){(const uint8_t *)of, strlen(of)};
}

/* Member by member: it is compared as memory, and a compound literal may have anything between. */
static void fill(void)
{
    memset(&state, 0, sizeof(state));
    state.written_ms = start;
    state.running = true;
    state.resumes = true;
    snprintf(state.broken, sizeof(state.broken), "the \"ledger\" is damaged");
    state.per_hour = 10;
    state.hour_until_ms = start + 5;
    state.workload_count = 2;
    state.contained_count = 1;
    for (uint32_t i = 0; i < 2; i++) {
        struct responder_workload *one = &state.workloads[i];
        snprintf(one->name_space, sizeof(one->name_space), "shop");
        snprintf(one->workload, sizeof(one->workload), "cart%u", i);
        guard_pod_budget_default(&one->cfg);
        one->replicas_max = 100;
    }
    struct responder_workload *one = &state.workloads[1];
    one->dry_run = true;
    one->stopped_ms = start + 7;
    snprintf(one->stopped, sizeof(one->stopped), "%s", pod_stop_name(POD_STOP_REPLACEMENT));
    one->budget.begun = 2;
    one->budget.begun_ms[0] = start + 1;
    one->budget.begun_ms[1] = start + 2;
    one->budget.streak = 2;
    one->budget.last_ms = start + 3;
    one->budget.in_flight = true;
    one->budget.stopped = true;
    struct responder_contained *held = &state.contained[0];
    snprintf(held->name_space, sizeof(held->name_space), "shop");
    snprintf(held->workload, sizeof(held->workload), "cart1");
    snprintf(held->pod, sizeof(held->pod), "cart1-x");
    snprintf(held->uid, sizeof(held->uid), "u-1");
    snprintf(held->order, sizeof(held->order), "5c1f");
    held->until_ms = start + 9;
    held->frozen = true;
}

static void write_state(void)
{
    struct guard_err err = {.text = ""};
    assert_int_equal(responder_state_write(&state, text, sizeof(text), &len, &err), GUARD_OK);
}

static enum guard_rc read_text(struct guard_err *err)
{
    return responder_state_read(&again, (struct guard_span){(uint8_t *)text, len}, err);
}

static void what_was_written_is_read_again(void **unused)
{
    struct guard_err err = {.text = ""};
    (void)unused;
    fill();
    write_state();
    assert_int_equal(read_text(&err), GUARD_OK);
    assert_memory_equal(&again, &state, sizeof(state));
    assert_ptr_equal(responder_state_of(&again, span("shop"), span("cart1")), &again.workloads[1]);
    assert_null(responder_state_of(&again, span("shop"), span("cart")));
}

static void the_largest_has_room(void **unused)
{
    struct guard_err err = {.text = ""};
    (void)unused;
    fill();
    state.workload_count = RESPONDER_WORKLOADS_MAX;
    for (uint32_t i = 0; i < RESPONDER_WORKLOADS_MAX; i++) {
        struct responder_workload *one = &state.workloads[i];
        *one = state.workloads[1];
        memset(one->name_space, 'n', GUARD_POD_NAME_MAX);
        memset(one->workload, 'w', GUARD_POD_NAME_MAX);
        one->budget.begun = GUARD_POD_BUDGET_HISTORY;
        for (int k = 0; k < GUARD_POD_BUDGET_HISTORY; k++)
            one->budget.begun_ms[k] = UINT64_C(253402300799999);
    }
    write_state();
    assert_int_equal(read_text(&err), GUARD_OK);
    assert_memory_equal(&again, &state, sizeof(state));
}

static void put(const char *find, const char *instead)
{
    static char changed[RESPONDER_STATE_BYTES_MAX];
    fill();
    write_state();
    char *at = memmem(text, len, find, strlen(find));
    assert_non_null(at);
    size_t before = (size_t)(at - text), rest = len - before - strlen(find);
    memcpy(changed, text, before);
    memcpy(changed + before, instead, strlen(instead));
    memcpy(changed + before + strlen(instead), at + strlen(find), rest);
    len = before + strlen(instead) + rest;
    memcpy(text, changed, len);
}

static void what_cannot_be_is_refused_with_its_place(void **unused)
{
    static const struct {
        const char *find, *instead;
        enum guard_rc rc;
        const char *place;
    } cases[] = {
        {"\"version\":1", "\"version\":2", GUARD_E_VERSION, "version: another one than 1"},
        {"\"running\":true,", "", GUARD_E_SYNTAX, "running is missing"},
        {"\"running\":true", "\"running\":\"true\"", GUARD_E_SYNTAX, "running"},
        {"\"share\":0.1", "\"share\":0.9", GUARD_E_RANGE, "share"},
        {"\"share\":0.1", "\"share\":nan", GUARD_E_RANGE, "workloads[0].share"},
        {"\"share\":0.1", "\"share\":0x0", GUARD_E_RANGE, "workloads[0].share"},
        {"\"share\":0.1", "\"share\":\"0.1\"", GUARD_E_RANGE, "workloads[0].share"},
        {"\"windowMs\":600000", "\"windowMs\":0", GUARD_E_RANGE, "window"},
        {"\"windowMs\":600000", "\"windowMs\":99999999999999999999", GUARD_E_RANGE, "windowMs"},
        {"\"windowMs\":600000", "\"windowMs\":-1", GUARD_E_RANGE, "windowMs"},
        {"\"workload\":\"cart0\"", "\"workload\":\"../x\"", GUARD_E_RANGE, "workload"},
        {"\"stopped\":\"replacement\"", "\"stopped\":\"tired\"", GUARD_E_RANGE, "stopped"},
        {"the \\\"ledger", "the \\u001bledger", GUARD_E_RANGE, "broken"},
        {"\"order\":\"5c1f\"", "\"order\":\"../5c1f\"", GUARD_E_RANGE, "contained[0].order"},
        {"\"begunMs\":[", "\"begunMs\":[-4,", GUARD_E_RANGE, "begunMs"},
        {"\"contained\":[", "\"contained\":[1,", GUARD_E_SYNTAX, "contained[0]"},
        {"\"workloads\":[", "\"workloads\":{},\"more\":[", GUARD_E_SYNTAX, "workloads is no list"},
        {"\"perHour\":10", "\"perHour\":1e1", GUARD_E_RANGE, "perHour"},
    };
    static const struct responder_state nothing;
    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_err err = {.text = ""};
        put(cases[i].find, cases[i].instead);
        assert_int_equal(read_text(&err), cases[i].rc);
        if (strstr(err.text, cases[i].place) == NULL || strncmp(err.text, "responder:", 10) != 0)
            fail_msg("%zu: \"%s\" doesn't name %s", i, err.text, cases[i].place);
        assert_memory_equal(&again, &nothing, sizeof(nothing));
    }
    /* A newer responder may say more: it is looked at only. */
    struct guard_err err = {.text = ""};
    put("\"version\":1", "\"version\":1,\"weather\":\"fine\"");
    assert_int_equal(read_text(&err), GUARD_OK);
}

static void more_than_there_may_be_is_refused(void **unused)
{
    struct guard_err err = {.text = ""};
    (void)unused;
    fill();
    state.workload_count = RESPONDER_WORKLOADS_MAX;
    for (uint32_t i = 1; i < RESPONDER_WORKLOADS_MAX; i++)
        state.workloads[i] = state.workloads[0];
    write_state();
    char *end = memmem(text, len, "],\"contained\"", 13);
    char *first = memchr(text, '[', len);
    size_t one = (size_t)((char *)memmem(first, len, "},{", 3) - first);
    static char more[RESPONDER_STATE_BYTES_MAX];
    int put_len = snprintf(more, sizeof(more), "%.*s,%.*s%.*s", (int)(end - text), text, (int)one,
                           first + 1, (int)(len - (size_t)(end - text)), end);
    assert_true(put_len > 0);
    len = (size_t)put_len;
    memcpy(text, more, len);
    assert_int_equal(read_text(&err), GUARD_E_LIMIT);
    assert_non_null(strstr(err.text, "workloads: more than 64"));
}

/* --- resumes --- */

static void a_resume_is_read_again_and_unknown_members_are_refused(void **unused)
{
    const struct pod_resume resume = {.id = "5c1f",
                                      .asked_ms = start,
                                      .service = "shop",
                                      .name_space = "prod",
                                      .workload = "web",
                                      .by = "anna",
                                      .reason = "the \"hole\" is closed"};
    struct pod_resume read;
    struct guard_err err = {.text = ""};
    (void)unused;
    assert_int_equal(pod_resume_write(&resume, text, sizeof(text), &len, &err), GUARD_OK);
    assert_int_equal(pod_resume_read(&read, (struct guard_span){(uint8_t *)text, len}, &err),
                     GUARD_OK);
    assert_memory_equal(&read, &resume, sizeof(read));
    text[len - 1] = ',';
    int more = snprintf(text + len, sizeof(text) - len, "\"unless\":\"x\"}");
    assert_int_equal(
        pod_resume_read(&read, (struct guard_span){(uint8_t *)text, len + (size_t)more}, &err),
        GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "unless: isn't known"));
    assert_int_equal(read.asked_ms, 0);
}

static void lay_down(const char *name)
{
    char path[256];
    struct guard_err err = {.text = ""};
    write_state();
    snprintf(path, sizeof(path), "%s/pods/responder/%s", folder, name);
    assert_int_equal(
        file_replace(path, (struct guard_span){(uint8_t *)text, len}, 0644, false, &err), GUARD_OK);
}

static enum guard_rc ask(const char *workload, struct guard_err *err)
{
    const struct change change = {.dir = folder,
                                  .service = span("shop"),
                                  .who = {.by = "anna", .uid = 0, .via = "cli"},
                                  .reason = "closed"};
    return change_pod_resume(&change, "shop", workload, err);
}

static void assert_refused(const char *workload, const char *why)
{
    struct guard_err err = {.text = ""};
    assert_int_equal(ask(workload, &err), GUARD_E_STATE);
    if (strstr(err.text, why) == NULL)
        fail_msg("\"%s\" doesn't say %s", err.text, why);
    assert_false(pod_resume_pending(folder, "shop", workload));
}

static void it_is_asked_for_only_where_it_would_be_taken(void **unused)
{
    struct guard_err err = {.text = ""};
    (void)unused;
    assert_int_equal(state_prepare(folder, &err), GUARD_OK);
    assert_refused("cart1", "no responder takes orders");
    fill();
    lay_down("state.json");
    assert_refused("cart0", "isn't stopped");
    assert_refused("cart7", "isn't configured");
    assert_int_equal(ask("../x", &err), GUARD_E_RANGE);
    state.resumes = false;
    lay_down("state.json");
    assert_refused("cart1", "takes no resumes");
    fill();
    state.running = false;
    lay_down("state.json");
    assert_refused("cart1", "no responder lives");
    fill();
    lay_down("state.json");
    assert_int_equal(ask("cart1", &err), GUARD_OK);
    assert_true(pod_resume_pending(folder, "shop", "cart1"));
    assert_false(pod_resume_pending(folder, "sho", "pcart1"));
    /* Twice is once. */
    assert_int_equal(ask("cart1", &err), GUARD_OK);
}

static void a_silent_one_does_not_live_and_links_are_not_followed(void **unused)
{
    uint64_t seen_ms, now_ms = clock_unix_ms();
    struct guard_err err = {.text = ""};
    char path[256], link[256];
    (void)unused;
    fill();
    lay_down("state.json");
    assert_int_equal(responder_state_load(&again, &seen_ms, folder, now_ms + 5, &err), GUARD_OK);
    assert_true(responder_lives(&again, seen_ms, now_ms));
    assert_false(responder_lives(&again, seen_ms, seen_ms + RESPONDER_SILENT_MS));
    /* What is said to be of the time to come is of now. */
    assert_int_equal(responder_state_load(&again, &seen_ms, folder, 1000, &err), GUARD_OK);
    assert_int_equal(seen_ms, 1000);
    lay_down("other.json");
    snprintf(path, sizeof(path), "%s/pods/responder/state.json", folder);
    snprintf(link, sizeof(link), "%s/pods/responder/other.json", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(link, path), 0);
    assert_int_equal(responder_state_load(&again, &seen_ms, folder, now_ms, &err), GUARD_E_IO);
    assert_int_equal(again.workload_count, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(responder_state_load(&again, &seen_ms, folder, now_ms, &err), GUARD_E_IO);
    assert_int_equal(unlink(path), 0);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

int main(void)
{
    static char made[] = "/tmp/guard-responder-state-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(the_largest_has_room),
        cmocka_unit_test(what_cannot_be_is_refused_with_its_place),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(a_resume_is_read_again_and_unknown_members_are_refused),
        cmocka_unit_test(it_is_asked_for_only_where_it_would_be_taken),
        cmocka_unit_test(a_silent_one_does_not_live_and_links_are_not_followed),
    };
    folder = mkdtemp(made);
    if (folder == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0 ? failed : 1;
}
