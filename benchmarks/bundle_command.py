"""`sitewright bundle` as a process of its own that tells its peak memory, for a benchmark."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from installer.commands import bundle

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    bundle.add_options(parser)
    code = bundle.run(parser.parse_args())
    # Not getrusage: its peak includes that of the process which started this one.
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text())
    print(f"peak {found[1] if found else 0}", file=sys.stderr)
    raise SystemExit(code)
