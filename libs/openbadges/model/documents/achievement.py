"""What can be earned, as Open Badges 3.0 describes it: achievements, criteria, alignments, possible results."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from libs.openbadges.model.documents.base import CompactJws, Iri, Many, Part, Text, vocabulary
from libs.openbadges.model.documents.profile import EndorsementCredential, IdentifierEntry, Image, Profile

TargetType = Annotated[
    str,
    vocabulary(
        "ceasn:Competency", "ceterms:Credential", "CFItem", "CFRubric", "CFRubricCriterion",
        "CFRubricCriterionLevel", "CTDL",
    ),
]  # fmt: skip
ResultType = Annotated[
    str,
    vocabulary(
        "GradePointAverage", "LetterGrade", "Percent", "PerformanceLevel", "PredictedScore", "RawScore", "Result",
        "RubricCriterion", "RubricCriterionLevel", "RubricScore", "ScaledScore", "Status",
    ),
]  # fmt: skip
AchievementType = Annotated[
    str,
    vocabulary(
        "Achievement", "ApprenticeshipCertificate", "Assessment", "Assignment", "AssociateDegree", "Award", "Badge",
        "BachelorDegree", "Certificate", "CertificateOfCompletion", "Certification", "CommunityService", "Competency",
        "Course", "CoCurricular", "Degree", "Diploma", "DoctoralDegree", "Fieldwork", "GeneralEducationDevelopment",
        "JourneymanCertificate", "LearningProgram", "License", "Membership", "ProfessionalDoctorate",
        "QualityAssuranceCredential", "MasterCertificate", "MasterDegree", "MicroCredential", "ResearchDoctorate",
        "SecondarySchoolDiploma",
    ),
]  # fmt: skip


class Criteria(Part):
    """What must be shown to earn the achievement: a page, a text, or both (Open Badges 3.0, class Criteria)."""

    id: Iri | None = None
    narrative: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.id is None and self.narrative is None:
            raise ValueError("Criteria need an id or a narrative.")
        return self


class Alignment(Part):
    """The place of an achievement or a level in somebody's framework (Open Badges 3.0, class Alignment)."""

    TYPE: ClassVar[str] = "Alignment"

    type: Many[Text] = Field(["Alignment"])
    target_name: Text = Field(alias="targetName")
    target_url: Iri = Field(alias="targetUrl")
    target_code: Text | None = Field(None, alias="targetCode")
    target_description: Text | None = Field(None, alias="targetDescription")
    target_framework: Text | None = Field(None, alias="targetFramework")
    target_type: TargetType | None = Field(None, alias="targetType")


class RubricCriterionLevel(Part):
    """One level of a rubric (Open Badges 3.0, class RubricCriterionLevel)."""

    TYPE: ClassVar[str] = "RubricCriterionLevel"

    id: Iri
    type: Many[Text] = Field(["RubricCriterionLevel"])
    name: Text
    level: Text | None = None
    points: Text | None = None
    description: Text | None = None
    alignment: Many[Alignment] | None = None


class ResultDescription(Part):
    """What a result of the achievement can be; levels stand lowest first (Open Badges 3.0, class ResultDescription)."""

    TYPE: ClassVar[str] = "ResultDescription"

    id: Iri
    type: Many[Text] = Field(["ResultDescription"])
    name: Text
    result_type: ResultType = Field(alias="resultType")
    required_level: Iri | None = Field(None, alias="requiredLevel")
    required_value: Text | None = Field(None, alias="requiredValue")
    rubric_criterion_level: Many[RubricCriterionLevel] | None = Field(None, alias="rubricCriterionLevel")
    allowed_value: Many[Text] | None = Field(None, alias="allowedValue")
    value_min: Text | None = Field(None, alias="valueMin")
    value_max: Text | None = Field(None, alias="valueMax")
    alignment: Many[Alignment] | None = None

    @model_validator(mode="after")
    def _required_level_exists(self) -> Self:
        levels = [level.id for level in self.rubric_criterion_level or []]
        if self.required_level is not None and self.required_level not in levels:
            raise ValueError(f"The required level {self.required_level} is none of the levels described.")
        if len(set(levels)) != len(levels):
            raise ValueError("Two levels have the same id.")
        return self


class Result(Part):
    """What one learner reached (Open Badges 3.0, class Result)."""

    TYPE: ClassVar[str] = "Result"

    type: Many[Text] = Field(["Result"])
    result_description: Iri | None = Field(None, alias="resultDescription")
    achieved_level: Iri | None = Field(None, alias="achievedLevel")
    value: Text | None = None
    status: Literal["Completed", "Enrolled", "Failed", "InProgress", "OnHold", "Provisional", "Withdrew"] | None = None
    alignment: Many[Alignment] | None = None


class Related(Part):
    """The same achievement in another language or version (Open Badges 3.0, class Related)."""

    TYPE: ClassVar[str] = "Related"

    id: Iri
    type: Many[Text] = Field(["Related"])
    in_language: Text | None = Field(None, alias="inLanguage")
    version: Text | None = None


class Achievement(Part):
    """What can be earned (Open Badges 3.0, class Achievement)."""

    TYPE: ClassVar[str] = "Achievement"

    id: Iri
    type: Many[Text] = Field(["Achievement"])
    name: Text
    description: Text
    criteria: Criteria
    achievement_type: AchievementType | None = Field(None, alias="achievementType")
    alignment: Many[Alignment] | None = None
    creator: Profile | None = None
    credits_available: float | None = Field(None, alias="creditsAvailable")
    endorsement: Many[EndorsementCredential] | None = None
    endorsement_jwt: Many[CompactJws] | None = Field(None, alias="endorsementJwt")
    field_of_study: Text | None = Field(None, alias="fieldOfStudy")
    human_code: Text | None = Field(None, alias="humanCode")
    image: Image | None = None
    in_language: Text | None = Field(None, alias="inLanguage")
    other_identifier: Many[IdentifierEntry] | None = Field(None, alias="otherIdentifier")
    related: Many[Related] | None = None
    result_description: Many[ResultDescription] | None = Field(None, alias="resultDescription")
    specialization: Text | None = None
    tag: Many[Text] | None = None
    version: Text | None = None
