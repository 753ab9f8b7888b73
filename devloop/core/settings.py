"""What an edit of the configuration changes beside the services: at once, or when devloop is started again. Pure."""

from dataclasses import dataclass

from devloop.core.config import Config

FIXED = ("cluster.context", "cluster.namespace")
"""Settings that hold until devloop is started again: everything that runs was opened for them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What changed beside the services."""

    live: tuple[str, ...] = ()
    """Keys that hold from now on."""
    fixed: tuple[str, ...] = ()
    """Keys that hold when devloop is started again."""


def settings(before: Config, after: Config, in_force: Config) -> Settings:
    """What an edit (of `before`, as it was written last) changes; what is `in_force` again needs no start."""
    changed = [key for key, value in _flat(after).items() if _flat(before)[key] != value]
    fixed = tuple(key for key in changed if key in FIXED and _flat(after)[key] != _flat(in_force)[key])
    return Settings(tuple(key for key in changed if key not in FIXED), fixed)


def with_fixed(config: Config, in_force: Config) -> Config:
    """The configuration with what cannot change while devloop runs as it is in force."""
    kept = {"context": in_force.cluster.context, "namespace": in_force.cluster.namespace}
    return config.model_copy(update={"cluster": config.cluster.model_copy(update=kept)})


def _flat(config: Config) -> dict[str, object]:
    tables = {"cluster": config.cluster, "loop": config.loop, "ui": config.ui}
    return {f"{name}.{key}": value for name, table in tables.items() for key, value in table}
