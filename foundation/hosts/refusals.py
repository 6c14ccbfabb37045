"""Refusals: what asyncssh and the system raise at a login, as one problem a person understands."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from typing import Final

import asyncssh

from foundation.hosts.openssh.hostkeys import console_command, host_pattern
from foundation.hosts.openssh.login import Attempt, host_key_algorithms, host_keys_in
from foundation.hosts.openssh.ssh_config import Target
from foundation.hosts.openssh.trusted import NOTHING_KNOWN, TrustedKeys, fingerprint, public_line
from foundation.problems import (
    ChangedHostKey,
    ConnectionLost,
    ConnectionProblem,
    ConnectTimeout,
    HostKeyProblem,
    LoginRefused,
    UnknownHostKey,
    Unreachable,
)
from foundation.secrets import cut
from foundation.sentences import understood, wants_a_code

_LOOK_SECONDS: Final = 2.0
_KEXINIT_LIMIT: Final = 16 * 1024
_DISC_TOO_MANY: Final = re.compile(r"(?i)too many authentication failures")
_NO_ROUTE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def as_problem(
    error: BaseException, target: Target, attempt: Attempt, trusted: TrustedKeys, timeout: float
) -> ConnectionProblem:
    """The one problem that a failed login comes to."""
    where = target.where
    if isinstance(error, ConnectionProblem):
        return error
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return host_key_problem(error, target, attempt, trusted)
    if isinstance(error, TimeoutError) or "Login timeout" in str(error):
        return _silence(target, attempt, timeout)
    if isinstance(error, asyncssh.PermissionDenied) or _DISC_TOO_MANY.search(str(error)):
        return _login(target, attempt, str(error))
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return ConnectionProblem(
            f"the server and Sitewright have no algorithm in common: {_told(error)}",
            where=where,
            remedy="The server's SSH is very old or very restricted. Update openssh-server on it, "
            f"or allow a current algorithm there; see: ssh -vv {target.login}",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return _tunnel(error, target)
    if isinstance(error, asyncssh.DisconnectError):
        return _ended(error, target, attempt)
    if isinstance(error, OSError):
        return _system(error, target, attempt)
    return ConnectionProblem(
        f"the connection failed: {_told(error)}",
        where=where,
        remedy=f"See what OpenSSH says: ssh -v {target.login}",
    )


def _told(error: BaseException) -> str:
    text = " ".join((str(error) or type(error).__name__)[:2000].split())
    return cut(text, 300)


def _said(attempt: Attempt) -> str:
    """What a ProxyCommand wrote, as the end of a sentence; its last words tell the most."""
    said = cut(" ".join(attempt.program_said.split()), 300, last=True)
    return f': it says "{said}"' if said else ", and said nothing"


def _by_hand(target: Target) -> str:
    program = (target.proxy_command or ("",))[-1].removeprefix("exec ")
    return f"See by hand what it does; the program is: {cut(program, 300)}"


def _silence(target: Target, attempt: Attempt, timeout: float) -> ConnectTimeout:
    if not attempt.connected:
        through = " through the bastion" if target.bastion else ""
        return ConnectTimeout(
            f"nothing came back from {target.endpoint}{through} within {timeout:g} s: the machine "
            "is off, the address is wrong, or a firewall drops what is sent to it",
            where=target.where,
            remedy=f"Check the address and that the machine is on; a firewall on the way must let "
            f"TCP port {target.port} through. Try: nc -vz {target.address} {target.port}",
        )
    if target.proxy_command is not None and not attempt.version:
        return ConnectTimeout(
            "the program of the way to it (ProxyCommand) brought no SSH server's answer within "
            f"{timeout:g} s{_said(attempt)}",
            where=target.where,
            remedy=_by_hand(target),
        )
    if not attempt.version and not attempt.methods:
        cause = f"{target.endpoint} accepted the connection and then said nothing for {timeout:g} s"
    else:
        cause = f"the login did not come to an end within {timeout:g} s"
    return ConnectTimeout(
        cause,
        where=target.where,
        remedy="The machine may be overloaded, its SSH service may hang, or something else "
        f"listens on port {target.port}. Look on its console at: systemctl status ssh",
    )


def _system(error: OSError, target: Target, attempt: Attempt) -> ConnectionProblem:
    where = target.where
    if isinstance(error, socket.gaierror):
        temporary = error.errno == socket.EAI_AGAIN
        return Unreachable(
            f'the name "{target.address}" does not resolve to an address'
            + (" (the name server did not answer)" if temporary else ""),
            where=where,
            remedy=f"Check the spelling, or use the address; see: getent hosts {target.address}",
        )
    # Several addresses of one name fail with one error that only holds their texts.
    numbers = {int(n) for n in re.findall(r"\[Errno (\d+)\]", str(error))}
    if error.errno:
        numbers.add(error.errno)
    if errno.ECONNREFUSED in numbers:
        return Unreachable(
            f"the machine is there, and nothing listens on port {target.port} "
            f"({target.endpoint} refused the connection)",
            where=where,
            remedy="Start SSH on it (systemctl enable --now ssh), or check the port.",
        )
    if numbers & set(_NO_ROUTE):
        return Unreachable(
            f"there is no route to {target.endpoint}",
            where=where,
            remedy=f"Check the network and the way there: ip route get {target.address}",
        )
    if errno.EADDRNOTAVAIL in numbers and target.settings.bind_address:
        return Unreachable(
            f"this machine has no address {target.settings.bind_address}, from which the ssh "
            "config would have it connect (BindAddress)",
            where=where,
            remedy="See which it has: ip -brief address; correct or take out BindAddress.",
        )
    if errno.ETIMEDOUT in numbers:
        return ConnectTimeout(
            f"nothing came back from {target.endpoint}: the machine is off, the address is wrong, "
            "or a firewall drops what is sent to it",
            where=where,
            remedy=f"Check the address, and that TCP port {target.port} is let through.",
        )
    if numbers & {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}:
        if attempt.version:
            # It spoke SSH, and ended the login: that it did not is another culprit.
            return _of_old(attempt.host_key_algorithms, target) or _lost(target, _told(error))
        return _closed_early(target, attempt)
    return Unreachable(
        f"{target.endpoint} cannot be connected to: {error.strerror or _told(error)}",
        where=where,
        remedy="Check the address and this machine's own network.",
    )


def _closed_early(target: Target, attempt: Attempt) -> Unreachable:
    if target.proxy_command is not None:
        return Unreachable(
            "the program of the way to it (ProxyCommand) ended before SSH was spoken"
            + _said(attempt),
            where=target.where,
            remedy=_by_hand(target),
        )
    return Unreachable(
        f"{target.endpoint} accepted the connection and closed it before it spoke SSH",
        where=target.where,
        remedy="Its SSH may refuse this address (fail2ban, hosts.deny, a firewall), may have too "
        "many logins under way (MaxStartups), or another service listens on this port. "
        "Look on the machine at: journalctl -u ssh -n 20",
    )


async def looked_closer(problem: ConnectionProblem, target: Target) -> ConnectionProblem:
    """A server that never said it speaks SSH is asked once more what it does say."""
    if isinstance(problem, ConnectTimeout):
        return problem
    first, began = b"", b""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        async with asyncio.timeout(_LOOK_SECONDS):
            reader, writer = await asyncio.open_connection(target.address, target.port)
            try:
                writer.write(b"SSH-2.0-Sitewright\r\n")
                first = await reader.read(255)
                if first.startswith(b"SSH-"):
                    # Its greeting ends a line; its first message has a length before it.
                    _line, _, rest = first.partition(b"\n")
                    rest += await reader.readexactly(max(0, 5 - len(rest)))
                    length = min(int.from_bytes(rest[:4]), _KEXINIT_LIMIT)
                    began = rest[5:] + await reader.readexactly(max(0, 4 + length - len(rest)))
            finally:
                writer.transport.abort()
    if first and not first.startswith(b"SSH-"):
        return not_ssh(target, first.decode("ascii", "replace"))
    if (offered := host_keys_in(began)) and (old := _of_old(offered, target)) is not None:
        return old
    return problem


def not_ssh(target: Target, first: str) -> Unreachable:
    """The problem with a service that greeted us with something other than SSH."""
    plain = "".join(c if c.isprintable() else " " for c in first)
    shown = cut(" ".join(plain.split()), 60)
    known = understood(plain, programs=frozenset({"sshd"}))
    if known is not None:
        return Unreachable(
            f'{known.meaning}; {target.endpoint} says "{shown}"',
            where=target.where,
            remedy=known.remedy,
        )
    return Unreachable(
        f'what listens on {target.endpoint} does not speak SSH; it says "{shown}"',
        where=target.where,
        remedy="Check the port: SSH's own is 22.",
    )


def _lost(target: Target, told: str) -> ConnectionLost:
    return ConnectionLost(
        f"the server ended the connection during the login: {told}",
        where=target.where,
        remedy="Look on the machine at: journalctl -u ssh -n 20",
    )


def _of_old(offered: tuple[str, ...], target: Target) -> ConnectionProblem | None:
    """The problem with a server that has no host key of a kind that is taken here."""
    if not offered or set(offered) & set(host_key_algorithms(NOTHING_KNOWN)):
        return None
    return ConnectionProblem(
        "the server has host keys only of a kind that is no longer safe, or that Sitewright does "
        f"not have: {', '.join(offered)[:200]}",
        where=target.where,
        remedy="Give it a current one, on its console: ssh-keygen -A; see HostKey and "
        "HostKeyAlgorithms in /etc/ssh/sshd_config, then: systemctl restart ssh",
    )


def _ended(error: asyncssh.DisconnectError, target: Target, attempt: Attempt) -> ConnectionProblem:
    told = _told(error)
    if isinstance(error, asyncssh.ProtocolNotSupported):
        return ConnectionProblem(
            f"the server speaks an SSH that is too old: {told}",
            where=target.where,
            remedy="Update its SSH server; Sitewright speaks SSH 2.",
        )
    if not attempt.version:
        if isinstance(error, asyncssh.ProtocolError):
            return Unreachable(
                f"what listens on {target.endpoint} does not speak SSH ({told})",
                where=target.where,
                remedy="Check the port: SSH's own is 22.",
            )
        return _closed_early(target, attempt)
    known = understood(told, user=target.user, programs=frozenset({"sshd", "pam"}))
    if known is not None:
        return LoginRefused(
            f'{known.meaning}; the server ended the login: "{told}"',
            where=target.where,
            remedy=known.remedy,
        )
    if (old := _of_old(attempt.host_key_algorithms, target)) is not None:
        return old
    if isinstance(error, asyncssh.ConnectionLost):
        return _lost(target, told)
    return ConnectionProblem(
        f"the server ended the login: {told}",
        where=target.where,
        remedy="Look on the machine at: journalctl -u ssh -n 20",
    )


def _tunnel(error: asyncssh.ChannelOpenError, target: Target) -> ConnectionProblem:
    bastion = target.bastion.name if target.bastion else "the bastion"
    reason = _told(error)
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return Unreachable(
            f"the bastion {bastion} does not allow connections through it ({reason})",
            where=target.where,
            remedy="Set `AllowTcpForwarding yes` in the bastion's sshd_config (PermitOpen must "
            "name this machine), then: systemctl reload ssh",
        )
    words = {
        "refused": f"nothing listens on {target.endpoint}",
        "timed out": f"nothing comes back from {target.endpoint}",
        "no route": f"there is no route to {target.endpoint}",
        "unreachable": f"there is no route to {target.endpoint}",
        "name": f'the name "{target.address}" does not resolve there',
    }
    lower = reason.lower()
    seen = next((text for word, text in words.items() if word in lower), reason)
    kind = ConnectTimeout if "timed out" in lower else Unreachable
    return kind(
        f"seen from the bastion {bastion}, {seen}",
        where=target.where,
        remedy="Check the address as the bastion sees it, and the firewall between the two: "
        f"ssh {bastion} nc -vz {target.address} {target.port}",
    )


def host_key_problem(
    error: asyncssh.HostKeyNotVerifiable, target: Target, attempt: Attempt, trusted: TrustedKeys
) -> HostKeyProblem:
    where = target.where
    if attempt.authority is not None:
        return UnknownHostKey(
            f"the machine shows a host certificate signed by {fingerprint(attempt.authority)}, and "
            "that authority is not trusted here",
            where=where,
            remedy="Add the authority to a known_hosts file with the marker @cert-authority.",
            fingerprint=fingerprint(attempt.authority),
            public_key=public_line(attempt.authority),
        )
    if attempt.offered is None:
        revoked = "revoked" in str(error)
        return HostKeyProblem(
            "the machine's host key is marked as revoked in a known_hosts file"
            if revoked
            else f"the machine's host key or certificate cannot be used: {_told(error)}",
            where=where,
            remedy="Do not log in. Ask who revoked the key and why; give the machine new host keys."
            if revoked
            else "Look at the machine's host keys: ssh-keyscan shows what it offers.",
        )
    offered = attempt.offered
    known = trusted.of(target).keys
    if attempt.address_known_as is not None and offered in known:
        other = attempt.address_known_as
        place = trusted.place(other)
        return HostKeyProblem(
            f"the machine shows the host key {fingerprint(offered)}, which is trusted for its "
            f"name, and for its address another one is: {fingerprint(other)}"
            + (f" in {place}" if place else "")
            + " (CheckHostIP)",
            where=where,
            remedy="Somebody may be in between, or the name leads to another machine than before. "
            "Find out on the machine's console which key is its own; then take the other line out.",
        )
    if not known:
        return UnknownHostKey(
            f"the machine is not known yet; its host key is {fingerprint(offered)} "
            f"({offered.get_algorithm()})",
            where=where,
            remedy="Compare the fingerprint on the machine's console "
            f"({console_command(offered.get_algorithm())}), then confirm it: sitewright trust",
            fingerprint=fingerprint(offered),
            public_key=public_line(offered),
        )
    old = next((key for key in known if key.algorithm == offered.algorithm), known[0])
    place = trusted.place(old)
    return ChangedHostKey(
        f"the machine shows the host key {fingerprint(offered)} ({offered.get_algorithm()}), and "
        f"the one that was trusted is {fingerprint(old)} ({old.get_algorithm()})"
        + (f" in {place}" if place else ""),
        where=where,
        remedy="Somebody may be in between. Find out on the machine's console whether it was "
        "installed anew. Only then take the old key out "
        + (f"({_removal(place, target)}) and confirm the new one: sitewright trust" if place else
           "and confirm the new one: sitewright trust"),
        fingerprint=fingerprint(offered),
        public_key=public_line(offered),
    )  # fmt: skip


def _removal(place: str, target: Target) -> str:
    name = host_pattern(target.known_as, target.known_port)
    return f"ssh-keygen -R '{name}' -f '{place.rpartition(' line ')[0]}'"


_NOT_OURS: Final = frozenset(("gssapi-with-mic", "gssapi-keyex", "hostbased"))
"""Ways to log in that a server may offer and that Sitewright does not have."""


_KEYS_ELSEWHERE: Final = ("PKCS11Provider", "SmartcardDevice", "SecurityKeyProvider")
"""Directives that name keys which Sitewright has only through an agent."""


def _login(target: Target, attempt: Attempt, told: str) -> LoginRefused:
    if attempt.password_expired:
        return LoginRefused(
            f'the password of "{target.user}" has expired and must be changed first',
            where=target.where,
            remedy=f"Log in once by hand and set a new one: ssh {target.login}",
        )
    if attempt.asked and (attempt.half_way or wants_a_code(attempt.asked)):
        return _second_factor(target, attempt)
    tried = [f"the key {label}" for label in attempt.tried]
    if attempt.password_sent:
        tried.append("the password")
    methods = ", ".join(sorted(attempt.methods)) or "none that Sitewright can use"
    kept = [*attempt.left_out, *attempt.not_tried]
    kept += [note for note in target.settings.notes if note.startswith(_KEYS_ELSEWHERE)]
    left_out = f"; left out: {'; '.join(kept)}" if kept else ""
    if foreign := attempt.methods & _NOT_OURS:
        left_out += f"; Sitewright has no login by {', '.join(sorted(foreign))}"
    if attempt.asked:
        left_out += f'; it asked "{attempt.asked[:200]}", which nobody answers here'
    what = f"tried: {', '.join(tried[:8])}" if tried else "there was nothing to try"
    if len(tried) > 8:
        what += f" and {len(tried) - 8} more"
    cause = f'no login as "{target.user}": the server offers {methods}; {what}{left_out}'
    if _DISC_TOO_MANY.search(told):
        return LoginRefused(
            f"the server ended the login after too many keys; {cause}",
            where=target.where,
            remedy="Name the one key that is meant (identity_files, or --identity), or set "
            "IdentitiesOnly in the ssh config: an agent with many keys uses up the attempts.",
        )
    return LoginRefused(cause, where=target.where, remedy=_login_remedy(target, attempt))


def _second_factor(target: Target, attempt: Attempt) -> LoginRefused:
    given = ["the key"] if attempt.tried else []
    given += ["the password"] if attempt.password_sent else []
    after = f" after {' and '.join(given)}" if given and attempt.half_way else ""
    return LoginRefused(
        f'no login as "{target.user}": the server asks "{attempt.asked[:200]}"{after}, and nobody '
        "answers that here",
        where=target.where,
        remedy=f'Give the password of "{target.user}".'
        if not attempt.password_sent and not wants_a_code(attempt.asked)
        else "A second factor cannot be given. Ask whoever keeps the machine's sshd to let "
        f'"{target.user}" in by its key alone for the time of the installation (in sshd_config: '
        "AuthenticationMethods publickey, under Match User), or name another login.",
    )


def _login_remedy(target: Target, attempt: Attempt) -> str:
    if attempt.half_way and not attempt.password_sent and "password" in attempt.methods:
        return f'The key was taken, and the password of "{target.user}" is wanted besides: give it.'
    if "publickey" in attempt.methods:
        remedy = (
            f"Check the user name, and put your public key on the machine: "
            f"ssh-copy-id {target.login}"
        )
        if attempt.tried:
            remedy += (
                "; if it is there, sshd itself may keep the user out (PermitRootLogin, AllowUsers, "
                "a second factor), which it says on the machine: journalctl -u ssh -n 20"
            )
        if not attempt.password_sent and attempt.methods & {"password", "keyboard-interactive"}:
            remedy += "; or give the password"
        return remedy
    if attempt.password_sent:
        return "Check the user name and the password; it was tried once."
    return f'Give the password of "{target.user}", or allow public keys on the machine.'
