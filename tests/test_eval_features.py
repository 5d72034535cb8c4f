"""The calibration that is shipped is what the kept features give."""

from pathlib import Path

import pytest

from qa.calibration import load_calibrations
from qa.embed import load_encoder
from qa.settings import Settings
from qa.weights import encoder_available
from qa_eval.features import load_samples, told_model, with_foreignness
from qa_eval.fit import PARTS, fit_models, replayed, usable

FEATURES = sorted((Path(__file__).parents[1] / "eval" / "features").glob("*.jsonl"))


@pytest.fixture(scope="module")
def samples():
    cache = Settings().cache
    if not encoder_available(cache):
        pytest.skip("the package of the extra [encoder] is not installed")
    encoder = load_encoder("bundled", cache)
    kept = [sample for path in FEATURES for sample in load_samples(path)]
    return with_foreignness(kept, encoder)


# Of the models that vote or are probed without having been trained to read no features are kept.
KEPT = [part for part in PARTS if part.name in ("read", "read-alone", "extractive")]


@pytest.mark.parametrize("part", KEPT, ids=lambda part: part.name)
def test_the_models_of_a_part_are_fitted_on_the_features_that_are_kept(samples, part):
    used = usable(part, samples)
    seen = [replayed(sample, part) for sample in used if sample.candidates]
    fitted, shipped = fit_models(seen, part), load_calibrations()[part.name]
    for name in ("sentence", "answerable", "right"):
        found, given = getattr(fitted, name), getattr(shipped, name)
        if found is None and given is None:  # nothing is written without a model
            continue
        assert found.weights == pytest.approx(given.weights, abs=2e-3), name
        assert found.intercept == pytest.approx(given.intercept, abs=2e-3), name
    assert shipped.fitted["questions"] == len(used)


def test_the_kept_features_are_of_the_model_that_the_calibration_names():
    told = {told_model(path) for path in FEATURES}
    assert told == {load_calibrations()["read"].fitted["model"]}
