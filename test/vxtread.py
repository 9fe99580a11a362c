#!/usr/bin/env python3
"""An independent reader of vexit traces (.vxt).

Written from traces/FORMAT.md alone, for the sake of comparing it with vexit's own decoder: a misreading shared by
encoder and decoder shows here. It must therefore never be repaired by looking at the C code; if the two disagree, the
text decides. Needs Python 3 and the `zstd` program, nothing else.

    vxtread.py T.vxt                 a summary
    vxtread.py --records T.vxt       one JSON object a line for each record
    vxtread.py --snapshot SEQ T.vxt  every slot and register at the exit SEQ
    vxtread.py --verify T.vxt        check all that the text states; status 1 if something is wrong
"""

import argparse
import json
import struct
import subprocess
import sys

M64 = (1 << 64) - 1
TIME_NONE = M64
K = 0x9E3779B97F4A7C15

MAGIC_OWN = 0x184D2A5B
MAGIC_SEEK_TABLE = 0x184D2A5E
MAGIC_ZSTD = 0xFD2FB528
MAGIC_SEEKABLE = 0x8F92EAB1
HEADER_BYTES = 120
SESSION_MAX = 64 << 10
RAW_MAX = 1 << 20
SESSION_EVERY = 64

REGISTERS = ('RAX', 'RCX', 'RDX', 'RBX', 'zero', 'RBP', 'RSI', 'RDI',
             'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15', 'CR2')
REG0 = 0xE0		# code of the first register in a list of items
REG_ZERO = REG0 + 4
ITEMS_END = 0xFF
CODES = REG0 + len(REGISTERS)

KIND, VCPU, TIME, SNAPSHOT, EFFECTS, NOTES, UNFINISHED, INSN = (1 << i for i in range(8))
MEMOS = 512
MEMO_MAX = 48
ENTRY_SALT = 0x1000

ACTIONS = ('resume', 'retire', 'inject', 'stop')
RESULTS = ('enter', 'wait', 'stop')
RETIRE, ENTER = 1, 0
CROSSINGS = ('MEM_READ', 'MEM_WRITE', 'MEM_CMPXCHG', 'CONSOLE_OUT', 'CONSOLE_IN', 'MSR_READ', 'MSR_WRITE', 'XCR_WRITE',
             'DR_READ', 'DR_WRITE', 'INVVPID', 'KICK', 'SLICE_END', 'TRACER_CYCLES', 'MEM_FOUND')
MEM_CMPXCHG, MEM_FOUND = 2, 14
CROSSINGS_MAX, CROSSING_BYTES_MAX = 512, 4096
STOPS = ('none', 'debug-exit', 'power-off', 'reset', 'triple-fault', 'unhandled', 'entry-failure', 'deadlock', 'stopped',
         'panic', 'host-error')
LEVELS = {1: 'touched', 2: 'full'}
DEVICE_CONFIG = 255
OWNER_GUEST, OWNER_EXIT = 0, 1


class TraceError(Exception):
    """What is wrong, and at which byte of the file."""

    def __init__(self, offset, what):
        super().__init__(f'{offset}: {what}')
        self.offset, self.what = offset, what


# ---- numbers -----------------------------------------------------------------------------------------------------

P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                      0x27D4EB2F165667C5)


def rotl(x, n):
    return ((x << n) | (x >> (64 - n))) & M64


def xxh64_round(acc, lane):
    return rotl((acc + lane * P2) & M64, 31) * P1 & M64


def xxh64(data):
    """XXH64 with seed 0."""
    n = len(data)
    pos = n & ~31
    if pos:
        lanes = struct.unpack_from(f'<{pos // 8}Q', data)
        a, b, c, d = (P1 + P2) & M64, P2, 0, -P1 & M64
        for i in range(0, len(lanes), 4):
            a = (a + lanes[i] * P2) & M64
            a = ((a << 31 | a >> 33) & M64) * P1 & M64
            b = (b + lanes[i + 1] * P2) & M64
            b = ((b << 31 | b >> 33) & M64) * P1 & M64
            c = (c + lanes[i + 2] * P2) & M64
            c = ((c << 31 | c >> 33) & M64) * P1 & M64
            d = (d + lanes[i + 3] * P2) & M64
            d = ((d << 31 | d >> 33) & M64) * P1 & M64
        h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18) & M64
        for lane in (a, b, c, d):
            h = ((h ^ xxh64_round(0, lane)) * P1 + P4) & M64
    else:
        h = P5
    h = (h + n) & M64
    while pos + 8 <= n:
        h ^= xxh64_round(0, int.from_bytes(data[pos:pos + 8], 'little'))
        h = (rotl(h, 27) * P1 + P4) & M64
        pos += 8
    if pos + 4 <= n:
        h ^= int.from_bytes(data[pos:pos + 4], 'little') * P1 & M64
        h = (rotl(h, 23) * P2 + P3) & M64
        pos += 4
    while pos < n:
        h ^= data[pos] * P5 & M64
        h = rotl(h, 11) * P1 & M64
        pos += 1
    h = (h ^ (h >> 33)) * P2 & M64
    h = (h ^ (h >> 29)) * P3 & M64
    return h ^ (h >> 32)


def varint(b, p):
    x = b[p]
    if x < 0x80:
        return x, p + 1
    x &= 0x7F
    for shift in range(7, 70, 7):
        p += 1
        byte = b[p]
        x |= (byte & 0x7F) << shift
        if byte < 0x80:
            if x > M64:
                raise ValueError('a varint of more than 64 bits')
            return x, p + 1
    raise ValueError('a varint of more than ten bytes')


def signed(b, p):
    """The 64-bit difference, modulo 2^64."""
    z, p = varint(b, p)
    return (z >> 1) ^ -(z & 1), p


def items(b, p):
    out = []
    while b[p] != ITEMS_END:
        code = b[p]
        diff, p = signed(b, p + 1)
        out.append((code, diff))
    return out, p + 1


def take(b, p, n):
    if p + n > len(b):
        raise IndexError
    return bytes(b[p:p + n]), p + n


def memo_index(rip, salt):
    return ((rip ^ (salt << 48)) * K & M64) >> 55


# ---- the stream's own frames -------------------------------------------------------------------------------------

class Slot:
    def __init__(self, encoding, flags, name):
        self.encoding, self.name = encoding, name
        self.owner, self.there = flags & 0x7F, bool(flags & 0x80)


class Row:
    def __init__(self, device, size, count, name):
        self.device, self.size, self.count, self.name = device, size, count, name


class Session:
    """A session frame: `body` is all between size and hash."""

    def __init__(self, offset, body):
        self.offset, self.body = offset, body
        self.version, self.id, self.frame, self.vcpus, self.level, self.zero = struct.unpack_from('<IQQIIQ', body, 4)
        self.entries, self.slots, self.rows, self.msrs, self.slice = [], [], [], [], None
        self.text = {1: '', 2: '', 3: '', 4: ''}
        self.config = {}
        self.problems = []
        config = b''
        p = 4 + 36
        while p < len(body):
            kind, zero, size = struct.unpack_from('<HHI', body, p)
            data, p = take(body, p + 8, size)
            self.entries.append(kind)
            if zero:
                self.problems.append(f'entry {kind}: zero is {zero}')
            if kind in self.text:
                self.text[kind] = data.decode()
            elif kind == 5:
                self.slice = struct.unpack('<4Q', data)
            elif kind == 6:
                self.msrs = list(struct.iter_unpack('<IQ', data))
            elif kind == 7:
                self.slots = list(self._slots(data))
            elif kind == 8:
                self.rows = list(self._rows(data))
            elif kind == 9:
                config = data
        self._config(config)
        self._check()
        self.slot = {s.name: i for i, s in enumerate(self.slots) if s.there}
        self.names = [s.name for s in self.slots] + [None] * (REG0 - len(self.slots)) + list(REGISTERS)
        # What an exit at level touched leaves known: all but what the guest and the exit themselves change.
        self.kept = bytes(int(c >= REG0 or (c < len(self.slots) and self.slots[c].there and
                                            self.slots[c].owner not in (OWNER_GUEST, OWNER_EXIT)))
                          for c in range(CODES))
        self.state_rows = [r for r in self.rows if r.device != DEVICE_CONFIG]

    @staticmethod
    def _slots(data):
        p = 0
        while p < len(data):
            encoding, flags, n = struct.unpack_from('<HBB', data, p)
            name, p = take(data, p + 4, n)
            yield Slot(encoding, flags, name.decode())

    @staticmethod
    def _rows(data):
        p = 0
        while p < len(data):
            device, size, count, n = struct.unpack_from('<BBHB', data, p)
            name, p = take(data, p + 5, n)
            yield Row(device, size, count, name.decode())

    def _config(self, data):
        p = 0
        for row in self.rows:
            if row.device != DEVICE_CONFIG:
                continue
            values = []
            for _ in range(row.count):
                value, p = take(data, p, row.size)
                values.append(int.from_bytes(value, 'little'))
            self.config[row.name] = values
        if p != len(data):
            self.problems.append(f'configuration: {len(data)} bytes, the table names {p}')

    def _check(self):
        say = self.problems.append
        if self.version != 1:
            say(f'version is {self.version}')
        if not 1 <= self.vcpus <= 8:
            say(f'{self.vcpus} vCPUs')
        if self.level not in LEVELS:
            say(f'level is {self.level}')
        if self.zero:
            say(f'zero is {self.zero}')
        if len(self.slots) > 224:
            say(f'{len(self.slots)} slots')
        if len(set(s.name for s in self.slots)) != len(self.slots):
            say('two slots with one name')
        if len(set(self.entries)) != len(self.entries):
            say('an entry that stands twice')
        for row in self.rows:
            if row.size not in (1, 2, 4, 8):
                say(f'row {row.name}: size is {row.size}')
        for name, encoding in (('GUEST_RIP', 0x681E), ('EXIT_REASON', 0x4402), ('EXIT_INSTRUCTION_LEN', 0x440C),
                               ('GUEST_INTERRUPTIBILITY', 0x4824), ('PREEMPTION_TIMER_VALUE', 0x482E)):
            for slot in self.slots:
                if (slot.name == name) != (slot.encoding == encoding):
                    say(f'slot {slot.name} has encoding {slot.encoding:#x}')

    def same_as(self, other):
        """Equal but for the number of the frame that follows."""
        return self.body[:16] == other.body[:16] and self.body[24:] == other.body[24:]


class Header:
    def __init__(self, offset, body):
        self.offset = offset
        if len(body) != HEADER_BYTES - 16:
            raise TraceError(offset, f'a header of {len(body) + 16} bytes')
        (self.flags, self.session, self.frame, self.first_step, self.first_seq, self.steps, self.exits, self.vcpus,
         self.zero, r0, r1, self.first_tsc, self.last_tsc, self.raw_size, self.packed_size,
         self.packed_hash) = struct.unpack_from('<IQQQQIIII4QIIQ', body, 4)
        self.reasons = r0 | r1 << 64


class Closing:
    def __init__(self, offset, body):
        self.offset = offset
        (self.zero, self.session, self.frames, self.steps, self.exits, self.last_tsc, self.stop, missing, self.value,
         self.dropped, reasons) = struct.unpack_from('<IQQQQQIIQQQ', body, 4)
        p = 4 + struct.calcsize('<IQQQQQIIQQQ')
        if len(body) != p + 16 * reasons + 32 * missing:
            raise TraceError(offset, f'a closing frame of {len(body)} bytes with {reasons} reasons, {missing} ranges')
        self.reasons = list(struct.iter_unpack('<QQ', body[p:p + 16 * reasons]))
        self.missing = list(struct.iter_unpack('<4Q', body[p + 16 * reasons:]))


# ---- records -----------------------------------------------------------------------------------------------------

class Record:
    """A step. `at` is the vCPU at the exit (before an entry step), `after` when the step was done: lists indexed by
    code (slot, or REG0 + register). `known` says at level touched which of `at` are known, else None."""

    __slots__ = ('frame', 'step', 'seq', 'entry', 'vcpu', 'tsc', 'unfinished', 'changed', 'before', 'at', 'after',
                 'known', 'reason', 'result', 'wake_at', 'deadline', 'crossings', 'effects', 'checks', 'notes', 'insn')

    def json(self, session):
        names = session.names
        known = self.known
        out = {'step': self.step, 'kind': 'entry' if self.entry else 'exit', 'vcpu': self.vcpu, 'tsc': self.tsc}
        if not self.entry:
            out['seq'] = self.seq
            out['reason'] = self.reason
        out['changed'] = {names[c]: self.at[c] for c, _ in self.changed}
        if self.unfinished:
            out['unfinished'] = True
        else:
            out['result' if self.entry else 'action'] = (RESULTS if self.entry else ACTIONS)[self.result]
            if self.entry:
                out['wake_at'] = none_or(self.wake_at)
                out['deadline'] = none_or(self.deadline)
            out['crossings'] = [{'kind': CROSSINGS[k], 'addr': a, 'size': s,
                                 'value': v if isinstance(v, int) else v.hex()} for k, a, s, v in self.crossings]
            out['effects'] = {names[c]: [self.at[c] if not known or known[c] else None, self.after[c]]
                              for c in self.effects}
            out['checks'] = {str(device): check for device, check in self.checks.items()}
        if self.notes:
            out['notes'] = dict(zip(('cycles', 'entry_tsc', 'tracer_cycles'), self.notes))
        if self.insn:
            out['insn'] = self.insn.hex()
        return out


def none_or(time):
    return None if time == TIME_NONE else time


class VcpuState:
    """What the decoder carries from record to record."""

    __slots__ = ('values', 'known', 'time', 'result', 'wake_at', 'deadline', 'entry_time')

    def kept(self):
        return (self.time, self.result, self.wake_at, self.deadline, self.entry_time)


class Frame:
    """A compressed frame with its header; `raw` is filled in by the trace."""

    def __init__(self, session, header):
        self.session, self.header = session, header
        self.offset = header.offset + HEADER_BYTES
        self.raw = None
        self.vcpus = self.rows = None		# state: the keyframe's, then as decoding left it

    def fail(self, what, p=None):
        at = '' if p is None else f', byte {p} of the raw frame'
        raise TraceError(self.offset, f'frame {self.header.frame}{at}: {what}')

    def keyframe(self):
        """Read the keyframe into vcpus and rows; the offset where the records begin."""
        b, s, p = self.raw, self.session, 0
        self.vcpus, self.rows = [], {}
        try:
            for _ in range(s.vcpus):
                v = VcpuState()
                v.values = [None] * CODES
                v.known = None
                for code in [i for i, slot in enumerate(s.slots) if slot.there] + list(range(REG0, CODES)):
                    v.values[code], p = varint(b, p)
                if v.values[REG_ZERO]:
                    self.fail(f'register 4 is {v.values[REG_ZERO]:#x}, not zero', p)
                v.values[REG_ZERO] = None
                v.time, p = varint(b, p)
                v.result, p = varint(b, p)
                v.wake_at, p = varint(b, p)
                v.deadline, p = varint(b, p)
                v.entry_time, p = varint(b, p)
                v.wake_at = (v.wake_at - 1) & M64
                v.deadline = (v.deadline - 1) & M64
                self.vcpus.append(v)
            for row in s.state_rows:
                for vcpu in range(s.vcpus) if row.device == 0 else (None,):
                    values = []
                    for _ in range(row.count):
                        value, p = varint(b, p)
                        values.append(value)
                    self.rows[row.name, vcpu] = values
        except (IndexError, ValueError) as e:
            self.fail(f'keyframe: {e or "ends early"}', p)
        return p

    def check_of(self, device, vcpu):
        """The check that a record of this vCPU would carry for the device with the keyframe's rows."""
        h = K
        for row in self.session.state_rows:
            if row.device == device:
                for value in self.rows[row.name, vcpu if device == 0 else None]:
                    h = (h ^ value) * K & M64
                    h ^= h >> 32
        return h >> 56

    def records(self):
        """Decode: yields each Record."""
        b, h = self.raw, self.header
        p = self.keyframe()
        step, seq, vcpu, time = h.first_step, h.first_seq, 0, 0
        memos = Memos()
        for i in range(h.steps):
            start = p
            try:
                r, p = self._record(b, p, memos, vcpu, time)
            except (IndexError, ValueError, TypeError) as e:
                self.fail(f'record {i} at {start}: {e or "ends early"}')
            r.frame, r.step, r.seq = h.frame, step, seq
            step += 1
            seq += not r.entry
            vcpu, time = r.vcpu, r.tsc
            yield r
        if p != len(b):
            self.fail(f'{len(b) - p} bytes after the last record', p)

    def _record(self, b, p, memos, vcpu, time):
        s = self.session
        r = Record()
        head = b[p]
        p += 1
        r.entry, r.unfinished = bool(head & KIND), bool(head & UNFINISHED)
        r.vcpu = vcpu
        if head & VCPU:
            r.vcpu = b[p]
            p += 1
            if r.vcpu >= s.vcpus:
                raise ValueError(f'vCPU {r.vcpu} of {s.vcpus}')
        if r.unfinished and head & (EFFECTS | NOTES):
            raise ValueError('unfinished, yet with effects or notes')
        if r.entry and head & NOTES:
            raise ValueError('an entry step with notes')
        if r.entry and head & INSN:
            raise ValueError('an entry step with instruction bytes')
        v = self.vcpus[r.vcpu]
        rip = v.values[s.slot['GUEST_RIP']]

        diff = 0
        if head & TIME:
            diff, p = signed(b, p)
        timed = memo_index(rip, ENTRY_SALT if r.entry else 0)
        times = memos.entry_times if r.entry else memos.exit_times
        r.tsc = v.time = (time + times[timed] + diff) & M64
        times[timed] = (r.tsc - time) & M64

        p = self._snapshot(b, p, r, v, head, memos.snapshot, timed)
        if r.entry:
            salt, r.reason = ENTRY_SALT, None
        else:
            rip = v.values[s.slot['GUEST_RIP']]
            salt = r.reason = v.values[s.slot['EXIT_REASON']] & 0xFFFF
        self._unfinished(r, v)
        if not r.unfinished:
            index = memo_index(rip, salt)
            at, p = memos.effects.section(head & EFFECTS, index, p, lambda q: self._effects(b, q, r, v))
            if not r.entry:
                at, p = memos.notes.section(head & NOTES, index, p, lambda q: self._notes(b, q, r, v))
        if r.entry:
            v.entry_time = r.tsc
        if head & INSN:
            if b[p] > 15:
                raise ValueError(f'{b[p]} instruction bytes')
            r.insn, p = take(b, p + 1, b[p])
        return r, p

    @staticmethod
    def _unfinished(r, v):
        """The record as it stays if it has neither effects nor notes."""
        r.after = r.at
        r.wake_at, r.deadline = v.wake_at, v.deadline
        r.result, r.crossings, r.effects, r.checks, r.notes, r.insn = None, [], [], {}, None, b''

    def _snapshot(self, b, p, r, v, head, memos, index):
        s = self.session
        r.before = v.values
        v.values = v.values[:]
        if r.entry:
            r.changed = []
            if head & SNAPSHOT:
                r.changed, p = items(b, p)
        else:
            r.changed, p = memos.section(head & SNAPSHOT, index, p, lambda q: items(b, q))
        for code, diff in r.changed:
            v.values[code] = (v.values[code] + diff) & M64
        if s.level == 1:
            if not r.entry:
                v.known = bytearray(s.kept)
            elif v.known:
                v.known = v.known[:]
            if v.known:
                for code, _ in r.changed:
                    v.known[code] = 1
        r.known = v.known
        r.at = v.values
        return p

    def _predict(self, r, v):
        """{code: value} where the prediction isn't the state at the exit."""
        s = self.session
        if not r.entry:
            if r.result != RETIRE:
                return {}
            rip, blocking = s.slot['GUEST_RIP'], s.slot['GUEST_INTERRUPTIBILITY']
            return {rip: (r.at[rip] + r.at[s.slot['EXIT_INSTRUCTION_LEN']]) & M64, blocking: r.at[blocking] & ~3}
        timer = s.slot.get('PREEMPTION_TIMER_VALUE')
        if r.result != ENTER or timer is None:
            return {}
        shift = s.config['config.preemption_timer_shift'][0]
        cap = min((s.config['config.tsc_khz'][0] * 500) >> shift, (1 << 32) - 1)
        if v.deadline == TIME_NONE:
            return {timer: cap}
        return {timer: min(max(v.deadline - r.tsc, 0) >> shift, cap)}

    def _effects(self, b, p, r, v):
        r.result = b[p]
        p += 1
        if r.result >= len(RESULTS if r.entry else ACTIONS):
            raise ValueError(f'result {r.result}')
        if r.entry:
            diff, p = signed(b, p)
            r.wake_at = v.wake_at = (v.wake_at + diff) & M64
            diff, p = signed(b, p)
            r.deadline = v.deadline = (v.deadline + diff) & M64
            v.result = r.result
        r.crossings, p = self._crossings(b, p)
        changed, p = items(b, p)
        after = r.at[:]
        predicted = self._predict(r, v)
        for code, value in predicted.items():
            after[code] = value
        for code, diff in changed:
            after[code] = (after[code] + diff) & M64
        if v.known and changed:
            v.known = v.known[:]
            for code, _ in changed:
                v.known[code] = 1
        touched = sorted(set(predicted).union(code for code, _ in changed))
        r.effects = [code for code in touched if after[code] != r.at[code]]
        r.after = v.values = after
        devices, p = varint(b, p)
        device = 0
        while devices >> device:
            if devices >> device & 1:
                r.checks[device] = b[p]
                p += 1
            device += 1
        return None, p

    @staticmethod
    def _crossings(b, p):
        n, p = varint(b, p)
        if n > CROSSINGS_MAX:
            raise ValueError(f'{n} crossings')
        out = []
        for _ in range(n):
            kind = b[p]
            if kind >= len(CROSSINGS):
                raise ValueError(f'crossing of kind {kind}')
            if out and out[-1][0] == MEM_FOUND and kind != MEM_CMPXCHG:
                raise ValueError('MEM_FOUND without its MEM_CMPXCHG')
            addr, p = varint(b, p + 1)
            size, p = varint(b, p)
            if size > CROSSING_BYTES_MAX:
                raise ValueError(f'a crossing of {size} bytes')
            value, p = varint(b, p) if size <= 8 else take(b, p, size)
            out.append((kind, addr, size, value))
        if out and out[-1][0] == MEM_FOUND:
            raise ValueError('MEM_FOUND without its MEM_CMPXCHG')
        return out, p

    @staticmethod
    def _notes(b, p, r, v):
        cycles, p = varint(b, p)
        diff, p = signed(b, p)
        tracer, p = varint(b, p)
        r.notes = (cycles, (v.entry_time + diff) & M64, tracer)
        return None, p


class MemoTable:
    """The memos of one kind: where in the raw frame the section stands that an absent one repeats."""

    def __init__(self):
        self.at = [None] * MEMOS

    def section(self, there, index, p, read):
        """Read the section that is there at p, or else its memo's; (what read gave, the offset after it)."""
        if not there:
            if self.at[index] is None:
                raise ValueError('a section is absent and its memo is empty')
            return read(self.at[index])[0], p
        value, end = read(p)
        self.at[index] = p if end - p <= MEMO_MAX else None
        return value, end


class Memos:
    def __init__(self):
        self.snapshot, self.effects, self.notes = MemoTable(), MemoTable(), MemoTable()
        self.exit_times, self.entry_times = [0] * MEMOS, [0] * MEMOS


# ---- the whole trace ---------------------------------------------------------------------------------------------

class Trace:
    """`sessions`, `frames`, `closing` (or None: truncated), `damage` (list of TraceError), `layout` (every frame of
    the stream as (offset, size, what))."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            self.data = f.read()
        self.path = path
        self.sessions, self.frames, self.damage, self.layout = [], [], [], []
        self.closing = self.seek_table = None
        self._scan()
        self._unpack()

    # -- reading the stream

    def _scan(self):
        p, whole = 0, True
        while p < len(self.data):
            try:
                what, size = self._one(p, whole)
                self.layout.append((p, size, what))
                p += size
                whole = True
            except TraceError as e:
                self.damage.append(e)
                p = self._resynchronise(p + 1)
                whole = False
        if not self.sessions:
            self.damage.append(TraceError(0, 'no session frame'))

    def _own(self, p):
        """(tag, size, body) of our own frame at p, or TraceError."""
        if p + 20 > len(self.data):
            raise TraceError(p, f'the stream ends within a frame, {len(self.data) - p} bytes after its start')
        magic, size, tag = struct.unpack_from('<II4s', self.data, p)
        if magic != MAGIC_OWN:
            raise TraceError(p, f'no frame of a trace: magic {magic:#010x}')
        if size < 12 or p + 8 + size > len(self.data):
            raise TraceError(p, f'a frame {tag!r} of {size + 8} bytes, {len(self.data) - p} are left')
        frame = self.data[p:p + 8 + size]
        if xxh64(frame[:-8]) != int.from_bytes(frame[-8:], 'little'):
            raise TraceError(p, f'frame {tag!r}: wrong hash')
        return tag, 8 + size, frame[8:-8]

    def _one(self, p, whole):
        """Take in what stands at p: (what, its size)."""
        if self.data[p:p + 4] == MAGIC_SEEK_TABLE.to_bytes(4, 'little') and p + 8 <= len(self.data):
            size = 8 + struct.unpack_from('<I', self.data, p + 4)[0]
            if p + size != len(self.data):
                raise TraceError(p, 'a seek table that does not end the stream')
            self.seek_table = p
            return 'seek table', size
        tag, size, body = self._own(p)
        try:
            if tag == b'VXS1' and whole:
                self.sessions.append(Session(p, body))
                return 'session', size
            if tag == b'VXC1':
                self.closing = self._believe(Closing(p, body))
                return 'closing', size
            if tag == b'VXH1':
                return 'header', size + self._packed(self._believe(Header(p, body)))
        except (struct.error, IndexError, UnicodeDecodeError) as e:
            raise TraceError(p, f'frame {tag!r}: {e or "ends early"}') from None
        raise TraceError(p, f'an unexpected frame {tag!r}')

    def _believe(self, frame):
        if all(frame.session != s.id for s in self.sessions):
            raise TraceError(frame.offset, f'session {frame.session} is named by no session frame')
        return frame

    def _packed(self, header):
        p = header.offset + HEADER_BYTES
        packed = self.data[p:p + header.packed_size]
        if len(packed) != header.packed_size:
            raise TraceError(p, f'frame {header.frame}: {len(packed)} of {header.packed_size} bytes are there')
        if xxh64(packed) != header.packed_hash:
            raise TraceError(p, f'frame {header.frame}: wrong hash')
        session = next(s for s in reversed(self.sessions) if s.id == header.session)
        self.frames.append(Frame(session, header))
        return header.packed_size

    def _resynchronise(self, p):
        """The next believed header whose compressed frame follows with the right hash (or the end)."""
        magic = MAGIC_OWN.to_bytes(4, 'little')
        while True:
            p = self.data.find(magic, p)
            if p < 0:
                return len(self.data)
            try:
                tag, _, body = self._own(p)
                if tag == b'VXH1':
                    header = self._believe(Header(p, body))
                    packed = p + HEADER_BYTES
                    if xxh64(self.data[packed:packed + header.packed_size]) == header.packed_hash:
                        return p
            except TraceError:
                pass
            p += 1

    def _unpack(self):
        """Decompress all frames with one run of zstd, or, if the stream is damaged, one for each."""
        if not self.damage:
            raw = zstd('-dcq', self.data)
            if raw is not None and len(raw) == sum(f.header.raw_size for f in self.frames):
                p = 0
                for frame in self.frames:
                    frame.raw = raw[p:p + frame.header.raw_size]
                    p += frame.header.raw_size
                return
        for frame in self.frames:
            frame.raw = zstd('-dcq', self.data[frame.offset:frame.offset + frame.header.packed_size])
            if frame.raw is None or len(frame.raw) != frame.header.raw_size:
                self.damage.append(TraceError(frame.offset, f'frame {frame.header.frame} does not decompress'))
        self.frames = [f for f in self.frames if f.raw is not None and len(f.raw) == f.header.raw_size]

    # -- using it

    @property
    def session(self):
        return self.sessions[0]

    def records(self):
        for frame in self.frames:
            yield from frame.records()

    def exit(self, seq):
        """The Record of exit seq; KeyError."""
        for frame in self.frames:
            if frame.header.first_seq <= seq < frame.header.first_seq + frame.header.exits:
                for r in frame.records():
                    if not r.entry and r.seq == seq:
                        return r
        raise KeyError(seq)


def zstd(options, data):
    done = subprocess.run(['zstd', options], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout if done.returncode == 0 else None


# ---- verify ------------------------------------------------------------------------------------------------------

class Verifier:
    """Holds a trace against every statement of the text; `wrong` lists what fails as (offset, text)."""

    def __init__(self, trace):
        self.t, self.wrong = trace, []
        self.steps = self.exits = self.last_tsc = 0
        self.reasons = {}

    def say(self, offset, what):
        self.wrong.append((offset, what))

    def expect(self, offset, what, got, wanted):
        if got != wanted:
            self.say(offset, f'{what}: is {got}, should be {wanted}')

    def run(self):
        for e in self.t.damage:
            self.say(e.offset, e.what)
        if self.t.sessions:
            self._sessions()
            self._frames()
            self._closing()
            self._seek_table()
        if zstd('-dcq', self.t.data) is None:
            self.say(0, 'zstd refuses the file')
        return self.wrong

    def _sessions(self):
        first = self.t.session
        for s in self.t.sessions:
            for problem in s.problems:
                self.say(s.offset, f'session frame: {problem}')
            if not s.same_as(first):
                self.say(s.offset, 'session frame: not the same as the first')
            if len(s.body) + 16 > SESSION_MAX:
                self.say(s.offset, f'session frame: {len(s.body) + 16} bytes')
        follows = {f.header.offset: f.header.frame for f in self.t.frames}
        sessions = {s.offset: s for s in self.t.sessions}
        before = None
        for offset, size, what in self.t.layout:
            if what == 'session' and offset + size in follows:
                self.expect(offset, 'session frame: number of the frame that follows', sessions[offset].frame,
                            follows[offset + size])
            if what == 'session' and before == 'session':
                self.say(offset, 'two session frames in a row')
            if what == 'session' and offset + size in follows and offset and follows[offset + size] % SESSION_EVERY:
                self.say(offset, f'session frame before frame {follows[offset + size]}')
            if what == 'header' and before != 'session' and follows.get(offset, 1) % SESSION_EVERY == 0:
                self.say(offset, f'no session frame before frame {follows[offset]}')
            if before == 'closing' and what != 'seek table':
                self.say(offset, f'{what} after the closing frame')
            before = what

    def _frames(self):
        previous = None
        for number, frame in enumerate(self.t.frames):
            h = frame.header
            self.expect(h.offset, 'number of the frame', h.frame, number)
            self.expect(h.offset, 'zero', h.zero, 0)
            if h.flags & ~1:
                self.say(h.offset, f'flags are {h.flags:#x}')
            if not h.steps or h.raw_size > RAW_MAX:
                self.say(h.offset, f'{h.steps} steps in {h.raw_size} bytes')
            self._zstd_frame(frame)
            if previous:
                self.expect(h.offset, 'first step', h.first_step, previous.header.first_step + previous.header.steps)
                self.expect(h.offset, 'first exit', h.first_seq, previous.header.first_seq + previous.header.exits)
            try:
                self._records(frame, previous)
            except TraceError as e:
                self.say(e.offset, e.what)
            previous = frame

    def _zstd_frame(self, frame):
        magic, descriptor = struct.unpack_from('<IB', self.t.data, frame.offset)
        if magic != MAGIC_ZSTD or not descriptor & 4 or descriptor & 3 or not descriptor & 0xE0:
            self.say(frame.offset, f'zstd frame: magic {magic:#x}, descriptor {descriptor:#04x}')

    def _records(self, frame, previous):
        h = frame.header
        frame.keyframe()
        if previous and previous.header.frame + 1 == h.frame:
            self._continues(frame, previous)
        exits = vcpus = reasons = 0
        first = last = None
        frame.last_checks = {}
        for r in frame.records():
            if first is None:
                first = r.tsc
            if last is not None and last.unfinished:
                self.say(frame.offset, f'step {last.step} is unfinished and not the last')
            last = r
            vcpus |= 1 << r.vcpu
            for device, check in r.checks.items():
                frame.last_checks[device, r.vcpu if device == 0 else None] = check
            if not r.entry:
                exits += 1
                reasons |= 1 << r.reason
                self.reasons[r.reason] = self.reasons.get(r.reason, 0) + 1
        for what, got, wanted in (('exits', h.exits, exits), ('vCPUs', h.vcpus, vcpus), ('reasons', h.reasons, reasons),
                                  ('first time', h.first_tsc, first), ('last time', h.last_tsc, last.tsc),
                                  ('flag unfinished', h.flags & 1, int(last.unfinished))):
            self.expect(h.offset, f'frame {h.frame}: {what}', got, wanted)
        self.steps += h.steps
        self.exits += exits
        self.last_tsc = last.tsc

    def _continues(self, frame, previous):
        """The keyframe must be the state in which the frame before ended."""
        names = frame.session.names
        for i, (old, new) in enumerate(zip(previous.vcpus, frame.vcpus)):
            for code in range(CODES):
                if old.values[code] != new.values[code]:
                    self.say(frame.offset, f'keyframe {frame.header.frame}: vCPU {i}: {names[code]} is '
                             f'{new.values[code]:#x}, the frame before left {old.values[code]:#x}')
            self.expect(frame.offset, f'keyframe {frame.header.frame}: vCPU {i}: times and result', new.kept(),
                        old.kept())
        for (device, vcpu), check in previous.last_checks.items():
            self.expect(frame.offset, f'keyframe {frame.header.frame}: check of device {device}, vCPU {vcpu}',
                        frame.check_of(device, vcpu), check)

    def _closing(self):
        c = self.t.closing
        if c is None:
            self.say(len(self.t.data), 'truncated: no closing frame')
            return
        for what, got, wanted in (('frames', c.frames, len(self.t.frames)), ('steps', c.steps, self.steps),
                                  ('exits', c.exits, self.exits), ('last time', c.last_tsc, self.last_tsc),
                                  ('exits by reason', c.reasons, sorted(self.reasons.items())), ('zero', c.zero, 0)):
            self.expect(c.offset, f'closing frame: {what}', got, wanted)
        if c.stop >= len(STOPS):
            self.say(c.offset, f'closing frame: stop {c.stop}')
        s = self.t.session
        if s.slice and self.t.frames:
            h, last = self.t.frames[0].header, self.t.frames[-1].header
            self.expect(s.offset, 'slice', s.slice, (h.first_step, last.first_step + last.steps - 1,
                                                     h.first_seq, last.first_seq + last.exits - 1))

    def _seek_table(self):
        p = self.t.seek_table
        if p is None:
            return
        body = self.t.data[p + 8:]
        if len(body) < 9:
            self.say(p, 'seek table: ends early')
            return
        count, descriptor, magic = struct.unpack('<IBI', body[-9:])
        wanted = []
        raw = {f.header.offset: f.header.raw_size for f in self.t.frames}
        for offset, size, what in self.t.layout:
            if what == 'header':
                wanted += [(HEADER_BYTES, 0), (size - HEADER_BYTES, raw.get(offset))]
            elif what != 'seek table':
                wanted.append((size, 0))
        self.expect(p, 'seek table: magic, descriptor, number of frames', (magic, descriptor, count),
                    (MAGIC_SEEKABLE, 0, len(wanted)))
        if len(body) != 9 + 8 * len(wanted) or list(struct.iter_unpack('<II', body[:-9])) != wanted:
            self.say(p, 'seek table: not the frames before it')


# ---- commands ----------------------------------------------------------------------------------------------------

def print_summary(t):
    s = t.session
    print(f'session {s.id}  level {LEVELS.get(s.level)}  vCPUs {s.vcpus}  slots {len(s.slots)}  rows {len(s.rows)}')
    for kind, name in ((1, 'machine'), (2, 'build'), (3, 'guest'), (4, 'command line')):
        print(f'{name}: {s.text[kind]}')
    print(f'frames {len(t.frames)}  steps {sum(f.header.steps for f in t.frames)}  '
          f'exits {sum(f.header.exits for f in t.frames)}  raw {sum(f.header.raw_size for f in t.frames)}  '
          f'packed {sum(f.header.packed_size for f in t.frames)}  file {len(t.data)}')
    if t.closing:
        print(f'stop {STOPS[t.closing.stop]} {t.closing.value}  dropped {t.closing.dropped}')
        for reason, exits in t.closing.reasons:
            print(f'reason {reason}: {exits}')
    else:
        print('truncated')
    for e in t.damage:
        print(f'damage: {t.path}:{e}')


def print_snapshot(t, seq):
    r = t.exit(seq)
    s = t.session
    for code, name in enumerate(s.names):
        if name is None or r.at[code] is None:
            continue
        print(f'{name} {r.at[code]:#x}' if not r.known or r.known[code] else f'{name} unknown')


def main():
    parser = argparse.ArgumentParser(description='An independent reader of vexit traces.')
    parser.add_argument('trace')
    parser.add_argument('--records', action='store_true')
    parser.add_argument('--snapshot', type=int, metavar='SEQ')
    parser.add_argument('--verify', action='store_true')
    args = parser.parse_args()
    t = Trace(args.trace)
    if args.verify:
        wrong = Verifier(t).run()
        for offset, what in wrong:
            print(f'{args.trace}:{offset}: {what}')
        if not wrong:
            print(f'{args.trace}: good')
        return 1 if wrong else 0
    if not t.sessions:
        raise t.damage[0]
    if args.records:
        encode = json.JSONEncoder(separators=(',', ':')).encode
        for r in t.records():
            sys.stdout.write(encode(r.json(t.session)) + '\n')
    elif args.snapshot is not None:
        print_snapshot(t, args.snapshot)
    else:
        print_summary(t)
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except TraceError as e:
        sys.exit(f'vxtread.py: {sys.argv[-1]}:{e}')
    except KeyError as e:
        sys.exit(f'vxtread.py: no exit {e}')
    except BrokenPipeError:
        sys.exit(0)
