"""What an audit can find: the checks by name, and one thing that is not as promised."""

from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from libs.contracts.events import CredentialDocument, Event
from services.issuer.keys.repository import StoredKey
from services.issuer.status.entry import StatusEntry
from services.issuer.status.repository import ShownList

CHECKS: Final = {
    "rows_undecided": "rows that were accepted long ago and have no decision",
    "rows_too_many": "batches that have more rows with a state than they received",
    "rows_differ": "rows whose state is not that of their decision",
    "credentials_without_decision": "credentials that no decision issued",
    "decisions_without_credential": "decisions that issued a credential which is not there",
    "badges_differ": "credentials that the verifier shows otherwise, or not at all",
    "badges_unknown": "badges that are shown and were never issued",
    "revocations_not_shown": "revoked credentials whose entry in the list that is shown is not set",
    "revocations_without_cause": "entries set in a list that is shown, of credentials that are not revoked or of none",
    "entries_differ": "credentials that are stored with another entry of a status list than their signed text names",
    "lists_behind": "status lists whose own document cannot be read, or is older than what is shown",
    "lists_missing": "status lists that credentials point to, and that are not published or not at the verifier",
    "deliveries_missing": "credentials that the notifier never heard of",
    "closings_untold": "credentials that have ended, and whose learners were told of them and are not told of that",
    "erasures_undone": "names and addresses that are there although they were erased",
    "commands_undone": "requests to revoke or take down that are not done",
    "withdrawals_undone": "withdrawals of evidence that are not done",
    "topics_lack": "what the stores hold and the topics that keep it lack, or say otherwise",
    "topics_exceed": "what topics that keep it say and the stores do not hold",
    "key_copies_differ": "signing keys whose sealed copy is missing, or another than what is stored",
    "documents_unreadable": "documents that cannot be read, which the other checks leave out",
    "mails_missing": "mails that are said to be sent and are not in the mailbox",
    "mails_repeated": "mails that are in the mailbox more than once",
}
"""Each check, and what it finds."""


class Placed(NamedTuple):
    """A credential of an issuer's, its signed text, and the entry that this names."""

    credential_id: UUID
    issuer_id: str
    document: str
    entry: StatusEntry


@dataclass(frozen=True)
class Difference:
    """One thing that is not as promised.

    Attributes:
        check: its name in `CHECKS`.
        what: the id of what differs, free of personal data.
        repair: events that make it right when they are published, whatever is the matter; none where nothing does
            safely. Each with the service whose it is.
        key: a signing key of which the sealed copy is to be made again.
        status_list: a list that is to be published anew, with what the credentials say.
        shown: a list as it is shown, whose document is damaged or behind it.
        placed: a credential whose stored entry is to be made that of its signed text.
        ended: a credential that has ended, as its topic keeps it, where the store says that it has not.
    """

    check: str
    what: str
    repair: tuple[tuple[str, Event], ...] = ()
    key: StoredKey | None = None
    status_list: str | None = None
    shown: ShownList | None = None
    placed: Placed | None = None
    ended: CredentialDocument | None = None
