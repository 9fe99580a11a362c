"""Holds a vexit trace against every statement of traces/FORMAT.md (see vxtread.py)."""

import struct

from vxtformat import *


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
                self.say(s.offset, f'session frame: {len(s.body) + 16} bytes, its entries uncompressed')
        follows = {f.header.offset: f.header.frame for f in self.t.frames}
        sessions = {s.offset: s for s in self.t.sessions}
        before, closed = None, False
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
            if closed and (what, before) not in (('session', 'closing'), ('seek table', 'closing'), ('seek table', 'session')):
                self.say(offset, f'{what} after the closing frame')
            if closed and what == 'session' and sessions[offset].body != first.body:
                self.say(offset, 'the session frame after the closing frame is not the first one')
            closed |= what == 'closing'
            before = what

    def _frames(self):
        previous = None
        for frame in self.t.frames:
            h = frame.header
            first = h.frame if self.t.sessions[0].slice else 0      # a slice keeps the numbers that its frames had
            self.expect(h.offset, 'number of the frame', h.frame, previous.header.frame + 1 if previous else first)
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
        frame.last_checks = dict(previous.last_checks) if previous else {}
        for r in frame.records():
            if first is None:
                first = r.tsc
            if last is not None and last.unfinished:
                self.say(frame.offset, f'step {last.step} is unfinished and not the last')
            last = r
            vcpus |= 1 << r.vcpu
            for device, check in r.checks.items():
                frame.last_checks[device] = check
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
            self.expect(frame.offset, f'keyframe {frame.header.frame}: vCPU {i}: result and times', new.kept(), old.kept())
            if new.time not in (old.time, frame.header.first_tsc):
                self.say(frame.offset, f'keyframe {frame.header.frame}: vCPU {i}: time is {new.time}, should be {old.time}')
        for device, check in previous.last_checks.items():
            self.expect(frame.offset, f'keyframe {frame.header.frame}: check of device {device}',
                        frame.check_of(device), check)

    def _closing(self):
        c = self.t.closing
        if c is None:
            self.say(len(self.t.data), 'truncated: no closing frame')
            return
        for what, got, wanted in (('frames', c.frames, len(self.t.frames)), ('steps', c.steps, self.steps),
                                  ('exits', c.exits, self.exits), ('last time', c.last_tsc, self.last_tsc),
                                  ('exits by reason', c.reasons, sorted(self.reasons.items())), ('zero', c.zero, 0)):
            self.expect(c.offset, f'closing frame: {what}', got, wanted)
        for first_step, steps, _, _ in c.missing:
            self.say(c.offset, f'closing frame: {steps or "an unknown number of"} steps from {first_step} on are missing')
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
