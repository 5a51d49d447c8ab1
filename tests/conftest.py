"""A shell's background job ignores Ctrl-C, and so would all commands that its tests start and interrupt."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
