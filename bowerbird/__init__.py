"""The `bowerbird` command: run a service, prepare topics and indexes, print settings, drive the embedded stack."""

from libs.common import build

__version__ = build.VERSION
