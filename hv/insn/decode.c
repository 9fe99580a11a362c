/*
 * decode.c: the instruction decoder.
 *
 * Called by emulate.c's callers and by tests, which compare its lengths with another decoder's. A format
 * table for each opcode map says what follows the opcode; all else is prefixes, ModR/M and SIB.
 */
#include <string.h>

#include "insn/decode.h"
#include "vcpu.h"

/*
 * What follows an opcode, a letter each:
 *	.  nothing		m  ModR/M		x  undefined		P  prefix or escape
 *	b  imm8			B  ModR/M, imm8		w  imm16		e  imm16, imm8 (ENTER)
 *	z  imm16/32		Z  ModR/M, imm16/32	v  imm16/32/64		j  near branch, imm16/32
 *	o  moffs		p  far pointer		3  ModR/M, imm8 for reg 0, 1 (TEST)	4  the same, imm16/32
 *	r  ModR/M that always names registers (MOV CR, DR)
 */
static const char one_byte[] =
	"mmmmbz.." "mmmmbz.P" /* 00 */
	"mmmmbz.." "mmmmbz.." /* 10 */
	"mmmmbzP." "mmmmbzP." /* 20 */
	"mmmmbzP." "mmmmbzP." /* 30 */
	"........" "........" /* 40 */
	"........" "........" /* 50 */
	"..mmPPPP" "zZbB...." /* 60 */
	"bbbbbbbb" "bbbbbbbb" /* 70 */
	"BZBBmmmm" "mmmmmmmm" /* 80 */
	"........" "..p....." /* 90 */
	"oooo...." "bz......" /* a0 */
	"bbbbbbbb" "vvvvvvvv" /* b0 */
	"BBw.mmBZ" "e.w..b.." /* c0 */
	"mmmmbb.." "mmmmmmmm" /* d0 */
	"bbbbbbbb" "jjpb...." /* e0 */
	"P.PP..34" "......mm";/* f0 */

static const char map_0f[] =
	"mmmmx..." "..x.xmxx" /* 00 */
	"mmmmmmmm" "mmmmmmmm" /* 10 */
	"rrrrxxxx" "mmmmmmmm" /* 20 */
	"......x." "PxPxxxxx" /* 30 */
	"mmmmmmmm" "mmmmmmmm" /* 40 */
	"mmmmmmmm" "mmmmmmmm" /* 50 */
	"mmmmmmmm" "mmmmmmmm" /* 60 */
	"BBBBmmm." "mmxxmmmm" /* 70 */
	"jjjjjjjj" "jjjjjjjj" /* 80 */
	"mmmmmmmm" "mmmmmmmm" /* 90 */
	"...mBmxx" "...mBmmm" /* a0 */
	"mmmmmmmm" "mmBmmmmm" /* b0 */
	"mmBmBBBm" "........" /* c0 */
	"mmmmmmmm" "mmmmmmmm" /* d0 */
	"mmmmmmmm" "mmmmmmmm" /* e0 */
	"mmmmmmmm" "mmmmmmmm";/* f0 */

/* One-byte opcodes that 64-bit mode doesn't have; those that became prefixes (REX, VEX, EVEX) apart. */
static bool is_undefined_in_64bit(uint8_t opcode)
{
	switch (opcode) {
	case 0x06: case 0x07: case 0x0e: case 0x16: case 0x17: case 0x1e: case 0x1f: case 0x27: case 0x2f:
	case 0x37: case 0x3f: case 0x60: case 0x61: case 0x82: case 0x9a: case 0xce: case 0xd4: case 0xd5:
	case 0xd6: case 0xea:
		return true;
	default:
		return false;
	}
}

struct cursor {
	const uint8_t *bytes;
	unsigned at, count;		/* count is at most INSN_MAX */
	bool ended;			/* something was read past the end: it was 0 */
};

static uint8_t next_byte(struct cursor *c)
{
	if (c->at >= c->count) {
		c->ended = true;
		return 0;
	}
	return c->bytes[c->at++];
}

static uint8_t peek_byte(const struct cursor *c)
{
	return c->at < c->count ? c->bytes[c->at] : 0;
}

/* Little-endian, sign-extended */
static int64_t next_signed(struct cursor *c, unsigned size)
{
	uint64_t value = 0;
	unsigned unused = 64 - 8 * size;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)next_byte(c) << 8 * i;
	return (int64_t)(value << unused) >> unused;
}

/* ---- Prefixes ---- */

static bool is_legacy_prefix(uint8_t byte, struct insn *insn, bool *operand_16, bool *address_other)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

	for (unsigned i = 0; i < sizeof(segments); i++) {
		if (byte != segments[i])
			continue;
		/* SDM, "Segmentation in 64-Bit Mode": overrides but those of FS and GS are ignored there. */
		if (insn->code_bits != 64 || i >= SEG_FS) {
			insn->segment = i;
			insn->segment_override = true;
		}
		return true;
	}
	switch (byte) {
	case 0x66: *operand_16 = true; return true;
	case 0x67: *address_other = true; return true;
	case 0xf0: insn->lock = true; return true;
	case 0xf2: case 0xf3: insn->rep = byte; return true;
	default: return false;
	}
}

/* All prefixes; gives the first byte that isn't one. */
static uint8_t decode_prefixes(struct cursor *c, struct insn *insn)
{
	bool operand_other = false, address_other = false;
	unsigned bits = insn->code_bits;
	uint8_t byte;

	for (;;) {
		byte = next_byte(c);
		if (bits == 64 && (byte & 0xf0) == 0x40) {
			insn->rex = byte;	/* counts only right before the opcode */
			continue;
		}
		if (one_byte[byte] != 'P' || !is_legacy_prefix(byte, insn, &operand_other, &address_other))
			break;
		insn->rex = 0;
	}
	insn->operand_size = (bits == 16) != operand_other ? 2 : 4;
	if (insn->rex & 8)
		insn->operand_size = 8;
	if (bits == 64)
		insn->address_size = address_other ? 4 : 8;
	else
		insn->address_size = (bits == 16) != address_other ? 2 : 4;
	return byte;
}

/* ---- Opcode ---- */

/* VEX (SDM, "The VEX Prefix") and EVEX: the maps have the same formats as without. */
static bool decode_vex(struct cursor *c, struct insn *insn, uint8_t prefix)
{
	uint8_t p0 = next_byte(c), map = 1;
	bool w = false;

	insn->encoding = prefix == 0x62 ? ENCODING_EVEX : ENCODING_VEX;
	/* SDM: with a REX or a 66, F2, F3 or LOCK prefix before it, #UD. */
	if (insn->rex || insn->lock)
		return false;
	if (prefix != 0xc5) {
		map = prefix == 0x62 ? p0 & 7 : p0 & 31;
		insn->rex = 0x40 | (~p0 >> 5 & 7);
		w = next_byte(c) & 0x80;
	} else {
		insn->rex = 0x40 | (~p0 >> 5 & 4);
	}
	if (prefix == 0x62)
		next_byte(c);
	if (insn->code_bits != 64)
		insn->rex = 0x40;
	if (w)
		insn->operand_size = 8;
	insn->map = map <= 3 ? map : MAP_OTHER;
	insn->opcode = next_byte(c);
	return map >= 1 && (map <= 3 || (prefix == 0x62 && (map == 5 || map == 6)));
}

/*
 * In 16- and 32-bit code LES, LDS and BOUND have the same first byte; a register operand, which they can't
 * have, tells.
 */
static bool is_vex(const struct cursor *c, const struct insn *insn, uint8_t byte)
{
	if (byte != 0xc4 && byte != 0xc5 && byte != 0x62)
		return false;
	return insn->code_bits == 64 || (peek_byte(c) & 0xc0) == 0xc0;
}

/* Gives the format letter. */
static char decode_opcode(struct cursor *c, struct insn *insn, uint8_t byte)
{
	if (is_vex(c, insn, byte)) {
		if (!decode_vex(c, insn, byte))
			return 'x';
		if (insn->map == MAP_0F3A)
			return 'B';
		if (insn->map != MAP_0F)
			return 'm';
		/* VZEROUPPER, or the 0F map's: those without ModR/M there don't exist here. */
		return insn->opcode == 0x77 ? '.' : map_0f[insn->opcode] == 'B' ? 'B' : 'm';
	}
	insn->opcode = byte;
	if (byte != 0x0f) {
		if (insn->code_bits == 64 && is_undefined_in_64bit(byte))
			return 'x';
		return one_byte[byte];
	}
	insn->opcode = next_byte(c);
	if (insn->opcode == 0x38) {
		insn->map = MAP_0F38;
		insn->opcode = next_byte(c);
		return 'm';
	}
	if (insn->opcode == 0x3a) {
		insn->map = MAP_0F3A;
		insn->opcode = next_byte(c);
		return 'B';
	}
	insn->map = MAP_0F;
	return map_0f[insn->opcode];
}

/* ---- ModR/M, SIB, displacement ---- */

static void default_segment(struct insn *insn)
{
	if (!insn->segment_override && (insn->base == GPR_RSP || insn->base == GPR_RBP))
		insn->segment = SEG_SS;
}

/* SDM, "16-Bit Addressing Forms with the ModR/M Byte" */
static void decode_memory16(struct cursor *c, struct insn *insn)
{
	static const uint8_t bases[] = { GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RBP,
					 GPR_RBX };
	static const uint8_t indexes[] = { GPR_RSI, GPR_RDI, GPR_RSI, GPR_RDI, INSN_NO_REG, INSN_NO_REG,
					   INSN_NO_REG, INSN_NO_REG };
	unsigned rm = insn->rm & 7;

	insn->base = bases[rm];
	insn->index = indexes[rm];
	if (insn->mod == 0 && rm == 6) {
		insn->base = INSN_NO_REG;
		insn->displacement = next_signed(c, 2);
	} else if (insn->mod != 0) {
		insn->displacement = next_signed(c, insn->mod);
	}
	default_segment(insn);
}

/*
 * SDM, "32-Bit Addressing Forms with the SIB Byte". Gives whether there is a 32-bit displacement without a
 * base.
 */
static bool decode_sib(struct cursor *c, struct insn *insn)
{
	uint8_t sib = next_byte(c);

	insn->scale = sib >> 6;
	insn->index = (sib >> 3 & 7) | (insn->rex & 2) << 2;
	if (insn->index == GPR_RSP)
		insn->index = INSN_NO_REG;
	insn->base = (sib & 7) | (insn->rex & 1) << 3;
	if (insn->mod != 0 || (sib & 7) != 5)
		return false;
	insn->base = INSN_NO_REG;
	return true;
}

static void decode_memory(struct cursor *c, struct insn *insn)
{
	bool wide = false;

	if ((insn->rm & 7) == 4) {
		wide = decode_sib(c, insn);
	} else if (insn->mod == 0 && (insn->rm & 7) == 5) {
		insn->rip_relative = insn->code_bits == 64;
		wide = true;
	} else {
		insn->base = insn->rm;
	}
	if (wide || insn->mod == 2)
		insn->displacement = next_signed(c, 4);
	else if (insn->mod == 1)
		insn->displacement = next_signed(c, 1);
	default_segment(insn);
}

static void decode_modrm(struct cursor *c, struct insn *insn, bool registers)
{
	uint8_t modrm = next_byte(c);

	insn->has_modrm = true;
	insn->mod = registers ? 3 : modrm >> 6;
	insn->reg = (modrm >> 3 & 7) | (insn->rex & 4) << 1;
	insn->rm = (modrm & 7) | (insn->rex & 1) << 3;
	insn->memory = insn->mod != 3;
	if (!insn->memory)
		return;
	if (insn->address_size == 2)
		decode_memory16(c, insn);
	else
		decode_memory(c, insn);
}

/* ---- Immediates ---- */

static void decode_immediate(struct cursor *c, struct insn *insn, unsigned size)
{
	insn->immediate_size = size;
	insn->immediate = (uint64_t)next_signed(c, size);
}

/* Gives false for a format that isn't one. */
static bool decode_rest(struct cursor *c, struct insn *insn, char format)
{
	unsigned z = insn->operand_size == 2 ? 2 : 4;

	switch (format) {
	case 'x': case 'P': return false;
	case '.': return true;
	case 'm': decode_modrm(c, insn, false); return true;
	case 'r': decode_modrm(c, insn, true); return true;
	case 'b': decode_immediate(c, insn, 1); return true;
	case 'w': decode_immediate(c, insn, 2); return true;
	case 'z': decode_immediate(c, insn, z); return true;
	case 'v': decode_immediate(c, insn, insn->operand_size); return true;
	case 'B': decode_modrm(c, insn, false); decode_immediate(c, insn, 1); return true;
	case 'Z': decode_modrm(c, insn, false); decode_immediate(c, insn, z); return true;
	/*
	 * SDM: in 64-bit mode a near branch has a 32-bit displacement, whatever the operand-size prefix
	 * says.
	 */
	case 'j': decode_immediate(c, insn, insn->code_bits == 64 ? 4 : z); return true;
	case 'e': decode_immediate(c, insn, 2); next_byte(c); return true;
	case 'p': decode_immediate(c, insn, z); next_signed(c, 2); return true;
	case 'o':
		insn->memory = true;
		insn->displacement = next_signed(c, insn->address_size);
		return true;
	case '3': case '4':
		decode_modrm(c, insn, false);
		if ((insn->reg & 7) < 2)
			decode_immediate(c, insn, format == '3' ? 1 : z);
		return true;
	}
	return false;
}

enum insn_result insn_decode(const uint8_t *bytes, unsigned count, unsigned code_bits, struct insn *insn)
{
	struct cursor c = { .bytes = bytes, .count = count < INSN_MAX ? count : INSN_MAX };
	char format;

	memset(insn, 0, sizeof(*insn));
	insn->code_bits = code_bits;
	insn->segment = SEG_DS;
	insn->base = INSN_NO_REG;
	insn->index = INSN_NO_REG;
	format = decode_opcode(&c, insn, decode_prefixes(&c, insn));
	if (!c.ended && !decode_rest(&c, insn, format))
		return INSN_UNDEFINED;
	if (c.ended)
		return count >= INSN_MAX ? INSN_TOO_LONG : INSN_SHORT;
	insn->length = c.at;
	return INSN_OK;
}
