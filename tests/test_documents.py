import codecs
import errno
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.documents import (
    SUFFIXES,
    Limits,
    Source,
    document_from_text,
    find_sources,
    is_there,
    read_document,
)
from qa.errors import InputError

LIMIT = 1_000_000
TEXT = "L’armée irakienne a annoncé la reprise des pourparlers.\nIls débutent à Bagdad.\n"


def _write(folder: Path, name: str, content: str | bytes = TEXT) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _read(path: Path, max_bytes: int = LIMIT):
    return read_document(Source(path.name, path, path.parent), Limits(file_bytes=max_bytes))


def _ids(*paths: Path) -> list[str]:
    return [source.id for source in find_sources(paths)]


# --- which files


def test_folder_is_searched_throughout_in_order_without_hidden_or_unsupported_files(tmp_path):
    for name in (
        "b.txt",
        "a.md",
        "sub/c.TXT",
        ".hidden.txt",
        ".git/d.txt",
        "photo.png",
        "sub/x.py",
    ):
        _write(tmp_path, name)
    assert _ids(tmp_path) == ["a.md", "b.txt", "sub/c.TXT"]


def test_file_given_by_name_has_its_name_as_id(tmp_path):
    path = _write(tmp_path, "sub/note.txt")
    assert find_sources([path]) == (Source("note.txt", path, path.parent),)


def test_file_given_twice_is_one_source(tmp_path):
    path = _write(tmp_path, "sub/note.txt")
    (tmp_path / "link.txt").symlink_to(path)
    assert len(find_sources([tmp_path, path, tmp_path / "sub", path])) == 1


def test_folders_linked_in_a_loop_are_read_once(tmp_path):
    _write(tmp_path, "a/note.txt")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert _ids(tmp_path) == ["a/note.txt"]


def test_two_files_with_one_id_get_the_names_of_their_folders(tmp_path):
    _write(tmp_path, "x/docs/note.txt")
    _write(tmp_path, "y/notes/note.txt")
    _write(tmp_path, "y/notes/other.txt")
    paths = [tmp_path / "x/docs", tmp_path / "y/notes"]
    assert _ids(*paths) == ["docs/note.txt", "notes/note.txt", "other.txt"]
    assert _ids(*reversed(paths)) == _ids(*paths)


def test_folders_of_one_name_are_told_apart_by_the_folders_above(tmp_path):
    paths = [tmp_path / "x/docs", tmp_path / "y/docs"]
    for path in paths:
        _write(path, "note.txt")
    assert _ids(*paths) == ["x/docs/note.txt", "y/docs/note.txt"]


def test_ids_are_nfc_and_differ_even_for_names_that_only_differ_in_form(tmp_path):
    _write(tmp_path, unicodedata.normalize("NFD", "été.txt"))
    assert _ids(tmp_path) == ["été.txt"]
    _write(tmp_path, "été.txt")
    if len(list(tmp_path.iterdir())) == 2:  # some file systems fold the two into one
        ids = _ids(tmp_path)
        assert len(set(ids)) == 2
        assert all(name == unicodedata.normalize("NFC", name) for name in ids)


def test_empty_folder_and_no_paths_have_no_sources(tmp_path):
    assert find_sources([tmp_path]) == ()
    assert find_sources([]) == ()


@pytest.mark.parametrize("name", ["absent.txt", "absent", "n" * 300 + ".txt"])
def test_missing_path_is_named(tmp_path, name):
    with pytest.raises(InputError, match=name[:50]):
        find_sources([tmp_path / name])


def test_unsupported_file_given_by_name_is_an_error_that_lists_the_suffixes(tmp_path):
    path = _write(tmp_path, "image.png")
    with pytest.raises(InputError, match=r"image\.png.*\.txt") as caught:
        find_sources([path])
    assert all(suffix in str(caught.value) for suffix in SUFFIXES)


# --- reading


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), None),
        (codecs.BOM_UTF8 + TEXT.encode(), None),
        (TEXT.encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), None),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), None),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.replace("’", "\x81").encode("latin-1"), "latin-1"),
    ],
    ids=[
        *("utf-8", "utf-8-bom", "utf-16", "utf-16-be-bom", "utf-16-le", "utf-16-be", "utf-32"),
        *("cp1252", "latin-1"),
    ],
)
def test_encoding_is_found_and_a_guess_is_said(tmp_path, data, encoding):
    document = _read(_write(tmp_path, "note.txt", data))
    assert document.text.replace("\x81", "’") == TEXT
    assert [encoding in notice for notice in document.notices] == [True] * bool(encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, мир. Это текст.", "koi8-r"),
        ("日本語の文書です。", "shift_jis"),
        ("中文文本在这里。", "gbk"),
    ],
)
def test_another_script_in_an_old_encoding_is_refused_and_not_misread(tmp_path, text, encoding):
    with pytest.raises(InputError, match=r"note\.txt.*encoding.*cannot be told; save it as UTF-8"):
        _read(_write(tmp_path, "note.txt", text.encode(encoding)))


def test_a_link_that_leads_nowhere_and_a_folder_that_cannot_be_read_are_said(tmp_path, monkeypatch):
    _write(tmp_path, "a.txt", TEXT.encode())
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "c").mkdir()
    reads = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "c":  # the tests may run as root, who may read everything
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return reads(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = find_sources([tmp_path])
    assert [(one.id, bool(one.problem)) for one in found] == [
        *(("a.txt", False), ("b.txt", True), ("c", True))
    ]
    assert "leads nowhere" in found[1].problem
    assert "Permission denied" in found[2].problem
    with pytest.raises(InputError, match="Permission denied"):
        find_sources([tmp_path / "c"])


def test_a_link_to_itself_and_a_file_that_cannot_be_reached_are_said(tmp_path, monkeypatch):
    _write(tmp_path, "a.txt", TEXT.encode())
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "sub").mkdir()
    _write(tmp_path / "sub", "private.txt", TEXT.encode())
    looks = Path.is_dir

    def is_dir(path: Path) -> bool:
        if path.name == "private.txt":  # in a folder that may be listed but not entered
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return looks(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    found = find_sources([tmp_path])
    assert [(one.id, bool(one.problem)) for one in found] == [
        *(("a.txt", False), ("loop.txt", True), ("sub/private.txt", True))
    ]
    assert "leads nowhere" in found[1].problem
    assert "cannot be reached (Permission denied)" in found[2].problem


def test_damaged_utf8_stays_utf8_and_is_said(tmp_path):
    document = _read(_write(tmp_path, "note.txt", "été à Noël".encode() + b"\xc3"))
    assert document.text == "été à Noël\ufffd"
    assert "1 damaged" in document.notices[0]


@pytest.mark.parametrize(
    "data",
    [b"Bonjour \xed\xa0\x80 Paul.", "Bonjour \ud83d Paul.".encode("utf-16-le", "surrogatepass")],
)
def test_unpaired_surrogates_in_a_file_become_replacement_characters(tmp_path, data):
    if b"\0" in data:
        data = codecs.BOM_UTF16_LE + data
    document = _read(_write(tmp_path, "note.txt", data))
    assert document.text.replace("\ufffd", "") == "Bonjour  Paul."
    assert "\ufffd" in document.text


def test_line_ends_and_accents_are_canonical(tmp_path):
    document = _read(_write(tmp_path, "note.txt", "Une e\u0301te\u0301.\r\nDeux.\rTrois.\n"))
    assert document.text == "Une été.\nDeux.\nTrois.\n"


def test_stray_nuls_become_spaces_and_are_said(tmp_path):
    document = _read(_write(tmp_path, "note.txt", b"Bonjour.\0Paul est\0 venu."))
    assert document.text == "Bonjour. Paul est  venu."
    assert document.notices == ("2 NUL characters were replaced by spaces",)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
        bytes(1000),
        b"%PDF-1.7\nun texte lisible, mais un PDF",
        b"PK\x03\x04" + b"mimetype application/epub+zip",
        os.urandom(5000),
        bytes([0, 1, 2]),
    ],
    ids=["png", "nuls", "pdf", "zip", "random", "three-bytes"],
)
def test_binary_file_is_refused_by_name(tmp_path, data):
    with pytest.raises(InputError, match=r"note\.txt.*(binary|PDF|zip)"):
        _read(_write(tmp_path, "note.txt", data))


@pytest.mark.parametrize("content", [" ", "\n\n\t", "\u00a0\u202f\n", "\u200b\ufeff", "\ufeff"])
def test_file_of_white_space_alone_is_refused(tmp_path, content):
    with pytest.raises(InputError, match=r"note\.txt.*white space"):
        _read(_write(tmp_path, "note.txt", content))


def test_empty_missing_folder_and_special_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"note\.txt.*empty"):
        _read(_write(tmp_path, "note.txt", b""))
    with pytest.raises(InputError, match=r"no file.*absent\.txt"):
        _read(tmp_path / "absent.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(InputError, match=r"folder\.txt.*is a folder"):
        _read(tmp_path / "folder.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match=r"pipe\.txt.*regular"):
        _read(tmp_path / "pipe.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_file_is_refused_by_name(tmp_path):
    path = _write(tmp_path, "note.txt")
    path.chmod(0)
    with pytest.raises(InputError, match=r"note\.txt.*permissions"):
        _read(path)


def test_file_over_the_limit_is_refused_with_both_sizes(tmp_path):
    path = _write(tmp_path, "note.txt", b"a" * 2_000_001)
    with pytest.raises(InputError, match=r"2\.0 MB, the limit is 1\.0 MB"):
        _read(path)
    assert len(_read(path, max_bytes=2_000_001).text) == 2_000_001


def test_five_megabytes_on_one_line_are_read(tmp_path):
    text = "une phrase sans fin " * 250_000
    assert _read(_write(tmp_path, "note.txt", text), max_bytes=6_000_000).text == text


# --- canonical text and titles


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_canonical_text_is_stable_and_encodable(text):
    try:
        document = document_from_text(text, "essai")
    except InputError:
        assert not any(char.isalnum() for char in text)
        return
    again = document_from_text(document.text, "essai")
    assert again.text == document.text
    assert document.text.encode()
    assert not set(document.text) & {"\r", "\0"}
    assert unicodedata.is_normalized("NFC", document.text)
    assert document.title.strip() == document.title != ""


def test_surrogates_in_a_string_are_joined_or_replaced():
    assert document_from_text("\ud83d\ude00 a \ud83d b", "x").text == "😀 a \ufffd b"


@pytest.mark.parametrize("text", ["", " \n", "\0\0"])
def test_text_without_content_is_refused(text):
    with pytest.raises(InputError, match=r"essai.*white space"):
        document_from_text(text, "essai")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("intro\n\n# Le *vrai* [titre](https://a.fr) ##\n\nTexte.", "Le vrai titre"),
        ("```sh\n# commentaire\n```\nTexte.", "rapport annuel 2024"),
        ("Élections de 2024\n\nLe scrutin a eu lieu.", "Élections de 2024"),
        ("\n\nUn   titre\n=====\n\nTexte.", "Un titre"),
        ("Le scrutin a eu lieu.\nIl est clos.", "rapport annuel 2024"),
        ("Ingrédients :\n- farine", "rapport annuel 2024"),
        ("- farine\n- sucre", "rapport annuel 2024"),
        ("Une seule ligne", "rapport annuel 2024"),
        ("mot " * 40 + "\nSuite.", "rapport annuel 2024"),
        ("#\n\n# \n\nTexte.", "rapport annuel 2024"),
        ("```pip install y```\n\n# Titre\n\nTexte.", "Titre"),
        ("---\ntitle: 'La piscine'\ndate: 2024\n---\n\n## Tarifs\n\nTexte.", "La piscine"),
        ("---\ndate: 2024\n---\n\nTarifs\n\nTexte.", "Tarifs"),
        ("Le maire a dit que la loi ne serait pas\nvotée avant mai.", "rapport annuel 2024"),
        ("Il a nommé sa fille directrice. Elle succède à\nM. Roch.", "rapport annuel 2024"),
        ("À acheter\nfarine\nsucre", "À acheter"),
        ("La grande piscine de la ville\nde Brest\n\nTexte.", "La grande piscine de la ville"),
        ("Le maire a dit que la loi ne serait pas\nvotée.\n\nTexte.", "rapport annuel 2024"),
        ("---\ntitle: Piscine  \n---\nTexte.", "Piscine"),
        ("---\ntitle: Piscine # nom\n---\nTexte.", "Piscine"),
        ('---\ntitle: "L\'eau" # nom\n---\nTexte.', "L'eau"),
        ("---\ntitle: 'L''eau'\n---\nTexte.", "L'eau"),
        ("---\ntitle: ''\n---\n# Titre\n\nTexte.", "Titre"),
    ],
)
def test_title_is_a_heading_a_first_line_or_the_name(text, title):
    assert document_from_text(text, "dossier/rapport_annuel-2024.txt").title == title


@pytest.mark.parametrize(("id", "title"), [("a-b_c.md", "a b c"), (".txt", ".txt"), ("--", "--")])
def test_name_becomes_a_readable_title(id, title):
    assert document_from_text("Une seule ligne.", id).title == title


def test_given_title_is_kept():
    assert document_from_text("# Titre\n\nTexte.", "x", title="Mon\n titre").title == "Mon titre"


def test_where_nobody_may_look_a_file_may_be_but_is_not_seen(monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    assert not is_there(Path("/secret/a.txt"))
    assert is_there(Path("/secret/a.txt"), unseen=True)
