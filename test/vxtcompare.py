#!/usr/bin/env python3
"""Compare two decoders of one trace: vexit's own (C) with vxtread.py, which was written from traces/FORMAT.md alone.

    vxtcompare.py VEXIT T.vxt

Each line of `vexit dump --json` against each record: every value changed, crossing, effect, check and note. And of some
fifty exits spread over the trace the whole snapshot, by `vexit query`. Prints the first differences; status 1 if there are.
"""

import csv
import io
import itertools
import json
import subprocess
import sys

from vxtformat import REG0, REGISTERS, TIME_NONE, VCPUS_MAX
from vxtread import Trace
from vxtverify import Verifier
from vxtframe import ACTIONS, CROSSINGS, RESULTS

SNAPSHOTS = 50
DIFFERENCES_MAX = 20
DEVICES = {VCPUS_MAX: 'uart', VCPUS_MAX + 1: 'vm', VCPUS_MAX + 2: 'ioapic', VCPUS_MAX + 3: 'pic', VCPUS_MAX + 4: 'pit',
           VCPUS_MAX + 5: 'rtc', VCPUS_MAX + 6: 'chipset'}


def number(value):
    """dump's numbers are JSON numbers, or hexadecimal strings where they may be long."""
    return int(value, 16) if isinstance(value, str) else value


def time(value):
    return TIME_NONE if value is None else value


class Comparison:
    def __init__(self, vexit, path):
        self.vexit, self.path, self.trace = vexit, path, Trace(path)
        self.names = self.trace.session.names
        self.differences = self.records = self.values = 0
        self.last_seq, self.frame = {}, None

    def same(self, where, what, ours, theirs):
        self.values += 1
        if ours != theirs:
            self.differences += 1
            if self.differences <= DIFFERENCES_MAX:
                print(f'{self.path}: {where}: {what}: vxtread {ours!r}, vexit {theirs!r}')

    # -- records

    def dump(self):
        with subprocess.Popen([self.vexit, 'dump', '--json', self.path], stdout=subprocess.PIPE) as process:
            for r, line in itertools.zip_longest(self.trace.records(), process.stdout):
                if r is None or line is None:
                    self.same('the end', 'records', r is not None, line is not None)
                    break
                self.record(r, json.loads(line))
                self.records += 1
        self.same('vexit dump', 'status', 0, process.returncode)

    def record(self, r, d):
        where = f'step {r.step}'
        self.same(where, 'step', r.step, d['step'])
        self.same(where, 'kind', 'entry' if r.entry else 'exit', d['kind'])
        self.same(where, 'vcpu', r.vcpu, d['vcpu'])
        self.same(where, 'tsc', r.tsc, number(d['tsc']))
        self.same(where, 'unfinished', r.unfinished, d['unfinished'])
        self.same(where, 'changed', {self.names[c]: r.at[c] for c, diff in r.changed if diff},
                  {name: number(value) for name, value in d['changed'].items()})
        self.same(where, 'crossings', [(CROSSINGS[k].lower(), a, s, v) for k, a, s, v in r.crossings],
                  [self.crossing(c) for c in d['crossings']])
        self.same(where, 'effects', sorted((self.names[c], r.at[c], r.after[c]) for c in r.effects),
                  sorted((e['item'], number(e['before']), number(e['after'])) for e in d['effects']))
        self.same(where, 'checks', {DEVICES.get(k, f'cpu{k}'): v for k, v in r.checks.items()}, d['checks'])
        if r.entry:
            self.entry(where, r, d)
        else:
            self.exit(where, r, d)

    @staticmethod
    def crossing(c):
        value = bytes.fromhex(c['bytes']) if 'bytes' in c else number(c['value'])
        return c['kind'].lower(), number(c['addr']), c['size'], value

    def entry(self, where, r, d):
        if not r.unfinished:
            self.same(where, 'result', RESULTS[r.result], d['result'].lower())
        self.same(where, 'wake_at', r.wake_at, time(d['wake_at']))
        self.same(where, 'deadline', r.deadline, time(d['deadline']))
        self.same(where, 'exit before', self.exit_before(r), d['seq'])

    def exit_before(self, r):
        """The vCPU's last exit before in the same frame: a frame is decoded alone."""
        if r.frame != self.frame:
            self.frame, self.last_seq = r.frame, {}
        return self.last_seq.get(r.vcpu)

    def exit(self, where, r, d):
        slot = self.trace.session.slot
        self.exit_before(r)
        self.last_seq[r.vcpu] = r.seq
        self.same(where, 'seq', r.seq, d['seq'])
        self.same(where, 'reason', r.reason, d['reason'])
        self.same(where, 'entry failure', bool(r.at[slot['EXIT_REASON']] >> 31 & 1), d['entry_failure'])
        self.same(where, 'rip', r.at[slot['GUEST_RIP']], number(d['rip']))
        if 'EXIT_QUALIFICATION' in slot:
            self.same(where, 'qualification', r.at[slot['EXIT_QUALIFICATION']], number(d['qualification']))
        if r.unfinished:
            return
        self.same(where, 'action', ACTIONS[r.result], d['action'].lower())
        self.same(where, 'notes', r.notes, tuple(number(d[key]) for key in ('handler_cycles', 'tsc_entry', 'tracer_cycles')))
        self.same(where, 'instruction', r.insn.hex(), d['instruction'])

    # -- snapshots

    def snapshots(self):
        exits = [r for r in self.spread()]
        names = list(self.trace.session.slot)
        registers = [n for n in REGISTERS if n != 'zero']
        if not exits:
            return
        fields = ', '.join([f"vmcs(seq, '{n}')" for n in names] + [n.lower() for n in registers])
        seqs = ', '.join(str(r.seq) for r in exits)
        done = subprocess.run([self.vexit, 'query', '--format', 'csv', self.path,
                               f'SELECT seq, {fields} FROM exits WHERE seq IN ({seqs}) ORDER BY seq'],
                              stdout=subprocess.PIPE, text=True, check=False)
        self.same('vexit query', 'status', 0, done.returncode)
        rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
        self.same('vexit query', 'exits', [r.seq for r in exits], [int(row[0]) for row in rows])
        codes = list(self.trace.session.slot.values()) + [REG0 + REGISTERS.index(n) for n in registers]
        for r, row in zip(exits, rows):
            for name, code, text in zip(names + registers, codes, row[1:]):
                ours = r.at[code] if not r.known or r.known[code] else None
                self.same(f'exit {r.seq}', name, ours, int(text) & (1 << 64) - 1 if text else None)

    def spread(self):
        """Some fifty exits, of all frames and of the beginning and end."""
        exits = sum(f.header.exits for f in self.trace.frames)
        step = max(1, exits // SNAPSHOTS)
        for r in self.trace.records():
            if not r.entry and (r.seq % step == 0 or r.seq == exits - 1):
                yield r

    def verify(self):
        for offset, what in Verifier(self.trace).run():
            self.same(f'offset {offset}', 'vxtread --verify', what, None)


def main():
    comparison = Comparison(sys.argv[1], sys.argv[2])
    comparison.verify()
    comparison.dump()
    comparison.snapshots()
    print(f'{sys.argv[2]}: {comparison.records} records, {comparison.values} comparisons, '
          f'{comparison.differences} differences')
    return 1 if comparison.differences else 0


if __name__ == '__main__':
    sys.exit(main())
