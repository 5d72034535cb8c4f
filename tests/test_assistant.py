import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes import HashEncoder, ScriptedModel
from make_files import lines, pdf, zipped
from qa import Turn
from qa.assistant import Assistant, model_options
from qa.errors import IndexMissing, InputError
from qa.llm.choose import Choice
from qa.settings import Settings
from qa.store import Store
from test_pipeline import TROOPS, scripted


def run(coroutine):
    """Run it in a thread of its own: a browser's driver may keep an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


FIRST = "Les États-Unis déploient environ 2500 soldats en Irak.\nLe général parle à Bagdad.\n"


@pytest.fixture
def assistant(tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "irak.txt").write_text(FIRST, encoding="utf-8")
    settings = Settings(store=tmp_path / "store", documents=(folder,), cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with Assistant(store, encoder, Choice(scripted(), "scripted"), settings, [folder]) as opened:
        opened.index([folder])
        yield opened


def test_documents_and_sentences_are_there_with_canonical_text(assistant):
    (info,) = assistant.documents()
    assert assistant.document(info.id).text == FIRST
    assert [s.text for s in assistant.sentences(info.id)] == FIRST.splitlines()


def test_an_added_file_is_kept_indexed_and_asked(assistant, tmp_path):
    upload = tmp_path / "ports.txt"
    upload.write_text(
        "Le port de Brest ferme à 19 heures.\nIl ouvre à 6 heures.\n", encoding="utf-8"
    )
    added = assistant.add_file(upload)
    assert added == "ports.txt"
    assert (tmp_path / "documents" / "ports.txt").read_text("utf-8") == upload.read_text("utf-8")
    answer = assistant.ask("À quelle heure ferme le port de Brest ?")
    assert "ports.txt" in {citation.document for citation in answer.considered}


def test_an_added_pdf_shows_its_pages_and_where_a_citation_stands(assistant, tmp_path):
    upload = tmp_path / "ports.pdf"
    upload.write_bytes(pdf([lines("Le port de Brest ferme."), lines("Il ouvre à 6 heures.")]))
    added = assistant.add_file(upload)
    second = assistant.sentences(added)[1]
    assert assistant.document(added).page_at(second.start) == 2
    (box,) = assistant.boxes(added, second.start, second.end)
    assert box.page == 2
    assert (box.left, box.bottom) == pytest.approx((70 / 595, 1 - 770 / 842), abs=0.01)
    assert assistant.page_image(added, 2, 300).startswith(b"\x89PNG")
    assert assistant.boxes("irak.txt", 0, 5) == ()
    with pytest.raises(InputError, match="not a PDF"):
        assistant.page_image("irak.txt", 1)


def test_an_added_archive_is_indexed_and_its_first_document_named(assistant, tmp_path):
    upload = tmp_path / "ports.zip"
    upload.write_bytes(zipped({"x/brest.md": "# Brest\n\nIl ferme.", "a.bin": b"\0"}))
    assert assistant.add_file(upload) == "ports.zip/x/brest.md"
    assert assistant.document("ports.zip/x/brest.md").title == "Brest"


def test_an_added_file_that_cannot_be_read_leaves_nothing_behind(assistant, tmp_path):
    for name, data in (
        ("a.pdf", b"%PDF-1.4"),
        ("a.zip", b"PK\x03\x04"),
        ("b.zip", zipped({})),
        ("c.zip", zipped({"x.txt": ""})),
    ):
        upload = tmp_path / name
        upload.write_bytes(data)
        with pytest.raises(InputError, match=name):
            assistant.add_file(upload)
        assert not (tmp_path / "documents" / name).exists()


def test_a_second_file_of_the_same_name_and_other_content_is_kept_too(assistant, tmp_path):
    other = tmp_path / "irak.txt"
    other.write_text("Un tout autre texte est ici.\nIl a deux phrases.\n", encoding="utf-8")
    assert assistant.add_file(other) == "irak-2.txt"
    assert (tmp_path / "documents" / "irak.txt").read_text("utf-8") == FIRST
    assert assistant.add_file(other) == "irak-2.txt"


@pytest.mark.parametrize(
    ("name", "content"), [("a.exe", b"MZ"), ("vide.txt", b""), ("b.txt", b"\0" * 50)]
)
def test_a_file_that_cannot_be_read_is_an_error_and_leaves_nothing(
    assistant, tmp_path, name, content
):
    bad = tmp_path / name
    bad.write_bytes(content)
    with pytest.raises(InputError, match=name.split(".")[0]):
        assistant.add_file(bad)
    assert [info.id for info in assistant.documents()] == ["irak.txt"]
    assert sorted(path.name for path in (tmp_path / "documents").iterdir()) == ["irak.txt"]


def test_async_gives_the_same_answer(assistant):
    one, other = assistant.ask(TROOPS), run(assistant.aask(TROOPS))
    assert (one.text, one.citations) == (other.text, other.citations)


def test_history_is_an_argument_and_not_kept(assistant):
    turns = [Turn("Qui parle ?", "Le général.")]
    assistant.ask("Et où ?", turns)
    assert turns == [Turn("Qui parle ?", "Le général.")]
    assert assistant.ask(TROOPS).question == TROOPS


def test_only_documents_of_the_given_paths_answer(tmp_path):
    for name in ("un", "deux"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(FIRST, encoding="utf-8")
    settings = Settings(store=tmp_path / "store", cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    paths = [tmp_path / "un"]
    with Assistant(store, encoder, Choice(scripted(), "scripted"), settings, paths) as assistant:
        assistant.index([tmp_path / "un", tmp_path / "deux"])
        assert [info.id for info in assistant.documents()] == ["un.txt"]
        assert {c.document for c in assistant.ask(TROOPS).considered} == {"un.txt"}


def test_the_query_engine_gives_our_citations_with_offsets(assistant):
    response = assistant.as_query_engine().query(TROOPS)
    assert str(response) == "2500 soldats."
    (node,) = response.source_nodes
    assert FIRST[node.node.start_char_idx : node.node.end_char_idx] == node.node.get_content()
    assert node.node.ref_doc_id == "irak.txt"
    assert run(assistant.as_query_engine().aquery(TROOPS)).source_nodes


def test_the_settings_reach_the_choice_of_a_model(tmp_path):
    settings = Settings(store=tmp_path, cache=tmp_path, prefix_cache_mb=3, backend="extractive")
    options = model_options(settings)
    assert options.prefix_cache_bytes == 3 << 20
    assert options.prefixes == tmp_path / "prefixes"
    assert options.backend == "extractive"


def test_closing_twice_is_fine_and_closes_the_model(assistant):
    model = ScriptedModel()
    assistant.replace_model(model)
    assistant.close()
    assistant.close()
    assert model.closed


def test_a_single_file_can_be_opened_and_asked(tmp_path):
    file = tmp_path / "seul.txt"
    file.write_text(FIRST, encoding="utf-8")
    settings = Settings(store=tmp_path / "store", cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with Assistant(store, encoder, Choice(scripted(), "scripted"), settings, [file]) as assistant:
        assistant.index([file])
        assert [info.id for info in assistant.documents()] == ["seul.txt"]
        assert assistant.ask(TROOPS).answered


def test_an_empty_index_is_an_error_that_says_what_to_do(tmp_path):
    settings = Settings(store=tmp_path / "store", cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with (
        Assistant(store, encoder, Choice(scripted(), "scripted"), settings) as assistant,
        pytest.raises(IndexMissing, match="qa index"),
    ):
        assistant.ask(TROOPS)


def test_opening_only_a_file_that_cannot_be_read_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("qa.assistant.load_encoder", lambda *_, **__: HashEncoder())
    empty = tmp_path / "vide.txt"
    empty.write_bytes(b"")
    settings = Settings(store=tmp_path / "store", cache=tmp_path, backend="extractive")
    with pytest.raises(InputError, match="vide"):
        Assistant.open([empty], settings=settings)
