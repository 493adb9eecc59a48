"""The service's settings, read from the environment and `.env`."""

from ._internal.settings.service import ServiceSettings, configure_log


class Settings(ServiceSettings):
    """The service's own variables, beside those in docs/variables.md.

    Each field is one: `shop_url: str = "http://localhost:9000"` reads SHOP_URL. Without a default the
    variable must be set. Values of type `SecretStr`, or under a secret name, are never shown.
    """


settings = Settings.load()
configure_log(settings)
