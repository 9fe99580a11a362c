"""Numbers, constants and the stream's own frames of a vexit trace, as traces/FORMAT.md has them (see vxtread.py)."""

import struct
import subprocess

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
CODES = REG0 + len(REGISTERS)

# bits of a record's head
KIND, VCPU, TIME, SNAPSHOT, EFFECTS, NOTES, UNFINISHED, INSN = (1 << i for i in range(8))
LIST_SHORT, LIST_LONG = 6, 255
CASTS = 64
# the columns at a raw frame's end: of long lists, of their values' bytes by their number (1 to 8), of times
COLUMN_LISTS, COLUMN_TIMES, COLUMNS = 0, 9, 10
SIZES_BYTES = 4 * COLUMNS
MEMOS = 512
MEMO_VALUES, MEMO_CROSSINGS, MEMO_CHECKS = 14, 48, 8	# a memo holds no section that says more
ENTRY_SALT = 0x1000
ASYNCHRONOUS = (1, 7, 8, 52)	# reasons that have nothing to do with where the guest was

ACTIONS = ('resume', 'retire', 'inject', 'stop')
RESULTS = ('enter', 'wait', 'stop')
RETIRE, ENTER = 1, 0
WAIT_SAME, WAIT_NONE, WAIT_FROM_NOW = 0, 1, 2
CROSSINGS = ('MEM_READ', 'MEM_WRITE', 'MEM_CMPXCHG', 'CONSOLE_OUT', 'CONSOLE_IN', 'MSR_READ', 'MSR_WRITE', 'XCR_WRITE',
             'DR_READ', 'DR_WRITE', 'INVVPID', 'KICK', 'SLICE_END', 'TRACER_CYCLES', 'MEM_FOUND')
MEM_CMPXCHG, MEM_FOUND = 2, 14
CROSSINGS_MAX, CROSSING_BYTES_MAX = 512, 4096
STOPS = ('none', 'debug-exit', 'power-off', 'reset', 'triple-fault', 'unhandled', 'entry-failure', 'deadlock', 'stopped',
         'panic', 'host-error')
LEVELS = {1: 'touched', 2: 'full'}
DEVICE_CONFIG = 255
VCPUS_MAX = 8		# devices below are the vCPUs
OWNER_GUEST, OWNER_EXIT = 0, 1


class TraceError(Exception):
    """What is wrong, and at which byte of the file."""

    def __init__(self, offset, what):
        super().__init__(f'{offset}: {what}')
        self.offset, self.what = offset, what


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


class Column:
    """One of the columns at a raw frame's end, read from its beginning."""

    def __init__(self, b):
        self.b, self.p = b, 0

    def take(self, n):
        data, self.p = take(self.b, self.p, n)
        return data

    def varint(self):
        value, self.p = varint(self.b, self.p)
        return value

    def signed(self):
        value, self.p = signed(self.b, self.p)
        return value


def value_bytes(form, forms):
    """How many bytes a value of this form has; `forms` is the first one that isn't allowed below 0x40."""
    if form >= 0x40:
        return 0
    if form & 0x0F > 8 or form >= forms:
        raise ValueError(f'a value of form {form:#04x}')
    return form & 0x0F


def difference(form, data, base, cast):
    """The difference, modulo 2^64, that a value's form and bytes say: to `base`, or to what the cast has."""
    if form >= 0x40:
        return form - 0xA0 & M64
    bits, form = int.from_bytes(data, 'little'), form & 0xF0
    if form >= 0x20:
        diff = (bits >> 1) ^ -(bits & 1)
        return (diff if form == 0x20 else cast + diff - base) & M64
    if form == 0x10:
        bits |= M64 << 8 * len(data) & M64
    return bits - base & M64


def values(b, p, base, columns, casts):
    """A list of values as [(code, difference)]; base(code) gives what the code's difference counts from."""
    if b[p] == LIST_LONG:
        return long_list(base, columns, casts), p + 1
    out = []
    n, p = b[p], p + 1
    if n > LIST_SHORT:
        raise ValueError(f'a list of {n} values')
    for _ in range(n):
        code, form = b[p], b[p + 1]
        if code >= CODES:
            raise ValueError(f'code {code:#x}')
        data, p = take(b, p + 2, value_bytes(form, 0x30))
        out.append((code, difference(form, data, base(code), None)))
    return out, p


def long_list(base, columns, casts):
    """The list that stands next in the columns. Its cast has then what its codes have."""
    lists = columns[COLUMN_LISTS]
    cast = lists.take(1)[0]
    if cast >= CASTS:
        raise ValueError(f'cast {cast}')
    cast = casts[cast]
    groups = lists.varint()
    if groups >> 32:
        raise ValueError('a set of more than 32 groups')
    numbers = [g for g in range(32) if groups >> g & 1]
    sets = lists.take(len(numbers))
    out = []
    for code in ((g + 28) % 32 * 8 + bit for g, codes in zip(numbers, sets) for bit in range(8) if codes >> bit & 1):
        if code >= CODES:
            raise ValueError(f'code {code:#x}')
        form = lists.take(1)[0]
        size = value_bytes(form, 0x40)
        had = base(code)
        diff = difference(form, columns[size].take(size) if size else b'', had, cast[code])
        cast[code] = had + diff & M64
        out.append((code, diff))
    return out


def len_varint(x):
    return max(1, (x.bit_length() + 6) // 7)


def take(b, p, n):
    if p + n > len(b):
        raise IndexError('ends early')
    return bytes(b[p:p + n]), p + n


def memo_index(rip, salt):
    return ((rip ^ (salt << 48)) * K & M64) >> 55


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
        self.version, self.id, self.frame, self.vcpus, self.level, unpacked, self.zero = struct.unpack_from('<IQQIIII', body, 4)
        if unpacked:
            entries = zstd('-dcq', body[40:]) if unpacked <= SESSION_MAX - 56 else None
            if entries is None or len(entries) != unpacked:
                raise ValueError(f'entries that are not {unpacked} compressed bytes')
            body = self.body = body[:40] + entries
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
        for name in ('GUEST_RIP', 'EXIT_REASON', 'EXIT_INSTRUCTION_LEN', 'GUEST_INTERRUPTIBILITY'):
            if name not in self.slot:
                raise ValueError(f'no slot {name}')
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
        if self.version != 3:
            say(f'version is {self.version}')
        if not 1 <= self.vcpus <= VCPUS_MAX:
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


def zstd(options, data):
    """What zstd makes of the bytes, or None if it refuses them."""
    done = subprocess.run(['zstd', options], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout if done.returncode == 0 else None
