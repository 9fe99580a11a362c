/*
 * user.c: ring 3, for one function of one vCPU at a time.
 */
#include "guest.h"

#define USER_STACK_SIZE 4096

uint64_t user_enter(uint64_t (*function)(void), void *stack_top, uint64_t *kept_rsp);
void __attribute__((noreturn)) user_leave(uint64_t result, uint64_t kept_rsp);

static uint8_t user_stacks[MAX_CPUS][USER_STACK_SIZE] __attribute__((aligned(16)));

static void user_exit(struct trap_frame *frame)
{
	user_leave(frame->rax, this_cpu()->user_rsp);
}

uint64_t user_run(uint64_t (*function)(void))
{
	static uint32_t lock; /* the page tables are all vCPUs' */
	struct cpu *cpu = this_cpu();
	uint8_t *stack = user_stacks[cpu->index];
	uint64_t result;

	spin_lock(&lock);
	trap_set_handler(VECTOR_USER_EXIT, user_exit);
	/* Exceptions in ring 3 come in on this stack, below the frames in use now. */
	cpu->tss.rsp[0] = ((uint64_t)__builtin_frame_address(0) - 1024) & ~15ull;
	page_set_user(user_enter, true);
	page_set_user((void *)function, true);
	page_set_user(stack, true);
	page_set_user(stack + USER_STACK_SIZE - 1, true);
	result = user_enter(function, stack + USER_STACK_SIZE, &cpu->user_rsp);
	page_set_user(stack, false);
	page_set_user(stack + USER_STACK_SIZE - 1, false);
	page_set_user((void *)function, false);
	page_set_user(user_enter, false);
	spin_unlock(&lock);
	return result;
}
