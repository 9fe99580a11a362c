/* session.h: what a trace says of the machine, the build and the guest it comes from. */
#ifndef VMX_SESSION_H
#define VMX_SESSION_H

#include "trace/frame.h"

struct boot;
struct vmx;

/* Fills all of `s` but the frame number. */
void session_describe(const struct vmx *x, const struct boot *boot, struct session *s);

#endif
