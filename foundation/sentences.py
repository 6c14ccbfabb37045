"""Sentences of programs that are known: what each means, and what to do about it.

A table and nothing else. The program's own words are always shown beside what is said here; the
table adds the meaning and a command. Patterns are asked in order, the particular before the
general, each against the whole of what was heard, without regard to case. `{user}` stands for the
login's name. The remedies are run on the machine that said it, as root where they need it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from shlex import quote
from typing import Final


@dataclass(frozen=True, slots=True)
class Sentence:
    """A known sentence: how it is recognised, and what it comes to."""

    program: str
    """Who says it: sshd, pam, sudo, polkit, systemd, apt, git, registry, proxy, shell, kernel."""
    words: str
    """A regular expression that is found in it."""
    meaning: str
    remedy: str
    source: str
    """Where the program says so: a file of its source, or its manual."""
    example: str
    """The sentence as it comes, for the test."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a known sentence comes to."""

    program: str
    meaning: str
    remedy: str


_SUDOERS: Final = (
    "As root on the machine: printf '%s\\n' '{sudoer} ALL=(ALL) NOPASSWD: ALL' "
    ">/etc/sudoers.d/90-sitewright && visudo -c; take it away after the installation"
)

SENTENCES: Final = (
    # -- sudo: what keeps a command from running as root
    Sentence(
        "sudo",
        r"not in the sudoers file|may not run sudo|i'm sorry \S+\. i'm afraid i can't",
        '"{user}" may not use sudo on this machine (is not in the sudoers file)',
        "As root on the machine: usermod -aG sudo {user}; or log in as a user who may.",
        "sudo plugins/sudoers/logging.c; sudo-rs src/common/error.rs",
        "anna is not in the sudoers file.",
    ),
    Sentence(
        "sudo",
        r"is not allowed to (execute|run)",
        'sudo lets "{user}" run some commands only, and not this one',
        "Give the user the right to run everything for the time of the installation, in "
        "/etc/sudoers.d: {sudoer} ALL=(ALL) ALL",
        "sudo plugins/sudoers/logging.c",
        "Sorry, user anna is not allowed to execute '/bin/sh' as root on n1.",
    ),
    Sentence(
        "sudo",
        r"must have a tty|a terminal is required to|no tty present",
        "sudo on this machine asks for a terminal (requiretty), which a program does not have",
        "As root on the machine, in /etc/sudoers.d: Defaults:{sudoer} !requiretty",
        "sudo src/tgetpass.c, plugins/sudoers/policy.c",
        "sudo: sorry, you must have a tty to run sudo",
    ),
    Sentence(
        "sudo",
        r"sudo: (command )?not found|sudo: no such file|not found: sudo|unknown command: sudo",
        "there is no sudo on this machine",
        "Log in as root, or as root on the machine: apt-get install sudo",
        "dash, bash, zsh, fish",
        "sh: 1: exec: sudo: not found",
    ),
    Sentence(
        "sudo",
        r"sudo:.*(setuid|effective uid|no new privileges|nosuid)",
        "sudo on this machine has lost its rights (it is not setuid root, or may not be)",
        "As root on the machine: chmod 4755 /usr/bin/sudo; check the mount options of /usr",
        "sudo src/sudo.c",
        "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set",
    ),
    Sentence(
        "sudo",
        r"sudoers.*(parse error|syntax error)|(parse error|syntax error).*sudoers|no valid sudoers|"
        r"bad permissions|is world writable|sudoers is owned by uid",
        "the sudoers files of this machine are broken",
        "As root on the machine: visudo -c",
        "sudo plugins/sudoers/sudoers.c",
        "sudo: no valid sudoers sources found, quitting",
    ),
    # -- PAM, sshd and the login
    Sentence(
        "pam",
        r"password.{0,40}expired|password change required|required to change your password|"
        r"change your password now|account validation|account (has )?expired",
        'the password or the account of "{user}" has expired on this machine',
        "Log in once by hand and set a new password: ssh {user}@… passwd; as root on the machine, "
        "chage -l {user} tells what expired",
        "Linux-PAM modules/pam_unix/pam_unix_acct.c; sudo plugins/sudoers/auth/pam.c",
        "You are required to change your password immediately (administrator enforced).",
    ),
    Sentence(
        "pam",
        r"account (is )?(temporarily )?locked|locked due to|locked out",
        'the account of "{user}" is locked on this machine',
        "As root on the machine: faillock --user {user} --reset",
        "Linux-PAM modules/pam_faillock/pam_faillock.c",
        "The account is locked due to 3 failed logins.",
    ),
    Sentence(
        "pam",
        r"system is (booting up|going down)|unprivileged users are not permitted to log in",
        "the machine is starting or going down and lets nobody in but root",
        "Wait until it has started: systemctl is-system-running --wait; a /run/nologin that stays "
        "is taken away with: systemctl start systemd-user-sessions",
        "Linux-PAM modules/pam_nologin; systemd src/user-sessions",
        '"System is booting up. Unprivileged users are not permitted to log in yet."',
    ),
    Sentence(
        "pam",
        r"too many logins for|maxlogins",
        'the machine allows "{user}" no more sessions at once (maxlogins)',
        "End sessions that hang: loginctl list-sessions; the bound stands in "
        "/etc/security/limits.conf",
        "Linux-PAM modules/pam_limits/pam_limits.c",
        "There were too many logins for 'anna'.",
    ),
    Sentence(
        "sshd",
        r"account is currently not available|account is disabled",
        '"{user}" has no login shell (nologin)',
        "As root on the machine: usermod -s /bin/bash {user}; or log in as another user.",
        "shadow src/nologin.c",
        "This account is currently not available.",
    ),
    Sentence(
        "sshd",
        r"allows sftp connections only",
        'sshd lets "{user}" copy files only (ForceCommand internal-sftp)',
        "Log in as a user who may run commands, or take the Match block of {user} out of "
        "/etc/ssh/sshd_config and: systemctl reload ssh",
        "OpenSSH session.c",
        "This service allows sftp connections only.",
    ),
    Sentence(
        "sshd",
        r"exceeded maxstartups",
        "the machine has too many logins under way (MaxStartups)",
        "Wait a minute; somebody may be guessing passwords there: journalctl -u ssh -n 50; the "
        "bound is MaxStartups in /etc/ssh/sshd_config",
        "OpenSSH sshd.c",
        "Exceeded MaxStartups",
    ),
    Sentence(
        "sshd",
        r"not allowed at this time",
        "sshd turns this address away for a while after failed logins (PerSourcePenalties)",
        "Wait some minutes; an address that is ours is spared with PerSourcePenaltyExemptList in "
        "/etc/ssh/sshd_config",
        "OpenSSH sshd.c (9.8 and later)",
        "Not allowed at this time",
    ),
    Sentence(
        "sshd",
        r"could not chdir to home directory",
        'the home folder of "{user}" is not there',
        "As root on the machine: mkhomedir_helper {user}; or mount what holds /home.",
        "OpenSSH session.c",
        "Could not chdir to home directory /home/anna: No such file or directory",
    ),
    # -- what every program says when the machine is at an end
    Sentence(
        "kernel",
        r"no space left on device|disk is full|enough free space in /",
        "a disk of the machine is full",
        "Find it and make room: df -h; df -i; then journalctl --vacuum-size=200M and apt-get clean "
        "are safe",
        "errno(3) ENOSPC; apt-pkg/acquire.cc",
        "mkdir: cannot create directory '/var/lib/sitewright': No space left on device",
    ),
    Sentence(
        "kernel",
        r"read-only file ?system",
        "a disk of the machine can only be read",
        "See which, and why the kernel made it so: findmnt -O ro; dmesg | grep -i remount",
        "errno(3) EROFS",
        "touch: cannot touch '/var/lib/x': Read-only file system",
    ),
    Sentence(
        "kernel",
        r"disk quota exceeded",
        "the login's quota on a disk of the machine is used up",
        "See it: quota -s; as root: edquota {user}",
        "errno(3) EDQUOT",
        "cp: error writing 'x': Disk quota exceeded",
    ),
    Sentence(
        "kernel",
        r"cannot allocate memory|out of memory|fork: retry|can(no|')t fork|"
        r"resource temporarily unavailable.{0,20}fork",
        "the machine has no memory or no processes left",
        "See who holds them: free -h; ps aux --sort=-rss | head; ulimit -u",
        "errno(3) ENOMEM, EAGAIN of fork(2)",
        "bash: fork: retry: Resource temporarily unavailable",
    ),
    Sentence(
        "kernel",
        r"too many open files",
        "a program of the machine has no files left that it may open",
        "See the bounds: cat /proc/sys/fs/file-nr; ulimit -n; sysctl fs.inotify",
        "errno(3) EMFILE, ENFILE",
        "accept: Too many open files",
    ),
    # -- systemd and polkit
    Sentence(
        "polkit",
        r"interactive authentication required",
        "the machine wants a person to confirm it (polkit), since it was not asked as root",
        _SUDOERS,
        "systemd src/shared/bus-polkit.c",
        "Failed to start x.service: Interactive authentication required.",
    ),
    Sentence(
        "systemd",
        r"has not been booted with systemd|failed to connect to (system )?(scope )?bus|"
        r"transport endpoint is not connected",
        "systemd does not answer on this machine",
        "Look whether it runs: ps -p 1; systemctl is-system-running; after an update of libc it "
        "is started anew with: systemctl daemon-reexec",
        "systemd src/systemctl; src/libsystemd/sd-bus",
        "System has not been booted with systemd as init system (PID 1). Can't operate.",
    ),
    Sentence(
        "systemd",
        r"unit \S+ is masked",
        "the service was switched off for good (masked)",
        "See who did it and why, then: systemctl unmask NAME",
        "systemd src/core/dbus-manager.c",
        "Failed to start docker.service: Unit docker.service is masked.",
    ),
    Sentence(
        "systemd",
        r"start request repeated too quickly|start-limit-hit",
        "the service fell over at every start, so systemd gave it up",
        "See why it falls: journalctl -u NAME -n 50; then: systemctl reset-failed NAME",
        "systemd src/core/unit.c",
        "haproxy.service: Start request repeated too quickly.",
    ),
    # -- apt and dpkg
    Sentence(
        "apt",
        r"could not get lock|unable to acquire the dpkg|unable to lock (the )?(directory|"
        r"administration)|dpkg frontend lock",
        "another program installs packages on the machine just now",
        "See which, and wait for it: fuser -v /var/lib/dpkg/lock-frontend; on a fresh machine it "
        "is mostly unattended-upgrades, which ends by itself",
        "apt apt-pkg/deb/debsystem.cc; dpkg lib/dpkg/dbmodify.c",
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt-get)",
    ),
    Sentence(
        "apt",
        r"dpkg was interrupted",
        "an earlier installation of packages on the machine was cut off",
        "On the machine: dpkg --configure -a && apt-get -f install",
        "apt apt-pkg/deb/debsystem.cc",
        "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct it.",
    ),
    Sentence(
        "apt",
        r"end of file on stdin at conffile prompt|\*\*\* \S+ \(Y/I/N/O/D/Z\)",
        "dpkg asks which of two versions of a configuration file to keep, and nobody can answer",
        "Let it keep the machine's own: apt-get -o Dpkg::Options::=--force-confold -f install",
        "dpkg src/main/configure.c",
        "dpkg: error processing package x (--configure): end of file on stdin at conffile prompt",
    ),
    Sentence(
        "apt",
        r"accept the licen[sc]e|licen[sc]e (agreement|terms).{0,60}\?",
        "a package asks for its license to be accepted, and nobody can answer",
        "Read and answer it once on the machine by hand: dpkg-reconfigure NAME, then go on.",
        "debconf(7)",
        "Do you accept the license terms? [yes/no]",
    ),
    Sentence(
        "apt",
        r"unmet dependencies|held broken packages|--fix-broken",
        "packages of the machine do not fit together",
        "See which are held or from elsewhere: apt-mark showhold; apt-get -f install --dry-run",
        "apt apt-private/private-output.cc",
        "E: Unable to correct problems, you have held broken packages.",
    ),
    Sentence(
        "apt",
        r"is not valid yet",
        "the machine's clock is behind, so apt takes a package list for one of the future",
        "Set the clock: timedatectl set-ntp true; timedatectl; then: apt-get update",
        "apt apt-pkg/acquire-item.cc",
        "E: Release file for http://deb.example.org/InRelease is not valid yet (invalid for 2h).",
    ),
    Sentence(
        "apt",
        r"NO_PUBKEY|EXPKEYSIG|is not signed|signatures couldn't be verified|"
        r"signatures were invalid",
        "a package source of the machine is signed by a key that is not there or has expired",
        "See which source it is: apt-get update; put its maker's current key where its "
        "Signed-By= in /etc/apt/sources.list.d names it.",
        "apt methods/gpgv.cc",
        "W: GPG error: http://x InRelease: The following signatures couldn't be verified because "
        "the public key is not available: NO_PUBKEY 0E98404D386FA1D9",
    ),
    Sentence(
        "apt",
        r"does not have a release file|no longer has a release file",
        "a package source of the machine is not there (any more) for its release",
        "See which: apt-get update; then correct or take away its file in /etc/apt/sources.list.d",
        "apt apt-pkg/acquire-item.cc",
        "E: The repository 'http://x jammy Release' does not have a Release file.",
    ),
    Sentence(
        "apt",
        r"hash sum mismatch|file has unexpected size",
        "what came from a package source is not what its list says: a proxy or mirror gives old "
        "files",
        "On the machine: rm -rf /var/lib/apt/lists/* && apt-get -o Acquire::http::No-Cache=true "
        "update",
        "apt apt-pkg/acquire-item.cc",
        "E: Failed to fetch http://x/Packages.xz  Hash Sum mismatch",
    ),
    Sentence(
        "apt",
        r"unable to locate package|has no installation candidate",
        "no package source of the machine has the package",
        "Get the lists anew and look: apt-get update; apt-cache policy NAME",
        "apt apt-private/private-cacheset.cc",
        "E: Unable to locate package haproxy",
    ),
    # -- proxies, names and TLS; before those who pass their words on
    Sentence(
        "proxy",
        r"\b407\b.{0,60}(proxy|from proxy|authentication)|proxy authentication required",
        "the proxy wants a name and a password",
        "Give them with its address (http://name:password@proxy:3128), where the proxy is set.",
        "RFC 9110, 15.5.8; curl lib/http_proxy.c",
        "Received HTTP code 407 from proxy after CONNECT",
    ),
    Sentence(
        "proxy",
        r"(could not|couldn't|cannot) resolve proxy|tunnel connection failed|"
        r"proxy CONNECT aborted|response \d+ from proxy|from proxy after CONNECT",
        "the proxy that is set does not let it through, or cannot be found",
        "See what is set: env | grep -i proxy; ask who runs the proxy to allow the address.",
        "curl lib/http_proxy.c; CPython http.client",
        "curl: (56) CONNECT tunnel failed, response 403 from proxy after CONNECT",
    ),
    Sentence(
        "tls",
        r"certificate is not yet valid|certificate has expired|certificate has expired or is not "
        r"yet valid",
        "a certificate is out of its time: it has expired, or the clock here is wrong",
        "Look at the clock first: date; timedatectl. Then at the certificate: openssl s_client "
        "-connect NAME:443 </dev/null | openssl x509 -noout -dates",
        "OpenSSL crypto/x509/x509_txt.c; Go crypto/x509/verify.go",
        "x509: certificate has expired or is not yet valid: current time 2026-01-01",
    ),
    Sentence(
        "tls",
        r"certificate signed by unknown authority|unable to get local issuer certificate|"
        r"self[- ]signed certificate|certificate verif(y|ication) failed|SSL certificate problem",
        "a server shows a certificate of an authority that is not known here; a proxy that looks "
        "into TLS does the same",
        "See who issued it: openssl s_client -connect NAME:443 </dev/null | openssl x509 -noout "
        "-issuer. If it is your own authority: put its certificate into "
        "/usr/local/share/ca-certificates/NAME.crt and run update-ca-certificates",
        "OpenSSL crypto/x509/x509_txt.c; Go crypto/x509/verify.go",
        "x509: certificate signed by unknown authority",
    ),
    Sentence(
        "dns",
        r"temporary failure (in name resolution|resolving)|could not resolve host|"
        r"name or service not known|server misbehaving|no such host",
        "a name does not resolve there",
        "Ask for it, and who is asked: getent hosts NAME; resolvectl status, or cat "
        "/etc/resolv.conf",
        "glibc resolv/gai_strerror.c; curl lib/strerror.c; Go net/dnsclient.go",
        "Temporary failure resolving 'deb.debian.org'",
    ),
    # -- Git
    Sentence(
        "git",
        r"could not read (username|password) for|terminal prompts disabled",
        "Git asks for a name and a password of the repository, and nobody can answer",
        "Give the login of the repository, or use its ssh address with a key that it knows.",
        "git credential.c, compat/terminal.c",
        "fatal: could not read Username for 'https://git.example.org': No such device or address",
    ),
    Sentence(
        "git",
        r"authentication failed for|http basic: access denied|support for password authentication "
        r"was removed",
        "the server of the repository refuses the login",
        "Check the name and the token (a password is no longer taken by most), and its rights.",
        "git http.c; GitLab; GitHub",
        "fatal: Authentication failed for 'https://git.example.org/a.git/'",
    ),
    Sentence(
        "git",
        r"host key verification failed",
        "ssh does not know the host key of the server it was to go to",
        "Get its key, compare its fingerprint with the one its owner publishes, then keep it: "
        "ssh-keyscan NAME",
        "OpenSSH sshconnect.c",
        "Host key verification failed.",
    ),
    Sentence(
        "git",
        r"permission denied \(publickey",
        "the server takes none of the ssh keys that were offered",
        "See which are offered: ssh -v NAME; put the public key where the server keeps them.",
        "OpenSSH sshconnect2.c",
        "git@git.example.org: Permission denied (publickey).",
    ),
    Sentence(
        "git",
        r"dubious ownership",
        "the repository's folder belongs to another user, so Git does not read it",
        "Run it as that user, or: git config --global --add safe.directory FOLDER",
        "git setup.c",
        "fatal: detected dubious ownership in repository at '/srv/git/a'",
    ),
    Sentence(
        "git",
        r"shallow update not allowed|from a shallow repository|source repository is shallow",
        "the repository holds only part of its history (a shallow clone, as CI jobs make)",
        "In it: git fetch --unshallow; in a CI job: fetch-depth: 0 (or GIT_DEPTH: 0)",
        "git builtin/receive-pack.c, builtin/clone.c",
        "! [remote rejected] main -> main (shallow update not allowed)",
    ),
    # -- registries
    Sentence(
        "registry",
        r"toomanyrequests|too many requests|pull rate limit",
        "the registry gives no more for now: too much was asked of it from this address",
        "Log in to it (the bound is higher then), or wait: Docker Hub counts six hours.",
        "distribution specification, error codes",
        "toomanyrequests: You have reached your pull rate limit.",
    ),
    Sentence(
        "registry",
        r"server gave HTTP response to HTTPS client",
        "the registry speaks HTTP without TLS",
        "Give it TLS, or name it as insecure where the program that pulls is configured.",
        "Go net/http/transport.go",
        "http: server gave HTTP response to HTTPS client",
    ),
    Sentence(
        "registry",
        r"unauthorized: |authentication required|denied: requested access|insufficient_scope",
        "the registry wants a login, or the login has no right to this image",
        "Log in as the user who pulls: docker login NAME, or podman login NAME",
        "distribution specification, error codes",
        "unauthorized: authentication required",
    ),
    Sentence(
        "registry",
        r"manifest unknown|manifest for \S+ not found|name unknown|repository name not known",
        "the registry has no such image or tag",
        "Check the name and the tag: skopeo list-tags docker://NAME",
        "distribution specification, error codes",
        "manifest unknown: manifest unknown",
    ),
    Sentence(
        "registry",
        r"no matching manifest for|no match for platform|exec format error",
        "the image is not made for this machine's processor",
        "See for which it is: skopeo inspect --raw docker://NAME; the machine's: uname -m",
        "containerd; execve(2) ENOEXEC",
        "no matching manifest for linux/arm64 in the manifest list entries",
    ),
    # -- shells
    Sentence(
        "shell",
        r"\\r'?: (command )?not found|bad interpreter.{0,20}\^M|/bin/(ba)?sh\^M",
        "a script has the line ends of Windows",
        "Convert it: sed -i 's/\\r$//' FILE; in Git: * text=auto eol=lf in .gitattributes",
        "bash; execve(2)",
        "start.sh: line 2: $'\\r': command not found",
    ),
    Sentence(
        "shell",
        r"fi: command not found|unmatched ['\"]|event not found|if: expression syntax",
        "csh or tcsh was given what was written for sh",
        "Log in as a user whose shell is a POSIX shell: usermod -s /bin/bash {user}",
        "tcsh sh.err.c",
        "fi: Command not found.",
    ),
    Sentence(
        "shell",
        r"restricted: cannot|: restricted$",
        'the login shell of "{user}" is restricted (rbash): it lets only some programs run',
        "Log in as another user, or as root on the machine: usermod -s /bin/bash {user}",
        "bash execute_cmd.c",
        "rbash: /bin/sh: restricted: cannot specify `/' in command names",
    ),
    # -- and last what sudo says when nothing else was the matter
    Sentence(
        "sudo",
        r"a password is required|authentication is required|askpass",
        'sudo asks for the password of "{user}", and none was given',
        "Give the sudo password when asked (or SITEWRIGHT_SUDO_PASSWORD), or allow sudo without "
        "one for the time of the installation.",
        "sudo plugins/sudoers/auth/sudo_auth.c, src/tgetpass.c",
        "sudo: a password is required",
    ),
)
"""Every sentence that is known."""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Sentence], ...]:
    flags = re.IGNORECASE | re.MULTILINE
    return tuple((re.compile(sentence.words, flags), sentence) for sentence in SENTENCES)


LOOKED_AT: Final = 16 * 1024
"""Characters of the end of what was heard that are looked through."""


def understood(
    text: str, *, user: str = "", programs: frozenset[str] | None = None
) -> Meaning | None:
    """What a program's words come to, by the first known sentence in them; None for none.

    `programs` are those that are asked for; all where it is not given.
    """
    heard = text[-LOOKED_AT:]
    for pattern, sentence in _patterns():
        if programs is not None and sentence.program not in programs:
            continue
        if pattern.search(heard):
            who = user or "the user"
            return Meaning(
                sentence.program,
                sentence.meaning.replace('"{user}"' if not user else "{user}", who),
                sentence.remedy.replace("{user}", quote(user) if user else "USER").replace(
                    # In a sudoers file a backslash is written twice.
                    "{sudoer}",
                    user.replace("\\", "\\\\") if user else "USER",
                ),
            )
    return None


_ASKED_FOR: Final = re.compile(
    r"\b(?:password|passwort|kennwort|passphrase|passcode|token|factor|code|pin|otp|one-time"
    r"|verification|user ?name|continue|accept|confirm|press|enter|choose|\(?yes/no|\[?y/n)\b",
    re.IGNORECASE,
)
"""What a login asks for. A start-up file leaves lines open too, and then works: `quota: `."""
_ASKS: Final = re.compile(r"[:>)\]]$")
_ASKS_ALONE: Final = re.compile(
    r"\?$|\bpress\b.{0,60}\b(?:key|enter|return)\b"
    r"|\b(?:password|passphrase|passcode|factor|token|code|pin)$",
    re.IGNORECASE,
)


def asks(line: str) -> bool:
    """Whether a line that has no end yet is a question of a login, which waits for an answer."""
    line = line.strip()
    if _ASKS_ALONE.search(line) is not None:
        return True
    return _ASKS.search(line) is not None and _ASKED_FOR.search(line) is not None
