"""What goes wrong with the embedded stack is told in one sentence with what to do."""

import errno
import os
from pathlib import Path

import pytest

from deploy.embedded import kafka, mongodb, operations, preflight, programs, tansu
from deploy.embedded.layout import KNOWN, SECURED, Layout
from deploy.embedded.problems import StackError, from_os_error


def test_a_busy_port_names_the_port_the_process_that_has_it_and_the_way_out() -> None:
    sentence = str(preflight.busy(27117, "mongodb", "mongod (pid 4711)"))
    assert "Port 27117, which mongodb needs, is used by mongod (pid 4711)." in sentence
    assert "BOWERBIRD_STACK_PORT_OFFSET" in sentence


def test_a_port_of_another_user_is_told_without_guessing_a_name() -> None:
    assert "a process of another user" in str(preflight.busy(8101, "evidence", None))


def test_an_old_python_is_named_with_what_is_needed() -> None:
    with pytest.raises(StackError, match=r"This is Python 3\.10, and Bowerbird needs 3\.11 or later\."):
        preflight.require_machine((3, 10), "linux")


def test_another_operating_system_is_sent_to_the_containers() -> None:
    with pytest.raises(StackError, match="docker compose up"):
        preflight.require_machine((3, 12), "darwin")


def test_a_missing_module_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(StackError, match=r"module no_such_module is missing .*make env"):
        preflight.require_modules(["json", "no_such_module"])


def test_a_disk_that_is_nearly_full_is_refused_with_what_is_free_and_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"has 0\.5 GiB free, and the stack needs 2 GiB"):
        preflight.require_space(tmp_path, 512 * 1024**2)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EACCES, "may not be written by this user"),
        (errno.EROFS, "mounted read-only"),
        (errno.EIO, "cannot be used"),
    ],
)
def test_a_file_operation_that_fails_is_told_with_the_path(number: int, words: str) -> None:
    error = from_os_error(OSError(number, os.strerror(number)), Path("/data/var"))
    assert "/data/var" in error.what
    assert words in error.what
    assert error.remedy


def test_a_directory_with_somebody_elses_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.odt").write_text("years of work", encoding="ascii")
    with pytest.raises(StackError, match=r"holds 'thesis\.odt', which is not the stack's"):
        Layout(tmp_path).create()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.odt"]


def test_the_admin_key_of_the_containers_may_stand_beside_and_survives_an_erase(tmp_path: Path) -> None:
    (tmp_path / "compose").mkdir()
    layout = Layout(tmp_path)
    layout.create()
    layout.erase()
    assert [entry.name for entry in tmp_path.iterdir()] == ["compose"]


def test_a_directory_that_is_not_ours_is_not_erased(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(StackError, match="is not a directory of the embedded stack"):
        Layout(tmp_path).erase()
    assert (tmp_path / "log").is_dir()


def test_erasing_deletes_what_the_stack_keeps_and_nothing_else(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    (layout.mail / "a.eml").write_text("x", encoding="ascii")
    (layout.var / "notes.txt").write_text("mine", encoding="ascii")
    layout.erase()
    assert [entry.name for entry in layout.var.iterdir()] == ["notes.txt"]


def test_everything_that_is_created_is_private(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    assert all(entry.stat().st_mode & 0o077 == 0 for entry in [layout.var, *layout.var.iterdir()])


@pytest.mark.parametrize("offset", ["-1", "x", "40000", "1.5", ""])
def test_a_port_offset_that_makes_no_port_is_refused_by_name(offset: str) -> None:
    with pytest.raises(StackError, match="BOWERBIRD_STACK_PORT_OFFSET"):
        Layout.from_environment({"BOWERBIRD_STACK_PORT_OFFSET": offset})


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        (
            "BOWERBIRD_STACK_PORTOFFSET",
            r"STACK_PORTOFFSET is no .* Did you mean BOWERBIRD_STACK_PORT_OFFSET\?",
        ),
        ("bowerbird_stack_var", r"bowerbird_stack_var is no .* Did you mean BOWERBIRD_STACK_VAR\?"),
        ("BOWERBIRD_KAFKA_BATCH_RECORDS", "BOWERBIRD_KAFKA_BATCH_RECORDS is no .* passes on .* Unset it; known are "),
        ("BOWERBIRD_FOO", "BOWERBIRD_FOO is no .* Unset it"),
    ],
)
def test_a_variable_that_would_be_without_effect_is_refused_by_name(variable: str, words: str) -> None:
    with pytest.raises(StackError, match=words):
        Layout.from_environment({"PATH": "/bin", variable: "3"})


def test_the_stacks_own_variables_and_those_of_others_are_taken() -> None:
    layout = Layout.from_environment({"TEST_PORT_OFFSET": "x", **dict.fromkeys(KNOWN, "7"), SECURED: "true"})
    assert (layout.offset, layout.secured) == (7, True)


def test_whether_the_stores_are_secured_is_said_by_true_or_false_alone() -> None:
    assert not Layout.from_environment({}).secured
    with pytest.raises(StackError, match="BOWERBIRD_STACK_SECURED is 'yes'"):
        Layout.from_environment({SECURED: "yes"})


def test_without_java_the_broker_is_tansu_and_the_notice_says_what_that_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "missing", lambda: "Java 17 or later")
    told: list[str] = []
    assert programs.choose_broker("auto", told.append) == "tansu"
    assert told == ["Java 17 or later is missing, so Apache Kafka cannot run here.", tansu.NOTICE]
    assert "lost when it stops" in tansu.NOTICE


def test_kafka_that_was_asked_for_is_not_replaced_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "missing", lambda: "Maven")
    assert programs.choose_broker("kafka", print) == "kafka"


def test_missing_java_is_told_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "java", lambda: None)
    with pytest.raises(StackError, match="openjdk-17-jre-headless"):
        kafka.require_java()


def test_a_jar_that_is_not_the_expected_one_is_not_run(tmp_path: Path) -> None:
    for name in kafka.expected_jars():
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(StackError, match="is not the file that this repository expects"):
        kafka.verify(tmp_path)


def test_a_library_that_mongodb_lacks_is_named_with_its_package(tmp_path: Path) -> None:
    server = tmp_path / "mongod"
    server.write_text(
        "#!/bin/sh\n"
        "echo 'mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file' >&2\n"
        "exit 127\n",
        encoding="ascii",
    )
    server.chmod(0o700)
    with pytest.raises(StackError, match=r"needs the library libcurl\.so\.4.*apt-get install libcurl4"):
        mongodb.major_version(server)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("write failed: No space left on device", "is full"),
        ("bind failed: Address already in use", "a port that it needs was taken"),
        ("something odd", "It says: something odd"),
    ],
)
def test_a_process_that_does_not_start_is_explained_by_what_it_wrote_last(
    tmp_path: Path, line: str, words: str
) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    layout.log_file("kafka").write_text(f"starting\n{line}\n", encoding="ascii")
    assert words in str(operations.explain(layout, "kafka", "does not start"))


STOPPED = '{"event": "stopped", "level": "info", "service": "issuer"}'


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (
            '{"event": "ended by itself", "level": "error", "exception": "Traceback:\\nOSError: no KEK"}',
            "It says: ended by itself: OSError: no KEK. Its log",
        ),
        ("bowerbird: BOWERBIRD_HTTP_PORT: not a number", "It says: bowerbird: BOWERBIRD_HTTP_PORT: not a number. Its"),
        ("2026-10-12 ERROR the jar is not the expected one\n2026-10-12 INFO bye", "It says: 2026-10-12 ERROR the jar"),
        ('{"event": "slow", "level": "warning"}', f"It says: {STOPPED}. Its log"),
    ],
)
def test_a_service_that_dies_is_explained_by_its_last_error_not_by_its_farewell(
    tmp_path: Path, before: str, words: str
) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    layout.log_file("issuer").write_text(f"{before}\n{STOPPED}\n", encoding="ascii")
    assert words in str(operations.explain(layout, "issuer", "does not start"))
