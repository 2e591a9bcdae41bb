"""Drives a program in a real terminal: waits for each text, types each answer, prints all that was shown.

  terminal.py JSON PROGRAM...     JSON: a list of [text to wait for, what to type]
"""
import json
import os
import pty
import select
import sys
import time

steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown, seen = b"", 0
end = time.monotonic() + 300
while time.monotonic() < end:
    if select.select([terminal], [], [], 0.2)[0]:
        try:
            read = os.read(terminal, 65536)
        except OSError:
            break
        if not read:
            break
        shown += read
    if steps and steps[0][0].encode() in shown[seen:]:
        seen = shown.index(steps[0][0].encode(), seen) + len(steps[0][0].encode())
        os.write(terminal, steps.pop(0)[1].encode())
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
if steps:
    print(f"\nNEVER SHOWN: {steps[0][0]}")
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
