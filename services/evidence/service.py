"""Puts the evidence service together: its settings, routes, consumers and loops."""

from collections.abc import Sequence

from libs.common.mongo import Index
from libs.common.runtime import Plumbing
from libs.common.settings import Settings


class ServiceSettings(Settings):
    """The settings of the evidence service."""


INDEXES: Sequence[Index] = ()


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does."""
