"""The log of this program itself: tracebacks go there, and a person gets one sentence."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Final, TextIO

from foundation.paths import log_file, make_private
from foundation.secrets import redact
from foundation.terminal import clean_line, visible

_FORM: Final = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def note(text: str) -> str:
    """Add a text to the log, without secrets; what to tell a person of where it is."""
    file = log_file()
    try:
        make_private(file.parent)
        with file.open("a", encoding="utf-8") as log:
            log.write(visible(redact(text)) + "\n")
    except OSError as error:
        return f"The log {file} cannot be written ({error.strerror or error})."
    return f"The details are in {file}; please report it with that file."


class OwnLog(logging.Handler):
    """Takes what libraries and we log: all of it to the file, and errors in a line to a person."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        try:
            place = note(_FORM.format(record))
            if record.levelno >= logging.WARNING:
                said = clean_line(redact(record.getMessage()))
                error = record.exc_info[1] if record.exc_info else None
                if error is not None:
                    said += f": {clean_line(redact(str(error) or type(error).__name__))}"
                print(f"{said}. {place}" if error is not None else said, file=sys.stderr)
        except Exception:  # a log that cannot be written must not end the work it tells of
            self.handleError(record)


def keep_own_log() -> None:
    """Let everything that nobody else takes care of go to the log, with no traceback shown.

    So do warnings of libraries, which would be written over a screen that is drawn.
    """
    logging.raiseExceptions = False
    logging.lastResort = OwnLog(logging.WARNING)
    warnings.showwarning = _keep_warning


def _keep_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    note(f"{category.__name__}: {message} ({filename}:{lineno})")
