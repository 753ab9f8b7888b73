"""What is known of the places that images can go to: registries, and the nodes of a local cluster."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from devloop.core.image import DOCKER_HUB, ImageRef
from devloop.core.init.workload import host_of, is_official, is_ours_to_push, reference
from devloop.core.workload import ContainerSpec

NOT_LOGGED_IN = "may be somebody else's, as Docker is not logged in to Docker Hub"
"""Of an image of which no login tells whose it is; read after it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the cluster, Docker's configuration and the registries themselves say."""

    hosting: Mapping[str, str] | None = None
    """What the cluster says of its local registry (KEP-1755)."""
    logins: tuple[str, ...] = ()
    """The registries that Docker logged in to."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Who is logged in there, where repositories begin with a user's name."""
    silent: frozenset[str] = frozenset()
    """Hosts at which no registry answers from here."""
    denied: frozenset[str] = frozenset()
    """Repositories, by their canonical names, that one may not push to."""
    loads_into: str = ""
    """The local cluster whose nodes images can be loaded into, in words; empty where there is no such cluster."""
    loaded: frozenset[str] = frozenset()
    """Repositories, by their canonical names, of images on the nodes that no registry gave."""

    @classmethod
    def of(
        cls, hosting: Mapping[str, str] | None, logins: Iterable[str], loads_into: str = "",
        loaded: Iterable[str] = (), users: Mapping[str, str] | None = None,
    ) -> "Surroundings":  # fmt: skip
        """Without what is no host or begins no repository, whoever wrote it."""
        hosts = {key: value for key, value in (hosting or {}).items() if _is_host(value)}
        known = {host: user for host, user in (users or {}).items() if reference(f"{host}/{user}/name")}
        return cls(hosts, tuple(filter(_is_host, logins)), known, loads_into=loads_into, loaded=frozenset(loaded))

    @property
    def announced(self) -> str:
        """The cluster's own registry, as it is pushed to from here; empty where none is announced that answers."""
        host = (self.hosting or {}).get("host", "")
        return "" if host in self.silent else host

    def may_be_loaded(self, ref: ImageRef) -> bool:
        """Whether an image of that name can have come to its node without a registry."""
        return bool(self.loads_into) and host_of(ref) == DOCKER_HUB

    def is_loaded(self, container: ContainerSpec) -> bool:
        """Whether the image of a container did: the nodes say so, or nobody was ever asked for it."""
        ref = reference(container.image)
        known = ref is not None and (ref.canonical_name in self.loaded or container.pull_policy == "Never")
        return known and ref is not None and self.may_be_loaded(ref)

    def may_be_ours(self, ref: ImageRef) -> bool:
        """Whether an image of that name can be one that was built here."""
        return is_ours_to_push(ref, self.logins) or self.may_be_loaded(ref)

    def is_ours(self, container: ContainerSpec) -> bool:
        """Whether nothing speaks against that. Docker Hub has images for everybody beside one's own."""
        ref = reference(container.image)
        if ref is None or not is_ours_to_push(ref, self.logins):
            return self.is_loaded(container)
        return host_of(ref) != DOCKER_HUB or self.is_own(ref) or self.is_loaded(container)

    def is_unproven(self, ref: ImageRef) -> bool:
        """Whether it is somebody's on Docker Hub, and no login tells whose."""
        return host_of(ref) == DOCKER_HUB and DOCKER_HUB not in self.logins and not is_official(ref)

    def is_own(self, ref: ImageRef) -> bool:
        """Whether it is in a repository of who is logged in there."""
        return ref.repository.partition("/")[0] == self.users.get(host_of(ref))


def _is_host(text: str) -> bool:
    ref = reference(f"{text}/name")
    return ref is not None and (ref.registry, ref.repository) == (text, "name")
