"""Functions and weak references of a copied module are of the copy."""

import functools
import types
import weakref

from torch import nn

from ridgeline.graph.rebinding import rebind


class Module(nn.Module):
    def number(self):
        return id(self)


def pair():
    one, two = Module(), Module()
    return one, two, {id(one): two}


def test_a_weak_reference_is_of_the_copy():
    one, two, copies = pair()
    two.parent, two.other = weakref.ref(one), weakref.ref(nn.ReLU)
    other = two.other
    rebind(two, copies)
    assert two.parent() is two and two.other is other


def test_a_closure_is_over_the_copy_and_keeps_all_else():
    one, two, copies = pair()
    extra = [1]

    def function(x, y=2, *, z=3):
        return one.number() + x + y + z + extra[0]

    function.note = "kept"
    two.function = function
    rebind(two, copies)
    assert two.function(1) == id(two) + 1 + 2 + 3 + 1
    assert two.function.note == "kept" and two.function.__qualname__ == function.__qualname__
    assert function(1) == id(one) + 7


def test_a_function_of_no_module_is_itself():
    one, two, copies = pair()
    value = 5
    two.function, two.list, two.dict = (lambda: value), [1], {"a": 1}
    held = two.function, two.list, two.dict
    rebind(two, copies)
    assert all(x is y for x, y in zip(held, (two.function, two.list, two.dict), strict=True))


def test_a_method_and_a_partial_are_bound_to_the_copy():
    one, two, copies = pair()
    two.method = one.number
    two.bound = functools.partial(one.number)
    rebind(two, copies)
    assert two.method() == id(two) == two.bound()
    assert isinstance(two.method, types.MethodType)


def test_a_partial_keeps_its_arguments():
    one, two, copies = pair()

    def function(x, y):
        return one.number() + x * y

    two.bound = functools.partial(function, 3, y=5)
    rebind(two, copies)
    assert two.bound() == id(two) + 15


def test_containers_are_new_where_something_in_them_is():
    one, two, copies = pair()
    two.list, two.dict = [weakref.ref(one), 1], {"m": one.number, "n": 2}
    before = two.list
    rebind(two, copies)
    assert two.list[0]() is two and two.list[1] == 1 and two.list is not before
    assert before[0]() is one and two.dict["m"]() == id(two) and two.dict["n"] == 2


def test_what_lies_too_deep_is_left():
    one, two, copies = pair()
    two.deep = [[[weakref.ref(one)]]]
    two.near = [[weakref.ref(one)]]
    rebind(two, copies)
    assert two.deep[0][0][0]() is one and two.near[0][0]() is two


def test_a_variable_that_is_not_set_yet_is_left():
    _, two, copies = pair()

    def outer():
        def inner():
            return late

        two.function = inner
        rebind(two, copies)
        late = 4
        return two.function()

    assert outer() == 4
