/* SPDX-License-Identifier: Apache-2.0 */
/* The ring between gate and guardd: what is written is read once and in order, what is overwritten
 * is counted, and no content of the file can make the reader crash, loop or hand out what was never
 * written. */
#include "common/ring.h"

#include "common/ring_format.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CAPACITY = RING_CAPACITY_MIN,
    FILE_BYTES = RING_HEADER_BYTES + CAPACITY,
    CALLS_MAX = 200000
};

struct fixture {
    char dir[64];
    char path[128];
    struct guard_err err;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.dir = "/tmp/guard-ring-XXXXXX"};
    assert_non_null(mkdtemp(fixture.dir));
    snprintf(fixture.path, sizeof(fixture.path), "%s/gate-0.ring", fixture.dir);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/gate-%d.ring", fixture->dir, i);
        unlink(path);
    }
    return rmdir(fixture->dir);
}

static struct ring_writer *open_writer(struct fixture *fixture)
{
    struct ring_writer *writer = NULL;
    assert_int_equal(
        ring_writer_open(&writer, fixture->dir, "gate", ".ring", CAPACITY, 1000, &fixture->err),
        GUARD_OK);
    return writer;
}

static struct ring_reader *open_reader(struct fixture *fixture)
{
    struct ring_reader *reader = NULL;
    assert_int_equal(ring_reader_open(&reader, fixture->path, &fixture->err), GUARD_OK);
    return reader;
}

/* A record that tells its own number, so that a torn or mixed one is seen. */
static struct guard_span make_record(uint8_t *out, uint64_t number, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(number * 31 + i * 7 + (number >> (i % 8 * 8)));
    return (struct guard_span){out, len};
}

static void assert_record(struct guard_span record, uint64_t number)
{
    uint8_t expected[CAPACITY / 4];
    assert_in_range(record.len, 1, CAPACITY / 4);
    make_record(expected, number, record.len);
    assert_memory_equal(record.ptr, expected, record.len);
}

static void put(struct ring_writer *writer, uint64_t number, size_t len)
{
    uint8_t bytes[CAPACITY / 4];
    assert_int_equal(ring_writer_put(writer, make_record(bytes, number, len)), number);
}

/* Reads until nothing is new; each record must be what a writer wrote. Returns the last sequence.
 */
static uint64_t drain(struct ring_reader *reader, uint64_t after)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        struct guard_span record;
        struct guard_err err;
        uint64_t sequence;
        enum guard_rc rc = ring_reader_next(reader, &record, &sequence, &err);
        if (rc == GUARD_E_STATE)
            return after;
        if (rc != GUARD_OK)
            continue;
        assert_true(sequence > after);
        assert_record(record, sequence);
        after = sequence;
    }
    fail_msg("the reader doesn't come to an end");
    return 0;
}

static void lag_is_what_was_not_read(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = open_writer(fixture);
    struct ring_reader *reader = open_reader(fixture);
    struct guard_span record;
    uint64_t sequence;
    assert_int_equal(ring_reader_lag(reader), 0);
    put(writer, 1, 100);
    uint64_t one = ring_reader_lag(reader);
    assert_in_range(one, 100, 200);
    put(writer, 2, 100);
    assert_int_equal(ring_reader_lag(reader), 2 * one);
    assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err), GUARD_OK);
    assert_int_equal(ring_reader_lag(reader), one);
    assert_int_equal(drain(reader, 1), 2);
    assert_int_equal(ring_reader_lag(reader), 0);
    ring_writer_close(writer);
    assert_int_equal(ring_reader_lag(reader), 0);
    ring_reader_close(reader);
}

static void all_is_read_once_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = open_writer(fixture);
    struct ring_reader *reader = open_reader(fixture);
    struct ring_reader_stats stats;
    uint64_t read = 0;
    for (uint64_t i = 1; i <= 20000; i++) {
        put(writer, i, 1 + i * i % (i % 50 == 0 ? CAPACITY / 4 : 300));
        if (i % 3 == 0 || i % 50 == 0)
            read = drain(reader, read);
    }
    assert_int_equal(drain(reader, read), 20000);
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records, 20000);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.hostile, 0);
    assert_int_equal(ring_reader_producer(reader), ring_writer_producer(writer));
    assert_int_equal(ring_reader_incarnation(reader), 1000);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void sizes_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = NULL;
    static const size_t bad[] = {0, 4096, 65537, 3 * 65536, (size_t)128 << 20};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ring_writer_open(&writer, fixture->dir, "gate", ".ring", bad[i], 1, NULL),
                         GUARD_E_RANGE);
    assert_int_equal(ring_writer_open(&writer, "/nonexistent", "gate", ".ring", CAPACITY, 1, NULL),
                     GUARD_E_IO);
    writer = open_writer(fixture);
    static uint8_t bytes[CAPACITY / 4 + 1];
    assert_int_equal(ring_writer_put(writer, (struct guard_span){bytes, 0}), 0);
    assert_int_equal(ring_writer_put(writer, (struct guard_span){bytes, sizeof(bytes)}), 0);
    assert_int_equal(ring_writer_put(writer, (struct guard_span){bytes, sizeof(bytes) - 1}), 1);
    ring_writer_close(writer);
}

static void laps_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = open_writer(fixture);
    struct ring_reader *reader = open_reader(fixture);
    struct ring_reader_stats stats;
    uint64_t read = 0, written = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100 + round * 100; i++) {
            written++;
            put(writer, written, 1 + written % 900);
        }
        read = drain(reader, read);
        assert_int_equal(read, written);
    }
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records + stats.lost, written);
    assert_true(stats.lost > 0);
    assert_true(stats.records > 20 * 60); /* most of what the ring still held each time */
    assert_int_equal(stats.hostile, 0);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void write_and_exit(struct fixture *fixture, uint64_t count, int start)
{
    struct ring_writer *writer;
    uint8_t bytes[CAPACITY / 4];
    char c;
    if (ring_writer_open(&writer, fixture->dir, "gate", ".ring", CAPACITY, 7, NULL) != GUARD_OK ||
        read(start, &c, 1) != 1)
        _exit(1);
    for (uint64_t i = 1; i <= count; i++)
        ring_writer_put(writer, make_record(bytes, i, 1 + i % 700));
    _exit(0);
}

static void a_racing_writer_is_never_misread(void **state)
{
    enum { COUNT = 100000 };
    struct fixture *fixture = *state;
    struct ring_reader_stats stats;
    int start[2], status = -1;
    assert_int_equal(pipe(start), 0);
    pid_t child = fork();
    if (child == 0)
        write_and_exit(fixture, COUNT, start[0]);
    struct ring_reader *reader = NULL;
    for (int i = 0; i < 60000 && reader == NULL; i++) {
        if (ring_reader_open(&reader, fixture->path, &fixture->err) != GUARD_OK)
            usleep(1000);
    }
    assert_non_null(reader);
    assert_int_equal(write(start[1], "g", 1), 1);
    uint64_t read = 0;
    while (waitpid(child, &status, WNOHANG) == 0)
        read = drain(reader, read);
    assert_int_equal(status, 0);
    assert_int_equal(drain(reader, read), COUNT);
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records + stats.lost, COUNT);
    assert_true(stats.records > 100);
    assert_int_equal(stats.hostile, 0);
    ring_reader_close(reader);
    close(start[0]);
    close(start[1]);
}

static struct ring_writer *racer; /* writes before the reader's next look at the data */

/* Stands before the system's function, under both of its names. */
ssize_t late_pread(int fd, void *out, size_t len, off_t offset) __asm__("pread64");
ssize_t late_pread_short(int fd, void *out, size_t len, off_t offset) __asm__("pread");

ssize_t late_pread(int fd, void *out, size_t len, off_t offset)
{
    if (racer != NULL && offset >= RING_HEADER_BYTES) {
        struct ring_writer *writer = racer;
        racer = NULL;
        for (uint64_t i = ring_writer_sequence(writer) + 1, end = i + 300; i < end; i++)
            put(writer, i, 1 + i % 500);
    }
    return syscall(SYS_pread64, fd, out, len, offset);
}

ssize_t late_pread_short(int fd, void *out, size_t len, off_t offset)
{
    return late_pread(fd, out, len, offset);
}

static void what_is_overwritten_while_it_is_copied_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = open_writer(fixture);
    struct ring_reader *reader = open_reader(fixture);
    struct ring_reader_stats stats;
    uint64_t read = 0;
    for (int round = 0; round < 50; round++) {
        put(writer, ring_writer_sequence(writer) + 1, 10);
        racer = writer;
        read = drain(reader, read);
        assert_null(racer);
        assert_int_equal(read, ring_writer_sequence(writer));
    }
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records + stats.lost, read);
    assert_true(stats.lost > 0);
    assert_int_equal(stats.hostile, 0);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void reading_goes_on_where_it_ended(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = open_writer(fixture);
    struct guard_span record;
    uint64_t sequence;
    struct ring_reader_stats stats;
    for (uint64_t i = 1; i <= 100; i++)
        put(writer, i, 100);
    for (uint64_t after = 0; after <= 100; after += 20) {
        struct ring_reader *reader = open_reader(fixture);
        ring_reader_seek(reader, 1000, after);
        enum guard_rc rc = ring_reader_next(reader, &record, &sequence, &fixture->err);
        assert_int_equal(rc, after == 100 ? GUARD_E_STATE : GUARD_OK);
        if (rc == GUARD_OK)
            assert_int_equal(sequence, after + 1);
        ring_reader_stats(reader, &stats);
        assert_int_equal(stats.lost, 0);
        ring_reader_close(reader);
    }
    /* Overwritten since: what lies between is counted. */
    for (uint64_t i = 101; i <= 5000; i++)
        put(writer, i, 100);
    struct ring_reader *reader = open_reader(fixture);
    ring_reader_seek(reader, 1000, 100);
    assert_int_equal(drain(reader, 100), 5000);
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records + stats.lost, 4900);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void set_alive(const char *path, uint64_t alive_ms)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &alive_ms, 8, offsetof(struct ring_header, alive_ms)), 8);
    close(fd);
}

static void a_left_slot_waits_for_its_reader(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *first = open_writer(fixture);
    struct ring_writer *second = open_writer(fixture);
    struct ring_reader *reader = open_reader(fixture);
    struct ring_reader_stats stats;
    assert_int_not_equal(ring_writer_producer(first), ring_writer_producer(second));
    uint64_t producer = ring_writer_producer(first);
    for (uint64_t i = 1; i <= 10; i++)
        put(first, i, 64);
    assert_int_equal(drain(reader, 0), 10);
    for (uint64_t i = 11; i <= 15; i++)
        put(first, i, 64);
    ring_writer_close(first);

    struct ring_writer *third = open_writer(fixture);
    assert_int_not_equal(ring_writer_producer(third), producer);
    set_alive(fixture->path, 1);
    struct ring_writer *fourth = open_writer(fixture);
    assert_int_equal(ring_writer_producer(fourth), producer);
    assert_int_equal(ring_writer_incarnation(fourth), 1001);
    put(fourth, 1, 64);
    assert_int_equal(drain(reader, 0), 1);
    assert_int_equal(ring_reader_incarnation(reader), 1001);
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records, 11);
    assert_int_equal(stats.lost, 5);
    ring_reader_close(reader);
    ring_writer_close(second);
    ring_writer_close(third);
    ring_writer_close(fourth);
}

static void truncation_is_survived(void **state)
{
    struct fixture *fixture = *state;
    static const off_t sizes[] = {0, 100, RING_HEADER_BYTES, RING_HEADER_BYTES + CAPACITY / 2};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ring_writer *writer = open_writer(fixture);
        struct ring_reader *reader = open_reader(fixture);
        uint8_t bytes[1000];
        uint64_t written = 1;
        put(writer, 1, 1000);
        assert_int_equal(drain(reader, 0), 1);
        assert_int_equal(truncate(fixture->path, sizes[i]), 0);
        while (written < 200 && ring_writer_put(writer, make_record(bytes, written + 1, 1000)) != 0)
            written++;
        assert_true(ring_writer_broken(writer));
        assert_int_equal(ring_writer_put(writer, make_record(bytes, 1, 1000)), 0);
        ring_writer_touch(writer, 5);
        drain(reader, 1);
        ring_reader_close(reader);
        ring_writer_close(writer);
        unlink(fixture->path);
    }
}

static void other_files_in_its_place_are_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct ring_writer *writer = open_writer(fixture);
    struct ring_reader *reader = open_reader(fixture);
    ring_writer_touch(writer, 1000);
    assert_false(ring_writer_broken(writer));
    assert_false(ring_reader_gone(reader));
    unlink(fixture->path);
    assert_true(ring_reader_gone(reader));
    ring_writer_touch(writer, 1000);
    assert_true(ring_writer_broken(writer));
    ring_reader_close(reader);
    ring_writer_close(writer);

    writer = open_writer(fixture);
    int fd = open(fixture->path, O_RDWR);
    uint8_t byte; /* of its identity, which is random */
    assert_int_equal(pread(fd, &byte, 1, 24), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 24), 1);
    close(fd);
    ring_writer_touch(writer, 1000);
    assert_true(ring_writer_broken(writer));
    ring_writer_close(writer);
    /* A new writer makes a good ring of the garbled one, as a new producer. */
    writer = open_writer(fixture);
    reader = open_reader(fixture);
    put(writer, 1, 10);
    assert_int_equal(drain(reader, 0), 1);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void exit_42(int number)
{
    (void)number;
    _exit(42);
}

/* A fault outside of rings goes where it went before: to the handler, or it ends the process. */
static void fault_elsewhere(struct fixture *fixture, bool handler)
{
    struct ring_writer *writer;
    signal(SIGBUS, handler ? exit_42 : SIG_DFL);
    if (ring_writer_open(&writer, fixture->dir, "gate", ".ring", CAPACITY, 7, NULL) != GUARD_OK)
        _exit(1);
    FILE *file = tmpfile();
    if (file == NULL || ftruncate(fileno(file), 4096) != 0)
        _exit(1);
    volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    if (ftruncate(fileno(file), 0) != 0)
        _exit(1);
    page[0] = 1;
    _exit(0);
}

static void other_faults_are_handed_on(void **state)
{
    for (int handler = 0; handler <= 1; handler++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            fault_elsewhere(*state, handler != 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (handler)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        else
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    }
}

static void fill(struct fixture *fixture, uint64_t count)
{
    struct ring_writer *writer = open_writer(fixture);
    for (uint64_t i = 1; i <= count; i++)
        put(writer, i, 1 + i % 500);
    ring_writer_close(writer);
}

static void write_at(struct fixture *fixture, const void *bytes, size_t len, size_t offset)
{
    int fd = open(fixture->path, O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
    close(fd);
}

static void read_head(struct fixture *fixture, struct ring_header *header)
{
    int fd = open(fixture->path, O_RDONLY);
    assert_int_equal(pread(fd, header, sizeof(*header), 0), sizeof(*header));
    close(fd);
}

static enum guard_rc try_open(struct fixture *fixture)
{
    struct ring_reader *reader = NULL;
    enum guard_rc rc = ring_reader_open(&reader, fixture->path, &fixture->err);
    ring_reader_close(reader);
    return rc;
}

static void heads_that_no_writer_wrote_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ring_header good, bad;
    fill(fixture, 50);
    read_head(fixture, &good);
    for (size_t i = 0; i < sizeof(struct ring_identity); i++) {
        bad = good;
        ((uint8_t *)&bad)[i] ^= 0x41;
        write_at(fixture, &bad, sizeof(bad), 0);
        enum guard_rc rc = try_open(fixture);
        assert_true(rc == GUARD_E_SYNTAX || rc == GUARD_E_VERSION);
        assert_int_equal(rc == GUARD_E_VERSION, i >= 8 && i < 16);
    }
    const uint64_t capacities[] = {0, 1, CAPACITY - 1, CAPACITY * 3, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        bad = good;
        bad.identity.capacity = capacities[i];
        bad.identity.check = ring_identity_check(&bad.identity);
        write_at(fixture, &bad, sizeof(bad), 0);
        assert_int_equal(try_open(fixture), GUARD_E_SYNTAX);
    }
    const uint64_t positions[][2] = {{0, 16}, {UINT64_MAX, 0}, {64, 8}, {16, 1}, {CAPACITY, 0}};
    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
        bad = good;
        bad.reserved = positions[i][0];
        bad.committed = positions[i][1];
        write_at(fixture, &bad, sizeof(bad), 0);
        assert_int_equal(try_open(fixture), GUARD_E_SYNTAX);
    }
    assert_int_equal(truncate(fixture->path, 100), 0);
    assert_int_equal(try_open(fixture), GUARD_E_SYNTAX);
    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_int_equal(try_open(fixture), GUARD_E_SYNTAX);
    unlink(fixture->path);
    assert_int_equal(try_open(fixture), GUARD_E_IO);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(try_open(fixture), GUARD_E_IO); /* and doesn't hang */
}

static void a_bad_head_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    struct ring_header good;
    struct guard_span record;
    struct ring_reader_stats stats;
    uint64_t sequence;
    fill(fixture, 50);
    read_head(fixture, &good);
    struct ring_reader *reader = open_reader(fixture);
    write_at(fixture, "nothing", 7, 0);
    assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err), GUARD_E_SYNTAX);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err),
                         GUARD_E_STATE);
    write_at(fixture, &good, sizeof(good), 0);
    assert_int_equal(drain(reader, 0), 50);
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.records, 50);
    assert_int_equal(stats.hostile, 1);
    ring_reader_close(reader);
}

static void write_frame(struct fixture *fixture, uint64_t position, uint32_t length,
                        uint64_t sequence, bool check)
{
    uint8_t bytes[CAPACITY / 4] = {0};
    const struct guard_span record = {bytes, length <= sizeof(bytes) ? length : 0};
    struct ring_frame frame = {length, ring_frame_check(1000, sequence, position, record),
                               sequence};
    frame.check ^= !check;
    write_at(fixture, &frame, sizeof(frame), RING_HEADER_BYTES + position % CAPACITY);
    write_at(fixture, record.ptr, record.len,
             RING_HEADER_BYTES + position % CAPACITY + sizeof(frame));
}

static void hostile_frames_are_skipped(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint32_t length;
        uint64_t sequence;
        bool check;
    } cases[] = {{0, 1, true},           {CAPACITY / 4 + 1, 1, true},
                 {UINT32_MAX, 1, true},  {UINT32_MAX - 15, 1, true},
                 {8, 2, true},           {8, 0, true},
                 {8, UINT64_MAX, true},  {8, 1, false},
                 {CAPACITY / 4, 1, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ring_writer *writer = open_writer(fixture);
        struct ring_reader *reader = open_reader(fixture);
        struct guard_span record;
        struct ring_reader_stats stats;
        uint64_t sequence;
        put(writer, 1, 8);
        write_frame(fixture, 0, cases[i].length, cases[i].sequence, cases[i].check);
        assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err),
                         GUARD_E_SYNTAX);
        assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err),
                         GUARD_E_STATE);
        put(writer, 2, 8);
        assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err), GUARD_OK);
        assert_int_equal(sequence, 2);
        assert_record(record, 2);
        ring_reader_stats(reader, &stats);
        assert_int_equal(stats.hostile, 1);
        assert_int_equal(stats.lost, 1);
        ring_reader_close(reader);
        ring_writer_close(writer);
        unlink(fixture->path);
    }
}

static void moved_bytes_are_seen(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        size_t from, to;
    } swaps[] = {{0, 32}, {8, 104}, {0, 8}, {64, 192}};
    for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
        uint8_t bytes[CAPACITY / 4];
        struct ring_writer *writer = open_writer(fixture);
        struct ring_reader *reader = open_reader(fixture);
        struct guard_span record = make_record(bytes, 1, 300);
        uint64_t sequence;
        put(writer, 1, 300);
        size_t data = RING_HEADER_BYTES + RING_FRAME_HEADER;
        write_at(fixture, record.ptr + swaps[i].from, 8, data + swaps[i].to);
        write_at(fixture, record.ptr + swaps[i].to, 8, data + swaps[i].from);
        assert_int_equal(ring_reader_next(reader, &record, &sequence, &fixture->err),
                         GUARD_E_SYNTAX);
        ring_reader_close(reader);
        ring_writer_close(writer);
        unlink(fixture->path);
    }
}

static void a_writer_that_goes_back_is_hostile(void **state)
{
    struct fixture *fixture = *state;
    struct ring_header header;
    fill(fixture, 100);
    struct ring_reader *reader = open_reader(fixture);
    assert_int_equal(drain(reader, 0), 100);
    read_head(fixture, &header);
    header.committed = header.reserved = 160;
    write_at(fixture, &header, sizeof(header), 0);
    drain(reader, 100);
    struct ring_reader_stats stats;
    ring_reader_stats(reader, &stats);
    assert_int_equal(stats.hostile, 1);
    assert_int_equal(stats.records, 100);
    ring_reader_close(reader);
}

/* Whatever bytes change, in whichever place: the reader ends and hands out only what was written.
 */
static void random_damage_is_harmless(void **state)
{
    struct fixture *fixture = *state;
    struct test_random random = test_random_start("ring damage");
    static uint8_t good[FILE_BYTES], bad[FILE_BYTES];
    fill(fixture, 2000);
    int fd = open(fixture->path, O_RDWR);
    assert_int_equal(pread(fd, good, sizeof(good), 0), sizeof(good));
    for (int round = 0; round < 2000; round++) {
        memcpy(bad, good, sizeof(bad));
        for (uint64_t i = test_random_below(&random, 40); i > 0; i--) {
            uint64_t range =
                test_random_below(&random, 2) ? sizeof(struct ring_header) : sizeof(bad);
            bad[test_random_below(&random, range)] ^=
                (uint8_t)(1u << test_random_below(&random, 8));
        }
        /* Else nearly every round would end at the head. */
        struct ring_header *header = (struct ring_header *)bad;
        if (round % 8 != 0)
            memcpy(bad, good, sizeof(struct ring_identity));
        if (round % 4 != 0) {
            header->reserved = ((struct ring_header *)good)->reserved;
            header->committed = ((struct ring_header *)good)->committed;
        }
        assert_int_equal(pwrite(fd, bad, sizeof(bad), 0), sizeof(bad));
        struct ring_reader *reader = NULL;
        if (ring_reader_open(&reader, fixture->path, &fixture->err) != GUARD_OK)
            continue;
        if (round % 3 == 0)
            ring_reader_seek(reader, 1000, test_random_below(&random, 3000));
        drain(reader, 0);
        ring_reader_close(reader);
    }
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lag_is_what_was_not_read),
        TEST(all_is_read_once_and_in_order),
        TEST(sizes_are_bounded),
        TEST(laps_are_counted),
        TEST(a_racing_writer_is_never_misread),
        TEST(what_is_overwritten_while_it_is_copied_is_lost),
        TEST(reading_goes_on_where_it_ended),
        TEST(a_left_slot_waits_for_its_reader),
        TEST(truncation_is_survived),
        TEST(other_files_in_its_place_are_noticed),
        TEST(other_faults_are_handed_on),
        TEST(heads_that_no_writer_wrote_are_refused),
        TEST(a_bad_head_is_told_once),
        TEST(hostile_frames_are_skipped),
        TEST(moved_bytes_are_seen),
        TEST(a_writer_that_goes_back_is_hostile),
        TEST(random_damage_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
