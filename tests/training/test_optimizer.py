import copy
import subprocess
import sys

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.training.optimizer import Adam


def module(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))


def train(network, optimizer, steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        inputs = torch.randn(11, 5, generator=generator, dtype=next(network.parameters()).dtype)
        network(inputs).square().sum().backward()
        optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in network.parameters()])


@given(st.floats(1e-4, 1e-2), st.sampled_from([0.0, 1e-5, 0.1]), st.integers(1, 30), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_parameters_go_where_torchs_adam_takes_them(learning_rate, weight_decay, steps, seed):
    ours, torchs = module(seed), module(seed)
    found = train(ours, Adam(ours.parameters(), learning_rate, weight_decay), steps)
    optimizer = torch.optim.Adam(torchs.parameters(), lr=learning_rate, weight_decay=weight_decay)
    assert torch.allclose(found, train(torchs, optimizer, steps), rtol=1e-4, atol=1e-6)


def test_a_restored_state_goes_on_as_if_nothing_had_happened():
    whole = module(1)
    optimizer = Adam(whole.parameters(), 1e-3, 1e-5)
    train(whole, optimizer, 5)
    weights, state = (copy.deepcopy(part.state_dict()) for part in (whole, optimizer))
    expected = train(whole, optimizer, 5, seed=9)

    later = module(2)
    restored = Adam(later.parameters(), 1e-3, 1e-5)
    later.load_state_dict(weights)
    restored.load_state_dict(state)
    assert torch.equal(train(later, restored, 5, seed=9), expected)


def test_training_does_not_import_torchs_compiler():
    script = (
        "import sys, torch; from st3d.student_teacher import teacher, student; from st3d.evaluation import maps;"
        "from st3d.training.device import set_threads; from st3d.training.optimizer import Adam;"
        "set_threads(1); layer = torch.nn.Linear(3, 3); optimizer = Adam(layer.parameters(), 1e-3, 0);"
        "layer(torch.ones(1, 3)).sum().backward(); optimizer.step();"
        "assert torch.are_deterministic_algorithms_enabled(); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
