from __future__ import annotations

from decimal import Decimal

import pytest

from weft.yamlpos import YamlError, load, load_all


def test_plain_types_are_few():
    text = "a: [1, -2, 0x1F, 2.50, 1e3, true, ~, null, NO, on, yes, 007, 12:30, 2024-01-31, 1_000, .5, .inf, '1']\n"
    assert load(text).data == {
        "a": [
            1,
            -2,
            31,
            Decimal("2.50"),
            Decimal("1e3"),
            True,
            None,
            None,
            "NO",
            "on",
            "yes",
            "007",
            "12:30",
            "2024-01-31",
            "1_000",
            ".5",
            ".inf",
            "1",
        ]
    }


def test_keys_are_text():
    assert load("on: 1\ntrue: 2\n7: 3\nnull: 4\n").data == {"on": 1, "true": 2, "7": 3, "null": 4}


def test_positions():
    loaded = load("a:\n  b: [x,\n    {c: d}]\n", "f.yaml")
    assert loaded.at(("a", "b")) == "f.yaml:2:3"
    assert loaded.at(("a", "b"), value=True) == "f.yaml:2:6"
    assert loaded.at(("a", "b", 1, "c"), value=True) == "f.yaml:3:9"
    assert loaded.at(("a", "nothing", "here")) == "f.yaml:1:1"
    assert loaded.position() == (1, 1)


def test_aliases_and_merges():
    loaded = load("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\nall: {<<: [*b, {z: 4}]}\n")
    assert loaded.data["one"] == {"x": 1, "y": 3}
    assert loaded.data["two"] == {"x": 1, "y": 2}
    assert loaded.data["all"] == {"x": 1, "y": 2, "z": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key 'a' appears twice, first on line 1"),
        ("a:\n\t- b", "f.yaml:2:1: .*indent with blanks, not with tabs"),
        ("a: b: c", "f.yaml:1:5: mapping values are not allowed.*quotes"),
        (
            "a: !!python/object/apply:os.system [x]",
            "f.yaml:1:4: the tag !!python/object/apply:os.system is not",
        ),
        ("a: !own x", "f.yaml:1:4: the tag !own is not allowed"),
        ("a: !!int x", "f.yaml:1:4: 'x' is not a int"),
        ("a: &x [*x]", "f.yaml:1:.*an alias refers to a piece that contains it"),
        ("? [1]\n: 2", "f.yaml:1:3: a key must be a plain text"),
        ("<<: 1", "'<<' takes a mapping"),
        ("a: 'x", "f.yaml:1:"),
        ("a: \x01", "f.yaml:1:4: the character U\\+0001 is not allowed"),
        ("a: 1\n---\nb: 1", "f.yaml:3:1: a second document"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(YamlError, match=message):
        load(text, "f.yaml")


def test_expanding_aliases_are_bounded():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(YamlError, match="more than 200000 pieces"):
        load("\n".join(lines))


def test_nesting_is_bounded():
    with pytest.raises(YamlError):
        load("[" * 100_000)


def test_files(tmp_path):
    path = tmp_path / "weft.yaml"
    with pytest.raises(YamlError, match=r"weft\.yaml: cannot be read: No such file"):
        load(path)
    path.write_bytes(b"a: \xff")
    with pytest.raises(YamlError, match="is not UTF-8"):
        load(path)
    path.write_text("\ufeffa: 1")
    assert load(path).data == {"a": 1}
    path.write_text("")
    assert load(path).data is None
    path.write_text("---\n---\na: 1\n---\n")
    assert [one.data for one in load_all(path)] == [{"a": 1}]
