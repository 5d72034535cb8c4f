"""What is kept of conversations: across processes, crashes and owners, and as feedback."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qa.errors import QAError
from qa.types import Answer, Citation, Statement, Timings, Turn, Usage
from qa.ui.conversations import Conversations
from qa.ui.exchange import Exchange, advance, fail, history

RAIN = Citation("temps.txt", "temps", 3, 0, 9, "Il pleut.", 0.9)
ANSWER = Answer(
    text="Il pleut.",
    answered=True,
    confidence=0.9,
    statements=(Statement("Il pleut.", (RAIN,), "supported"),),
    citations=(RAIN,),
    nearest=(),
    question="Quel temps ?",
    backend="scripted",
    timings=Timings(total_s=1.5),
    usage=Usage(10, 5, 2),
    considered=(RAIN,),
    notices=("coupé",),
)


def answered(question: str = "Quel temps ?", **fields: object) -> Exchange:
    return advance(Exchange(question, **fields), ANSWER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "conversations.sqlite"


def test_a_conversation_comes_back_as_it_was(path: Path) -> None:
    first = Conversations(path)
    made = first.begin("Quel temps ?")
    asked = first.add(made.id, Exchange("Quel temps ?", documents=("temps.txt",)))
    first.save(answered(documents=("temps.txt",), key=asked.key))
    first.close()
    again = Conversations(path)
    assert [one.name for one in again.of()] == ["Quel temps ?"]
    (exchange,) = again.exchanges(made.id)
    assert exchange == answered(documents=("temps.txt",), key=asked.key)


def test_unfinished_words_come_back_and_are_not_given_to_a_follow_up(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    asked = kept.add(made.id, Exchange("Quel temps ?"))
    left = advance(Exchange("Quel temps ?", key=asked.key), replace(ANSWER, unfinished="Il va"))
    kept.save(left)
    kept.close()
    again = Conversations(path).exchanges(made.id)
    assert again == (left,)
    assert history(again) == (Turn("Quel temps ?", "Il pleut."),)


def test_a_conversation_of_before_answers_had_unfinished_words_still_loads(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    kept.add(made.id, answered())
    kept.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE exchanges SET value = json_remove(value, '$.answer.unfinished')")
    (exchange,) = Conversations(path).exchanges(made.id)
    assert exchange.answer == ANSWER


def test_the_latest_conversation_is_listed_first(path: Path) -> None:
    kept = Conversations(path)
    one, two = kept.begin("Un ?"), kept.begin("Deux ?")
    assert {c.name for c in kept.of()} == {"Un ?", "Deux ?"}
    kept.add(one.id, Exchange("Encore ?"))
    assert [c.id for c in kept.of()] == [one.id, two.id]


def test_everybody_has_their_own_list(path: Path) -> None:
    kept = Conversations(path)
    kept.begin("À moi ?", owner="anne")
    assert kept.of("anne")
    assert kept.of("paul") == kept.of() == ()


def test_only_its_owner_renames_and_deletes_a_conversation(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("À moi ?", owner="anne")
    kept.rename(made.id, "À Jean", "jean")
    assert not kept.delete(made.id, "jean")
    assert not kept.delete(made.id)
    assert [one.name for one in kept.of("anne")] == ["À moi ?"]
    kept.rename(made.id, "À Anne", "anne")
    assert [one.name for one in kept.of("anne")] == ["À Anne"]
    assert kept.delete(made.id, "anne")
    assert kept.get(made.id) is None


def test_a_name_is_one_line_of_limited_length(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("un\n deux " + "mot " * 200)
    assert made.name.startswith("un deux mot")
    assert len(made.name) <= 121
    kept.rename(made.id, "  \n ")
    assert kept.get(made.id).name == made.name
    kept.rename(made.id, " Le\ttemps ")
    assert kept.get(made.id).name == "Le temps"


def test_deleting_leaves_nothing(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    kept.add(made.id, answered())
    kept.delete(made.id)
    assert kept.of() == ()
    assert kept.get(made.id) is None
    rows = sqlite3.connect(path).execute("SELECT count(*) FROM exchanges").fetchone()
    assert rows == (0,)


def test_an_answer_that_was_under_way_comes_back_as_stopped(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    kept.add(made.id, Exchange("Quel temps ?", state="writing", draft="Il pl"))
    (exchange,) = kept.exchanges(made.id)
    assert (exchange.state, exchange.draft) == ("stopped", "Il pl")


def test_a_failed_answer_keeps_its_words_and_its_error(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    kept.add(made.id, fail(Exchange("Quel temps ?", state="writing", draft="Il pl"), "died"))
    (exchange,) = kept.exchanges(made.id)
    assert (exchange.state, exchange.draft, exchange.error) == ("failed", "Il pl", "died")


def test_a_question_asked_anew_replaces_the_one_before(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Un ?")
    first = kept.add(made.id, answered("Un ?"))
    second = kept.add(made.id, answered("Deux ?"), replaces=first.key)
    assert [one.key for one in kept.exchanges(made.id)] == [second.key]


def test_a_verdict_outlives_the_answer_that_it_made_a_person_replace(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Un ?")
    before = kept.add(made.id, answered("Un ?"))
    judged = kept.add(made.id, answered("Deux ?", documents=("temps.txt",)))
    kept.judge(made.id, judged.key, "down")
    kept.add(made.id, answered("Deux ?"), replaces=judged.key)
    (feedback,) = kept.feedback()
    assert feedback.verdict == "down"
    assert feedback.question == "Deux ?"
    assert feedback.documents == ("temps.txt",)
    assert feedback.history == (Turn(ANSWER.question, "Il pleut."),)
    assert feedback.answer == ANSWER
    assert before.key < judged.key


def test_a_verdict_is_taken_back_and_needs_its_conversation(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Un ?")
    asked = kept.add(made.id, answered("Un ?"))
    kept.judge("another", asked.key, "up")
    assert list(kept.feedback()) == []
    kept.judge(made.id, asked.key, "up")
    assert kept.exchanges(made.id)[0].verdict == "up"
    kept.judge(made.id, asked.key, "")
    assert list(kept.feedback()) == []


def test_what_was_written_survives_the_sudden_end_of_the_process(path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from qa.ui.conversations import Conversations\n"
        "from qa.ui.exchange import Exchange\n"
        "kept = Conversations(Path(sys.argv[1]))\n"
        "made = kept.begin('Quel temps ?')\n"
        "asked = kept.add(made.id, Exchange('Quel temps ?'))\n"
        "kept.save(Exchange('Quel temps ?', state='writing', draft='Il pl', key=asked.key))\n"
        "print('saved', flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "saved\n"
    os.kill(process.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait(60)
    kept = Conversations(path)
    (exchange,) = kept.exchanges(kept.of()[0].id)
    assert (exchange.state, exchange.draft) == ("stopped", "Il pl")


def test_two_processes_write_to_one_file(path: Path) -> None:
    one, two = Conversations(path), Conversations(path)
    made = one.begin("Quel temps ?")
    two.add(made.id, answered())
    assert len(one.exchanges(made.id)) == 1


def test_a_broken_file_is_named_with_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(QAError, match=r"conversations\.sqlite.*move it away"):
        Conversations(path)


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Conversations(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(QAError, match="newer version"):
        Conversations(path)


def test_an_exchange_that_cannot_be_read_is_named(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    asked = kept.add(made.id, answered())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE exchanges SET value = '{}'")
    with pytest.raises(QAError, match=f"exchange {asked.key} "):
        kept.exchanges(made.id)


def test_an_answer_of_a_version_with_other_fields_is_read(path: Path) -> None:
    kept = Conversations(path)
    made = kept.begin("Quel temps ?")
    kept.add(made.id, answered())
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE exchanges SET value = json_remove(json_set(value, '$.answer.later', 1),"
            " '$.answer.kind', '$.documents')"
        )
    assert kept.exchanges(made.id)[0].answer == ANSWER


def test_without_a_file_conversations_last_until_the_end() -> None:
    kept = Conversations(None)
    made = kept.begin("Quel temps ?")
    assert kept.of() == (made,)
    kept.close()
    kept.close()
