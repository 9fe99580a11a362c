/*
 * world.c: the world as a step's record has it.
 *
 * Handed to the core by frame.c. What comes in is answered from the recorded crossings: guest memory from the
 * recorded bytes with the handler's own writes laid over, in whatever order and size it asks; the rest by
 * order within its kind. What goes out is compared, one by one, in order. A question that the record doesn't
 * answer ends the step by longjmp(): it is never answered with zeros.
 */
#include <string.h>

#include "replay/replay.h"

#define CALLS_MAX 65536			/* world calls in one step: a handler that makes more is in a loop */

static _Noreturn void leave(struct replay_world *w)
{
	w->run->guard.armed = 0;
	longjmp(w->run->guard.env, GUARD_WORLD);
}

/* Each call of the core comes through here. */
static struct replay_world *enter(struct world *world)
{
	struct replay_world *w = world->context;
	struct divergence *d;

	if (++w->calls <= CALLS_MAX)
		return w;
	d = diverge(w->run, DIVERGE_HANDLER);
	if (d) {
		snprintf(d->name, sizeof(d->name), "handler");
		snprintf(d->expected, sizeof(d->expected), "returns after %u crossings",
			 w->step->crossing_count);
		snprintf(d->got, sizeof(d->got), "more than %u world calls: an endless loop", CALLS_MAX);
	}
	leave(w);
}

static _Noreturn void unanswered(struct replay_world *w, const struct crossing *asked,
				 const struct crossing *recorded)
{
	struct divergence *d = diverge(w->run, DIVERGE_QUESTION);

	if (d) {
		snprintf(d->name, sizeof(d->name), "question");
		if (recorded)
			explain_crossing(d->expected, sizeof(d->expected), recorded);
		else
			snprintf(d->expected, sizeof(d->expected), "not recorded");
		memcpy(d->got, "asked for ", 10);
		explain_crossing(d->got + 10, sizeof(d->got) - 10, asked);
	}
	leave(w);
}

/* The next recorded answer of this kind; its address must be the one asked for. */
static uint64_t answer(struct replay_world *w, enum crossing_kind kind, uint64_t addr)
{
	const struct step *s = w->step;
	struct crossing asked = { .kind = kind, .addr = addr };

	for (uint32_t i = w->in_next[kind]; i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];

		if (c->kind != kind)
			continue;
		if (c->addr != addr)
			unanswered(w, &asked, c);
		w->in_next[kind] = i + 1;
		return c->value;
	}
	unanswered(w, &asked, NULL);
}

/* ---- Guest memory ---- */

/* Lay a write of the handler's over what later reads see. */
static void keep_write(struct replay_world *w, uint64_t gpa, const void *bytes, uint32_t len)
{
	struct crossing asked = { .kind = CROSSING_MEM_WRITE, .addr = gpa, .size = len };

	if (w->write_count == STEP_CROSSINGS || len > sizeof(w->written) - w->write_used)
		unanswered(w, &asked, NULL);	/* beyond a step's bounds: metal would have panicked */
	w->writes[w->write_count].gpa = gpa;
	w->writes[w->write_count].len = len;
	w->writes[w->write_count++].at = w->write_used;
	memcpy(w->written + w->write_used, bytes, len);
	w->write_used += len;
}

static bool byte_written(const struct replay_world *w, uint64_t gpa, uint8_t *value)
{
	for (uint32_t i = w->write_count; i-- > 0;)
		if (gpa - w->writes[i].gpa < w->writes[i].len) {
			*value = w->written[w->writes[i].at + (gpa - w->writes[i].gpa)];
			return true;
		}
	return false;
}

static bool byte_recorded(struct replay_world *w, uint64_t gpa, uint8_t *value)
{
	const struct step *s = w->step;

	for (uint32_t i = 0; i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];
		uint64_t at = gpa - c->addr;

		if (c->kind == CROSSING_MEM_READ && at < c->size) {
			w->asked[w->asked_at[i] + at] = 1;
			*value = c->bytes[at];
			return true;
		}
	}
	return false;
}

static void mem_read_bytes(struct replay_world *w, uint64_t gpa, uint8_t *to, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		struct crossing asked = { .kind = CROSSING_MEM_READ, .addr = gpa + i, .size = len - i };
		bool recorded = byte_recorded(w, gpa + i, &to[i]);	/* first: it counts as asked for */

		if (!byte_written(w, gpa + i, &to[i]) && !recorded)
			unanswered(w, &asked, NULL);
	}
}

static void world_mem_read(struct world *world, uint64_t gpa, void *to, uint32_t len)
{
	struct replay_world *w = enter(world);
	const struct step *s = w->step;

	if (len > CROSSING_MAX) {
		struct crossing asked = { .kind = CROSSING_MEM_READ, .addr = gpa, .size = len };

		unanswered(w, &asked, NULL);
	}
	/* Nearly always, one recorded crossing holds all of it. */
	for (uint32_t i = 0; !w->write_count && i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];
		uint64_t at = gpa - c->addr;

		if (c->kind == CROSSING_MEM_READ && at < c->size && len <= c->size - at) {
			memset(w->asked + w->asked_at[i] + at, 1, len);
			memcpy(to, c->bytes + at, len);
			return;
		}
	}
	mem_read_bytes(w, gpa, to, len);
}

/* ---- What goes out ---- */

static void out_value(struct replay_world *w, enum crossing_kind kind, uint64_t addr, uint64_t value)
{
	const struct step *s = w->step;
	uint32_t next = crossing_next_out(s, w->out_next);
	struct crossing got = { .kind = kind, .addr = addr, .value = value, .size = 8 };

	/* These have no size of their own: it is what metal wrote. */
	if (next < s->crossing_count && s->crossings[next].kind == kind && s->crossings[next].size < 8)
		got.size = s->crossings[next].size;
	got.bytes = (const uint8_t *)&got.value;
	crossing_compare(w, &got);
}

static void out_bytes(struct replay_world *w, enum crossing_kind kind, uint64_t addr, const void *bytes,
		      uint32_t len)
{
	struct crossing got = { .kind = kind, .addr = addr, .size = len, .bytes = bytes };

	if (len <= 8)
		memcpy(&got.value, bytes, len);
	crossing_compare(w, &got);
}

static void world_mem_write(struct world *world, uint64_t gpa, const void *from, uint32_t len)
{
	struct replay_world *w = enter(world);

	keep_write(w, gpa, from, len);
	out_bytes(w, CROSSING_MEM_WRITE, gpa, from, len);
}

static uint64_t world_mem_cmpxchg(struct world *world, uint64_t gpa, uint32_t size, uint64_t expected,
				  uint64_t desired)
{
	struct replay_world *w = enter(world);
	uint64_t found;

	out_bytes(w, CROSSING_MEM_CMPXCHG, gpa, &desired, size);
	found = answer(w, CROSSING_MEM_FOUND, gpa);
	keep_write(w, gpa, found == expected ? &desired : &found, size);
	return found;
}

static void world_console_out(struct world *world, const void *from, uint32_t len)
{
	out_bytes(enter(world), CROSSING_CONSOLE_OUT, 0, from, len);
}

static int world_console_in(struct world *world)
{
	uint64_t value = answer(enter(world), CROSSING_CONSOLE_IN, 0);

	return value > UINT8_MAX ? -1 : (int)value;
}

static uint64_t world_msr_read(struct world *world, uint32_t msr)
{
	return answer(enter(world), CROSSING_MSR_READ, msr);
}

static void world_msr_write(struct world *world, uint32_t msr, uint64_t value)
{
	out_value(enter(world), CROSSING_MSR_WRITE, msr, value);
}

static void world_xcr_write(struct world *world, uint32_t xcr, uint64_t value)
{
	out_value(enter(world), CROSSING_XCR_WRITE, xcr, value);
}

static uint64_t world_dr_read(struct world *world, uint32_t dr)
{
	return answer(enter(world), CROSSING_DR_READ, dr);
}

static void world_dr_write(struct world *world, uint32_t dr, uint64_t value)
{
	out_value(enter(world), CROSSING_DR_WRITE, dr, value);
}

static void world_invvpid(struct world *world, enum invvpid_type type, uint64_t linear)
{
	out_value(enter(world), CROSSING_INVVPID, linear, type);
}

static void world_kick(struct world *world, uint32_t cpu)
{
	out_value(enter(world), CROSSING_KICK, cpu, 0);
}

static uint64_t world_slice_end(struct world *world)
{
	return answer(enter(world), CROSSING_SLICE_END, 0);
}

static uint64_t world_tracer_cycles(struct world *world)
{
	return answer(enter(world), CROSSING_TRACER_CYCLES, 0);
}

static const struct world_ops replay_ops = {
	.mem_read = world_mem_read,
	.mem_write = world_mem_write,
	.mem_cmpxchg = world_mem_cmpxchg,
	.console_out = world_console_out,
	.console_in = world_console_in,
	.msr_read = world_msr_read,
	.msr_write = world_msr_write,
	.xcr_write = world_xcr_write,
	.dr_read = world_dr_read,
	.dr_write = world_dr_write,
	.invvpid = world_invvpid,
	.kick = world_kick,
	.slice_end = world_slice_end,
	.tracer_cycles = world_tracer_cycles,
};

void replay_world_init(struct replay_world *w, struct replay_run *run)
{
	w->world.ops = &replay_ops;
	w->world.context = w;
	w->run = run;
}

bool replay_world_begin(struct replay_world *w, const struct step *step)
{
	w->step = step;
	w->calls = 0;
	w->write_count = w->write_used = 0;
	if (step->crossing_count == 0)
		return true;
	w->out_next = 0;
	w->read_bytes = 0;
	memset(w->in_next, 0, sizeof(w->in_next));
	for (uint32_t i = 0; i < step->crossing_count; i++)
		if (step->crossings[i].kind == CROSSING_MEM_READ) {
			w->asked_at[i] = (uint16_t)w->read_bytes;
			w->read_bytes += step->crossings[i].size;
			if (w->read_bytes > WORLD_BYTES)
				return false;
		}
	memset(w->asked, 0, w->read_bytes);
	return true;
}
