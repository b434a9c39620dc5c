from st3d.formats.provenance import digest


def test_equal_settings_have_equal_digests_in_any_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 2, "b": [2]})
