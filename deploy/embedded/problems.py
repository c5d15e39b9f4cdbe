"""What can go wrong with the embedded stack, said in one sentence with what to do about it."""

import errno
from pathlib import Path


class StackError(Exception):
    """A problem that the person at the terminal can solve.

    Attributes:
        what: one sentence that says what is wrong.
        remedy: one sentence that says what to do.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


def from_os_error(error: OSError, path: Path) -> StackError:
    """Turn a failed file operation on `path` into a sentence."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StackError(f"The disk that holds {path} is full.", "Free some space there and start again.")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return StackError(
            f"{path} may not be written by this user.",
            "Change its owner, or name another directory in BOWERBIRD_STACK_VAR.",
        )
    if error.errno == errno.EROFS:
        return StackError(
            f"{path} is on a file system that is mounted read-only.",
            "Name a directory that can be written in BOWERBIRD_STACK_VAR.",
        )
    return StackError(f"{path} cannot be used: {error.strerror or error}.", "Check the path and its permissions.")
