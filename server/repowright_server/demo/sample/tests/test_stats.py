from tally import summarise
from tally.stats import frequencies


def test_a_summary_has_the_figures_of_the_text(poem):
    summary = summarise(poem)

    assert (summary.lines, summary.words, summary.distinct_words) == (2, 13, 5)
    assert summary.longest_word == "mountain"


def test_a_text_without_words_has_no_longest_word():
    assert summarise("...").longest_word == ""


def test_words_are_counted_whatever_their_case(poem):
    assert frequencies(poem)["the"] == 4
