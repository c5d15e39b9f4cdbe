"""Issuing: achievements, building credentials and records, prepare and sign, presentations."""

from libs.openbadges.issue.building import CredentialTemplate, Shown
from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import Prepared, prepare, sign, sign_all

__all__ = ["CredentialTemplate", "Prepared", "Shown", "prepare", "record_document", "sign", "sign_all"]
