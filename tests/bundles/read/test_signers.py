"""allowed_signers files, each line held against `ssh-keygen -Y verify`: whom it takes, we take."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundles.format.problems import SignatureProblem
from bundles.read.signature import NAMESPACE, load_signing_key, sign, verify
from bundles.read.signers import parse_signers, read_signers
from foundation.name_patterns import matches_list
from foundation.problems import InputProblem
from tests.bundles.conftest import Keys
from tests.foundation.sshd import keygen

MESSAGE = b'{"the": "index"}\n'
MOMENT = "20270601120000Z"
NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
PRINCIPALS = (
    "maker@example.org", "*", "m?ker@example.org", "*@example.org,!maker@example.org",
    "!maker@example.org,*", "!*", "!other", "maker@example.org,!maker@example.org",
    "other,maker@example.org", '"a b"', '"maker@example.org"', 'ma"ker@example.org"', '"no end',
    "[m]aker@example.org", "MAKER@EXAMPLE.ORG", ",", ",,maker@example.org", "maker@example.org,",
    "**", "?", "*,!?", '"maker@example.org"x', "one\x0cmaker@example.org", "maker@example.org\x85",
)  # fmt: skip
OPTIONS = (
    "", 'namespaces="sitewright-bundle"', 'namespaces="git"', 'namespaces="*"',
    'namespaces="*,!sitewright-bundle"', 'namespaces="git,sitewright-*"',
    'namespaces="[s]itewright-bundle"', 'namespaces="Sitewright-Bundle"', 'namespaces=""',
    "namespaces=sitewright-bundle", 'NAMESPACES="sitewright-bundle"',
    'namespaces="a",namespaces="sitewright-bundle"', 'namespaces="sitewright-bundle',
    'namespaces="sitewright\\"-bundle"', "cert-authority", "CERT-AUTHORITY", "cert-authorityx",
    'cert-authority,namespaces="sitewright-bundle"', 'cert-authority="yes"',
    'valid-after="20270101"', 'valid-after="20270101Z"', 'valid-after="20280101Z"',
    'valid-before="20280101Z"', 'valid-before="20270101Z"', 'valid-before="202801011200Z"',
    'valid-before="20270601120000Z"', 'valid-before="20270601115959Z"',
    'valid-after="20270601120000Z"', 'valid-after="20270601120001Z"',
    'valid-before="2028010112003Z"', 'valid-before="20281301Z"', 'valid-before="tomorrow"',
    "valid-before=20280101Z", 'valid-before=""', 'valid-before="Z"', 'valid-before="20280101z"',
    'valid-after="20260101Z",valid-before="20280101Z"',
    'valid-after="20280101Z",valid-before="20260101Z"',
    'valid-after="20270101Z",valid-after="20270102Z"', 'valid-after="19700101Z"',
    'valid-after="20270101Z",', ',valid-after="20270101Z"', 'valid-after="20270101Z"junk',
    'valid-after="20270101Z",,namespaces="*"', "only-on-mondays", 'only-on-mondays="yes"',
    'namespaces="*" valid-after="20280101Z"', 'namespaces="a b,sitewright-bundle"',
)  # fmt: skip


def whole_lines(public: str, other: str) -> Iterator[str]:
    kind, blob, *_ = public.split()
    yield f"  \t maker@example.org\t{kind}\t{blob}\ta comment # and more"
    yield f"maker@example.org {kind} {blob}\r"
    yield f"maker@example.org ED25519 {blob}"
    yield f"maker@example.org ssh-rsa {blob}"
    yield f"maker@example.org {kind} {blob}AAAA"
    yield f"maker@example.org {kind} {blob[:-4]}"
    yield f"maker@example.org {kind} {blob[:-1]}!"
    yield f"maker@example.org {kind}"
    yield "maker@example.org"
    yield f"{kind} {blob}"
    yield f"# maker@example.org {kind} {blob}"
    yield f"maker@example.org {kind} {blob[:20]} {blob[20:]}"
    for blank in "\x0b\x0c\x1c\x85\xa0\u2003":
        yield f"maker@example.org {kind} {blob[:20]}{blank}{blob[20:]}"
    yield f"nonsense\n\nmaker@example.org {public}"
    yield f"maker@example.org only-on-mondays {public}\nmaker@example.org {public}"
    yield f'maker@example.org namespaces="git" {public}\nmaker@example.org {public}'
    yield f"maker@example.org {other}\nmaker@example.org {public}"
    yield f"maker@example.org {other}"
    yield f"maker@example.org\x0b{public}"
    yield f"a b maker@example.org {public}"
    yield ""


@pytest.fixture(scope="module")
def signed(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("signed") / "index.json.sig"
    file.write_bytes(sign(MESSAGE, load_signing_key(keys.key)))
    return file


def openssh_takes(allowed: Path, signature: Path, names: Sequence[str]) -> bool:
    """Whether ssh-keygen calls the signature good for one of some names."""
    words = ("ssh-keygen", "-q", "-Y", "verify", "-f", str(allowed), "-n", NAMESPACE)
    more = ("-s", str(signature), "-O", f"verify-time={MOMENT}")
    return any(
        subprocess.run(
            [*words, "-I", name, *more], input=MESSAGE, capture_output=True, check=False
        ).returncode
        == 0
        for name in names
    )


def we_take(text: str, signature: Path) -> bool:
    try:
        signers = parse_signers(text, where="x", now=NOW)
        verify(MESSAGE, signature.read_bytes(), signers, where="x")
    except (InputProblem, SignatureProblem):
        return False
    return True


def test_whom_ssh_keygen_takes_we_take_and_nobody_else(
    keys: Keys, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    public = keys.key.with_suffix(".pub").read_text().strip()
    other = keygen(tmp_path / "other").with_suffix(".pub").read_text().strip()
    patterns = [f"{names} {public}" for names in PRINCIPALS]
    texts = [f"maker@example.org {options} {public}" for options in OPTIONS if options]
    texts += whole_lines(public, other)

    def both(number: int) -> tuple[bool, bool]:
        text = (patterns + texts)[number]
        allowed = tmp_path / str(number)
        allowed.write_bytes(text.encode() + b"\n")
        # A pattern is also the name of somebody who is called so.
        alike = (PRINCIPALS[number].strip('"'), "@example.org", "x") if text in patterns else ()
        theirs = openssh_takes(allowed, signed, ("maker@example.org", *alike))
        return theirs, we_take(text + "\n", signed)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(both, range(len(patterns + texts))))
    pairs = zip(patterns + texts, answers, strict=True)
    differ = [
        (text.replace(public, "KEY"), theirs) for text, (theirs, ours) in pairs if theirs != ours
    ]
    assert not differ, "\n".join(map(repr, differ))
    taken = sum(theirs for theirs, _ in answers)
    assert 20 < taken < len(answers) - 20


def test_a_line_that_is_passed_over_is_told_where_another_counts(
    keys: Keys, tmp_path: Path
) -> None:
    public = keys.key.with_suffix(".pub").read_text().strip()
    file = tmp_path / "signers"
    file.write_text(f"maker only-on-mondays {public}\n\nmaker {public}\n")
    told: list[str] = []
    assert [one.name for one in read_signers(file, told=told.append)] == ["maker"]
    assert len(told) == 1
    assert "line 1" in told[0]


def test_a_file_that_is_missing_too_large_or_no_text_is_a_problem(
    keys: Keys, tmp_path: Path
) -> None:
    file = tmp_path / "signers"
    with pytest.raises(InputProblem, match="cannot be read"):
        read_signers(file)
    file.write_bytes(b"\xff\xfe\0 \n")
    with pytest.raises(InputProblem, match="may sign"):
        read_signers(file)
    file.write_bytes(b"#" * (2 << 20))
    with pytest.raises(InputProblem, match="more than"):
        read_signers(file)


def test_patterns_are_openssh_s_and_take_no_time() -> None:
    assert matches_list("a.b", "a.b")
    assert not matches_list("axb", "a.b")
    assert not matches_list("a", "[a]")
    assert not matches_list("a" * 3000, "*a*a*a*a*a*a*a*a*b")
    assert not matches_list("x", "x" * 2000 + ",x")
