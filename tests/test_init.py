"""What `import neptune_nas` offers."""

from importlib import import_module
from inspect import getdoc
from pkgutil import iter_modules

import pytest

import neptune_nas


@pytest.mark.parametrize("name", neptune_nas.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(neptune_nas, name)
    assert found is getattr(neptune_nas, name)
    assert getdoc(found)


def test_no_public_name_is_a_modules_that_its_import_would_put_in_its_place() -> None:
    modules = {module.name for module in iter_modules(neptune_nas.__path__)}
    assert modules.isdisjoint(neptune_nas.__all__)


def test_dir_lists_the_public_names() -> None:
    assert dir(neptune_nas) == sorted(neptune_nas.__all__)


def test_what_is_imported_late_is_public_and_stands_where_it_is_said_to() -> None:
    assert {*neptune_nas.LAZY} <= {*neptune_nas.__all__}
    for name, module in neptune_nas.LAZY.items():
        assert hasattr(import_module(module), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Serach'"):
        _ = neptune_nas.Serach
