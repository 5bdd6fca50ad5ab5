"""Each mistake flatters where it should, and the proper way beside it does not."""

from __future__ import annotations

import random

import pytest

from ftlab import careless, data
from ftlab.data import Review

WORDS = [f"word{number}" for number in range(3000)]


def rows(count: int, seed: int = 0) -> list[Review]:
    """Texts of words at random whose label is drawn by a coin: nothing can be learned, but each can be remembered."""
    draw = random.Random(seed)
    return [Review(" ".join(draw.choices(WORDS, k=30)), draw.randrange(2), "made") for _ in range(count)]


def test_meaningless_numbers_look_good_when_they_are_chosen_on_all_rows() -> None:
    found = [careless.selection(1000, seed) for seed in range(4)]
    assert all(some["selected_on_all_accuracy"] > 0.75 for some in found)
    assert sum(some["selected_in_training_accuracy"] for some in found) / 4 == pytest.approx(0.5, abs=0.1)


def test_the_best_of_many_guessers_is_no_better_on_fresh_rows() -> None:
    found = [careless.tuning(seed) for seed in range(20)]
    assert all(some["tuned_on_test_accuracy"] > 0.57 for some in found)
    assert sum(some["tuned_fresh_accuracy"] for some in found) / 20 == pytest.approx(0.5, abs=0.03)


def test_only_repeats_are_known_by_heart_and_a_split_by_groups_has_none() -> None:
    some = rows(400)
    found = careless.repeats([*some, *some[:100]], seed=1)
    assert found["repeats_in_test"] > 10 and found["repeats_in_grouped_test"] == 0
    assert found["on_repeats_accuracy"] > 0.95
    assert found["without_repeats_accuracy"] == pytest.approx(0.5, abs=0.15)
    assert found["without_repeats_accuracy"] < found["careless_accuracy"]


def test_without_repeats_nothing_is_said_of_them() -> None:
    found = careless.repeats(rows(100), seed=1)
    assert "on_repeats_accuracy" not in found
    assert found["careless_accuracy"] == found["without_repeats_accuracy"]


def test_what_neighbours_give_away_is_seen_in_the_pair_of_trainings() -> None:
    """Each run of rows has a name of its own and one label by a coin, as a film that everybody liked or nobody did."""
    draw, some = random.Random(2), rows(1200)
    labels = [draw.randrange(2) for _ in range(60)]
    named = [Review(f"{f'film{i // 20} ' * 9}{row.text}", labels[i // 20], "made") for i, row in enumerate(some)]
    found = careless.neighbours(named, seed=3)
    assert found["film_on_both_sides_accuracy"] > found["film_apart_accuracy"] + 0.2
    assert found["neighbour_similarity"] > found["stranger_similarity"] + 0.2


def test_unrelated_neighbours_give_nothing_away() -> None:
    found = careless.neighbours(rows(1200), seed=3)
    assert found["film_on_both_sides_accuracy"] == pytest.approx(found["film_apart_accuracy"], abs=0.12)


def test_the_less_a_copy_was_changed_the_surer_it_is_found() -> None:
    train, test = ([row.text for row in rows(60, seed)] for seed in (1, 2))
    found = careless.planted(train, test, seed=0)
    assert found["found_exact_share"] == found["found_typing_share"] == 1.0
    assert found["found_one_word_share"] > 0.95 > found["found_third_share"]
    assert found["false_alarm_share"] == 0.0


@pytest.mark.assets
def test_the_repeats_of_the_imdb_file_are_in_its_rows() -> None:
    """96 rows repeat another to the letter; without their markup two more do."""
    texts = [row.text for row in data.rows("imdb")]
    assert len(texts) == 25_000
    assert len(texts) - len(set(texts)) == 98
