"""Raw frames of a vexit trace: keyframe and records, as traces/FORMAT.md has them (see vxtread.py)."""

import struct

from vxtformat import *


class Record:
    """A step. `at` is the vCPU at the exit (before an entry step), `after` when the step was done: lists indexed by
    code (slot, or REG0 + register). `known` says at level touched which of `at` are known, else None. `size` counts
    its bytes of the raw frame, those in the columns too."""

    __slots__ = ('frame', 'step', 'seq', 'entry', 'vcpu', 'tsc', 'unfinished', 'changed', 'before', 'at', 'after',
                 'known', 'reason', 'result', 'wake_at', 'deadline', 'crossings', 'effects', 'checks', 'notes', 'insn', 'size')

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

    __slots__ = ('values', 'known', 'time', 'result', 'wake_at', 'deadline', 'entry_time', 'exit_end')

    def kept(self):
        return (self.result, self.wake_at, self.deadline, self.entry_time)


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
                v.exit_end = v.entry_time
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

    def check_of(self, device):
        """The check that a record would carry for the device with the keyframe's rows."""
        vcpu = device if device < VCPUS_MAX else None
        h = K
        for row in self.session.state_rows:
            if row.device == (device if vcpu is None else 0):
                data = b''.join(value.to_bytes(row.size, 'little') for value in self.rows[row.name, vcpu])
                for at in range(0, len(data), 8):
                    h = (h ^ int.from_bytes(data[at:at + 8], 'little')) * K & M64
                    h ^= h >> 32
        return h >> 56

    def records(self):
        """Decode: yields each Record."""
        b, h = self.raw, self.header
        p = self.keyframe()
        step, seq, vcpu, time = h.first_step, h.first_seq, 0, 0
        memos = Memos()
        end, columns = self.columns()
        b = b[:end]
        for i in range(h.steps):
            start, used = p, sum(c.p for c in columns)
            try:
                r, p = self._record(b, p, memos, columns, vcpu, time)
            except (IndexError, ValueError, TypeError) as e:
                self.fail(f'record {i} at {start}: {e or "ends early"}')
            r.frame, r.step, r.seq = h.frame, step, seq
            r.size = p - start + sum(c.p for c in columns) - used
            step += 1
            seq += not r.entry
            vcpu, time = r.vcpu, (r.tsc + r.notes[0] & M64 if r.notes else r.tsc)
            yield r
        if p != end:
            self.fail(f'{end - p} bytes after the last record', p)
        for i, c in enumerate(columns):
            if c.p != len(c.b):
                self.fail(f'column {i}: {len(c.b) - c.p} of {len(c.b)} bytes are left after the last record')

    def columns(self):
        """Where the columns begin, and each as a Column: their sizes stand at the end."""
        end = len(self.raw) - SIZES_BYTES
        if end < 0:
            self.fail('no columns')
        sizes = struct.unpack_from(f'<{COLUMNS}I', self.raw, end)
        p = start = end - sum(sizes)
        if start < 0:
            self.fail(f'columns of {sum(sizes)} bytes, longer than the frame')
        columns = []
        for size in sizes:
            columns.append(Column(self.raw[p:p + size]))
            p += size
        return start, columns

    def _key(self, v):
        """What of the vCPU's state keys are made of: (GUEST_RIP, or 0 if the reason is asynchronous; the reason)."""
        reason = v.values[self.session.slot['EXIT_REASON']] & 0xFFFF
        return 0 if reason in ASYNCHRONOUS else v.values[self.session.slot['GUEST_RIP']], reason

    def _record(self, b, p, memos, columns, vcpu, time):
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
        if r.unfinished and head & (EFFECTS | NOTES | INSN):
            raise ValueError('unfinished, yet with effects, notes or instruction bytes')
        if r.entry and head & NOTES:
            raise ValueError('an entry step with notes')
        if r.entry and head & INSN:
            raise ValueError('an entry step with instruction bytes')
        v = self.vcpus[r.vcpu]
        rip, _ = self._key(v)
        times = columns[COLUMN_TIMES]

        timed = memo_index(rip, ENTRY_SALT if r.entry else 0)
        memo = (memos.effects if r.entry else memos.snapshots).memo[timed]
        if head & TIME:
            memo.time = (memo.time + times.signed()) & M64
        r.tsc = v.time = (time + memo.time) & M64

        p = self._snapshot(b, p, r, v, head, memos, timed, columns)
        if r.entry:
            salt, r.reason = ENTRY_SALT, None
        else:
            rip, r.reason = self._key(v)
            salt = r.reason
        self._unfinished(r, v)
        if not r.unfinished:
            memo = memos.effects.memo[memo_index(rip, salt)]
            if head & EFFECTS:
                memo.section, p = self._effects(b, p, r, v, columns, memos.casts)
            elif memo.section is None or memo.section.entry != r.entry:
                raise ValueError('an effects section is absent and its memo has none')
            self._apply(r, v, memo.section)
            if not memo.section.fits():
                memo.section = None
            if not r.entry:
                r.notes = self._notes(memo, head & NOTES, times, v)
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

    def _snapshot(self, b, p, r, v, head, memos, index, columns):
        s = self.session
        r.before = v.values
        v.values = v.values[:]
        if r.entry:
            r.changed = []
            if head & SNAPSHOT:
                r.changed, p = values(b, p, self._base(v), columns, memos.casts)
        elif head & SNAPSHOT:
            r.changed, p = values(b, p, self._base(v), columns, memos.casts)
            memos.snapshots.memo[index].section = r.changed if len(r.changed) <= MEMO_VALUES else None
        else:
            r.changed = memos.snapshots.memo[index].section
            if r.changed is None:
                raise ValueError('a snapshot section is absent and its memo has none')
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

    @staticmethod
    def _base(v):
        """What values of slots and registers count from: the state. What isn't there counts from 0."""
        return lambda code: v.values[code] or 0

    def _predict(self, r):
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
        if r.deadline == TIME_NONE:
            return {timer: cap}
        return {timer: min(max(r.deadline - r.tsc, 0) >> shift, cap)}

    def _effects(self, b, p, r, v, columns, casts):
        """Read a section: (Effects, the offset after it). Its differences count from what the result predicts."""
        first, p = b[p], p + 1
        e = Effects(r.entry, first & 3 if r.entry else first)
        if e.result >= len(RESULTS if r.entry else ACTIONS):
            raise ValueError(f'result {e.result}')
        if r.entry:
            if first >> 6:
                raise ValueError(f'an entry step that begins with {first:#04x}')
            for wait in (first >> 2 & 3, first >> 4 & 3):
                if wait > WAIT_FROM_NOW:
                    raise ValueError(f'a wait of kind {wait}')
                diff, p = signed(b, p) if wait == WAIT_FROM_NOW else (0, p)
                e.waits.append((wait, diff))
        start = p
        e.crossings, p = self._crossings(b, p)
        e.crossing_bytes = p - start - len_varint(len(e.crossings))
        predicted = self._expect(r, v, e)
        e.changed, p = values(b, p, lambda code: predicted.get(code, r.at[code] or 0), columns, casts)
        devices, p = varint(b, p)
        device = 0
        while devices >> device:
            if devices >> device & 1:
                e.checks[device] = b[p]
                p += 1
            device += 1
        return e, p

    def _expect(self, r, v, e):
        """Take in what a section says first; gives what it predicts."""
        r.result = e.result
        if r.entry:
            r.wake_at, r.deadline = (self._wait(was, *wait, r.tsc) for was, wait in
                                     zip((v.wake_at, v.deadline), e.waits))
        return self._predict(r)

    @staticmethod
    def _wait(was, wait, diff, time):
        if wait == WAIT_SAME:
            return was
        return TIME_NONE if wait == WAIT_NONE else (time + diff) & M64

    def _apply(self, r, v, e):
        """The section's effects, there or remembered."""
        predicted = self._expect(r, v, e)
        if r.entry:
            v.wake_at, v.deadline, v.result = r.wake_at, r.deadline, r.result
        after = r.at[:]
        for code, value in predicted.items():
            after[code] = value
        for code, diff in e.changed:
            after[code] = ((after[code] or 0) + diff) & M64
        if v.known and e.changed:
            v.known = v.known[:]
            for code, _ in e.changed:
                v.known[code] = 1
        touched = sorted(set(predicted).union(code for code, _ in e.changed))
        r.effects = [code for code in touched if after[code] != r.at[code]]
        r.after = v.values = after
        r.crossings, r.checks = e.crossings, e.checks

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
    def _notes(memo, there, times, v):
        if there:
            memo.notes = [(note + times.signed()) & M64 for note in memo.notes]
        cycles, entry, wait = memo.notes
        entered = (v.entry_time + entry) & M64
        tracer = (entered - v.exit_end - wait) & M64
        v.exit_end = (v.time + cycles) & M64
        return cycles, entered, tracer


class Effects:
    """An effects section; `changed` as differences and the waits (of wake_at, of deadline) as they stand, so that it can
    be applied again."""

    def __init__(self, entry, result):
        self.entry, self.result = entry, result
        self.crossing_bytes = 0
        self.waits, self.crossings, self.changed, self.checks = [], [], [], {}

    def fits(self):
        return (self.crossing_bytes <= MEMO_CROSSINGS and len(self.changed) <= MEMO_VALUES and
                len(self.checks) <= MEMO_CHECKS)


class Memo:
    """What was there last under a key: a section (None: none), a time, notes."""

    __slots__ = ('section', 'time', 'notes')

    def __init__(self):
        self.section, self.time, self.notes = None, 0, (0, 0, 0)


class MemoTable:
    def __init__(self):
        self.memo = [Memo() for _ in range(MEMOS)]


class Memos:
    """What a reader remembers from the frame's beginning on."""

    def __init__(self):
        self.snapshots, self.effects = MemoTable(), MemoTable()
        self.casts = [[0] * CODES for _ in range(CASTS)]
