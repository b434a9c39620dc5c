from st3d.training import memory


def test_released_items_are_all_there_and_memory_goes_back_between_them(monkeypatch):
    calls = []
    monkeypatch.setattr(memory, "release_memory", lambda: calls.append(len(seen)))
    seen = []
    for item in memory.released(iter(range(20))):
        seen.append(item)
    assert seen == list(range(20))
    assert calls == [0, 8, 16]  # before the first item, and after each eight
