"""Pages: the same words as text and as HTML, and nothing in them that a browser would run."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.kernel.page import Block, Line, Page, Table, as_html, as_text, bundle
from jupyter_mlops.oci.names import MIME_RUN

WORDS = st.text(min_size=0, max_size=30)
PARTS = st.one_of(
    st.builds(Line, WORDS, st.sampled_from(["plain", "strong", "quiet"])),
    st.builds(Block, st.lists(WORDS, max_size=4).map(tuple)),
    st.lists(st.tuples(WORDS, WORDS), max_size=4).map(lambda rows: Table(("<a>", "b&c"), tuple(rows))),
)


class Seen(HTMLParser):
    """Tags and words as a browser would see them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.words = ""
        self.depth: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.depth.append(tag)
        assert {name for name, _ in attrs} <= {"style", "class", "scope"}

    def handle_endtag(self, tag):
        assert self.depth.pop() == tag

    def handle_data(self, data):
        self.words += data


def seen(page: Page) -> Seen:
    parser = Seen()
    parser.feed(as_html(page))
    parser.close()
    return parser


@given(st.lists(PARTS, max_size=5))
def test_html_holds_only_our_tags_and_all_words(parts):
    found = seen(Page(tuple(parts)))
    assert found.depth == []
    assert set(found.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "pre"}
    for part in parts:
        for word in [part.text] if isinstance(part, Line) else []:
            # a parser reads carriage returns as line ends and drops nulls; all else comes back
            assert word.replace("\r", "").replace("\0", "") in found.words.replace("\r", "").replace("\0", "")


def test_markup_of_a_notebook_is_words():
    page = Page((Line('<script>alert("1")</script>'), Table(("<b>",), (("<img src=x onerror=a()>",),)), Block(("</pre><script>",))))
    html = as_html(page)
    assert "<script" not in html
    assert "<img" not in html
    assert 'alert("1")' in seen(page).words


def test_colours_are_inherited():
    html = as_html(Page((Line("a", "strong"), Line("b", "quiet"), Table(("h",), (("x",),)), Block(("l",)))))
    assert "#" not in html
    assert "background: none" in html


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Line("one"), "one"),
        (Table(("a", "long head"), (("wide cell", "x"), ("y", ""))), "a          long head\nwide cell  x\ny"),
        (Table(("a",), ()), ""),
        (Table(("a",), (("two\nlines",),)), "a\ntwo lines"),
        (Block(("x = 1", "", "  y")), "  x = 1\n\n    y"),
        (Block(()), ""),
    ],
)
def test_text(part, text):
    assert as_text(Page((part,))) == text


def test_an_empty_part_leaves_no_blank_line():
    assert as_text(Page((Line("a"), Table(("h",), ()), Line("b")))) == "a\nb"


def test_the_bundle_of_a_run_names_the_run_and_nothing_else():
    made = bundle(Page((Line("a"),), {"run": "churn-1", "phase": "Running", "home": "/h"}))
    assert made[MIME_RUN] == {"run": "churn-1", "phase": "Running", "home": "/h"}
    assert set(made) == {"text/plain", "text/html", MIME_RUN}
    assert set(bundle(Page((Line("a"),)))) == {"text/plain", "text/html"}
