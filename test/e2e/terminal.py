"""A recording in a terminal: keys reach the guest, ^A's commands work, and the terminal is put back on every way out.

Usage: terminal.py VEXIT DIR      prints `ok NAME` and `not ok NAME` lines
"""
import fcntl, os, pty, select, signal, subprocess, sys, termios, time

vexit, work = sys.argv[1:]
PATIENCE = 150      # seconds for a guest to say something, on a busy machine


class Session:
    """`vexit record --guest echo` as the foreground job of a terminal of its own."""

    def __init__(self, *shell):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = b''
        command = [vexit, 'record', '--machine', 'bochs', '--guest', 'echo', '-f', '-o', work + '/tty.vxt']
        self.process = subprocess.Popen([*shell, *command], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        start_new_session=True, preexec_fn=self.take_terminal)

    @staticmethod
    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.tcsetpgrp(0, os.getpgrp())

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                pass

    def wait_for(self, text):
        end = time.time() + PATIENCE
        while text not in self.seen and time.time() < end and self.process.poll() is None:
            self.read(0.2)
        self.read(0.2)
        return text in self.seen

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        end = time.time() + PATIENCE
        while self.process.poll() is None and time.time() < end:
            self.read(0.2)
        if self.process.poll() is None:
            self.process.kill()
        self.read(0.5)
        return self.process.wait()

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)


def check(name, good, session):
    print('%s %s' % ('ok' if good else 'not ok', name))
    if not good:
        print(session.seen.decode(errors='replace'))
    sys.stdout.flush()


def keys():
    s = Session()
    check('the guest starts in a terminal', s.wait_for(b'echo: ready'), s)
    check('the terminal is raw meanwhile', s.raw(), s)
    check('and the user is told', b'^A h helps' in s.seen, s)
    s.type(b'typed\r')
    check('keys reach the guest', s.wait_for(b'> typed'), s)
    s.type(b'a\x01cb\x01\x01c\r')
    check('^A c gives it a ^C, ^A ^A a ^A', s.wait_for(b'> a\x03b\x01c'), s)
    s.type(b'\x01h')
    check('^A h helps', s.wait_for(b'^A x or ^C ends'), s)
    s.type(b'quit\r')
    check('the guest powers off by a typed word', s.end() == 0, s)
    check('the terminal is as it was', s.restored(), s)


def ends(name, act, status):
    s = Session()
    s.wait_for(b'echo: ready')
    act(s)
    got = s.end()
    check('%s gives %d' % (name, status), got == status, s)
    check('%s: the terminal is as it was' % name, s.restored(), s)


def stop_and_continue():
    # A job of a shell: one without a parent in its session can't be stopped.
    s = Session('bash', '-c', 'set -m; "$@"; echo SHELL; sleep 2; fg >/dev/null', '-')
    s.wait_for(b'echo: ready')
    os.kill(int(subprocess.check_output(['pgrep', '-P', str(s.process.pid), 'vexit'])), signal.SIGTSTP)
    s.wait_for(b'SHELL')
    check('stopped, it gives the terminal back', s.restored(), s)
    time.sleep(4)
    check('continued, it takes it again', s.raw(), s)
    s.type(b'quit\r')
    check('and goes on', s.end() == 0, s)
    check('to the end, with the terminal as it was', s.restored(), s)


keys()
ends('^A x', lambda s: s.type(b'\x01x'), 130)
ends('^C', lambda s: s.type(b'\x03'), 130)
ends('SIGTERM', lambda s: os.kill(s.process.pid, signal.SIGTERM), 130)
ends('SIGQUIT', lambda s: os.kill(s.process.pid, signal.SIGQUIT), -signal.SIGQUIT)
ends('SIGSEGV', lambda s: os.kill(s.process.pid, signal.SIGSEGV), -signal.SIGSEGV)
stop_and_continue()
