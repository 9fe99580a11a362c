/*
 * The reader where a file isn't damaged but unusual: it grows, began late, holds several sessions, is read by
 * its seek table; and the writer, which gets a stream in pieces of any size and must leave a readable trace
 * of what is whole in it.
 *
 * damage_*test.c do the damages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/options.h"
#include "recorder/trace.h"
#include "recorder/writer.h"
#include "support/sample.h"
#include "trace/bytes.h"

static char path[] = "/tmp/vexit-reader-test-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static struct trace *open_file(unsigned session)
{
	struct trace_options o = { .session = session };
	char error[256];
	struct trace *t = trace_open(path, &o, error, sizeof(error));

	if (!t)
		fail_msg("%s", error);
	return t;
}

static struct trace *open_bytes(const uint8_t *bytes, size_t size, uint64_t trust_above)
{
	struct trace_options o = { .trust_above = trust_above };
	char error[256];
	struct trace *t = trace_open_memory("bytes", bytes, size, &o, error, sizeof(error));

	if (!t)
		fail_msg("%s", error);
	return t;
}

static void put_file(const uint8_t *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void append_file(const uint8_t *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_true(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

/* All frames decode to their ends. */
static void decode_all(const struct trace *t)
{
	struct trace_cursor *c = trace_cursor_new(t);

	for (size_t i = 0; i < trace_frame_count(t); i++) {
		uint64_t steps = 0;
		int result = trace_cursor_load(c, i) ? -1 : 1;

		while (result > 0 && (result = trace_cursor_next(c)) > 0)
			steps++;
		if (result < 0)
			fail_msg("%s", trace_cursor_error(c));
		assert_int_equal(steps, trace_frame(t, i)->header.steps);
	}
	trace_cursor_free(c);
}

static void grows_by_any_amount(void **state)
{
	struct sample o = { .seed = 1, .session = 11, .frames = 6, .steps = 40 };
	size_t size, at;
	uint8_t *bytes = sample_trace(&o, &size);
	struct piece piece[64];
	size_t pieces = sample_pieces(bytes, size, piece, 64), frames = 0;
	struct trace *t;

	(void)state;
	at = piece[0].size;
	put_file(bytes, at);
	t = open_file(0);
	assert_int_equal(trace_frame_count(t), 0);
	assert_null(trace_closing(t));
	for (size_t step = 1; at < size; step = step * 7 % 611) {
		size_t n = step < size - at ? step : size - at, whole = 0;

		append_file(bytes + at, n);
		at += n;
		frames += trace_refresh(t);
		for (size_t i = 0; i < pieces; i++)
			whole += piece[i].kind == PIECE_FRAME && piece[i].offset + piece[i].size <= at;
		assert_int_equal(frames, whole);
		assert_int_equal(trace_frame_count(t), whole);
		if (at < size)
			continue;
		assert_true(trace_whole(t));
		assert_non_null(trace_closing(t));
	}
	decode_all(t);
	trace_close(t);
	free(bytes);
}

static void late_start_says_what_it_missed(void **state)
{
	struct sample o = { .seed = 2, .session = 12, .frames = 70, .steps = 10 };
	size_t size;
	uint8_t *bytes = sample_trace(&o, &size);
	struct piece piece[128];
	size_t pieces = sample_pieces(bytes, size, piece, 128), second = 0, cut;
	const struct trace_damage *d;
	struct trace *t;

	(void)state;
	for (size_t i = 1; i < pieces && !second; i++)
		if (piece[i].kind == PIECE_SESSION)
			second = i;
	assert_int_equal(piece[second + 1].frame, 64);
	cut = piece[second - 1].offset + piece[second - 1].size / 2;
	t = open_bytes(bytes + cut, size - cut, 0);
	assert_int_equal(trace_frame_count(t), 6);
	assert_int_equal(trace_damage_count(t), 1);
	d = trace_damage(t, 0);
	assert_int_equal(d->kind, DAMAGE_LATE);
	assert_int_equal(d->first_step, 0);
	assert_int_equal(d->steps, 640);
	decode_all(t);
	trace_close(t);
	free(bytes);
}

static void sessions_are_told_apart(void **state)
{
	struct sample a = { .seed = 3, .session = 13, .frames = 3, .steps = 20 };
	struct sample b = { .seed = 4, .session = 14, .frames = 4, .steps = 30 };
	size_t size_a, size_b;
	uint8_t *bytes_a = sample_trace(&a, &size_a), *bytes_b = sample_trace(&b, &size_b);
	char error[256];
	struct trace_options third = { .session = 3 };
	struct trace *t;

	(void)state;
	put_file(bytes_a, size_a);
	append_file(bytes_b, size_b);
	t = open_file(0);
	assert_int_equal(trace_session_count(t), 2);
	assert_int_equal(trace_session(t)->id, 13);
	assert_int_equal(trace_step_count(t), 60);
	assert_true(trace_whole(t));
	decode_all(t);
	trace_close(t);
	t = open_file(2);
	assert_int_equal(trace_session(t)->id, 14);
	assert_int_equal(trace_step_count(t), 120);
	assert_true(trace_whole(t));
	decode_all(t);
	trace_close(t);
	assert_null(trace_open(path, &third, error, sizeof(error)));
	assert_non_null(strstr(error, "session 3"));
	free(bytes_a);
	free(bytes_b);
}

/* By its seek table or by a scan, a trace has the same frames. A table that lies is found out. */
static void seek_table_is_believed_when_true(void **state)
{
	struct sample o = { .seed = 5, .session = 15, .frames = 70, .steps = 12 };
	size_t size;
	uint8_t *bytes = sample_trace(&o, &size), *table;
	struct trace *scanned = open_bytes(bytes, size, UINT64_MAX), *trusted = open_bytes(bytes, size, 1);

	(void)state;
	assert_int_equal(trace_frame_count(scanned), 70);
	assert_int_equal(trace_frame_count(trusted), 70);
	for (size_t i = 0; i < 70; i++)
		assert_memory_equal(trace_frame(scanned, i), trace_frame(trusted, i),
				    sizeof(struct trace_frame_info));
	assert_true(trace_whole(trusted));
	decode_all(trusted);
	trace_close(scanned);
	trace_close(trusted);

	table = bytes + size - 9 - 8 * get_le(bytes + size - 9, 4);
	put_le(table, get_le(table, 4) + 1, 4);
	put_le(table + 8, get_le(table + 8, 4) - 1, 4);
	for (unsigned trust = 0; trust < 2; trust++) {
		struct trace *t = open_bytes(bytes, size, trust ? 1 : UINT64_MAX);

		assert_int_equal(trace_frame_count(t), 70);
		assert_int_equal(trace_damage_count(t), 1);
		assert_non_null(strstr(trace_damage(t, 0)->text, "seek table"));
		decode_all(t);
		trace_close(t);
	}
	free(bytes);
}

static void write_in_pieces(const uint8_t *bytes, size_t size, unsigned random)
{
	struct writer *w = writer_open(path, true);

	assert_non_null(w);
	for (size_t at = 0; at < size;) {
		size_t n;

		random = random * 1103515245 + 12345;
		n = (random >> 16) % 3000 + 1;
		n = n < size - at ? n : size - at;
		assert_true(writer_feed(w, bytes + at, n));
		at += n;
	}
	assert_true(writer_finish(w));
	writer_free(w);
}

static void writer_takes_pieces_of_any_size(void **state)
{
	struct sample o = { .seed = 6, .session = 16, .frames = 8, .steps = 50 };
	size_t size;
	uint8_t *bytes = sample_trace(&o, &size);
	struct trace *t;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		write_in_pieces(bytes, size, i);
		t = open_file(0);
		assert_true(trace_whole(t));
		assert_int_equal(trace_step_count(t), 400);
		decode_all(t);
		trace_close(t);
	}
	free(bytes);
}

/* With a byte of the wire wrong or lost, the file still is a trace: some frames are missing, none is corrupt.
 */
static void writer_leaves_out_what_is_damaged(void **state)
{
	struct sample o = { .seed = 7, .session = 17, .frames = 8, .steps = 50 };
	size_t size;
	uint8_t *bytes = sample_trace(&o, &size), *copy = malloc(size);
	struct piece piece[64];
	uint64_t first;

	(void)state;
	assert_non_null(copy);
	assert_true(sample_pieces(bytes, size, piece, 64) > 8);
	first = piece[0].size;
	for (unsigned i = 0; i < 150; i++) {
		size_t at = first + (size - first) * i / 150;
		struct trace *t;

		memcpy(copy, bytes, size);
		if (i % 2)
			copy[at] ^= 0x10;
		else
			memmove(copy + at, copy + at + 1, size - at - 1);
		write_in_pieces(copy, size - (i % 2 ? 0 : 1), i);
		t = open_file(0);
		assert_true(trace_frame_count(t) >= 7);
		for (size_t n = 0; n < trace_damage_count(t); n++)
			assert_true(trace_damage(t, n)->kind == DAMAGE_MISSING ||
				    trace_damage(t, n)->kind == DAMAGE_TRUNCATED);
		decode_all(t);
		trace_close(t);
	}
	free(copy);
	free(bytes);
}

/* The first session frame is what a trace can least do without: the writer puts a second one at the end. */
static void first_session_frame_can_be_lost(void **state)
{
	struct sample o = { .seed = 8, .session = 18, .frames = 3, .steps = 50 };
	size_t size;
	uint8_t *bytes = sample_trace(&o, &size);
	struct trace *t;

	(void)state;
	write_in_pieces(bytes, size, 1);
	for (uint64_t at = 0; at < get_le(bytes + 4, 4) + 8; at += 97) {
		int fd = open(path, O_RDWR);
		uint8_t byte;

		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		t = open_file(0);
		assert_int_equal(trace_frame_count(t), 3);
		assert_int_equal(trace_damage_count(t), 1);
		decode_all(t);
		trace_close(t);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		close(fd);
	}
	free(bytes);
}

static void ranges_and_reasons(void **state)
{
	uint64_t a, b;

	(void)state;
	assert_true(trace_parse_range("3..5", &a, &b) && a == 3 && b == 5);
	assert_true(trace_parse_range("3..", &a, &b) && a == 3 && b == UINT64_MAX);
	assert_true(trace_parse_range("..5", &a, &b) && a == 0 && b == 5);
	assert_true(trace_parse_range("7", &a, &b) && a == 7 && b == 7);
	assert_false(trace_parse_range("", &a, &b));
	assert_false(trace_parse_range("..", &a, &b));
	assert_false(trace_parse_range("5..3", &a, &b));
	assert_false(trace_parse_range("-1", &a, &b));
	assert_false(trace_parse_range("1..2..3", &a, &b));
	assert_false(trace_parse_range("99999999999999999999", &a, &b));
	assert_int_equal(trace_parse_reason("cpuid"), 10);
	assert_int_equal(trace_parse_reason("EPT_VIOLATION"), 48);
	assert_int_equal(trace_parse_reason("48"), 48);
	assert_int_equal(trace_parse_reason("nonsense"), -1);
	assert_int_equal(trace_parse_reason("128"), -1);
	assert_string_equal(exit_reason_name(10), "CPUID");
	assert_string_equal(exit_reason_name(120), "RESERVED_120");
}

static void sizes(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(options_size("256", &n) && n == UINT64_C(256) << 20);
	assert_true(options_size("64K", &n) && n == 64 << 10);
	assert_true(options_size("2GiB", &n) && n == UINT64_C(2) << 30);
	assert_false(options_size("2T", &n));
	assert_false(options_size("-2", &n));
	assert_false(options_size("99999999999999G", &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_by_any_amount),
		cmocka_unit_test(late_start_says_what_it_missed),
		cmocka_unit_test(sessions_are_told_apart),
		cmocka_unit_test(seek_table_is_believed_when_true),
		cmocka_unit_test(writer_takes_pieces_of_any_size),
		cmocka_unit_test(writer_leaves_out_what_is_damaged),
		cmocka_unit_test(first_session_frame_can_be_lost),
		cmocka_unit_test(ranges_and_reasons),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
