"""Texts that objects of Kubernetes hold in base64: data of a Secret, binary data of a map."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

_KEPT_UNDER: Final = {"Secret": "data", "ConfigMap": "binaryData"}
_LONGEST: Final = 4 << 20
"""Characters of one value; etcd takes no object beyond 1.5 MiB."""


def encoded_texts(value: Mapping[Any, Any]) -> Iterator[str]:
    """The texts of a Secret or a ConfigMap that stand there in base64; nothing of other objects."""
    data = value.get(_KEPT_UNDER.get(str(value.get("kind")), ""))
    if not isinstance(data, dict):
        return
    for one in data.values():
        if not isinstance(one, str) or len(one) > _LONGEST:
            continue
        try:
            yield base64.b64decode("".join(one.split()), validate=True).decode()
        except ValueError:
            continue  # no base64, or no text
