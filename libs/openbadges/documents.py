"""The classes of the Open Badges 3.0 data model with their own field names; extensions are kept."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1)]
Iri = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`]+$")]
TargetType = Literal[
    "ceasn:Competency",
    "ceterms:Credential",
    "CFItem",
    "CFRubric",
    "CFRubricCriterion",
    "CFRubricCriterionLevel",
    "CTDL",
]


class Part(BaseModel):
    """Any object of the data model. What a specification extends it with is kept as it came."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """Write the object as it stands in a credential: absent values left out, the type first given kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Image(Part):
    """A picture: an address or a data URL (Open Badges 3.0, section B.1.13)."""

    id: Iri
    type: Literal["Image"] = "Image"
    caption: Text | None = None


class Criteria(Part):
    """What must be shown to earn the achievement: a page, a text, or both (section B.1.5)."""

    id: Iri | None = None
    narrative: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.id is None and self.narrative is None:
            raise ValueError("Criteria need an id or a narrative.")
        return self


class Alignment(Part):
    """The place of an achievement or a level in somebody's framework (section B.1.4)."""

    type: list[str] = ["Alignment"]
    target_name: Text = Field(alias="targetName")
    target_url: Iri = Field(alias="targetUrl")
    target_code: Text | None = Field(None, alias="targetCode")
    target_description: Text | None = Field(None, alias="targetDescription")
    target_framework: Text | None = Field(None, alias="targetFramework")
    target_type: TargetType | str | None = Field(None, alias="targetType")


class RubricCriterionLevel(Part):
    """One level of a rubric (section B.1.22)."""

    id: Iri
    type: list[str] = ["RubricCriterionLevel"]
    name: Text
    level: Text | None = None
    points: Text | None = None
    description: Text | None = None
    alignment: list[Alignment] | None = None


class ResultDescription(Part):
    """What a result of the achievement can be; levels stand lowest first (section B.1.21)."""

    id: Iri
    type: list[str] = ["ResultDescription"]
    name: Text
    result_type: Text = Field(alias="resultType")
    required_level: Iri | None = Field(None, alias="requiredLevel")
    required_value: Text | None = Field(None, alias="requiredValue")
    rubric_criterion_level: list[RubricCriterionLevel] | None = Field(None, alias="rubricCriterionLevel")
    allowed_value: list[Text] | None = Field(None, alias="allowedValue")
    value_min: Text | None = Field(None, alias="valueMin")
    value_max: Text | None = Field(None, alias="valueMax")
    alignment: list[Alignment] | None = None

    @model_validator(mode="after")
    def _required_level_exists(self) -> Self:
        levels = [level.id for level in self.rubric_criterion_level or []]
        if self.required_level is not None and self.required_level not in levels:
            raise ValueError(f"The required level {self.required_level} is none of the levels described.")
        if len(set(levels)) != len(levels):
            raise ValueError("Two levels have the same id.")
        return self


class Result(Part):
    """What one learner reached (section B.1.20)."""

    type: list[str] = ["Result"]
    result_description: Iri | None = Field(None, alias="resultDescription")
    achieved_level: Iri | None = Field(None, alias="achievedLevel")
    value: Text | None = None
    status: Literal["Completed", "Enrolled", "Failed", "InProgress", "OnHold", "Provisional", "Withdrew"] | None = None
    alignment: list[Alignment] | None = None


class Evidence(Part):
    """What the award rests on (section B.1.12)."""

    type: list[str] = ["Evidence"]
    id: Iri | None = None
    name: Text | None = None
    narrative: Text | None = None
    description: Text | None = None
    genre: Text | None = None
    audience: Text | None = None


class Profile(Part):
    """A school, department or person that issues or created something (section B.1.18)."""

    id: Iri
    type: list[str] = ["Profile"]
    name: Text | None = None
    url: Iri | None = None
    email: Text | None = None
    description: Text | None = None
    image: Image | None = None


class Achievement(Part):
    """What can be earned (section B.1.1)."""

    id: Iri
    type: list[str] = ["Achievement"]
    name: Text
    description: Text
    criteria: Criteria
    achievement_type: Text | None = Field(None, alias="achievementType")
    alignment: list[Alignment] | None = None
    creator: Profile | None = None
    credits_available: float | None = Field(None, alias="creditsAvailable")
    field_of_study: Text | None = Field(None, alias="fieldOfStudy")
    human_code: Text | None = Field(None, alias="humanCode")
    image: Image | None = None
    in_language: Text | None = Field(None, alias="inLanguage")
    result_description: list[ResultDescription] | None = Field(None, alias="resultDescription")
    specialization: Text | None = None
    tag: list[Text] | None = None
    version: Text | None = None


class StatusEntry(Part):
    """Where the credential's status stands (Bitstring Status List 1.0, section 2.1)."""

    id: Iri | None = None
    type: Literal["BitstringStatusListEntry"] = "BitstringStatusListEntry"
    status_purpose: Text = Field(alias="statusPurpose")
    status_list_index: Annotated[str, StringConstraints(pattern=r"^(0|[1-9]\d*)$")] = Field(alias="statusListIndex")
    status_list_credential: Iri = Field(alias="statusListCredential")


class AchievementSubject(Part):
    """Who holds the credential, and what for (section B.1.3)."""

    id: Iri | None = None
    type: list[str] = ["AchievementSubject"]
    identifier: list[dict[str, Any]] | None = None
    achievement: Achievement
    result: list[Result] | None = None
    narrative: Text | None = None
    role: Text | None = None
    term: Text | None = None
    source: Profile | None = None
    credits_earned: float | None = Field(None, alias="creditsEarned")
    activity_start_date: str | None = Field(None, alias="activityStartDate")
    activity_end_date: str | None = Field(None, alias="activityEndDate")

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.id is None and not self.identifier:
            raise ValueError("A subject needs an id or an identifier.")
        return self


class AchievementCredential(Part):
    """An Open Badge (section B.1.2)."""

    context: list[str] = Field(alias="@context")
    id: Iri
    type: list[str]
    name: Text | None = None
    description: Text | None = None
    issuer: Profile | Iri
    valid_from: str = Field(alias="validFrom")
    valid_until: str | None = Field(None, alias="validUntil")
    awarded_date: str | None = Field(None, alias="awardedDate")
    credential_subject: AchievementSubject = Field(alias="credentialSubject")
    credential_status: StatusEntry | list[StatusEntry] | None = Field(None, alias="credentialStatus")
    evidence: list[Evidence] | None = None
    image: Image | None = None
    proof: dict[str, Any] | list[dict[str, Any]] | None = None
