"""What a command works on: the configuration, the pinned context, and the services resolved for it.

Everything that can be wrong before the cluster is asked ends here, as a `Refusal` with all of it in one go.
"""

import getpass
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devloop.adapters import configfile, kubeconfig
from devloop.adapters.configfile import Left, LoadedConfig
from devloop.adapters.kubeconfig import PinnedContext
from devloop.core.adopt import addition, adopt, beside, match_deployments, to_toml
from devloop.core.config import Config, Problems
from devloop.core.failure import ExitCode, Failure
from devloop.core.guard import Allowed, Refused, Written, declined, is_local, judge, remedy
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.problems import Problem, closest, quoted
from devloop.core.resolve import resolve
from devloop.core.service import Service, WorkloadKey
from devloop.core.settings import with_fixed
from devloop.core.values import InvalidValueError, parse_workload
from devloop.core.workload import Deployment, unread
from devloop.session.request import Confirm, Request
from devloop.session.trial import demo_is_over


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works, before it is known on what."""

    config: Config
    """The file's; an empty one where there is no file."""
    file: str
    """As shown to the user; empty where there is none."""
    root: Path
    pinned: PinnedContext
    addresses: tuple[str, ...]
    """What the API server's name resolves to."""
    namespace: str
    chosen: str = ""
    """The context as it was chosen on the command line; empty when it was not."""
    branch: str = ""
    """Of the source when the command began: what is tagged with it keeps its tag."""
    faulty: str = ""
    """The files with mistakes, where a command goes on without what they say."""
    asked: str = ""
    """The namespace as it was chosen on the command line; empty when it was not."""

    @property
    def overlay(self) -> str:
        """Where a person's own settings go, as shown to the user; empty where there is no file."""
        return str(Path(self.file).parent / configfile.OVERLAY) if self.file else ""

    @property
    def is_guessed(self) -> bool:
        """Whether the namespace is just the context's own: there are services, and nothing says where they are."""
        return bool(self.config.services) and not (self.asked or self.config.cluster.namespace)

    @property
    def local(self) -> bool:
        return is_local(self.pinned.name, self.addresses)


@dataclass(frozen=True, slots=True)
class Project:
    """A configuration that holds together, and where it applies."""

    place: Place
    services: tuple[Service, ...]
    reason: str
    """Why devloop may write to the context."""
    adopted: str = ""
    """The `devloop.toml` that says the same, when there was no file; what to add to it, when it has no such service."""
    names: tuple[str, ...] = ()
    """The services that were asked for; empty: all."""
    namespace: str = ""
    """As it was chosen on the command line; empty when it was not."""
    command: str = ""
    """What starts it again, as it was typed; empty where nobody is told."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What the configuration is read from, overlay included, whether or not there is one; none where none was."""
        if self.adopted or not self.place.file:
            return ()
        path = Path.cwd() / self.place.file
        return tuple(dict.fromkeys(path.parent / name for name in (path.name, configfile.OVERLAY)))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command ends before it began: the exit code, and the sentences for stderr."""

    exit_code: ExitCode
    lines: tuple[str, ...]
    failure: Failure | None = None

    @classmethod
    def of(cls, failure: Failure) -> "Refusal":
        lines = (failure.message, *([f"→ {failure.hint}"] if failure.hint else []))
        return cls(failure.exit_code, lines, failure)


async def find_place(request: Request) -> Place | Refusal:
    """Read the file, if there is one, and pin the context."""
    loaded = configfile.load(request.file, Path.cwd(), os.environ)
    if isinstance(loaded, Problems):
        return Refusal(ExitCode.USAGE, tuple(str(problem) for problem in loaded))
    pinned = chosen_context(loaded, request)
    return Refusal.of(pinned) if isinstance(pinned, Failure) else await place_of(loaded, request, pinned)


def chosen_context(loaded: LoadedConfig | None, request: Request) -> PinnedContext | Failure:
    """The context that was asked for, else the file's, else the current one."""
    named = loaded.config.cluster.context if loaded else ""
    found = kubeconfig.resolve(request.context or named or None)
    over = demo_is_over() if isinstance(found, Failure) else ""
    return replace(found, hint=over) if isinstance(found, Failure) and over else found


async def place_of(loaded: LoadedConfig | None, request: Request, pinned: PinnedContext) -> Place:
    """What the file and the command line make of that context."""
    cwd, config = Path.cwd(), loaded.config if loaded else Config()
    addresses = await kubeconfig.server_addresses(pinned.server)
    namespace = request.namespace or config.cluster.namespace or pinned.namespace
    shown, root = _relative(loaded.path, cwd) if loaded else "", loaded.root if loaded else cwd
    branch, asked = _branch(root), request.namespace
    return Place(config, shown, root, pinned, addresses, namespace, request.context, branch, asked=asked)


def have_mistakes(problems: Problems) -> str:
    """As the subject and verb of a sentence: which files."""
    names = named_at_fault(problems)
    return f"{names} {'have' if ' and ' in names else 'has'} mistakes (`devloop validate` tells them)"


def despite(command: str) -> str:
    """What can be done with a service while the file has mistakes."""
    return f"→ correct that, or name its workload, which needs no file: devloop {command} deployment/NAME -n NAMESPACE"


async def place_beside(left: Left, request: Request) -> Place | Failure:
    """Where files with mistakes would send a command, as far as they can be read and the command line does not say.

    Allowed is what an overlay without mistakes allows, and no more.
    """
    sent = replace(request, context=request.context or left.context, namespace=request.namespace or left.namespace)
    pinned = chosen_context(None, sent)
    if isinstance(pinned, Failure):
        return pinned
    place = await place_of(None, sent, pinned)
    return replace(place, config=Config(cluster=left.own), file=left.file, chosen=request.context)


async def open_project(request: Request) -> Project | Refusal:
    """Read the file, pin the context, resolve the services, and ask the guard."""
    place = await find_place(request)
    if isinstance(place, Refusal):
        return place
    present, faults = _all_services(place, request)
    adopted, names = "", _service_names(present, place, request)
    is_unknown = any("/" in name for name in names)
    if is_unknown and faults is not None:  # one of them may be the workload's
        return faults
    if is_unknown or not place.file:
        found = await _adopt(request, place, names, present)
        if isinstance(found, Refusal):
            return found
        adopted = _as_file(place, found, request)
        own = replace(place, config=found, root=Path.cwd(), branch=_branch(Path.cwd()))
        services = resolve_services(own, (), request.namespace)
    else:
        services = resolve_services(place, names, request.namespace)
    if isinstance(services, Refusal):
        return services
    if not request.writes:
        return Project(place, services, "", adopted, names, request.namespace, request.typed())
    reason = ask_guard(place, {key.namespace for service in services for key in service.workloads}, request.confirm)
    if isinstance(reason, Refusal):
        return reason
    return Project(place, services, reason, adopted, names, request.namespace, request.typed())


def named_at_fault(problems: Iterable[Problem]) -> str:
    """The files with those mistakes, for a sentence."""
    return " and ".join(dict.fromkeys(problem.file for problem in problems))


def reopen(project: Project, loaded: LoadedConfig) -> Project | Problems:
    """The same command with an edited file: what the command line said, and what cannot change, stays."""
    place = replace(project.place, config=with_fixed(loaded.config, project.place.config))
    names = tuple(name for name in project.names if name in loaded.config.services)
    if project.names and not names:
        wrong = f"none of those that devloop was started with is there: {quoted(project.names)}"
        return Problems([Problem(place.file, None, "services", wrong, "put one back, or start devloop again")])
    services = _resolved(place, names, project.namespace)
    if isinstance(services, Problems):
        return services
    if project.reason == _confirmed(place):
        return replace(project, place=place, services=services)
    reason = ask_guard(place, {key.namespace for service in services for key in service.workloads}, None, in_use=True)
    if isinstance(reason, Refusal):
        message, hint = reason.lines[0], reason.lines[-1].removeprefix("→ ")
        return Problems([Problem(place.file, None, "cluster", message, hint)])
    return replace(project, place=place, services=services, reason=reason)


def _service_names(services: Sequence[Service], place: Place, request: Request) -> tuple[str, ...]:
    """The names as they were given; a workload stands for all services of the file that run on it."""
    return tuple(dict.fromkeys(each for name in request.names for each in _meant(name, services, place.namespace)))


def _all_services(place: Place, request: Request) -> tuple[tuple[Service, ...], Refusal | None]:
    """Those of the file, where it has any, as far as they hold together; and what is wrong with others."""
    services = resolve_services(place, (), request.namespace) if place.config.services else ()
    if not isinstance(services, Refusal):
        return services, None
    each = [_resolved(place, (name,), request.namespace) for name in place.config.services]
    sound = {service.name: service for found in each if not isinstance(found, Problems) for service in found}
    return tuple(sound.values()), services


def _meant(name: str, services: Sequence[Service], namespace: str) -> list[str]:
    try:
        owners = on_workload(services, *parse_workload(name), namespace)
    except InvalidValueError:  # the name of a service, or of nothing
        owners = []
    return [service.name for service, _ in owners] or [name]


def on_workload(services: Sequence[Service], kind: str, name: str, namespace: str) -> list[tuple[Service, WorkloadKey]]:
    """The services that run on that workload, with its key.

    Where workloads in several namespaces are called so, those in `namespace` are meant, if there are any.
    """
    found = [(each, key) for each in services for key in each.workloads if (key.kind, key.name) == (kind, name)]
    return [each for each in found if each[1].namespace == namespace] or found


def resolve_services(place: Place, names: Sequence[str], namespace: str) -> tuple[Service, ...] | Refusal:
    """The named services of the place's configuration, and what they depend on; all when none is named."""
    services = _resolved(place, names, namespace)
    if isinstance(services, Problems):
        return Refusal(ExitCode.USAGE, tuple(str(problem) for problem in services))
    return services


def _resolved(place: Place, names: Sequence[str], namespace: str) -> tuple[Service, ...] | Problems:
    return resolve(
        place.config,
        root=place.root,
        context_namespace=place.pinned.namespace,
        local=place.local,
        user=own_name(),
        branch=place.branch,
        only=names,
        namespace=namespace,
        file=place.file or configfile.FILE,
    )


def ask_guard(
    place: Place, namespaces: Iterable[str], confirm: Confirm | None, *, in_use: bool = False
) -> str | Refusal:
    """Why devloop may write there. Every namespace has to pass; a person may allow all by typing the name once.

    `in_use`: whether a session runs, and keeps its context.
    """
    verdict, way = verdict_on(place, namespaces, in_use=in_use)
    if isinstance(verdict, Allowed):
        return verdict.reason
    if confirm is None:
        return Refusal.of(verdict.failure)
    if confirm(place.pinned.name, verdict.failure):
        return _confirmed(place)
    return Refusal.of(declined(place.pinned.name, way))


def verdict_on(place: Place, namespaces: Iterable[str], *, in_use: bool = False) -> tuple[Allowed | Refused, str]:
    """Whether devloop may write to all of them, and what would allow it for good."""
    pinned, cluster = place.pinned, place.config.cluster
    missing = [each for each in sorted(namespaces) if not cluster.allows(pinned.name, each)]
    way = remedy(pinned.name, missing, Written(cluster, place.overlay, place.faulty, in_use))
    return judge(pinned.name, kubeconfig.shown_server(pinned.server), place.addresses, not missing, way), way


def _confirmed(place: Place) -> str:
    return f"context {place.pinned.name} was confirmed on the terminal"


async def _adopt(request: Request, place: Place, names: Sequence[str], present: Sequence[Service]) -> Config | Refusal:
    """The configuration that a live workload implies, for `devloop up deployment/api` and `devloop up` alone.

    `names`: those that were given, without workloads that the file has; `present`: the services of the file.
    """
    folder = request.build or "."
    source = (Path.cwd() / folder).resolve()
    if not place.file and (len(names) > 1 or any("/" not in name for name in names)):
        bare = next((name for name in names if "/" not in name), "api")
        message = f"there is no devloop.toml here or above, so name one workload, like `deployment/{bare}`"
        return Refusal(ExitCode.USAGE, (message, "→ or let `devloop init` write a devloop.toml for what runs there"))
    workload = next((name for name in names if "/" in name), "")
    key = parse_key(workload, place.namespace) if workload else None
    if isinstance(key, Refusal):
        return key
    has_recipe = (source / "Dockerfile").is_file()
    if place.file and key and len(names) > 1:
        return _lacks(place, key, present, f"name it alone: {request.typed(workload)}")
    if place.file and key and not has_recipe:
        named = " (or name that: --build FOLDER)" if request.verb != "doctor" else ""
        way = f"to work on a Deployment that the file lacks, go to a folder with its Dockerfile{named}"
        return _lacks(place, key, present, f"{way}: none is in {source}")
    if not has_recipe:
        message = f"there is no Dockerfile in {source}, and no devloop.toml here or above that names another"
        way = "→ go to the folder of the source, or name it: --build FOLDER"
        below = "or let `devloop init` write a devloop.toml for the Dockerfiles below"
        return Refusal(ExitCode.USAGE, (message, f"{way}, {below}"))
    found = await _live(place, key, source.name, request)
    config = found if isinstance(found, Failure) else adopt(found, build=folder)
    return Refusal.of(config) if isinstance(config, Failure) else beside(config, place.config)


def _lacks(place: Place, key: WorkloadKey, present: Sequence[Service], way: str) -> Refusal:
    """A workload that is no service's, where it is not to be adopted either. `way`: what would have it adopted."""
    # By their names: `deployment/` alone makes any two of them alike.
    known = {each.name: str(each) for service in present for each in service.workloads}
    has = f"; it has {', '.join(known.values())}" if known else ""
    meant = closest(key.name, known)
    hint = f"did you mean `{known[meant]}`? Else {way}" if meant else way
    return Refusal(ExitCode.USAGE, (f"{place.file} has no service for {key}{has}", f"→ {hint}"))


def _as_file(place: Place, found: Config, request: Request) -> str:
    """What to save: a whole file, or what the one that is there lacks."""
    if not place.file:
        return to_toml(found)
    source = Path.cwd() / (request.build or ".")
    return addition(found, place.config, Path(os.path.relpath(source, place.root)).as_posix())


async def _live(place: Place, key: WorkloadKey | None, folder: str, request: Request) -> Deployment | Failure:
    """The workload of that key, or the one of the namespace that fits the folder's name."""
    from devloop.adapters.kube import KubeCluster

    cluster = KubeCluster(place.pinned)
    try:
        if key:
            raw = await cluster.read(key)
            if raw is None or isinstance(raw, Failure):
                return unread(raw, key, is_guessed=place.is_guessed)
            return parse_deployment(raw)
        listed = await cluster.list_deployments(place.namespace)
        if isinstance(listed, Failure):
            return listed
        if not listed and (missing := await cluster.no_namespace(place.namespace)):
            return missing
        return match_deployments([*map(parse_deployment, listed)], folder, place.namespace, request.typed)
    finally:
        await cluster.close()


def parse_key(text: str, namespace: str) -> WorkloadKey | Refusal:
    """`deployment/api` as a key; the refusal says what is wrong with it."""
    try:
        kind, name = parse_workload(text)
    except InvalidValueError as error:
        return Refusal(ExitCode.USAGE, (f"{error.message}; {error.fix}",))
    return WorkloadKey(namespace, kind, name)


def _relative(path: Path, cwd: Path) -> str:
    return os.path.relpath(path, cwd)


def own_name() -> str:
    """What `{user}` stands for; empty where nobody is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _branch(root: Path) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "symbolic-ref", "--quiet", "--short", "HEAD"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
