"""Credentials and presentations as JSON Web Tokens: the Open Badges profile and VC-JOSE-COSE 1.0."""

from libs.openbadges.jose.compact import ALGORITHMS, algorithm_of
from libs.openbadges.jose.envelopes import envelop_credential, envelop_presentation
from libs.openbadges.jose.signing import sign_open_badge_jwt, sign_vc_jwt, sign_vp_jwt

__all__ = [
    "ALGORITHMS",
    "algorithm_of",
    "envelop_credential",
    "envelop_presentation",
    "sign_open_badge_jwt",
    "sign_vc_jwt",
    "sign_vp_jwt",
]
