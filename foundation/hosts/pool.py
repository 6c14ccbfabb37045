"""Pool: the connections to the machines of a site, one each, opened when they are first needed."""

from __future__ import annotations

import asyncio
import copy
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from foundation.hosts.connection import Closing, Connection, Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.hostkeys import HostKeyOffer, known_hosts_files
from foundation.problems import ConnectionProblem, InputProblem

if TYPE_CHECKING:
    # asyncssh takes half a second to import: it is left until a machine is really far away.
    import asyncssh

    from foundation.hosts.openssh.keys import Keyring
    from foundation.hosts.openssh.login import Attempt
    from foundation.hosts.openssh.ssh_config import Config, Target
    from foundation.hosts.openssh.trusted import Known, TrustedKeys
    from foundation.hosts.ssh import SshConnection

log = logging.getLogger(__name__)

_NO_CREDENTIALS: Final = Credentials()
_CHAIN_LIMIT: Final = 8
"""Bastions behind one another; a longer chain goes in a circle."""


class Pool(Closing):
    """Opens each machine's connection once, some logins at a time, and closes them all."""

    def __init__(
        self,
        inventory: Inventory,
        credentials: Credentials = _NO_CREDENTIALS,
        *,
        concurrency: int = 64,
        connect_timeout: float = 15.0,
    ) -> None:
        self.inventory = inventory
        self._credentials = credentials
        self._timeout = connect_timeout
        self._logins = asyncio.Semaphore(concurrency)
        self._open: dict[Host, asyncio.Task[Connection]] = {}
        self._keyring: Keyring | None = None
        self._trusted: TrustedKeys | None = None
        self._config: Config | None = None
        self._other_trusted: dict[tuple[Path, ...], TrustedKeys] = {}
        self._bastions: set[Host] = set()
        self._targets: dict[Host, Target] = {}
        self._by_endpoint: dict[tuple[str, int], list[Host]] = {}
        for host in inventory.hosts:
            self._by_endpoint.setdefault((host.address, host.port), []).append(host)
        self._reading = asyncio.Lock()
        self._closed = False

    @property
    def has_sudo_password(self) -> bool:
        """Whether a password for sudo was given."""
        return self._credentials.sudo_password is not None

    async def connect(self, host: Host) -> Connection:
        """The one connection to a machine, opened at the first call and again after it was lost.

        Raises ConnectionProblem classes, and InputProblem where a file of the site cannot be used.
        """
        if self._closed:
            raise ConnectionProblem("the connections were closed", where=host.name)
        task = self._open.get(host)
        if task is None or (task.done() and _ended(task)):
            task = asyncio.create_task(self._login(host), name=f"login to {host.name}")
            self._open[host] = task
        try:
            # One who gives up waiting must not end the login that others wait for.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if task.cancelled() and (here is None or not here.cancelling()):
                raise ConnectionProblem("the connections were closed", where=host.name) from None
            raise

    async def _login(self, host: Host) -> Connection:
        if host.local:
            from foundation.hosts.local import LocalConnection

            return LocalConnection(host, self._credentials)
        keyring, target, trusted = await self._prepared(host)
        from foundation.hosts import ssh
        from foundation.hosts.openssh import login

        ring = await keyring.ring(
            host.identity_files,
            target.identity_files,
            certificates=tuple(Path(name) for name in target.settings.certificate_files),
            identities_only=target.identities_only,
            agent=target.agent,
        )
        tunnel = await self._tunnel(target)
        attempt = login.Attempt()
        async with self._logins:
            try:
                known = trusted.of(target)
                opened = await login.open_connection(
                    target,
                    trusted=known,
                    known=known,
                    ring=ring,
                    password=self._credentials.password,
                    tunnel=tunnel,
                    timeout=self._timeout,
                    attempt=attempt,
                    # The address has its port also where HostKeyAlias leaves the name without.
                    by_address=partial(trusted.at, port=target.port)
                    if target.settings.check_host_ip and target.direct
                    else None,
                )
            except InputProblem:
                raise  # of a file of the site, before anything was dialled
            except Exception as error:
                raise await self._problem(error, target, attempt, trusted) from error
        return ssh.SshConnection(target, opened, self._credentials)

    async def _problem(
        self, error: Exception, target: Target, attempt: Attempt, trusted: TrustedKeys
    ) -> ConnectionProblem:
        from foundation.hosts import refusals

        problem = refusals.as_problem(error, target, attempt, trusted, self._timeout)
        if attempt.connected and not attempt.version and target.direct:
            problem = await refusals.looked_closer(problem, target)
        return problem

    async def _prepared(self, host: Host) -> tuple[Keyring, Target, TrustedKeys]:
        """The keys of this run, where a machine is, and the host keys that are trusted for it."""
        keyring, trusted = await self._shared()
        target = await self._resolve(host)
        files = known_hosts_files(self.inventory, target.settings)
        if files != known_hosts_files(self.inventory):
            # The ssh config names other files for this machine.
            trusted = await asyncio.to_thread(self._trusted_in, files)
        if target.settings.known_hosts_command and not self.inventory.known_hosts:
            target, trusted = await self._told(host, target, files)
        return keyring, target, trusted

    async def _told(
        self, host: Host, target: Target, files: tuple[Path, ...]
    ) -> tuple[Target, TrustedKeys]:
        """The trusted keys with those that KnownHostsCommand tells of a machine, asked anew."""
        from foundation.hosts.openssh.known_hosts_command import CommandFailed, told_by
        from foundation.hosts.openssh.trusted import TrustedKeys

        command = target.settings.known_hosts_command or ""
        try:
            told = await asyncio.to_thread(told_by, command, target)
        except CommandFailed as error:
            told = ""
            note = f"KnownHostsCommand {command[:80]} of the ssh config told no host key: {error}"
            log.warning("%s: %s", host.name, note)
            notes = dict.fromkeys((*target.settings.notes, note))
            target = replace(target, settings=replace(target.settings, notes=tuple(notes)))
            self._targets[host] = target
        return target, await asyncio.to_thread(TrustedKeys, files, told, by="KnownHostsCommand")

    def _trusted_in(self, files: tuple[Path, ...]) -> TrustedKeys:
        from foundation.hosts.openssh.trusted import TrustedKeys

        known = self._other_trusted.get(files)
        if known is None or known.stale:
            known = self._other_trusted[files] = TrustedKeys(files)
        return known

    async def _resolve(self, host: Host) -> Target:
        """Where a machine is; OpenSSH is asked in a thread, for it may take its time."""
        from foundation.hosts.openssh.ssh_config import resolve

        if host not in self._targets:
            target = await asyncio.to_thread(resolve, host, self._config)
            bastion = target.bastion
            if bastion is not None and (bastion.address, bastion.port) == (host.address, host.port):
                # A site's bastion may be one of its machines; it is not behind itself.
                target = replace(target, bastion=None)
            for note in target.settings.notes:
                # The command tells it once for all machines; this is for the log.
                log.info("%s: %s", host.name, note)
            self._targets[host] = target
        return self._targets[host]

    def notes_of(self, host: Host) -> tuple[str, ...]:
        """What of the ssh config is not honoured on the way to a machine, once that was looked at.

        The notes of its bastions are among them.
        """
        told: dict[str, None] = {}
        way: Host | None = host
        for _ in range(_CHAIN_LIMIT):
            target = self._targets.get(way) if way is not None else None
            if target is None:
                break
            told.update(dict.fromkeys(target.settings.notes))
            way = self._same_machine(target.bastion) if target.bastion is not None else None
        return tuple(told)

    async def offered_key(self, host: Host) -> HostKeyOffer:
        """The host key that a machine shows, without a login to it; raises ConnectionProblem.

        Of a machine that no file knows, every type of key that it offers is asked for, with one
        more connection for each, one after another: a server counts those that never log in.
        """
        if host.local:
            raise InputProblem(
                "this machine is not reached over SSH, so it shows no host key", where=host.name
            )
        _, target, trusted = await self._prepared(host)
        from foundation.hosts.openssh import login
        from foundation.hosts.openssh import trusted as trusted_keys

        tunnel = await self._tunnel(target)
        known = trusted.of(target)
        async with self._logins:
            attempt = login.Attempt()
            error = await self._shown_key(target, known, tunnel, attempt)
            if isinstance(error, InputProblem):
                raise error
            if error is not None and attempt.offered is None and attempt.authority is None:
                raise await self._problem(error, target, attempt, trusted) from error
            others: list[asyncssh.SSHKey] = []
            for algorithm in login.other_types(attempt) if not known.keys else ():
                again = login.Attempt()
                error = await self._shown_key(target, known, tunnel, again, only=algorithm)
                if again.offered is None and error is not None:
                    log.info("%s showed no host key for %s: %s", host.name, algorithm, error)
                elif again.offered is not None:
                    others.append(again.offered)
        return trusted_keys.offer(target, attempt, known, trusted, others)

    async def _shown_key(
        self,
        target: Target,
        known: Known,
        tunnel: asyncssh.SSHClientConnection | None,
        attempt: Attempt,
        *,
        only: str | None = None,
    ) -> Exception | None:
        """One connection that ends where the key was shown, for nothing is trusted in it."""
        from foundation.hosts.openssh import login
        from foundation.hosts.openssh import trusted as trusted_keys
        from foundation.hosts.openssh.keys import Ring

        try:
            connection = await login.open_connection(
                target,
                trusted=trusted_keys.NOTHING_KNOWN,
                known=known,
                ring=Ring(),
                password=None,
                tunnel=tunnel,
                timeout=self._timeout,
                attempt=attempt,
                only=only,
            )
        except Exception as error:
            return error
        connection.abort()
        return None

    async def _shared(self) -> tuple[Keyring, TrustedKeys]:
        """The keys and the trusted host keys of all machines, read once (again when changed)."""
        async with self._reading:
            if self._keyring is None or self._trusted is None or self._trusted.stale:
                # Imports, files and the opening of an encrypted key would hold up a screen.
                return await asyncio.to_thread(self._read)
            return self._keyring, self._trusted

    def _read(self) -> tuple[Keyring, TrustedKeys]:
        from foundation.hosts import refusals, ssh  # noqa: F401 - imported here, off the loop
        from foundation.hosts.openssh.keys import Keyring
        from foundation.hosts.openssh.ssh_config import config_file
        from foundation.hosts.openssh.trusted import TrustedKeys

        if self._keyring is None:
            self._config = config_file(self.inventory)
            self._keyring = Keyring(self._credentials.passphrase)
        self._trusted = TrustedKeys(known_hosts_files(self.inventory))
        return self._keyring, self._trusted

    async def _tunnel(self, target: Target) -> asyncssh.SSHClientConnection | None:
        """The connection of a machine's bastion, shared by all machines behind it."""
        host, bastion = target.host, target.bastion
        if bastion is None:
            return None
        await self._refuse_circle(host)
        known = self._same_machine(bastion)
        self._bastions.add(known)
        try:
            connection = await self.connect(known)
        except ConnectionProblem as problem:
            raise _behind(problem, bastion, host) from problem
        return cast("SshConnection", connection).ssh

    async def _refuse_circle(self, host: Host) -> None:
        """Raise InputProblem where bastions wait for one another, which would never end."""
        way = [host]
        while (bastion := (await self._resolve(way[-1])).bastion) is not None:
            way.append(self._same_machine(bastion))
            if way[-1] in way[:-1] or len(way) > _CHAIN_LIMIT:
                raise InputProblem(
                    "the bastions lead in a circle: " + " -> ".join(one.name for one in way),
                    where=host.name,
                    remedy="Check ProxyJump in the ssh config and `bastion` in the site file.",
                )

    def _same_machine(self, bastion: Host) -> Host:
        """The machine of the site that a bastion is, so that it gets one connection only."""
        named = self.inventory.hosts_by_name.get(bastion.address)
        candidates = [named] if named else []
        candidates += self._by_endpoint.get((bastion.address, bastion.port), [])
        for host in candidates:
            same_way = host.bastion in (None, bastion.bastion) or host.address == bastion.address
            if bastion.user in (None, host.user) and same_way and not host.local:
                return host
        return bastion

    async def close(self) -> None:
        """End every connection, those behind a bastion first; bounded in time."""
        self._closed = True
        tasks = list(self._open.values())
        self._open.clear()
        for task in tasks:
            if not task.done():
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        connections = [
            task.result() for task in tasks if not task.cancelled() and task.exception() is None
        ]
        for group in (
            [c for c in connections if c.host not in self._bastions],
            [c for c in connections if c.host in self._bastions],
        ):
            await asyncio.gather(*(c.close() for c in group), return_exceptions=True)
        if self._keyring is not None:
            self._keyring.close()


def _ended(task: asyncio.Task[Connection]) -> bool:
    """Whether a finished login brought nothing that can be used now."""
    if task.cancelled() or task.exception() is not None:
        return True
    return bool(getattr(task.result(), "closed", False))


def _behind(problem: ConnectionProblem, bastion: Host, host: Host) -> ConnectionProblem:
    """A bastion's problem as the problem of a machine behind it; its class and keys are kept."""
    behind = copy.copy(problem)
    behind.cause = f"the bastion {bastion.name} is in the way: {problem.cause}"
    behind.args = (behind.cause,)
    behind.where = host.name
    return behind
