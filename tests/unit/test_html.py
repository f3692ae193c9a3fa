"""HTML becomes the text a person would read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.html import to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<div>one</div>\n<div>two</div>", "one\n\ntwo"),
        (
            "<table><tr><td>Reported error:</td><td>550 5.1.10 no</td></tr></table>",
            "Reported error: 550 5.1.10 no",
        ),
        ("<b>550</b> <i>5.1.1</i>", "550 5.1.1"),
        ("55<b>0</b>", "550"),
        ("&lt;info@example.net&gt; &amp; &#39;x&#39;&nbsp;y", "<info@example.net> & 'x' y"),
        ("<info@example.net>: no", ": no"),
        ("a < b and 5 > 4", "a < b and 5 > 4"),
        ("<script>var a = '550';</script>shown", "shown"),
        ("<style>p {color: red}</style>shown", "shown"),
        ("<head><title>hidden</title></head>shown", "shown"),
        ("<!-- 550 hidden -->shown", "shown"),
        ("<!DOCTYPE html><html><body>shown</body></html>", "shown"),
        ("one\r\ntwo", "one two"),
        ("a\nb<pre>one\r\ntwo</pre>c\nd", "a b\none\ntwo\nc d"),
        ("<PRE class='x'>one\ntwo", "one\ntwo"),
        ("<present>one\ntwo</present>", "one two"),
        ("<a href='https://example.com/?a=1&amp;b=2'>link</a>", "link"),
        ("收件人<br>不存在", "收件人\n不存在"),
        ("", ""),
        ("<p>never closed", "never closed"),
        ("<script>never closed 550", "never closed 550"),
    ],
)
def test_html_is_read_as_a_person_would(html: str, text: str) -> None:
    assert text == to_text(html)


@pytest.mark.parametrize(
    "piece", ["<", "<p", "<pre>", "<!--", "<script>", "&lt;", "<td>", "\n", "<style></style", "&#x0;"]
)
def test_repetition_does_no_harm(piece: str) -> None:
    assert isinstance(to_text(piece * 20_000), str)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>/!-pbrtdscript &;#x550\n", max_size=200))
def test_any_text_is_read(html: str) -> None:
    assert "\n\n\n" not in to_text(html)
