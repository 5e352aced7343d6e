import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are slower on several threads, and much slower where other work shares the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
