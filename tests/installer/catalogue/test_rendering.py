"""Rendering: a value that is missing is told before anything starts, and nothing else is seen."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.problems import InputProblem
from installer.catalogue.rendering import Renderer

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40)


def test_values_stand_as_they_are(tmp_path: Path) -> None:
    """Nothing is escaped for HTML, and the last line break stays."""
    renderer = Renderer({"name": "a<b>&c"}, tmp_path)
    assert renderer.text("x {{ name }}\n", where="t") == "x a<b>&c\n"


@pytest.mark.parametrize(
    ("template", "line", "name"),
    [
        ("{{ domian }}", 1, "domian"),
        ("a\nb\n{{ nowhere }}", 3, "nowhere"),
        ("{% if missing %}x{% endif %}", 1, "missing"),
        ("\n{% for x in none_such %}{{ x }}{% endfor %}", 2, "none_such"),
        ("{{ hosts.wrong }}", 1, "wrong"),
        ("{{ missing ~ 'x' }}", 1, "missing"),
    ],
)
def test_a_missing_value_is_named_with_its_line(
    template: str, line: int, name: str, tmp_path: Path
) -> None:
    """The problem names the template, the line and the name."""
    renderer = Renderer({"domain": "x", "hosts": {"a": 1}}, tmp_path)
    with pytest.raises(InputProblem) as caught:
        renderer.text(template, where="stages/x.yaml")
    assert caught.value.where == "stages/x.yaml"
    assert f'line {line}: "{name}" has no value' in caught.value.cause


def test_a_role_that_no_machine_has_is_told_and_not_a_setting_called_0(tmp_path: Path) -> None:
    renderer = Renderer({"hosts_by_role": {"box": []}}, tmp_path)
    with pytest.raises(InputProblem) as caught:
        renderer.text("{{ hosts_by_role.box[0].address }}", where="solution.yaml, page X")
    assert "a role that no machine of the site has" in caught.value.cause
    assert "Give each role to a machine in the site file" in caught.value.remedy


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    """A mistyped setting is answered with the one that was probably meant."""
    with pytest.raises(InputProblem, match='did you mean "domain"'):
        Renderer({"domain": "x"}, tmp_path).text("{{ domian }}", where="t")


def test_a_missing_value_cannot_be_excused(tmp_path: Path) -> None:
    """The filter that would let it pass is not there."""
    with pytest.raises(InputProblem):
        Renderer({}, tmp_path).text("{{ nothing | default('x') }}", where="t")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ values.__init__.__globals__ }}",
        "{{ items.append(1) }}",
        "{{ range(1000000000) | list }}",
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ 'a' + 1 }}",
        "{% include 'outside' %}",
        "{% include '../outside' %}",
        "{% include 'itself' %}",
    ],
)
def test_what_a_template_may_not_do(template: str, tmp_path: Path) -> None:
    """It is refused as a problem; nothing else escapes."""
    (tmp_path / "outside").write_text("secret")
    folder = tmp_path / "solution"
    folder.mkdir()
    (folder / "itself").write_text("{% include 'itself' %}")
    with pytest.raises(InputProblem):
        Renderer({"values": {}, "items": []}, folder).text(template, where="t")


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Neither by an include nor by name."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "solution"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    renderer = Renderer({}, folder)
    with pytest.raises(InputProblem):
        renderer.text("{% include 'link' %}", where="t")
    with pytest.raises(InputProblem):
        renderer.file("link")
    with pytest.raises(InputProblem):
        renderer.file("../secret")


def test_a_file_of_the_folder_may_include_another(tmp_path: Path) -> None:
    """Both are rendered with the same values."""
    (tmp_path / "a").write_text("<{% include 'b' %}>")
    (tmp_path / "b").write_text("{{ name }}")
    assert Renderer({"name": "x"}, tmp_path).file("a") == "<x>"


def test_a_template_compiled_once_takes_the_files_and_the_quotes_of_who_fills_it_in(
    tmp_path: Path,
) -> None:
    renderers = []
    for word in ("one", "other"):
        folder = tmp_path / word
        folder.mkdir()
        (folder / "named").write_text(f"of {word}")
        renderers.append(Renderer({"value": f"a {word}"}, folder))
    template = "{{ value }} {% include 'named' %}"
    assert [one.text(template, where="t") for one in renderers] == [
        "a one of one", "a other of other",
    ]  # fmt: skip
    assert renderers[0].script(template, where="t") == "'a one' of one"
    assert renderers[1].yaml("{{ value ~ ':' }}", where="t") == "'a other:'"
    assert renderers[1].text("{{ value ~ ':' }}", where="t") == "a other:"


@given(WORDS)
def test_a_value_in_a_script_is_one_word_whatever_it_is(value: str) -> None:
    """A shell takes it for exactly that text, so that nothing in it is ever run."""
    script = Renderer({"value": value}, Path("/")).script("x {{ value }}", where="t")
    assert shlex.split(script) == ["x", value]


def test_a_real_shell_agrees() -> None:
    """What looks like a command stays a text."""
    value = "'; echo harm; $(echo harm) `echo harm`\\"
    script = Renderer({"value": value}, Path("/")).script("printf %s {{ value }}", where="t")
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout == value


@given(st.text(max_size=60))
def test_no_template_brings_anything_but_a_problem(template: str) -> None:
    """Whatever stands in it."""
    with contextlib.suppress(InputProblem):
        Renderer({"a": 1}, Path("/nowhere")).text("{" + template, where="t")
