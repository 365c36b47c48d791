import io
import json

from tally.cli import main


def test_the_table_has_a_line_for_each_figure(poem_file, capsys):
    assert main([str(poem_file)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "lines          2",
        "words          13",
        "distinct words 5",
        "longest word   mountain",
    ]


def test_json_has_the_same_figures(poem_file, capsys):
    assert main([str(poem_file), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["distinct_words"] == 5


def test_without_a_file_standard_input_is_read(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("to be or not to be"))

    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == 6


def test_a_file_that_cannot_be_read_is_an_error(tmp_path, capsys):
    assert main([str(tmp_path / "missing.txt")]) == 1

    assert "missing.txt" in capsys.readouterr().err
