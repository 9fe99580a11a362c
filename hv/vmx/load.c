/*
 * load.c: see load.h. Called by backend.c after each exit at level full, and when it has written a field.
 */
#include "vmx/backend.h"
#include "vmx/load.h"

_Static_assert(LOAD_IMAGE_BYTES < 256, "a place is a byte");
_Static_assert(LOAD_AT_GUEST_PENDING_DBG_EXCEPTIONS + 8 == LOAD_IMAGE_BYTES, "the last VMREAD stores no more than it should");

static const struct place {
	uint8_t at, bytes;
} places[VMCS_SLOTS] = {
#define VMCS(name, encoding, change)							\
	[VMCS_##name] = { LOAD_AT_##name, LOAD_LAST_##name - LOAD_AT_##name + 1 },
#include "include/vmcs.def"
#undef VMCS
};

/* Eight bytes are moved whatever the width: behind the image is a spare word. */
static inline uint64_t place_mask(struct place place)
{
	return UINT64_MAX >> (64 - 8 * place.bytes);
}

static inline uint64_t image_get(const uint64_t *image, struct place place)
{
	uint64_t value;

	__builtin_memcpy(&value, (const uint8_t *)image + place.at, 8);
	return value & place_mask(place);
}

static inline void image_put(uint64_t *image, struct place place, uint64_t value)
{
	uint8_t *at = (uint8_t *)image + place.at;
	uint64_t bytes;

	__builtin_memcpy(&bytes, at, 8);
	bytes = (bytes & ~place_mask(place)) | value;
	__builtin_memcpy(at, &bytes, 8);
}

void load_written(struct vmx_cpu *c, enum vmcs_slot slot, uint64_t value)
{
	struct place place = places[slot];

	if (place.bytes)
		image_put(c->image.before, place, value);
}

void load_init(struct vmx_cpu *c)
{
	for (enum vmcs_slot slot = 0; slot < VMCS_SLOTS; slot++) {
		struct place place = places[slot];

		load_written(c, slot, c->v->vmcs[slot]);
		for (unsigned byte = 0; byte < place.bytes; byte++)
			c->image.slot[place.at + byte] = slot;
	}
}

/*
 * The base has another value than the processor now: encoder_item(), with `p` as the cursor behind the
 * encoder's items, since some of these come with every exit.
 */
static inline struct item *load_value(struct item *p, uint64_t *base, unsigned code, uint64_t value)
{
	if (__builtin_expect(value != *base, 0)) {
		/*
		 * Have the compiler fetch the base again here, so that the common path compares with memory.
		 */
		__asm__("" : "+m"(*base));
		*p++ = (struct item){ code, value - *base };
		*base = value;
	}
	return p;
}

#define LOAD(name)									\
	p = load_value(p, &f[VMCS_##name], VMCS_##name,					\
		       backend_vmread(c, VMCS_##name, ENCODING_##name))

/* ---- The late ones ---- */

/*
 * Basic reasons below 64 with a guest-linear or guest-physical address or instruction information: VMX
 * instructions (19–27), LMSW (28), INS and OUTS (30), descriptor tables, EPT, INVEPT, INVVPID, RDRAND,
 * INVPCID, RDSEED, XSAVES, XRSTORS.
 */
#define REASON_RANGE(first, last) ((UINT64_C(2) << (last)) - (UINT64_C(1) << (first)))
#define REASONS_WITH_OPERAND								\
	(REASON_RANGE(19, 28) | REASON_RANGE(30, 30) | REASON_RANGE(46, 50) |		\
	 REASON_RANGE(53, 53) | REASON_RANGE(57, 58) | REASON_RANGE(61, 61) | REASON_RANGE(63, 63))

#define EFER_LMA	(1u << 10)
#define CR4_PAE		(1u << 5)

static inline __attribute__((always_inline)) struct item *load_late(struct vmx_cpu *c, uint64_t *f, struct item *p)
{
	uint64_t reason = f[VMCS_EXIT_REASON];

	if (reason >= 64 || REASONS_WITH_OPERAND >> reason & 1) {
		LOAD(GUEST_PHYSICAL_ADDR);
		LOAD(GUEST_LINEAR_ADDR);
		LOAD(EXIT_INSTRUCTION_INFO);
	}
	if (__builtin_expect((f[VMCS_EXIT_INTR_INFO] | f[VMCS_IDT_VECTORING_INFO]) & INTR_INFO_VALID, 0)) {
		LOAD(EXIT_INTR_ERROR_CODE);
		LOAD(IDT_VECTORING_ERROR_CODE);
	}
	if (__builtin_expect(!(f[VMCS_GUEST_EFER] & EFER_LMA), 0) && f[VMCS_GUEST_CR4] & CR4_PAE) {
		LOAD(GUEST_PDPTE0);
		LOAD(GUEST_PDPTE1);
		LOAD(GUEST_PDPTE2);
		LOAD(GUEST_PDPTE3);
	}
	return p;
}

/* ---- The image ---- */

/*
 * In ascending order: VMREAD stores 64 bits whatever the field's width, and what is too much the next one
 * overwrites. Where the last field ends nothing is behind it that counts.
 */
static inline void read_image(uint64_t *image)
{
#define READ(name, encoding, bytes)							\
	if (bytes)									\
		__asm__ volatile("vmread %1, %0"					\
				 : "=m"(*(struct { uint64_t u; } __attribute__((packed, may_alias)) *)	\
					((uint8_t *)image + LOAD_AT_##name))		\
				 : "r"((uint64_t)(encoding)) : "cc");
#define VMCS(name, encoding, change) READ(name, encoding, LOAD_BYTES_##change(VMCS_##name, encoding))
#include "include/vmcs.def"
#undef VMCS
}

/* The fields that have a byte in this word of the image. Not rare: each switch to user space changes some. */
static inline struct item *load_word(struct vmx_cpu *c, unsigned word, struct item *p)
{
	unsigned at = word * 8, end = at + 8 < LOAD_IMAGE_BYTES ? at + 8 : LOAD_IMAGE_BYTES;

	while (at < end) {
		enum vmcs_slot slot = c->image.slot[at];
		struct place place = places[slot];

		p = load_value(p, &c->v->vmcs[slot], slot, image_get(c->image.now, place));
		at = place.at + place.bytes;
	}
	c->image.before[word] = c->image.now[word];
	return p;
}

/* One REPE CMPSQ: whether the rest of the image is the same, and if not, how many words are left. */
static inline bool compare(const uint64_t **now, const uint64_t **before, uint64_t *left)
{
	bool same;

	__asm__ volatile("repe cmpsq" : "+S"(*now), "+D"(*before), "+c"(*left), "=@cce"(same) : : "memory");
	return same;
}

/* Goes on from the first difference. A function of its own, so that the usual way saves no registers for it. */
static __attribute__((noinline))
struct item *load_differing(struct vmx_cpu *c, struct item *p, uint64_t left)
{
	const uint64_t *now = c->image.now + LOAD_IMAGE_WORDS - left;
	const uint64_t *before = c->image.before + LOAD_IMAGE_WORDS - left;

	do {
		p = load_word(c, LOAD_IMAGE_WORDS - 1 - left, p);
	} while (left && !compare(&now, &before, &left));
	return load_late(c, c->v->vmcs, p);
}

struct item *load_marked(struct vmx_cpu *c, struct item *p)
{
	const uint64_t *now = c->image.now, *before = c->image.before;
	uint64_t *f = c->v->vmcs, left = LOAD_IMAGE_WORDS;

	read_image(c->image.now);
	LOAD(EXIT_REASON);
	LOAD(EXIT_INSTRUCTION_LEN);
	LOAD(EXIT_QUALIFICATION);
	LOAD(GUEST_RSP);
	LOAD(GUEST_RIP);
	LOAD(GUEST_RFLAGS);
	if (__builtin_expect(!compare(&now, &before, &left), 0))
		return load_differing(c, p, left);
	return load_late(c, f, p);
}
