import json

from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core.text import storable


def test_text_that_can_be_stored_stays_as_it_is():
    text = "Grüße \N{SNOWMAN} \N{PILE OF POO}\n\t\x01"
    assert storable(text) == text


def test_nul_and_lone_surrogates_are_replaced_where_they_stand():
    assert storable("a\0b") == "a\ufffdb"
    assert storable("ü\0\ud800b") == "ü\ufffd?b"


@settings(deadline=None)
@given(st.text())
def test_everything_becomes_text_that_databases_and_json_take(text):
    stored = storable(text)

    assert "\0" not in stored
    assert stored.encode().decode() == stored
    assert json.loads(json.dumps(stored, ensure_ascii=False)) == stored
    assert storable(stored) == stored
