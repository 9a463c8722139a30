"""Networks and data of the user's own on the command line, and what is said of the numbers."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from ridgeline.cli.main import main

SOURCE = """
import torch
from torch import nn

import ridgeline as rl

def normalised():
    return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))

def wide():
    return nn.Linear(64, 64)

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(32, 8), nn.Linear(32, 8)
        self.c, self.n = nn.Linear(16, 10), nn.BatchNorm1d(16)

    def forward(self, top, bottom):
        x = torch.cat([self.a(top).relu(), self.b(bottom).relu()], 1)
        return self.c(self.n(x))

class Whole(Two):
    def forward(self, batch):
        return super().forward(**batch)

def digits():
    return rl.data.load("digits?train=60&test=30").splits

def pair():
    return {n: ((d.inputs[:, :32], d.inputs[:, 32:]), d.targets) for n, d in digits().items()}

def named():
    return {n: (dict(zip(("top", "bottom"), x)), y) for n, (x, y) in pair().items()}

def copied():
    return {n: (d.inputs, d.inputs) for n, d in digits().items()}

def alone():
    return digits()["train"].inputs, digits()["train"].targets

def focal(outputs, targets):
    p = outputs.log_softmax(-1).gather(-1, targets[:, None])[:, 0]
    return -((1 - p.exp()) ** 2) * p

class Focal:
    def __init__(self, gamma=2):
        self.gamma = gamma

    def __call__(self, outputs, targets):
        p = outputs.log_softmax(-1).gather(-1, targets[:, None])[:, 0]
        return -((1 - p.exp()) ** self.gamma) * p

def margin(outputs, targets):
    return outputs.topk(2, -1).values.diff(dim=-1)[:, 0].abs()

of_dict = {"wrong": rl.error, "margin": margin}
of_list = [rl.error, margin]

def images():
    return digits()["train"].inputs

class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, i):
        return {"input": alone()[0][i], "label": int(alone()[1][i]), "path": f"{i}.png"}

def line():
    return nn.Sequential(nn.Linear(64, 10))

class Keyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10)

    def forward(self, input):
        return self.fc(input)

def tagger():
    return nn.Linear(64, 10)

def padded():
    x, y = alone()
    labels = torch.full((20, 3), -100)
    for i in range(1, 20):
        labels[i, : 1 + i % 3] = y[3 * i : 3 * i + 1 + i % 3]
    return x[:60].view(20, 3, 64), labels

ready = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*alone()), 7, shuffle=True)
net = line()
"""
D = "digits?train=60&test=30"


@pytest.fixture
def own(tmp_path, monkeypatch, capsys):
    """Two checkpoints of a function of the user's, and the command on them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("setting_own.py").write_text(SOURCE)
    nets = importlib.import_module("setting_own")

    def call(verb, net, data, *words):
        for seed, name in enumerate("ab"):
            torch.manual_seed(seed)
            torch.save(getattr(nets, net)().state_dict(), f"{name}.pt")
        points = [] if verb == "symmetries" else ["a.pt", "b.pt"]
        given = data if data == D else f"setting_own:{data}"
        words = (*points, "--model", f"setting_own:{net}", "--data", given, *words)
        code = main([verb, *words])
        return code, *capsys.readouterr()

    yield call
    del sys.modules["setting_own"]


KEPT = "Running statistics are those of each state"


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("profile", ("--points", "3", "--out", "page")),
        pytest.param("layers", ("--points", "3", "--out", "page"), marks=pytest.mark.slow),
        pytest.param(
            "explain",
            ("--points", "3", "--no-layers", "--force", "--out", "page"),
            marks=pytest.mark.slow,
        ),
        ("align", ("--points", "3", "--report", "page")),
    ],
)
def test_the_policy_of_running_statistics_is_said_and_stands_on_the_page(own, verb, words):
    code, out, err = own(verb, "normalised", D, *words)
    said = "Running statistics are recomputed at every point, on 60 inputs of train."
    assert code == 0, err
    assert said in " ".join(out.split())
    assert f"<p>{said}" in Path("page/report.html").read_text()
    _, out, _ = own(verb, "normalised", D, *words, "--overwrite", "--statistics", "keep")
    assert KEPT in " ".join(out.split())


def test_a_plane_says_the_policy_too(own, capsys):
    own("profile", "normalised", D, "--points", "3")
    words = ("--model", "setting_own:normalised", "--data", D, "--points", "2")
    assert main(["plane", "a.pt", *words]) == 0
    assert "are recomputed at every point" in capsys.readouterr().out


def test_without_training_data_or_running_statistics_nothing_untrue_is_said(own):
    _, out, _ = own("profile", "normalised", "alone", "--points", "3")
    assert "at every point, on the inputs that are measured on." in " ".join(out.split())
    _, out, _ = own("profile", "wide", D, "--points", "3", "--json")
    notes = json.loads(out)["provenance"]["notes"]
    assert len(notes) == 1 and "Running" not in notes[0]


def test_outputs_beyond_the_classes_are_told(own):
    _, out, _ = own("profile", "wide", D, "--points", "3")
    assert "has 64 outputs and the targets are of 10 classes" in " ".join(out.split())
    _, out, _ = own("profile", "normalised", D, "--points", "3")
    assert "outputs" not in out


def test_a_regression_has_no_error_unless_asked_and_a_misplaced_metric_is_named(own):
    words = ("--points", "3", "--loss", "squared_error")
    code, out, err = own("profile", "wide", "copied", *words, "--json")
    assert code == 0, err
    assert set(json.loads(out)["splits"]["train"]) == {"loss"}
    code, _, err = own("profile", "wide", "copied", *words, "--metrics", "error")
    assert code == 2
    assert "for the metric 'error'" in err
    code, out, _ = own("profile", "wide", D, "--points", "3", "--metrics", "", "--json")
    assert set(json.loads(out)["splits"]["train"]) == {"loss"}


@pytest.mark.parametrize("data", ["pair", "named"])
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("profile", ("--points", "3")),
        ("explain", ("--points", "3", "--force")),
        ("align", ("--points", "3")),
        ("align", ("--points", "3", "--by", "activations", "--samples", "20")),
        ("symmetries", ()),
    ],
)
def test_several_inputs_by_position_and_by_name(own, verb, words, data):
    code, out, err = own(verb, "Two", data, *words)
    assert code == 0, err
    assert out


@pytest.mark.parametrize("verb", ["symmetries", "profile", "explain"])
def test_a_model_that_takes_the_dict_itself_is_to_be_wrapped(own, verb):
    code, _, err = own(verb, "Whole", "named")
    assert code in (2, 3)
    assert "a dict as keywords" in err
    assert "On the command line: wrap the model in a module" in err


# --- loss, metrics and data of the user's own ----------------------------------------------------


def true_of(name, loss, data="alone"):
    """The mean loss of a checkpoint by a plain loop of torch."""
    own = sys.modules["setting_own"]
    net = getattr(own, name)()
    net.load_state_dict(torch.load("a.pt"))
    x, y = getattr(own, data)()
    return float(loss(net(x), y).detach().mean())


@pytest.mark.parametrize(
    "given", ["setting_own:focal", "setting_own:Focal", "setting_own:Focal(gamma=2)"]
)
def test_a_loss_of_my_own_is_a_function_a_class_or_what_a_call_makes(own, given):
    code, out, err = own("profile", "line", "alone", "--points", "3", "--loss", given, "--json")
    assert code == 0, err
    true = true_of("line", sys.modules["setting_own"].focal)
    told = json.loads(out)["splits"]["all"]
    assert told["loss"][0] == pytest.approx(true, abs=1e-5)
    assert set(told) == {"loss"}


def test_metrics_of_my_own_are_known_by_the_name_of_their_function(own):
    listed = "error,setting_own:margin,setting_own:Focal(gamma=1),torch.nn:CrossEntropyLoss"
    words = ("--points", "3", "--metrics", listed, "--json")
    code, out, err = own("profile", "line", "alone", *words)
    assert code == 0, err
    told = json.loads(out)["splits"]["all"]
    assert list(told) == ["loss", "error", "margin", "Focal(gamma=1)", "CrossEntropyLoss"]
    assert told["CrossEntropyLoss"][0] == pytest.approx(told["loss"][0], abs=1e-6)
    margin = true_of("line", sys.modules["setting_own"].margin)
    assert told["margin"][0] == pytest.approx(margin, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "names"), [("dict", ["wrong", "margin"]), ("list", ["error", "margin"])]
)
def test_several_metrics_of_my_own_have_one_name(own, given, names):
    words = ("--points", "3", "--metrics", f"setting_own:of_{given}", "--json")
    code, out, err = own("profile", "line", "alone", *words)
    assert code == 0, err
    told = json.loads(out)["splits"]["all"]
    assert list(told) == ["loss", *names]
    margin = true_of("line", sys.modules["setting_own"].margin)
    assert told["margin"][0] == pytest.approx(margin, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("setting_own:focl", "Did you mean 'focal'"),
        ("setting_own:images()", "loss of your own is a function"),
        ("accuracy", "loss must be one that is known"),
    ],
)
def test_what_is_no_loss_is_refused_in_words(own, given, why):
    code, _, err = own("profile", "line", "alone", "--loss", given)
    assert code == 2 and why in err


def test_inputs_alone_are_compared_with_outputs_and_a_note_says_so(own):
    words = ("--points", "3", "--loss", "mse")
    code, out, err = own("profile", "wide", "images", *words)
    assert code == 0, err
    assert "The data have no targets: outputs are compared with the inputs." in out
    code, _, err = own("profile", "wide", "images", "--points", "3")
    assert code == 3 and "compares outputs with labels" in err


def test_an_object_is_taken_as_a_function_is_and_words_left_out_are_told(own):
    code, out, err = own("profile", "line", "ready", "--points", "3", "--json")
    assert code == 0, err
    assert json.loads(out)["provenance"]["splits"]["all"]["samples"] == 60
    code, out, err = own("profile", "Keyword", "Items", "--points", "3")
    assert code == 0, err
    assert "Left out of the data, as words are no numbers: path." in out


def test_a_model_may_be_an_object(own):
    own("profile", "line", "alone", "--points", "3")
    words = ("--model", "setting_own:net", "--data", "setting_own:alone", "--points", "3")
    assert main(["profile", "a.pt", "b.pt", *words]) == 0


def test_help_lists_the_names_of_losses_and_metrics(capsys):
    from ridgeline.cli import groups
    from ridgeline.objective import LOSSES, METRICS

    assert tuple(LOSSES) == groups.LOSSES
    assert tuple(n for n in METRICS if n not in LOSSES) == groups.METRICS
    with pytest.raises(SystemExit):
        main(["profile", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(name in said for name in METRICS) and "MOD:FUNC" in said


def test_means_over_tokens_are_asked_for_and_what_is_left_out_is_told(own):
    words = ("--points", "3", "--json")
    _, out, _ = own("profile", "tagger", "padded", *words)
    each = json.loads(out)
    code, out, err = own("profile", "tagger", "padded", *words, "--mean-over", "tokens")
    assert code == 0, err
    told = json.loads(out)
    notes = told["provenance"]["notes"]
    assert "1 of 20 samples of all have no label that counts: they are left out." in notes
    assert "Means are over all tokens that count, not over samples." in notes
    assert told["samples"]["all"]["left_out"] == {"loss": 1, "error": 1}
    x, y = importlib.import_module("setting_own").padded()
    net = importlib.import_module("setting_own").tagger()
    net.load_state_dict(torch.load("a.pt"))
    with torch.no_grad():
        outputs = net(x)
    want = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten())
    assert told["splits"]["all"]["loss"][0] == pytest.approx(float(want), rel=1e-5)
    assert each["splits"]["all"]["loss"][0] != pytest.approx(float(want), rel=1e-3)
