/*
 * decode_section.h: between decode.c and decode_section.c alone.
 */
#ifndef VEXIT_DECODE_SECTION_H
#define VEXIT_DECODE_SECTION_H

#include "bytes.h"
#include "decode.h"

/*
 * Notes what was expected, and where; gives -1. `r`: the reader that met it, or NULL. No further step is
 * decoded.
 */
int decoder_fail(struct decoder *d, const struct reader *r, const char *what);

/*
 * Level touched, before an exit's snapshot: what the processor changes is unknown until the section lists
 * it.
 */
void section_forget_volatile(struct vcpu *v);

/*
 * Each reads its section from `r` and remembers it in `m`; or takes again what is remembered there, `r`
 * being where the record goes on. 0, or -1 after decoder_fail().
 */
int section_snapshot(struct decoder *d, struct reader *r, struct vcpu *v, struct memo_items *m);
int section_same_snapshot(struct decoder *d, struct reader *r, struct vcpu *v, const struct memo_items *m);
int section_effects(struct decoder *d, struct reader *r, struct vcpu *v, struct memo_effects *m);
int section_same_effects(struct decoder *d, struct reader *r, struct vcpu *v, const struct memo_effects *m);

#endif
