"""HTTPS for a service's own server: the certificate and its key, from the files that the settings name."""

import ssl
from pathlib import Path

from libs.common.settings import PREFIX, Settings, SettingsError


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context to serve HTTPS with (TLS 1.2 or later); None where no certificate is set.

    Raises:
        SettingsError: the files cannot be read, or the key is not that of the certificate.
    """
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None or key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, certificate, key)
    return context


def renew(context: ssl.SSLContext, settings: Settings) -> None:
    """Serve connections that begin from now on with the certificate that stands in the files now.

    Raises:
        SettingsError: as above; then the context goes on with the one that it has.
    """
    if settings.tls_cert_file is not None and settings.tls_key_file is not None:
        server_context(settings)  # on a context of its own: one that fails halfway has half of a new certificate
        load(context, settings.tls_cert_file, settings.tls_key_file)


def load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Give a context its certificate and key.

    Raises:
        SettingsError: the files cannot be read, or the key is not that of the certificate.
    """
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or getattr(error, "reason", None) or type(error).__name__
        raise SettingsError(
            f"{PREFIX}TLS_CERT_FILE and {PREFIX}TLS_KEY_FILE: {certificate} and {key} cannot be used ({reason}); "
            "they are PEM files, readable by this user, and the key is that of the certificate"
        ) from error
