"""What documents have `docker compose` do, read as its command line reads it: there is no engine to ask in a test."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from deploy.embedded.layout import SOURCE_ROOT

CONTAINERS: Final[dict[str, Any]] = yaml.safe_load((SOURCE_ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
OURS: Final = ("python", "-m", "bowerbird")
"""The entry point of our image (deploy/Dockerfile)."""
# Those that documents use, and whether a value follows.
_OPTIONS: Final = {
    "exec": {"-T": False},
    "kill": {"--signal": True},
    "logs": {"--since": True, "--tail": True},
    "ps": {},
    "restart": {},
    "rm": {"--force": False, "--stop": False},
    "run": {"--entrypoint": True, "--no-deps": False, "--rm": False},
    "stop": {},
    "up": {"--build": False, "--detach": False, "--force-recreate": False, "--scale": True},
}
_STANDS_FOR: Final = {"SERVICE": "issuer", "EXPORTER": "kafka-exporter"}


@dataclass(frozen=True)
class Call:
    """One call of `docker compose`.

    Attributes:
        verb: what it does.
        services: those that it names; of `run` and `exec` the one.
        program: what `run` and `exec` start there, without arguments.
        words: its arguments.
        behind: the shell's pipe that reads its output; empty where there is none.
    """

    verb: str
    services: tuple[str, ...]
    program: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    behind: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it runs a command of ours."""
        return self.program == OURS

    def writes(self, folder: str) -> bool:
        """Return whether its container may write in a folder that a volume is mounted at.

        Raises:
            StopIteration: none is.
        """
        mounts = map(_mount, CONTAINERS[self.services[0]].get("volumes", ()))
        return next(may_write for target, may_write in mounts if target == folder)


def _mount(volume: str | dict[str, Any]) -> tuple[str, bool]:
    if isinstance(volume, dict):
        return volume["target"], not volume.get("read_only", False)
    target, *mode = volume.split(":")[1:]
    return target, "ro" not in mode


def read(command: str) -> Call:
    """Return the call, with a service of ours in place of `SERVICE`.

    Raises:
        ValueError: `docker compose` knows no such verb, option or service.
    """
    line, _, behind = command.partition(" | ")
    for name, service in _STANDS_FOR.items():
        line = line.replace(name, service)
    docker, compose, verb, *rest = shlex.split(line)
    if (docker, compose) != ("docker", "compose") or verb not in _OPTIONS:
        raise ValueError(f"no call of docker compose: {command}")
    words = iter(rest)
    options, named = _options(verb, words)
    if verb not in {"run", "exec"}:
        services = (*([named] if named else []), *words)
        _require(services, command)
        return Call(verb, services, behind=behind)
    _require((named,), command)
    program, arguments = _started(verb, named, options, tuple(words))
    return Call(verb, (named,), program, arguments, behind)


def _options(verb: str, words: Iterator[str]) -> tuple[dict[str, str], str]:
    """Return the options, and the first word behind them; empty where there is none."""
    found: dict[str, str] = {}
    for word in words:
        if not word.startswith("-"):
            return found, word
        if word not in _OPTIONS[verb]:
            raise ValueError(f"docker compose {verb} has no option {word}")
        found[word] = next(words) if _OPTIONS[verb][word] else ""
    return found, ""


def _require(services: tuple[str, ...], command: str) -> None:
    if unknown := set(services) - CONTAINERS.keys():
        raise ValueError(f"no service {', '.join(sorted(unknown))}: {command}")


def _started(
    verb: str, service: str, options: dict[str, str], words: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    container = CONTAINERS[service]
    if verb == "exec":
        return (OURS, words[3:]) if words[:3] == OURS else (words[:1], words[1:])
    if "--entrypoint" in options:
        return (options["--entrypoint"],), words
    if "entrypoint" in container or not container["image"].startswith("bowerbird:"):
        raise ValueError(f"{service} is not run by hand")
    return OURS, words or tuple(container["command"])


def here(word: str, container: str = "prometheus") -> str:
    """Return a path in a container as the file of this repository that is mounted there; another word as it is."""
    for source, target, *_ in (volume.split(":") for volume in CONTAINERS[container]["volumes"]):
        if source.startswith("./") and word.startswith(f"{target}/"):
            return f"{source.removeprefix('./')}{word.removeprefix(target)}"
    return word
