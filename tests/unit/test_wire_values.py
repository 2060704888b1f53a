"""Device ids in paths: every name that a device can have comes back as it was."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.errors import InvalidParameter
from dsmilctl.wire.values import LONGEST_NAME, device_id_of, in_path

NAMES = st.text(
    st.characters(min_codepoint=33, exclude_categories=("C", "Z")), min_size=1, max_size=LONGEST_NAME
)


@given(NAMES.filter(lambda name: not name.lower().startswith("0x") and not name.lstrip("+-").isdigit()))
def test_a_name_survives_the_way_through_a_path(name: str) -> None:
    travelled = unquote(quote(in_path(name), safe=""))  # what a server takes out of the path

    assert "/" not in travelled
    if len(travelled) <= LONGEST_NAME:
        assert device_id_of(travelled) == name


@pytest.mark.parametrize("name", ["disk:/", "100%", "100%25", "%2F", "a/b/c", "boiler 1"])
def test_names_with_slashes_and_per_cent_signs(name: str) -> None:
    assert device_id_of(in_path(name)) == name


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 129, "0xZZ", "-1", "99999999999"])
def test_what_no_device_is_called_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        device_id_of(text)
