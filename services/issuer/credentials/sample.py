"""An achievement that says little, of which a credential is prepared to see whether its issuer can stand in one."""

from datetime import datetime

from libs.contracts.events import AchievementLevel, AchievementPublished
from libs.contracts.results import SoloLevel


def sample_achievement(owner: str, at: datetime) -> AchievementPublished:
    """Return it; it is never published."""
    level = AchievementLevel(level=SoloLevel.RELATIONAL, name="Relational", description="A sample.")
    return AchievementPublished(
        owner=owner,
        achievement_id="sample",
        version=1,
        name="Sample",
        description="A sample.",
        criteria="A sample.",
        levels=[level],
        published_at=at,
    )
