"""What apt and dpkg say."""

from __future__ import annotations

from typing import Final

from foundation.sentences.model import Sentence

SENTENCES: Final = (
    Sentence(
        "apt",
        r"is expired \(invalid since",
        "a package source of the machine is out of date: a mirror that is renewed no "
        "more, or the machine's clock is ahead",
        "Look at the clock first: timedatectl. If it is right, take a mirror that is "
        "renewed, in /etc/apt/sources.list.d; then: apt-get update",
        "apt apt-pkg/acquire-item.cc",
        "E: Release file for http://x/InRelease is expired (invalid since 2d 9h). "
        "Updates for this repository will not be applied.",
    ),
    Sentence(
        "apt",
        r"does the network require authentication",
        "something between the machine and its package source answers in its place: a "
        "portal, a proxy, a page to log in",
        "See what comes: curl -sI http://NAME/dists/; ask who runs the network to let "
        "the machine through, or set a proxy.",
        "apt methods/gpgv.cc, apt-pkg/acquire-item.cc",
        "E: Failed to fetch http://x/InRelease  Clearsigned file isn't valid, got "
        "'NOSPLIT' (does the network require authentication?)",
    ),
    Sentence(
        "apt",
        r"conflicting values set for option signed-by",
        "one package source of the machine stands in two files, with different keys",
        "Find both and keep one: grep -r NAME /etc/apt/sources.list /etc/apt/sources.list.d",
        "apt apt-pkg/deb/debmetaindex.cc",
        "E: Conflicting values set for option Signed-By regarding source https://x/ "
        "stable: /a.gpg != /b.asc",
    ),
    Sentence(
        "apt",
        r"changed its '[^']+' value from|must be accepted explicitly",
        "a package source of the machine has become another release, which a person is to accept",
        "If that is right (a new stable release of Debian, say): apt-get update "
        "--allow-releaseinfo-change",
        "apt apt-private/private-update.cc",
        "E: Repository 'http://x bookworm InRelease' changed its 'Suite' value from "
        "'stable' to 'oldstable'",
    ),
    Sentence(
        "apt",
        r"malformed (entry|line|stanza) \d+ in|type '[^']*' is not known on "
        r"(line|stanza)|list of sources could not be read",
        "a file of package sources of the machine is broken",
        "Mend the line that it names, below /etc/apt/sources.list.d; then: apt-get update",
        "apt apt-pkg/sourcelist.cc",
        "E: Malformed entry 1 in list file /etc/apt/sources.list.d/x.list (Component)",
    ),
    Sentence(
        "apt",
        r"trying to overwrite '[^']+', which is also in package",
        "two packages bring the same file, mostly one of a maker and one of the distribution",
        "See whose it is: dpkg -S FILE; one of both has to go, and this says what would go with "
        "it: apt-get remove --dry-run NAME",
        "dpkg src/main/archives.c",
        "dpkg: error processing archive /x.deb (--unpack): trying to overwrite "
        "'/usr/bin/x', which is also in package y 1.0",
    ),
    Sentence(
        "apt",
        r"^(E|Err|W): ?.{0,300}\b404\s+not found",
        "a package is not at its source any more: the machine's lists are older than the source",
        "Get the lists anew, and go on: apt-get update",
        "apt methods/http.cc",
        "E: Failed to fetch http://x/a_1.0_amd64.deb  404  Not Found [IP: 10.0.0.1 80]",
    ),
    Sentence(
        "apt",
        r"version '[^']+' for '[^']+' was not found",
        "no package source of the machine has the package in this version",
        "See which there are: apt-get update; apt-cache madison NAME",
        "apt apt-private/private-cacheset.cc",
        "E: Version '1.2' for 'haproxy' was not found",
    ),
    Sentence(
        "apt",
        r"sqv.{0,80}(missing key|policy rejected|not bound)|openpgp signature "
        r"verification failed",
        "a package source of the machine is signed by a key that is not there, has "
        "expired, or uses SHA-1, which apt takes no more",
        "See which source it is: apt-get update; put its maker's current key where its "
        "Signed-By= in /etc/apt/sources.list.d names it.",
        "apt methods/sqv.cc (3.0 and later)",
        "W: OpenPGP signature verification failed: http://x InRelease: Sub-process "
        "/usr/bin/sqv returned an error code (1), error message is: Missing key 0E98",
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
        r"without --allow-(change-held-packages|downgrades|remove-essential)",
        "apt would change packages that are held, or go back to older ones, and nobody agreed to "
        "that",
        "See which: apt-mark showhold; apt-get --dry-run install NAME; let one go with apt-mark "
        "unhold NAME, if whoever held it agrees.",
        "apt apt-private/private-install.cc",
        "E: Held packages were changed and -y was used without --allow-change-held-packages.",
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
    Sentence(
        "apt",
        r"sub-process /usr/bin/dpkg returned an error "
        r"code|(pre|post)-(installation|removal) script subprocess returned error",
        "a package's own script failed on the machine; its words stand above this one",
        "See them: tail -n 60 /var/log/apt/term.log; mend that, then: dpkg --configure -a",
        "apt apt-pkg/deb/dpkgpm.cc; dpkg src/main/script.c",
        "E: Sub-process /usr/bin/dpkg returned an error code (1)",
    ),
)

LAST: Final = (
    Sentence(
        "apt",
        r"unable to fetch some archives",
        "apt could not fetch some of the packages; its lines above this one say which, and why",
        "See whether the machine reaches its package sources: apt-get update",
        "apt apt-private/private-install.cc",
        "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
    ),
)
"""How apt ends after any fetch that failed: asked last of all, for the reason stands before it."""
