/*
 * walk.c: the page walk: 32-bit, PAE, 4-level and 5-level paging, with permissions and accessed/dirty bits.
 *
 * Called for every access that a handler makes to guest-linear memory. Reads tables through the world, a
 * read per entry; what lies outside the guest's memory reads as all ones, which is a reserved-bit fault in
 * most entries.
 */
#include "insn/walk.h"
#include "dev/vm_state.h"
#include "exit/mode.h"

#define PTE_P		(UINT64_C(1) << 0)
#define PTE_W		(UINT64_C(1) << 1)
#define PTE_U		(UINT64_C(1) << 2)
#define PTE_A		(UINT64_C(1) << 5)
#define PTE_D		(UINT64_C(1) << 6)
#define PTE_PS		(UINT64_C(1) << 7)
#define PTE_XD		(UINT64_C(1) << 63)
#define PDPTE_RESERVED	UINT64_C(0x1e6)	/* of PAE paging's: bits 2:1, 8:5 */
#define UPDATE_RETRIES	8
#define LEVELS_MAX	5

/* The paging mode, decoded: what differs between them in numbers. */
struct paging {
	unsigned levels;	/* tables to walk; 0 = paging is off */
	unsigned entry_size;	/* 4 or 8 bytes */
	unsigned index_bits;	/* 10 or 9 */
	uint64_t root;		/* physical address of the first table */
	uint64_t address_mask;	/* of an entry: its physical address */
	uint64_t reserved;	/* bits that must be 0 in each entry */
	bool write_protect, smep, smap, nx, large, pae;
};

struct step {			/* an entry that the walk used */
	uint64_t gpa, entry;
};

static struct paging paging_mode(struct vcpu *v, const struct vm *vm)
{
	uint64_t cr0 = vcpu_cr0(v), cr4 = vcpu_cr4(v), efer = vmcs_read(v, VMCS_GUEST_EFER);
	uint64_t cr3 = vmcs_read(v, VMCS_GUEST_CR3);
	uint64_t physical = vm_phys_mask(&vm->config);
	struct paging p = {
		.write_protect = cr0 & CR0_WP,
		.smep = cr4 & CR4_SMEP,
		.smap = cr4 & CR4_SMAP,
	};

	if (!(cr0 & CR0_PG))
		return p;
	if (!(cr4 & CR4_PAE)) {
		p.levels = 2;
		p.entry_size = 4;
		p.index_bits = 10;
		p.root = cr3 & 0xfffff000;
		p.address_mask = 0xfffff000;
		p.large = cr4 & CR4_PSE;
		return p;
	}
	p.pae = !(efer & EFER_LMA);
	p.levels = p.pae ? 2 : cr4 & CR4_LA57 ? 5 : 4;
	p.entry_size = 8;
	p.index_bits = 9;
	p.nx = efer & EFER_NXE;
	p.large = true;
	p.address_mask = physical & ~UINT64_C(0xfff);
	p.root = cr3 & p.address_mask;
	/* SDM: PAE entries reserve bits 62:52 too; in IA-32e paging they are software's. */
	p.reserved = ~physical & (p.pae ? ~PTE_XD : UINT64_C(0x000fffffffffffff));
	if (!p.nx)
		p.reserved |= PTE_XD;
	return p;
}

static uint64_t entry_read(const struct vm *vm, struct world *w, uint64_t gpa, unsigned size)
{
	uint64_t entry = 0;

	if (!vm_has_memory(vm, gpa, size))
		return size == 8 ? UINT64_MAX : UINT32_MAX;
	w->ops->mem_read(w, gpa, &entry, size);
	return entry;
}

/* SDM, "Accessed and Dirty Flags". false: the entry isn't what the walk saw. */
static bool entry_set(const struct vm *vm, struct world *w, const struct paging *p, struct step *s,
		      uint64_t bits)
{
	if ((s->entry & bits) == bits || !vm_has_memory(vm, s->gpa, p->entry_size))
		return true;
	return w->ops->mem_cmpxchg(w, s->gpa, p->entry_size, s->entry, s->entry | bits) == s->entry;
}

/* Of `count` entries that a walk used, the last one maps the page. -1: a table changed under us. */
static int entries_set(const struct vm *vm, struct world *w, const struct paging *p, struct step *steps,
			unsigned count, uint32_t access)
{
	for (unsigned i = 0; i < count; i++) {
		bool last = i == count - 1;

		if (!entry_set(vm, w, p, &steps[i], PTE_A | (last && (access & ACCESS_WRITE) ? PTE_D : 0)))
			return -1;
	}
	return 0;
}

static bool page_fault(struct fault *fault, uint64_t linear, uint32_t access, uint32_t bits,
		       const struct paging *p)
{
	uint32_t code = bits | (access & (ACCESS_WRITE | ACCESS_USER));

	/* SDM, "Page-Fault Exceptions": I/D is reported only where a fetch can be told from a read. */
	if ((access & ACCESS_FETCH) && (p->nx || p->smep))
		code |= PF_FETCH;
	*fault = (struct fault){ .vector = VECTOR_PF, .error_code = code, .address = linear };
	return false;
}

/*
 * SDM, "Determination of Access Rights". `rights` is the AND of all entries' W and U and the OR of their
 * XD.
 */
static bool permitted(struct vcpu *v, const struct paging *p, uint64_t rights, uint32_t access)
{
	bool user_page = rights & PTE_U;

	if ((access & ACCESS_FETCH) && (rights & PTE_XD))
		return false;
	if (access & ACCESS_USER)
		return user_page && (!(access & ACCESS_WRITE) || (rights & PTE_W));
	if (user_page && (access & ACCESS_FETCH))
		return !p->smep;
	if (user_page && p->smap) {
		bool explicit_ac = !(access & ACCESS_IMPLICIT) &&
			(vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_AC);

		if (!explicit_ac)
			return false;
	}
	return !(access & ACCESS_WRITE) || (rights & PTE_W) || !p->write_protect;
}

/* Reserved bits of an entry at `level` (1 = the last table). */
static uint64_t reserved_bits(const struct paging *p, unsigned level, uint64_t entry)
{
	uint64_t reserved = p->reserved;

	if (level == 1)
		return reserved;
	if (p->entry_size == 4)
		/*
		 * 4-MByte pages: bit 21 is reserved; bits 20:13 are address bits 39:32 up to MAXPHYADDR
		 * (PSE-36).
		 */
		return entry & PTE_PS && p->large ? UINT64_C(1) << 21 : 0;
	if (!(entry & PTE_PS))
		return reserved;
	if (level > 3)
		return reserved | PTE_PS;
	/* A large page's address is aligned: bits below it, but for PAT in bit 12, are 0. */
	return reserved | (((UINT64_C(1) << (3 + 9 * level)) - 1) & ~UINT64_C(0x1fff));
}

/* PSE-36: a 4-MByte page's bits 20:13 hold address bits 39:32. */
static uint64_t page_base(const struct paging *p, unsigned level, uint64_t entry)
{
	unsigned shift = 12 + p->index_bits * (level - 1);

	if (p->entry_size == 4 && level == 2)
		return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	return entry & p->address_mask & ~((UINT64_C(1) << shift) - 1);
}

/* One try. 1: translated; 0: *fault; -1: a table changed under us, try again. */
static int walk_once(struct vcpu *v, const struct vm *vm, struct world *w, const struct paging *p,
		     uint64_t linear, uint32_t access, uint64_t *gpa, struct fault *fault)
{
	struct step steps[LEVELS_MAX];
	unsigned count = 0, level;
	uint64_t table = p->root, rights = PTE_W | PTE_U, all = PTE_A, entry = 0, shift = 0;

	if (p->pae) {
		/* SDM, "PAE Paging": the PDPTEs are registers, and under EPT VMCS fields. */
		uint64_t pdpte = vmcs_read(v, VMCS_GUEST_PDPTE0 + (linear >> 30 & 3));

		if (!(pdpte & PTE_P))
			return page_fault(fault, linear, access, 0, p);
		table = pdpte & p->address_mask;
	}
	for (level = p->levels; level > 0; level--) {
		shift = 12 + p->index_bits * (level - 1);
		steps[count].gpa = table + (linear >> shift & ((1u << p->index_bits) - 1)) * p->entry_size;
		entry = entry_read(vm, w, steps[count].gpa, p->entry_size);
		steps[count++].entry = entry;
		if (!(entry & PTE_P))
			return page_fault(fault, linear, access, 0, p);
		if (entry & reserved_bits(p, level, entry))
			return page_fault(fault, linear, access, PF_PRESENT | PF_RESERVED, p);
		rights = (rights & (entry | PTE_XD)) | (entry & PTE_XD);
		all &= entry;
		if (level == 1 || ((entry & PTE_PS) && p->large))
			break;
		table = entry & p->address_mask;
	}
	if (!p->nx)
		rights &= ~PTE_XD;
	if (!permitted(v, p, rights, access))
		return page_fault(fault, linear, access, PF_PRESENT, p);
	/* Mostly a walk before this one has set them all. */
	if (!all || ((access & ACCESS_WRITE) && !(entry & PTE_D))) {
		if (entries_set(vm, w, p, steps, count, access) < 0)
			return -1;
	}
	*gpa = page_base(p, level, entry) | (linear & ((UINT64_C(1) << shift) - 1));
	return 1;
}

bool walk_linear(struct vcpu *v, const struct vm *vm, struct world *w, uint64_t linear, uint32_t access,
		 uint64_t *gpa, struct fault *fault)
{
	struct paging p = paging_mode(v, vm);

	if (p.levels == 0) {
		*gpa = (uint32_t)linear;
		return true;
	}
	for (unsigned i = 0; i < UPDATE_RETRIES; i++) {
		int result = walk_once(v, vm, w, &p, linear, access, gpa, fault);

		if (result >= 0)
			return result;
	}
	/* A guest that changes its tables this fast gets the fault that a stale entry may give it anyway. */
	return page_fault(fault, linear, access, 0, &p);
}

uint32_t walk_privilege(struct vcpu *v)
{
	return vcpu_cpl(v) == 3 ? ACCESS_USER : 0;
}

bool walk_load_pdptes(struct vcpu *v, const struct vm *vm, struct world *w, uint64_t cr3)
{
	uint64_t reserved = ~vm_phys_mask(&vm->config) | PDPTE_RESERVED;
	uint64_t table = cr3 & 0xffffffe0, pdpte[4];

	for (unsigned i = 0; i < 4; i++) {
		pdpte[i] = entry_read(vm, w, table + 8 * i, 8);
		if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
			return false;
	}
	for (unsigned i = 0; i < 4; i++)
		vmcs_write(v, VMCS_GUEST_PDPTE0 + i, pdpte[i]);
	return true;
}
