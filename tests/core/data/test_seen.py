import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.seen import Seen, hash_of


def test_the_hash_is_xxh3():
    assert hash_of("基金") == xxhash.xxh3_64("基金".encode()).intdigest()


@settings(deadline=None)
@given(st.lists(st.text(max_size=3)))
def test_it_answers_as_a_set_does(texts):
    seen, expected = Seen(), set()
    for text in texts:
        assert seen.add(text) == (text not in expected)
        expected.add(text)
    assert len(seen) == len(expected)


def test_it_answers_as_a_set_does_while_it_grows():
    seen = Seen()
    assert all(seen.add(str(number)) for number in range(10_000))
    assert not any(seen.add(str(number)) for number in range(10_000))
    assert len(seen) == 10_000


def test_hashes_that_meet_in_one_slot_are_kept_apart():
    seen = Seen()
    values = [1 + (number << 40) for number in range(100)]
    assert all(seen.add_hash(value) for value in values)
    assert not any(seen.add_hash(value) for value in values)
