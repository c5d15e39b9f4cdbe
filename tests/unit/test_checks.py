"""What is asked before a change is taken: is a secret in it, may its libraries be used, is something known of them?"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from checks import advisories, licences, secrets
from checks.licences import Judged, Library
from libs.access.key_text import new_key
from libs.openbadges.crypto import base58btc

# Put together here, so that this file holds none of them.
_PRIVATE_KEY = "-----BEGIN " + "PRIVATE KEY-----"
_GITHUB = "ghp" + "_" + "n0Tr3aLbUtL00ks" + "L1k3oNe4tEsTs" + "0nLy12345"
_SEED = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA" + "="
# The secret half of an Ed25519 key as a Multikey (CID 1.0, section 2.2.2).
_SIGNING_KEY = "z" + base58btc.encode(b"\x80\x26" + bytes(range(32)))
_IN_A_URL = "https://school:" + "correct-horse@store.example/"


def scanned(place: Path, name: str, text: str) -> list[str]:
    file = place / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [each.kind for each in secrets.scan(place, [name])]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"key = '{new_key()}'", "Bowerbird Key"),
        (f"# {new_key()[:-1]}", "Bowerbird Key"),
        (_SIGNING_KEY, "Bowerbird Key"),
        (f"{_SEED}\n", "Bowerbird Key"),
        (_PRIVATE_KEY, "Private Key"),
        (_GITHUB, "GitHub Token"),
    ],
)
@pytest.mark.parametrize("name", ["services/a.py", "tests/unit/a.py", "a.md", "deploy/a.yml"])
def test_a_secret_of_a_known_form_is_found_wherever_it_stands(tmp_path: Path, name: str, text: str, kind: str) -> None:
    assert kind in scanned(tmp_path, name, f"first line\n{text}")


def test_a_password_in_a_url_is_found_outside_of_tests(tmp_path: Path) -> None:
    assert scanned(tmp_path, "deploy/a.yml", _IN_A_URL) == ["Basic Auth Credentials"]
    assert scanned(tmp_path, "tests/unit/a.py", _IN_A_URL) == []


def test_what_is_found_is_told_with_its_line_and_without_itself(tmp_path: Path) -> None:
    key = new_key()
    (tmp_path / "a.py").write_text(f"\n\nkey = '{key}'\n", encoding="ascii")
    told = "\n".join(secrets.faults(secrets.scan(tmp_path, ["a.py"]), {}))
    assert "a.py:3: looks like a secret: Bowerbird Key" in told
    assert key[:12] not in told


def test_a_secret_that_a_commit_added_is_found_after_another_took_it_out(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        named = ("-c", "user.name=A", "-c", "user.email=a@x.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *named, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet")
    for text in (_PRIVATE_KEY, "nothing"):
        (tmp_path / "a.py").write_text(f"# {text}\n", encoding="ascii")
        git("add", "a.py")
        git("commit", "--quiet", "--message", "A change")
    assert scanned(tmp_path, "b.py", "") == []
    assert secrets.scan(tmp_path, ["a.py"]) == set()
    (found,) = secrets.scan_earlier(tmp_path)
    assert (found.file, found.kind) == ("a.py", "Private Key")
    assert secrets.unknown([found], {}) == [found]
    assert secrets.unknown([found], {("a.py", "Private Key"): "made up"}) == []


def test_what_is_known_to_be_none_passes_until_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(_GITHUB, encoding="ascii")
    found = secrets.scan(tmp_path, ["a.md"])
    known = {("a.md", each.sha1): "made up" for each in found}
    assert list(secrets.faults(found, known)) == []
    assert len(list(secrets.faults([], known))) == 1
    assert list(secrets.faults(found, {("a.md", "GitHub Token"): "made up"})) == []
    assert len(list(secrets.faults(found, {("b.md", "GitHub Token"): "made up"}))) == 2


def test_files_that_git_does_not_know_are_not_looked_at(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("known.py", "unknown.py"):
        (tmp_path / name).touch()
    subprocess.run(["git", "-C", tmp_path, "add", "known.py"], check=True)
    assert secrets.tracked(tmp_path) == ["known.py"]


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only", False),
        ("MIT AND LGPL-3.0-or-later", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("AGPL-3.0-or-later", False),
        ("see the file", False),
        ("(MIT", False),
    ],
)
def test_a_licence_passes_where_some_way_through_it_is_on_the_list(expression: str, verdict: bool) -> None:
    assert licences.allowed(expression) is verdict


def test_a_library_without_a_licence_is_a_fault_until_somebody_has_judged_it_and_again_when_it_changes() -> None:
    silent, spoken = Library("Quiet_Lib", None), Library("Quiet_Lib", "GPL-3.0-only")
    judged = {"quiet-lib": Judged("MIT", None, "as its file says")}
    assert len(list(licences.faults(silent, {}))) == 1
    assert list(licences.faults(silent, judged)) == []
    assert len(list(licences.faults(spoken, judged))) == 1


def test_what_is_compiled_into_a_library_counts_too() -> None:
    library = Library("fast", "MIT", {"copied 1.0": "GPL-2.0-only", "other 2.0": "MIT OR Apache-2.0"})
    assert list(licences.faults(library, {})) == ["fast contains copied 1.0, which is under GPL-2.0-only"]


def test_the_names_of_a_lock_are_those_of_this_platform() -> None:
    lock = (
        "# a comment\none==1.0 \\\n    --hash=sha256:00\ntwo==2.0 ; sys_platform == 'none' \\\n    --hash=sha256:00\n"
    )
    assert list(licences.locked(lock)) == ["one"]


def known(name: str, *ids: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [{"id": each, "fix_versions": ["1.1"]} for each in ids]}


def test_an_advisory_is_a_fault_unless_it_was_accepted() -> None:
    report = {"dependencies": [known("good"), known("bad", "A-1", "A-2")]}
    assert list(advisories.faults(report, {"A-1": "not used"})) == ["bad 1.0: A-2, fixed in 1.1"]


def test_every_lock_is_asked_about_and_one_without_an_answer_hides_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def answer(lock: Path) -> dict[str, Any] | str:
        asked.append(lock.stem)
        return "no answer" if lock.stem == "embedded" else {"dependencies": [known(lock.stem, "A-1")]}

    monkeypatch.setattr(advisories, "ask_of", answer)
    report = advisories.ask()
    assert sorted(asked) == ["dev", "embedded", "runtime"]
    assert not isinstance(report, str)
    assert len(list(advisories.faults(report, {}))) == 2
    assert advisories.unanswered(report) == 1


def test_where_nobody_answers_of_any_lock_that_is_all_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "ask_of", lambda _: "no answer")
    assert advisories.ask() == "no answer"


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        ("no answer within 20 seconds", 0, "NOT PROVEN HERE: no answer"),
        ({"dependencies": [{"name": "lost", "skip_reason": "not found"}]}, 0, "NOT PROVEN HERE: of 1 of 1"),
        ({"dependencies": [known("good")]}, 0, "1 libraries looked up, 0 with"),
        ({"dependencies": [known("bad", "A-1")]}, 1, "bad 1.0: A-1"),
    ],
)
def test_what_nobody_answers_is_said_and_stops_nothing_and_what_is_known_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Any, status: int, told: str
) -> None:
    monkeypatch.setattr(advisories, "ask", lambda: answer)
    assert advisories.main() == status
    assert told in capsys.readouterr().out
