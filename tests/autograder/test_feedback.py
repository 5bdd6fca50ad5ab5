"""A page explains every lost point, shows nothing it should not, and runs nothing a student wrote."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import feedback, master, pages
from autograder.marks import Mark
from autograder.records import Flag, Graded, Outcome, State
from ftlab.errors import CourseError

CHROMIUM = Path("/usr/bin/chromium")
EVIL = "</code></pre></p><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7 * 7 }}&lt;"


@pytest.fixture(scope="session")
def sft(solutions):
    return master.load(solutions / "05-sft" / "05-sft.md")


def graded(sft, result="passed", message="", state=State.GRADED, **more):
    """A submission with this result in every exercise that is not marked by hand."""
    outcomes = tuple(
        Outcome(exercise=one.name, result="by hand" if one.manual else result, message="" if one.manual else message)
        for one in sft.exercises
    )
    fields = {
        "answers": {one.name: one.solution for one in sft.exercises if not one.manual},
        "written": {one.name: "An essay." for one in sft.exercises if one.manual},
        "outcomes": outcomes,
        **more,
    }
    return Graded(student="ann", assignment=sft.name, key="", seed=7, state=state, **fields)


def test_a_page_shows_titles_points_and_answers(sft, text_of):
    text = text_of(feedback.page(sft, "ann", graded(sft)))
    for exercise in sft.exercises:
        assert exercise.title in text
    assert "2 of 2" in text
    assert "return math.ceil(examples / batch_size) * epochs" in text
    most, by_hand = sum(one.points for one in sft.exercises), sum(one.points for one in sft.exercises if one.manual)
    assert f"{most - by_hand} of {most} points so far; a person will still look at {by_hand} of them" in text


@pytest.mark.parametrize("result", [*feedback.VERDICTS, "passed"])
def test_every_result_is_explained_and_the_checks_words_are_shown(sft, result, text_of):
    text = text_of(feedback.page(sft, "ann", graded(sft, result, message="It is 93, and should be 96.")))
    if result != "passed":
        assert feedback.VERDICTS[result] in text
        assert "It is 93, and should be 96." in text


def test_partial_credit_is_shown_as_it_is(sft, text_of):
    first = sft.exercises[0]
    outcomes = (Outcome(exercise=first.name, result="passed", credit=0.5, message="Half of the cases."),)
    text = text_of(feedback.page(sft, "ann", graded(sft, outcomes=outcomes)))
    assert "0.5 of 2" in text
    assert "gave a part of the points" in text
    assert "Half of the cases." in text


def test_an_untouched_answer_is_called_untouched(sft, text_of):
    stubs = {one.name: one.stub for one in sft.exercises if not one.manual}
    text = text_of(feedback.page(sft, "ann", graded(sft, "error", answers=stubs)))
    assert text.count("as we handed it out") == len(stubs)


def test_hidden_tests_solutions_and_mark_schemes_are_not_on_a_students_page(sft, text_of):
    essay = next(one for one in sft.exercises if one.manual)
    answers = {one.name: "pass" for one in sft.exercises if not one.manual}
    found = graded(sft, "failed", answers=answers, error="Traceback: /opt/secret", box="none")
    for page in (
        feedback.page(sft, "ann", found),
        feedback.page(sft, "ann", graded(sft, state=State.BROKEN, error="/opt")),
    ):
        text = text_of(page)
        assert "reference." not in text
        assert "/opt" not in text
        assert "sandbox" not in text
        assert essay.rubric.splitlines()[0][12:40] not in text
        for exercise in sft.exercises:
            lines = [*exercise.hidden_tests.splitlines(), *exercise.solution.splitlines()]
            assert not [
                line for line in lines if len(line) > 30 and not line.startswith(("def ", '    """')) and line in text
            ]
    inside = text_of(feedback.page(sft, "ann", found, with_hidden=True))
    assert "reference.training_steps" in inside
    assert "/opt/secret" in inside
    assert "without a sandbox" in inside


def test_a_mark_brings_its_comment_and_the_mark_scheme(sft, text_of):
    essay = next(one for one in sft.exercises if one.manual)
    marks = {essay.name: Mark(points=3, comment="The second <b>reason</b> needs a check.")}
    text = text_of(feedback.page(sft, "ann", graded(sft), marks=marks))
    assert "3 of 4" in text
    assert "The second <b>reason</b> needs a check." in text
    assert "a first valid reason" in text
    again = {essay.name: Mark(points=3, again=True)}
    assert "? of 4" in text_of(feedback.page(sft, "ann", graded(sft), marks=again)), "the answer has changed since"


@pytest.mark.parametrize("state", [state for state in State if state not in (State.GRADED, State.FLAGGED)])
def test_a_submission_that_is_not_graded_gets_a_sentence_and_no_points(sft, state, text_of):
    found = None if state is State.WAITING else graded(sft, state=state, error="It is no notebook. Save it in Jupyter.")
    text = text_of(feedback.page(sft, "ann", found))
    assert " points" not in text
    assert "Exercise" not in text
    assert ("It is no notebook." in text) == (state is State.REJECTED)
    assert ("our fault" in text) == (state is State.BROKEN)


def test_points_that_a_person_gave_to_what_could_not_be_run_are_shown(sft):
    marks = {sft.exercises[0].name: Mark(points=1, comment="I ran it by hand.")}
    page = feedback.page(sft, "ann", graded(sft, state=State.CRASHED, outcomes=()), marks=marks)
    assert "could not be run as a whole" in page
    assert "1 of 2" in page
    assert "I ran it by hand." in page
    assert "1 of 2" not in feedback.page(sft, "ann", graded(sft, state=State.BROKEN), marks=marks)


def test_a_failed_regrade_shows_no_old_points(sft, text_of):
    text = text_of(feedback.page(sft, "ann", graded(sft, state=State.BROKEN), stale=True))
    assert "do not count until then" in text
    assert "of 2" not in text


def test_flags_accuse_nobody(sft, text_of):
    flags = (Flag(kind="tampered", where="cell 7", what="Its text was changed. It was put back."),)
    text = text_of(feedback.page(sft, "ann", graded(sft, state=State.FLAGGED, flags=flags)))
    assert "Its text was changed. It was put back." in text
    assert not re.search(r"tamper|cheat|violat|suspicio|fraud", text, re.IGNORECASE)


def page_of(sft, evil):
    """A page with a student's text wherever a student's text can stand."""
    found = graded(
        sft,
        "failed",
        message=evil,
        state=State.FLAGGED,
        answers={one.name: evil for one in sft.exercises},
        written={one.name: evil for one in sft.exercises},
        flags=(Flag(kind="note", where=evil, what=evil),),
        error=evil,
    )
    return feedback.page(sft, evil, found, marks={sft.exercises[0].name: Mark(comment=evil)}, with_hidden=True)


def test_nothing_a_student_wrote_is_raw(sft, text_of):
    page = page_of(sft, EVIL)
    assert EVIL in text_of(page)
    assert "<script" not in page


@given(st.text(st.characters(), max_size=60))
def test_any_text_gives_a_safe_page_that_can_be_written(sft, text_of, evil):
    page = page_of(sft, evil)
    text_of(page)
    page.encode()


def test_characters_that_reorder_code_are_made_visible():
    assert pages.printable("a\u202eb\ud800c\x00\n\td\u200dé") == "a\ufffdb\ufffdc\ufffd\n\td\u200dé"


def test_the_policy_allows_the_style_sheet_and_nothing_else(sft):
    page = feedback.page(sft, "ann", graded(sft))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'", policy
    )
    assert not re.search(r"https?:|url\(|@import", page)


def test_a_page_is_written_in_nbgraders_layout_and_never_elsewhere(tmp_path):
    path = feedback.write_page(tmp_path, "05-sft", "ann@x.org", "page")
    assert path == tmp_path / "ann@x.org" / "05-sft" / "05-sft.html"
    assert path.read_text() == "page"
    for student in ("../bob", "..", ".", "", "a/b", "a\0b", "-" * 65, "ann\n"):
        with pytest.raises(CourseError):
            feedback.write_page(tmp_path, "05-sft", student, "page")
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 390)])
def test_a_browser_shows_the_page_styled_without_requests_scripts_or_overflow(sft, tmp_path, scheme, width):
    from playwright.sync_api import sync_playwright

    (tmp_path / "page.html").write_text(page_of(sft, EVIL + "x" * 300))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        requests, said = [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("dialog", lambda dialog: (said.append("a script ran"), dialog.dismiss()))
        tab.goto((tmp_path / "page.html").as_uri())
        background = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        overflow = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        browser.close()
    assert len(requests) == 1
    assert said == []
    assert overflow <= 0
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 27)"}[scheme]


def contrast(first, second):
    """The contrast of two colours #rrggbb, from 1 to 21 (WCAG 2.2, relative luminance)."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(first), luminance(second)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("scheme", "style"), [(0, pages.LIGHT), (1, pages.DARK)])
def test_all_colours_of_text_can_be_read(scheme, style):
    from pygments.styles import get_style_by_name

    sheet = (pages.TEMPLATES / "page.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#\w{6});", sheet.split("@media screen")[scheme]))
    tokens = [f"#{about['color']}" for _, about in get_style_by_name(style) if about["color"]]
    for text in [*(colours[name] for name in ("ink", "quiet", "link", "full", "part", "none")), *tokens]:
        assert contrast(text, colours["paper"]) >= 4.5, text
        assert contrast(text, colours["card"]) >= 4.5, text
    assert contrast(colours["ink"], colours["mark"]) >= 4.5
