"""The long random form of the fault tests (`make soak`): kills of everything at random moments, then the count."""

import random
import secrets
import shutil
import sys
import time
from collections import Counter
from typing import Final

import cyclopts

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.problems import StackError
from deploy.embedded.stack import Stack
from tests.conftest import PORT_OFFSET
from tests.faults.hurried import hurry
from tests.faults.promises import Count
from tests.faults.scenario import MAILS_IN_FLIGHT, SERVICES, Scenario

STORES: Final = ("mongodb", "kafka", "smtp")
ALL: Final = ",".join((*SERVICES, *STORES))
_REVOKED_ONE_IN = 100
_STARTS = 5
# Whose death can fall between a mail that was taken over and the note of it.
_REPEATING: Final = ("notifier", "smtp")


class Kills:
    """SIGKILL of a victim drawn by the seed, which is started again and healthy before the next one dies."""

    def __init__(self, stack: Stack, victims: list[str], seed: int) -> None:
        self._stack = stack
        self._victims = victims
        self._chance = random.Random(seed)
        self.done: Counter[str] = Counter()

    def one(self) -> None:
        """Kill one."""
        victim = self._chance.choice(self._victims)
        tell(f"kill {self.done.total() + 1}: {victim}")
        self._stack.restart(victim, wait=0)
        self._until_healthy(victim)
        self.done[victim] += 1

    def _until_healthy(self, victim: str) -> None:
        for attempt in range(_STARTS):
            try:
                self._stack.start(victim)
            except StackError:
                # A service may end by itself where a store that was killed before it comes up again meanwhile.
                if self._stack.running(victim) or attempt == _STARTS - 1:
                    raise
            else:
                return


_BEGUN = time.monotonic()


def tell(progress: str) -> None:
    """Print progress with the seconds since the start."""
    print(f"{time.monotonic() - _BEGUN:7.1f} s  {progress}", flush=True)


def soak(size: int = 20_000, kills: int = 100, seed: int = 0, victims: str = ALL) -> int:
    """Send evidence, kill at random moments, and count what is lost and what is doubled; returns the exit status.

    Args:
        size: pieces of evidence.
        kills: how many in all, spread over the whole way of the evidence.
        seed: of the evidence, the moments and the victims; 0 draws one.
        victims: of these, by commas: evidence, issuer, verifier, notifier, mongodb, kafka, smtp.
    """
    seed = seed or secrets.randbelow(2**31 - 1) + 1
    chosen = victims.split(",")
    unknown = set(chosen) - {*SERVICES, *STORES}
    if unknown:
        print(f"soak: there is no victim {', '.join(sorted(unknown))}; known are {ALL}.", file=sys.stderr)
        return 2
    var = SOURCE_ROOT / "var" / "soak"
    shutil.rmtree(var, ignore_errors=True)
    tell(f"size {size}, kills {kills}, seed {seed}, victims {victims}; data and logs in {var}")
    with Stack(var, PORT_OFFSET) as stack:
        hurry(stack)
        stack.start("mongodb", "kafka")
        stack.start("setup")
        stack.start("smtp", *SERVICES)
        scenario = Scenario(
            stack,
            f"soak-{seed}",
            seed,
            evidence=size,
            batches=max(4, min(kills, size // 100)),
            revoked=max(3, size // _REVOKED_ONE_IN),
        )
        killing = Kills(stack, chosen, seed)
        scenario.run(killing.one, kills, tell)
        tell("all is decided; waiting for announcements, documents, status lists and mails")
        count = scenario.count()
    return report(count, killing.done, seed)


def report(count: Count, kills: Counter[str], seed: int) -> int:
    """Print what was counted; returns 1 where anything is lost, doubled, or mailed again without a kill's excuse."""
    tell(f"counted after {kills.total()} kills ({', '.join(f'{name} {times}' for name, times in kills.most_common())})")
    for name, found in count.found.items():
        print(f"  {found:>9,}  {name}")
    excused = MAILS_IN_FLIGHT * sum(kills[name] for name in _REPEATING)
    print(f"  {count.repeated_mails:>9,}  mails repeated under the same Message-ID, at most {excused} excused by kills")
    for kind, places in (("lost", +count.lost), ("doubled", +count.doubled)):
        print(f"  {places.total():>9,}  {kind}" + "".join(f"; {name}: {times}" for name, times in places.items()))
    failed = bool(+count.lost or +count.doubled or count.repeated_mails > excused)
    print(f"seed {seed}: {'FAILED' if failed else 'nothing lost, nothing doubled'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(cyclopts.run(soak))
