"""The function has changed between the run that stored the arguments and the one that reads them."""

import json

import pytest
from support.codecs import codec_of, unreadable


def old(user: int, subject: str = "Hello", *rest: int, **more: int): ...


STORED = codec_of(old).encode((7,), {})
STORED_ALL = codec_of(old).encode((7, "Hi", 1, 2), {"x": 3})


def test_a_new_parameter_with_a_default_takes_it():
    def new(user: int, copy: bool = True, subject: str = "Hello"): ...

    assert codec_of(new).decode(STORED) == ((7,), {})


def test_parameters_may_change_places():
    def new(subject: str = "Bye", user: int = 0): ...

    args, kwargs = codec_of(new).decode(codec_of(old).encode((7, "Hi"), {}))
    assert (args, kwargs) == (("Hi", 7), {})


def test_a_parameter_may_become_keyword_only():
    def new(*, user: int): ...

    assert codec_of(new).decode(STORED) == ((), {"user": 7})


def test_a_wider_annotation_takes_the_old_value():
    def new(user: int | str): ...

    assert codec_of(new).decode(STORED) == ((7,), {})


def test_a_default_fills_the_place_in_front_of_what_is_passed_by_position():
    def new(user: int, copy: bool = True, subject: str = "Hello", *rest: int, **more: int): ...

    assert codec_of(new).decode(STORED_ALL) == ((7, True, "Hi", 1, 2), {"x": 3})

    def positional(user: int, copy: bool = True, subject: str = "Hello", /): ...

    stored = codec_of(old).encode((7, "Hi"), {})
    assert codec_of(positional).decode(stored) == ((7, True, "Hi"), {})


def test_a_parameter_that_is_gone_is_named():
    def new(): ...

    told = unreadable(new, STORED)
    assert "no longer has a parameter 'user'" in told
    assert "keep it" in told


def test_a_new_parameter_without_default_is_named():
    def new(user: int, tenant: str): ...

    told = unreadable(new, STORED)
    assert "now requires 'tenant', which was not stored" in told
    assert "give it a default" in told


def test_a_new_keyword_without_default_is_named():
    def new(user: int, *, tenant: str): ...

    assert "now requires 'tenant'" in unreadable(new, STORED)


def test_a_parameter_that_lost_its_default_is_named():
    def new(user: int, subject: str): ...

    assert "now requires 'subject'" in unreadable(new, STORED)


@pytest.mark.parametrize("annotation", [bytes, list[int], dict], ids=str)
def test_an_annotation_that_no_longer_accepts_the_value_is_named(annotation):
    def new(user): ...

    new.__annotations__ = {"user": annotation}

    told = unreadable(new, STORED)
    assert "stored argument 'user' is no longer accepted: " in told
    assert "take the old form too" in told


def test_an_annotation_that_lost_its_schema_is_named():
    class Session: ...

    def new(user: Session): ...

    assert "parameter 'user'" in unreadable(new, STORED)


def test_one_value_does_not_become_several():
    def positionals(*user): ...

    def keywords(**user): ...

    for func in (positionals, keywords):
        assert "stored argument 'user' was one value" in unreadable(func, STORED)
    assert "stored argument 'user' was one value" in unreadable(positionals, json.dumps({"user": "abc"}))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '{"user": }'], ids=ascii)
def test_text_that_is_no_object_is_refused(text):
    assert "cannot be read" in unreadable(old, text)
