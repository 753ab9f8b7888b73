"""The models of `devloop.toml`.

The docstring of each field is its documentation: the JSON schema and the tables in `docs/configuration.md` are made of
them. Values are as written (paths relative, names to fill in not filled in); `devloop.core.resolve` makes `Service`s.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_serializer,
    model_validator,
)

from devloop.core import buildflags, toml, values
from devloop.core.problems import Finding as Finding
from devloop.core.problems import Problem as Problem
from devloop.core.problems import Problems as Problems
from devloop.core.service import Load, Pin
from devloop.core.values import InvalidValueError

SERVICE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_T = TypeVar("_T")


def _one_as_list(value: Any) -> Any:
    return tuple(filter(None, [value])) if isinstance(value, str) else value


def _list_as_one(value: tuple[Any, ...]) -> Any:
    return value[0] if len(value) == 1 and value[0] else list(value)


def _duration(value: Any) -> float:
    if not isinstance(value, str):
        raise InvalidValueError("must be a duration in quotes", 'write a number and a unit, like `"30ms"` or `"5m"`')
    return values.parse_duration(value)


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise InvalidValueError("must be longer than nothing", 'write a duration like `"5m"`')
    return seconds


def _checking(check: Callable[[_T], object]) -> AfterValidator:
    """A validator that keeps the value and lets `check` raise."""

    def checked(value: _T) -> _T:
        check(value)
        return value

    return AfterValidator(checked)


def _check_platform(text: str) -> None:
    for platform in text.split(",") if text else ():
        if not 2 <= len([part for part in platform.strip().split("/") if part]) == platform.count("/") + 1 <= 3:
            raise InvalidValueError(f"`{text}` is no platform", "write `linux/amd64` or `linux/arm64`")


def _check_secrets(specs: tuple[str, ...]) -> None:
    for spec in specs:
        if not any(part.strip().startswith("id=") for part in spec.split(",")):
            raise InvalidValueError("a secret has no `id=`", "write `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`")


DurationText = Annotated[str, StringConstraints(pattern=f"^{values.DURATION}$")]
Duration = Annotated[
    float,
    BeforeValidator(_duration, json_schema_input_type=DurationText),
    PlainSerializer(values.format_duration, return_type=str),
]
Several = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_as_list, json_schema_input_type=str | tuple[str, ...]),
    PlainSerializer(_list_as_one, return_type=str | list[str]),
]
Workloads = Annotated[Several, _checking(lambda names: [values.parse_workload(name) for name in names])]
Namespace = Annotated[str, _checking(values.check_namespace)]
ImageName = Annotated[str, _checking(values.check_image_name)]
PushName = Annotated[str, _checking(lambda text: values.check_image(text) if text else text)]
Tag = Annotated[str, _checking(values.check_tag)]
Platform = Annotated[str, _checking(_check_platform)]
Secrets = Annotated[Several, _checking(_check_secrets)]
Caches = Annotated[Several, _checking(buildflags.check_caches)]
Flags = Annotated[tuple[str, ...], _checking(buildflags.check_flags)]


class _Table(BaseModel):
    """A table of the file: unknown keys are errors, and nothing changes it once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AllowedPlace(_Table):
    """A context, or one namespace of it, that devloop may write to."""

    context: str = Field(examples=["team-*"])
    """The kube context; `*` stands for anything, and nothing else is special."""
    namespace: str = Field(default="*", examples=["shop-*"])
    """The namespace; `*` stands for anything."""

    def allows(self, context: str, namespace: str) -> bool:
        return values.matches(self.context, context) and values.matches(self.namespace, namespace)

    @model_serializer
    def _as_written(self) -> Any:
        if self.namespace == "*":
            return self.context
        return {"context": self.context, "namespace": self.namespace}


def _place(value: Any) -> Any:
    return {"context": value} if isinstance(value, str) else value


Allowed = Annotated[AllowedPlace, BeforeValidator(_place, json_schema_input_type=str | AllowedPlace)]


class ClusterConfig(_Table):
    """Where the workloads are."""

    context: str = Field(default="", examples=["kind-dev"])
    """The kube context, pinned for the whole session; naming it here also allows writing to it. Default: the current
    one."""
    namespace: Namespace = Field(default="", examples=["shop"])
    """The namespace of the workloads. Default: the context's own."""
    allow: tuple[Allowed, ...] = Field(
        default=(), examples=[["team-dev", {"context": "*/shared", "namespace": "jo-*"}]]
    )
    """What may be written to beside known local clusters: contexts, or `{ context = "...", namespace = "..." }`. `*`
    stands for anything, also across `/` and `:`."""

    def allows(self, context: str, namespace: str) -> bool:
        """Whether the file permits writing to that namespace of that context."""
        if not context:
            return False
        return context == self.context or any(place.allows(context, namespace) for place in self.allow)


class BuildConfig(_Table):
    """How the image is built."""

    context: str = Field(default=".", examples=["web"])
    """The folder that is sent to the build. Default: the folder of this file."""
    dockerfile: str = Field(default="", examples=["web/Dockerfile.dev"])
    """The Dockerfile, relative to this file like every path. Default: `Dockerfile` in the context."""
    target: str = Field(default="", examples=["dev"])
    """The stage to build. Default: the last one."""
    args: dict[str, str] = Field(default={}, examples=[{"MODE": "dev"}])
    """Build arguments, all of them strings."""
    secrets: Secrets = Field(default=(), examples=["id=npm,src=.npmrc"])
    """Secrets for `RUN --mount=type=secret`, as buildx's `--secret` takes them: `id=NAME,src=FILE` or
    `id=NAME,env=VARIABLE`."""
    ssh: Several = Field(default=(), examples=["default"])
    """Agents or keys for `RUN --mount=type=ssh`, as buildx's `--ssh` takes them."""
    platform: Platform = Field(default="", examples=["linux/amd64"])
    """The platform to build for. Default: the cluster's."""
    builder: str = Field(default="", examples=["remote"])
    """The buildx builder. Default: the one that buildx uses by itself (`BUILDX_BUILDER`, or the selected one)."""
    cache_from: Caches = Field(default=(), examples=["registry.example.com/shop/web:cache"])
    """Where the build looks for cached layers, as buildx's `--cache-from` takes it, without credentials: those come
    from the environment."""
    cache_to: Caches = Field(default=(), examples=["type=inline"])
    """Where the build leaves cached layers, as buildx's `--cache-to` takes it, without credentials: those come from the
    environment."""
    flags: Flags = Field(default=(), examples=[["--network=host"]])
    """More flags for `docker buildx build`, one item a word. Those that devloop sets itself are refused."""
    delta: bool = Field(default=True, examples=[False])
    """Whether a change becomes one more layer on the last full build, without the engine, where that gives the image
    that a full build would give."""

    @model_serializer(mode="wrap")
    def _as_written(self, serialize: Callable[["BuildConfig"], dict[str, Any]]) -> Any:
        table = serialize(self)
        return table["context"] if set(table) == {"context"} else table


def _folder(value: Any) -> Any:
    return {"context": value} if isinstance(value, str) else value


Build = Annotated[BuildConfig, BeforeValidator(_folder, json_schema_input_type=str | BuildConfig)]


class ServiceConfig(_Table):
    """One service: what to build, and which workloads run it."""

    image: ImageName = Field(examples=[values.EXAMPLE_IMAGE])
    """The image as the Pods pull it: registry host (not needed with `load`) and repository. A tag at its end counts as
    `tag`. `{user}`, `{branch}` and `{service}` are filled in."""
    tag: Tag = Field(default="", examples=["dev-{branch}"])
    """The tag that devloop moves; with `load` what the tags of its builds begin with. `{user}`, `{branch}` and
    `{service}` are filled in. Default: `dev` on known local clusters, `dev-{user}` elsewhere."""
    push_image: PushName = Field(default="", examples=["localhost:5001/shop/web"])
    """The name to push to, when it differs from what Pods pull. Default: `image`."""
    pin: Literal[Pin.TAG, Pin.DIGEST] = Field(default=Pin.TAG, examples=["digest"])
    """`tag`: the workload refers to the tag, under `imagePullPolicy: Always`. `digest`: it refers to `TAG@sha256:...`,
    which nothing can move."""
    load: Load = Field(default=Load.NONE, examples=["auto", "kind"])
    """How the image gets into a local cluster without a registry: `kind`, `k3d`, `minikube` or `docker-desktop`; `auto`
    goes by the kube context and the nodes. `none`: it is pushed. Each build that is loaded has a tag of its own, and is
    run under `imagePullPolicy: IfNotPresent`."""
    workload: Workloads = Field(default=(), examples=["deployment/web", ["deployment/web", "deployment/worker"]])
    """What runs the image: one or several Deployments. Default: `deployment/NAME`."""
    namespace: Namespace = Field(default="", examples=["shop"])
    """The namespace of these workloads. Default: the cluster's."""
    container: Several = Field(default=(), examples=["web", ["web", "migrate"]])
    """The containers and init containers that run the image. Default: every one whose image repository matches, else
    the only one."""
    build: Build = Field(default=BuildConfig(), examples=["web"])
    """How to build: a folder, or a table. Default: the folder of this file."""
    watch: Several = Field(default=(), examples=["web", ["web", "shared"]])
    """Folders or files to watch. Default: the build context."""
    ignore: Several = Field(default=(), examples=["**/*.md"])
    """What starts no build, beside what `.dockerignore` leaves out; in its syntax."""
    depends_on: Several = Field(default=(), examples=["db"])
    """Services that must run what was pushed before this one is first rolled out."""

    @model_validator(mode="before")
    @classmethod
    def _tag_of_image(cls, table: Any) -> Any:
        return with_own_tag(table) if isinstance(table, dict) and not table.get("tag") else table


def with_own_tag(table: dict[str, Any]) -> dict[str, Any]:
    """A service's table whose image's tag, if it has one, is its `tag`."""
    image = table.get("image")
    name, tag = values.split_tag(image) if isinstance(image, str) else ("", "")
    return {**table, "image": name, "tag": tag} if tag else table


class OnExit(StrEnum):
    """What happens to the workloads when a session ends."""

    KEEP = "keep"
    RESTORE = "restore"


class LoopConfig(_Table):
    """How the loop runs."""

    debounce: Duration = Field(default=0.03, examples=["30ms"], json_schema_extra={"default": "30ms"})
    """How long devloop waits for more changes after a save."""
    parallel_builds: StrictInt = Field(default=3, ge=1, examples=[3])
    """How many builds run at once."""
    rollout_timeout: Annotated[Duration, _checking(_positive)] = Field(
        default=300.0, examples=["5m"], json_schema_extra={"default": "5m"}
    )
    """How long a rollout may take before the cycle fails."""
    on_exit: OnExit = Field(default=OnExit.KEEP, examples=["restore"])
    """What happens to the workloads at the end: `keep` them as they are, or `restore` what was there before."""
    audit: StrictBool = Field(default=False, examples=[True])
    """Whether the newest layer is compared, file by file, with the full build that is made when nobody saves."""


class UiConfig(_Table):
    """How the terminal is used."""

    notify: StrictBool = Field(default=True, examples=[False])
    """Whether the terminal rings and shows a notification (OSC 9, where it can) when a service fails, and when that is
    mended."""


class Config(_Table):
    """A `devloop.toml`."""

    cluster: ClusterConfig = ClusterConfig()
    """Which cluster, and what may be written to there."""
    services: dict[Annotated[str, StringConstraints(pattern=SERVICE_NAME)], ServiceConfig] = {}
    """The services, by name."""
    loop: LoopConfig = LoopConfig()
    """How saves are gathered, built and rolled out."""
    ui: UiConfig = UiConfig()
    """How devloop behaves on a terminal."""


def json_schema() -> dict[str, Any]:
    """The JSON schema of `devloop.toml`, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidy(schema)}


def _tidy(node: Any) -> Any:
    """Without generated titles, and without the line breaks of the docstrings that descriptions come from."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: " ".join(value.split()) if key == "description" and isinstance(value, str) else _tidy(value)
        for key, value in node.items()
        if key != "title"
    }


def to_toml(config: Config) -> str:
    """The file that says the same; reading it gives an equal configuration."""
    return toml.write(_escaped(config.model_dump(exclude_defaults=True)))


def _escaped(node: Any) -> Any:
    if isinstance(node, str):
        return node.replace("${", "$${")
    if isinstance(node, dict):
        return {key: _escaped(value) for key, value in node.items()}
    return [_escaped(item) for item in node] if isinstance(node, list | tuple) else node
