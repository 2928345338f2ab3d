/* SPDX-License-Identifier: Apache-2.0 */
/* What others laid into the folders that guardd and the responder share. */
#include "responder/mailbox.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[32];
    struct mailbox mailbox;
    struct pod_order order;
};

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void begin(struct fixture *f)
{
    struct guard_err err;
    snprintf(f->dir, sizeof(f->dir), "/tmp/guard-mailbox-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(pod_orders_prepare(f->dir, &err), GUARD_OK);
    assert_int_equal(mailbox_open(&f->mailbox, f->dir, &err), GUARD_OK);
    f->order = (struct pod_order){.id = "a1",
                                  .decided_ms = 1000,
                                  .service = "shop",
                                  .name_space = "prod",
                                  .workload = "web",
                                  .container = "app",
                                  .pod = "web-1",
                                  .replicas = 3,
                                  .ready = 2,
                                  .reason = "runs /tmp/x",
                                  .evidence = {{.kind = "process", .text = "runs /tmp/x"}},
                                  .evidence_count = 1};
    assert_int_equal(pod_order_place(f->dir, &f->order, &err), GUARD_OK);
}

static void end(struct fixture *f)
{
    static const char *const folders[] = {"/pods/orders", "/pods/reports", "/pods", ""};
    char path[64];
    mailbox_close(&f->mailbox);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", f->dir, folders[i]);
        assert_int_equal(rmdir(path), 0);
    }
}

static void place_of(char out[STATE_PATH_MAX], const struct fixture *f, const char *id)
{
    assert_int_equal(pod_order_path(out, f->dir, id), GUARD_OK);
}

static void an_order_is_read_under_its_own_name_only(void **state)
{
    (void)state;
    struct fixture f;
    struct pod_order read;
    struct guard_err err;
    char own[STATE_PATH_MAX], other[STATE_PATH_MAX];
    begin(&f);
    place_of(own, &f, "a1");
    place_of(other, &f, "other");
    assert_int_equal(mailbox_read(&f.mailbox, "a1", &read, &err), GUARD_OK);
    assert_memory_equal(&read, &f.order, sizeof(read));
    assert_int_equal(mailbox_read(&f.mailbox, "other", &read, &err), GUARD_E_IO);
    assert_int_equal(rename(own, other), 0);
    assert_int_equal(mailbox_read(&f.mailbox, "other", &read, &err), GUARD_E_FOREIGN);
    assert_int_equal(symlink(other, own), 0);
    assert_int_equal(mailbox_read(&f.mailbox, "a1", &read, &err), GUARD_E_IO);
    assert_int_equal(unlink(own), 0);
    assert_int_equal(unlink(other), 0);
    end(&f);
}

static void a_report_grows_to_its_end_and_repeats_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct guard_err err;
    struct stat info, before;
    struct pod_report_line line = {.id = "a1", .at_ms = 1000, .step = GUARD_POD_CAPTURE};
    char path[STATE_PATH_MAX];
    enum guard_rc rc = GUARD_OK;
    begin(&f);
    place_of(path, &f, "a1");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pod_report_path(path, f.dir, "a1"), GUARD_OK);
    assert_false(mailbox_has_report(&f.mailbox, "a1"));
    assert_int_equal(mailbox_report(&f.mailbox, &line, &err), GUARD_OK);
    assert_true(mailbox_has_report(&f.mailbox, "a1"));
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(mailbox_report(&f.mailbox, &line, &err), GUARD_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, before.st_size);
    memset(line.detail, 'd', sizeof(line.detail) - 1);
    for (uint32_t lines = 0; rc == GUARD_OK && lines < 10000; lines++) {
        line.at_ms += 1000;
        rc = mailbox_report(&f.mailbox, &line, &err);
    }
    assert_int_equal(rc, GUARD_E_LIMIT);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < POD_REPORT_BYTES_MAX);
    assert_int_equal(unlink(path), 0);
    end(&f);
}

/* Another name for a file of somebody else's, or the rest of a line. */
static void a_report_is_no_way_to_other_files(void **state)
{
    (void)state;
    struct fixture f;
    struct guard_err err;
    struct pod_report_line line = {.id = "a1", .at_ms = 1000, .step = GUARD_POD_CAPTURE};
    char order[STATE_PATH_MAX], path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    begin(&f);
    place_of(order, &f, "a1");
    assert_int_equal(pod_report_path(path, f.dir, "a1"), GUARD_OK);
    assert_int_equal(link(order, path), 0);
    assert_int_equal(mailbox_report(&f.mailbox, &line, &err), GUARD_E_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(order), 0);
    assert_int_equal(file_append_line(path, span("{\"version\":1,\"cut"), &err), GUARD_OK);
    assert_int_equal(truncate(path, 16), 0);
    assert_int_equal(mailbox_report(&f.mailbox, &line, &err), GUARD_OK);
    assert_int_equal(file_read(path, POD_REPORT_BYTES_MAX, &bytes, &len, &err), GUARD_OK);
    assert_int_equal(bytes[16], '\n');
    assert_int_equal(bytes[len - 1], '\n');
    struct pod_report_line again;
    assert_int_equal(pod_report_read(&again, (struct guard_span){bytes + 17, len - 18}, &err),
                     GUARD_OK);
    free(bytes);
    assert_int_equal(unlink(path), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_read_under_its_own_name_only),
        cmocka_unit_test(a_report_grows_to_its_end_and_repeats_nothing),
        cmocka_unit_test(a_report_is_no_way_to_other_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
