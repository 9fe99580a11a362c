/*
 * Session frames, frame headers and closing frames (traces/FORMAT.md, "The stream's own frames"): what is
 * encoded is decoded, and every byte of it counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/codec.h"
#include "support/random.h"

static void session_and_header(void **state)
{
	static uint8_t bytes[SESSION_MAX], header[HEADER_SIZE];
	static struct codec f;
	static struct session s;
	struct frame_header h = { .frame = 7, .steps = 3, .exits = 2, .raw_size = 99, .session = 5 }, back;
	size_t size;

	(void)state;
	random_seed(5);
	codec_set_up(&f, TRACE_FULL);
	strcpy(f.s.guest, "print");
	f.s.caps[f.s.cap_count++] = (struct session_cap){ 0x480, 0xd8 };
	size = session_encode(&f.s, bytes, sizeof(bytes));
	assert_true(size > 0);
	assert_null(session_decode(bytes, size, &s));
	assert_string_equal(s.guest, "print");
	assert_int_equal(s.slot_map[VMCS_GUEST_RIP], VMCS_GUEST_RIP);
	assert_memory_equal(&s.config, &f.s.config, sizeof(s.config));
	assert_int_equal(s.caps[0].value, 0xd8);
	for (unsigned i = 0; i < s.vm_field_count; i++)
		assert_int_equal(s.vm_fields[i].local, i);
	for (size_t i = 0; i < size; i += 7) {
		bytes[i] ^= 0x10;
		assert_non_null(session_decode(bytes, size, &s));
		bytes[i] ^= 0x10;
	}
	assert_int_equal(session_encode(&f.s, bytes, size - 1), 0);

	frame_header_encode(&h, header);
	assert_true(frame_header_decode(header, &back));
	assert_memory_equal(&h, &back, sizeof(h));
	header[40] ^= 1;
	assert_false(frame_header_decode(header, &back));
}

/* On the wire the entries are compressed: the same session comes out, and every byte of it counts. */
static void packed_session(void **state)
{
	static uint8_t plain[SESSION_MAX], packed[SESSION_MAX], back[SESSION_MAX];
	static struct codec f;
	static struct session s;
	size_t size, packed_size;

	(void)state;
	random_seed(6);
	codec_set_up(&f, TRACE_FULL);
	size = session_encode(&f.s, plain, sizeof(plain));
	memcpy(packed, plain, size);
	packed_size = session_pack(packed, size);
	assert_true(packed_size < size / 2);
	assert_int_equal(session_unpacked_size(packed), size - SESSION_ENTRIES - SESSION_TAIL);
	assert_non_null(session_decode(packed, packed_size, &s));	/* the core has no zstd */
	assert_null(session_read(packed, packed_size, &s));
	assert_int_equal(s.id, f.s.id);
	assert_memory_equal(&s.config, &f.s.config, sizeof(s.config));
	assert_int_equal(session_unpack(packed, packed_size, back), size);
	assert_memory_equal(back, plain, size);
	for (size_t i = 0; i < packed_size; i++) {
		packed[i] ^= 0x10;
		assert_non_null(session_read(packed, packed_size, &s));
		packed[i] ^= 0x10;
	}
	/* Sizes that lie, under a hash that is right */
	for (uint32_t unpacked = 1; unpacked; unpacked <<= 1) {
		session_finish(packed, packed_size - SESSION_ENTRIES - SESSION_TAIL, unpacked);
		assert_non_null(session_read(packed, packed_size, &s));
	}
}

static void closing_frame(void **state)
{
	static uint8_t bytes[CLOSING_MAX];
	static struct closing c, back;
	size_t size;

	(void)state;
	c.session = 9;
	c.exits = 12;
	c.reasons[10] = 12;
	c.stop.kind = STOP_DEBUG_EXIT;
	c.missing_count = 1;
	c.missing[0].first_step = 4;
	size = closing_encode(&c, bytes);
	assert_true(closing_decode(bytes, size, &back));
	assert_memory_equal(&c, &back, sizeof(c));
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 4;
		assert_false(closing_decode(bytes, size, &back));
		bytes[i] ^= 4;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_and_header),
		cmocka_unit_test(packed_session),
		cmocka_unit_test(closing_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
