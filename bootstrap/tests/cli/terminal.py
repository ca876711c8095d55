"""Runs a program on a terminal of 80 by 24, answers it once, and repeats what it wrote.

terminal.py WAIT_FOR ANSWER PROGRAM ARGUMENTS…
"""

import fcntl
import os
import pty
import struct
import sys
import termios

wait_for, answer, program = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
answer = answer.replace(b"^C", b"\x03").replace(b"^M", b"\r")
child, terminal = pty.fork()
if child == 0:
    os.execv(program[0], program)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
written, answered = b"", False
while True:
    try:
        some = os.read(terminal, 4096)
    except OSError:  # Linux's way to say that the other side is closed
        break
    if not some:
        break
    written += some
    if not answered and wait_for in written:
        answered = True
        os.write(terminal, answer)
sys.stdout.buffer.write(written)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
