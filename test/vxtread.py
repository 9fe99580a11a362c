#!/usr/bin/env python3
"""An independent reader of vexit traces (.vxt).

Written from traces/FORMAT.md alone, for the sake of comparing it with vexit's own decoder: a misreading shared by
encoder and decoder shows here. It must therefore never be repaired by looking at the C code; if the two disagree, the
text decides. vxtformat.py and vxtframe.py decode, vxtverify.py checks.
Needs Python 3 and the `zstd` program, nothing else.

    vxtread.py T.vxt                 a summary
    vxtread.py --records T.vxt       one JSON object a line for each record
    vxtread.py --snapshot SEQ T.vxt  every slot and register at the exit SEQ
    vxtread.py --verify T.vxt        check all that the text states; status 1 if something is wrong
"""

import argparse
import json
import struct
import sys

from vxtformat import *
from vxtframe import Frame
from vxtverify import Verifier


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
        except (struct.error, IndexError, ValueError) as e:
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


def verify(paths):
    status = 0
    for path in paths:
        wrong = Verifier(Trace(path)).run()
        for offset, what in wrong:
            print(f'{path}:{offset}: {what}')
        print(f'{path}: {"BAD" if wrong else "good"}')
        status |= bool(wrong)
    return status


def main():
    parser = argparse.ArgumentParser(description='An independent reader of vexit traces.')
    parser.add_argument('traces', nargs='+', metavar='T.vxt')
    parser.add_argument('--records', action='store_true', help='one JSON object a line for each record')
    parser.add_argument('--snapshot', type=int, metavar='SEQ', help='every slot and register at this exit')
    parser.add_argument('--verify', action='store_true', help='check all that FORMAT.md states')
    args = parser.parse_args()
    if args.verify:
        return verify(args.traces)
    for path in args.traces:
        t = Trace(path)
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
