"""Administrators see each other's keys, their last days and when each was used; nobody else does."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from httpx import ASGITransport, AsyncClient

from libs.access.administrator_log import AdministratorLog
from libs.access.administrators import Administrators
from libs.access.api_keys import ALL_ISSUERS, ApiKeys
from libs.access.key_files import add_administrator
from libs.access.key_text import key_id, key_sha256, new_key
from libs.common.health import Health
from libs.common.http import create_app
from services.issuer.access.administrators_api import administrator_routes
from tests.keys_in_memory import MemoryKeys
from tests.unit.test_api_keys import MemoryLog


async def test_administrators_are_listed_for_administrators_with_their_last_use(tmp_path: Path) -> None:
    file, log, schools = tmp_path / "admin-keys", MemoryLog(), MemoryKeys()
    days = [datetime(2027, 6, 29, tzinfo=UTC)]
    add_administrator("second", tmp_path / "second", file, date(2027, 6, 30))
    add_administrator("first", tmp_path / "first", file)
    add_administrator("past", tmp_path / "past", file, date(2027, 6, 28))
    administrators = Administrators(file, now=lambda: days[-1])
    noted = AdministratorLog(administrators, log, ALL_ISSUERS)
    await noted.compare()
    keys = ApiKeys(schools, administrators=administrators)
    app = create_app("issuer", Health())
    app.include_router(administrator_routes(keys, noted))
    first, second = ((tmp_path / name).read_text("ascii").strip() for name in ("first", "second"))
    school = new_key()
    schools.add("wattle", "issuers:write", key=school)

    async with AsyncClient(transport=ASGITransport(app), base_url="http://issuer") as http:

        async def asked(key: str) -> tuple[int, list[dict[str, str | None]]]:
            answer = await http.get("/v1/administrators", headers={"Authorization": f"Bearer {key}"})
            return answer.status_code, answer.json().get("administrators", [])

        assert (await asked(school))[0] == 403
        assert (await asked((tmp_path / "past").read_text("ascii").strip()))[0] == 401
        for _ in range(2):
            await asked(first)
            await noted.write_uses()
            days.append(days[-1] + timedelta(days=1))
        days.pop()
        assert await asked(first) == (
            200,
            [
                {"id": key_id(key_sha256(first)), "name": "first", "last_day": None, "last_used": "2027-06-30"},
                {"id": key_id(key_sha256(second)), "name": "second", "last_day": "2027-06-30", "last_used": None},
            ],
        )
