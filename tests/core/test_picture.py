"""What counts as a difference between two pictures."""

from hypothesis import given
from hypothesis import strategies as st

from devloop.core.picture import Entry, EntryType, PackedEntries, Picture, pack, unpack

HASHES = st.binary(min_size=16, max_size=16).map(bytes.hex)
FILES = st.builds(
    Entry,
    st.just(EntryType.FILE),
    st.integers(0, 0o7777),
    HASHES,
    st.booleans(),
    st.integers(0, 2**60),
    st.integers(-(2**60), 2**62),
    st.integers(0, 2**64 - 1),
)
OTHERS = st.builds(
    Entry,
    st.sampled_from([EntryType.FOLDER, EntryType.LINK, EntryType.OTHER, EntryType.UNREADABLE]),
    st.integers(0, 0o7777),
    st.sampled_from(["", "../target", "caf\udce9"]),
)
ENTRIES = st.dictionaries(st.sampled_from(["a", "b", "f/a", "f/g/a", "../x"]), FILES | OTHERS)


def packed(entries: dict[str, Entry]) -> Picture:
    folders: dict[str, dict[str, bytes]] = {}
    for path, entry in entries.items():
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = pack(entry)
    return Picture(PackedEntries(folders))


@given(FILES | OTHERS)
def test_packed_and_unpacked_it_is_the_same(entry: Entry) -> None:
    again = unpack(pack(entry))
    assert again == entry
    assert (again.quiet, again.size, again.changed_ns, again.inode) == (
        entry.quiet,
        entry.size,
        entry.changed_ns,
        entry.inode,
    )


@given(ENTRIES, ENTRIES)
def test_packed_pictures_differ_as_plain_ones(before: dict[str, Entry], after: dict[str, Entry]) -> None:
    expected = Picture(after).changed_since(Picture(before))
    assert packed(after).changed_since(packed(before)) == expected
    assert packed(after).files == Picture(after).files
    assert dict(packed(after).entries) == after
    assert len(packed(after).entries) == len(after)


def test_times_do_not_count() -> None:
    before = {"a": Entry(EntryType.FILE, 0o644, "00" * 16, size=1, changed_ns=2, inode=3)}
    after = {"a": Entry(EntryType.FILE, 0o644, "00" * 16, size=1, changed_ns=9, inode=9)}
    assert packed(after).changed_since(packed(before)) == ()


def test_what_is_not_watched_differs_only_when_asked_for() -> None:
    before = {"a": Entry(EntryType.FILE, 0o644, "00" * 16, quiet=True)}
    assert Picture({}).changed_since(Picture(before)) == ()
    assert Picture({}).changed_since(Picture(before), quiet=True) == ("a",)
