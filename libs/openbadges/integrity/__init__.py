"""Data Integrity proofs (W3C Data Integrity 1.0): cryptosuites, creating and checking proofs."""

from libs.openbadges.integrity.check import check_all_proofs
from libs.openbadges.integrity.create import secure
from libs.openbadges.integrity.suites import SIGN_SUITES, VERIFY_SUITES

__all__ = ["SIGN_SUITES", "VERIFY_SUITES", "check_all_proofs", "secure"]
