from tally import words


def test_words_are_split_at_anything_but_letters_and_digits():
    assert words("One, two - three3_four") == ["one", "two", "three3", "four"]


def test_an_apostrophe_inside_a_word_belongs_to_it():
    assert words("'Don't' say so") == ["don't", "say", "so"]
