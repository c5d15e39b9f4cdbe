"""What Kafka and MongoDB need to ask who calls: users, certificates; the same for the embedded stack and containers."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from deploy.certificate import self_signed, write_private
from libs.contracts.rights import ADMINISTRATOR, NODE

SCRAM: Final = "SCRAM-SHA-512"
# Each client trusts this very certificate and no other, so that nobody has to renew it; to replace it, delete it.
_LIFE: Final = timedelta(days=3650)
_MODULE: Final = "org.apache.kafka.common.security"


def certificate(folder: Path, hosts: Sequence[str] = ()) -> tuple[Path, Path]:
    """Return a store's certificate, and a file with its key and the certificate, as both stores want it.

    Raises:
        OSError: the folder cannot be written.
    """
    public, private = self_signed(folder, hosts=hosts, life=_LIFE)
    both = folder / "certificate-and-key.pem"
    content = private.read_bytes() + public.read_bytes()
    if not both.is_file() or both.read_bytes() != content:
        write_private(both, content)
    return public, both


def kafka_properties(public: Path, both: Path, passwords: Path) -> Mapping[str, str]:
    """Return the broker's settings: TLS, users by SCRAM, and that nobody may what no permission allows.

    The node itself is a user, too, at its own controller by PLAIN, since users by SCRAM are what controllers keep.

    Args:
        public: the certificate.
        both: key and certificate.
        passwords: a file of Java properties that gives the node's password as `node`, so that none stands here.
    """
    node = f"${{file:{passwords}:node}}"
    scram = f'{_MODULE}.scram.ScramLoginModule required username="{NODE}" password="{node}";'
    plain = f'{_MODULE}.plain.PlainLoginModule required username="{NODE}" password="{node}" user_{NODE}="{node}";'
    return {
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "listener.security.protocol.map": "BROKER:SASL_SSL,CONTROLLER:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(public),
        "sasl.mechanism.inter.broker.protocol": SCRAM,
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.broker.sasl.enabled.mechanisms": SCRAM,
        "listener.name.broker.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": plain,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{NODE};User:{ADMINISTRATOR}",
        "allow.everyone.if.no.acl.found": "false",
    }


def first_users(node: str, administrator: str) -> str:
    """Return the arguments, one a line, by which Kafka's storage is formatted with its first two users.

    The tool reads them from a file (`@FILE`): on a command line passwords are anybody's to see.
    """
    users = ((NODE, node), (ADMINISTRATOR, administrator))
    return "".join(f"--add-scram\n{SCRAM}=[name={user},password={password}]\n" for user, password in users)
