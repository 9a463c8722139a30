"""What a merge says of itself."""

import torch

from ridgeline.merging import Slerp, merge


def state(mean, weight):
    return {"bn.weight": torch.tensor([weight]), "bn.running_mean": torch.tensor([mean])}


def test_statistics_are_called_averaged_where_they_are_no_states_own():
    a, b = state(1.0, 2.0), state(3.0, 4.0)
    assert merge([a, b]).averaged == ("bn.running_mean",)
    assert "recompute" in merge([a, b]).notes[0]
    for own in (
        merge([a, b], weights=[0, 1]),
        merge([a]),
        merge([a, a]),
        merge([a, b], by=Slerp(1)),
    ):
        assert own.averaged == () and own.notes == ()


def test_numbers_agree_with_their_nouns():
    one, two = {"w": torch.ones(2)}, {"w": torch.ones(2), "v": torch.ones(2)}
    assert str(merge([one])) == "1 state merged by Mean(): 1 tensor"
    assert str(merge([two, two])) == "2 states merged by Mean(): 2 tensors"
