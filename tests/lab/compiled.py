"""Keep what Python compiles out of Ansible's archives; in the image of a lab machine only.

Ansible sends every module as an archive of sources, and Python compiles the same 25 files anew for
each task: more than half of what a task costs on a machine. A site's servers do not notice; two
processors with thirty lab machines on them do. This is what `__pycache__` does for files, found by
the hash of the source as in PEP 552; the archives themselves stay as Ansible sent them.

Python imports it whenever it starts on such a machine, so it imports only what is built in.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from types import CodeType

FOLDER = "/var/cache/lab-python"
"""Written by root alone, read by everybody."""

_KEY = sys.hexversion
_compile = zipimport.__dict__["_compile_source"]


def kept(path: str, source: bytes) -> CodeType:
    """The code of a source file in an archive, compiled once for each content and place."""
    inside = path.rpartition(".zip/")[2].encode()
    name = f"{FOLDER}/{_imp.source_hash(_KEY, inside + source).hex()}"
    # open() and os, since pathlib would cost every start of Python what is saved here.
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - see above
            code: CodeType = marshal.loads(file.read())  # noqa: S302 - root's own, see FOLDER
            return code
    except OSError:
        code = _compile(path, source)
    try:
        with open(f"{name}.{os.getpid()}", "xb") as file:  # noqa: PTH123 - see above
            file.write(marshal.dumps(code))
        os.replace(f"{name}.{os.getpid()}", name)  # noqa: PTH105 - see above
    except OSError:
        pass  # not root, or the disk is full: compiled it is all the same
    return code


zipimport.__dict__["_compile_source"] = kept
