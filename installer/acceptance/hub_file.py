"""The hub file: where a hub is reached, and where it reaches the driver.

Every address is whole and none is derived from another: of a hub behind gateways each service may
have its own.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from foundation.documents import load_yaml
from foundation.problems import InputProblem
from installer.sites.ways import gives_away

EXAMPLE: Final = """\
# The hub that is to be accepted, for `sitewright accept`.
lookup: http://account-lookup-service.local     # where GET /parties goes
quotes: http://quoting-service.local            # where POST /quotes goes
transfers: http://ml-api-adapter.local          # where POST /transfers goes
admin: http://central-ledger.local              # the ledger's administration
callbacks:
  address: 10.0.0.5         # this machine, as the hub reaches it
  first_port: 41000         # one port for each process, from here on
currency: XTS               # the hub must have accounts in it; XTS is for tests (ISO 4217)
# The ledger's database, read only, by any command that takes SQL on its standard input:
# ledger:
#   command: [kubectl, -n, demo, exec, -i, mysqldb-0, --, sh, -c,
#             'exec mysql --batch -u reader -p"$READER_PASSWORD" central_ledger']
# Faults that are set under load where --drill NAME asks for them:
# drills:
#   - {name: ledger-pod, command: [kubectl, -n, demo, delete, pod, moja-centralledger-service-0]}
#   - {name: drain, command: [kubectl, drain, w2, --ignore-daemonsets, --delete-emptydir-data],
#      undo: [kubectl, uncordon, w2], wait: 120}
"""


def _address(text: str) -> str:
    parts = urlsplit(text)
    try:
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        port_is_right = False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise ValueError("it should be an address such as http://central-ledger.local")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address has no login, question or fragment here")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Callbacks(_Strict):
    """Where the hub reaches the driver."""

    address: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:\-\[\]]+$")]
    """A name or an address of this machine that the hub's pods can reach."""
    first_port: Annotated[int, Field(ge=0, le=65_000)] = 41_000
    """Of the first process; each has one port, and with 0 whichever is free."""
    listen: str = ""
    """The address that is listened on; `address` where this is not said."""


class Tls(_Strict):
    """Files of PEM for mutual TLS with the hub; paths from where the command is given."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Ledger(_Strict):
    """The way to central-ledger's database."""

    command: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...],
        Field(min_length=1, max_length=64),
    ]
    """A program and its arguments; it is given SQL and prints what a MySQL client prints."""


_Command = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...], Field(max_length=64)
]


class Drill(_Strict):
    """A fault that is set under load where it is asked for by its name."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    command: Annotated[_Command, Field(min_length=1)]
    """Sets the fault, and ends."""
    undo: _Command = ()
    """Undoes it; none where it passes by itself, as a pod that is deleted."""
    wait: Annotated[float, Field(ge=0, le=3600)] = 60
    """Seconds from the fault to its undoing."""
    gap: Annotated[float, Field(gt=0, le=3600)] | None = None
    """The longest time without a commit that is borne, in seconds; None where it is only told."""


class HubFile(_Strict):
    """A hub as the acceptance meets it."""

    lookup: Address
    quotes: Address
    transfers: Address
    admin: Address
    callbacks: Callbacks
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "XTS"
    amount: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}(\.[0-9]{1,2})?$")] = "1"
    """Of each transfer."""
    version: Annotated[str, Field(pattern=r"^(1\.1|2\.0)$")] = "1.1"
    """FSPIOP's version in the headers; from 1.1 on a payee may reserve and is told of the end."""
    expiry: Annotated[float, Field(ge=1, le=3600)] = 60
    """Seconds until a transfer expires."""
    msisdn_prefix: Annotated[str, Field(pattern=r"^[1-9][0-9]{1,6}$")] = "27710"
    """With what the numbers of the parties begin; nobody else's may begin so."""
    tls: Tls = Tls()
    ledger: Ledger | None = None
    """Where it is not named, transfers are asked for by the hub's API."""
    drills: Annotated[tuple[Drill, ...], Field(max_length=20)] = ()

    @property
    def money(self) -> Decimal:
        """The amount of each transfer."""
        return Decimal(self.amount)

    @property
    def commands(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every command that it names, and whose it is."""
        named = [("the ledger", self.ledger.command)] if self.ledger is not None else []
        for one in self.drills:
            named.append((f"the drill {one.name}", one.command))
            if one.undo:
                named.append((f"the undoing of {one.name}", one.undo))
        return named


def read_hub_file(path: Path) -> HubFile:
    """Read a hub file; raises InputProblem that names every mistake."""
    hub = load_yaml(HubFile, path)
    for name in (hub.tls.authority, hub.tls.certificate, hub.tls.key):
        if name is not None and not name.is_file():
            raise InputProblem(f"there is no file {name}", where=str(path))
    for what, command in hub.commands:
        if gives_away(command):
            raise InputProblem(
                f"the command of {what} has a password among its words, where every user of this"
                " machine sees it while it runs",
                where=str(path),
                remedy="Have the program read it from a file of mode 0600 (mysql"
                " --defaults-extra-file, curl --netrc-file, ipmitool -f), or from the pod that it"
                " runs in; the ledger's is given with --ledger-password-file.",
            )
    return hub
