"""Organisations, issuers and API keys in memory, as the issuer's routes ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.access.key_text import key_sha256, new_key
from libs.access.organisations import Sought
from libs.access.repository import StoredKey
from libs.common.errors import ConflictError, NotFoundError
from libs.contracts.events import IssuerPublished, OrganisationPublished
from libs.contracts.organisations import Closing, FormerName
from services.issuer.access.administration import Made, Words
from services.issuer.organisations.finding import FoundOrganisation
from services.issuer.organisations.publishing import Content, IssuerPart
from tests.issuer_doubles import NOW


@dataclass
class Department:
    """Organisations, issuers and API keys in memory, behind the real routes."""

    organisations: dict[str, OrganisationPublished] = field(default_factory=dict)
    issuers_known: dict[str, IssuerPublished] = field(default_factory=dict)
    api_keys: dict[str, list[StoredKey]] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    trouble: dict[str, Exception] = field(default_factory=dict)

    async def apply(
        self, id_: str, name: str, content: Content, issuer: IssuerPart | None, _by: object
    ) -> tuple[OrganisationPublished, bool]:
        problem = self.trouble.pop(id_, None)
        if problem is not None:
            raise problem
        if content.parent is not None and content.parent not in self.organisations:
            raise ConflictError(f"the parent {content.parent} is not known")
        self.published.append(id_)
        was = self.organisations.get(id_)
        said = {each: getattr(content, each) for each in ("kind", "parent", "identifiers", "opened_on")}
        version = 1 if was is None else was.version + 1
        self.organisations[id_] = OrganisationPublished(
            organisation_id=id_, version=version, name=name, registered_at=NOW, published_at=NOW, **said
        )
        known = self.issuers_known.get(id_)
        profile = {each: getattr(issuer.profile, each) for each in issuer.profile.__slots__} if issuer else {}
        if issuer is not None or known is not None:
            kept = {} if known is None else known.model_dump()
            content_ = {"did": "did:web:x", "did_document": "{}", "published_at": NOW, "issuer_id": id_, "name": name}
            self.issuers_known[id_] = IssuerPublished(**kept | content_ | profile | {"parent": self.nearest(id_)})
        return self.organisations[id_], was is None

    def nearest(self, id_: str) -> str | None:
        above = self.organisations[id_].parent
        for _ in self.organisations:
            if above is None or above in self.issuers_known:
                break
            above = self.organisations[above].parent
        return above if above in self.issuers_known else None

    def there(self, id_: str) -> OrganisationPublished:
        if id_ not in self.organisations:
            raise NotFoundError.for_caller("no organisation")
        return self.organisations[id_]

    async def rename(self, id_: str, name: str, since: Any, _by: object) -> OrganisationPublished:
        was = self.there(id_)
        names = (FormerName(name=was.name, until=since),)
        self.organisations[id_] = was.model_copy(update={"name": name, "former_names": names})
        return self.organisations[id_]

    async def close(self, id_: str, closing: Closing, _by: object) -> OrganisationPublished:
        self.organisations[id_] = self.there(id_).model_copy(update={"closing": closing})
        return self.organisations[id_]

    async def reopen(self, id_: str, _by: object) -> OrganisationPublished:
        self.organisations[id_] = self.there(id_).model_copy(update={"closing": None})
        return self.organisations[id_]

    async def whole(self, organisations: Sequence[OrganisationPublished]) -> list[FoundOrganisation]:
        return [
            FoundOrganisation(
                each,
                self.issuers_known.get(each.organisation_id),
                len(self.api_keys.get(each.organisation_id, ())),
            )
            for each in organisations
        ]

    async def page(
        self, _caller: object, _below: object, _sought: Sought, after: str, limit: int
    ) -> list[FoundOrganisation]:
        return await self.whole(
            [self.organisations[each] for each in sorted(self.organisations) if each > after][:limit]
        )

    async def one(self, _caller: object, id_: str) -> FoundOrganisation:
        return (await self.whole([self.there(id_)]))[0]

    async def issuers(self, *_: object, after: str, limit: int, **__: object) -> list[IssuerPublished]:
        return [each for id_, each in sorted(self.issuers_known.items()) if id_ > after][:limit]

    async def is_known(self, tenant: str) -> bool:
        return tenant in self.organisations

    async def make(self, id_: str, name: str, scopes: Sequence[str], _expires: object, _by: object) -> Made:
        key = new_key()
        stored = StoredKey(key_sha256(key), id_, name, frozenset(scopes), NOW, "administrator:first", None, NOW, NOW)
        self.api_keys.setdefault(id_, []).append(stored)
        return Made(key, stored)

    async def keys(self, id_: str) -> list[StoredKey]:
        return self.api_keys.get(id_, [])

    async def words(self, _id: str, keys: Sequence[StoredKey]) -> dict[str, Words]:
        return {each.sha256: Words() for each in keys}

    async def withdraw(self, _id: str, key: str, _reason: object, *, with_made: bool, by: object) -> list[StoredKey]:
        self.withdrawn.append(key)
        return []
