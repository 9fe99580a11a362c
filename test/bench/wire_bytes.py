#!/usr/bin/env python3
"""Compressed bytes an exit of a trace, by reason, for `make bench`: `NAME BYTES` lines.

    wire_bytes.py T.vxt

A compressed frame's bytes are shared out over its records by what each takes of the raw frame, there and in all columns,
the columns' sizes evenly; an entry step's belong to the exit before it. Keyframes are a line of their own.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from vxtformat import SIZES_BYTES       # noqa: E402
from vxtread import Trace       # noqa: E402


def main():
    names = dict(line.split(None, 1) for line in sys.stdin.read().splitlines())
    exits, size, keyframes = {}, {}, 0.0
    for frame in Trace(sys.argv[1]).frames:
        packed = frame.header.packed_size / frame.header.raw_size
        keyframes += frame.keyframe() * packed
        sizes = SIZES_BYTES / frame.header.steps
        reason = None
        for r in frame.records():
            if not r.entry:
                reason = r.reason
                exits[reason] = exits.get(reason, 0) + 1
            if reason is not None:
                size[reason] = size.get(reason, 0) + (r.size + sizes) * packed
    for reason in sorted(exits, key=exits.get, reverse=True):
        print(f'{names.get(str(reason), str(reason)).lower()} {size[reason] / exits[reason]:.1f}')
    print(f'keyframes {keyframes:.0f}')


if __name__ == '__main__':
    main()
