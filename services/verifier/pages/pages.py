"""Renders the HTML pages: templates with everything escaped, one style sheet inside, its hash in the policy."""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any
from uuid import UUID

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from libs.contracts.reasons import REVOCATION_MEANINGS, RevocationReason
from libs.openbadges.model.documents import Achievement
from libs.openbadges.verify import Report
from services.verifier.material.affiliation import Affiliation
from services.verifier.pages.achievement import view_of
from services.verifier.pages.badge import badge_of, in_zone, mark_of
from services.verifier.pages.headers import page_policy
from services.verifier.pages.linkedin import linkedin_form

# A revocation must show within seconds, through any cache on the way.
PAGE_SECONDS = 2
# A version never changes; its owner's name, which stands on its page, may.
ACHIEVEMENT_SECONDS = 60
FORM_SECONDS = 60
NOBODY = Affiliation()
NOTHING_IN: Mapping[str, str] = {"baked_none": "picture", "file_kind": "file", "not_svg": "file"}
"""What a file is called that holds no credential, by the code of the check `format`."""
REVOKED_BECAUSE: Mapping[RevocationReason, str] = {
    reason: words for reason, words in REVOCATION_MEANINGS.items() if reason is not RevocationReason.OTHER
}
"""Why a badge was revoked, as its page tells; nothing where the issuer gave no reason that says anything."""


class Pages:
    """The pages of the verifier; they carry their style inside and use no script."""

    def __init__(self) -> None:
        style = (resources.files(__package__) / "templates" / "style.css").read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._policy = page_policy(digest)
        self._form_policy = page_policy(digest, form=True)
        self._environment = Environment(
            loader=PackageLoader("services.verifier.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["in_zone"] = in_zone
        self._environment.globals["style"] = Markup(style)  # noqa: S704  # our own file
        self._badge = self._environment.get_template("badge.html")
        self._achievement = self._environment.get_template("achievement.html")
        self._message = self._environment.get_template("message.html")
        self._check = self._environment.get_template("check.html")
        self._checked = self._environment.get_template("checked.html")

    def badge(
        self,
        badge_id: UUID,
        document: Mapping[str, Any],
        report: Report,
        public_base: str,
        affiliation: Affiliation = NOBODY,
        *,
        revocation_reason: RevocationReason | None = None,
        superseded_by: UUID | None = None,
    ) -> HTMLResponse:
        """The page of a badge with the verdicts on it; its address stands below `public_base`.

        LinkedIn is offered for a good badge of an issuer that says that its learners are old enough for it.
        """
        badge = badge_of(document, report)
        address = f"{public_base}/badges/{badge_id}"
        may_show = badge.verdict == "pass" and affiliation.learners_from_16
        html = self._badge.render(
            id=badge_id,
            badge=badge,
            address=address,
            achievements=f"{public_base}/achievements/",
            linkedin=linkedin_form(badge, address, affiliation.zone) if may_show else None,
            revoked_because=REVOKED_BECAUSE.get(revocation_reason) if revocation_reason else None,
            superseded_by=superseded_by,
            zone=affiliation.zone,
            department=affiliation.department,
        )
        return self._answer(html, 200, f"public, max-age={PAGE_SECONDS}")

    def achievement(self, achievement: Achievement) -> HTMLResponse:
        """The page of one version of an achievement."""
        view = view_of(achievement)
        picture = Markup(view.picture)  # noqa: S704  # our own drawing, which escapes the texts in it
        html = self._achievement.render(achievement=view, picture=picture)
        return self._answer(html, 200, f"public, max-age={ACHIEVEMENT_SECONDS}")

    def check(self, public_base: str, *, status: int = 200, problem: str | None = None) -> HTMLResponse:
        """The form by which anybody checks a badge; with what was wrong with what was sent, where something was."""
        html = self._check.render(public_base=public_base, problem=problem)
        cache = f"public, max-age={FORM_SECONDS}" if problem is None else "no-store"
        return self._answer(html, status, cache, self._form_policy)

    def checked(self, report: Report, affiliation: Affiliation = NOBODY) -> HTMLResponse:
        """The verdicts on what somebody sent. Its texts are shown; no link and no picture of it is."""
        html = self._checked.render(
            badge=badge_of(report.credential or {}, report),
            zone=affiliation.zone,
            department=affiliation.department,
            readable=report.credential is not None,
            attached=report.check("format").code == "credential_attached",
            nothing=NOTHING_IN.get(report.check("format").code),
            embedded=[
                (badge_of(one.credential or {}, one).title, mark_of(one), one.summary) for one in report.embedded
            ],
        )
        return self._answer(html, 200, "no-store", self._form_policy)

    def message(self, status: int, heading: str, *paragraphs: str) -> HTMLResponse:
        """A page that says why there is no other."""
        return self._answer(self._message.render(heading=heading, paragraphs=paragraphs), status, "no-store")

    def _answer(self, html: str, status: int, cache: str, policy: str | None = None) -> HTMLResponse:
        return HTMLResponse(html, status, {"Content-Security-Policy": policy or self._policy, "Cache-Control": cache})
