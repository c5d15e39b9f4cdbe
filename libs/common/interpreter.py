"""How the interpreter of a service's process is set: its open files, its collector of cycles, turns of its threads."""

import gc
import resource
import sys


def allow_many_files() -> None:
    """Raise the soft limit of open files to what this process may have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def collect_seldom() -> None:
    """Keep the collector of cycles off what lives as long as the process, and off the records of a batch.

    By default it looks at every batch of records hundreds of times, an eighth of the issuer's time. Nearly all of them
    are freed without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def change_threads_often() -> None:
    """Let a thread that waits for the interpreter have it after a millisecond instead of five.

    Each call of the database hands it to a thread and back several times, which in a busy process is most of its time.
    """
    sys.setswitchinterval(0.001)
