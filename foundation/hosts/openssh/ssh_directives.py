"""What becomes of each directive of an OpenSSH client configuration: a table of all that there are.

Each is honoured, of no consequence, told by a note, or refused; one that stands in no table is told
as not known, so that nothing of a configuration is passed over in silence. Source: ssh_config(5) of
OpenSSH 9.2, and the directives that came until 10.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

OF_A_LOGIN: Final = frozenset(
    (
        "addressfamily", "bindaddress", "bindinterface", "canonicaldomains",
        "canonicalizefallbacklocal", "canonicalizehostname", "canonicalizemaxdots",
        "canonicalizepermittedcnames", "certificatefile", "challengeresponseauthentication",
        "checkhostip", "ciphers", "connecttimeout", "globalknownhostsfile", "hostkeyalgorithms",
        "hostkeyalias", "hostname", "identitiesonly", "identityagent", "identityfile", "include",
        "kbdinteractiveauthentication", "kexalgorithms", "knownhostscommand", "macs",
        "passwordauthentication", "port", "preferredauthentications", "proxycommand", "proxyjump",
        "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "pubkeyauthentication",
        "revokedhostkeys", "serveraliveinterval", "tag", "user", "userknownhostsfile",
    )
)  # fmt: skip
"""Directives that a login depends on, and that are honoured."""

NO_CONSEQUENCE: Final = frozenset(
    (
        "addkeystoagent", "batchmode", "channeltimeout", "clearallforwardings", "compression",
        "connectionattempts", "controlmaster", "controlpath", "controlpersist", "dynamicforward",
        "enableescapecommandline", "escapechar", "exitonforwardfailure", "fingerprinthash",
        "forkafterauthentication", "forwardagent", "forwardx11", "forwardx11timeout",
        "forwardx11trusted", "gatewayports", "gssapiauthentication", "gssapiclientidentity",
        "gssapidelegatecredentials", "gssapikeyexchange", "gssapikexalgorithms",
        "gssapirenewalforcesrekey", "gssapiserveridentity", "gssapitrustdns", "hashknownhosts",
        "host", "hostbasedacceptedalgorithms", "hostbasedkeytypes", "ignoreunknown", "ipqos",
        "kbdinteractivedevices", "localforward", "loglevel", "logverbose", "match",
        "numberofpasswordprompts", "obscurekeystroketiming", "permitlocalcommand",
        "permitremoteopen", "rekeylimit", "remoteforward", "requesttty", "sendenv",
        "serveralivecountmax", "sessiontype", "setenv", "stdinnull", "streamlocalbindmask",
        "streamlocalbindunlink", "syslogfacility", "tcpkeepalive", "tunnel", "tunneldevice",
        "updatehostkeys", "versionaddendum", "visualhostkey", "warnweakcrypto", "xauthlocation",
    )
)  # fmt: skip
"""How a connection is kept, shared, forwarded or shown. GSSAPI is told where a login is refused."""

_KEYS_ONLY_IN_AGENT: Final = "add its keys to an agent instead: ssh-add -s "


@dataclass(frozen=True, slots=True)
class Untaken:
    """A directive that is not honoured, and what to know of that."""

    spelled: str
    sentence: str
    off: tuple[str, ...] = ("no", "none", "false", "off")
    """The values that ask for nothing."""
    refused_with: str = ""
    """The directive beside which nobody can log in as if it were not there; may be itself."""


UNTAKEN: Final[Mapping[str, Untaken]] = {
    "casignaturealgorithms": Untaken(
        "CASignatureAlgorithms", "certificates are taken with the algorithms of Sitewright's own"
    ),
    "enablesshkeysign": Untaken("EnableSSHKeysign", "there are no host-based logins"),
    "hostbasedauthentication": Untaken(
        "HostbasedAuthentication", "there are no host-based logins: use a key"
    ),
    "localcommand": Untaken("LocalCommand", "it is not run"),
    "nohostauthenticationforlocalhost": Untaken(
        "NoHostAuthenticationForLocalhost", "host keys are always verified"
    ),
    "pkcs11provider": Untaken("PKCS11Provider", _KEYS_ONLY_IN_AGENT + "LIBRARY"),
    "proxyusefdpass": Untaken(
        "ProxyUseFdpass",
        "its program hands a socket over, and Sitewright speaks through the program; nc without -F "
        "does the same",
        refused_with="proxycommand",
    ),
    "refuseconnection": Untaken(
        "RefuseConnection", "it says not to connect", refused_with="refuseconnection"
    ),
    "remotecommand": Untaken("RemoteCommand", "Sitewright runs commands of its own"),
    "requiredrsasize": Untaken("RequiredRSASize", "RSA keys are taken from 1024 bits on"),
    "securitykeyprovider": Untaken(
        "SecurityKeyProvider", "keys on a token are used through an agent: ssh-add", ("internal",)
    ),
    "smartcarddevice": Untaken("SmartcardDevice", _KEYS_ONLY_IN_AGENT + "LIBRARY"),
    "stricthostkeychecking": Untaken(
        "StrictHostKeyChecking",
        "host keys are verified all the same: confirm them with `sitewright trust`",
        ("yes", "true", "ask"),
    ),
    "verifyhostkeydns": Untaken(
        "VerifyHostKeyDNS", "no host key is trusted by the word of DNS", ("no", "false", "ask")
    ),
}
"""Directives that are not honoured, each told where it asks for something."""

KNOWN: Final = frozenset((*OF_A_LOGIN, *NO_CONSEQUENCE, *UNTAKEN))
"""Every directive that stands in a table."""


def note_on(keyword: str, value: str) -> str | None:
    """The sentence on a directive that is not honoured; None where there is nothing to tell."""
    if keyword in OF_A_LOGIN or keyword in NO_CONSEQUENCE:
        return None
    shown = "".join(c if c.isprintable() else "?" for c in value[:80])
    untaken = UNTAKEN.get(keyword)
    if untaken is None:
        return f"{keyword[:40]} {shown} of the ssh config is not known here, and not honoured"
    if value.strip().lower() in untaken.off:
        return None
    return f"{untaken.spelled} {shown} of the ssh config is not honoured: {untaken.sentence}"


def notes_on(said: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The notes on all that a configuration says beside what is usual."""
    told = [note_on(keyword, values[0]) for keyword, values in said.items() if values]
    return tuple(note for note in told if note is not None)
