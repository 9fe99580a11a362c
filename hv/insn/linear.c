/*
 * linear.c: segment checks, and reads and writes of guest-linear memory that cross pages and reach devices.
 *
 * Called by handlers and the emulator. A fault is left in struct access; nothing is injected here.
 */
#include "insn/linear.h"
#include "dev/mmio.h"
#include "exit/mode.h"

#define PAGE		4096u
#define AR_CODE		(1u << 3)
#define AR_WRITABLE	(1u << 1)	/* data: writable; code: readable */
#define AR_EXPAND_DOWN	(1u << 2)

struct span {			/* a piece of an access within one page */
	uint64_t gpa;
	uint32_t len;
};

static bool segment_fault(struct access *a, enum segment seg)
{
	a->fault = (struct fault){ .vector = seg == SEG_SS ? VECTOR_SS : VECTOR_GP };
	return false;
}

/* SDM, "Type Checking": what the segment's type allows. Not asked in real-address and virtual-8086 mode. */
static bool type_allows(uint32_t rights, uint32_t access)
{
	if (access & ACCESS_WRITE)
		return !(rights & AR_CODE) && (rights & AR_WRITABLE);
	if (access & ACCESS_FETCH)
		return rights & AR_CODE;
	return !(rights & AR_CODE) || (rights & AR_WRITABLE);
}

/* SDM, "Limit Checking" */
static bool within_limit(uint32_t rights, uint64_t limit, uint64_t offset, uint32_t len)
{
	uint64_t last = offset + len - 1;

	if (!(rights & AR_CODE) && (rights & AR_EXPAND_DOWN))
		return offset > limit && last <= (rights & AR_DB ? UINT32_MAX : 0xffff);
	return last <= limit;
}

bool linear_address(struct access *a, enum segment seg, uint64_t offset, uint32_t len, uint32_t access,
		    uint64_t *linear)
{
	struct vcpu *v = a->v;
	uint32_t rights;

	if (vcpu_is_64bit(v)) {
		/* SDM, "Segmentation in 64-Bit Mode": bases of FS and GS alone, no limits. */
		uint64_t base = seg >= SEG_FS ? vmcs_read(v, VMCS_GUEST_ES_BASE + seg) : 0;

		*linear = base + offset;
		if (!is_canonical(v, *linear) || !is_canonical(v, *linear + len - 1))
			return segment_fault(a, seg);
		return true;
	}
	rights = vmcs_read(v, VMCS_GUEST_ES_ACCESS_RIGHTS + seg);
	*linear = (uint32_t)(vmcs_read(v, VMCS_GUEST_ES_BASE + seg) + offset);
	if (vcpu_is_protected(v) && !vcpu_is_virtual_8086(v) &&
	    ((rights & AR_UNUSABLE) || !type_allows(rights, access)))
		return segment_fault(a, seg);
	if (!within_limit(rights, vmcs_read(v, VMCS_GUEST_ES_LIMIT + seg), offset, len))
		return segment_fault(a, seg);
	return true;
}

void linear_know(struct access *a, uint64_t linear, uint64_t gpa, uint32_t access)
{
	a->known[a->known_count++ % TRANSLATIONS] = (struct translation){ linear, gpa, access };
}

static bool translate(struct access *a, uint64_t linear, uint32_t access, uint64_t *gpa)
{
	for (unsigned i = 0; i < a->known_count && i < TRANSLATIONS; i++) {
		const struct translation *t = &a->known[i];

		if ((linear ^ t->linear) < PAGE &&
		    (access | (t->access & ACCESS_WRITE)) == t->access) {
			*gpa = (t->gpa & ~(uint64_t)(PAGE - 1)) | (linear & (PAGE - 1));
			return true;
		}
	}
	if (!walk_linear(a->v, a->vm, a->w, linear, access, gpa, &a->fault))
		return false;
	linear_know(a, linear, *gpa, access);
	return true;
}

/* At most 4096 bytes are at most two pages. Gives how many pieces; 0: a->fault. */
static unsigned spans_of(struct access *a, uint64_t linear, uint32_t len, uint32_t access,
			 struct span spans[2])
{
	uint32_t first = PAGE - (linear & (PAGE - 1));
	uint64_t next = linear + first;

	spans[0].len = len < first ? len : first;
	if (!translate(a, linear, access, &spans[0].gpa))
		return 0;
	if (len <= first)
		return 1;
	/* Outside 64-bit mode linear addresses wrap at 4 GiB. */
	if (!vcpu_is_64bit(a->v))
		next = (uint32_t)next;
	spans[1].len = len - first;
	return translate(a, next, access, &spans[1].gpa) ? 2 : 0;
}

bool linear_probe(struct access *a, uint64_t linear, uint32_t len, uint32_t access)
{
	struct span spans[2];

	return spans_of(a, linear, len, access, spans) != 0;
}

bool linear_read(struct access *a, uint64_t linear, void *to, uint32_t len, uint32_t access)
{
	struct span spans[2];
	unsigned count = spans_of(a, linear, len, access, spans);
	uint8_t *p = to;

	for (unsigned i = 0; i < count; i++) {
		physical_read(a->v, a->vm, a->w, spans[i].gpa, p, spans[i].len);
		p += spans[i].len;
	}
	return count != 0;
}

bool linear_read_ram(struct access *a, uint64_t linear, void *to, uint32_t len, uint32_t access)
{
	struct span spans[2];
	unsigned count;
	uint8_t *p = to;

	if (vcpu_is_64bit(a->v) && (!is_canonical(a->v, linear) || !is_canonical(a->v, linear + len - 1)))
		return segment_fault(a, SEG_DS);
	count = spans_of(a, linear, len, access, spans);
	for (unsigned i = 0; i < count; i++) {
		if (!vm_has_memory(a->vm, spans[i].gpa, spans[i].len))
			return segment_fault(a, SEG_DS);
	}
	for (unsigned i = 0; i < count; i++) {
		a->w->ops->mem_read(a->w, spans[i].gpa, p, spans[i].len);
		p += spans[i].len;
	}
	return count != 0;
}

bool linear_write(struct access *a, uint64_t linear, const void *from, uint32_t len, uint32_t access)
{
	struct span spans[2];
	unsigned count = spans_of(a, linear, len, access | ACCESS_WRITE, spans);
	const uint8_t *p = from;

	for (unsigned i = 0; i < count; i++) {
		physical_write(a->v, a->vm, a->w, spans[i].gpa, p, spans[i].len);
		p += spans[i].len;
	}
	return count != 0;
}

unsigned linear_fetch(struct access *a, uint8_t bytes[15])
{
	uint64_t rip = vmcs_read(a->v, VMCS_GUEST_RIP), linear;
	uint32_t access = ACCESS_FETCH | walk_privilege(a->v);
	uint32_t in_page;

	/*
	 * The limit of CS beyond the first byte isn't looked at: the processor fetched this very
	 * instruction.
	 */
	if (!linear_address(a, SEG_CS, rip, 1, access, &linear))
		return 0;
	in_page = PAGE - (linear & (PAGE - 1));
	if (in_page >= 15)
		return linear_read(a, linear, bytes, 15, access) ? 15 : 0;
	if (!linear_read(a, linear, bytes, in_page, access))
		return 0;
	/* The next page may not be there, and needn't be if the instruction ends before it. */
	if (!linear_read(a, linear + in_page, bytes + in_page, 15 - in_page, access))
		return in_page;
	return 15;
}
