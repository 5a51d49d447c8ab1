"""Does the collector rest while rows are made, and is it afterwards as it was?"""

from __future__ import annotations

import gc

import pytest

from pimsim.collection import uncollected


@pytest.mark.parametrize("on", [True, False])
def test_afterwards_it_is_as_it_was(on: bool) -> None:
    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        with uncollected():
            assert not gc.isenabled()
            with uncollected():
                pass
            assert not gc.isenabled()
        assert gc.isenabled() == on
        with pytest.raises(ValueError, match="once"), uncollected():
            raise ValueError("once")
        assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()
