from core.tuning.check.sample import chosen


def test_few_rows_are_all_looked_at():
    assert chosen([3, 1, 2], seed=0) == [0, 1, 2]


def test_of_many_rows_the_longest_are_looked_at_and_others_drawn():
    characters = [number % 100 for number in range(1000)]
    places = chosen(characters, seed=0, most=20)
    assert len(places) == len(set(places)) == 20
    assert sum(characters[place] == 99 for place in places) >= 10
    assert chosen(characters, seed=0, most=20) == places
    assert chosen(characters, seed=1, most=20) != places
