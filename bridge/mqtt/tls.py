"""TLS towards the broker: whom we believe, and who we are."""

import ssl

from bridge.settings import BridgeSettings
from hub.errors import SettingProblem, SettingsError


def context(settings: BridgeSettings) -> ssl.SSLContext:
    """Return one that checks certificate and host name.

    Raises:
        SettingsError: a file cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.mqtt_cert_file is not None:
            made.load_cert_chain(settings.mqtt_cert_file, settings.mqtt_key_file)
        if settings.mqtt_ca_file is not None:
            made.load_verify_locations(settings.mqtt_ca_file)
        else:
            made.load_default_certs()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        keys = "mqtt_ca_file, mqtt_cert_file, mqtt_key_file"
        raise SettingsError((SettingProblem(keys, "their files", f"cannot be used: {error}"),)) from error
    return made
