"""The `bowerbird` command line; what a command needs is imported when it runs."""

import importlib.util
import os
import sys

from cyclopts import App, CycloptsError

from bowerbird import __version__
from libs.common.build import commit

app = App(
    name="bowerbird",
    version=f"{__version__} ({commit()})",
    help="Micro-credentials and digital badges, issued at the scale of a state.",
)

SUBMIT = """Send a file of evidence; rows that fail come back in a file beside it.

The file is checked first and nothing sent: its columns and the first faults are shown. Then it is sent: rows without a
fault are taken in, badges are issued and mailed. The same file sent again changes nothing. Refused rows come back as
FILE.failed.csv, with what is wrong beside each: correct that file and submit it; its added columns may stay.

Exit status: 0 no row was refused; 1 nothing was sent, or it is not known what became of it; 2 rows were refused (of a
dry run: would be); 3 rows are not decided yet, and the same command tells later; 64 wrong usage.
"""

COMMANDS = {
    "up": ("deploy.embedded.commands:up", "Start the embedded stack; print the addresses."),
    "demo": ("demo.command:demo", "Start it and take a Values Week from evidence to verified badges."),
    "status": ("deploy.embedded.commands:status", "Show what of the embedded stack runs."),
    "down": ("deploy.embedded.commands:down", "Stop the embedded stack; its data stay unless told otherwise."),
    "run": ("bowerbird.commands:run", "Run one service in the foreground."),
    "setup": ("bowerbird.commands:setup", "Create the topics and indexes that do not exist yet."),
    "grant-keys": ("bowerbird.access_files:grant_keys", "Make the key that signs grants of API keys."),
    "issuer-list-key": ("bowerbird.issuer_list:issuer_list_key", "Make the key that signs the list of issuers."),
    "admin-key": ("bowerbird.access_files:admin_key", "Make an administrator's API key."),
    "keys list": ("bowerbird.api_keys:list_keys", "List the API keys of an issuer, without the keys themselves."),
    "keys make": ("bowerbird.api_keys:make", "Make an API key of an issuer; it is shown once."),
    "keys rotate": ("bowerbird.api_keys:rotate", "Make a key that follows another, which works for an overlap still."),
    "keys withdraw": ("bowerbird.api_keys:withdraw", "Withdraw an API key: within two seconds no service takes it."),
    "issuers suspend": ("bowerbird.issuers:suspend", "Suspend an issuer: nothing is signed for it."),
    "issuers resume": ("bowerbird.issuers:resume", "Let a suspended issuer issue again."),
    "organisations apply": (
        "bowerbird.organisations.command:apply",
        "Make authority, regions and schools as a file has them; again, it changes nothing.",
    ),
    "organisations rename": ("bowerbird.organisations.command:rename", "Give an organisation another name."),
    "organisations close": (
        "bowerbird.organisations.command:close",
        "Close an organisation, have it merge or leave: it takes no evidence after a day.",
    ),
    "organisations reopen": (
        "bowerbird.organisations.command:reopen",
        "Let an organisation go on that was closed by mistake.",
    ),
    "catalogue apply": (
        "bowerbird.catalogue.command:apply",
        "Publish achievements as a folder of files has them; again, it changes nothing.",
    ),
    "catalogue diff": (
        "bowerbird.catalogue.command:diff",
        "Show by field what files say otherwise than what is published.",
    ),
    "catalogue export": ("bowerbird.catalogue.command:export", "Write published achievements to files, one each."),
    "submit": ("bowerbird.submit:submit", SUBMIT),
    "dead-letters list": ("bowerbird.dead_letters:list_letters", "List the records that services set aside, and why."),
    "dead-letters show": ("bowerbird.dead_letters:show", "Show all of one of them."),
    "dead-letters send-again": (
        "bowerbird.dead_letters:send_again",
        "Send them again, each to the one consumer that set it aside.",
    ),
    "parked list": (
        "bowerbird.parked:list_parked",
        "List what waits since nothing can be signed, or its credential is missing.",
    ),
    "parked release": ("bowerbird.parked:release", "Try an issuer's evidence that was put off again now."),
    "deliveries list": ("bowerbird.deliveries:list_held", "List mails that may have been sent before a restore."),
    "deliveries release": ("bowerbird.deliveries:release", "Let them go; without --yes only look."),
    "deliveries discard": ("bowerbird.deliveries:discard", "Send none of them; without --yes only look."),
    "audit verify": (
        "bowerbird.audit_log:verify",
        "Check the chains of audit logs; exit status 0 whole, 1 broken.",
    ),
    "audit promises": (
        "bowerbird.auditing.command:promises",
        "Hold stores and topics against the promises; exit status 0 all is right, 1 something differs.",
    ),
    "backup": ("bowerbird.backups.commands:backup", "Write all databases, as of one moment, into a new directory."),
    "restore": (
        "bowerbird.backups.commands:restore_backup",
        "Restore a backup into empty stores; without --yes only look whether it can be.",
    ),
    "republish": (
        "bowerbird.republish:republish",
        "Fill the topics from the stores, should Kafka's disk be lost; without --yes only count.",
    ),
    "stores": ("bowerbird.stores:stores", "Show how MongoDB and Kafka do: members, connections, brokers, partitions."),
    "rewrap": ("bowerbird.rewrapping:rewrap", "Seal the issuers' signing keys anew under another key-encryption key."),
    "sign-grants-anew": ("bowerbird.grants:sign_anew", "Sign grants of API keys anew with another secret."),
    "retention": ("bowerbird.retention:retention", "Show what is kept for a stated life, and what would be removed."),
    "settings": ("bowerbird.commands:settings", "Print the settings of the services, secrets masked."),
    "verify": (
        "bowerbird.verifying:verify",
        "Verify credentials; exit status 0 every check passes, whoever signed; 1 one fails, 2 not all could be made.",
    ),
    "inspect": ("bowerbird.verifying:inspect", "Show what a credential says, without verifying it."),
    "conformance": ("conformance.commands:conformance", "Serve the VC API for conformance suites, over HTTPS."),
    "conformance-down": ("conformance.commands:conformance_down", "Stop what `bowerbird conformance` started."),
    "contracts": ("checks.generating:contracts", "Write the documents that are made from code, or check them."),
}

GROUPS = {
    "audit": "Check the audit logs, and whether the promises are kept.",
    "catalogue": "Keep achievements in files, publish them from there, and see what differs.",
    "dead-letters": "List what services set aside, and send it again.",
    "deliveries": "Decide about mails that may have been sent before a restore.",
    "issuers": "Suspend issuers and resume them.",
    "organisations": "Keep the tree of authority, regions and schools.",
    "parked": "List evidence for which nothing can be signed, and try it again.",
    "keys": "List, make, rotate and withdraw API keys of issuers.",
}


def _is_here(target: str) -> bool:
    """Return whether the package of a command is part of this installation: the image holds what a service needs."""
    package = target.partition(":")[0].rpartition(".")[0]
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


for name, about in GROUPS.items():
    app.command(App(name=name, help=about))
for name, (target, description) in COMMANDS.items():
    if _is_here(target):
        group, _, last = name.rpartition(" ")
        (app[group] if group else app).command(target, name=last, help=description)


def main() -> None:
    """Run the command line; an error that we foresaw is one sentence on stderr and exit status 1.

    A command that is called in a wrong way ends with 64 (EX_USAGE), which no command has as its answer.
    """
    try:
        status = app(sys.argv[1:], exit_on_error=False)
    except CycloptsError:
        status = os.EX_USAGE
    except (TimeoutError, OSError) as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        status = 1
    sys.exit(status or 0)
