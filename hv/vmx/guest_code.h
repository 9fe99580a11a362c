/* guest_code.h: the instruction bytes that a trace notes. */
#ifndef VMX_GUEST_CODE_H
#define VMX_GUEST_CODE_H

struct vmx_cpu;

/* Notes the bytes at the exit's RIP, as many as can be read; nothing of it reaches the record's crossings. */
void guest_code_note(struct vmx_cpu *c);

#endif
