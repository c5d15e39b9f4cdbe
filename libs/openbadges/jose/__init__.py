"""Credentials and presentations as JSON Web Tokens: the Open Badges profile and VC-JOSE-COSE 1.0."""

from libs.openbadges.jose.compact import ALGORITHMS, algorithm_of
from libs.openbadges.jose.envelopes import envelop_credential, envelop_presentation

__all__ = ["ALGORITHMS", "algorithm_of", "envelop_credential", "envelop_presentation"]
