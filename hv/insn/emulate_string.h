/* emulate_string.h: the string instructions of emulate.c's table. */
#ifndef VEXIT_INSN_EMULATE_STRING_H
#define VEXIT_INSN_EMULATE_STRING_H

#include "insn/emulate.h"

enum emulate_result emulate_movs(struct access *a, const struct insn *insn);
enum emulate_result emulate_cmps(struct access *a, const struct insn *insn);
enum emulate_result emulate_stos(struct access *a, const struct insn *insn);
enum emulate_result emulate_lods(struct access *a, const struct insn *insn);
enum emulate_result emulate_scas(struct access *a, const struct insn *insn);

#endif
