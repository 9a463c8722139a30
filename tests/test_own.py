"""The page on one's own loss, metric and data: its blocks run, and their numbers are a loop's."""

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

PAGE = Path(__file__).parents[1] / "docs" / "own.md"


@pytest.fixture(scope="module")
def page():
    """What stands after all blocks of the page, in their order."""
    held = {}
    with torch.random.fork_rng():
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
            exec(compile(block, str(PAGE), "exec"), held)
    return held


def mean(objective, model, name="loss"):
    return float(objective(model.state_dict())[name].double().mean())


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def test_regression(page):
    net, x, y = page["net"], page["x"], page["y"]
    assert list(page["regression"].metrics) == ["loss"]
    net.load_state_dict(page["a"])
    want = F.smooth_l1_loss(net(x)[:, 0], y)
    assert page["profile"].curve().mean[0] == pytest.approx(float(want), rel=1e-5)
    found = page["uncertain"](x)
    want = F.gaussian_nll_loss(found["mean"], y, found["var"])
    assert float(page["nats"]) == pytest.approx(float(want), rel=1e-5)


def test_one_logit(page):
    net, x, y = page["net"], page["x"], page["y"]
    right = ((net(x)[:, 0] > 0) == (y > 0)).double().mean()
    assert mean(page["spam"], net, "accuracy") == pytest.approx(float(right))
    assert mean(page["spam"], net, "error") == pytest.approx(1 - float(right))


def test_padding(page):
    tagger, tokens, tags = page["tagger"], page["tokens"], page["tags"]
    outputs = tagger(tokens)
    want = F.cross_entropy(outputs.flatten(0, 1), tags.flatten())
    assert mean(page["by_token"], tagger) == pytest.approx(float(want), rel=1e-5)
    each = [F.cross_entropy(o, t) for o, t in zip(outputs, tags, strict=True)]
    live = [v for v in each if not v.isnan()]
    want = torch.stack(live).mean()
    assert mean(page["by_sequence"], tagger) == pytest.approx(float(want), rel=1e-5)
    assert page["by_sequence"].left_out == 60 - len(live) > 0


def test_segmentation(page):
    net, images, masks = page["segmenter"], page["images"], page["masks"]
    want = F.cross_entropy(net(images), masks, ignore_index=255)
    assert mean(page["pixels"], net) == pytest.approx(float(want), rel=1e-5)
    wrong = (net(images).argmax(1) != masks)[masks != 255].double().mean()
    assert mean(page["pixels"], net, "error") == pytest.approx(float(wrong))


def test_several_labels(page):
    net, x, labels = page["many"], page["x"], page["labels"]
    want = F.binary_cross_entropy_with_logits(net(x), labels)
    assert mean(page["multilabel"], net) == pytest.approx(float(want), rel=1e-5)
    assert list(page["multilabel"].metrics) == ["loss", "exact match"]
    assert page["multilabel"].higher_is_better["exact match"]


def test_classes_and_groups(page):
    net, x, classes, group = (page[k] for k in ("classifier", "x", "classes", "group"))
    wrong = (net(x).argmax(1) != classes).double()
    for c in range(4):
        want = float(wrong[classes == c].mean())
        assert mean(page["per_class"], net, f"error of {c}") == pytest.approx(want)
    for g in range(3):
        want = float(wrong[group == g].mean())
        assert mean(page["grouped"], net, f"error, group {g}") == pytest.approx(want)
    want = F.cross_entropy(net(x), classes)
    assert mean(page["grouped"], net) == pytest.approx(float(want), rel=1e-5)


def test_weights_of_ones_own(page):
    net, x, held = page["net"], page["x"], page["weighed"].samples.targets
    values = (net(x)[:, 0] - held[:, 0]).square()
    want = (values * held[:, 1]).sum() / held[:, 1].sum()
    assert mean(page["weighed"], net) == pytest.approx(float(want), rel=1e-5)
