import sys

import numpy as np
import pytest
import torch

from ridgeline import data
from ridgeline.data import mnist1d
from ridgeline.errors import MissingExtra


@pytest.fixture(scope="module")
def signals():
    return data.load("mnist1d")


def test_mnist1d_has_the_published_form(signals):
    train, test = signals["train"], signals["test"]
    assert train.inputs.shape == (4000, 40)
    assert test.inputs.shape == (1000, 40)
    assert train.inputs.dtype == torch.float32
    assert train.targets.dtype == torch.int64
    both = torch.cat([train.targets, test.targets])
    assert both.bincount().tolist() == [500] * 10
    x = torch.cat([train.inputs, test.inputs]).double()
    assert float(x.mean()) == pytest.approx(0, abs=1e-6)
    assert float(x.std(correction=0)) == pytest.approx(1, abs=1e-6)


def test_mnist1d_is_pinned(signals):
    # Compared with `make_dataset` of the authors' package when pinned: equal to 3e-7.
    assert signals.fingerprint == "02d89009d311e4af8168ed0abd21e40f"
    assert data.load("mnist1d", normalise=False).fingerprint == signals.fingerprint
    assert mnist1d.generate(seed=1).fingerprint != signals.fingerprint


def test_mnist1d_leaves_numpy_s_generator_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (the global generator itself is meant)
    mnist1d.generate()
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002 (the global generator itself is meant)


def test_mnist1d_equals_the_transformations_sample_by_sample(signals):
    """One sample the slow way, in the order of the paper's section 2."""
    rng = np.random.RandomState(42)
    slow = []
    for label in range(10):
        x = np.array(mnist1d.TEMPLATES[label], float)
        x = (x - x.mean()) / x.std()
        x = (x - x[0]) / 6
        for _ in range(500):
            pad = 36 + int(rng.rand() * 25)
            long = np.concatenate([x + 1e-8, np.zeros(pad)])
            long = np.interp(np.linspace(0, 1, 72), np.linspace(0, 1, len(long)), long)
            long = np.roll(long * (1 + 0.4 * (rng.rand() - 0.5)), rng.choice(48))
            smooth = 0.25 * rng.randn(72)
            kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2) ** 2)
            smooth = np.convolve(np.pad(smooth, 8, "symmetric"), kernel / kernel.sum(), "valid")
            long = np.where(long != 0, long, smooth) + 0.02 * rng.randn(72)
            long = long - 0.75 * (rng.rand() - 0.5) * np.linspace(-0.5, 0.5, 72)
            slow.append(np.interp(np.linspace(0, 1, 40), np.linspace(0, 1, 72), long))
    slow = np.stack(slow)[rng.permutation(5000)]
    slow = (slow - slow.mean()) / slow.std()
    fast = torch.cat([signals["train"].inputs, signals["test"].inputs]).numpy()
    np.testing.assert_allclose(fast, slow, atol=1e-5)


def test_digits_are_split_alike_each_time():
    first, second = data.load("digits"), data.load("digits")
    assert first.fingerprint == second.fingerprint
    assert first["train"].inputs.shape == (1437, 64)
    assert first["test"].inputs.shape == (360, 64)
    assert first["test"].targets.bincount().tolist() == [36] * 10
    assert first["train"].inputs.dtype == torch.float32


def test_no_digit_is_in_both_splits():
    from sklearn.datasets import load_digits

    read = data.load("digits", normalise=False)
    both = torch.cat([read["train"].inputs, read["test"].inputs]).sum(1).sort().values
    whole = torch.from_numpy(load_digits().data / 16).float().sum(1).sort().values
    torch.testing.assert_close(both, whole)
    assert float(both.min()) >= 0


def test_normalised_digits_have_mean_0_and_deviation_1():
    read = data.load("digits")
    x = torch.cat([read["train"].inputs, read["test"].inputs])
    assert float(x.mean()) == pytest.approx(0, abs=1e-3)
    assert float(x.std()) == pytest.approx(1, abs=1e-3)


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtra, match=r"'digits' needs .*pip install 'ridgeline\[data\]'"):
        data.load("digits")


def test_importing_the_catalogue_imports_no_scikit_learn():
    import subprocess

    program = "import sys, ridgeline.data as d; d.known(); sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
