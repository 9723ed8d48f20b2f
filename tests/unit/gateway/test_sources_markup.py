import pytest

from gateway.sources.markup import plain


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>Heart &amp; lungs</p><p>normal</p>", "Heart & lungs\nnormal"),
        ('<p title="a > b">Clear</p>', "Clear"),
        ("Clear<!-- <p>not</p> --> lungs", "Clear lungs"),
        (
            "<style>p {}</style><SCRIPT>if (a<b) c()</SCRIPT>Clear<br/>lungs",
            "Clear\nlungs",
        ),
        ("<head/>Clear", "Clear"),
        ("rate <60, size >3 mm", "rate <60, size >3 mm"),
        ("&lt;obj&gt; &#233;", "<obj> é"),
        ("Clear<script>never closed", "Clear"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
    ],
)
def test_the_words_of_markup_are_what_a_person_would_see(
    markup: str, words: str
) -> None:
    assert plain(markup) == words
