"""A crash: what went wrong goes to the log, and one sentence to the person."""

from __future__ import annotations

import os
import traceback

from foundation.paths import log_file, make_private
from foundation.secrets import redact


def write_log(error: BaseException) -> str:
    """Write a traceback to the log, secrets masked; the sentence that says where it is."""
    text = redact("".join(traceback.format_exception(error)))
    file = log_file()
    try:
        make_private(file.parent)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            stream.write(text + "\n")
    except OSError as trouble:
        return f"The log ({file}) could not be written: {trouble.strerror}."
    return f"The details are in {file}."


def own_error(error: BaseException) -> str:
    """What is said of an error of ours that ends nothing, with the place of its details."""
    place = write_log(error)
    return redact(
        f"Sitewright met an error of its own: {type(error).__name__}: {error}. "
        f"The rest goes on. {place}"
    )


def crash_sentence(error: BaseException, touched: str) -> str:
    """One sentence on an error of ours that ended a face, with the place of its details.

    `touched` says what became of the machines, as the record of the site has it.
    """
    place = write_log(error)
    return redact(
        f"Sitewright met an error of its own ({type(error).__name__}: {error}) and stopped; "
        f"{touched}, and your place is kept: start sitewright again and choose to go on. {place}"
    )
