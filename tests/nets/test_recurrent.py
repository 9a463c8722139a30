import torch

from ridgeline.nets import lstm


def by_hand(net, x, hidden):
    """The gates as they are written in the reference."""
    h = c = torch.zeros(len(x), hidden, dtype=x.dtype)
    cell = net.lstm
    for x_t in x.unbind(1):
        gates = x_t @ cell.weight_ih_l0.T + cell.bias_ih_l0 + h @ cell.weight_hh_l0.T
        i, f, g, o = (gates + cell.bias_hh_l0).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return net.fc(h)


def test_it_is_the_recurrence_of_the_reference():
    net = lstm(inputs=3, hidden=5, classes=4).double()
    x = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(net(x), by_hand(net, x, 5))


def test_plain_sequences_have_one_value_at_each_time():
    net = lstm(hidden=5)
    x = torch.randn(2, 6)
    torch.testing.assert_close(net(x), net(x[..., None]))


def test_the_forget_gate_s_bias():
    plain, biased = (lstm(hidden=4, layers=2, forget_bias=b).lstm for b in (0.0, 1.0))
    for layer in (0, 1):
        moved = getattr(biased, f"bias_ih_l{layer}") - getattr(plain, f"bias_ih_l{layer}")
        torch.testing.assert_close(moved, torch.tensor([0.0] * 4 + [1.0] * 4 + [0.0] * 8))
