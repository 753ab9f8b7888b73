"""When a change is one more layer, what is in that layer, and every reason for a full build."""

from collections.abc import Mapping

import pytest

from devloop.core import delta
from devloop.core.delta import Base, Delta, Folder, FullBuild, Put, decide
from devloop.core.dockerfile import parse
from devloop.core.dockerfile_target import target_of
from devloop.core.picture import Entry, EntryType, Picture

FILE, DIR, LINK = EntryType.FILE, EntryType.FOLDER, EntryType.LINK
TREE = {
    "Dockerfile": (FILE, 0o644, "d0"),
    "requirements.txt": (FILE, 0o644, "r0"),
    "main.py": (FILE, 0o644, "m0"),
    "run.sh": (FILE, 0o755, "s0"),
    "src": (DIR, 0o755, ""),
    "src/a.py": (FILE, 0o644, "a0"),
    "src/deep": (DIR, 0o700, ""),
    "src/deep/b.py": (FILE, 0o640, "b0"),
    "link": (LINK, 0, "main.py"),
    "app.tar.gz": (FILE, 0o644, "t0"),
}
PLAIN = "FROM python:3\nWORKDIR /app\nCOPY . .\n"
CACHED = (
    "FROM python:3\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY src src\nCMD x\n"
)
FOLDERS = {
    "/app": Folder(0o755, mtime=7),
    "/app/src": Folder(0o755),
    "/app/src/deep": Folder(0o700),
    "/srv": Folder(0o750, 10, 20),
    "/opt": Folder(0o755),
    "/opt/tool": Folder(0o755),
}
Tree = Mapping[str, tuple[EntryType, int, str] | None]


def picture(tree: Tree, size: int = 10) -> Picture:
    entries = {name: Entry(*what, size=size) for name, what in tree.items() if what is not None}
    return Picture(entries)


def base(**changes: object) -> Base:
    fields: dict[str, object] = {
        "picture": picture(TREE), "unsure": frozenset(), "folders": FOLDERS, "links": {"link": "main.py"},
    }  # fmt: skip
    return Base(**{**fields, **changes})  # type: ignore[arg-type]


def decided(
    dockerfile: str, changes: Tree, on: Base | None = None, size: int = 10, args: Mapping[str, str] = {}
) -> Delta | FullBuild:
    target = target_of(parse(dockerfile), args=args)
    now = picture({**TREE, **changes}, size)
    return decide(
        target, on or base(), now, {"Dockerfile", ".dockerignore"}, lambda name: name in {"beside.txt", "../shared.py"}
    )


def put(path: str, source: str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Put:
    return Put(path, mode, uid, gid, source)


APP = Put("/app", 0o755, mtime=7)
SRC, DEEP = Put("/app/src", 0o755), Put("/app/src/deep", 0o700)
NEW = (FILE, 0o644, "new")

DELTAS: dict[str, tuple[str, Tree, list[Put], str]] = {
    "one file": (PLAIN, {"main.py": NEW}, [APP, put("/app/main.py", "main.py")], "1 file into /app"),
    "two files": (
        PLAIN, {"main.py": NEW, "src/a.py": NEW},
        [APP, put("/app/main.py", "main.py"), SRC, put("/app/src/a.py", "src/a.py")], "2 files into /app",
    ),
    "another mode": (
        PLAIN, {"run.sh": (FILE, 0o700, "s0")}, [APP, put("/app/run.sh", "run.sh", 0o700)], "1 file into /app",
    ),
    "a new file": (PLAIN, {"new.py": NEW}, [APP, put("/app/new.py", "new.py")], "1 file into /app"),
    "a new file in a new folder of a folder": (
        PLAIN, {"src/pkg": (DIR, 0o711, ""), "src/pkg/sub": (DIR, 0o755, ""), "src/pkg/sub/x.py": NEW},
        [APP, SRC, Put("/app/src/pkg", 0o711), Put("/app/src/pkg/sub", 0o755),
         put("/app/src/pkg/sub/x.py", "src/pkg/sub/x.py")], "1 file into /app/src/pkg/sub",
    ),
    "what nothing reads is gone": (CACHED, {"main.py": None, "new": (DIR, 0o755, "")}, [],
        "nothing differs from the last full build"),
    "a wildcard for names": ("FROM x\nCOPY src/*.py /srv/\n", {"src/a.py": NEW},
        [Put("/srv", 0o750, 10, 20), put("/srv/a.py", "src/a.py")], "1 file into /srv"),
    "files one by one": ("FROM x\nCOPY main.py run.sh /srv/\n", {"main.py": NEW},
        [Put("/srv", 0o750, 10, 20), put("/srv/main.py", "main.py")], "1 file into /srv"),
    "an ONBUILD runs after its stage": (
        "FROM x AS a\nONBUILD COPY --chmod=700 main.py /app/\nCOPY main.py /app/\nFROM a\n", {"main.py": NEW},
        [APP, put("/app/main.py", "main.py", 0o700)], "1 file into /app",
    ),
    "what nothing reads": (CACHED, {"main.py": NEW}, [], "nothing differs from the last full build"),
    "nothing": (PLAIN, {}, [], "nothing differs from the last full build"),
    "after the RUN": (
        CACHED, {"src/deep/b.py": NEW}, [APP, SRC, DEEP, put("/app/src/deep/b.py", "src/deep/b.py")],
        "1 file into /app/src/deep",
    ),
    "numbers as owner, and a mode": (
        "FROM x\nCOPY --chown=10:20 --chmod=0600 main.py /srv/\n", {"main.py": NEW},
        [Put("/srv", 0o750, 10, 20), put("/srv/main.py", "main.py", 0o600, 10, 20)], "1 file into /srv",
    ),
    "two places": (
        "FROM x\nCOPY main.py /app/\nCOPY main.py /srv/\n", {"main.py": NEW},
        [APP, put("/app/main.py", "main.py"), Put("/srv", 0o750, 10, 20), put("/srv/main.py", "main.py")],
        "2 files into /",
    ),
    "the same place twice, the later mode": (
        PLAIN + "COPY --chmod=700 src src\n", {"src/a.py": NEW},
        [APP, SRC, put("/app/src/a.py", "src/a.py", 0o700)], "1 file into /app/src",
    ),
    "another stage beside": (
        "FROM x AS tool\nRUN make\nFROM y\nCOPY --from=tool /out /opt/tool\nCOPY . /app\n", {"main.py": NEW},
        [APP, put("/app/main.py", "main.py")], "1 file into /app",
    ),
    "a copy of another stage elsewhere, later": (
        "FROM x AS tool\nRUN make\nFROM y\nCOPY . /app\nCOPY --from=tool /out /opt/tool\n", {"main.py": NEW},
        [APP, put("/app/main.py", "main.py")], "1 file into /app",
    ),
    "the stage that it is built on": (
        "FROM x AS code\nCOPY . /app\nFROM code\nENV A=b\n", {"main.py": NEW},
        [APP, put("/app/main.py", "main.py")], "1 file into /app",
    ),
    "a variable that is known": (
        "FROM x\nARG WHERE=/srv\nCOPY main.py $WHERE/\n", {"main.py": NEW},
        [Put("/srv", 0o750, 10, 20), put("/srv/main.py", "main.py")], "1 file into /srv",
    ),
    "what writes no files": (
        PLAIN + 'ENV A=b\nARG C=d\nLABEL e=f\nUSER 5\nEXPOSE 80\nHEALTHCHECK CMD x\nSTOPSIGNAL 9\nENTRYPOINT ["x"]\n',
        {"main.py": NEW}, [APP, put("/app/main.py", "main.py")], "1 file into /app",
    ),
    "a file that is watched and no part of the context": (PLAIN, {"beside.txt": NEW, "../shared.py": NEW}, [],
        "nothing differs from the last full build"),
    "ADD of a folder": (
        "FROM x\nADD src /app/src/\n", {"src/a.py": NEW}, [APP, SRC, put("/app/src/a.py", "src/a.py")],
        "1 file into /app/src",
    ),
    "an archive that nobody unpacks": (
        PLAIN, {"app.tar.gz": NEW}, [APP, put("/app/app.tar.gz", "app.tar.gz")], "1 file into /app",
    ),
    "a JSON list and a heredoc before": (
        'FROM x\nCOPY <<EOF /srv/conf\nCOPY . /\nEOF\nCOPY ["main.py", "/app/"]\n', {"main.py": NEW},
        [APP, put("/app/main.py", "main.py")], "1 file into /app",
    ),
}  # fmt: skip
"""Dockerfile and changes; the layer and the words."""


@pytest.mark.parametrize("case", DELTAS)
def test_a_layer(case: str) -> None:
    dockerfile, changes, puts, text = DELTAS[case]
    assert decided(dockerfile, changes) == Delta(tuple(puts), text)


FULL: dict[str, tuple[str, Tree, str]] = {
    "the Dockerfile": (PLAIN, {"Dockerfile": NEW}, "Dockerfile has changed"),
    "the ignore file": (PLAIN, {".dockerignore": NEW}, ".dockerignore has changed"),
    "deleted": (PLAIN, {"main.py": None}, "main.py was deleted"),
    "a file that became a folder": (PLAIN, {"main.py": (DIR, 0o755, "")}, "main.py is no plain file, or was none"),
    "a file that became a link": (PLAIN, {"main.py": (LINK, 0, "run.sh")}, "main.py is no plain file, or was none"),
    "a link that became a file": (PLAIN, {"link": NEW}, "link is no plain file, or was none"),
    "a link that leads elsewhere": (PLAIN, {"link": (LINK, 0, "run.sh")}, "link is no plain file, or was none"),
    "the mode of a folder": (PLAIN, {"src": (DIR, 0o700, "")}, "the mode of the folder src has changed"),
    "a socket": (PLAIN, {"s": (EntryType.OTHER, 0o644, "")}, "s is no plain file, or was none"),
    "a file that cannot be read": (PLAIN, {"main.py": (EntryType.UNREADABLE, 0, "")},
        "main.py is no plain file, or was none"),
    "a RUN after it": (CACHED, {"requirements.txt": NEW},
        "requirements.txt is there for `RUN pip install -r requirements.txt`"),
    "a RUN that mounts it": (
        "FROM x\nRUN --mount=type=bind,source=requirements.txt,target=/r pip install -r /r\nCOPY . /app\n",
        {"requirements.txt": NEW},
        "requirements.txt is mounted for `RUN --mount=type=bind,source=requirements.txt,target=/r pip install -r /r`",
    ),
    "an earlier stage": (
        "FROM x AS build\nCOPY . /src\nRUN make\nFROM y\nCOPY --from=build /out /app\n", {"main.py": NEW},
        "main.py is copied into the stage `build`",
    ),
    "an earlier stage as well": (
        "FROM x AS build\nCOPY . /src\nRUN make\nFROM y\nCOPY --from=build /out /srv\nCOPY . /app\n", {"main.py": NEW},
        "main.py is copied into the stage `build`",
    ),
    "a later copy of a stage over it": (
        "FROM x AS tool\nRUN make\nFROM y\nCOPY . /app\nCOPY --from=tool /out /app\n", {"main.py": NEW},
        "/app/main.py may be written again by `COPY --from=tool /out /app`",
    ),
    "a later heredoc over it": (
        PLAIN + "COPY <<EOF /app/main.py\nx\nEOF\n", {"main.py": NEW},
        "/app/main.py may be written again by `COPY <<EOF /app/main.py`",
    ),
    "a later URL into its folder": (
        PLAIN + "ADD https://example.com/main.py /app/\n", {"main.py": NEW},
        "/app/main.py may be written again by `ADD https://example.com/main.py /app/`",
    ),
    "a later copy of another file over it": (
        PLAIN + "COPY src /app\n", {"a.py": NEW}, "/app/a.py may be written again by `COPY src /app`",
    ),
    "a later copy with a wildcard": (
        PLAIN + "COPY src/*.py /app/\n", {"main.py": NEW}, "/app/main.py may be written again by `COPY src/*.py /app/`",
    ),
    "a later copy of a file whose name is its": (
        PLAIN + "COPY run.sh /app/main.py\n", {"main.py": NEW},
        "/app/main.py may be written again by `COPY run.sh /app/main.py`",
    ),
    "a new folder where the base image may have one": (PLAIN, {"pkg": (DIR, 0o711, "")},
        "it is not known whether the image has a /app/pkg already"),
    "a new name in the root": ("FROM x\nCOPY . /\n", {"home": NEW},
        "it is not known whether the image has a /home already"),
    "a new folder that a wildcard takes": ("FROM x\nWORKDIR /app\nCOPY p* ./\n", {"pb": (DIR, 0o700, "")},
        "`COPY p* ./` may put something else at /app"),
    "the same name in two sources": ("FROM x\nCOPY src src/deep /app/\n", {"src/deep/b.py": NEW, "src/b.py": NEW},
        "`COPY src src/deep /app/` may put something else at /app/b.py"),
    "two sources of which one is in the other": ("FROM x\nCOPY . src /app/\n", {"src/a.py": NEW},
        "`COPY . src /app/` may put something else at /app/src/a.py"),
    "a wildcard for folders": ("FROM x\nCOPY s*/a.py /app/\n", {"src/a.py": NEW},
        "`COPY s*/a.py /app/` may put something else at /app/a.py"),
    "a wildcard that a folder fits": ("FROM x\nCOPY s* /app/\n", {"src/a.py": NEW},
        "`COPY s* /app/` may put something else at /app/a.py"),
    "a later copy into a folder that may be a link": (
        "FROM x\nCOPY main.py /app/\nCOPY src /bin/\n", {"main.py": NEW},
        "/app/main.py may be written again by `COPY src /bin/`",
    ),
    "an owner by name": ("FROM x\nCOPY --chown=web main.py /app/\n", {"main.py": NEW},
        "`--chown=web` needs the image to be understood"),
    "an owner without group": ("FROM x\nCOPY --chown=5 main.py /app/\n", {"main.py": NEW},
        "`--chown=5` needs the image to be understood"),
    "a mode in letters": ("FROM x\nCOPY --chmod=u+x main.py /app/\n", {"main.py": NEW},
        "`--chmod=u+x` is no octal number"),
    "an archive that ADD unpacks": ("FROM x\nADD app.tar.gz /app/\n", {"app.tar.gz": NEW},
        "app.tar.gz: ADD extracts archives"),
    "a file that ADD looks into": ("FROM x\nADD main.py /app/\n", {"main.py": NEW},
        "`ADD main.py /app/` may unpack main.py"),
    "files that ADD looks into": ("FROM x\nADD *.py /app/\n", {"main.py": NEW},
        "`ADD *.py /app/` may unpack main.py"),
    "a destination that nobody knows": ("FROM x\nCOPY main.py $WHERE\n", {"main.py": NEW},
        "main.py: the value of a variable in its destination is not known"),
    "a file or a folder": ("FROM x\nCOPY main.py /opt\n", {"main.py": NEW},
        "main.py: it depends on whether `/opt` is a folder of the base image"),
    "a folder that the layers do not tell of": ("FROM x\nCOPY main.py /usr/lib/\n", {"main.py": NEW},
        "it is not known what /usr/lib is in the image"),
    "a folder of the image": ("FROM x\nCOPY main.py /app/src\n", {"main.py": NEW},
        "main.py: it depends on whether `/app/src` is a folder of the base image"),
    "a new file where the image has a folder": (PLAIN + "", {"src": None, "main.py": NEW}, "src was deleted"),
    "ONBUILD": ("FROM x:onbuild\nCOPY . /app\n", {"main.py": NEW},
        "main.py: the image `x:onbuild` may have ONBUILD instructions that read the context"),
    "another frontend": ("# syntax=example.com/other\n" + PLAIN, {"main.py": NEW},
        "main.py: `example.com/other` is not Docker's own syntax of Dockerfiles"),
    "an unknown flag": ("FROM x\nCOPY --new main.py /app/\n", {"main.py": NEW},
        "main.py: it is not known what its `--new` does"),
    "a name that is no UTF-8": (PLAIN, {"caf\udce9": NEW}, "a name is no UTF-8"),
}  # fmt: skip
"""Dockerfile, changes, and why only a full build is right."""


@pytest.mark.parametrize("case", FULL)
def test_a_full_build(case: str) -> None:
    dockerfile, changes, reason = FULL[case]
    assert decided(dockerfile, changes) == FullBuild(reason)


def test_what_changed_while_the_base_was_built_is_in_every_layer() -> None:
    found = decided(PLAIN, {}, base(unsure=frozenset({"main.py"})))
    assert found == Delta((APP, put("/app/main.py", "main.py")), "1 file into /app")


def test_what_was_deleted_while_the_base_was_built_may_be_in_it() -> None:
    assert decided(PLAIN, {}, base(unsure=frozenset({"gone.py"}))) == FullBuild("gone.py was deleted")


def test_a_volume_may_hide_what_a_layer_puts_there() -> None:
    found = decided(PLAIN, {"src/a.py": NEW}, base(volumes=("/app/src",)))
    assert found == FullBuild("/app/src/a.py is in a VOLUME")


def test_a_file_where_the_image_has_a_folder() -> None:
    found = decided(PLAIN, {"opt": NEW}, base(folders={**FOLDERS, "/app/opt": Folder(0o755)}))
    assert found == FullBuild("/app/opt is a folder of the image")


@pytest.mark.parametrize("source", ["link", "*"])
def test_a_link_of_the_context_that_a_copy_follows(source: str) -> None:
    """It lands under two names, or under the name of the link."""
    found = decided(f"FROM x\nCOPY {source} /app/\n", {"main.py": NEW})
    assert found == FullBuild("main.py is taken through the link link")


def test_a_file_that_a_copy_writes_through_a_link_of_the_image() -> None:
    found = decided(PLAIN + "COPY run.sh link\n", {"run.sh": NEW}, base(linked=frozenset({"/app/link"})))
    assert isinstance(found, FullBuild)
    found = decided("FROM x\nCOPY run.sh /app/link.sh\n", {"run.sh": NEW}, base(linked=frozenset({"/app/link.sh"})))
    assert found == FullBuild("/app/link.sh is a link in the image")


def test_a_later_source_behind_a_link_of_the_context() -> None:
    tree = {**TREE, "cur": (LINK, 0, "src")}
    on = base(picture=picture(tree), links={"cur": "src"})
    found = decided("FROM x\nCOPY main.py /app/\nCOPY cur/sub /app/\n", {"cur": tree["cur"], "main.py": NEW}, on)
    assert found == FullBuild("/app/main.py may be written again by `COPY cur/sub /app/`")


def test_too_many_names_for_a_layer() -> None:
    found = decided(PLAIN, {f"new{at}": NEW for at in range(delta.MOST_NAMES + 1)})
    assert found == FullBuild("more than 1,000 names differ from the last full build")


def test_too_much_for_a_layer() -> None:
    found = decided(PLAIN, {"main.py": NEW, "run.sh": NEW}, size=delta.MOST_BYTES // 2 + 1)
    assert found == FullBuild("more than 32 MB differ from the last full build")
