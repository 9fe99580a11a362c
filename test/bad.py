#!/usr/bin/env python3
"""Write the small bad traces of traces/bad: each is named STATUS-MESSAGE.vxt, for what `vexit verify` must say of it.

    bad.py DIR

They are made by a small encoder of its own, from traces/FORMAT.md, so that a trace can be wrong in ways in which the real
encoder never is. In a name a dash is a space, and the message's other signs are left out. test/e2e/bad.sh checks them.
"""

import os
import struct
import subprocess
import sys

from vxtformat import (COLUMNS, COLUMN_LISTS, COLUMN_TIMES, MAGIC_OWN, MAGIC_SEEK_TABLE, MAGIC_SEEKABLE, MAGIC_ZSTD,
                       memo_index, xxh64)

SLOTS = (('GUEST_RIP', 0x681E, 0x80), ('EXIT_REASON', 0x4402, 0x81), ('EXIT_INSTRUCTION_LEN', 0x440C, 0x81),
         ('GUEST_INTERRUPTIBILITY', 0x4824, 0x80), ('PREEMPTION_TIMER_VALUE', 0x482E, 0x83), ('GUEST_CR3', 0x6802, 0x80))
RIP, REASON, LEN = 0, 1, 2
ROWS = ((255, 8, 1, 'config.tsc_khz'), (255, 4, 1, 'config.cpu_count'), (255, 4, 1, 'config.preemption_timer_shift'),
        (9, 4, 1, 'vm.unknown'))
SESSION = 2 ** 63 + 5
HLT, CPUID = 12, 10
EXIT, ENTRY = 0, 1
STEPS, EXITS, TSCS = 4, 3, (0, 1000, 2000, 3500)
VCPU, TIME, SNAPSHOT, EFFECTS, NOTES, UNFINISHED, INSN = (1 << i for i in range(1, 8))


def varint(x):
    out = bytearray()
    while x >= 0x80:
        out.append(x & 0x7F | 0x80)
        x >>= 7
    out.append(x)
    return bytes(out)


def signed(x):
    return varint(((x << 1) ^ (x >> 63)) & (2 ** 64 - 1))


def values(*pairs):
    """A short list, of differences of one byte or a value's bytes."""
    return bytes([len(pairs)]) + b''.join(bytes([code]) + (value if isinstance(value, bytes) else bytes([0xA0 + value]))
                                          for code, value in pairs)


LONG = b'\xff'		# a long list: the rest of it stands in the columns
NO_VALUES = b'\0'


def own(tag, body):
    frame = struct.pack('<II', MAGIC_OWN, 4 + len(body) + 8) + tag + body
    return frame + struct.pack('<Q', xxh64(frame))


def entry(kind, data):
    return struct.pack('<HHI', kind, 0, len(data)) + data


def session(frame=0, session_id=SESSION, version=3, vcpus=1, level=2, slots=SLOTS, rows=ROWS, cpu_count=1, extra=b'',
            pack=None):
    """`pack` makes of the entries (how many bytes they say they are, what stands there)."""
    head = struct.pack('<IQQII', version, session_id, frame, vcpus, level)
    body = entry(1, b'a machine') + entry(3, b'bad') + extra
    body += entry(7, b''.join(struct.pack('<HBB', e, f, len(n)) + n.encode() for n, e, f in slots))
    body += entry(8, b''.join(struct.pack('<BBHB', d, s, c, len(n)) + n.encode() for d, s, c, n in rows))
    body += entry(9, struct.pack('<QII', 400000, cpu_count, 0))
    unpacked, body = pack(body) if pack else (0, body)
    return own(b'VXS1', head + struct.pack('<II', unpacked, 0) + body)


def compress(data):
    return subprocess.run(['zstd', '-qc', f'--stream-size={len(data)}'], input=data, stdout=subprocess.PIPE, check=True).stdout


def keyframe(n):
    """The state before frame n: nothing, or what the frame before left. The timer is half a second at most."""
    slots = (0x1002, CPUID, 2, 0, 200000000, 0) if n else (0, 0, 0, 0, 0, 0)
    base = 1000000 * n
    tsc, entry_tsc = (base + TSCS[-1], base + TSCS[1]) if n else (0, 0)
    return b''.join(map(varint, slots)) + bytes(17) + varint(tsc) + bytes(3) + varint(entry_tsc) + bytes(1)


def long_list(codes, forms, group=4, cast=0):
    return bytes([cast]) + varint(1 << group) + bytes([codes]) + forms


def snapshot(rip, reason, length):
    """What a long list of these has in the columns."""
    lists = long_list(1 << RIP | 1 << REASON | 1 << LEN, b'\x02\x01\x01')
    return {COLUMN_LISTS: lists, 1: bytes([reason, length]), 2: struct.pack('<H', rip)}


RETIRED = b'\x01' + varint(0) + NO_VALUES + varint(0)		# action, no crossings, no values, no checks
ENTERED = b'\x00' + varint(0) + values((4, 0)) + varint(0)
CALLED = (500, 0, 0)		# notes: cycles of the handler, nothing else


def raw_frame(state, records, times, columns):
    """`columns`: {number: bytes}, of those that have something but for the times."""
    columns = {**columns, COLUMN_TIMES: b''.join(map(signed, times))}
    columns = [columns.get(i, b'') for i in range(COLUMNS)]
    return state + records + b''.join(columns) + struct.pack(f'<{COLUMNS}I', *map(len, columns))


def records(n):
    """Three exits by CPUID at 0x1000, with an entry step before the second; their times, and their other columns."""
    base = 1000000 * (n + 1)
    back = values((RIP, -2))
    first = bytes([EXIT | TIME | SNAPSHOT | EFFECTS | NOTES]) + (back if n else LONG) + RETIRED
    entry_step = bytes([ENTRY | TIME | EFFECTS]) + ENTERED
    # The first exit of all came from elsewhere, so the second one's key has neither snapshot nor time yet.
    second = bytes([EXIT | TIME]) if n else bytes([EXIT | TIME | SNAPSHOT]) + back
    times = (base, *CALLED, TSCS[1] - CALLED[0], 1000 - base if n else 1000)
    return first + entry_step + second + bytes([EXIT]), times, {} if n else snapshot(0x1000, CPUID, 2)


def stored(raw, checksum=True):
    """A zstd frame of one raw block."""
    block = struct.pack('<I', len(raw) << 3 | 1)[:3] + raw
    tail = struct.pack('<I', xxh64(raw) & 0xFFFFFFFF) if checksum else b''
    return struct.pack('<IBI', MAGIC_ZSTD, 0xA4 if checksum else 0xA0, len(raw)) + block + tail


def frame(n, raw=None, packed=None, **changes):
    base = 1000000 * (n + 1)
    if raw is None:
        raw = raw_frame(keyframe(n), *records(n))
    if packed is None:
        packed = stored(raw)
    h = {'flags': 0, 'session': SESSION, 'frame': n, 'first_step': n * STEPS, 'first_seq': n * EXITS, 'steps': STEPS,
         'exits': EXITS, 'vcpus': 1, 'reasons': 1 << CPUID, 'first_tsc': base, 'last_tsc': base + TSCS[-1],
         'raw_size': len(raw), 'packed_size': len(packed), 'hash': xxh64(packed)}
    assert set(changes) <= set(h)
    h.update(changes)
    body = struct.pack('<IQQQQIIIIQQQQIIQ', h['flags'], h['session'], h['frame'], h['first_step'], h['first_seq'], h['steps'],
                       h['exits'], h['vcpus'], 0, h['reasons'], 0, h['first_tsc'], h['last_tsc'], h['raw_size'],
                       h['packed_size'], h['hash'])
    return own(b'VXH1', body) + packed


def closing(frames=3, **changes):
    c = {'session': SESSION, 'frames': frames, 'steps': frames * STEPS, 'exits': frames * EXITS,
         'tsc': 1000000 * frames + TSCS[-1], 'stop': 2, 'value': 0, 'reasons': ((CPUID, frames * EXITS),), 'missing': ()}
    c.update(changes)
    body = struct.pack('<IQQQQQIIQQQ', 0, c['session'], c['frames'], c['steps'], c['exits'], c['tsc'], c['stop'],
                       len(c['missing']), c['value'], 0, len(c['reasons']))
    body += b''.join(struct.pack('<QQ', *r) for r in c['reasons']) + b''.join(struct.pack('<4Q', *m) for m in c['missing'])
    return own(b'VXC1', body)


def seek_table(*sizes, magic=MAGIC_SEEKABLE):
    body = b''.join(struct.pack('<II', *s) for s in sizes) + struct.pack('<IBI', len(sizes), 0, magic)
    return struct.pack('<II', MAGIC_SEEK_TABLE, len(body)) + body


def flip(data, at):
    data = bytearray(data)
    data[at] ^= 0x10
    return bytes(data)


def with_records(steps, exits, data, times, columns, n=0, **changes):
    """Frame n with records of its own."""
    return frame(n, raw=raw_frame(keyframe(1), data, times, columns), steps=steps, exits=exits, last_tsc=1000000, **changes)


def one_exit(head, *sections):
    return bytes([EXIT | TIME | head]) + b''.join(sections)


def files():
    s, f, c = session(), [frame(i) for i in range(4)], closing()
    whole = s + f[0] + f[1] + f[2] + c

    # the stream
    yield '1-a compressed frame whose checksum is wrong', s + f[0] + flip(f[1], 150) + f[2] + c
    yield '1-a header whose checksum is wrong', s + f[0] + flip(f[1], 60) + f[2] + c
    yield "1-a header whose numbers can't be", s + f[0] + frame(1, steps=0) + f[2] + c
    yield '1-a header of the wrong size', s + f[0] + flip(f[1], 4) + f[2] + c
    yield '1-a header that no compressed frame follows', s + f[0] + frame(1, packed=b'no zstd frame') + f[2] + c
    yield '1-a compressed frame without its header', s + f[0] + f[1][120:] + f[2] + c
    yield '1-expected a frame, found other bytes', s + f[0] + b'a line that the firmware printed\r\n' + f[1] + f[2] + c
    yield '1-a frame with an unknown tag', s + f[0] + own(b'VXQ7', b'?') + f[1] + f[2] + c
    yield '1-frame 1 is missing', s + f[0] + f[2] + c
    yield '1-frames 1..2 are missing', s + f[0] + f[3] + closing(4)
    yield '1-already: read once', s + f[0] + f[1] + f[1] + f[2] + c
    yield '1-frame 1 stands after frame 2: read in its place', s + f[0] + f[2] + f[1] + c
    yield '1-frame 1 differs from the one at', s + f[0] + f[1] + frame(1, last_tsc=7) + f[2] + c
    yield '1-frame 1 begins with step 5, expected step 4', s + f[0] + frame(1, first_step=5) + f[2] + c
    yield "1-of session 77, which the file doesn't have", s + f[0] + frame(1, session=77) + f[1] + f[2] + c
    yield '1-the file ends inside a compressed frame', (s + f[0] + f[1])[:-9]
    yield '1-the file ends inside a frame', (s + f[0] + f[1] + f[2])[:-len(f[2]) + 50]
    yield '1-no closing frame: the recording was cut off after step 12', s + f[0] + f[1] + f[2]
    yield '1-the capture began late, at frame 1', session(frame=1) + f[1] + f[2] + c
    yield '1-a closing frame whose checksum is wrong', flip(whole, len(whole) - 30)
    yield '1-the file has more', s + f[0] + f[1] + f[2] + closing(steps=8, exits=6)
    yield '1-the closing frame counts 7 exits for CPUID, the records are 9', \
        s + f[0] + f[1] + f[2] + closing(reasons=((CPUID, 7), (HLT, 2)))
    yield '1-the closing frame counts 2 frames, the file has 3', s + f[0] + f[1] + f[2] + closing(frames=2, steps=12, exits=9)
    yield '1-what came after step 12 is unknown', s + f[0] + f[1] + f[2] + closing(missing=((12, 0, 9, 0),))
    yield "1-the seek table doesn't agree with", whole + seek_table((len(s), 0), (120, 0), (len(f[0]) - 120, 7),
                                                                   (120, 0), (len(f[1]) - 120, 7))
    yield "1-a seek table that isn't one", whole + seek_table((len(whole), 0), magic=1)

    # session frames
    yield '2-a session frame with a wrong checksum', flip(s, 60) + f[0] + closing(1)
    yield '2-a session frame of another format version', session(version=4) + f[0] + closing(1)
    yield '2-a number of vCPUs that is not 1 to 8', session(vcpus=9, cpu_count=9) + f[0] + closing(1)
    yield '2-an unknown snapshot level', session(level=3) + f[0] + closing(1)
    yield '2-the same VMCS field twice', session(slots=SLOTS + SLOTS[:1]) + f[0] + closing(1)
    yield '2-a row of struct vm whose size is not 1, 2, 4 or 8', session(rows=ROWS + ((9, 3, 1, 'vm.odd'),)) + f[0] + closing(1)
    yield '2-no field dictionary or no table of struct vm', session(slots=()) + f[0] + closing(1)
    yield '2-an entry that ends too early', session(extra=struct.pack('<HHI', 2, 0, 10 ** 6)) + f[0] + closing(1)
    yield "2-a session frame whose entries can't be decompressed", \
        session(pack=lambda b: (len(b), flip(compress(b), 40))) + f[0] + closing(1)
    yield '2-empty, expected a trace', b''
    yield '2-expected a frame, found other bytes', b'this is no trace\n' * 4

    # frames that are whole, with contents that are wrong
    def one(data, lists=b'', times=(1000000, *CALLED), steps=1, exits=1, **changes):
        return s + with_records(steps, exits, data, times, {COLUMN_LISTS: lists}, **changes) + \
            closing(1, steps=steps, exits=exits, reasons=((CPUID, exits),) if exits else ())
    snap = values((RIP, 0))
    yield '1-the header says other steps, exits, vCPUs, reasons or times', \
        s + f[0] + frame(1, reasons=1 << HLT) + f[2] + c
    yield '1-raw bytes expected, found', one(one_exit(SNAPSHOT | EFFECTS | NOTES, snap, RETIRED), packed=None,
                                              raw_size=77)
    yield '1-a whole keyframe', s + frame(0, raw=keyframe(0)[:9]) + closing(1)
    yield '1-a section that was there before under this key', one(one_exit(0))
    yield '1-a slot of the dictionary', one(one_exit(SNAPSHOT, LONG), long_list(1, b'\xa1', group=29))
    yield '1-the code of a register', one(one_exit(SNAPSHOT, LONG), long_list(1, b'\xa1', group=3))
    yield '1-the codes of a snapshot section', one(one_exit(SNAPSHOT, LONG), long_list(1, b'\xa1', group=32))
    yield '1-the values of a snapshot section', one(one_exit(SNAPSHOT, LONG), long_list(1, b'\x09'))
    yield '1-the codes of an effects section', \
        one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x00' + varint(0) + LONG), long_list(1, b'')[:-1])
    yield '1-the values of an effects section', \
        one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x00' + varint(0) + values((RIP, b'\x30'))))
    yield '1-an action', one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x09'))
    yield "1-an entry step's result", one(bytes([ENTRY | TIME | EFFECTS]) + b'\x03', exits=0)
    yield '1-at most 512 crossings', one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x00' + varint(513)))
    yield '1-a crossing', one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x00' + varint(1) + b'\x63' + varint(0) + varint(1) + varint(0)))
    yield '1-a whole crossing', one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x00' + varint(1) + b'\x03' + varint(0) + varint(4000)))
    yield '1-a set of known devices', one(one_exit(SNAPSHOT | EFFECTS, snap, b'\x00' + varint(0) + NO_VALUES + varint(1 << 40)))
    yield "1-a time in the frame's column", one(one_exit(SNAPSHOT | EFFECTS | NOTES, snap, RETIRED), times=(1000000, 500))
    yield "1-a column of times at the frame's end", s + frame(0, raw=keyframe(0) + records(0)[0] + b'\xff' * 4 * COLUMNS) + closing(1)
    yield '1-at most 15 instruction bytes', one(one_exit(SNAPSHOT | EFFECTS | NOTES | INSN, snap, RETIRED, b'\x10' + bytes(16)))
    yield "1-a record of one of the session's vCPUs", one(bytes([EXIT | VCPU, 3]))
    yield '1-the end of records and times after the last record', one(one_exit(SNAPSHOT | EFFECTS | NOTES, snap, RETIRED, b'\x00'))
    yield '1-no more exits than the header says', one(one_exit(SNAPSHOT | EFFECTS | NOTES, snap, RETIRED), exits=0)


def name_of(message):
    status, _, text = message.partition('-')
    return status + '-' + '-'.join(''.join(c if c.isalnum() else ' ' for c in text.replace("'", '')).split())


def main():
    assert memo_index(0x1000, 0) != memo_index(0x1002, 0)
    for message, data in files():
        with open(os.path.join(sys.argv[1], name_of(message) + '.vxt'), 'wb') as f:
            f.write(data)
    # Not bad, so that what is wrong with the others is only what they are named for.
    with open(os.path.join(sys.argv[1], '0-whole.vxt'), 'wb') as f:
        f.write(session(pack=lambda b: (len(b), compress(b))) + frame(0) + frame(1) + frame(2) + closing())


if __name__ == '__main__':
    main()
