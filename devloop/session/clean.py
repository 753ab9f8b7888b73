"""The last line of defence for what is shown and pasted: a library, a server or a program may repeat a secret."""

from collections.abc import Callable

from devloop.adapters.dockerconfig import DockerConfig
from devloop.core.masking import Masker, without_url_secrets

Clean = Callable[[str], str]


def without_secrets() -> Clean:
    """Takes out what is known to be a secret (of the Docker configuration), and what URLs carry."""
    masker = Masker(DockerConfig.load().stored_secrets())
    return lambda text: masker.mask(without_url_secrets(text))
