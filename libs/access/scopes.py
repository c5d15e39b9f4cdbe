"""Scopes: what an API key may do. The reference of scopes is generated from here."""

from enum import StrEnum


class Scope(StrEnum):
    """One right of an API key; a key has the scopes that it was made with, within its own issuer alone."""

    ISSUERS_WRITE = "issuers:write"
    ORGANISATIONS_READ = "organisations:read"
    BELOW_READ = "below:read"
    PROFILE_WRITE = "profile:write"
    SIGNING_KEYS_WRITE = "signing-keys:write"
    KEYS_WRITE = "keys:write"
    AUDIT_READ = "audit:read"
    CATALOGUE_READ = "catalogue:read"
    CATALOGUE_WRITE = "catalogue:write"
    EVIDENCE_WRITE = "evidence:write"
    EVIDENCE_READ = "evidence:read"
    CREDENTIALS_READ = "credentials:read"
    CREDENTIALS_AWARD = "credentials:award"
    CREDENTIALS_REVOKE = "credentials:revoke"
    CREDENTIALS_TAKE_DOWN = "credentials:take-down"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_SEND = "deliveries:send"
    CONTACTS_ERASE = "contacts:erase"


READING = frozenset(
    {Scope.AUDIT_READ, Scope.CATALOGUE_READ, Scope.EVIDENCE_READ, Scope.CREDENTIALS_READ, Scope.DELIVERIES_READ}
)
"""The scopes whose calls read what a tenant has, and change nothing."""

MEANINGS: dict[Scope, str] = {
    Scope.ISSUERS_WRITE: "Onboard issuers and organisations, and change any of them. The administrator's key alone has "
    "it.",
    Scope.ORGANISATIONS_READ: "List the key's organisation and those below it.",
    Scope.BELOW_READ: "Read what organisations below the key's own have, as far as the key's other scopes let it read, "
    "by the parameter `organisation`; never change anything there.",
    Scope.PROFILE_WRITE: "Change the issuer's own profile: its name, URL, e-mail address and logo.",
    Scope.SIGNING_KEYS_WRITE: "List the issuer's signing keys, add one, and activate, retire or distrust one.",
    Scope.KEYS_WRITE: "List, rotate and withdraw the issuer's API keys, and make ones that have no more scopes and no "
    "longer life than the key that makes them.",
    Scope.AUDIT_READ: "Read the entries of the audit logs that concern the issuer.",
    Scope.CATALOGUE_READ: "List achievements: the issuer's own, and those that the issuer above shares with it.",
    Scope.CATALOGUE_WRITE: "Publish achievements and new versions of them.",
    Scope.EVIDENCE_WRITE: "Send evidence.",
    Scope.EVIDENCE_READ: "Read batches of evidence, their rows, and what was decided on each.",
    Scope.CREDENTIALS_READ: "Read credentials and their state.",
    Scope.CREDENTIALS_AWARD: "Award badges by hand, with evidence and a reason, also in the place of others.",
    Scope.CREDENTIALS_REVOKE: "Revoke credentials.",
    Scope.CREDENTIALS_TAKE_DOWN: "Take badges down: nobody can read them any more, and they are revoked.",
    Scope.DELIVERIES_READ: "Read what became of the mail about a credential.",
    Scope.DELIVERIES_SEND: "Have the mail about a credential sent again.",
    Scope.CONTACTS_ERASE: "Erase the names and addresses of learners.",
}
