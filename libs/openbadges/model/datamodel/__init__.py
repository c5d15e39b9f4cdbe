"""What the data models say a credential and a presentation must be, for issuing and verifying alike.

One rule per MUST of VCDM 2.0 (sections 4 and 5), of VCDM 1.1 where that is older, and of Bitstring Status List 1.0.
Whether the contexts define every term is not decided here but by canonicalizing.
"""

from libs.openbadges.model.datamodel.credential import check_credential
from libs.openbadges.model.datamodel.presentation import check_presentation
from libs.openbadges.model.datamodel.proof import check_proof_form, check_proof_kind

__all__ = ["check_credential", "check_presentation", "check_proof_form", "check_proof_kind"]
