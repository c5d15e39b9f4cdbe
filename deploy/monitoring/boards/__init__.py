"""The dashboards."""

from typing import Final

from deploy.monitoring.boards.award import AWARD
from deploy.monitoring.boards.edge import EDGE
from deploy.monitoring.boards.mail import MAIL
from deploy.monitoring.boards.objectives import OBJECTIVES
from deploy.monitoring.boards.stores import STORES
from deploy.monitoring.boards.trust import TRUST

BOARDS: Final = (AWARD, OBJECTIVES, EDGE, MAIL, TRUST, STORES)
