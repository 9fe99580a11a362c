/*
 * value.h: a list of changed slots and registers as bytes; both sides of the codec. traces/FORMAT.md, "Values".
 *
 * A short list, which a loop's exits have, is its codes, each with its value: little to do. A long one,
 * which an exit from somewhere has, is a set of codes in two levels (which groups of eight codes; for each
 * group, which codes), then a form for each value: little to say. It stands in a column of its own, and the
 * values' bytes in others, by their number. Long values are written as they are, not as differences: a pointer
 * that a guest has in a register now stood in another one before, and zstd finds the one in the other. But what
 * is near to what the code had in an alike list, the list's cast, is told by the difference to that.
 */
#ifndef VEXIT_TRACE_VALUE_H
#define VEXIT_TRACE_VALUE_H

#include "bytes.h"

/*
 * Where a code stands in a list: registers first, so that a list of registers alone has a set of groups of one
 * byte. A group is eight places.
 */
#define LIST_SHORT	6		/* values of a short list, at most: its first byte */
#define LIST_LONG	0xff		/* first byte of another */

#define CASTS		64		/* what lists can count from, by the list's choice */

/* The columns behind the records: long lists, their values' bytes by number (1 to 8), times. */
#define COLUMN_LISTS	0
#define COLUMN_TIMES	9
#define COLUMNS		10

#define VALUE_PLACES	256
#define VALUE_GROUPS	(VALUE_PLACES / 8)
#define VALUE_WORDS	(VALUE_PLACES / 64)
#define VALUE_FIRST	0xe0		/* the code at place 0: the first register's */

static inline unsigned value_place(unsigned code)
{
	return (code - VALUE_FIRST) % VALUE_PLACES;
}

static inline unsigned value_code(unsigned place)
{
	return (place + VALUE_FIRST) % VALUE_PLACES;
}

/*
 * The first byte of a value: a small difference, or in its low half how many bytes follow, and how they are
 * read.
 */
#define VALUE_SMALL		0x40	/* from here on: the difference plus VALUE_SMALL_ZERO */
#define VALUE_SMALL_ZERO	0xa0
#define VALUE_SIZE		0x0f
#define VALUE_ZEROS		0x00	/* the value; the bytes above are 0 */
#define VALUE_ONES		0x10	/* the value; the bytes above are 0xff */
#define VALUE_DIFFERENCE	0x20	/* a difference, zigzag-coded */
#define VALUE_CAST		0x30	/* long lists: a difference to the value in the cast */

#define VALUE_MAX		9	/* bytes of one */

/* How many low bytes of `value` say it all. */
static inline unsigned value_bytes(uint64_t value)
{
	return value ? (71 - (unsigned)__builtin_clzll(value)) / 8 : 0;
}

static inline bool value_is_small(uint64_t difference)
{
	return difference + (VALUE_SMALL_ZERO - VALUE_SMALL) < 0x100 - VALUE_SMALL;
}

static inline uint8_t *put_small(uint8_t *p, uint64_t difference)
{
	*p++ = (uint8_t)(difference + VALUE_SMALL_ZERO);
	return p;
}

/* A form, and the word whose low bytes it asks for. */
struct value {
	unsigned form;
	uint64_t bits;
};

/*
 * A value whose difference isn't small, in its shortest form. A difference of three bytes would save little, and
 * hide a value that zstd may know.
 */
static inline struct value value_choose(uint64_t value, uint64_t difference)
{
	uint64_t z = zigzag(difference);
	unsigned form = value >> 63 ? VALUE_ONES : VALUE_ZEROS;
	unsigned size = value_bytes(value >> 63 ? ~value : value), shorter = value_bytes(z);

	if (shorter < size && shorter <= 2)
		return (struct value){ VALUE_DIFFERENCE | shorter, z };
	return (struct value){ form | size, value };
}

/* The same in a long list, `cast` being what the code has in the list's cast. */
#define CAST_BYTES	3	/* of a difference to it, at most */
static inline struct value value_choose_far(uint64_t value, uint64_t difference, uint64_t cast)
{
	struct value near = value_choose(value, difference);
	uint64_t z = zigzag(value - cast);
	unsigned size = value_bytes(z);

	if (size < (near.form & VALUE_SIZE) && size <= CAST_BYTES)
		return (struct value){ VALUE_CAST | size, z };
	return near;
}

/* Eight bytes are written at once, whatever the number of those that count. */
static inline uint8_t *put_value(uint8_t *p, uint64_t value, uint64_t difference)
{
	struct value v = value_choose(value, difference);

	*p++ = (uint8_t)v.form;
	__builtin_memcpy(p, &v.bits, 8);
	return p + (v.form & VALUE_SIZE);
}

/* A list being read. */
struct value_list {
	unsigned left;			/* values of a short list not read yet */
	uint32_t groups;		/* of a long one: groups not read yet */
	const uint8_t *sets;
	unsigned set, group;		/* what is left of the group in hand */
	unsigned cast;			/* of a long one */
	struct reader *forms;		/* where its forms stand; a short one's: the record */
	struct reader *columns;		/* a long list's, by number of bytes; NULL: a short list */
};

/* After a bad form, forms->bad is set. `base`: what a difference counts from; `cast`: the value in the cast. */
static inline uint64_t read_value(struct value_list *l, uint64_t base, uint64_t cast)
{
	unsigned form = (unsigned)read_le(l->forms, 1), size = form & VALUE_SIZE;
	struct reader *from;
	uint64_t value;

	if (form >= VALUE_SMALL)
		return base + form - VALUE_SMALL_ZERO;
	if (size > 8 || (form >= VALUE_CAST && !l->columns)) {
		l->forms->bad = true;
		return 0;
	}
	from = l->columns && size ? &l->columns[size] : l->forms;
	value = read_le(from, size);
	l->forms->bad |= from->bad;
	switch (form & ~(unsigned)VALUE_SIZE) {
	case VALUE_ZEROS: return value;
	case VALUE_ONES: return size == 8 ? value : value | ~UINT64_C(0) << 8 * size;
	case VALUE_CAST: return cast + unzigzag(value);
	default: return base + unzigzag(value);
	}
}

/* From a record, and from the frame's columns if it is a long one. false: not such a list. */
static inline bool value_list_read(struct value_list *l, struct reader *r, struct reader *columns)
{
	uint64_t groups, count = 0;

	l->left = (unsigned)read_le(r, 1);
	l->set = l->group = l->groups = 0;
	l->forms = r;
	l->columns = NULL;
	if (l->left <= LIST_SHORT)
		return !r->bad;
	if (l->left != LIST_LONG)
		return false;
	l->left = 0;
	l->columns = columns;
	l->forms = &columns[COLUMN_LISTS];
	l->cast = (unsigned)read_le(l->forms, 1);
	groups = read_varint(l->forms);
	for (uint64_t left = groups; left; left &= left - 1)
		count++;
	l->groups = (uint32_t)groups;
	l->sets = l->cast >= CASTS || groups >> VALUE_GROUPS ? NULL : read_bytes(l->forms, count);
	return l->sets != NULL;
}

/* The next code, whose value is read next; false: there is none any more. */
static inline bool value_list_next(struct value_list *l, unsigned *code)
{
	if (l->left) {
		l->left--;
		*code = (unsigned)read_le(l->forms, 1);
		return true;
	}
	while (!l->set) {
		if (!l->groups)
			return false;
		l->group = (unsigned)__builtin_ctz(l->groups);
		l->groups &= l->groups - 1;
		l->set = *l->sets++;
	}
	*code = value_code(l->group * 8 + (unsigned)__builtin_ctz(l->set));
	l->set &= l->set - 1;
	return true;
}

#endif
