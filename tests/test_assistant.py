import errno
import os
from pathlib import Path

import pytest

from fakes import HashEncoder, ScriptedModel
from make_files import lines, pdf, zipped
from qa import Turn
from qa.assistant import Assistant
from qa.errors import IndexMissing, InputError, ModelUnavailable
from qa.llm.choose import Choice
from qa.options import model_options
from qa.settings import Settings
from qa.store import Store
from running import run
from test_pipeline import TROOPS, scripted
from tiny_cross import tiny_cross_encoder

FIRST = "Les États-Unis déploient environ 2500 soldats en Irak.\nLe général parle à Bagdad.\n"


def opened_on(folder, tmp_path):
    settings = Settings(store=tmp_path / "store", documents=(folder,), cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with Assistant(store, encoder, Choice(scripted(), "scripted"), settings, [folder]) as opened:
        opened.index([folder])
        yield opened


@pytest.fixture
def assistant(tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "irak.txt").write_text(FIRST, encoding="utf-8")
    yield from opened_on(folder, tmp_path)


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


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_file_that_was_there_before_stays_when_it_cannot_be_read(assistant, tmp_path, elsewhere):
    own = tmp_path / "documents" / "scan.pdf"
    own.write_bytes(b"%PDF-1.4 damaged")
    upload = tmp_path / "scan.pdf" if elsewhere else own
    upload.write_bytes(own.read_bytes())
    with pytest.raises(InputError, match=r"scan\.pdf"):
        assistant.add_file(upload)
    assert own.read_bytes() == b"%PDF-1.4 damaged"


def test_a_copy_that_breaks_off_leaves_no_half_of_a_file(assistant, tmp_path, monkeypatch):
    def breaks_off(source, target):
        Path(target).write_text("Le port de Br", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    upload = tmp_path / "ports.txt"
    upload.write_text("Le port de Brest ferme.", encoding="utf-8")
    before = sorted((tmp_path / "documents").iterdir())
    with monkeypatch.context() as full:
        full.setattr("shutil.copyfile", breaks_off)
        with pytest.raises(InputError, match="No space left"):
            assistant.add_file(upload)
    assert sorted((tmp_path / "documents").iterdir()) == before
    assert assistant.add_file(upload) == "ports.txt"


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


def test_one_path_and_one_document_need_no_list(tmp_path, monkeypatch):
    monkeypatch.setattr("qa.assistant.load_encoder", lambda *_, **__: HashEncoder())
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "irak.txt").write_text(FIRST, encoding="utf-8")
    (tmp_path / "autre.txt").write_text("Il pleut.\n", encoding="utf-8")
    settings = Settings(store=tmp_path / "store", cache=tmp_path, backend="extractive")
    with Assistant.open(str(folder), settings=settings) as assistant:
        assert [info.id for info in assistant.documents()] == ["irak.txt"]
        assert assistant.index(tmp_path / "autre.txt").added == ("autre.txt",)
        assert assistant.ask(TROOPS, documents="irak.txt").considered
        with pytest.raises(InputError, match=r"nope\.txt"):
            assistant.ask(TROOPS, documents="nope.txt")


def test_search_gives_the_nearest_sentences_without_the_model(assistant):
    model = ScriptedModel()  # has no reply: asking it is an error
    assistant.replace_model(model)
    found = assistant.search("général à Bagdad")
    assert found[0].text == "Le général parle à Bagdad."
    assert found == assistant.search("général à Bagdad", ["irak.txt"])
    with pytest.raises(InputError, match="empty"):
        assistant.search(" ")


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


def removed(assistant):
    return sorted(path.name for path in (assistant.settings.store / "removed").iterdir())


def test_a_removed_document_is_not_asked_any_more_and_its_file_is_kept(assistant, tmp_path):
    assistant.ask(TROOPS)
    assistant.remove("irak.txt")
    assert assistant.documents() == ()
    assert list((tmp_path / "documents").iterdir()) == []
    assert removed(assistant) == ["irak.txt.removed"]
    kept = assistant.settings.store / "removed" / "irak.txt.removed"
    assert kept.read_text(encoding="utf-8") == FIRST
    with pytest.raises(IndexMissing):
        assistant.ask(TROOPS)


def test_a_document_that_was_removed_twice_is_kept_twice(assistant, tmp_path):
    assistant.remove("irak.txt")
    (tmp_path / "documents" / "irak.txt").write_text("Il pleut à Paris.\n", encoding="utf-8")
    assert assistant.reindex().added == ("irak.txt",)
    assistant.remove("irak.txt")
    assert removed(assistant) == ["irak.txt.removed", "irak.txt.removed2"]


def test_removing_an_unknown_document_is_an_error_that_names_it(assistant):
    with pytest.raises(InputError, match=r"'iraq\.txt'.*'irak\.txt'"):
        assistant.remove("iraq.txt")
    assert len(assistant.documents()) == 1


def test_a_file_that_was_opened_by_name_is_forgotten_and_stays(tmp_path):
    files = [tmp_path / "un.txt", tmp_path / "deux.txt"]
    for number, file in enumerate(files):
        file.write_text(f"{FIRST}Voici {number}.\n", encoding="utf-8")
    settings = Settings(store=tmp_path / "store", cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with Assistant(store, encoder, Choice(scripted(), "scripted"), settings, files) as assistant:
        assistant.index(files)
        assistant.remove("un.txt")
        assistant.reindex()
        assert [info.id for info in assistant.documents()] == ["deux.txt"]
    assert files[0].exists()


def test_a_store_inside_the_documents_folder_does_not_bring_removed_files_back(tmp_path):
    (tmp_path / "irak.txt").write_text(FIRST, encoding="utf-8")
    settings = Settings(store=tmp_path / "store", documents=(tmp_path,), cache=tmp_path / ".cache")
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with Assistant(store, encoder, Choice(None, "extractive"), settings) as assistant:
        assistant.reindex()
        assistant.remove("irak.txt")
        assert assistant.reindex().added == ()
        assert assistant.documents() == ()


@pytest.fixture
def linked(tmp_path):
    """An assistant on a folder with a link to a file and one to a folder."""
    for name in ("documents", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "irak.txt").write_text(FIRST, encoding="utf-8")
    (tmp_path / "other.txt").write_text("Il pleut à Brest.\n", encoding="utf-8")
    folder = tmp_path / "documents"
    (folder / "brest.txt").symlink_to(tmp_path / "other.txt")
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    yield from opened_on(folder, tmp_path)


def test_what_links_in_a_folder_lead_to_is_asked(linked):
    assert [info.id for info in linked.documents()] == ["brest.txt", "sub/irak.txt"]
    assert linked.ask(TROOPS).answered


def test_of_a_link_the_link_is_removed_and_stays_so(linked, tmp_path):
    linked.remove("brest.txt")
    linked.reindex()
    assert [info.id for info in linked.documents()] == ["sub/irak.txt"]
    assert removed(linked) == ["brest.txt.removed"]
    assert (tmp_path / "other.txt").exists()


def test_what_is_in_a_folder_that_a_link_leads_to_is_not_moved(linked, tmp_path):
    with pytest.raises(InputError, match="a link leads to"):
        linked.remove("sub/irak.txt")
    assert (tmp_path / "elsewhere" / "irak.txt").exists()
    assert len(linked.documents()) == 2


def test_a_file_added_beside_one_that_was_opened_by_name_is_asked(tmp_path):
    file, upload = tmp_path / "seul.txt", tmp_path / "brest.txt"
    file.write_text(FIRST, encoding="utf-8")
    upload.write_text("Le port de Brest ferme à 19 heures.\n", encoding="utf-8")
    settings = Settings(store=tmp_path / "store", documents=(tmp_path / "docs",), cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    with Assistant(store, encoder, Choice(None, "extractive"), settings, [file]) as assistant:
        assistant.index([file])
        assistant.add_file(upload)
        assert [info.id for info in assistant.documents()] == ["brest.txt", "seul.txt"]
        assert assistant.reindex().unchanged == ("brest.txt", "seul.txt")


def test_a_document_with_a_very_long_name_can_be_removed(assistant, tmp_path):
    name = "é" * 123 + "!.txt"
    (tmp_path / "documents" / name).write_text("Il pleut.\n", encoding="utf-8")
    assistant.reindex()
    assistant.remove(name)
    (kept,) = removed(assistant)
    assert kept.endswith("é!.txt.removed")


def test_a_file_that_cannot_be_moved_leaves_no_copy(assistant, tmp_path, monkeypatch):
    def fails_in_documents(call):
        def checked(path, *rest, **named):
            if Path(path).parent == tmp_path / "documents":
                raise PermissionError(errno.EACCES, "Permission denied")
            return call(path, *rest, **named)

        return checked

    with monkeypatch.context() as forbidden:
        forbidden.setattr(os, "rename", fails_in_documents(os.rename))
        forbidden.setattr(os, "unlink", fails_in_documents(os.unlink))
        with pytest.raises(InputError, match="Permission denied"):
            assistant.remove("irak.txt")
    assert removed(assistant) == []
    assert len(assistant.documents()) == 1


def test_reindex_takes_what_was_added_changed_and_deleted(assistant, tmp_path):
    folder = tmp_path / "documents"
    (folder / "irak.txt").write_text("Tout a changé ici.\n", encoding="utf-8")
    (folder / "neuf.txt").write_text("Un texte tout neuf.\n", encoding="utf-8")
    report = assistant.reindex()
    assert (report.added, report.updated) == (("neuf.txt",), ("irak.txt",))
    (folder / "neuf.txt").unlink()
    assert assistant.reindex().removed == ("neuf.txt",)
    assert assistant.report.removed == ("neuf.txt",)


def test_reindex_reports_a_path_that_is_gone_and_keeps_its_documents(assistant, tmp_path):
    (tmp_path / "documents").rename(tmp_path / "elsewhere")
    report = assistant.reindex()
    assert [path for path, _ in report.failed] == [str(tmp_path / "documents")]
    assert [info.id for info in assistant.documents()] == ["irak.txt"]


def test_small_talk_is_answered_without_the_model(assistant):
    model = ScriptedModel()  # has no reply: asking it is an error
    assistant.replace_model(model)
    answer = assistant.ask("Bonjour, que peux-tu faire ?")
    assert answer.kind == "small talk"
    assert "irak" in answer.text
    assert model.prompts == []


def test_small_talk_needs_no_document(assistant):
    assistant.remove("irak.txt")
    assert "Aucun document" in assistant.ask("Bonjour").text


def test_small_talk_in_between_does_not_cut_a_follow_up_from_its_question(assistant):
    turns = [Turn(TROOPS, "2500 soldats."), Turn("Merci !", "Avec plaisir !")]
    with_thanks = assistant.ask("Et où ?", turns)
    assert with_thanks.question == assistant.ask("Et où ?", turns[:1]).question
    assert "soldats" in with_thanks.question


def test_a_name_that_is_also_small_talk_goes_on_from_a_question(assistant):
    turns = [Turn("Il pleut à Paris ?", "Oui.")]
    assert assistant.ask("Nice ?").kind == "small talk"
    assert "Paris" in assistant.ask("Nice ?", turns).question


def test_kinds_tell_answers_overviews_and_abstentions_apart(assistant):
    assert assistant.ask(TROOPS).kind == "answer"
    assert assistant.ask("Résume le document").kind == "overview"
    assistant.replace_model(None)
    assert assistant.ask("Quelle heure est-il à Brest demain soir ?").kind == "no answer"


@pytest.fixture
def two_models(monkeypatch):
    """Make two scripted models choosable."""
    models = {name: ScriptedModel(default=scripted().default, name=name) for name in ("un", "deux")}

    def choose(id, options, progress=None):
        if id not in models:
            raise InputError(f"there is no model {id!r}")
        return Choice(models[id], id, (f"{id} est lent",))

    monkeypatch.setattr("qa.assistant.choose_offered", choose)
    return models


def test_another_model_answers_from_the_next_question_on(assistant, two_models):
    assistant.use_model("un")
    assert assistant.ask(TROOPS).backend == assistant.backend == "un"
    assert assistant.notices == ("un est lent",)
    assistant.use_model("deux")
    assert assistant.ask(TROOPS).backend == "deux"
    assert two_models["un"].closed


def test_an_answer_under_way_keeps_its_model_until_its_end(assistant, two_models):
    assistant.use_model("un")
    events = assistant.stream(TROOPS)
    next(events)
    assistant.use_model("deux")
    assert not two_models["un"].closed
    *_, answer = events
    assert (answer.backend, answer.text) == ("un", "2500 soldats.")
    assert two_models["un"].closed
    assert not two_models["deux"].closed


def test_a_stopped_answer_releases_the_model_that_was_replaced(assistant, two_models):
    assistant.use_model("un")
    events = assistant.stream(TROOPS)
    next(events)
    assistant.use_model("deux")
    events.close()
    assert two_models["un"].closed


def test_a_model_that_cannot_be_used_leaves_the_one_before(assistant, two_models):
    assistant.use_model("un")
    with pytest.raises(InputError, match="'trois'"):
        assistant.use_model("trois")
    assert assistant.ask(TROOPS).backend == "un"


def test_warming_reads_the_encoder_too_so_that_the_first_question_finds_it(assistant):
    encoder = assistant.resources().encoder
    encoder.batches.clear()
    assistant.warm()
    assert [query for _, query in encoder.batches] == [True]


def test_what_one_model_read_another_has_to_read_itself(assistant, two_models):
    assistant.use_model("un")
    assert assistant.warm() == 1
    assistant.use_model("deux")
    assert two_models["deux"].warmed == []
    assert assistant.warm() == 1
    assert two_models["deux"].warmed == two_models["un"].warmed


def test_the_models_offered_come_from_the_settings(assistant, monkeypatch):
    asked = []
    monkeypatch.setattr("qa.assistant.offered_models", lambda options: asked.append(options) or ())
    assert assistant.models() == ()
    assert asked[0].cache == assistant.settings.cache


def with_cross_encoders(tmp_path, **named):
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "irak.txt").write_text(FIRST, encoding="utf-8")
    settings = Settings(store=tmp_path / "store", documents=(folder,), cache=tmp_path, **named)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    return Assistant(store, encoder, Choice(scripted(), "scripted"), settings, [folder])


def test_the_settings_cross_encoders_rank_and_check(tmp_path):
    nli = tiny_cross_encoder(tmp_path / "nli")
    reranker = tiny_cross_encoder(tmp_path / "reranker", ["LABEL_0"])
    with with_cross_encoders(tmp_path, nli=str(nli), reranker=str(reranker)) as opened:
        opened.index([tmp_path / "documents"])
        parts = opened.resources()
        assert parts.entailment.judge([("le maire", "personne parle .")])[0].entailment > 0
        answer = opened.ask("Combien de soldats américains sont déployés en Irak ?")
        evidence = next(iter(opened.stream("Combien de soldats ?")))
        scores = parts.reranker.scores("Combien de soldats ?", FIRST.splitlines())
        best = max(zip(scores, FIRST.splitlines(), strict=True))[1]
        assert evidence.citations[0].text == best
    assert answer.notices == ()


def test_a_reranker_that_cannot_be_loaded_is_named_and_the_question_answered(tmp_path):
    folder = tiny_cross_encoder(tmp_path / "damaged", ["LABEL_0"])
    (folder / "model.safetensors").write_bytes(b"{nothing")
    with with_cross_encoders(tmp_path, reranker=str(folder)) as opened:
        opened.index([tmp_path / "documents"])
        answer = opened.ask("Combien de soldats américains sont déployés en Irak ?")
    assert answer.answered
    (notice,) = answer.notices
    assert "not reranked" in notice
    assert "damaged" in notice


def test_a_cross_encoder_of_another_kind_stops_the_opening(tmp_path):
    folder = tiny_cross_encoder(tmp_path / "nli", ["LABEL_0"])
    with pytest.raises(ModelUnavailable, match="QA_NLI"):
        with_cross_encoders(tmp_path, nli=str(folder))


def test_without_cross_encoders_nothing_is_reranked(assistant):
    parts = assistant.resources()
    assert (parts.entailment, parts.reranker) == (None, None)
